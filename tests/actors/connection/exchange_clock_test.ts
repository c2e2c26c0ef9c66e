/**
 * Goal: the exchange's time is known whatever our wall clock does, and no late sample spoils it.
 * Method: samples and readings with made-up instants.
 */

import { expect, test } from "bun:test";
import { ExchangeClock } from "../../../actors/connection/exchange_clock.ts";

test("without a sample our wall clock at the start is believed, and no offset is shown", () => {
  const clock = new ExchangeClock({ wall_us: 5_000_000, monotonic_ms: 1_000 });
  expect(clock.timeAt(1_500)).toBe(5_500_000);
  expect(clock.offsetMs({ wall_us: 5_500_000, monotonic_ms: 1_500 })).toBeNull();
});

test("the offset follows a wall clock that jumps, the exchange's time does not", () => {
  const clock = new ExchangeClock({ wall_us: 0, monotonic_ms: 0 });
  clock.add(9_000_000, 1_000);
  expect(clock.offsetMs({ wall_us: 8_990_000, monotonic_ms: 1_000 })).toBe(10);
  const jumped = { wall_us: 8_990_000 + 3_600_000_000, monotonic_ms: 1_000 };
  expect(clock.offsetMs(jumped)).toBe(10 - 3_600_000);
  expect(clock.timeAt(2_000)).toBe(10_000_000);
});

test("samples that were held up do not move the median, and old ones are forgotten", () => {
  const clock = new ExchangeClock({ wall_us: 0, monotonic_ms: 0 });
  for (const delay_ms of [1, 400, 2, 900, 3]) clock.add(1_000_000 - delay_ms * 1_000, 0);
  expect(clock.timeAt(0)).toBe(997_000);
  for (let count = 0; count < 9; count += 1) clock.add(2_000_000, 0);
  expect(clock.timeAt(0)).toBe(2_000_000);
});
