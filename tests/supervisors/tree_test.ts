/**
 * Goal: the tree is the one that ARCHITECTURE.md draws, and a part that never heals ends the
 * platform with its reason, while an exchange that never heals does not.
 * Method: the real tree as data, its leaves replaced by actors that serve at once or always crash,
 * in virtual time.
 */

import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromCallback, SimulatedClock } from "xstate";
import { exchanges } from "../../actors/exchanges/mod.ts";
import type { Stop } from "../../actors/messages.ts";
import { Outbox } from "../../actors/producer/outbox.ts";
import { createLog } from "../../actors/settings/log.ts";
import { readSettings } from "../../actors/settings/settings.ts";
import { MaintenanceDesk } from "../../actors/spark/maintenance_desk.ts";
import type { SparkInput } from "../../actors/spark/spark.ts";
import { openFeedMemory } from "../../supervisors/feed_memory.ts";
import type { TreeParts } from "../../supervisors/ground.ts";
import { hostEffects, openHostStores } from "../../supervisors/host_effects.ts";
import {
  type ChildIncarnation,
  type ChildSpec,
  type SupervisorSpec,
  startTree,
  supervisorChild,
} from "../../supervisors/supervisor.ts";
import { outboxOptions, plantTree } from "../../supervisors/tree.ts";

const data_dir = mkdtempSync(join(tmpdir(), "k2-tree-"));
afterAll(() => rmSync(data_dir, { recursive: true, force: true }));

const quiet = createLog({ format: "text", write: () => {}, now_ms: () => 0 });

/** A leaf that serves at once, or crashes at once, and ends when told to. */
const leaf = fromCallback<Stop, { incarnation: ChildIncarnation; is_broken: boolean }>(
  ({ input: { incarnation, is_broken }, receive }) => {
    if (is_broken) incarnation.exit({ kind: "crash", reason: "it is broken" });
    else incarnation.ready();
    receive(() => incarnation.exit({ kind: "normal" }));
  },
);

function replaced(spec: ChildSpec, broken: string): ChildSpec {
  const { supervisor } = spec;
  if (supervisor !== undefined) {
    return supervisorChild({
      id: spec.id,
      ...supervisor,
      ...(spec.cool_down === undefined ? {} : { cool_down: spec.cool_down }),
      children: supervisor.children.map((child) => replaced(child, broken)),
    });
  }
  const is_broken = spec.id === broken;
  return { ...spec, logic: leaf, input: (incarnation) => ({ incarnation, is_broken }) };
}

function plant(
  role: TreeParts["role"] = "all",
  { feeding, symbols }: { feeding: TreeParts["feeding"]; symbols: readonly string[] } = {
    feeding: "live",
    symbols: ["BTCUSDT", "ETHUSDT"],
  },
) {
  const status: ChildSpec = {
    id: "status",
    kind: "worker",
    logic: leaf,
    input: () => undefined,
    restart: "permanent",
    start_ms_max: 1_000,
    shutdown_ms: 1_000,
  };
  const settings = readSettings(
    { K2_DATA_DIR: data_dir, K2_BINANCE_SYMBOLS: symbols.join(",") },
    exchanges,
  );
  const effects = { ...hostEffects(data_dir), now_us: () => 0, monotonic_ns: () => 0 };
  const outbox = new Outbox(outboxOptions(settings, effects, null));
  const memory = openFeedMemory({
    feeding,
    settings,
    exchanges: settings.exchanges,
    sink: outbox,
    log: quiet,
    stores: openHostStores(data_dir, effects, quiet),
    effects,
  });
  memory.close();
  return plantTree({
    role,
    simulate: null,
    accept_lost_offsets: true,
    settings,
    outbox,
    memory: role === "lake" ? null : memory,
    feeding,
    ports: { kafka: 1, kafka_controller: 2, registry: 3, simulator: 4 },
    cluster_id: "AAAAAAAAAAAAAAAAAAAAAA",
    root: "/nowhere",
    log: quiet,
    effects,
    maintenance: new MaintenanceDesk(),
    status,
    signal: new AbortController().signal,
  });
}

function start(broken: string) {
  const clock = new SimulatedClock();
  const spec = plant();
  const tree = startTree(
    { ...spec, children: spec.children.map((child) => replaced(child, broken)) },
    { clock, now_ms: () => clock.now() },
  );
  return { clock, tree };
}

