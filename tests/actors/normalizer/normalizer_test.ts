/**
 * Goal: every trade that a normalizer was given reaches the sink once and in order, whatever
 * crashes; an item that crashes it twice becomes a dead letter and harms no neighbor.
 * Method: the real actor with a sink that throws on chosen trades, restarted by hand as a
 * supervisor would, with the same inbox.
 */

import { expect, test } from "bun:test";
import { createActor } from "xstate";
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
  expect(report).toEqual({
    state: "normalizing",
    pid: null,
    figures: {
      trades_total: 3,
      dead_lettered_total: 0,
      last_trade_id: "3",
      last_timestamp: 1_000_003,
    },
  });
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
