/**
 * Goal: no page of the web can read or command a platform on this machine.
 * Method: the headers a browser, a rebound name and a stranger would send.
 */

import { expect, test } from "bun:test";
import { isAuthorized, readCommand } from "../../../actors/status/access.ts";

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