/** A child anywhere in the tree. */
function childNamed(spec: SupervisorSpec, id: string): ChildSpec | undefined {
  for (const child of spec.children) {
    if (child.id === id) return child;
    const found = child.supervisor === undefined ? undefined : childNamed(child.supervisor, id);
    if (found !== undefined) return found;
  }
  return undefined;
}

function outline(spec: SupervisorSpec & { readonly id: string }, depth = 0): string[] {
  const lines = [`${"  ".repeat(depth)}${spec.id} (${spec.strategy})`];
  for (const child of spec.children) {
    if (child.supervisor === undefined) lines.push(`${"  ".repeat(depth + 1)}${child.id}`);
    else lines.push(...outline({ ...child.supervisor, id: child.id }, depth + 1));
  }
  return lines;
}

test("the tree has the names, order and strategies of the design", () => {
  expect(outline(plant()).join("\n")).toBe(
    `k2 (one_for_one)
  status
  platform (rest_for_one)
    infrastructure (rest_for_one)
      broker
      registry
      topics
    work (one_for_one)
      feed (rest_for_one)
        continuity
        producer (one_for_one)
          port
          producer
        exchanges (one_for_one)
          binance (one_for_one)
            normalizers (one_for_one)
              BTCUSDT
              ETHUSDT
            backfiller
            connections (one_for_one)
              0
          kraken (one_for_one)
            normalizers (one_for_one)
              BTC/USD
              ETH/USD
            backfiller
            connections (one_for_one)
              0
      lake (one_for_one)
        spark
        validator`,
  );
});

test("a role leaves the other half out", () => {
  expect(outline(plant("feed")).join("\n")).not.toContain("lake");
  expect(outline(plant("lake")).join("\n")).not.toContain("feed");
});

test("an import of history opens no sockets", () => {
  const symbols = ["BTCUSDT"];
  const text = outline(plant("feed", { feeding: "history", symbols })).join("\n");
  expect(text).toContain("backfiller");
  expect(text).not.toContain("connections");
});

test("more symbols than one socket may carry are sharded", () => {
  const symbols = Array.from({ length: 1_025 }, (_, index) => `S${index}`);
  const text = outline(plant("feed", { feeding: "live", symbols })).join("\n");
  expect(text).toMatch(/S1024\n +backfiller\n +connections \(one_for_one\)\n +0\n +1\n/);
});

test.each(["broker", "topics", "port"])("%s that always crashes ends the platform", async (id) => {
  const { clock, tree } = start(id);
  let reason: string | undefined;
  tree.gave_up.then((text) => {
    reason = text;
  });
  for (let second = 0; second < 60 && reason === undefined; second += 1) {
    clock.increment(1_000);
    await Promise.resolve();
  }
  expect(reason).toContain("restarts");
});

test("a connection or a driver that always crashes cools down and stops nobody else", async () => {
  for (const [broken, part] of [
    ["0", "k2/platform/work/feed/exchanges/binance"],
    ["spark", "k2/platform/work/lake"],
  ] as const) {
    const { clock, tree } = start(broken);
    for (let second = 0; second < 1800; second += 1) clock.increment(1_000);
    const text = JSON.stringify(tree.node());
    expect(text).toContain('"id":"producer","path":"k2/platform/work/feed/producer/producer"');
    const [, ...ids] = part.split("/");
    let node = tree.node();
    for (const id of ids) node = node.children.find((child) => child.id === id) ?? node;
    expect(node.path).toBe(part);
    expect(node.state).toBe("failed");
    expect(typeof node.figures.next_start_at).toBe("string");
    expect(tree.node().state).toBe("running");
    await tree.stop();
  }
});

test("lost offsets are accepted until the lake serves once, and not those lost later", () => {
  const spark = childNamed(plant("all"), "spark")!;
  const inputOf = () => spark.input({} as ChildIncarnation) as SparkInput;
  const first = inputOf();
  expect(first.config.accept_lost_offsets).toBe(true);
  expect(inputOf().config.accept_lost_offsets).toBe(true);
  first.onServing();
  expect(inputOf().config.accept_lost_offsets).toBe(false);
});
