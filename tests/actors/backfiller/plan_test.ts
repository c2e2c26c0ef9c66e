/**
 * Goal: the plan is the one that is promised: clock, probes, gaps from the newest, imports, and
 * nobody starves.
 * Method: situations written down, and a plan asked for each.
 */

import { expect, test } from "bun:test";
import type { Import } from "../../../actors/backfiller/imports.ts";
import { keysOf, plan, type Situation } from "../../../actors/backfiller/plan.ts";
import { beginSearch } from "../../../actors/backfiller/search.ts";
import type { OpenGap } from "../../../actors/continuity/continuity.ts";

const now_us = 1_787_746_340_000_000;
const hour_us = 3_600_000_000;

function gap(
  native_symbol: string,
  from_id: number,
  ago_us: number,
  fields: Partial<OpenGap> = {},
) {
  return {
    gap_id: `fake:${native_symbol}:${from_id}`,
    from_id,
    to_id: from_id + 9,
    from_timestamp: now_us - ago_us - 10,
    to_timestamp: now_us - ago_us,
    found_by: "jump",
    opened_us: now_us,
    remaining: [{ from_id, to_id: from_id + 9 }],
    is_imported: false,
    ...fields,
  } satisfies OpenGap;
}

function importOf(native_symbol: string, stage?: Import["stage"]): Import {
  const range = { from_timestamp: now_us - 90 * hour_us, to_timestamp: now_us - 80 * hour_us };
  const rest = { pages_by: "trade_id", page_trades_max: 10 } as const;
  const search = beginSearch({ target_timestamp: range.from_timestamp, rest, known: [] });
  return {
    key: `import:${native_symbol}`,
    native_symbol,
    range,
    stage: stage ?? { kind: "locating_first", search },
  };
}

function situation(fields: Partial<Situation>): Situation {
  return {
    is_clock_due: false,
    probes: [],
    gaps: [],
    imports: [],
    gap_hours_max: 24,
    page_trades_max: 10,
    now_us,
    isDue: () => true,
    last_kind: null,
    ...fields,
  };
}

const two_symbols = [
  { native_symbol: "AB", gaps: [gap("AB", 900, 60_000_000), gap("AB", 100, hour_us)] },
  { native_symbol: "CD", gaps: [gap("CD", 5, 1_000_000)] },
];

test("with nothing to do there is no task", () => {
  expect(plan(situation({}))).toEqual({ task: null, too_old: [] });
});

test("the clock is first, then probes, then gaps, then imports", () => {
  const all = { is_clock_due: true, probes: ["CD"], gaps: two_symbols, imports: [importOf("AB")] };
  expect(plan(situation(all)).task?.kind).toBe("clock");
  expect(plan(situation({ ...all, is_clock_due: false })).task).toMatchObject({
    kind: "probe",
    native_symbol: "CD",
  });
  expect(plan(situation({ ...all, is_clock_due: false, probes: [] })).task?.kind).toBe("gap");
  expect(plan(situation({ imports: all.imports })).task?.kind).toBe("locate");
});

test("the newest gap of all symbols is first, whatever its ids", () => {
  const keys: string[] = [];
  const done = new Set<string>();
  for (let turn = 0; turn < 3; turn += 1) {
    const { task } = plan(situation({ gaps: two_symbols, isDue: (key) => !done.has(key) }));
    keys.push(task?.key ?? "");
    done.add(task?.key ?? "");
  }
  expect(keys).toEqual(["fake:CD:5", "fake:AB:900", "fake:AB:100"]);
});

test("after a probe a gap has its turn, and a probe that has to wait holds nobody up", () => {
  const waiting = { probes: ["AB", "CD"], gaps: two_symbols };
  expect(plan(situation({ ...waiting, last_kind: "probe" })).task?.kind).toBe("gap");
  expect(plan(situation({ ...waiting, last_kind: "gap" })).task?.kind).toBe("probe");
  expect(plan(situation({ probes: ["AB"], last_kind: "probe" })).task?.kind).toBe("probe");
  const { task } = plan(situation({ ...waiting, isDue: (key) => key !== "probe:AB" }));
  expect(task).toMatchObject({ native_symbol: "CD" });
});

