/**
 * Holds Kafka against the simulator's own list of trades: whatever happened meanwhile, every id
 * from a symbol's first to its last is there with its exact digits, nothing else is, the frames
 * that trades name are there, and each symbol's trades stand in the order in which they came.
 *
 * @module
 */

import type { Ground } from "./feed_rig.ts";
import { type Listed, listOf, plain } from "./ledger.ts";

type Topics = Awaited<ReturnType<Ground["readTopics"]>>;
type TakenTrade = Topics["trades"][number];

const shown_max = 20;

/** What was found in Kafka, and what is wrong with it. */
export interface Account {
  /** Sentences, one for each difference, the first of them. */
  readonly differences: readonly string[];
  /** Trades, each once. */
  readonly trades_count: number;
  /** Symbols of exchanges. */
  readonly markets_count: number;
  /** Records of trades whose frame is not in Kafka. */
  readonly frameless: readonly string[];
  /** Ids that an exchange could no longer give, as K2 says, in `market:id`. */
  readonly unfillable: ReadonlySet<string>;
  readonly trades: readonly TakenTrade[];
  readonly events: Topics["events"];
}

/**
 * Reads all of Kafka and the list.
 *
 * @param until Up to where each symbol's list is wanted: its last trade in Kafka, or its newest.
 */
export async function accountOf(
  ground: Ground,
  until: "last_taken" | "newest" = "last_taken",
): Promise<Account> {
  const { trades, frames, events } = await ground.readTopics();
  const unfillable = unfillableIds(events);
  const markets = Map.groupBy(trades, ({ exchange, native_symbol }) =>
    [exchange, native_symbol].join(":"),
  );
  const frameless = framelessOf(trades, frames);
  const differences: string[] = [];
  let trades_count = 0;
  for (const [market, taken] of markets) {
    const listed = await listedFor(ground.simulator.url, taken, until);
    trades_count += new Set(taken.map(({ trade_id }) => trade_id)).size;
    const lost = listed.filter(({ trade_id }) => !unfillable.has(`${market}:${trade_id}`));
    differences.push(...lacking(market, taken, lost));
    differences.push(...digitDifferences(taken, listed));
    differences.push(...orderDifferences(market, taken));
    differences.push(...framesLacking(taken, frameless));
  }
  return {
    differences: differences.slice(0, shown_max),
    trades_count,
    frameless: [...frameless].map(({ message_id, connection_id, frame_sequence }) =>
      [message_id, connection_id, frame_sequence].join(" "),
    ),
    markets_count: markets.size,
    unfillable,
    trades,
    events,
  };
}

/** Which rules of the exchanges were broken, by name. */
export async function brokenRules({ simulator }: Ground): Promise<unknown> {
  const response = await fetch(new URL("/simulator/rules", simulator.url));
  const { broken } = (await response.json()) as { broken: unknown };
  return broken;
}

/**
 * Streamed trades that stand behind a later one of their symbol, over all sockets and processes;
 * for exchanges that send each symbol's ids in order. A record that is sent again may stand
 * anywhere: what counts is where it stands first.
 */
export function belatedIds(trades: readonly TakenTrade[]): readonly string[] {
  const newest = new Map<string, number>();
  const seen = new Set<string>();
  const belated: string[] = [];
  for (const { message_id, exchange, native_symbol, trade_id, source } of trades) {
    if (seen.has(message_id)) continue;
    seen.add(message_id);
    if (source !== "STREAM") continue;
    const market = [exchange, native_symbol].join(":");
    const id = Number(trade_id);
    if (id < (newest.get(market) ?? 0)) belated.push(message_id);
    else newest.set(market, id);
  }
  return belated;
}

function unfillableIds(events: Topics["events"]): ReadonlySet<string> {
  return new Set(
    events.flatMap(({ exchange, native_symbol, unfillable: ranges }) =>
      (ranges ?? []).flatMap(({ from_id, to_id }) =>
        Array.from({ length: to_id - from_id + 1 }, (_, index) =>
          [exchange, native_symbol, from_id + index].join(":"),
        ),
      ),
    ),
  );
}

/** The simulator's trades from the first that was taken on. */
async function listedFor(
  url: string,
  taken: readonly TakenTrade[],
  until: "last_taken" | "newest",
): Promise<readonly Listed[]> {
  const { exchange, native_symbol } = taken[0]!;
  const ids = taken.map(({ trade_id }) => Number(trade_id));
  const first = ids.reduce((least, id) => Math.min(least, id));
  const last =
    until === "newest" ? Number.MAX_SAFE_INTEGER : ids.reduce((most, id) => Math.max(most, id));
  return await listOf(url, { exchange, native_symbol, first: `${first}`, last: `${last}` });
}

function lacking(market: string, taken: readonly TakenTrade[], listed: readonly Listed[]) {
  const seen = new Set(taken.map(({ trade_id }) => trade_id));
  return listed
    .filter(({ trade_id }) => !seen.has(trade_id))
    .map(({ trade_id, timestamp }) => `${market} lacks ${trade_id} of ${timestamp}`);
}

function digitDifferences(taken: readonly TakenTrade[], listed: readonly Listed[]): string[] {
  const by_id = new Map(listed.map((trade) => [trade.trade_id, trade]));
  return taken.flatMap((trade) => {
    const wanted = by_id.get(trade.trade_id);
    const is_equal =
      wanted !== undefined &&
      plain(trade.price) === plain(wanted.price) &&
      plain(trade.quantity) === plain(wanted.quantity) &&
      trade.side === wanted.side &&
      trade.timestamp === wanted.timestamp;
    return is_equal ? [] : [`${JSON.stringify(trade)} is not ${JSON.stringify(wanted)}`];
  });
}

/** A record that is sent again may stand behind newer ones; what counts is where it stands first. */
function orderDifferences(market: string, taken: readonly TakenTrade[]): string[] {
  const seen = new Set<string>();
  const newest = new Map<string, number>();
  const found: string[] = [];
  for (const { trade_id, connection_id, frame_sequence } of taken) {
    if (seen.has(trade_id)) continue;
    seen.add(trade_id);
    const before = newest.get(connection_id) ?? 0;
    if (frame_sequence < before) {
      found.push(`${market} ${trade_id}: frame ${frame_sequence} follows frame ${before}`);
    }
    newest.set(connection_id, Math.max(before, frame_sequence));
  }
  return found;
}

/** The records whose frame is not there, or does not hold them. */
function framelessOf(trades: Topics["trades"], frames: Topics["frames"]): ReadonlySet<TakenTrade> {
  const texts = new Map<string, string>();
  for (const batch of frames) {
    for (const { frame_sequence, frame } of batch.frames) {
      texts.set(`${batch.connection_id} ${frame_sequence}`, Buffer.from(frame).toString());
    }
  }
  const missing = trades.filter(({ trade_id, connection_id, frame_sequence }) => {
    const text = texts.get(`${connection_id} ${frame_sequence}`);
    return text === undefined || !text.includes(trade_id);
  });
  return new Set(missing);
}

/** Trades of which not even one record has its frame. */
function framesLacking(taken: readonly TakenTrade[], frameless: ReadonlySet<TakenTrade>) {
  const framed = taken.filter((trade) => !frameless.has(trade));
  const framed_ids = new Set(framed.map(({ trade_id }) => trade_id));
  return taken
    .filter((trade) => !framed_ids.has(trade.trade_id))
    .map((trade) => `the frame of ${JSON.stringify(trade)} is not in Kafka`);
}
