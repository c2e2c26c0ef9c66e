/**
 * Goal: every adapter reads what its exchange really sends, survives what it never should, and
 * never makes a wrong trade of it.
 * Method: recorded and documented frames with expected values; then every one of them cut short,
 * every leaf replaced, and single characters changed, each result judged by an oracle that reads
 * the text with the engine's own parser. An exchange is covered by being registered.
 */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Glob } from "bun";
import {
  exchangeNamed,
  exchanges,
  type Frame,
  reject_reasons,
} from "../../../actors/exchanges/mod.ts";
import type { WireTrade } from "../../../actors/messages.ts";
import { createRandom, fixtureFrames } from "../../fixtures/frames.ts";

describe.each(exchanges.map((adapter) => [adapter.exchange, adapter] as const))(
  "%s",
  (exchange, adapter) => {
    const fixtures = fixtureFrames(exchange);

    test.each(fixtures.map(({ frame, expected }) => [frame, expected] as const))(
      "parse() reads %s",
      (frame, expected) => {
        expect(adapter.parse(frame)).toEqual(expected);
      },
    );

    test("parse() reads a usual frame as it reads an unusual one", () => {
      for (const { frame, expected } of fixtures) {
        // White space in front is JSON all the same, and not what the exchange sends.
        expect(adapter.parse(`\n${frame}`)).toEqual(expected);
        expect(adapter.parse(reversed(frame))).toEqual(expected);
      }
    });

    test("parse() tolerates unknown members, which may look like known ones", () => {
      const decoy =
        '"note":"\\",\\"price\\":1,\\"p\\":\\"1\\",\\"qty\\":2","more":{"price":1,"p":"1"},';
      for (const { frame, expected } of fixtures) {
        const tempting = frame.replaceAll("{", `{${decoy}`).replaceAll(",}", "}");
        if (expected.kind === "trades") expect(adapter.parse(tempting)).toEqual(expected);
      }
    });

    test("parse() calls a truncated frame unreadable, and never throws", () => {
      for (const { frame } of fixtures) {
        for (let length = 0; length < frame.length; length += 1) {
          expect(adapter.parse(frame.slice(0, length))).toEqual({
            kind: "unreadable",
            reason: "not_json",
          });
        }
      }
    });

    test("parse() never makes a wrong trade of a frame with a leaf replaced", () => {
      const replacements = [null, true, "", "x", -1, 0, 1.5, 1e300, [], {}, [[]], { a: 1 }];
      for (const { frame, expected } of fixtures) {
        for (const replacement of replacements) {
          for (const damaged of withEachLeaf(JSON.parse(frame), replacement)) {
            const text = JSON.stringify(damaged);
            const result = adapter.parse(text);
            expectClosedReasons(result);
            expectTruth(exchange, text, result);
            if (expected.kind !== "trades" || result.kind !== "trades") continue;
            const items_count = result.trades.length + result.rejects.length;
            expect(items_count).toBe(expected.trades.length + expected.rejects.length);
          }
        }
      }
    });

    test("parse() never makes a wrong trade of a frame with characters changed", () => {
      const random = createRandom(3);
      const alphabet = '0123456789.-+eE"{}[]:, \\tfn/Za\u0660\n\u00e9';
      const frames = fixtures.filter(({ expected }) => expected.kind === "trades");
      let trades_count = 0;
      for (let round = 0; round < 40_000; round += 1) {
        const { frame } = frames[random(frames.length)]!;
        const at = random(frame.length);
        const put = alphabet.charAt(random(alphabet.length)).repeat(random(3));
        const text = frame.slice(0, at) + put + frame.slice(at + random(3));
        const result = adapter.parse(text);
        expectTruth(exchange, text, result);
        expect(adapter.parse(`\n${text}`)).toEqual(result);
        if (result.kind === "trades") trades_count += result.trades.length;
      }
      expect(trades_count).toBeGreaterThan(1000);
    });

    test("parse() and its like survive any text", () => {
      const texts = ["", "null", "0", '""', "[]", "{}", "[{}]", "\ud800", "\0", "[".repeat(1e5)];
      for (const text of [...texts, `${'{"data":'.repeat(5000)}1${"}".repeat(5000)}`]) {
        expectClosedReasons(adapter.parse(text));
        expect(["trades", "unreadable", "refused"]).toContain(
          adapter.parsePage(text, text, []).kind,
        );
        expect(["instruments", "unreadable"]).toContain(adapter.parseInstruments(text).kind);
      }
    });

    test("subscribe() asks for every symbol once, in requests of its own numbers", () => {
      const symbols = Array.from({ length: 1500 }, (_, index) => `AAA${index}/USD`);
      const requests = adapter.subscribe(symbols, 7);
      expect(requests.flatMap(({ native_symbols }) => native_symbols)).toEqual(symbols);
      expect(requests.map(({ request_id }) => request_id)).toEqual(requests.map((_, i) => i + 7));
      for (const { request_id, text, native_symbols } of requests) {
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
        expect(text).toContain(String(request_id));
        for (const symbol of native_symbols) expect(text.toUpperCase()).toContain(symbol);
      }
      expect(adapter.subscribe([], 1)).toEqual([]);
    });
  },
);

