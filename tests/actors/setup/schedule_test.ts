/**
 * Goal: steps run after what they need, side by side where they may, and a failure ends it all.
 * Method: works whose ends are promises in the test's hand.
 */

import { expect, test } from "bun:test";
import { runInOrder, type Work } from "../../../actors/setup/schedule.ts";

const works: readonly Work<string>[] = [
  { name: "a", needs: [], group: null },
  { name: "b", needs: ["a"], group: "g" },
  { name: "c", needs: [], group: "g" },
  { name: "d", needs: ["not scheduled"], group: null },
];

test("a work waits for its needs and for the one before it in its group", async () => {
  const stage = createStage();
  const all = runInOrder(works, { run: stage.run, signal: new AbortController().signal });
  await stage.until(["a", "d"]);
  stage.end("a");
  await stage.until(["a", "d", "b"]);
  stage.end("b");
  await stage.until(["a", "d", "b", "c"]);
  stage.end("c");
  stage.end("d");
  await all;
});

test("the first failure aborts what runs, starts nothing else, and is what is thrown", async () => {
  const stage = createStage();
  const all = runInOrder(works, { run: stage.run, signal: new AbortController().signal });
  await stage.until(["a", "d"]);
  stage.fail("a", new Error("no network"));
  await expect(all).rejects.toThrow("no network");
  expect(stage.started).toEqual(["a", "d"]);
  expect(stage.aborted).toContain("d");
});

test("an abort from outside ends everything with its reason", async () => {
  const stage = createStage();
  const interruption = new AbortController();
  const all = runInOrder(works, { run: stage.run, signal: interruption.signal });
  await stage.until(["a", "d"]);
  interruption.abort(new Error("interrupted"));
  await expect(all).rejects.toThrow("interrupted");
  expect(stage.aborted.toSorted()).toEqual(["a", "d"]);
});

function createStage() {
  const started: string[] = [];
  const aborted: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const changed = new EventTarget();
  function run(name: string, signal: AbortSignal): Promise<void> {
    const end = Promise.withResolvers<void>();
    ends.set(name, end);
    started.push(name);
    signal.addEventListener("abort", () => {
      aborted.push(name);
      end.reject(new Error("ended early"));
    });
    changed.dispatchEvent(new Event("started"));
    return end.promise;
  }
  async function until(names: readonly string[]): Promise<void> {
    while (started.length < names.length) {
      await new Promise((resolve) => changed.addEventListener("started", resolve, { once: true }));
    }
    expect(started).toEqual([...names]);
  }
  return {
    run,
    until,
    started,
    aborted,
    end: (name: string) => ends.get(name)?.resolve(),
    fail: (name: string, error: Error) => ends.get(name)?.reject(error),
  };
}
