/**
 * How a secured Kafka cluster is spoken to. The names are librdkafka's: `K2_KAFKA_` and the
 * property in capitals (https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md).
 * What contradicts itself is refused here, because a client would leave it out without a word, and
 * send a password over a line that nobody has encrypted.
 *
 * @module
 */

import { UsageError } from "./exit.ts";
import { type Environment, readers } from "./readers.ts";

/** Every property that a setting gives. */
const property_names = [
  "security.protocol",
  "ssl.ca.location",
  "ssl.certificate.location",
  "ssl.key.location",
  "ssl.key.password",
  "ssl.endpoint.identification.algorithm",
  "sasl.mechanism",
  "sasl.username",
  "sasl.password",
  "sasl.oauthbearer.token.endpoint.url",
  "sasl.oauthbearer.client.id",
  "sasl.oauthbearer.client.secret",
  "sasl.oauthbearer.scope",
  "sasl.oauthbearer.extensions",
  "https.ca.location",
] as const;

type PropertyName = (typeof property_names)[number];
type Properties = { [name in PropertyName]?: string };

/** The properties whose values are names of PEM files. */
export const pem_properties = [
  "ssl.ca.location",
  "ssl.certificate.location",
  "ssl.key.location",
  "https.ca.location",
] as const;

const password_properties = ["sasl.username", "sasl.password"] as const;
/** What each mechanism cannot do without. */
const needs: Readonly<Record<string, readonly PropertyName[]>> = {
  PLAIN: password_properties,
  "SCRAM-SHA-256": password_properties,
  "SCRAM-SHA-512": password_properties,
  OAUTHBEARER: [
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
  ],
};

/** The variable that gives a property. */
export function variableOf(property: string): string {
  return `K2_KAFKA_${property.toUpperCase().replaceAll(".", "_")}`;
}

/**
 * Reads the properties of security; none where the cluster has no security.
 *
 * @throws {UsageError} naming the variable and what is allowed, or what else has to be set.
 */
export function readKafkaSecurity(environment: Environment): Readonly<Record<string, string>> {
  const properties = readProperties(environment);
  const protocol = properties["security.protocol"]?.toLowerCase() ?? "plaintext";
  refuseUnused(properties, { prefix: "ssl.", is_used: protocol.endsWith("ssl"), of: "ssl" });
  refuseUnused(properties, {
    prefix: "sasl.",
    is_used: protocol.startsWith("sasl"),
    of: "sasl_plaintext",
  });
  if (protocol.startsWith("sasl")) requireLogin(properties);
  const [certificate, key] = ["ssl.certificate.location", "ssl.key.location"] as const;
  if (properties[certificate] !== undefined) requireToo(properties, { name: key, by: certificate });
  if (properties[key] !== undefined) requireToo(properties, { name: certificate, by: key });
  if (properties["https.ca.location"] !== undefined) {
    requireToo(properties, {
      name: "sasl.oauthbearer.token.endpoint.url",
      by: "https.ca.location",
    });
  }
  return properties;
}

function readProperties(environment: Environment): Properties {
  const read = readers(environment);
  const properties: Properties = {};
  for (const name of property_names) {
    const value = read.text(variableOf(name));
    if (value !== null) properties[name] = value;
  }
  read.matching(
    variableOf("security.protocol"),
    /^(plaintext|ssl|sasl_plaintext|sasl_ssl)$/i,
    "plaintext, ssl, sasl_plaintext or sasl_ssl",
  );
  read.matching(
    variableOf("sasl.mechanism"),
    /^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512|OAUTHBEARER)$/,
    `one of ${Object.keys(needs).join(", ")}`,
  );
  read.matching(
    variableOf("ssl.endpoint.identification.algorithm"),
    /^(https|none)$/,
    "https, or none, which takes any host for the broker",
  );
  read.matching(
    variableOf("sasl.oauthbearer.extensions"),
    /^\w+=[^,="]+(,\w+=[^,="]+)*$/,
    "name=value, comma separated",
  );
  read.url(variableOf("sasl.oauthbearer.token.endpoint.url"), ["https:", "http:"]);
  return properties;
}

/** Refuses what the protocol would leave unused. */
function refuseUnused(
  properties: Properties,
  part: { readonly prefix: string; readonly is_used: boolean; readonly of: string },
): void {
  if (part.is_used) return;
  const unused = property_names.find(
    (name) => name.startsWith(part.prefix) && properties[name] !== undefined,
  );
  if (unused === undefined) return;
  throw new UsageError(
    `${variableOf(unused)} is set, but ${variableOf("security.protocol")} leaves it unused: ` +
      `it must be sasl_ssl or ${part.of}`,
  );
}

function requireLogin(properties: Properties): void {
  requireToo(properties, { name: "sasl.mechanism", by: "security.protocol" });
  for (const name of needs[properties["sasl.mechanism"] ?? ""] ?? []) {
    requireToo(properties, { name, by: "sasl.mechanism" });
  }
}

function requireToo(
  properties: Properties,
  { name, by }: { readonly name: PropertyName; readonly by: PropertyName },
): void {
  if (properties[name] !== undefined) return;
  throw new UsageError(
    `${variableOf(by)} is "${properties[by]}": ${variableOf(name)} must be set too`,
  );
}
