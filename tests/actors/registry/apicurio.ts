/**
 * Apicurio, a schema registry that we have not written, for the tests that compare ours with it.
 *
 * @module
 */

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { chooseFreePort } from "../../../actors/port/free_port.ts";

const jar = resolve(
  import.meta.dir,
  "../../../.setup/apicurio/apicurio-registry-app-3.0.9-runner.jar",
);
const start_ms_max = 60_000;

/** Starts it with an empty store in memory; it answers once this resolves. */
export async function startApicurio(folder: string) {
  mkdirSync(folder, { recursive: true });
  const [port, management_port] = [await chooseFreePort(), await chooseFreePort()];
  const machine = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"];
  const settings = {
    "java.io.tmpdir": folder,
    "vertx.cacheDirBase": join(folder, "vertx"),
    "quarkus.http.host": "127.0.0.1",
    "quarkus.http.port": port,
    "quarkus.management.host": "127.0.0.1",
    "quarkus.management.port": management_port,
  };
  const defined = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
  const child = Bun.spawn(["java", ...machine, ...defined, "-jar", jar], {
    cwd: folder,
    stdin: "ignore",
    stdout: Bun.file(join(folder, "log")),
    stderr: Bun.file(join(folder, "errors")),
  });
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  await answers(child, url, folder);
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

async function answers(child: Bun.Subprocess, url: string, folder: string): Promise<void> {
  const deadline_ms = performance.now() + start_ms_max;
  for (;;) {
    const response = await fetch(`${url}/subjects`).catch(() => null);
    if (response?.ok) return;
    if (child.exitCode === null && performance.now() < deadline_ms) {
      await Bun.sleep(100);
      continue;
    }
    child.kill();
    const words = await Bun.file(join(folder, "log")).text();
    throw new Error(`Apicurio does not answer: ${words.slice(-2_000)}`);
  }
}
