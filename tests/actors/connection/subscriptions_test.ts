/**
 * Goal: whatever unit an exchange answers in, each symbol's subscription is right.
 * Method: answers for a symbol, for a request, for both and for neither, in odd orders.
 */

import { expect, test } from "bun:test";
import {
  acknowledge,
  compareListed,
  isUnanswered,
  markRequested,
  namesOf,
  planSubscriptions,
  refuse,
  refusedReason,
  standing,
  symbolsIn,
} from "../../../actors/connection/subscriptions.ts";
import { fake_adapter, instrument } from "./fake_exchange.ts";

const symbols = ["AB", "CD", "EF"];
const listed = symbols.map((symbol) => instrument(symbol, symbol[0]!, symbol[1]!));
const listing = {
  all: () => listed,
  get: (symbol: string) => listed.find((it) => it.native_symbol === symbol),
};

function requested() {
  const planned = planSubscriptions(symbols, fake_adapter, listing);
  expect(standing(planned)).toMatchObject({ outstanding: 3, acknowledged: 0, refused: 0 });
  const first = { request_id: 1, text: "", native_symbols: ["AB", "CD"] };
  const second = { request_id: 2, text: "", native_symbols: ["EF"] };
  return [first, second].reduce(markRequested, planned);
}

test("a request's acknowledgement holds for all of its symbols and no other", () => {
  const after = acknowledge(requested(), { request_id: 1, native_symbol: null });
  expect(symbolsIn(after, "acknowledged")).toEqual(["AB", "CD"]);
  expect(symbolsIn(after, "requested")).toEqual(["EF"]);
});

test("a symbol's acknowledgement holds for that symbol alone", () => {
  const after = acknowledge(requested(), { request_id: 1, native_symbol: "CD" });
  expect(symbolsIn(after, "acknowledged")).toEqual(["CD"]);
  expect(isUnanswered(after, 1)).toBe(true);
});

test("a refused request does not touch those of its symbols that were acknowledged", () => {
  const acknowledged = acknowledge(requested(), { request_id: 1, native_symbol: "CD" });
  const after = refuse(acknowledged, {
    request_id: 1,
    native_symbol: null,
    reason: "late",
    is_terminal: false,
  });
  expect(symbolsIn(after, "acknowledged")).toEqual(["CD"]);
  expect(symbolsIn(after, "refused")).toEqual(["AB"]);
  expect(isUnanswered(after, 1)).toBe(false);
  expect(refusedReason(after)).toBe("AB: late");
});

test("an acknowledgement that comes after the deadline still counts", () => {
  const refused = refuse(requested(), {
    request_id: 2,
    native_symbol: null,
    reason: "late",
    is_terminal: false,
  });
  const after = acknowledge(refused, { request_id: 2, native_symbol: null });
  expect(symbolsIn(after, "acknowledged")).toEqual(["EF"]);
});

test("answers about nobody knows what change nothing", () => {
  const before = requested();
  expect(acknowledge(before, { request_id: null, native_symbol: null })).toBe(before);
  expect(acknowledge(before, { request_id: 99, native_symbol: null })).toBe(before);
  expect(acknowledge(before, { request_id: 1, native_symbol: "XY" })).toBe(before);
});

test("a symbol that is unknown or does not trade is refused from the start", () => {
  const halted = { ...instrument("CD", "C", "D"), status: "delisted" };
  const planned = planSubscriptions(["AB", "CD", "A/B"], fake_adapter, {
    all: () => [...listed, halted],
    get: (symbol) => (symbol === "CD" ? halted : listing.get(symbol)),
  });
  expect(symbolsIn(planned, "wanted")).toEqual(["AB"]);
  expect(refusedReason(planned)).toBe(
    "CD: fake does not trade CD: its status is delisted; " +
      "A/B: fake does not list A/B (near matches: AB)",
  );
});

test("hopeless means that every symbol is refused for good", () => {
  const all = (is_terminal: boolean) =>
    symbols.reduce(
      (subscriptions, native_symbol) =>
        refuse(subscriptions, { request_id: null, native_symbol, reason: "no", is_terminal }),
      requested(),
    );
  expect(standing(all(true)).is_hopeless).toBe(true);
  expect(standing(all(false)).is_hopeless).toBe(false);
  expect(standing(new Map()).is_hopeless).toBe(true);
});

test("of many refusals the first five are named", () => {
  const many = Array.from({ length: 8 }, (_, index) => `Q${index}`);
  const planned = planSubscriptions(many, fake_adapter, { all: () => [], get: () => undefined });
  expect(refusedReason(planned)).toEndWith("; and 3 more");
  expect(refusedReason(requested())).toBeNull();
  expect(namesOf(many)).toBe("Q0, Q1, Q2, Q3, Q4, and 3 more");
  expect(namesOf(["AB", "CD"])).toBe("AB, CD");
});

test("an answer to a request that ends a subscription is none to the one that makes it", () => {
  const before = requested();
  expect(acknowledge(before, { request_id: 7, native_symbol: "AB" })).toBe(before);
  const refusal = { reason: "not subscribed", is_terminal: true };
  expect(refuse(before, { request_id: 7, native_symbol: "AB", ...refusal })).toBe(before);
});

test("a list makes acknowledged what it holds, wanted what it lost, and names the rest", () => {
  const held = acknowledge(requested(), { request_id: 1, native_symbol: null });
  const compared = compareListed(held, ["AB", "XY"]);
  expect(compared).toMatchObject({ missing: ["CD"], surplus: ["XY"] });
  expect(symbolsIn(compared.subscriptions, "acknowledged")).toEqual(["AB"]);
  expect(symbolsIn(compared.subscriptions, "wanted")).toEqual(["CD"]);
  // A request under way is left to its own answer, unless the list already holds its symbol.
  expect(symbolsIn(compared.subscriptions, "requested")).toEqual(["EF"]);
  const answered = compareListed(requested(), ["EF"]);
  expect(symbolsIn(answered.subscriptions, "acknowledged")).toEqual(["EF"]);
  expect(answered.missing).toEqual([]);
});

test("a symbol counts as refused no longer once the exchange lists it", () => {
  const late = { request_id: 2, native_symbol: null, reason: "late", is_terminal: false };
  const { subscriptions } = compareListed(refuse(requested(), late), ["EF"]);
  expect(symbolsIn(subscriptions, "acknowledged")).toEqual(["EF"]);
});
