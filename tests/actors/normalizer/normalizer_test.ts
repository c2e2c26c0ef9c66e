/**
 * Goal: every trade that a normalizer was given reaches the sink once and in order, whatever
 * crashes and however often it comes; an item that crashes it twice becomes a dead letter, harms no
 * neighbor, and stays missing.
 * Method: the real actor with a sink that throws on chosen trades, restarted by hand as a
 * supervisor would, with the same inbox and the same continuity.
 */

import { expect, test } from "bun:test";
import { createActor } from "xstate";
import { Continuity } from "../../../actors/continuity/continuity.ts";
import type {
  DeadLetter,
  Exit,
  FrameTrades,
  Instrument,
  Report,
  Trade,
  WireTrade,
} from "../../../actors/messages.ts";
import { NormalizerInbox, normalizer } from "../../../actors/normalizer/normalizer.ts";

const instrument: Instrument = {
  exchange: "kraken",
  native_symbol: "BTC/USD",
  base_asset: "BTC",
  quote_asset: "USD",
  status: "online",
  rest_names: [],
};

function wire(trade_id: string): WireTrade {
  return {
    native_symbol: "BTC/USD",
    trade_id,
    side: "BUY",
    price: "1.0",
    quantity: "2",
    timestamp: 1_000_000 + Number(trade_id),
    vendor_data: {},
  };
}

function frame(frame_sequence: number, ...trade_ids: readonly string[]): FrameTrades {
  return {
    type: "frame_trades",
    source: "STREAM",
    connection_id: "c",
    frame_sequence,
    ingestion_timestamp: 5_000_000,
    trades: trade_ids.map(wire),
  };
}

/** One symbol's normalizer and what outlives it. `crashes` holds ids and how often each crashes. */
function createRig(crashes: ReadonlyMap<string, number> = new Map()) {
  const left = new Map(crashes);
  const trades: Trade[] = [];
  const letters: DeadLetter[] = [];
  const inbox = new NormalizerInbox();
  const continuity = new Continuity({
    exchange: "kraken",
    native_symbol: "BTC/USD",
    are_ids_dense: false,
    gap_grace_ms: 1_000,
    positions: { mark: () => 0, settled_through: 0 },
    emit: () => {},
    now_us: () => 0,
    now_ms: () => 0,
    restored: null,
  });
  let current: Instrument | undefined = instrument;
  const sink = {
    addTrade(trade: Trade) {
      const crashes_left = left.get(trade.trade_id) ?? 0;
      left.set(trade.trade_id, crashes_left - 1);
      if (crashes_left > 0) throw new Error(`Cannot take ${trade.trade_id}`);
      trades.push(trade);
    },
    addDeadLetter: (letter: DeadLetter) => letters.push(letter),
  };
  function start() {
    const report: Report = { state: "starting", pid: null, figures: {} };
    const exits: Exit[] = [];
    const errors: unknown[] = [];
    let ready_count = 0;
    const incarnation = {
      path: "k2/test",
      signal: new AbortController().signal,
      report,
      ready: () => {
        ready_count += 1;
      },
      exit: (exit: Exit) => exits.push(exit),
    };
    const actor = createActor(normalizer, {
      input: {
        incarnation,
        exchange: "kraken",
        native_symbol: "BTC/USD",
        instrument: () => current,
        sink,
        inbox,
        continuity,
      },
    });
    actor.subscribe({ error: (error) => errors.push(error) });
    actor.start();
    return { actor, report, exits, errors, ready_count: () => ready_count };
  }
  return {
    start,
    trades,
    letters,
    inbox,
    continuity,
    /** Ids that are missing, as ranges. */
    missing: () => continuity.state()?.gaps.flatMap(({ remaining }) => remaining),
    setInstrument: (next: Instrument | undefined) => {
      current = next;
    },
  };
}

const ids = (trades: readonly Trade[]) => trades.map(({ trade_id }) => trade_id);

test("normalizer gives every trade of every frame to the sink, in order", () => {
  const rig = createRig();
  const { actor, report, ready_count } = rig.start();
  expect(ready_count()).toBe(1);
  actor.send(frame(0, "1", "2"));
  actor.send(frame(1));
  actor.send(frame(2, "3"));
  expect(ids(rig.trades)).toEqual(["1", "2", "3"]);
  expect(rig.trades[2]).toMatchObject({ symbol: "BTC/USD", frame_sequence: 2, source: "STREAM" });
  expect(report).toMatchObject({
    state: "normalizing",
    pid: null,
    figures: {
      trades_total: 3,
      dead_lettered_total: 0,
      last_trade_id: "3",
      last_timestamp: 1_000_003,
      contiguous_id: 3,
      duplicates_total: 0,
      gaps_open: 0,
      ids_missing: 0,
      oldest_gap_at: null,
    },
  });
});

test("normalizer counts what is known or long before the coverage, and does not send it", () => {
  const rig = createRig();
  const { actor, report } = rig.start();
  actor.send(frame(0, "5000", "5001"));
  actor.send(frame(1, "5001", "5002", "5002", "17"));
  expect(ids(rig.trades)).toEqual(["5000", "5001", "5002"]);
  expect(report.figures).toMatchObject({
    trades_total: 3,
    duplicates_total: 2,
    before_coverage_total: 1,
    contiguous_id: 5_002,
  });
});

