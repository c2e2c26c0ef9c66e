/**
 * What the tree stands on: its parts as the start hands them over, and the numbers that all its
 * branches share - how often a child may fall, how long it may take to end.
 *
 * @module
 */

import type { KafkaCluster } from "../actors/producer/kafka_properties.ts";
import type { Outbox } from "../actors/producer/outbox.ts";
import type { RegistryAccess } from "../actors/registry/client.ts";
import type { Log } from "../actors/settings/log.ts";
import type { Role, Settings } from "../actors/settings/settings.ts";
import type { MaintenanceDesk } from "../actors/spark/maintenance_desk.ts";
import type { Effects } from "./effects.ts";
import type { FeedMemory } from "./feed_memory.ts";
import type { ChildSpec } from "./supervisor.ts";

/** Loopback ports of what the platform runs itself. */
export interface Ports {
  readonly kafka: number;
  readonly kafka_controller: number;
  readonly registry: number;
  readonly simulator: number;
}

/** The simulator as a start asks for it. */
export interface Simulation {
  /** Trades per second over all symbols; null plays the recordings. */
  readonly rate: number | null;
  readonly seed: number;
  /** Exchange to symbols, among which the rate is divided. */
  readonly native_symbols: Readonly<Record<string, readonly string[]>>;
}

/** What the tree is made of: settings whose URLs already point where they should. */
export interface TreeParts {
  readonly role: Role;
  readonly simulate: Simulation | null;
  readonly settings: Settings;
  readonly ports: Ports;
  /** Whether the lake goes on without what Kafka has lost before it was read. */
  readonly accept_lost_offsets: boolean;
  /** Kafka's id of the embedded cluster. */
  readonly cluster_id: string;
  /** The checkout. */
  readonly root: string;
  readonly log: Log;
  /** What is not acknowledged; the caller asks it, after the drain, whether anything is left. */
  readonly outbox: Outbox;
  /** What the feed remembers over restarts; null where no feed runs. */
  readonly memory: FeedMemory | null;
  /** Whether sockets are opened; an import of history needs none. */
  readonly feeding: "live" | "history";
  readonly effects: Effects;
  /** Where maintenance of the lake is asked for. */
  readonly maintenance: MaintenanceDesk;
  /** A child that serves the tree's status; made by the caller, because it shows the tree. */
  readonly status: ChildSpec;
  /** Aborts when the platform ends. */
  readonly signal: AbortSignal;
}

/** The parts, and what follows from them. */
export interface Ground extends TreeParts {
  readonly cluster: KafkaCluster;
  readonly registry: RegistryAccess;
}

/** What the feed's branch needs of it. */
export type FeedGround = Pick<
  Ground,
  "settings" | "log" | "outbox" | "effects" | "cluster" | "signal" | "simulate" | "feeding"
>;

/** Restarts of one supervisor's children within a window; one more, and it gives up. */
export const intensity = { restarts_max: 5, window_ms: 60_000 } as const;
/**
 * The same for supervisors of supervisors. A child that gives up needs a while for it, so the
 * window is long; and what two fresh starts of a whole part do not heal, a person must look at.
 */
export const part_intensity = { restarts_max: 2, window_ms: 600_000 } as const;
/** An exchange's or the lake's bad day must not stop the others. */
export const cool_down = { first_ms: 60_000, max_ms: 600_000 } as const;
/**
 * Spark may finish a batch (`DRAIN_S_MAX` of `driver.py` is shorter); the broker, stopped after the
 * feed, takes what is still to be acknowledged.
 */
export const shutdown = {
  spark_ms: 13_000,
  producer_ms: 6_000,
  broker_ms: 4_000,
  short_ms: 1_000,
} as const;
