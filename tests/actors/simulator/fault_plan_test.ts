/**
 * Goal: faults begin and end when they should, occurrences are used up, and a wrong list plans none.
 * Method: one plan over all exchanges, told the time.
 */

import { expect, test } from "bun:test";
import { FaultRig, second_us } from "./fault_rig.ts";

const kraken = { exchange: "kraken", native_symbol: "BTC/USD" };

test("an occurrence is used up, a state ends by itself", () => {
  const rig = new FaultRig();
  const { plan } = rig.made;
  rig.plan({ fault: "rest_empty", exchange: "kraken", count: 2 }, { fault: "rest_lag", for_s: 3 });
  expect(plan.take("rest_empty", { exchange: "binance" })).toBeUndefined();
  expect(plan.take("rest_empty", kraken)?.name).toBe("rest_empty");
  expect(plan.take("rest_empty", kraken)?.name).toBe("rest_empty");
  expect(plan.take("rest_empty", kraken)).toBeUndefined();
  expect(plan.holds("rest_lag", kraken)).toBeDefined();
  plan.advance(rig.now_us + 3 * second_us);
  expect(plan.holds("rest_lag", kraken)).toBeUndefined();
  expect(plan.is_idle).toBe(true);
});

test("a script's fault begins at its second since the start", () => {
  const rig = new FaultRig();
  const { plan } = rig.made;
  rig.plan({ fault: "rest_empty", at_s: 10, exchange: "kraken", native_symbol: "BTC/USD" });
  expect(plan.list()).toMatchObject([{ id: 1, state: "scheduled", left: 1 }]);
  plan.advance(rig.now_us + 10 * second_us - 1);
  expect(plan.take("rest_empty", kraken)).toBeUndefined();
  plan.advance(rig.now_us + 10 * second_us);
  expect(plan.list()).toMatchObject([{ state: "active", from_us: rig.now_us + 10 * second_us }]);
  expect(plan.take("rest_empty", { ...kraken, native_symbol: "ETH/USD" })).toBeUndefined();
  expect(plan.take("rest_empty", kraken)).toBeDefined();
});

test("one wrong fault of a list plans none of it, and clearing ends all", () => {
  const rig = new FaultRig();
  expect(() => rig.plan({ fault: "half_open" }, { fault: "half" })).toThrow("fault must be one of");
  expect(rig.made.plan.is_idle).toBe(true);
  expect(() => rig.plan(...Array(1_001).fill({ fault: "half_open" }))).toThrow("more than 1000");
  rig.plan({ fault: "half_open" }, { fault: "rest_lag" });
  rig.clear();
  expect(rig.made.plan.list()).toEqual([]);
});
