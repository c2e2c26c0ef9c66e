/**
 * What the stretches of `bench producer` share: trades, an outbox on its way to a real Kafka, and
 * what giving it trades at a pace took.
 *
 * @module
 */

import type { Trade } from "../messages.ts";
import { Outbox, type OutboxOptions } from "../producer/outbox.ts";
import type { Kafka } from "./kafka.ts";
import { schemaIds } from "./load.ts";

/** What every stretch is handed. */
export interface ProducerGround {
  /** Given again and again. */
  readonly trades: readonly Trade[];
  readonly outbox: OutboxOptions;
  /** Ids of a registry, by topic; made up where nobody decodes the records. */
  readonly schema_ids?: Readonly<Record<string, number>>;
  /** Resolves after a pause. */
  readonly wait: (delay_ms: number) => Promise<void>;
  /** Resolves when events that are due have had their turn. */
  readonly nextTurn: () => Promise<void>;
  /** CPU seconds of this process so far. */
  readonly cpu_s: () => number;
  /** Resident set of this process. */
  readonly rss_bytes: () => number;
  /** Takes a line of details. */
  readonly tell: (line: string) => void;
}

/** What a stretch measured. */
export interface Result {
  readonly records: number;
  readonly seconds: number;
  readonly cpu_s: number;
  readonly rss_bytes: number;
  /** NaN where there is no floor. */
  readonly floor_ratio: number;
  /** What else there is to tell, by name. */
  readonly further: Readonly<Record<string, string | number>>;
}

/** An outbox whose records go to Kafka. */
export interface OpenProducer {
  readonly outbox: Outbox;
  /** Gives it the next trades, received just now; returns how many it had room for. */
  give(count: number): number;
  /** Resolves once it holds little enough to be given more. */
  relieved(): Promise<void>;
  /** Resolves once everything is acknowledged. */
  drained(): Promise<void>;
  /** CPU seconds of this process and the port's, and the resident sets of both. */
  usage(): Promise<{ readonly cpu_s: number; readonly rss_bytes: number }>;
  close(): Promise<void>;
}

/** Connects a new outbox, through a port of its own. */
export async function openProducer(
  kafka: Kafka,
  ground: ProducerGround,
  options: Partial<OutboxOptions> = {},
): Promise<OpenProducer> {
  const outbox = new Outbox({ ...ground.outbox, ...options });
  outbox.setSchemaIds(ground.schema_ids ?? schemaIds(outbox.topics));
  const connection = await kafka.connect(outbox);
  const { trades } = ground;
  const { now_us } = ground.outbox;
  let given = 0;
  let relief = Promise.withResolvers<void>();
  outbox.onPressure({
    full() {
      relief = Promise.withResolvers();
    },
    relieved: () => relief.resolve(),
  });
  return {
    outbox,
    give(count) {
      const begun = given;
      while (given - begun < count && !outbox.is_full) {
        const trade = trades[given % trades.length];
        if (trade === undefined) throw new RangeError("There is no trade to give");
        outbox.addTrade({ ...trade, ingestion_timestamp: now_us() });
        given += 1;
      }
      return given - begun;
    },
    async relieved() {
      if (outbox.is_full) await relief.promise;
    },
    async drained() {
      const emptied = Promise.withResolvers<void>();
      const ignore = () => {};
      const stopListening = outbox.listen({
        opened: ignore,
        attached: ignore,
        detached: ignore,
        emptied: emptied.resolve,
      });
      outbox.closeAll();
      if (!outbox.is_empty) await emptied.promise;
      stopListening();
    },
    async usage() {
      const port = await connection.usage();
      return {
        cpu_s: ground.cpu_s() + port.cpu_s,
        rss_bytes: ground.rss_bytes() + port.rss_bytes,
      };
    },
    close: () => connection.stop(),
  };
}

/** What giving trades at a pace came to. */
interface Paced {
  /** As many as were due. */
  readonly due: number;
  /** As many as the outbox took; the others are withheld, as a feed closes its sockets then. */
  readonly taken: number;
}

const step_ms = 1;

/** Gives trades at a pace for a time, in steps of a millisecond. */
export async function pace(
  producer: OpenProducer,
  ground: ProducerGround,
  { per_s, seconds }: { readonly per_s: number; readonly seconds: number },
): Promise<Paced> {
  const { now_ms } = ground.outbox;
  const begun_ms = now_ms();
  const due_max = Math.floor(per_s * seconds);
  let due = 0;
  let taken = 0;
  while (due < due_max) {
    await ground.wait(step_ms);
    const due_now = Math.min(due_max, Math.floor(((now_ms() - begun_ms) * per_s) / 1_000));
    taken += producer.give(due_now - due);
    due = due_now;
  }
  return { due, taken };
}
