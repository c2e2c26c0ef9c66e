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

function tree(imports: number, backfiller: Figures = {}): StatusNode {
  return node("k2", {}, [
    node("k2/feed/exchanges/kraken/normalizers/BTC/USD", { imports }),
    node("k2/feed/exchanges/kraken/backfiller", backfiller),
  ]);
}

function watch(is_terminal: "terminal" | "file") {
  let now_ms = 0;
  let text = "";
  const progress = createImportProgress({
    exchange: "kraken",
    native_symbol: "BTC/USD",
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
      return [progress.show(shown), text] as const;
    },
  };
}

function half(remaining: number): Figures {
  return { import_symbol: "BTC/USD", import_ids_total: 1_000, import_ids_remaining: remaining };
}

test("a line every ten percent with an estimate, then how long it took", () => {
  const { show } = watch("file");
  expect(show(node("k2", {}), 0)).toEqual(["running", ""]);
  const quarter = "backfill kraken BTC/USD: 25 %, about 30 s left\n";
  expect(show(tree(1, half(750)), 10_000)).toEqual(["running", quarter]);
  expect(show(tree(1, half(745)), 10_500)).toEqual(["running", ""]);
  expect(show(tree(0), 40_000)).toEqual(["done", "backfill kraken BTC/USD: done in 40 s\n"]);
});

test("a bar on a terminal, on one line", () => {
  const [, text] = watch("terminal").show(tree(1, half(500)), 60_000);
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
