/**
 * Goal: every registered exchange's adapter reads what the exchange really sends, survives what it
 * never should, never makes a wrong trade of it, and asks for pages that hold what was wanted.
 * Method: recorded and documented frames and pages with expected values; then every one of them
 * cut short, every leaf replaced, and single characters changed, each result judged by an oracle
 * that reads the text with the engine's own parser. An exchange is covered by being registered.
 */

import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import type { PageStart } from "../../../actors/exchanges/adapter.ts";
import {
  exchangeNamed,
  exchanges,
  type Frame,
  type Page,
  reject_reasons,
} from "../../../actors/exchanges/mod.ts";
import type { Instrument, WireTrade } from "../../../actors/messages.ts";
import {
  createRandom,
  fixtureExchanges,
  fixtureFrames,
  fixtureOracle,
  fixturePages,
  fixtureText,
  type Members,
  type Oracle,
} from "../../fixtures/frames.ts";

/** What a leaf is replaced by; undefined takes its member away. */
const replacements = [undefined, true, "", "x", -1, 0, 1.5, 1e300, [], {}, [[]], { a: 1 }];
/** By exchange. */
const oracles = new Map<string, Oracle>();
for (const { exchange } of exchanges) oracles.set(exchange, await fixtureOracle(exchange));
const not_json = { kind: "unreadable", reason: "not_json" } as const;

describe.each(exchanges.map((adapter) => [adapter.exchange, adapter] as const))(
  "%s frames",
  (exchange, adapter) => {
    const fixtures = fixtureFrames(exchange);
    const with_trades = fixtures.filter(({ expected }) => expected.kind === "trades");

    test.each(fixtures.map(({ frame, expected }) => [frame, expected] as const))(
      "parse() reads %s",
      (frame, expected) => {
        expect(adapter.parse(frame)).toEqual(expected);
      },
    );

    test("are recordings, with trades among them", () => {
      const recorded = with_trades.filter(({ origin }) => origin === "recorded");
      expect(recorded.length).toBeGreaterThan(1);
      expect(fixtures.some(({ expected }) => expected.kind === "unreadable")).toBe(false);
    });

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
      for (const { frame, expected } of with_trades) {
        const tempting = frame.replaceAll("{", `{${decoy}`).replaceAll(",}", "}");
        expect(adapter.parse(tempting)).toEqual(expected);
      }
    });

    test("parse() calls a truncated frame unreadable, and never throws", () => {
      for (const { frame } of fixtures) {
        for (let length = 0; length < frame.length; length += 1) {
          expect(adapter.parse(frame.slice(0, length))).toEqual(not_json);
        }
      }
    });

    test("parse() reads the same trade or none from a frame with a leaf set to null", () => {
      for (const { frame, expected } of fixtures) {
        for (const text of withEachLeaf(frame, null)) {
          expectSameOrLess(adapter.parse(text), expected);
        }
      }
    });

    test("parse() never makes a wrong trade of a frame with a leaf replaced", () => {
      for (const { frame, expected } of fixtures) {
        for (const replacement of replacements) {
          for (const text of withEachLeaf(frame, replacement)) {
            const result = adapter.parse(text);
            expectClosedReasons(result);
            expectTruth(exchange, text, result);
            if (expected.kind !== "trades" || result.kind !== "trades") continue;
            expect(itemsCount(result)).toBe(itemsCount(expected));
          }
        }
      }
    });

    test("parse() never makes a wrong trade of a frame with characters changed", () => {
      const random = createRandom(3);
      const alphabet = '0123456789.-+eE"{}[]:, \\tfn/Za\u0660\n\u00e9';
      let trades_count = 0;
      for (let round = 0; round < 40_000; round += 1) {
        const { frame } = with_trades[random(with_trades.length)]!;
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
        expect(adapter.pingTime(text)).toBeNull();
        expect(adapter.rest.parseTime(text)).toBeNull();
      }
    });
  },
);

