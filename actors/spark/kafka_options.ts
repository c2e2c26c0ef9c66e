/**
 * The security settings of Kafka, which are librdkafka's, as the Java client wants them. Both
 * clients name most of them alike; passwords go into JAAS, and PEM files need their type said.
 *
 * @see {@link https://kafka.apache.org/documentation/#security_sasl}
 * @module
 */

import { UsageError } from "../settings/exit.ts";

const login_modules: Readonly<Record<string, string>> = {
  PLAIN: "org.apache.kafka.common.security.plain.PlainLoginModule",
  "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
  "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
};

/** Settings of librdkafka that have no counterpart here yet. */
const unsupported = ["ssl.certificate.location", "ssl.key.location", "ssl.key.password"] as const;

/**
 * Options of the Java client for librdkafka's properties. The result is as secret as they are.
 *
 * @throws {UsageError} for what the Java side is not prepared for.
 */
export function javaClientOptions(
  properties: Readonly<Record<string, string>>,
): Record<string, string> {
  for (const name of unsupported) {
    if (properties[name] === undefined) continue;
    const variable = `K2_KAFKA_${name.toUpperCase().replaceAll(".", "_")}`;
    throw new UsageError(
      `${variable} is set, but the lake cannot use client certificates: unset it, or run ` +
        "--role feed here and the lake with SASL",
    );
  }
  const options: Record<string, string> = {};
  const protocol = properties["security.protocol"];
  if (protocol !== undefined) options["security.protocol"] = protocol.toUpperCase();
  const mechanism = properties["sasl.mechanism"];
  if (mechanism !== undefined) {
    options["sasl.mechanism"] = mechanism;
    options["sasl.jaas.config"] = jaasConfig(mechanism, properties);
  }
  const authority = properties["ssl.ca.location"];
  if (authority !== undefined) {
    options["ssl.truststore.type"] = "PEM";
    options["ssl.truststore.location"] = authority;
  }
  return options;
}

function jaasConfig(mechanism: string, properties: Readonly<Record<string, string>>): string {
  const module = login_modules[mechanism];
  if (module === undefined) {
    const known = Object.keys(login_modules).join(", ");
    throw new UsageError(`K2_KAFKA_SASL_MECHANISM is "${mechanism}": it must be one of ${known}`);
  }
  const username = quoted(properties["sasl.username"] ?? "");
  const password = quoted(properties["sasl.password"] ?? "");
  return `${module} required username=${username} password=${password};`;
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}
