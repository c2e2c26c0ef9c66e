/**
 * Prometheus metrics, read off the status tree when they are asked for: actors count in plain
 * numbers, because a labelled increment costs more than a trade may.
 *
 * The list below is all there is to align: which figure of which nodes is which metric. Labels are
 * taken from a node's path, so that there are as many series as actors and never more. Names have
 * the prefix `k2_`, base units, and `_total` for what only rises.
 *
 * @module
 */

import { Counter, Gauge, Registry } from "prom-client";
import type { Health, StatusDocument, StatusNode } from "./node.ts";

/** A figure that is a metric. Named groups of both patterns become labels. */
interface FigureMetric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  /** Matched against a node's path. */
  readonly node: RegExp;
  /** Matched against the names of its figures. */
  readonly figure: RegExp;
  /** What the figure is multiplied with to get base units. */
  readonly scale?: number;
}

const connection = /\/exchanges\/(?<exchange>[^/]+)\/connections\/(?<connection>[^/]+)$/;
const normalizer = /\/exchanges\/(?<exchange>[^/]+)\/normalizers\/(?<native_symbol>.+)$/;
const backfiller = /\/exchanges\/(?<exchange>[^/]+)\/backfiller$/;
const continuity = /\/feed\/continuity$/;
const producer = /\/producer\/producer$/;
const spark = /\/lake\/spark$/;
const validator = /\/lake\/validator$/;

