/**
 * Goal: readiness fails exactly when data does not flow, and says where and why.
 * Method: a serving tree, written down, with one thing changed at a time.
 */

import { expect, test } from "bun:test";
import type { Role } from "../../../actors/settings/settings.ts";
import { healthOf } from "../../../actors/status/health.ts";
import type { StatusNode } from "../../../actors/status/node.ts";
import { now_ms, sampleTree } from "./sample_tree.ts";

const work = "k2/platform/work";
const connection = `${work}/feed/exchanges/kraken/connections/0`;
const backfiller = `${work}/feed/exchanges/kraken/backfiller`;
const remedy = "bun run backfill --exchange kraken --symbol BTC/USD --from … --to …";
const continuity = `${work}/feed/continuity`;
const producer = `${work}/feed/producer/producer`;
const spark = `${work}/lake/spark`;
const validator = `${work}/lake/validator`;
const ago = (ms: number) => new Date(now_ms - ms).toISOString();

test("a serving platform passes, with a word for each check", () => {
  const { health, checks } = healthOf(sampleTree(), { role: "all", now_ms });
  expect(health).toBe("pass");
  expect(checks.map(({ name, reason }) => `${name} ${reason}`)).toEqual([
    "actor has done its work",
    "gaps no trade is missing",
    "kafka Kafka acknowledges",
    "backfill asks for what is missing",
    "connection streams",
    "backfill asks for what is missing",
    "connection streams",
    "lake lies 5.3 s behind",
    "validation 23 checks hold, with a warning: freshness",
  ]);
});

test.each<[string, string, Partial<StatusNode>, string, string]>([
  ["a connection that has just lost its stream", connection, lost(29_999), "warn", "is waiting"],
  ["one that lost it 30 s ago", connection, lost(30_000), "fail", "is waiting: refused"],
  ["an old state, lately lost", connection, down(1_000), "warn", "is connecting"],
  ["a young state, long lost", connection, down(40_000), "fail", "is connecting"],
  ["a refused subscription", connection, { state: "refused" }, "fail", "is refused"],
  ["one refused symbol", connection, { figures: { refused: 1 } }, "warn", "1 of 2 symbols"],
  ["a dead subscription", connection, { figures: { not_delivering: 2 } }, "warn", "2 of 2 symbols"],
  ["a gap that stays open", continuity, gaps(60_000), "warn", "7 trades are missing, open gaps: 1"],
  ["an old gap", backfiller, { figures: { gaps_too_old: 2, remedy } }, "warn", `by \`${remedy}\``],
  ["a refused backfill", backfiller, { figures: { refused_reason: "HTTP 403" } }, "warn", "403"],
  ["no acknowledgements", producer, { figures: { acknowledging: false } }, "fail", "acknowledge"],
  ["no port", producer, { state: "waiting_for_port" }, "fail", "waiting_for_port"],
  [
    "full buffers",
    producer,
    { figures: { pressure_reason: "the buffers are full" } },
    "fail",
    "takes no more records: the buffers are full",
  ],
  ["spilled records", producer, { figures: { spilled: 7 } }, "warn", "7 records wait on disk"],
  [
    "a disk that refuses",
    producer,
    { figures: { spill_error: "database or disk is full" } },
    "warn",
    "the disk takes no records: database or disk is full",
  ],
  ["a starting child", `${work}/feed/producer/port`, { state: "starting" }, "fail", "is starting"],
  ["a pending child", spark, { state: "pending" }, "fail", "waits for its turn"],
  ["a stopped child", spark, { state: "stopped" }, "fail", "was stopped"],
  ["a lake that lies behind", spark, { figures: { refine_lag_s: 59 } }, "fail", "60.0 s behind"],
  [
    "a lake that is not kept in order",
    spark,
    { figures: { maintenance_error: "gold.trades: no disk" } },
    "warn",
    "behind, but is not kept in order: gold.trades: no disk",
  ],
  ["a silent lake", spark, { figures: { refine_timestamp: ago(60_000) } }, "fail", "for 60 s"],
  ["lost trades", spark, { figures: { bronze_trades_stopped: "t/0 has lost" } }, "fail", "t/0 has"],
  ["lost events", spark, { figures: { bronze_events_stopped: "e/0 has lost" } }, "fail", "e/0 has"],
  ["lost frames", spark, { figures: { bronze_frames_stopped: "f/0 has lost" } }, "warn", "f/0 has"],
  [
    "a lag that retention will reach",
    spark,
    { figures: { bronze_frames_lag_warning: "bronze_frames lies 13.0 h behind" } },
    "warn",
    "lies 13.0 h behind",
  ],
  [
    "a lake that does not hold",
    validator,
    { figures: { violated: "gold_ids", checks: 23 } },
    "warn",
    "the lake does not hold: gold_ids; see `bun run validate`",
  ],
  ["checks that fail", validator, { figures: { error: "no lake" } }, "warn", "not check: no lake"],
  ["a lake that has not begun", spark, { figures: { refine_timestamp: null } }, "warn", "not"],
])("%s", (_, path, change, health, reason) => {
  const report = healthOf(sampleTree({ [path]: change }), { role: "all", now_ms });
  expect(report.health).toBe(health as "warn" | "fail");
  const remarks = report.checks.filter(({ status }) => status !== "pass");
  expect(remarks.map((check) => check.path)).toEqual([path]);
  expect(remarks[0]?.reason).toContain(reason);
});

test("a gap that has just opened is no remark", () => {
  const { health } = healthOf(sampleTree({ [continuity]: gaps(59_000) }), { role: "all", now_ms });
  expect(health).toBe("pass");
});

test("a lake to which nothing comes is fresh, however old its last record is", () => {
  const figures = { refine_lag_s: 3_600, refine_lag_offsets: 0 };
  const { health } = healthOf(sampleTree({ [spark]: { figures } }), { role: "all", now_ms });
  expect(health).toBe("pass");
});

test("a failed supervisor is one remark, with the reason and when it is started again", () => {
  const path = `${work}/feed/exchanges/kraken`;
  const change = {
    state: "failed",
    last_exit: { reason: "too many crashes", at: ago(1) },
    figures: { next_start_at: "2026-11-23T12:01:00.000Z" },
  };
  const { checks, health } = healthOf(sampleTree({ [path]: change }), { role: "all", now_ms });
  expect(health).toBe("fail");
  expect(checks.filter(({ status }) => status === "fail")).toEqual([
    {
      name: "actor",
      path,
      status: "fail",
      reason: "has failed, is started again at 2026-11-23T12:01:00.000Z: too many crashes",
    },
  ]);
});

test.each<[Role, string]>([
  ["feed", "pass"],
  ["all", "fail"],
  ["lake", "fail"],
])("role %s with a failed driver: %s", (role, health) => {
  const tree = sampleTree({ [spark]: { state: "failed" } });
  expect(healthOf(tree, { role, now_ms }).health).toBe(health as "pass");
});

function gaps(ms: number): Partial<StatusNode> {
  return { figures: { gaps_open: 1, ids_missing: 7, oldest_gap_at: ago(ms) } };
}

function lost(ms: number): Partial<StatusNode> {
  return { state: "waiting", since: ago(ms), figures: { last_error: "refused" } };
}

function down(ms: number): Partial<StatusNode> {
  return { state: "connecting", since: ago(41_000 - ms), figures: { down_since: ago(ms) } };
}
