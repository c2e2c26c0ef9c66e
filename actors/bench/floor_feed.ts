/**
 * The floor of a feed: the same sockets, subscribed the same way, and of each message no more than
 * `JSON.parse`. No program in this language reads a feed for less.
 *
 * @module
 */

import { openSocket } from "../connection/socket.ts";
import type { ExchangeAdapter } from "../exchanges/mod.ts";
import type { ExchangeSettings } from "../settings/settings.ts";

/** Sockets that are read. */
interface FloorFeed {
  /** Messages parsed so far. */
  readonly frames: () => number;
  close(): void;
}

/** Opens the sockets of these exchanges, one for each group of symbols that one may carry. */
export function openFloorFeed(
  exchanges: readonly { readonly settings: ExchangeSettings; readonly adapter: ExchangeAdapter }[],
): FloorFeed {
  let frames = 0;
  function read(text: string): void {
    try {
      if (JSON.parse(text) !== undefined) frames += 1;
    } catch {
      // A frame that is not JSON costs the floor its attempt, too.
    }
  }
  const closers = exchanges.flatMap(({ settings: { native_symbols, ws_url }, adapter }) => {
    const { symbols_max } = adapter.session;
    const opened: (() => void)[] = [];
    for (let from = 0; from < native_symbols.length; from += symbols_max) {
      const symbols = native_symbols.slice(from, from + symbols_max);
      opened.push(openOne(adapter, { url: adapter.socketUrl(ws_url), symbols, read }));
    }
    return opened;
  });
  return {
    frames: () => frames,
    close() {
      for (const close of closers) close();
    },
  };
}

function openOne(
  adapter: ExchangeAdapter,
  options: {
    readonly url: string;
    readonly symbols: readonly string[];
    readonly read: (text: string) => void;
  },
): () => void {
  const { url, symbols, read } = options;
  const timers: ReturnType<typeof setTimeout>[] = [];
  const socket = openSocket(url, {
    opened() {
      adapter.subscribe(symbols, 1).forEach(({ text }, index) => {
        const wait_ms = index * adapter.session.request_interval_ms;
        timers.push(setTimeout(() => socket.send(text), wait_ms));
      });
    },
    text: read,
    binary: ignore,
    pinged: ignore,
    closed: ignore,
  });
  return () => {
    for (const timer of timers) clearTimeout(timer);
    socket.close();
  };
}

function ignore(): void {}
