/**
 * Goal: one set of Kafka settings serves both clients, or the start says which one does not.
 * Method: librdkafka's properties in, the Java client's options out.
 */

import { expect, test } from "bun:test";
import { javaClientOptions } from "../../../actors/spark/kafka_options.ts";

test("without security there are no options", () => {
  expect(javaClientOptions({})).toEqual({});
});

test("SASL goes into JAAS, with quotes that a password cannot leave", () => {
  expect(
    javaClientOptions({
      "security.protocol": "sasl_ssl",
      "sasl.mechanism": "SCRAM-SHA-512",
      "sasl.username": "k2",
      "sasl.password": 'a"b\\c',
      "ssl.ca.location": "/etc/ca.pem",
    }),
  ).toEqual({
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.jaas.config":
      "org.apache.kafka.common.security.scram.ScramLoginModule required " +
      'username="k2" password="a\\"b\\\\c";',
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": "/etc/ca.pem",
  });
});

test("what the lake cannot do is refused by the setting's name", () => {
  expect(() => javaClientOptions({ "sasl.mechanism": "GSSAPI" })).toThrow(
    'K2_KAFKA_SASL_MECHANISM is "GSSAPI": it must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512',
  );
  expect(() => javaClientOptions({ "ssl.key.location": "/key.pem" })).toThrow(
    "K2_KAFKA_SSL_KEY_LOCATION is set, but the lake cannot use client certificates",
  );
});
