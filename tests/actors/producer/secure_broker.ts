/**
 * A real broker that asks who is there: by SASL over TLS, with every mechanism, and by certificates;
 * and the token endpoint that its users of OAUTHBEARER go to.
 *
 * @module
 */

import { generateKeyPairSync, sign } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { logProperties, serverProperties } from "../../../actors/broker/broker_files.ts";
import { chooseFreePort } from "../../../actors/port/free_port.ts";
import { createAuthority } from "../../certificates.ts";

const jars = resolve(import.meta.dir, "../../../.setup/kafka/*");
const modules = "org.apache.kafka.common.security";
const start_ms_max = 90_000;
const [issuer, audience] = ["https://issuer.example", "kafka"] as const;

/** Who the broker lets in. */
export interface User {
  readonly name: string;
  readonly password: string;
}

/** Starts the broker and the token endpoint in a folder. */
export async function startSecureBroker(folder: string, user: User) {
  mkdirSync(join(folder, "records"), { recursive: true });
  const authority = createAuthority(join(folder, "certificates"));
  const tokens = startTokens(folder, user, authority.certify("tokens"));
  const ports = {
    plain: await chooseFreePort(),
    controller: await chooseFreePort(),
    sasl: await chooseFreePort(),
    ssl: await chooseFreePort(),
  };
  const certified = authority.certify("broker");
  const keystore = join(folder, "broker.keystore.pem");
  writeFileSync(keystore, certified.key + certified.certificate);
  const properties = {
    listeners: listenersOf(ports, ["PLAINTEXT", "CONTROLLER", "LOGIN", "SSL"]),
    "advertised.listeners": listenersOf(ports, ["PLAINTEXT", "LOGIN", "SSL"]),
    "listener.security.protocol.map":
      "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_SSL,SSL:SSL",
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": keystore,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": authority.authority_path,
    "listener.name.ssl.ssl.client.auth": "required",
    ...loginProperties(user, tokens.keys_url),
  };
  const file = join(folder, "server.properties");
  writeFileSync(
    file,
    serverProperties({
      port: ports.plain,
      controller_port: ports.controller,
      log_directory: join(folder, "records"),
      retention_ms: 86_400_000,
      partition_bytes_max: 2 ** 30,
    }) +
      Object.entries(properties)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(""),
  );
  await format(folder, file, user);
  const child = await run(folder, file, tokens.keys_url);
  return {
    authority,
    token_url: tokens.url,
    plain: `127.0.0.1:${ports.plain}`,
    sasl: `127.0.0.1:${ports.sasl}`,
    ssl: `127.0.0.1:${ports.ssl}`,
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
      await tokens.stop();
    },
  };
}

function listenersOf(
  ports: {
    readonly plain: number;
    readonly controller: number;
    readonly sasl: number;
    readonly ssl: number;
  },
  names: readonly string[],
): string {
  const by_name: Readonly<Record<string, number>> = {
    PLAINTEXT: ports.plain,
    CONTROLLER: ports.controller,
    LOGIN: ports.sasl,
    SSL: ports.ssl,
  };
  return names.map((name) => `${name}://127.0.0.1:${by_name[name]}`).join(",");
}

function loginProperties({ name, password }: User, keys_url: string): Record<string, string> {
  const listener = "listener.name.login";
  const scram = `${modules}.scram.ScramLoginModule required;`;
  return {
    [`${listener}.sasl.enabled.mechanisms`]: "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
    [`${listener}.plain.sasl.jaas.config`]: `${modules}.plain.PlainLoginModule required user_${name}="${password}";`,
    [`${listener}.scram-sha-256.sasl.jaas.config`]: scram,
    [`${listener}.scram-sha-512.sasl.jaas.config`]: scram,
    [`${listener}.oauthbearer.sasl.jaas.config`]: `${modules}.oauthbearer.OAuthBearerLoginModule required;`,
    [`${listener}.oauthbearer.sasl.server.callback.handler.class`]: `${modules}.oauthbearer.OAuthBearerValidatorCallbackHandler`,
    [`${listener}.oauthbearer.sasl.oauthbearer.jwks.endpoint.url`]: keys_url,
    [`${listener}.oauthbearer.sasl.oauthbearer.expected.audience`]: audience,
    [`${listener}.oauthbearer.sasl.oauthbearer.expected.issuer`]: issuer,
  };
}

/** OpenID Connect's client credentials: a signed token for whoever knows the secret. */
function startTokens(
  folder: string,
  user: User,
  certified: { readonly certificate: string; readonly key: string },
) {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const keys_path = join(folder, "keys.json");
  const key = { ...publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "RS256" };
  writeFileSync(keys_path, JSON.stringify({ keys: [key] }));
  const expected = `Basic ${btoa(`${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}`)}`;
  function tokenOf(scope: string): string {
    const now_s = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: issuer,
      sub: user.name,
      aud: audience,
      scope,
      iat: now_s,
      exp: now_s + 300,
    };
    const parts = [{ alg: "RS256", kid: "one", typ: "JWT" }, claims];
    const text = parts
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    return `${text}.${sign("sha256", Buffer.from(text), privateKey).toString("base64url")}`;
  }
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: certified.certificate, key: certified.key },
    fetch: async (request) => {
      const form = new URLSearchParams(await request.text());
      const is_known = request.headers.get("authorization") === expected;
      if (!is_known || form.get("grant_type") !== "client_credentials") {
        return Response.json({ error: "invalid_client" }, { status: 401 });
      }
      const access_token = tokenOf(form.get("scope") ?? "");
      return Response.json({ access_token, token_type: "Bearer", expires_in: 300 });
    },
  });
  return {
    url: `https://127.0.0.1:${server.port}/token`,
    keys_url: `file://${keys_path}`,
    stop: () => server.stop(true),
  };
}

const java = [
  ...["java", "-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:-UsePerfData"],
  // It lives for seconds.
  "-XX:TieredStopAtLevel=1",
];

async function format(folder: string, file: string, { name, password }: User): Promise<void> {
  const scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
    "--add-scram",
    `${mechanism}=[name=${name},password=${password}]`,
  ]);
  const tool = [
    "kafka.tools.StorageTool",
    "format",
    "--standalone",
    "-t",
    "AAAAAAAAQACAAAAAAAAAAQ",
  ];
  const child = Bun.spawn([...java, "-cp", jars, ...tool, "-c", file, ...scram], {
    cwd: folder,
    stdout: "pipe",
    stderr: "pipe",
  });
  if ((await child.exited) !== 0) {
    throw new Error((await child.stdout.text()) + (await child.stderr.text()));
  }
}

async function run(folder: string, file: string, keys_url: string) {
  const logging = join(folder, "log4j2.properties");
  writeFileSync(logging, logProperties(join(folder, "broker.log")));
  const settings = [
    `-Dlog4j2.configurationFile=${logging}`,
    `-Djava.io.tmpdir=${folder}`,
    `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${keys_url}`,
    `-Dorg.apache.kafka.sasl.oauthbearer.allowed.files=${keys_url.replace("file://", "")}`,
  ];
  const child = Bun.spawn([...java, ...settings, "-cp", jars, "kafka.Kafka", file], {
    cwd: folder,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const started = Promise.withResolvers<void>();
  let words = "";
  (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      words += decoder.decode(chunk, { stream: true });
      if (words.includes("Kafka Server started")) started.resolve();
    }
    started.reject(new Error(`The broker ended: ${words}`));
  })();
  started.promise.catch(() => {});
  const late = setTimeout(() => started.reject(new Error("The broker is late")), start_ms_max);
  await started.promise.finally(() => clearTimeout(late));
  return child;
}
