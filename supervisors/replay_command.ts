/**
 * `replay`: produces quarantined records again to their own topics, with their keys, after whatever
 * made them invalid was mended (a schema that the registry did not know, a rule of Silver). Each is
 * a new record with an outcome of its own; the row in the quarantine stays.
 *
 * @module
 */

import { spawnPort } from "../actors/port/port.ts";
import { afterOnHost } from "../actors/port/timers.ts";
import type { KafkaCluster } from "../actors/producer/kafka_properties.ts";
import { sendRaw } from "../actors/producer/raw_sender.ts";
import { lockHolder, readOwnStamp } from "../actors/settings/data_directory.ts";
import { exit_codes, FailureError } from "../actors/settings/exit.ts";
import type { Run } from "../actors/settings/invocation.ts";
import type { Settings } from "../actors/settings/settings.ts";
import { catalogPath } from "../actors/validator/catalog_path.ts";
import { type Lake, readLake, type View } from "../actors/validator/lake.ts";
import { openOut, whileRead } from "../actors/validator/output.ts";
import {
  countQuarantined,
  type QuarantinedRecord,
  type QuarantineFilter,
  quarantineViews,
  readQuarantined,
  withQuarantine,
} from "../actors/validator/quarantine.ts";
import { readReplayOptions } from "./replay_options.ts";

/** Records that are on their way to Kafka at a time. */
const limits = { count_max: 500, bytes_max: 4 * 2 ** 20 } as const;
/** How long Bronze may take to land what was sent. */
const landing_looks_max = 30;
const landing_look_ms = 1_000;

/** Replays; exit code 1 where a record could not be sent. */
export const run: Run = async ({ flags, settings, root }) => {
  const filter = readReplayOptions(flags, Date.now());
  const cluster = clusterOf(settings);
  const { data_dir } = settings;
  const views = quarantineViews(await readLake(catalogPath(settings)));
  const sent = new Map<string, number>();
  const refused = await withQuarantine({ root, data_dir, views }, (lake) =>
    replay(lake, filter, { cluster, data_dir, sent }),
  );
  const total = [...sent.values()].reduce((sum, count) => sum + count, 0);
  const lines = [...sent].sort().map(([reason, count]) => `${reason}=${count}\n`);
  if (total > 0) await waitForBronze({ settings, root, filter, views });
  await whileRead(() => openOut()(`${lines.join("")}replayed=${total - refused}\n`));
  if (refused === 0) return exit_codes.done;
  throw new FailureError(`Kafka has refused ${refused} records for good: they stay quarantined`);
};

/** Sends what may be tried again; counts it by reason and returns how many Kafka has refused. */
async function replay(
  lake: Lake,
  filter: QuarantineFilter,
  {
    cluster,
    data_dir,
    sent,
  }: {
    readonly cluster: KafkaCluster;
    readonly data_dir: string;
    readonly sent: Map<string, number>;
  },
): Promise<number> {
  const topics = [...(await countQuarantined(lake, filter)).keys()];
  if (topics.length === 0) return 0;
  const batches = counted(readQuarantined(lake, filter, limits), sent);
  const spawn = spawnPort;
  const after = afterOnHost;
  return await sendRaw(batches, { cluster, topics, data_dir, node: "node", spawn, after });
}

async function* counted(
  batches: AsyncIterable<readonly QuarantinedRecord[]>,
  sent: Map<string, number>,
): AsyncGenerator<readonly QuarantinedRecord[]> {
  for await (const records of batches) {
    yield records;
    for (const { reason } of records) sent.set(reason, (sent.get(reason) ?? 0) + 1);
  }
}

/** Where the records go to: to a cluster, or to the broker of the platform that runs here. */
function clusterOf({ kafka, data_dir }: Settings): KafkaCluster {
  if (kafka.brokers !== null) return { brokers: kafka.brokers, properties: kafka.properties };
  const port = kafka.port ?? readOwnStamp(data_dir)?.ports.kafka;
  if (lockHolder(data_dir) === null || port === undefined) {
    throw new FailureError(
      `No platform runs on ${data_dir}, and so no Kafka that takes the records: ` +
        "run `bun run start` first, or set K2_KAFKA_BROKERS",
    );
  }
  return { brokers: `127.0.0.1:${port}`, properties: kafka.properties };
}

/** Once Bronze has them, another replay knows that they were replayed. */
async function waitForBronze({
  settings,
  root,
  filter,
  views,
}: {
  readonly settings: Settings;
  readonly root: string;
  readonly filter: QuarantineFilter;
  readonly views: readonly View[];
}): Promise<void> {
  const { data_dir } = settings;
  // The quarantine as it was: what is quarantined again is no reason to wait.
  const quarantine = views.find(({ table }) => table.name === "silver.quarantine");
  for (let look = 0; look < landing_looks_max; look += 1) {
    const tables = await readLake(catalogPath(settings));
    const now = quarantineViews(tables, quarantine?.snapshot_id ?? null);
    const options = { root, data_dir, views: now };
    const left = await withQuarantine(options, (lake) => countQuarantined(lake, filter));
    if (left.size === 0) return;
    await new Promise<void>((resolve) => {
      afterOnHost(landing_look_ms, resolve);
    });
  }
  process.stderr.write(
    "Bronze has not taken all of them yet: a replay before it has would send them again\n",
  );
}
