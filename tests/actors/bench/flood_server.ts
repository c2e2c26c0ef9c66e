/**
 * An exchange that sends each socket the same trades as fast as it is read, once it is subscribed,
 * and then says nothing more. It speaks just enough of Binance's and Kraken's protocols.
 *
 * @module
 */

import type { ServerWebSocket } from "bun";

/** Where one socket stands in its frames. */
interface Progress {
  readonly frames: readonly string[];
  next: number;
}

/** Trades of one symbol of each exchange, with consecutive ids but for those left out. */
export function floodFrames(count: number, left_out: readonly number[] = []) {
  const ids = Array.from({ length: count }, (_, index) => index).filter(
    (index) => !left_out.includes(index),
  );
  return {
    binance: ids.map(
      (index) =>
        `{"stream":"btcusdt@trade","data":{"e":"trade","E":1787746340684000,"s":"BTCUSDT",` +
        `"t":${6_621_701_993 + index},"p":"${78_000 + (index % 997)}.${digitsOf(index, 2)}000000",` +
        `"q":"0.${digitsOf(index * 31, 5)}100",` +
        `"T":${1_787_746_340_684_000 + index},"m":true,"M":true}}`,
    ),
    kraken: ids.map(
      (index) =>
        `{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell",` +
        `"price":${78_000 + (index % 997)}.${digitsOf(index, 1)},` +
        `"qty":0.${digitsOf(index * 31, 7)}5,"ord_type":"limit",` +
        `"trade_id":${105_994_519 + index},"timestamp":"2026-08-26T11:34:06.${digitsOf(index, 6)}Z"}]}`,
    ),
  };
}

/** Digits that differ from trade to trade: equal texts are read faster than real ones. */
function digitsOf(index: number, count: number): string {
  return String((index * 7_919) % 10 ** count).padStart(count, "0");
}

/** Starts it on a free port; `sockets_max`: later sockets are sent no trade. */
export function startFloodServer(
  frames: ReturnType<typeof floodFrames>,
  sockets_max = Number.POSITIVE_INFINITY,
) {
  let sockets = 0;
  function flow(socket: ServerWebSocket<Progress>): void {
    const { data } = socket;
    while (data.next < data.frames.length) {
      const sent = socket.sendText(data.frames[data.next]!);
      data.next += 1;
      // Taken, but the peer is behind: `drain` goes on.
      if (sent === -1) return;
    }
  }
  const server = Bun.serve<Progress>({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request, self) {
      const is_kraken = new URL(request.url).pathname === "/v2";
      const data = { frames: is_kraken ? frames.kraken : frames.binance, next: 0 };
      return self.upgrade(request, { data }) ? undefined : new Response(null, { status: 400 });
    },
    websocket: {
      idleTimeout: 0,
      perMessageDeflate: false,
      open() {
        sockets += 1;
      },
      message(socket, message) {
        const { id, method, params, req_id } = JSON.parse(message.toString());
        if (id !== undefined) socket.sendText(`{"result":null,"id":${id}}`);
        else if (method === "subscribe") {
          for (const symbol of params.symbol) {
            const result = { channel: "trade", snapshot: true, symbol };
            socket.sendText(JSON.stringify({ method, req_id, result, success: true }));
          }
        }
        if (sockets <= sockets_max) flow(socket);
      },
      drain: flow,
    },
  });
  return {
    environment: {
      K2_BINANCE_WS_URL: `ws://127.0.0.1:${server.port}`,
      K2_BINANCE_SYMBOLS: "BTCUSDT",
      K2_KRAKEN_WS_URL: `ws://127.0.0.1:${server.port}/v2`,
      K2_KRAKEN_SYMBOLS: "BTC/USD",
    },
    stop: () => server.stop(true),
  };
}
