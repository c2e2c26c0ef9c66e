/**
 * A feed for the tests of the lake that goes on for as long as it is asked: of two markets, with
 * trades that come again, records that nobody can read, sessions, confirmations, and gaps that are
 * filled, or never. It tells the truth, as the real one does: what it confirms was acknowledged by
 * Kafka before. So a bar that was ever complete must never change.
 *
 * @module
 */

import type { feedEvent } from "../../schemas/mod.ts";
import {
  eventRecord,
  invalidRecords,
  type Market,
  noon_us,
  type Outgoing,
  otherRecords,
  second_us,
  tradeOf,
  tradeRecord,
  trades_partitions,
} from "./lake_records.ts";
import type { LakeRig } from "./lake_rig.ts";

const markets: readonly Market[] = [
  { exchange: "binance", native_symbol: "LIVE" },
  { exchange: "kraken", native_symbol: "LIVE" },
];
/** Trades of each market in a portion, one a second. */
const portion_trades = 40;
/** Of them the ids from the first up to but without the second are missing at first. */
const hole = [10, 15] as const;
/** One in so many gaps is never filled. */
const unfillable_every = 5;
const pace_ms = 400;

type Said = Parameters<typeof feedEvent>[0];

/** What `openFeed` gives. */
export type LakeFeed = ReturnType<typeof openFeed>;

/** A feed into the rig's Kafka; the same chance gives the same records. */
export function openFeed(rig: LakeRig, random: () => number) {
  let portion = 0;

  /** Produces one portion: trades and whatever else, then the events that speak of them. */
  async function produce(): Promise<void> {
    const records = markets.flatMap((market) => portionOf(market));
    await rig.produce(records.sort(() => random() - 0.5));
    const events = markets.flatMap((market) => eventsOf(market, portion));
    await rig.produce(events.map((said) => eventRecord(rig.ids, said)));
    portion += 1;
  }

  function portionOf(market: Market): Outgoing[] {
    const first = portion * portion_trades;
    const fresh = range(first, first + portion_trades).filter((number) => !isMissing(number));
    const filled = portion > 0 && isFillable(portion - 1) ? missingOf(portion - 1) : [];
    const known = rig.sent.filter(({ means, key }) =>
      means.kind === "trade" ? key.includes(market.exchange) : false,
    );
    const again = known.length === 0 ? [] : range(0, 5).map(() => againOf(pick(known, random)));
    return [
      ...fresh.map((number) => tradeRecord(rig.ids, tradeAt(market, number))),
      ...filled.map((number) =>
        tradeRecord(rig.ids, { ...tradeAt(market, number), source: "BACKFILL" }),
      ),
      ...again,
      pick(invalidRecords(rig.ids, market), random),
      ...otherRecords(rig.ids, market.exchange, portion),
    ];
  }

  /** The same trade as another connection tells it, anywhere in its topic. */
  function againOf(record: Outgoing): Outgoing {
    if (record.means.kind !== "trade") throw new Error("not a trade");
    const { trade } = record.means;
    const partition = Math.floor(random() * trades_partitions);
    return tradeRecord(rig.ids, { ...trade, connection_id: "again" }, { partition });
  }

  /** Produces portion after portion until stopped. */
  function flow() {
    let is_over = false;
    const flowing = (async () => {
      while (!is_over) {
        await produce();
        await Bun.sleep(pace_ms);
      }
    })();
    return async () => {
      is_over = true;
      await flowing;
    };
  }
  return { produce, flow };
}

/** What is said once the trades of a portion are in Kafka. */
function eventsOf(market: Market, portion: number): Said[] {
  const last = (portion + 1) * portion_trades - 1;
  const at = { ...market, timestamp: noon_us + last * second_us };
  const session = { exchange: market.exchange, timestamp: at.timestamp, url: "ws://127.0.0.1:1" };
  const connection = (number: number) => `${market.exchange}-${number}`;
  const before: Said[] =
    portion === 0
      ? [{ ...at, event: "coverage", from_id: 0, from_timestamp: noon_us }]
      : [
          { ...at, ...gapOf(market, portion - 1), event: endOf(portion - 1) },
          {
            ...session,
            event: "session_closed",
            connection_id: connection(portion - 1),
            reason: "rotated",
          },
        ];
  return [
    ...before,
    { ...session, event: "session_opened", connection_id: connection(portion) },
    { ...at, ...gapOf(market, portion), event: "gap_opened", found_by: "jump" },
    { ...at, event: "confirmed", through_id: last, through_timestamp: at.timestamp },
  ];
}

function gapOf({ exchange, native_symbol }: Market, portion: number) {
  const [from_id, to_id] = [missingOf(portion)[0]!, missingOf(portion).at(-1)!];
  return {
    gap_id: `${exchange}:${native_symbol}:${from_id}`,
    from_id,
    to_id,
    from_timestamp: noon_us + (from_id - 1) * second_us,
    to_timestamp: noon_us + (to_id + 1) * second_us,
  };
}

function endOf(portion: number) {
  return isFillable(portion) ? "gap_filled" : "gap_unfillable";
}

function isFillable(portion: number): boolean {
  return portion % unfillable_every !== 0;
}

function isMissing(number: number): boolean {
  const place = number % portion_trades;
  return place >= hole[0] && place < hole[1];
}

function missingOf(portion: number): number[] {
  const first = portion * portion_trades;
  return range(first, first + portion_trades).filter(isMissing);
}

/** The same trade for the same number. */
function tradeAt(market: Market, number: number) {
  let state = number + 1;
  const digits = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  return tradeOf(market, number, digits);
}

function pick<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)]!;
}

function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index);
}