/** Every figure that is a metric. A figure that is missing, or not a number, gives no sample. */
export const figure_metrics: readonly FigureMetric[] = [
  counter("k2_connection_frames_total", "Frames received", connection, /^frames_total$/),
  counter("k2_connection_trades_total", "Trades received", connection, /^trades_total$/),
  counter(
    "k2_connection_heartbeats_total",
    "Heartbeats received",
    connection,
    /^heartbeats_total$/,
  ),
  counter("k2_connection_dead_letters_total", "Unreadable", connection, /^dead_letters_total$/),
  counter("k2_connection_undelivered_total", "No normalizer", connection, /^undelivered_total$/),
  counter("k2_connection_unconfigured_total", "Not asked for", connection, /^unconfigured_total$/),
  counter("k2_connection_reconnects_total", "Sockets reopened", connection, /^reconnects_total$/),
  gauge("k2_connection_symbols", "Symbols configured", connection, /^symbols$/),
  gauge("k2_connection_subscribed", "Symbols subscribed", connection, /^subscribed$/),
  gauge("k2_connection_refused", "Symbols refused", connection, /^refused$/),
  gauge("k2_connection_quiet", "Symbols known to be quiet", connection, /^quiet$/),
  gauge("k2_connection_not_delivering", "Silent by fault", connection, /^not_delivering$/),
  counter("k2_connection_rotations_total", "Sockets replaced", connection, /^rotations_total$/),
  {
    ...gauge(
      "k2_clock_offset_seconds",
      "The exchange's clock minus ours",
      connection,
      /^clock_offset_ms$/,
    ),
    scale: 0.001,
  },
  counter("k2_normalizer_trades_total", "Trades normalized", normalizer, /^trades_total$/),
  counter("k2_normalizer_dead_letters_total", "Unusable", normalizer, /^dead_lettered_total$/),
  counter("k2_duplicates_total", "Trades that came again", normalizer, /^duplicates_total$/),
  gauge("k2_gaps_open", "Gaps not yet filled", normalizer, /^gaps_open$/),
  gauge("k2_ids_missing", "Trade ids missing in gaps", normalizer, /^ids_missing$/),
  counter("k2_backfill_pages_total", "REST pages fetched", backfiller, /^pages_total$/),
  counter("k2_backfill_trades_total", "Trades filled in", backfiller, /^trades_total$/),
  gauge("k2_backfill_gaps_too_old", "Gaps left to a person", backfiller, /^gaps_too_old$/),
  gauge("k2_rest_weight_used", "Of the request budget", backfiller, /^weight_used$/),
  gauge("k2_confirmed_behind_seconds", "Oldest confirmation", continuity, /^confirmed_behind_s$/),
  counter("k2_producer_received_total", "Records taken", producer, /^received_total$/),
  counter("k2_producer_acknowledged_total", "By Kafka", producer, /^acknowledged_total$/),
  counter("k2_producer_dead_lettered_total", "Refused by Kafka", producer, /^dead_lettered_total$/),
  counter("k2_producer_discarded_total", "Records discarded", producer, /^discarded_total$/),
  counter("k2_producer_overflowed_total", "Not taken: full", producer, /^overflowed_total$/),
  counter("k2_producer_batches_total", "Batches sent", producer, /^batches_total$/),
  gauge("k2_producer_in_flight", "Sent, not acknowledged", producer, /^in_flight$/),
  gauge("k2_producer_buffered", "Records not yet sent", producer, /^buffered$/),
  gauge("k2_producer_buffered_bytes", "Bytes held", producer, /^buffered_bytes$/),
  gauge("k2_producer_spilled", "Records that wait on disk", producer, /^spilled$/),
  gauge("k2_producer_spilled_bytes", "Bytes on disk", producer, /^spilled_bytes$/),
  gauge("k2_producer_acknowledging", "Whether Kafka acknowledges", producer, /^acknowledging$/),
  {
    ...gauge(
      "k2_producer_latency_seconds",
      "From frame received to acknowledged, source STREAM, by percentile",
      producer,
      /^latency_p(?<percentile>50|99)_ms$/,
    ),
    scale: 0.001,
  },
  counter("k2_lake_rows_total", "Rows written", spark, /^(?<query>.+)_rows_total$/),
  counter("k2_lake_undecodable_total", "Kept in Bronze", spark, /^(?<query>.+)_undecodable_total$/),
  counter("k2_lake_batches_total", "Batches written", spark, /^(?<query>.+)_batches_total$/),
  gauge("k2_lake_files", "Of the current rows", spark, /^(?<table>[a-z]+\.[a-z]+)_files$/),
  gauge("k2_lake_bytes", "Of the current rows", spark, /^(?<table>[a-z]+\.[a-z]+)_bytes$/),
  gauge(
    "k2_lake_metadata_bytes",
    "Of the current metadata file",
    spark,
    /^(?<table>[a-z]+\.[a-z]+)_metadata_bytes$/,
  ),
  gauge("k2_lake_maintenance_seconds", "The latest run", spark, /^maintenance_seconds$/),
  gauge("k2_lake_lag_seconds", "Behind Kafka", spark, /^(?<query>.+)_lag_s$/),
  gauge(
    "k2_lake_freshness_seconds",
    "From exchange time to visible in Gold, source STREAM, last five minutes, by percentile",
    spark,
    /^refine_fresh_p(?<percentile>50|99)_s$/,
  ),
  gauge("k2_lake_lag_offsets", "Records behind", spark, /^(?<query>.+)_lag_offsets$/),
  {
    ...gauge("k2_lake_batch_seconds", "The latest batch", spark, /^(?<query>.+)_batch_ms$/),
    scale: 0.001,
  },
  gauge("k2_validation_violations", "Latest run", validator, /^(?<check>.+)_violations$/),
  gauge("k2_validation_seconds", "The latest run", validator, /^seconds$/),
  gauge("k2_validation_valid_timestamp_seconds", "When all held", validator, /^valid_at_s$/),
];

function counter(name: string, help: string, node: RegExp, figure: RegExp): FigureMetric {
  return { name, help, type: "counter", node, figure };
}

function gauge(name: string, help: string, node: RegExp, figure: RegExp): FigureMetric {
  return { name, help, type: "gauge", node, figure };
}

type Labels = Readonly<Record<string, string>>;

/** One value of one series. */
interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

const up_states_not = new Set(["failed", "pending", "starting", "stopped", "stopping"]);
const health_values: Readonly<Record<Health, number>> = { pass: 0, warn: 1, fail: 2 };

