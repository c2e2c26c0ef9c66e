/**
 * Goal: figures cost nothing until somebody reads them, and times are what people read.
 * Method: a figures object that counts how often it is worked out.
 */

import { expect, test } from "bun:test";
import { defineFigures, isoTime, isoTimeOrNull } from "../../actors/figures.ts";
import type { Figures } from "../../actors/messages.ts";

test("a defined figure is worked out at each reading, and copied as a value", () => {
  const figures: Figures = { trades_total: 7 };
  let readings = 0;
  defineFigures(figures, {
    readings: () => {
      readings += 1;
      return readings;
    },
  });
  expect(readings).toBe(0);
  expect({ ...figures }).toEqual({ trades_total: 7, readings: 1 });
  expect(JSON.stringify(figures)).toBe('{"trades_total":7,"readings":2}');
});

test("a time is cut to milliseconds, and none stays none", () => {
  expect(isoTime(1_787_746_340_684_999)).toBe("2026-08-26T12:12:20.684Z");
  expect(isoTimeOrNull(1_787_746_340_684_999)).toBe("2026-08-26T12:12:20.684Z");
  expect(isoTimeOrNull(null)).toBeNull();
});