test("a symbol that is refused is left out altogether", () => {
  const isDue = (key: string) => key !== "symbol:CD";
  const waiting = { probes: ["CD"], gaps: two_symbols, imports: [importOf("CD")], isDue };
  expect(plan(situation(waiting)).task).toMatchObject({ key: "fake:AB:900" });
});

test("gaps too old, and what an import opened of old, are filled only on request", () => {
  const gaps = [
    {
      native_symbol: "AB",
      gaps: [
        gap("AB", 700, 1_000_000, {
          from_timestamp: now_us - 90 * hour_us,
          is_imported: true,
          found_by: "import",
        }),
        gap("AB", 500, 25 * hour_us),
        gap("AB", 300, 85 * hour_us),
      ],
    },
  ];
  const { task, too_old } = plan(situation({ gaps }));
  expect(task).toBeNull();
  expect(too_old.map(({ from_id }) => from_id)).toEqual([700, 500, 300]);
  const requested = plan(situation({ gaps, imports: [importOf("AB")] }));
  expect(requested.task?.kind).toBe("locate");
  // The import touches two of them.
  expect(requested.too_old.map(({ from_id }) => from_id)).toEqual([500]);
});

test("what an import opened of late is filled like any other, once the import is over", () => {
  const imported = gap("AB", 700, hour_us, { is_imported: true, found_by: "import" });
  const gaps = [{ native_symbol: "AB", gaps: [imported] }];
  const { task, too_old } = plan(situation({ gaps }));
  expect([task?.key, too_old]).toEqual(["fake:AB:700", []]);
  const range = { from_timestamp: imported.from_timestamp, to_timestamp: now_us };
  const requested = plan(situation({ gaps, imports: [{ ...importOf("AB"), range }] }));
  expect([requested.task?.kind, requested.too_old]).toEqual(["locate", []]);
});

test("an import fills its own stretch of a gap only", () => {
  const first = { trade_id: 303, timestamp: 7 };
  const last = { trade_id: 305, timestamp: 9 };
  const imports = [importOf("AB", { kind: "filling", first, last })];
  const gaps = [{ native_symbol: "AB", gaps: [gap("AB", 300, 85 * hour_us)] }];
  const asked = situation({ gaps, imports });
  const { task } = plan(asked);
  expect(task).toEqual({
    kind: "gap",
    key: "fake:AB:300:303-305",
    stretch: {
      key: "fake:AB:300:303-305",
      gap_ids: ["fake:AB:300"],
      native_symbol: "AB",
      remaining: [{ from_id: 303, to_id: 305 }],
      start: { trade_id: 302, timestamp: 7 },
      is_start_known: false,
    },
  });
  expect(keysOf(asked).has(task?.key ?? "")).toBe(true);
});

test("small gaps that one page reaches are filled by one page, and no others", () => {
  const small = (from_id: number, ago_us: number, native_symbol = "AB") =>
    gap(native_symbol, from_id, ago_us, {
      to_id: from_id,
      remaining: [{ from_id, to_id: from_id }],
    });
  const gaps = [
    { native_symbol: "AB", gaps: [107, 104, 103, 99, 90].map((id) => small(id, 200 - id)) },
    { native_symbol: "CD", gaps: [small(105, 500, "CD")] },
  ];
  const { task } = plan(situation({ gaps, isDue: (key) => key !== "fake:AB:104" }));
  expect(task).toMatchObject({
    kind: "gap",
    key: "fake:AB:107",
    stretch: {
      gap_ids: ["fake:AB:103", "fake:AB:107"],
      remaining: [
        { from_id: 103, to_id: 103 },
        { from_id: 107, to_id: 107 },
      ],
      start: { trade_id: 102, timestamp: now_us - 107 },
      is_start_known: true,
    },
  });
});
