/**
 * The connections of one exchange as children, one for each group of symbols that a socket may
 * carry: the same for the platform and for `record`, which differ in where the frames go.
 *
 * @module
 */

import { type ConnectionInput, connection } from "../actors/connection/connection.ts";
import type { ExchangeAdapter } from "../actors/exchanges/adapter.ts";
import type { PressureListener } from "../actors/messages.ts";
import type { Budget } from "../actors/rest/budget.ts";
import type { InstrumentList } from "../actors/rest/instrument_list.ts";
import type { Reachability } from "../actors/rest/reachability.ts";
import type { Log } from "../actors/settings/log.ts";
import type { ExchangeSettings } from "../actors/settings/settings.ts";
import type { Effects } from "./effects.ts";
import { shutdown } from "./ground.ts";
import type { ChildSpec } from "./supervisor.ts";

/** What all connections share. */
export interface ConnectionGround {
  readonly sink: ConnectionInput["sink"];
  /** Adds a listener to the pressure of whatever takes the records; returns its removal. */
  readonly onPressure: (listener: PressureListener) => () => void;
  readonly log: Log;
  readonly effects: Effects;
}

/** One exchange as its connections share it. */
export interface ConnectedExchange {
  readonly settings: ExchangeSettings;
  readonly adapter: ExchangeAdapter;
  /** Of connection attempts. */
  readonly attempts: Budget;
  readonly instruments: InstrumentList;
  readonly reachability: Reachability;
}

/** System id of a symbol's normalizer. */
export function normalizerId(exchange: string, native_symbol: string): string {
  return `${exchange}.normalizer.${native_symbol}`;
}

/** The exchange's connections, its symbols divided among them in their order. */
export function connectionShards(
  ground: ConnectionGround,
  of: ConnectedExchange,
): readonly ChildSpec[] {
  const { native_symbols } = of.settings;
  const { symbols_max } = of.adapter.session;
  const shards: ChildSpec[] = [];
  for (let from = 0; from < native_symbols.length; from += symbols_max) {
    const symbols = native_symbols.slice(from, from + symbols_max);
    shards.push(connectionShard(ground, of, { shard: shards.length, native_symbols: symbols }));
  }
  return shards;
}

function connectionShard(
  { sink, onPressure, log, effects }: ConnectionGround,
  { settings, adapter, attempts, instruments, reachability }: ConnectedExchange,
  { shard, native_symbols }: { readonly shard: number; readonly native_symbols: readonly string[] },
): ChildSpec {
  const { exchange, ws_url } = settings;
  const { monotonic_ns, now_us, openSocket, random, uniqueId } = effects;
  const system_id = `${exchange}.connection.${shard}`;
  return {
    id: String(shard),
    system_id,
    kind: "worker",
    logic: connection,
    input: (incarnation): ConnectionInput => ({
      incarnation,
      adapter,
      native_symbols,
      exchange_symbols_count: settings.native_symbols.length,
      ws_url,
      shard,
      system_id,
      attempts,
      instruments,
      reachability,
      connectionId: () => `${exchange}-${uniqueId()}`,
      normalizerId: (native_symbol: string) => normalizerId(exchange, native_symbol),
      backfiller_id: `${exchange}.backfiller`,
      sink,
      onPressure,
      openSocket,
      log,
      random,
      now_us,
      monotonic_ns,
    }),
    restart: "permanent",
    start_ms_max: 5_000,
    shutdown_ms: shutdown.short_ms,
  };
}
