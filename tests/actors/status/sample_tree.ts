/**
 * A status tree as a serving platform shows it, for tests of what is made from it.
 *
 * @module
 */

import type { StatusNode } from "../../../actors/status/node.ts";

/** When the sample's clock stands. */
export const now_ms = Date.parse("2026-11-23T12:00:00.000Z");

/** One node; its path is put together by `sampleTree`. */
export function node(id: string, change: Partial<StatusNode> = {}): StatusNode {
  return {
    id,
    path: id,
    kind: "worker",
    state: "running",
    since: "2026-11-23T11:00:00.000Z",
    restarts: { total: 0, in_window: 0, max: 5, window_ms: 60_000 },
    last_exit: null,
    figures: {},
    children: [],
    ...change,
  };
}

function supervisor(id: string, children: readonly StatusNode[]): StatusNode {
  return node(id, { kind: "supervisor", strategy: "one_for_one", restart: "permanent", children });
}

/** The tree, with changes to the nodes of these paths. */
export function sampleTree(changes: Readonly<Record<string, Partial<StatusNode>>> = {}) {
  const connection = {
    state: "streaming",
    figures: {
      url: "wss://stream.binance.com:9443",
      frames_total: 12_345,
      trades_total: 12_340,
      reconnects_total: 1,
      symbols: 2,
      subscribed: 2,
      refused: 0,
      last_error: null,
    },
  };
  const tree = supervisor("k2", [
    node("status", { state: "serving", figures: { url: "http://127.0.0.1:8900/" } }),
    supervisor("platform", [
      supervisor("infrastructure", [
        node("broker", { kind: "port", pid: 4711 }),
        node("registry"),
        node("topics", { state: "finished", restart: "transient" }),
      ]),
      supervisor("work", [
        supervisor("feed", [
          node("continuity", {
            state: "watching",
            figures: { gaps_open: 0, ids_missing: 0, oldest_gap_at: null, confirmed_behind_s: 5 },
          }),
          supervisor("producer", [
            node("port", { kind: "port", pid: 4712 }),
            node("producer", {
              state: "flowing",
              figures: {
                received_total: 24_680,
                acknowledged_total: 24_670,
                in_flight: 10,
                acknowledging: true,
                latency_p50_ms: 3.5,
                latency_p99_ms: 9,
              },
            }),
          ]),
          supervisor("exchanges", [
            supervisor("binance", [
              supervisor("normalizers", [
                node("BTCUSDT", { state: "normalizing", figures: { trades_total: 12_340 } }),
              ]),
              node("backfiller", { state: "idle", figures: { pages_total: 3, weight_used: 75 } }),
              supervisor("connections", [node("0", connection)]),
            ]),
            supervisor("kraken", [
              supervisor("normalizers", [
                node("BTC/USD", { state: "normalizing", figures: { trades_total: 7 } }),
              ]),
              node("backfiller", { state: "idle", figures: { pages_total: 3, weight_used: 75 } }),
              supervisor("connections", [node("0", connection)]),
            ]),
          ]),
        ]),
        supervisor("lake", [
          node("spark", {
            kind: "port",
            pid: 4713,
            figures: {
              bronze_trades_lag_offsets: 0,
              bronze_trades_rows_total: 24_670,
              refine_lag_offsets: 12,
              refine_lag_s: 4.25,
              refine_fresh_p99_s: 5.5,
              refine_batch_ms: 1_500,
              maintenance_error: null,
              maintenance_seconds: 2.5,
              lake_files: 40,
              lake_bytes: 4_096,
              "gold.trades_files": 12,
              "gold.trades_bytes": 1_024,
              "gold.trades_metadata_bytes": 512,
              refine_timestamp: "2026-11-23T11:59:59.000Z",
            },
          }),
          node("validator", {
            figures: {
              checks: 23,
              error: null,
              violated: null,
              warned: "freshness",
              freshness_violations: 1,
              seconds: 1.5,
              valid_at_s: 1_795_435_200,
            },
          }),
        ]),
      ]),
    ]),
  ]);
  return withPaths(tree, "", changes);
}

function withPaths(
  tree: StatusNode,
  prefix: string,
  changes: Readonly<Record<string, Partial<StatusNode>>>,
): StatusNode {
  const path = prefix + tree.id;
  const children = tree.children.map((child) => withPaths(child, `${path}/`, changes));
  const change = changes[path] ?? {};
  const figures = { ...tree.figures, ...change.figures };
  return { ...tree, path, children, ...change, figures };
}