test("normalizer sends a trade whose id is beyond what a number holds", () => {
  const rig = createRig();
  const { actor, report } = rig.start();
  actor.send(frame(0, "9223372036854775807", "9223372036854775807"));
  expect(rig.trades).toHaveLength(2);
  expect(report.figures).toMatchObject({ unsequenced_total: 2 });
  expect(rig.continuity.state()).toBeNull();
});

test("normalizer tells the continuity how far the exchange is", () => {
  const rig = createRig();
  const { actor, report } = rig.start();
  actor.send(frame(0, "1", "2"));
  actor.send({ type: "symbol_progressed", trade_id: "1", timestamp: 9_000_000 });
  expect(rig.continuity.confirmable()?.through_timestamp).toBe(1_000_002);
  actor.send({ type: "symbol_progressed", trade_id: "2", timestamp: 9_000_000 });
  expect(rig.continuity.confirmable()?.through_timestamp).toBe(9_000_000);
  expect(report.figures.through_at).toBe("1970-01-01T00:00:09.000Z");
});

test("normalizer that crashed after the sink had taken a trade does not send it again", () => {
  const rig = createRig();
  const observe = rig.continuity.observe.bind(rig.continuity);
  let crashes_left = 1;
  rig.continuity.observe = (trade) => {
    if (trade.trade_id === "2" && crashes_left > 0) {
      crashes_left -= 1;
      throw new Error("observe");
    }
    observe(trade);
  };
  rig.start().actor.send(frame(0, "1", "2", "3"));
  expect(ids(rig.trades)).toEqual(["1", "2"]);
  rig.start();
  expect(ids(rig.trades)).toEqual(["1", "2", "3"]);
  expect(rig.missing()).toEqual([]);

  crashes_left = 2;
  rig.continuity.observe = (trade) => {
    if (trade.trade_id === "5" && crashes_left > 0) {
      crashes_left -= 1;
      throw new Error("observe");
    }
    observe(trade);
  };
  rig.start().actor.send(frame(1, "4", "5", "6"));
  rig.start();
  rig.start();
  expect(ids(rig.trades)).toEqual(["1", "2", "3", "4", "5", "6"]);
  expect(rig.letters).toEqual([]);
  expect(rig.missing()).toEqual([{ from_id: 5, to_id: 5 }]);
});

test("normalizer that crashed tries the item again, and loses and doubles nothing", () => {
  const rig = createRig(new Map([["2", 1]]));
  const first = rig.start();
  first.actor.send(frame(0, "1", "2", "3"));
  expect(first.errors).toHaveLength(1);
  expect(ids(rig.trades)).toEqual(["1"]);

  const second = rig.start();
  expect(second.errors).toEqual([]);
  expect(ids(rig.trades)).toEqual(["1", "2", "3"]);
  expect(rig.letters).toEqual([]);
  expect(second.report.figures.trades_total).toBe(3);
  second.actor.send(frame(1, "4"));
  expect(ids(rig.trades)).toEqual(["1", "2", "3", "4"]);
});

test("normalizer gives up an item that crashed it twice, and goes on with the next", () => {
  const rig = createRig(new Map([["2", 99]]));
  rig.start().actor.send(frame(0, "1", "2", "3"));
  expect(rig.start().errors).toHaveLength(1);
  const third = rig.start();
  expect(third.errors).toEqual([]);
  expect(ids(rig.trades)).toEqual(["1", "3"]);
  expect(rig.letters).toHaveLength(1);
  const [letter] = rig.letters;
  expect(letter).toMatchObject({
    exchange: "kraken",
    native_symbol: "BTC/USD",
    connection_id: "c",
    frame_sequence: 0,
    reason: "normalizer_crashed",
    topic: null,
  });
  expect(JSON.parse(Buffer.from(letter!.payload).toString())).toEqual(wire("2"));
  expect(third.report.figures).toMatchObject({ trades_total: 2, dead_lettered_total: 1 });
  expect(rig.missing()).toEqual([{ from_id: 2, to_id: 2 }]);
});

test("normalizer gives each of several bad items its own two tries", () => {
  const rig = createRig(
    new Map([
      ["1", 99],
      ["2", 1],
      ["3", 99],
    ]),
  );
  rig.start().actor.send(frame(0, "1", "2", "3", "4"));
  for (let restart = 0; restart < 5; restart += 1) rig.start();
  expect(ids(rig.trades)).toEqual(["2", "4"]);
  expect(rig.letters).toHaveLength(2);
});

test("normalizer takes the names of the newest instrument", () => {
  const rig = createRig();
  const { actor } = rig.start();
  actor.send(frame(0, "1"));
  rig.setInstrument({ ...instrument, base_asset: "XBT2" });
  actor.send(frame(1, "2"));
  expect(rig.trades.map(({ symbol }) => symbol)).toEqual(["BTC/USD", "XBT2/USD"]);
});

test("normalizer crashes on a trade whose instrument nobody knows", () => {
  const rig = createRig();
  rig.setInstrument(undefined);
  const { actor, errors } = rig.start();
  actor.send(frame(0, "1"));
  expect(String(errors[0])).toContain("kraken BTC/USD: its instrument is not known");
});

test("normalizer ends at once when it is told to stop", () => {
  const rig = createRig();
  const { actor, exits } = rig.start();
  actor.send(frame(0, "1"));
  actor.send({ type: "stop" });
  expect(exits).toEqual([{ kind: "normal" }]);
  expect(ids(rig.trades)).toEqual(["1"]);
});
