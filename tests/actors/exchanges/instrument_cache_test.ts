/**
 * Goal: the list on disk is read as it was written, and anything else is no list.
 * Method: a temporary folder with whole, broken, foreign and missing files.
 */

import { expect, test } from "bun:test";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  instrumentCachePath,
  readInstrumentCache,
  writeInstrumentCache,
} from "../../../actors/exchanges/instrument_cache.ts";
import { instrument } from "../connection/fake_exchange.ts";

const fetched_at_ms = Date.parse("2026-11-23T04:00:00.123Z");

async function inFolder(run: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "k2-instruments-"));
  try {
    await run(instrumentCachePath(folder, "fake"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a list is read as it was written, and replaced whole", async () => {
  await inFolder(async (path) => {
    const first = { fetched_at_ms, instruments: [instrument("AB", "A", "B")] };
    await writeInstrumentCache(path, first);
    expect(await readInstrumentCache(path)).toEqual(first);
    const second = { fetched_at_ms: fetched_at_ms + 1, instruments: [instrument("CD", "C", "D")] };
    await writeInstrumentCache(path, second);
    expect(await readInstrumentCache(path)).toEqual(second);
    expect(await readdir(dirname(path))).toEqual(["fake.json"]);
    expect(JSON.parse(await Bun.file(path).text()).fetched_at).toBe("2026-11-23T04:00:00.124Z");
  });
});

test("a missing, cut, empty or foreign file is no list", async () => {
  await inFolder(async (path) => {
    expect(await readInstrumentCache(path)).toBeNull();
    await writeInstrumentCache(path, {
      fetched_at_ms,
      instruments: [instrument("AB", "A", "B")],
    });
    const whole = await Bun.file(path).text();
    const fetched_at = "2026-11-23T04:00:00Z";
    const foreign = [
      whole.slice(0, -3),
      "null",
      "[]",
      JSON.stringify({ fetched_at, instruments: [] }),
      JSON.stringify({ fetched_at: "yesterday", instruments: JSON.parse(whole).instruments }),
      JSON.stringify({ fetched_at, instruments: [{ native_symbol: "AB" }] }),
      whole.replace('"rest_names":[]', '"rest_names":[1]'),
    ];
    for (const text of foreign) {
      await writeFile(path, text);
      expect(await readInstrumentCache(path)).toBeNull();
    }
  });
});

test("a disk that refuses is an error, and leaves nothing half-written", async () => {
  await inFolder(async (path) => {
    await writeFile(dirname(path), "a file where the folder should be");
    const written = writeInstrumentCache(path, { fetched_at_ms, instruments: [] });
    expect(await written.catch((error: unknown) => error)).toBeInstanceOf(Error);
  });
});
