/**
 * Goal: what is stored comes back; what is not ours or damaged is refused in one sentence that says
 * which file and what to do.
 * Method: real files in a temporary folder.
 */

import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openContinuityStore } from "../../../actors/continuity/continuity_store.ts";
import { createRig } from "./rig.ts";

const folder = mkdtempSync(join(tmpdir(), "k2-continuity-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

function newPath(): string {
  files += 1;
  return join(folder, `${files}.db`);
}

/** A symbol with a gap, one within the grace, an import, absent and unfillable ids. */
function busyRig() {
  const rig = createRig();
  rig.take(1, 20);
  rig.pass(1_000);
  const late = { ids: [6, 8], after_id: 1, has_rejects: false };
  rig.continuity.settlePage(late);
  rig.pass(10_000);
  rig.continuity.settlePage(late);
  rig.take(30);
  rig.continuity.addImport({ from_timestamp: 1, to_timestamp: 2 });
  return rig;
}

test("a new file holds nothing, and states come back as they were", () => {
  const path = newPath();
  const store = openContinuityStore(path);
  expect(store.readStates()).toEqual([]);
  const state = busyRig().continuity.state()!;
  const other = { ...state, native_symbol: "ETHUSDT", gaps: [] };
  store.writeStates([state, other], store.noted_through);
  store.writeStates([{ ...other, head_id: 77 }], store.noted_through);
  store.close();
  const again = openContinuityStore(path);
  expect(again.readStates()).toEqual([state, { ...other, head_id: 77 }]);
  again.close();
});

test("notes come back until a state that was taken after them is written", () => {
  const path = newPath();
  const store = openContinuityStore(path);
  const { continuity, events, take, pass } = createRig();
  take(1, 5);
  const noteAll = () => {
    for (const event of events.splice(0)) store.note(event);
  };
  noteAll();
  expect(store.readStates()).toMatchObject([{ from_id: 1, head_id: 0, gaps: [] }]);
  const state = continuity.state()!;
  const noted_through = store.noted_through;
  pass(1_000);
  // The same told again is the same note.
  for (const event of [...events, ...events]) store.note(event);
  store.writeStates([state], noted_through);
  store.close();
  const again = openContinuityStore(path);
  expect(again.noted_through).toBe(noted_through + 2);
  expect(again.readStates()).toMatchObject([
    { head_id: 5, gaps: [{ from_id: 2, to_id: 4, is_told: false }] },
  ]);
  again.writeStates([continuity.state()!], again.noted_through);
  expect(again.readStates()).toEqual([continuity.state()!]);
  again.close();
});

test("states are written all or none", () => {
  const store = openContinuityStore(newPath());
  const state = busyRig().continuity.state()!;
  const circular: Record<string, unknown> = { ...state, native_symbol: "ETHUSDT" };
  circular.self = circular;
  expect(() => store.writeStates([state, circular as never], 0)).toThrow();
  expect(store.readStates()).toEqual([]);
  store.close();
});

test("a file that is no database, or another one's, is refused and left as it is", () => {
  const text = newPath();
  writeFileSync(text, "This is no database, and long enough to be sure of it. ".repeat(50));
  expect(() => openContinuityStore(text)).toThrow(
    /^Cannot open .*\.db: .*not a database; move the file away, .* or set K2_DATA_DIR/,
  );
  const foreign = newPath();
  const database = new Database(foreign);
  database.exec("CREATE TABLE songs (title TEXT)");
  database.close();
  expect(() => openContinuityStore(foreign)).toThrow(
    /^.*\.db does not hold continuity of this version: move the file away/,
  );
  const tables = new Database(foreign).query("SELECT name FROM sqlite_master").all();
  expect(tables).toEqual([{ name: "songs" }]);
  expect(() => openContinuityStore(join(folder, "missing", "x.db"))).toThrow(/^Cannot open .*x.db/);
});

test("a damaged row is refused by the name of its symbol", () => {
  const good = busyRig().continuity.state()!;
  const [gap] = good.gaps;
  const bad = [
    "",
    "null",
    "[]",
    "{}",
    JSON.stringify({ ...good, head_id: "30" }),
    JSON.stringify({ ...good, head_id: good.from_id - 2 }),
    JSON.stringify({ ...good, from_id: 1.5 }),
    JSON.stringify({ ...good, native_symbol: "ETHUSDT" }),
    JSON.stringify({ ...good, confirmed_timestamp: null }),
    JSON.stringify({ ...good, gaps: [...good.gaps].reverse() }),
    JSON.stringify({ ...good, gaps: [{ ...gap, to_id: 9_000 }] }),
    JSON.stringify({ ...good, gaps: [{ ...gap, found_by: "luck" }] }),
    JSON.stringify({ ...good, gaps: [{ ...gap, remaining: null }] }),
    JSON.stringify({ ...good, imports: [{ from_timestamp: 2, to_timestamp: 1 }] }),
  ];
  for (const state of bad) {
    const path = newPath();
    const store = openContinuityStore(path);
    store.writeStates([good], 0);
    const database = new Database(path);
    database.query("UPDATE states SET state = ?").run(state);
    database.close();
    expect(() => store.readStates()).toThrow(
      /\.db is damaged where it speaks of binance BTCUSDT: move the file away/,
    );
    store.close();
  }
});