describe.each(exchanges.map((adapter) => [adapter.exchange, adapter] as const))(
  "%s requests",
  (_, { session, ...adapter }) => {
    test.each(["subscribe", "unsubscribe"] as const)(
      "%s() names every symbol once, in requests of its own numbers",
      (method) => {
        const symbols = Array.from({ length: 1500 }, (_, index) => `AAA${index}/USD`);
        const requests = adapter[method](symbols, 7);
        expect(requests.flatMap(({ native_symbols }) => native_symbols)).toEqual(symbols);
        expect(requests.map(({ request_id }) => request_id)).toEqual(requests.map((_, i) => i + 7));
        for (const { text, native_symbols } of requests) {
          expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
          expect(text.toLowerCase()).toContain(`"${method}"`);
          for (const symbol of native_symbols) expect(text.toUpperCase()).toContain(symbol);
        }
        expect(adapter[method]([], 1)).toEqual([]);
      },
    );

    test("a full socket is subscribed before a symbol may be called silent", () => {
      const symbols = Array.from({ length: session.symbols_max }, (_, index) => `AAA${index}-USD`);
      const requests_count = adapter.subscribe(symbols, 1).length;
      expect(requests_count * session.request_interval_ms).toBeLessThanOrEqual(
        session.silence_ms_max,
      );
    });

    test("limits are numbers that something can be done with", () => {
      for (const { weight_max, window_ms } of [session.attempts, ...adapter.rest.budgets]) {
        expect(weight_max).toBeGreaterThan(0);
        expect(window_ms).toBeGreaterThan(0);
      }
      const { page_weight, instruments_weight, time_weight, budgets } = adapter.rest;
      expect(budgets.length).toBeGreaterThan(0);
      for (const weight of [page_weight, instruments_weight, time_weight]) {
        expect(weight).toBeGreaterThan(0);
        for (const { weight_max } of budgets) expect(weight).toBeLessThanOrEqual(weight_max);
      }
    });
  },
);

