/**
 * The security settings of Kafka, which are librdkafka's, as the Java client wants them. Both
 * clients name most of them alike; logins go into JAAS, and what stands in files goes there by its
 * text, because the executors of a Spark cluster do not have the files.
 *
 * @see {@link https://kafka.apache.org/documentation/#security_sasl}
 * @module
 */

import { UsageError } from "../settings/exit.ts";
import { variableOf } from "../settings/kafka_security.ts";

type Properties = Readonly<Record<string, string>>;
/** Gives the text of the PEM file that a setting names. */
type ReadPem = (variable: string, path: string) => string;

const security = "org.apache.kafka.common.security";
const login_modules: Readonly<Record<string, string>> = {
  PLAIN: `${security}.plain.PlainLoginModule`,
  "SCRAM-SHA-256": `${security}.scram.ScramLoginModule`,
  "SCRAM-SHA-512": `${security}.scram.ScramLoginModule`,
  OAUTHBEARER: `${security}.oauthbearer.OAuthBearerLoginModule`,
};

/**
 * Options of the Java client for librdkafka's properties. The result is as secret as they are.
 *
 * @throws {UsageError} for what the Java side is not prepared for.
 */
export function javaClientOptions(
  properties: Properties,
  readPem: ReadPem,
): Record<string, string> {
  const options: Record<string, string> = {};
  const protocol = properties["security.protocol"];
  if (protocol !== undefined) options["security.protocol"] = protocol.toUpperCase();
  const algorithm = properties["ssl.endpoint.identification.algorithm"];
  if (algorithm !== undefined) {
    options["ssl.endpoint.identification.algorithm"] = algorithm === "none" ? "" : algorithm;
  }
  return { ...options, ...stores(properties, readPem), ...login(properties, readPem) };
}

/** Whom we trust, and who we are. */
function stores(properties: Properties, readPem: ReadPem): Record<string, string> {
  const options: Record<string, string> = {};
  const authority = pemOf("ssl.ca.location", properties, readPem);
  if (authority !== null) {
    options["ssl.truststore.type"] = "PEM";
    options["ssl.truststore.certificates"] = authority;
  }
  const chain = pemOf("ssl.certificate.location", properties, readPem);
  const key = pemOf("ssl.key.location", properties, readPem);
  if (chain === null || key === null) return options;
  if (!/^-----BEGIN (ENCRYPTED )?PRIVATE KEY-----$/m.test(key)) {
    throw new UsageError(
      `${variableOf("ssl.key.location")} is not in PKCS #8, the only form that the lake reads: ` +
        "convert it by openssl pkcs8 -topk8",
    );
  }
  options["ssl.keystore.type"] = "PEM";
  options["ssl.keystore.certificate.chain"] = chain;
  options["ssl.keystore.key"] = key;
  const password = properties["ssl.key.password"];
  if (password !== undefined) options["ssl.key.password"] = password;
  return options;
}

function login(properties: Properties, readPem: ReadPem): Record<string, string> {
  const mechanism = properties["sasl.mechanism"];
  if (mechanism === undefined) return {};
  if (mechanism === "OAUTHBEARER") return tokenLogin(properties, readPem);
  const parts = { username: properties["sasl.username"], password: properties["sasl.password"] };
  return { "sasl.mechanism": mechanism, "sasl.jaas.config": jaasConfig(mechanism, parts) };
}

function tokenLogin(properties: Properties, readPem: ReadPem): Record<string, string> {
  const authority = pemOf("https.ca.location", properties, readPem);
  const extensions = properties["sasl.oauthbearer.extensions"]?.split(",") ?? [];
  const parts = {
    clientId: properties["sasl.oauthbearer.client.id"],
    clientSecret: properties["sasl.oauthbearer.client.secret"],
    scope: properties["sasl.oauthbearer.scope"],
    ...Object.fromEntries(extensions.map((pair) => `extension_${pair}`.split("="))),
    ...(authority === null
      ? {}
      : { "ssl.truststore.type": "PEM", "ssl.truststore.certificates": authority }),
  };
  return {
    "sasl.mechanism": "OAUTHBEARER",
    "sasl.jaas.config": jaasConfig("OAUTHBEARER", parts),
    "sasl.login.callback.handler.class": `${security}.oauthbearer.OAuthBearerLoginCallbackHandler`,
    "sasl.oauthbearer.token.endpoint.url": properties["sasl.oauthbearer.token.endpoint.url"] ?? "",
    // As RFC 6749 wants it, and the port does it.
    "sasl.oauthbearer.header.urlencode": "true",
  };
}

function pemOf(name: string, properties: Properties, readPem: ReadPem): string | null {
  const path = properties[name];
  return path === undefined ? null : readPem(variableOf(name), path);
}

function jaasConfig(
  mechanism: string,
  parts: Readonly<Record<string, string | undefined>>,
): string {
  const given = Object.entries(parts).flatMap(([name, value]) =>
    value === undefined ? [] : [`${/\./.test(name) ? quoted(name) : name}=${quoted(value)}`],
  );
  return `${login_modules[mechanism]} required ${given.join(" ")};`;
}

/** JAAS knows the escapes of C; a line ends the text. */
function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}