/** What the tree comes to. */
function samplesOf(document: StatusDocument): readonly Sample[] {
  const samples: Sample[] = [
    { name: "k2_build_info", labels: { version: document.version }, value: 1 },
    { name: "k2_uptime_seconds", labels: {}, value: document.uptime_s },
    { name: "k2_health", labels: {}, value: health_values[document.health] },
  ];
  const stack: StatusNode[] = [document.tree];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    stack.push(...node.children.toReversed());
    samples.push(...samplesOfNode(node));
  }
  return samples;
}

function samplesOfNode(node: StatusNode): readonly Sample[] {
  const labels = { path: node.path };
  const samples: Sample[] = [
    { name: "k2_actor_up", labels, value: up_states_not.has(node.state) ? 0 : 1 },
    { name: "k2_actor_restarts_total", labels, value: node.restarts.total },
  ];
  for (const { name, node: path_pattern, figure: figure_pattern, scale } of figure_metrics) {
    const path_match = path_pattern.exec(node.path);
    if (path_match === null) continue;
    for (const [figure, raw] of Object.entries(node.figures)) {
      const figure_match = figure_pattern.exec(figure);
      const value = typeof raw === "boolean" ? Number(raw) : raw;
      if (figure_match === null || typeof value !== "number") continue;
      const labels = { ...path_match.groups, ...figure_match.groups };
      samples.push({ name, labels, value: value * (scale ?? 1) });
    }
  }
  return samples;
}

/** The metrics of this process. */
export interface Metrics {
  /** Others may register histograms of their own here. */
  readonly registry: Registry;
  /** The text that Prometheus reads. */
  text(document: StatusDocument, process: ProcessFigures): Promise<string>;
}

/** What the runtime says of this process. */
interface ProcessFigures {
  readonly resident_bytes: number;
  /** CPU time, user and system, since the process started. */
  readonly cpu_s: number;
}

const own_metrics: readonly Omit<FigureMetric, "node" | "figure">[] = [
  { name: "k2_build_info", help: "1, by version", type: "gauge" },
  { name: "k2_uptime_seconds", help: "Since the platform started", type: "gauge" },
  { name: "k2_health", help: "0 pass, 1 warn, 2 fail", type: "gauge" },
  { name: "k2_actor_up", help: "Whether the actor serves or has finished", type: "gauge" },
  {
    name: "k2_actor_restarts_total",
    help: "Automatic restarts: of a supervisor's children, else the actor's own",
    type: "counter",
  },
  { name: "k2_process_resident_memory_bytes", help: "Of the Bun process", type: "gauge" },
  { name: "k2_process_cpu_seconds_total", help: "Of the Bun process", type: "counter" },
];

const own_labels: Readonly<Record<string, readonly string[]>> = {
  k2_build_info: ["version"],
  k2_actor_up: ["path"],
  k2_actor_restarts_total: ["path"],
};

/** Makes the registry. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  function register(metric: Omit<FigureMetric, "node" | "figure">, labelNames: string[]): void {
    const options = { name: metric.name, help: metric.help, labelNames, registers: [registry] };
    if (metric.type === "counter") counters.set(metric.name, new Counter(options));
    else gauges.set(metric.name, new Gauge(options));
  }
  for (const metric of own_metrics) register(metric, [...(own_labels[metric.name] ?? [])]);
  for (const metric of figure_metrics) {
    register(metric, [...groupNames(metric.node), ...groupNames(metric.figure)]);
  }
  return {
    registry,
    text(document, process) {
      for (const metric of [...counters.values(), ...gauges.values()]) metric.reset();
      const samples = [
        ...samplesOf(document),
        { name: "k2_process_resident_memory_bytes", labels: {}, value: process.resident_bytes },
        { name: "k2_process_cpu_seconds_total", labels: {}, value: process.cpu_s },
      ];
      for (const { name, labels, value } of samples) {
        counters.get(name)?.inc(labels, value);
        gauges.get(name)?.set(labels, value);
      }
      return registry.metrics();
    },
  };
}

function groupNames(pattern: RegExp): string[] {
  return [...pattern.source.matchAll(/\(\?<(\w+)>/g)].flatMap(([, name]) => name ?? []);
}
