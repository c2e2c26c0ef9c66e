/**
 * The platform's feed as the bench runs it: the live connections, normalizers and continuities in
 * an actor system of their own, without supervisors, since an actor that crashes ends the bench.
 *
 * @module
 */

import { type AnyActorLogic, createActor, createMachine } from "xstate";
import { type ConnectionInput, connection } from "../connection/connection.ts";
import { openSocket } from "../connection/socket.ts";
import { Continuity } from "../continuity/continuity.ts";
import type { ExchangeAdapter } from "../exchanges/mod.ts";
import type { Incarnation, RecordSink } from "../messages.ts";
import { NormalizerInbox, type NormalizerInput, normalizer } from "../normalizer/normalizer.ts";
import type { Budget } from "../rest/budget.ts";
import { monotonicNs } from "../settings/clock.ts";
import type { Log } from "../settings/log.ts";
import type { ExchangeSettings } from "../settings/settings.ts";
import { incarnate } from "./incarnate.ts";
import { knownInstruments, trustingAdapter } from "./known_instruments.ts";

/** One exchange that is fed. */
export interface FedExchange {
  readonly settings: ExchangeSettings;
  readonly adapter: ExchangeAdapter;
  /** Of connection attempts. */
  readonly attempts: Budget;
}

/** What the feed needs. */
interface LiveFeedOptions {
  readonly exchanges: readonly FedExchange[];
  readonly sink: RecordSink;
  readonly log: Log;
  /** Wall clock, microseconds since 1970. */
  readonly now_us: () => number;
}

/** A feed that runs. */
interface LiveFeed {
  /** One for each symbol. */
  readonly continuities: readonly Continuity[];
  /** Rejects where an actor crashed. */
  readonly failed: Promise<never>;
  /** Closes the sockets and ends every actor. */
  stop(): void;
}

/** A child of the bench's actor system. */
interface Child {
  readonly system_id: string;
  readonly logic: AnyActorLogic;
  readonly input: (incarnation: Incarnation) => unknown;
}

/** Longer than any turn: what is missing stays a suspicion, and nothing is told of it. */
const gap_grace_ms = 2 ** 31;

/** Starts the feed. */
export function startLiveFeed(options: LiveFeedOptions): LiveFeed {
  const controller = new AbortController();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(ignore);
  function incarnationOf(system_id: string): Incarnation {
    const { ended, incarnation } = incarnate(system_id, controller.signal);
    ended.catch((error: unknown) => failed.reject(error));
    return incarnation;
  }
  const { now_us } = options;
  const fed = options.exchanges.map((exchange) => ({
    ...exchange,
    continuities: new Map(
      exchange.settings.native_symbols.map((symbol) => [symbol, track(exchange, symbol, now_us)]),
    ),
  }));
  const children = fed.flatMap((exchange) => childrenOf(exchange, options));
  const root = createActor(
    createMachine({
      context: ({ spawn }) => ({
        children: children.map(({ system_id, logic, input }) =>
          spawn(logic, {
            id: system_id,
            systemId: system_id,
            input: input(incarnationOf(system_id)),
          }),
        ),
      }),
    }),
  );
  root.subscribe({ error: (error) => failed.reject(error) });
  root.start();
  return {
    continuities: fed.flatMap(({ continuities }) => [...continuities.values()]),
    failed: failed.promise,
    stop() {
      controller.abort();
      root.stop();
    },
  };
}

interface TrackedExchange extends FedExchange {
  readonly continuities: ReadonlyMap<string, Continuity>;
}

function track(
  { settings, adapter }: FedExchange,
  native_symbol: string,
  now_us: () => number,
): Continuity {
  return new Continuity({
    exchange: settings.exchange,
    native_symbol,
    are_ids_dense: adapter.are_ids_dense,
    gap_grace_ms,
    positions: { mark: () => 0, settled_through: 0 },
    emit: ignore,
    now_us,
    now_ms: () => performance.now(),
    restored: null,
  });
}

function childrenOf(
  { settings, adapter, attempts, continuities }: TrackedExchange,
  { sink, log, now_us }: LiveFeedOptions,
): readonly Child[] {
  const { exchange, native_symbols, ws_url } = settings;
  const instruments = knownInstruments(exchange, native_symbols);
  const normalizers = [...continuities].map(
    ([native_symbol, continuity]): Child => ({
      system_id: `${exchange}.normalizer.${native_symbol}`,
      logic: normalizer,
      input: (incarnation): NormalizerInput => ({
        incarnation,
        exchange,
        native_symbol,
        instrument: () => instruments.get(native_symbol),
        sink,
        inbox: new NormalizerInbox(),
        continuity,
      }),
    }),
  );
  const { symbols_max } = adapter.session;
  const connections: Child[] = [];
  for (let from = 0; from < native_symbols.length; from += symbols_max) {
    const shard = connections.length;
    const system_id = `${exchange}.connection.${shard}`;
    connections.push({
      system_id,
      logic: connection,
      input: (incarnation): ConnectionInput => ({
        incarnation,
        adapter: trustingAdapter(adapter),
        native_symbols: native_symbols.slice(from, from + symbols_max),
        exchange_symbols_count: native_symbols.length,
        ws_url,
        shard,
        system_id,
        attempts,
        instruments,
        reachability: { failed: ignore, succeeded: ignore },
        connectionId: () => `${exchange}-${Bun.randomUUIDv7()}`,
        normalizerId: (native_symbol: string) => `${exchange}.normalizer.${native_symbol}`,
        backfiller_id: `${exchange}.backfiller`,
        sink,
        onPressure: () => ignore,
        openSocket,
        log,
        random: Math.random,
        now_us,
        monotonic_ns: monotonicNs,
      }),
    });
  }
  return [...normalizers, ...connections];
}

function ignore(): void {}
