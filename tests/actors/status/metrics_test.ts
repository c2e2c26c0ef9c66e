/**
 * Goal: every declared figure becomes a metric Prometheus can read, with bounded labels.
 * Method: the sample tree through the real registry; names are checked against Prometheus' rules.
 */

import { expect, test } from "bun:test";
import { createMetrics, figure_metrics } from "../../../actors/status/metrics.ts";
import type { StatusDocument } from "../../../actors/status/node.ts";
import { now_ms, sampleTree } from "./sample_tree.ts";

const document: StatusDocument = {
  version: "3.0.0",
  started_at: new Date(now_ms).toISOString(),
  uptime_s: 12.5,
  health: "warn",
  tree: sampleTree({ "k2/platform/work/lake/validator": { state: "failed" } }),
};
const process_figures = { resident_bytes: 1_024, cpu_s: 0.5 };

test("figures, restarts and states are read off the tree", async () => {
  const text = await createMetrics().text(document, process_figures);
  const feed = 'exchange="binance"';
  for (const line of [
    'k2_build_info{version="3.0.0"} 1',
    "k2_uptime_seconds 12.5",
    "k2_health 1",
    'k2_actor_up{path="k2/platform/infrastructure/broker"} 1',
    'k2_actor_up{path="k2/platform/infrastructure/topics"} 1',
    'k2_actor_up{path="k2/platform/work/lake/validator"} 0',
    'k2_actor_restarts_total{path="k2/platform"} 0',
    `k2_connection_trades_total{${feed},connection="0"} 12340`,
    `k2_normalizer_trades_total{exchange="kraken",native_symbol="BTC/USD"} 7`,
    "k2_producer_acknowledged_total 24670",
    "k2_producer_acknowledging 1",
    'k2_producer_latency_seconds{percentile="50"} 0.0035',
    'k2_lake_lag_seconds{query="refine"} 4.25',
    'k2_lake_freshness_seconds{percentile="99"} 5.5',
    'k2_lake_rows_total{query="bronze_trades"} 24670',
    'k2_lake_batch_seconds{query="refine"} 1.5',
    'k2_lake_files{table="gold.trades"} 12',
    'k2_lake_bytes{table="gold.trades"} 1024',
    'k2_lake_metadata_bytes{table="gold.trades"} 512',
    "k2_lake_maintenance_seconds 2.5",
    'k2_validation_violations{check="freshness"} 1',
    "k2_validation_valid_timestamp_seconds 1795435200",
    "k2_process_resident_memory_bytes 1024",
    "k2_process_cpu_seconds_total 0.5",
  ]) {
    expect(text.split("\n")).toContain(line);
  }
});

test("reading twice counts nothing twice, and a node that has gone leaves no series", async () => {
  const metrics = createMetrics();
  const first = await metrics.text(document, process_figures);
  expect(await metrics.text(document, process_figures)).toBe(first);
  const tree = { ...document.tree, children: [] };
  const text = await metrics.text({ ...document, tree }, process_figures);
  expect(text).not.toContain("k2/platform");
});

test("names follow Prometheus' rules", () => {
  const names = figure_metrics.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, type } of figure_metrics) {
    expect(name).toMatch(/^k2_[a-z_]+$/);
    expect(name.endsWith("_total")).toBe(type === "counter");
    expect(name).not.toMatch(/_(ms|us|min)$/);
  }
});
