/**
 * The security settings of Kafka, which are librdkafka's, as the Java client wants them. Both
 * clients name most of them alike; passwords go into JAAS, and PEM files need their type said.
 *
 * @see {@link https://kafka.apache.org/documentation/#security_sasl}
 * @module
 */

const login_modules: Readonly<Record<string, string>> = {
  PLAIN: "org.apache.kafka.common.security.plain.PlainLoginModule",
  "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
  "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
};

/**
 * Options of the Java client for librdkafka's properties. The result is as secret as they are.
 *
 * @throws {RangeError} for a SASL mechanism that the Java side is not prepared for.
 */
export function javaClientOptions(
  properties: Readonly<Record<string, string>>,
): Record<string, string> {
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
    throw new RangeError(`K2_KAFKA_SASL_MECHANISM is "${mechanism}": it must be one of ${known}`);
  }
  const username = quoted(properties["sasl.username"] ?? "");
  const password = quoted(properties["sasl.password"] ?? "");
  return `${module} required username=${username} password=${password};`;
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}
