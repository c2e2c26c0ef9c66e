/**
 * Goal: what the promise rests on is set, and no setting of the user's can take it back.
 * Method: the properties as they are given to the client.
 */

import { expect, test } from "bun:test";
import { clientProperties, producerProperties } from "../../../actors/producer/kafka_properties.ts";

const cluster = {
  brokers: "one:9092,two:9092",
  properties: { "security.protocol": "SASL_SSL", "sasl.password": "secret", acks: "0" },
};

test("producerProperties() keeps order, loses nothing and places keys as Java does", () => {
  expect(producerProperties(cluster)).toMatchObject({
    acks: "all",
    "enable.idempotence": true,
    "message.timeout.ms": 0,
    partitioner: "murmur2_random",
    "compression.type": "lz4",
    "max.in.flight": 1,
  });
});

test("clientProperties() carry brokers and security", () => {
  expect(clientProperties(cluster)).toMatchObject({
    "bootstrap.servers": "one:9092,two:9092",
    "security.protocol": "SASL_SSL",
    "sasl.password": "secret",
  });
});
