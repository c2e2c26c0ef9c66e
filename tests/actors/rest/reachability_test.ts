/**
 * Goal: one outage is two lines, however many doors notice it and however often.
 * Method: doors that shut and open in every order.
 */

import { expect, test } from "bun:test";
import {
  createReachability,
  simulate_remedy,
  withoutCredentials,
} from "../../../actors/rest/reachability.ts";
import { fakeLog } from "../connection/fake_exchange.ts";

test("an outage is said once, with reason and remedy, and its end once", () => {
  const { lines, log } = fakeLog();
  const reachability = createReachability({ exchange: "fake", log, remedy: simulate_remedy });
  reachability.succeeded("rest");
  reachability.failed("rest", { url: "https://fake", reason: "getaddrinfo ENOTFOUND fake" });
  reachability.failed("socket.0", { url: "wss://fake", reason: "getaddrinfo ENOTFOUND fake" });
  reachability.failed("rest", { url: "https://fake", reason: "still" });
  expect(lines).toEqual([
    "warn Cannot reach fake at https://fake: getaddrinfo ENOTFOUND fake; retrying. " +
      "Without network access try: K2_DATA_DIR=.k2-simulated bun run start --simulate",
  ]);
  reachability.succeeded("socket.0");
  expect(lines).toHaveLength(1);
  reachability.succeeded("rest");
  reachability.succeeded("rest");
  expect(lines.slice(1)).toEqual(["info Reached fake again"]);
  reachability.failed("socket.0", { url: "wss://fake", reason: "again" });
  expect(lines).toHaveLength(3);
});

test("a door that works does not hide one that does not", () => {
  const { lines, log } = fakeLog();
  const reachability = createReachability({ exchange: "fake", log, remedy: "" });
  for (let round = 0; round < 3; round += 1) {
    reachability.failed("rest", { url: "https://fake", reason: "HTTP 503" });
    reachability.succeeded("socket.0");
  }
  expect(lines).toEqual(["warn Cannot reach fake at https://fake: HTTP 503; retrying."]);
});

test("withoutCredentials() shows a URL without user name and password", () => {
  expect(withoutCredentials("wss://name:secret@host:1/v2?a=b")).toBe("wss://host:1/v2?a=b");
  expect(withoutCredentials("wss://host/v2")).toBe("wss://host/v2");
  expect(withoutCredentials("nonsense")).toBe("nonsense");
});
