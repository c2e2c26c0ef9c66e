/**
 * Goal: a port gets what it needs to run and nothing that may be a secret.
 * Method: environments written out by hand.
 */

import { expect, test } from "bun:test";
import { portEnvironment } from "../../../actors/port/environment.ts";

test("portEnvironment() passes on the listed variables only", () => {
  const ours = {
    PATH: "/bin",
    HOME: "/home/k2",
    K2_KAFKA_SASL_PASSWORD: "secret",
    LANG: undefined,
  };
  expect(portEnvironment(ours)).toEqual({ PATH: "/bin", HOME: "/home/k2" });
});

test("portEnvironment() lets the port's own variables win", () => {
  expect(portEnvironment({ TZ: "Asia/Tokyo" }, { TZ: "UTC", MODE: "x" })).toEqual({
    TZ: "UTC",
    MODE: "x",
  });
});
