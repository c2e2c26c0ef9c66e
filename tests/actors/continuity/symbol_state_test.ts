/**
 * Goal: a state that was written is read as it was, and nothing else is taken for one.
 * Method: a state with everything in it, and the same spoilt in one place at a time.
 */

import { expect, test } from "bun:test";
import { readGap, readSymbolState } from "../../../actors/continuity/symbol_state.ts";
import { createRig } from "./rig.ts";

function busyState() {
  const rig = createRig();
  rig.take(1, 20);
  rig.pass(1_000);
  rig.take(9, 30);
  rig.continuity.settlePage({ ids: [5, 7], after_id: null, has_rejects: false });
  rig.continuity.addImport({ from_timestamp: 1, to_timestamp: 2 });
  return rig.continuity.state()!;
}

test("readSymbolState() reads what was written", () => {
  const state = busyState();
  expect(state.gaps.map(({ remaining }) => remaining.length)).toEqual([3, 1]);
  expect(readSymbolState(JSON.parse(JSON.stringify(state)))).toEqual(state);
});

test("readSymbolState() takes the coverage as told where nothing else is said", () => {
  const { told_from_id, ...state } = busyState();
  expect(told_from_id).toBe(1);
  expect(readSymbolState(state)?.told_from_id).toBe(1);
});

test("readSymbolState() refuses a state in which a member is missing or of another kind", () => {
  const state = busyState();
  for (const name of Object.keys(state)) {
    for (const wrong of [null, true, {}, -2.5]) {
      expect(readSymbolState({ ...state, [name]: wrong })).toBeNull();
    }
  }
  for (const other of [undefined, null, 1, "", [], [state]]) {
    expect(readSymbolState(other)).toBeNull();
  }
});

test("readGap() refuses a gap in which a member is missing or of another kind", () => {
  const [gap] = busyState().gaps;
  expect(readGap(gap)).toEqual(gap!);
  expect(readGap({ ...gap, is_told: false })).toEqual({ ...gap!, is_told: false });
  for (const name of Object.keys(gap!)) {
    for (const wrong of [undefined, true, {}, -2.5, [1]]) {
      expect(readGap({ ...gap, [name]: wrong })).toBeNull();
    }
  }
});