describe.each(exchanges.map((adapter) => [adapter.exchange, adapter] as const))(
  "%s pages",
  (exchange, adapter) => {
    const fixtures = fixturePages(exchange);
    const listed = adapter.parseInstruments(fixtureText(exchange, "instruments.json"));
    const instruments = listed.kind === "instruments" ? listed.instruments : [];
    const start: PageStart = { after_id: 1_000, after_timestamp: 1e15 + 123, cursor: null };
    const rest_url = "http://127.0.0.1:1/base";
    const { rest } = adapter;

    test("parseInstruments() reads the exchange's list", () => {
      expect(instruments.length).toBeGreaterThan(1);
      for (const listed_one of instruments) {
        expect(listed_one.exchange).toBe(exchange);
        expect(listed_one.base_asset).not.toBe("");
        expect(listed_one.quote_asset).not.toBe("");
        expect(adapter.isTradable(listed_one.status)).toBe(true);
      }
      expect(instruments.some(({ status }) => !adapter.isHalted(status))).toBe(true);
      for (const status of ["", "no such status"]) {
        expect([adapter.isTradable(status), adapter.isHalted(status)]).toEqual([false, false]);
      }
    });

    test.each(fixtures.map(({ page, request, expected }) => [page, request, expected] as const))(
      "parsePage() reads %s",
      (page, request, expected) => {
        expect(adapter.parsePage(page, request, instruments)).toEqual(expected);
        expect(adapter.parsePage(reversed(page), request, instruments)).toEqual(expected);
      },
    );

    test("parsePage() calls a truncated page unreadable, and never throws", () => {
      for (const { page, request } of fixtures) {
        for (let length = 0; length < page.length; length += 1) {
          const cut = page.slice(0, length);
          expect(adapter.parsePage(cut, request, instruments)).toEqual(not_json);
        }
      }
    });

    test("parsePage() reads the same trades or fewer from a page with a leaf set to null", () => {
      for (const { page, request, expected } of fixtures) {
        for (const text of withEachLeaf(page, null)) {
          expectSameOrLess(adapter.parsePage(text, request, instruments), expected);
        }
      }
    });

    test("parsePage() survives a page with a leaf replaced", () => {
      for (const { page, request } of fixtures) {
        for (const replacement of replacements) {
          for (const text of withEachLeaf(page, replacement)) {
            const result = adapter.parsePage(text, request, instruments);
            expectClosedReasons(result);
            if (result.kind !== "trades") continue;
            for (const trade of result.trades) expectWellFormed(trade);
          }
        }
      }
    });

    test("parsePage() makes only whole trades of a page with characters changed", () => {
      const random = createRandom(5);
      const alphabet = '0123456789.-+eE"{}[]:, \\tfn/Za\u0660\n\u00e9';
      let trades_count = 0;
      for (let round = 0; round < 10_000; round += 1) {
        const { page, request } = fixtures[random(fixtures.length)]!;
        const at = random(page.length);
        const put = alphabet.charAt(random(alphabet.length)).repeat(random(3));
        const text = page.slice(0, at) + put + page.slice(at + random(3));
        const result = adapter.parsePage(text, request, instruments);
        expectClosedReasons(result);
        if (result.kind !== "trades") continue;
        for (const trade of result.trades) expectWellFormed(trade);
        trades_count += result.trades.length;
      }
      expect(trades_count).toBeGreaterThan(100);
    });

    test("a page that was asked for by pageUrl() is read as its symbol's", () => {
      const pages = fixtures.filter(({ expected }) => expected.kind === "trades");
      expect(pages.length).toBeGreaterThan(0);
      for (const { page, expected } of pages) {
        const native_symbol = expected.kind === "trades" ? expected.trades[0]!.native_symbol : "";
        const instrument = instrumentNamed(native_symbol, instruments);
        for (const url of [
          rest.newestPageUrl(rest_url, instrument),
          rest.pageUrl(rest_url, instrument, start),
        ]) {
          expect(adapter.parsePage(page, `GET ${url}`, instruments)).toEqual(expected);
          // Offline, from what was recorded alone.
          expect(adapter.parsePage(page, `GET ${url}`, [])).toEqual(expected);
        }
      }
    });

    test("a page of instruments or of the time holds no trades", () => {
      const list = fixtureText(exchange, "instruments.json");
      for (const url of [adapter.instrumentsUrl(rest_url), rest.timeUrl(rest_url)]) {
        expect(adapter.parsePage(list, `GET ${url}`, instruments)).toMatchObject({
          kind: "trades",
          trades: [],
          rejects: [],
        });
      }
    });

    test("URLs are of the base, and as long as the page may be", () => {
      const [instrument] = instruments;
      const odd = { ...instrument!, native_symbol: "币/A&B=C#", rest_names: ["币/A&B=C#"] };
      for (const one of [instrument!, odd]) {
        const urls = [rest.newestPageUrl(rest_url, one), rest.pageUrl(rest_url, one, start)];
        for (const url of urls) {
          expect(url.startsWith(`${rest_url}/`)).toBe(true);
          expect(new URL(url).search).toContain(String(rest.page_trades_max));
          expect(new URL(url).href).not.toContain("B=C");
        }
        expect(urls[0]).not.toBe(urls[1]);
      }
      expect(adapter.instrumentsUrl(rest_url).startsWith(`${rest_url}/`)).toBe(true);
      expect(rest.timeUrl(rest_url).startsWith(`${rest_url}/`)).toBe(true);
      expect(adapter.socketUrl("ws://127.0.0.1:1").startsWith("ws://127.0.0.1:1")).toBe(true);
    });

    test("pageUrl() asks by what the exchange finds pages", () => {
      const instrument = instruments[0]!;
      const urlOf = (change: Partial<PageStart>) =>
        rest.pageUrl(rest_url, instrument, { ...start, ...change });
      const by_id = rest.pages_by === "trade_id";
      expect(urlOf({ after_id: 2_000 }) !== urlOf({})).toBe(by_id);
      expect(urlOf({ after_timestamp: 1e15 }) !== urlOf({})).toBe(!by_id);
      if (by_id) {
        expect(urlOf({ after_id: null })).toBe(rest.newestPageUrl(rest_url, instrument));
        // The largest id that is a number still has to be written as digits.
        expect(urlOf({ after_id: 2 ** 53 - 5_000 })).toMatch(/=90071992547\d{5}(?:&|$)/);
      } else {
        const cursor = "1688671969993150842";
        expect([...new URL(urlOf({ cursor })).searchParams.values()]).toContain(cursor);
      }
    });

    test("usedWeight() is null where no header says it", () => {
      expect(rest.usedWeight(new Headers())).toBeNull();
      expect(rest.usedWeight(new Headers({ "x-mbx-used-weight-1m": "many" }))).toBeNull();
    });
  },
);

