/**
 * The feed in a process of its own, for the soak: the real tree's branch, with a port that
 * acknowledges at once in the place of Kafka's. Prints a line of figures a second, and ends when
 * its stdin does.
 *
 * @module
 */

import { mkdirSync } from "node:fs";
import { fromCallback } from "xstate";
import { exchanges } from "../../actors/exchanges/mod.ts";
import type { Incarnation, Stop } from "../../actors/messages.ts";
import { Outbox } from "../../actors/producer/outbox.ts";
import { createLog } from "../../actors/settings/log.ts";
import { readSettings } from "../../actors/settings/settings.ts";
import { openFeedMemory } from "../../supervisors/feed_memory.ts";
import { feed } from "../../supervisors/feed_tree.ts";
import type { FeedGround } from "../../supervisors/ground.ts";
import { hostEffects, openHostStores } from "../../supervisors/host_effects.ts";
import { type ChildSpec, startTree, supervisorChild } from "../../supervisors/supervisor.ts";
import { outboxOptions } from "../../supervisors/tree.ts";

/** Acknowledges every batch in the next turn of the loop. */
const countingPort = fromCallback<Stop, { incarnation: Incarnation; outbox: Outbox }>(
  ({ input: { incarnation, outbox }, receive }) => {
    const attachment = outbox.attach({
      send(packet) {
        const batch_id = packet.readUIntLE(4, 6);
        setImmediate(() => attachment.acknowledge(batch_id, []));
      },
    });
    incarnation.ready();
    receive(() => incarnation.exit({ kind: "normal" }));
    return () => attachment.detach();
  },
);

/** The same branch, with one child in another's place. */
function replanted(spec: ChildSpec, replace: (spec: ChildSpec) => ChildSpec): ChildSpec {
  const { supervisor } = spec;
  if (supervisor === undefined) return replace(spec);
  const children = supervisor.children.map((child) => replanted(child, replace));
  const { cool_down } = spec;
  return supervisorChild({
    ...supervisor,
    id: spec.id,
    children,
    ...(cool_down === undefined ? {} : { cool_down }),
  });
}

const settings = readSettings(process.env, exchanges);
mkdirSync(settings.data_dir, { recursive: true });
const effects = hostEffects(settings.data_dir);
const outbox = new Outbox(outboxOptions(settings, effects, null));
outbox.setSchemaIds(Object.fromEntries(outbox.topics.map((topic, index) => [topic, index + 1])));
const log = createLog({
  format: "text",
  write: (line) => process.stderr.write(line),
  now_ms: Date.now,
});
const memory = openFeedMemory({
  feeding: "live",
  settings,
  exchanges: settings.exchanges,
  sink: outbox,
  log,
  stores: openHostStores(settings.data_dir, effects, log),
  effects,
});
const controller = new AbortController();
const ground = {
  settings,
  log,
  outbox,
  simulate: null,
  feeding: "live" as const,
  effects,
  signal: controller.signal,
  cluster: { brokers: "", properties: {} },
} satisfies FeedGround;
const branch = replanted(feed(ground, memory), (spec) =>
  spec.id === "port"
    ? { ...spec, logic: countingPort, input: (incarnation) => ({ incarnation, outbox }) }
    : spec,
);
const tree = startTree(
  { id: "soak", strategy: "one_for_one", restarts_max: 5, window_ms: 60_000, children: [branch] },
  {
    now_ms: Date.now,
    signal: controller.signal,
    notify: ({ path, reason, verdict }) => {
      if (verdict !== "stopped") process.stderr.write(`${path} ${verdict}: ${reason}\n`);
    },
  },
);
const timer = setInterval(() => {
  const gaps_open = memory.exchanges
    .flatMap(({ continuities }) => [...continuities.values()])
    .reduce((sum, continuity) => sum + continuity.openGaps().length, 0);
  const { acknowledged_total, received_total } = outbox.figures();
  const rss_bytes = process.memoryUsage.rss();
  process.stdout.write(
    `${JSON.stringify({ rss_bytes, acknowledged_total, received_total, gaps_open })}\n`,
  );
}, 1_000);
process.stdin.on("end", async () => {
  clearInterval(timer);
  await tree.stop();
  controller.abort();
  memory.close();
  process.exit(0);
});
process.stdin.resume();
