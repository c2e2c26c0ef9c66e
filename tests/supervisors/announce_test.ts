/**
 * Goal: a person hears once of each part that begins to serve.
 * Method: trees by hand, growing.
 */

import { expect, test } from "bun:test";
import type { StatusNode } from "../../actors/status/node.ts";
import { announcer } from "../../supervisors/announce.ts";

function node(path: string, more: Partial<StatusNode> = {}): StatusNode {
  return {
    id: path.split("/").at(-1) ?? "",
    path,
    kind: "worker",
    state: "starting",
    since: "2026-01-01T00:00:00Z",
    restarts: { total: 0, in_window: 0, max: 0, window_ms: 0 },
    last_exit: null,
    figures: {},
    children: [],
    ...more,
  };
}

test("each milestone is told once, when it is reached", () => {
  const news = announcer(["kraken"]);
  expect(news(node("k2"))).toEqual([]);
  const topics = node("k2/topics", { state: "finished" });
  expect(news(node("k2", { children: [topics] }))).toEqual(["Kafka serves"]);
  const figures = { refine_gold_topics: "market.crypto.trades.kraken" };
  const spark = node("k2/spark", { state: "running", figures });
  expect(news(node("k2", { children: [topics, spark] }))).toEqual([
    "Spark's queries run",
    "kraken has its first bar in Gold",
  ]);
  expect(news(node("k2", { children: [topics, spark] }))).toEqual([]);
});