test("exchanges and fixtures are of each other, each with a word on its sources", () => {
  const names = exchanges.map(({ exchange }) => exchange);
  expect(fixtureExchanges()).toEqual(names);
  for (const name of names) {
    const source = fixtureText(name, "SOURCE.md");
    for (const file of readdirSync(join(import.meta.dir, "../../fixtures", name))) {
      if (file !== "SOURCE.md")
        expect([file, source]).toEqual([file, expect.stringContaining(file)]);
    }
  }
});

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

function instrumentNamed(native_symbol: string, instruments: readonly Instrument[]): Instrument {
  const listed = instruments.find((one) => one.native_symbol === native_symbol);
  return listed ?? { ...instruments[0]!, native_symbol, rest_names: [] };
}

function itemsCount(result: Frame | Page): number {
  return result.kind === "trades" ? result.trades.length + result.rejects.length : 0;
}

/** Every item is the trade it was, what else was said of it aside, or a reject. */
function expectSameOrLess(result: Frame | Page, expected: Frame | Page): void {
  expectClosedReasons(result);
  if (result.kind !== "trades") return;
  if (expected.kind !== "trades") {
    // A refusal or a status without its marks may look like an empty batch, never like a trade.
    expect(result.trades).toEqual([]);
    return;
  }
  for (const trade of result.trades) {
    expect(expected.trades).toContainEqual({ ...trade, vendor_data: expect.anything() });
  }
  expect(itemsCount(result)).toBe(itemsCount(expected));
}

function expectWellFormed(trade: WireTrade): void {
  expect(trade.native_symbol).not.toBe("");
  expect(trade.price).toMatch(/^\d+(\.\d+)?$/);
  expect(trade.quantity).toMatch(/^\d+(\.\d+)?$/);
  expect(["BUY", "SELL"]).toContain(trade.side);
  expect(Number.isSafeInteger(trade.timestamp)).toBe(true);
  expect(BigInt(trade.trade_id) >= 0n && BigInt(trade.trade_id) < 2n ** 63n).toBe(true);
}

function expectClosedReasons(result: Frame | Page): void {
  if (result.kind === "unreadable") expect(reject_reasons).toContain(result.reason);
  if (result.kind !== "trades") return;
  for (const { reason } of result.rejects) expect(reject_reasons).toContain(reason);
}

/** The text with every object's members in reverse, numbers' texts kept. */
function reversed(frame: string): string {
  const { value, lexemes } = readWithLexemes(frame);
  const text = JSON.stringify(value, (_, member) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).reverse())
      : member,
  );
  return withLexemes(text, lexemes);
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

function withLexemes(text: string, lexemes: readonly string[]): string {
  return text.replace(/"#(\d+)"/g, (_, index) => lexemes[Number(index)] ?? "");
}

/** Each trade must be an item of the frame, with its very digits. */
function expectTruth(exchange: string, text: string, result: Frame): void {
  if (result.kind !== "trades") return;
  const { value, lexemes } = readWithLexemes(text);
  const items = oracles.get(exchange)!(value as Members).map((item) =>
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

/** Copies of a JSON text, each with one leaf replaced, all other numbers' texts kept. */
function* withEachLeaf(text: string, replacement: unknown): Generator<string> {
  const { value, lexemes } = readWithLexemes(text);
  for (const damaged of valuesWithEachLeaf(value, replacement)) {
    yield withLexemes(JSON.stringify(damaged) ?? "", lexemes);
  }
}

function* valuesWithEachLeaf(value: unknown, replacement: unknown): Generator<unknown> {
  if (typeof value !== "object" || value === null) {
    yield replacement;
    return;
  }
  for (const [key, child] of Object.entries(value)) {
    for (const damaged of valuesWithEachLeaf(child, replacement)) {
      yield Array.isArray(value) ? value.with(Number(key), damaged) : { ...value, [key]: damaged };
    }
  }
}
