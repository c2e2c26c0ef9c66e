/**
 * Goal: one set of Kafka settings serves both clients, or the start says which one does not.
 * Method: librdkafka's properties in, the Java client's options out. That the Java client takes
 * them is tested against a broker, in `tests/actors/producer/kafka_security_test.ts`.
 */

import { expect, test } from "bun:test";
import { UsageError } from "../../../actors/settings/exit.ts";
import { javaClientOptions } from "../../../actors/spark/kafka_options.ts";

/** Files that hold what their setting and name say. */
function readPem(variable: string, path: string): string {
  return `-----BEGIN PRIVATE KEY-----\n${variable} ${path}\n`;
}

test("without security there are no options", () => {
  expect(javaClientOptions({}, readPem)).toEqual({});
});

test("SASL goes into JAAS, with quotes that a password cannot leave", () => {
  const properties = {
    "security.protocol": "sasl_ssl",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": "k2",
    "sasl.password": 'a"b\\c',
    "ssl.ca.location": "/etc/ca.pem",
    "ssl.endpoint.identification.algorithm": "none",
  };
  expect(javaClientOptions(properties, readPem)).toEqual({
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.jaas.config":
      "org.apache.kafka.common.security.scram.ScramLoginModule required " +
      'username="k2" password="a\\"b\\\\c";',
    "ssl.endpoint.identification.algorithm": "",
    "ssl.truststore.type": "PEM",
    "ssl.truststore.certificates": readPem("K2_KAFKA_SSL_CA_LOCATION", "/etc/ca.pem"),
  });
});

test("OAUTHBEARER asks the token endpoint, and trusts it by an authority of its own", () => {
  const properties = {
    "sasl.mechanism": "OAUTHBEARER",
    "sasl.oauthbearer.token.endpoint.url": "https://tokens.example/token",
    "sasl.oauthbearer.client.id": "k2",
    "sasl.oauthbearer.client.secret": "secret",
    "sasl.oauthbearer.scope": "kafka",
    "sasl.oauthbearer.extensions": "logicalCluster=lkc-1,identityPoolId=pool-1",
    "https.ca.location": "/ca",
  };
  expect(javaClientOptions(properties, readPem)).toEqual({
    "sasl.mechanism": "OAUTHBEARER",
    "sasl.jaas.config":
      "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required " +
      'clientId="k2" clientSecret="secret" scope="kafka" ' +
      'extension_logicalCluster="lkc-1" extension_identityPoolId="pool-1" ' +
      '"ssl.truststore.type"="PEM" "ssl.truststore.certificates"=' +
      '"-----BEGIN PRIVATE KEY-----\\nK2_KAFKA_HTTPS_CA_LOCATION /ca\\n";',
    "sasl.login.callback.handler.class":
      "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
    "sasl.oauthbearer.token.endpoint.url": "https://tokens.example/token",
    "sasl.oauthbearer.header.urlencode": "true",
  });
});

test("a client certificate goes by its text, with its key in PKCS #8", () => {
  const properties = {
    "security.protocol": "ssl",
    "ssl.certificate.location": "/me.pem",
    "ssl.key.location": "/me.key",
    "ssl.key.password": "secret",
  };
  expect(javaClientOptions(properties, readPem)).toEqual({
    "security.protocol": "SSL",
    "ssl.keystore.type": "PEM",
    "ssl.keystore.certificate.chain": readPem("K2_KAFKA_SSL_CERTIFICATE_LOCATION", "/me.pem"),
    "ssl.keystore.key": readPem("K2_KAFKA_SSL_KEY_LOCATION", "/me.key"),
    "ssl.key.password": "secret",
  });
  const readOldKey = () => "-----BEGIN RSA PRIVATE KEY-----\n";
  expect(() => javaClientOptions(properties, readOldKey)).toThrow(UsageError);
  expect(() => javaClientOptions(properties, readOldKey)).toThrow(
    "K2_KAFKA_SSL_KEY_LOCATION is not in PKCS #8",
  );
});
