/**
 * Goal: a fault is read with its defaults, and a wrong one refused in a sentence that helps.
 * Method: objects as a client would post them.
 */

import { expect, test } from "bun:test";
import { fault_rules, numberIn, readFault, textIn } from "../../../actors/simulator/faults.ts";

const known = new Map([
  ["binance", new Set(["BTCUSDT"])],
  ["kraken", new Set(["BTC/USD"])],
]);

test("every fault can be asked for by its name alone", () => {
  for (const [name, rules] of Object.entries(fault_rules)) {
    const fault = readFault({ fault: name }, known);
    expect(fault).toMatchObject({ name, native_symbol: null, count: 1, at_s: null });
    expect(fault.exchange).toBe("only" in rules ? rules.only : null);
    expect(Object.keys(fault.parameters)).toEqual(Object.keys(rules.parameters));
  }
});

test("parameters are taken over, defaults filled in", () => {
  const fault = readFault(
    { fault: "rest_refused", exchange: "kraken", status: 503, count: 4, at_s: 1.5 },
    known,
  );
  expect([numberIn(fault, "status"), textIn(fault, "requests")]).toEqual([503, "trades"]);
  expect([fault.count, fault.at_s]).toEqual([4, 1.5]);
});

test("a wrong fault is refused with what is allowed", () => {
  for (const [fault, sentence] of [
    ["close", "a fault must be a JSON object"],
    [{ fault: "nothing" }, "fault must be one of silent_subscription, "],
    [{ fault: "toString" }, "fault must be one of"],
    [{ fault: "close", exchange: "nyse" }, "exchange must be one of binance, kraken"],
    [{ fault: "batch", exchange: "binance" }, "batch is a fault of kraken only"],
    [{ fault: "close", exchange: "kraken", native_symbol: "BTC/USD" }, "takes no native_symbol"],
    [{ fault: "batch", native_symbol: "ETH/USD" }, "native_symbol must be one of BTC/USD"],
    [{ fault: "halted", native_symbol: "BTC/USD" }, "native_symbol needs an exchange"],
    [{ fault: "close", code: 80 }, "close.code must be a whole number from 1000 to 4999"],
    [{ fault: "close", for_s: 3 }, "close takes no for_s: that is for a state"],
    [{ fault: "halted", count: 3 }, "halted takes no count"],
    [
      { fault: "close", codes: 80 },
      `parameters of close must be of: code, reason: current value is "codes"`,
    ],
    [{ fault: "half_open", x: 1 }, "parameters of half_open must be of: none"],
    [{ fault: "spoilt_item", field: "name" }, "spoilt_item.field must be one of price, quantity"],
    [{ fault: "silent_subscription", existing: 1 }, "existing must be true or false"],
    [{ fault: "drop_trades", share: 2 }, "share must be a number from 0.001 to 1"],
    [{ fault: "rest_lag", lag_s: "5" }, `current value is "5"`],
    [{ fault: "close", at_s: -1 }, "at_s must be a number from 0"],
  ] as const) {
    expect(() => readFault(fault, known)).toThrow(sentence);
  }
});
