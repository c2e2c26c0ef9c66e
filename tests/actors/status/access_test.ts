/**
 * Goal: no page of the web can read or command a platform on this machine.
 * Method: the headers a browser, a rebound name and a stranger would send.
 */

import { expect, test } from "bun:test";
import { isAuthorized, isHostAllowed, readCommand } from "../../../actors/status/access.ts";

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

test.each([
  ["Bearer secret", true],
  ["bearer  secret ", true],
  ["Bearer secre", false],
  ["Bearer secret2", false],
  ["Basic secret", false],
  ["Bearer ", false],
  ["", false],
  [null, false],
] as const)("Authorization %p: %p", (authorization, is_authorized) => {
  expect(isAuthorized(authorization, "secret")).toBe(is_authorized);
});

test("an empty token authorizes nobody", () => {
  expect(isAuthorized("Bearer ", "")).toBe(false);
});

test.each([
  ["/actors/k2/feed/restart", { path: "k2/feed", command: "restart" }],
  ["/actors/k2/normalizers/BTC/USD/stop", { path: "k2/normalizers/BTC/USD", command: "stop" }],
  ["/actors/k2/BTC%2FUSD/start", { path: "k2/BTC/USD", command: "start" }],
  ["/actors/k2/kill", null],
  ["/actors/restart", null],
  ["/actors/%E0%A4%A/restart", null],
] as const)("%s", (pathname, expected) => {
  expect(readCommand(pathname)).toEqual(expected);
});