test("exchangeNamed() finds by exact name", () => {
  expect(exchangeNamed("kraken")?.exchange).toBe("kraken");
  expect(exchangeNamed("Kraken")).toBeUndefined();
});

test("adapters import nothing that has to be installed, and no actor", async () => {
  const folder = join(import.meta.dir, "../../../actors/exchanges");
  for await (const file of new Glob("*.ts").scan(folder)) {
    // The one file of the folder that is no adapter: it touches the disk, with what Bun brings.
    if (file === "instrument_cache.ts") continue;
    const text = await Bun.file(join(folder, file)).text();
    for (const [, from = ""] of text.matchAll(/from "([^"]+)"/g)) {
      expect([file, from]).toEqual([
        file,
        expect.stringMatching(/^(\.\/[a-z_]+|\.\.\/messages|\.\.\/settings\/[a-z_]+)\.ts$/),
      ]);
    }
  }
});

function expectClosedReasons(frame: Frame): void {
  if (frame.kind === "unreadable") expect(reject_reasons).toContain(frame.reason);
  if (frame.kind !== "trades") return;
  for (const { reason } of frame.rejects) expect(reject_reasons).toContain(reason);
}

/** The frame with every object's members in reverse, numbers' texts kept. */
function reversed(frame: string): string {
  const { value, lexemes } = readWithLexemes(frame);
  const text = JSON.stringify(value, (_, member) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).reverse())
      : member,
  );
  return text.replace(/"#(\d+)"/g, (_, index) => lexemes[Number(index)] ?? "");
}

/** The value with each number replaced by "#n", and the numbers' texts. */
function readWithLexemes(text: string): { value: unknown; lexemes: string[] } {
  const lexemes: string[] = [];
  function keep(_: string, value: unknown, context?: { readonly source?: string }): unknown {
    if (typeof value !== "number") return value;
    return `#${lexemes.push(context?.source ?? "") - 1}`;
  }
  const value: unknown = JSON.parse(text, keep as never);
  return { value, lexemes };
}

/** Where each exchange puts a trade's fields, written down a second time. */
const oracles: Record<string, (root: Members) => readonly (readonly unknown[])[]> = {
  binance: (root) => {
    const event = (root.stream === undefined ? root : root.data) as Members;
    return [[event.s, event.t, event.m === true ? "SELL" : "BUY", event.p, event.q, event.T]];
  },
  kraken: ({ data }) =>
    (data as readonly Members[]).map((item) => [
      item?.symbol,
      item?.trade_id,
      String(item?.side).toUpperCase(),
      item?.price,
      item?.qty,
      item?.timestamp,
    ]),
};
type Members = Readonly<Record<string, unknown>>;

/** Each trade must be an item of the frame, with its very digits. */
function expectTruth(exchange: string, text: string, result: Frame): void {
  if (result.kind !== "trades") return;
  const { value, lexemes } = readWithLexemes(text);
  const items = oracles[exchange]!(value as Members).map((item) =>
    item.map((field) => {
      const index = /^#(\d+)$/.exec(String(field))?.[1];
      return index === undefined ? field : lexemes[Number(index)];
    }),
  );
  const read = result.trades.map((trade: WireTrade) => [
    trade.native_symbol,
    trade.trade_id,
    trade.side,
    trade.price,
    trade.quantity,
    trade.timestamp,
  ]);
  for (const trade of read) {
    expect(items.some((item) => isSameTrade(item, trade))).toBe(true);
    expect(BigInt(String(trade[1])) >= 0n && BigInt(String(trade[1])) < 2n ** 63n).toBe(true);
  }
}

function isSameTrade(item: readonly unknown[], trade: readonly unknown[]): boolean {
  return trade.every((field, index) => {
    if (index < 3) return field === item[index];
    if (index < 5) return unscaled(String(field)) === unscaled(String(item[index]));
    return Number.isSafeInteger(field) && Math.floor(Number(field) / 1000) === millis(item[index]);
  });
}

/** Whole milliseconds of a time, by the engine's own reading where it is a text. */
function millis(time: unknown): number {
  const text = String(time);
  if (!/^\d+$/.test(text)) return Date.parse(text);
  return text.length === 13 ? Number(text) : Math.floor(Number(text) / 1000);
}

/** The value in units of 10^-400, so that any exponent that a mutation can make is exact. */
function unscaled(lexeme: string): bigint | undefined {
  const match = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(lexeme);
  if (match === null) return undefined;
  const [, whole = "", fraction = "", exponent = "0"] = match;
  const power = 400 - fraction.length + Number(exponent);
  return power < 0 ? undefined : BigInt(whole + fraction) * 10n ** BigInt(Math.min(power, 5000));
}

/** Copies of `value`, each with one leaf replaced. */
function* withEachLeaf(value: unknown, replacement: unknown): Generator<unknown> {
  if (typeof value !== "object" || value === null) {
    yield replacement;
    return;
  }
  for (const [key, child] of Object.entries(value)) {
    for (const damaged of withEachLeaf(child, replacement)) {
      yield Array.isArray(value) ? value.with(Number(key), damaged) : { ...value, [key]: damaged };
    }
  }
}
