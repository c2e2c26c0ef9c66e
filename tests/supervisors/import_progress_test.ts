/**
 * Goal: a person sees how far an import is, how long it may take and why it does not go on.
 * Method: status trees written down, one after the other, on a clock moved by hand.
 */

import { expect, test } from "bun:test";
import type { Figures } from "../../actors/messages.ts";
import type { StatusNode } from "../../actors/status/node.ts";
import { createImportProgress } from "../../supervisors/import_progress.ts";

function node(path: string, figures: Figures, children: readonly StatusNode[] = []): StatusNode {
  return {
    id: path,
    path,
    kind: "worker",
    state: "running",
    since: "2026-11-23T12:00:00.000Z",
    restarts: { total: 0, in_window: 0, max: 0, window_ms: 0 },
    last_exit: null,
    figures,
    children: [...children],
  };
}

const range = { import_from: "2026-11-23T10:00:00.000Z", import_to: "2026-11-23T11:00:00.000Z" };

function tree(imports: number, backfiller: Figures = {}, ids_missing = 0): StatusNode {
  return node("k2", {}, [
    node("k2/feed/exchanges/kraken/normalizers/BTC/USD", { imports, ids_missing }),
    node("k2/feed/exchanges/kraken/backfiller", backfiller),
  ]);
}

function watch(is_terminal: "terminal" | "file") {
  let now_ms = 0;
  let text = "";
  const progress = createImportProgress({
    exchange: "kraken",
    native_symbol: "BTC/USD",
    from_timestamp: Date.parse(range.import_from) * 1_000,
    to_timestamp: Date.parse(range.import_to) * 1_000,
    is_terminal: is_terminal === "terminal",
    write: (more) => {
      text += more;
    },
    now_ms: () => now_ms,
  });
  return {
    show(shown: StatusNode, at_ms: number) {
      now_ms = at_ms;
      text = "";
      const status = progress.show(shown);
      return [status.kind === "failed" ? status.reason : status.kind, text] as const;
    },
  };
}

function half(remaining: number): Figures {
  const import_symbol = "BTC/USD";
  return { ...range, import_symbol, import_ids_total: 1_000, import_ids_remaining: remaining };
}

test("a line every ten percent with an estimate, then how long it took", () => {
  const { show } = watch("file");
  expect(show(node("k2", {}), 0)).toEqual(["running", ""]);
  // A second that passes before the first page is none of the import's.
  expect(show(tree(1, half(1_000)), 1_000)).toEqual(["running", "backfill kraken BTC/USD: 0 %\n"]);
  const quarter = "backfill kraken BTC/USD: 25 %, about 30 s left\n";
  expect(show(tree(1, half(750)), 11_000)).toEqual(["running", quarter]);
  expect(show(tree(1, half(745)), 11_500)).toEqual(["running", ""]);
  expect(show(tree(0), 40_000)).toEqual(["done", "backfill kraken BTC/USD: done in 40 s\n"]);
});

test("a bar on a terminal, on one line", () => {
  const { show } = watch("terminal");
  show(tree(1, half(1_000)), 0);
  const [, text] = show(tree(1, half(500)), 60_000);
  expect(text).toEndWith("[###############---------------] 50 %, about 60 s left");
  expect(text).not.toContain("\n");
});

test("why it does not go on is said once", () => {
  const { show } = watch("file");
  const stuck = tree(1, { last_error: "no answer within 10 s" });
  const [, text] = show(stuck, 0);
  expect(text).toBe("backfill kraken BTC/USD: no answer within 10 s; trying again\n");
  expect(show(stuck, 500)).toEqual(["running", ""]);
});

test("what is refused, and what REST does not show, is a failure that says why", () => {
  const import_refused = "kraken does not list BTC/USD";
  const refused = tree(1, { import_symbol: "BTC/USD", import_refused });
  const reason = "Cannot backfill kraken BTC/USD: kraken does not list BTC/USD";
  expect(watch("file").show(refused, 0)).toEqual([reason, ""]);
  const reasons = { refused_reason: import_refused, last_error: import_refused };
  const of_another = tree(1, { import_symbol: "ETH/USD", import_refused, ...reasons });
  expect(watch("file").show(of_another, 0)).toEqual(["running", ""]);
  const part = tree(0, { ...half(3), import_state: "incomplete" });
  expect(watch("file").show(part, 0)[0]).toContain("is imported but for 3 trades");
  const none = { import_symbol: "BTC/USD", import_state: "incomplete", import_ids_remaining: null };
  expect(watch("file").show(tree(0, none), 0)[0]).toContain("REST shows no trades of that time");
});

test("an earlier import of the symbol is named, and has a share of its own", () => {
  const { show } = watch("file");
  const import_from = "2026-11-23T09:00:00.000Z";
  const name = "backfill kraken BTC/USD:";
  const line = `${name} first the import of ${import_from} to ${range.import_to}, asked earlier\n`;
  const earlier = tree(1, { ...half(200), import_from });
  expect(show(earlier, 10_000)).toEqual(["running", `${line}${name} 80 %\n`]);
  expect(show(earlier, 10_500)).toEqual(["running", ""]);
  const nearly = tree(1, { ...half(100), import_from });
  expect(show(nearly, 20_000)).toEqual(["running", `${name} 90 %, about 10 s left\n`]);
  expect(show(tree(1, half(1_000)), 30_000)).toEqual(["running", `${name} 0 %\n`]);
});

test("open gaps, which are filled first, have a share of their own", () => {
  const { show } = watch("file");
  const name = "backfill kraken BTC/USD:";
  expect(show(tree(1, {}, 400), 0)[1]).toBe(`${name} first its open gaps\n${name} 0 %\n`);
  expect(show(tree(1, {}, 100), 30_000)[1]).toBe(`${name} 75 %, about 10 s left\n`);
  expect(show(tree(1, half(1_000), 1_000), 40_000)[1]).toBe(`${name} 0 %\n`);
});
