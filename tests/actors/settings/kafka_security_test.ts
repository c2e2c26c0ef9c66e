/**
 * Goal: settings of Kafka's security are taken as librdkafka names them; what is not whole, or would
 * be left unused without a word, is refused, and no secret is repeated.
 * Method: environments as plain objects.
 */

import { expect, test } from "bun:test";
import { UsageError } from "../../../actors/settings/exit.ts";
import { readKafkaSecurity, variableOf } from "../../../actors/settings/kafka_security.ts";

const scram = {
  K2_KAFKA_SECURITY_PROTOCOL: "SASL_SSL",
  K2_KAFKA_SASL_MECHANISM: "SCRAM-SHA-512",
  K2_KAFKA_SASL_USERNAME: "me",
  K2_KAFKA_SASL_PASSWORD: "not-to-be-seen",
};
const token = {
  K2_KAFKA_SECURITY_PROTOCOL: "sasl_plaintext",
  K2_KAFKA_SASL_MECHANISM: "OAUTHBEARER",
  K2_KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: "https://tokens.example/token",
  K2_KAFKA_SASL_OAUTHBEARER_CLIENT_ID: "me",
  K2_KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: "not-to-be-seen",
};

test("readKafkaSecurity() gives librdkafka's properties", () => {
  expect(readKafkaSecurity({})).toEqual({});
  expect(readKafkaSecurity(scram)).toEqual({
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": "me",
    "sasl.password": "not-to-be-seen",
  });
  expect(readKafkaSecurity(token)).toMatchObject({
    "sasl.oauthbearer.token.endpoint.url": "https://tokens.example/token",
  });
});

test("variableOf() names the variable of a property", () => {
  expect(variableOf("ssl.ca.location")).toBe("K2_KAFKA_SSL_CA_LOCATION");
});

test.each([
  [{ ...scram, K2_KAFKA_SECURITY_PROTOCOL: "tls" }, 'K2_KAFKA_SECURITY_PROTOCOL is "tls": it must'],
  [{ ...scram, K2_KAFKA_SASL_MECHANISM: "GSSAPI" }, "one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512,"],
  [
    { ...scram, K2_KAFKA_SECURITY_PROTOCOL: "" },
    "K2_KAFKA_SASL_MECHANISM is set, but K2_KAFKA_SECURITY_PROTOCOL leaves it unused: " +
      "it must be sasl_ssl or sasl_plaintext",
  ],
  [
    { ...token, K2_KAFKA_SSL_CA_LOCATION: "/ca.pem" },
    "K2_KAFKA_SSL_CA_LOCATION is set, but K2_KAFKA_SECURITY_PROTOCOL leaves it unused: " +
      "it must be sasl_ssl or ssl",
  ],
  [
    { ...scram, K2_KAFKA_SASL_MECHANISM: "" },
    'K2_KAFKA_SECURITY_PROTOCOL is "SASL_SSL": K2_KAFKA_SASL_MECHANISM must be set too',
  ],
  [
    { ...scram, K2_KAFKA_SASL_USERNAME: "" },
    'K2_KAFKA_SASL_MECHANISM is "SCRAM-SHA-512": K2_KAFKA_SASL_USERNAME must be set too',
  ],
  [
    { ...token, K2_KAFKA_SASL_OAUTHBEARER_CLIENT_ID: "" },
    'K2_KAFKA_SASL_MECHANISM is "OAUTHBEARER": K2_KAFKA_SASL_OAUTHBEARER_CLIENT_ID must be set too',
  ],
  [
    { ...scram, K2_KAFKA_SSL_KEY_LOCATION: "/key.pem" },
    'K2_KAFKA_SSL_KEY_LOCATION is "/key.pem": K2_KAFKA_SSL_CERTIFICATE_LOCATION must be set too',
  ],
  [
    { ...scram, K2_KAFKA_HTTPS_CA_LOCATION: "/ca.pem" },
    "K2_KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL must be set too",
  ],
  [{ ...token, K2_KAFKA_SASL_OAUTHBEARER_EXTENSIONS: "a" }, "name=value, comma separated"],
])("what is not whole is refused: %p", (environment, words) => {
  const read = () => readKafkaSecurity(environment);
  expect(read).toThrow(UsageError);
  expect(read).toThrow(words);
  expect(read).not.toThrow("not-to-be-seen");
});
