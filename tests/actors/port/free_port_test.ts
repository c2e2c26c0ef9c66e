/**
 * Goal: a chosen port can be listened on, and a taken one is told from a free one.
 * Method: real sockets on loopback.
 */

import { expect, test } from "bun:test";
import { chooseFreePort, isPortFree } from "../../../actors/port/free_port.ts";

test("chooseFreePort() names a port that can be listened on", async () => {
  const port = await chooseFreePort();
  expect(await isPortFree(port)).toBe(true);
  const server = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
  expect(await isPortFree(port)).toBe(false);
  server.stop(true);
});
