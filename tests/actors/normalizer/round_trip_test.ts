/**
 * Goal: frames that are kept as lines give, through `normalize`, the very trades that the live feed
 * made of them: nothing is lost or changed between a socket and a file.
 * Method: the live connections and normalizers against a simulator, whose frames go both ways at
 * once; a page over REST as the backfiller keeps it.
 */

import { expect, test } from "bun:test";
import { unknownInstrument } from "../../../actors/bench/known_instruments.ts";
import { startLiveFeed } from "../../../actors/bench/live_feed.ts";
import { exchanges } from "../../../actors/exchanges/mod.ts";
import type { FrameEntry, RecordSink, Trade } from "../../../actors/messages.ts";
import { FrameLineWriter } from "../../../actors/normalizer/frame_line_writer.ts";
import { createLineNormalizer } from "../../../actors/normalizer/line_normalizer.ts";
import { Budget } from "../../../actors/rest/budget.ts";
import { hostClock } from "../../../actors/settings/clock.ts";
import { startSimulator } from "../../../actors/simulator/server.ts";
import { fixtureText } from "../../fixtures/frames.ts";
import { keepingLog, until } from "../producer/rig.ts";

const native_symbols: Readonly<Record<string, readonly string[]>> = {
  binance: ["BTCUSDT", "ETHUSDT"],
  kraken: ["BTC/USD", "ETH/USD"],
};
const adapters = exchanges.filter(({ exchange }) => exchange in native_symbols);
const known = adapters.map((adapter) => ({
  adapter,
  instruments: native_symbols[adapter.exchange]!.map((symbol) =>
    unknownInstrument(adapter.exchange, symbol),
  ),
}));

function keepLines() {
  let text = "";
  const writer = new FrameLineWriter({
    waiting_max: 2 ** 30,
    onWaiting: () => {},
    write: async (lines) => {
      text += lines;
    },
  });
  return { writer, lines: () => text.trimEnd().split("\n") };
}

test("what is recorded gives, through normalize, the trades of the live feed", async () => {
  const simulator = startSimulator({
    port: 0,
    hostname: "127.0.0.1",
    rate: 2_000,
    seed: 3,
    native_symbols,
  });
  const { writer, lines } = keepLines();
  const live: Trade[] = [];
  const letters: unknown[] = [];
  const sink: RecordSink = {
    openFrames: (session) => writer.openFrames(session),
    addTrade: (trade) => live.push(trade),
    addDeadLetter: (letter) => letters.push(letter),
    addEvent: () => {},
  };
  const feed = startLiveFeed({
    sink,
    log: keepingLog().log,
    now_us: hostClock(),
    exchanges: adapters.map((adapter) => ({
      adapter,
      attempts: new Budget({ rules: [adapter.session.attempts], now_ms: performance.now }),
      settings: {
        exchange: adapter.exchange,
        native_symbols: native_symbols[adapter.exchange]!,
        ws_url: `ws://127.0.0.1:${simulator.port}${adapter.exchange === "kraken" ? "/v2" : ""}`,
        rest_url: "",
      },
    })),
  });
  await until(() => live.length > 2_000);
  feed.stop();
  await simulator.stop();
  await writer.drain();

  const normalizeLine = createLineNormalizer(known);
  const results = lines().map((line, index) => normalizeLine(line, index + 1));
  expect(results.flatMap(({ rejects }) => rejects)).toHaveLength(letters.length);
  // Live, a trade that was had already is not sent again; offline nobody remembers.
  const offline = new Map<string, unknown>();
  for (const trade of results.flatMap(({ trades }) => trades)) {
    if (!offline.has(trade.message_id)) offline.set(trade.message_id, trade);
  }
  expect(offline.size).toBe(live.length);
  expect(new Set(live.map(({ exchange }) => exchange)).size).toBe(2);
  for (const trade of live) expect(offline.get(trade.message_id)).toEqual(trade);
}, 30_000);

test("a page that is kept gives its trades, as backfilled ones", async () => {
  const { writer, lines } = keepLines();
  const request = "GET https://api.kraken.com/0/public/Trades?pair=BTC/USDT&since=0";
  const entry: FrameEntry = {
    frame_sequence: 4,
    direction: "RECEIVED",
    kind: "PAGE",
    request,
    received_us: 1_787_746_340_684_123,
    received_monotonic_ns: 17,
    frame: fixtureText("kraken", "trades_page.json"),
  };
  const session = { exchange: "kraken", connection_id: "kraken-rest-1", url: "https://host" };
  writer.openFrames(session).add(entry);
  await writer.drain();
  const { rejects, trades } = createLineNormalizer(known)(lines()[0]!, 1);
  expect([rejects, trades.length]).toEqual([[], 1_000]);
  expect(trades[0]).toMatchObject({
    source: "BACKFILL",
    connection_id: "kraken-rest-1",
    frame_sequence: 4,
    ingestion_timestamp: entry.received_us,
  });
});
