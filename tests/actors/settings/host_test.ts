/**
 * Goal: no page of the web can reach a server on this machine by a name of its own.
 * Method: the Host headers that a browser, a rebound name and a stranger would send.
 */

import { expect, test } from "bun:test";
import { isHostAllowed } from "../../../actors/settings/host.ts";

test.each([
  ["127.0.0.1:8900", "127.0.0.1", true],
  ["localhost:8900", "127.0.0.1", true],
  ["LOCALHOST", "127.0.0.1", true],
  ["[::1]:8900", "::1", true],
  ["127.0.0.1", "localhost", true],
  ["evil.example:8900", "127.0.0.1", false],
  ["127.0.0.1.evil.example", "127.0.0.1", false],
  ["localhost.evil.example:8900", "localhost", false],
  ["127.0.0.1@evil.example", "127.0.0.1", false],
  ["", "127.0.0.1", false],
  [null, "127.0.0.1", false],
  ["k2.example:8900", "0.0.0.0", true],
] as const)("Host %p at a server on %s: %p", (host, hostname, is_allowed) => {
  expect(isHostAllowed(host, hostname)).toBe(is_allowed);
});
