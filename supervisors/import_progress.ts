/**
 * What a person sees of an import: a bar with an estimate on a terminal, a line every ten percent
 * elsewhere, and why it does not go on. Read off the status tree, which says the same of an import
 * in this process and in a running platform.
 *
 * @module
 */

import { isoTime } from "../actors/figures.ts";
import type { Figures } from "../actors/messages.ts";
import { findNode, type StatusNode } from "../actors/status/node.ts";

/** How far an import is. */
export type ImportStatus =
  | { readonly kind: "running" }
  | { readonly kind: "done" }
  /** It is over, or cannot go on before somebody changes something: one sentence. */
  | { readonly kind: "failed"; readonly reason: string };

/** Shows an import as it goes. */
export interface ImportProgress {
  /** Looks at the tree of a platform that knows of the import; done once it waits for none. */
  show(tree: StatusNode): ImportStatus;
}

const bar_width = 30;
const clear_line = "\r\u001b[2K";

/** Before this share has come, how long it may take is a guess. */
const share_min = 0.02;

/** Makes the progress of one symbol's import. */
export function createImportProgress(options: {
  readonly exchange: string;
  readonly native_symbol: string;
  /** Microseconds since 1970, as it was asked for. */
  readonly from_timestamp: number;
  readonly to_timestamp: number;
  readonly is_terminal: boolean;
  readonly write: (text: string) => void;
  /** Milliseconds, on a clock that only goes forward. */
  readonly now_ms: () => number;
}): ImportProgress {
  const { exchange, native_symbol, from_timestamp, to_timestamp, now_ms } = options;
  const name = `${exchange} ${native_symbol}`;
  const started_ms = now_ms();
  const asked = rangeText(isoTime(from_timestamp), isoTime(to_timestamp));
  let missing_most = 0;
  const teller = createTeller({ ...options, name });

  function end({ import_state, import_symbol, import_ids_remaining }: Figures): ImportStatus {
    if (import_symbol === native_symbol && import_state === "incomplete") {
      // Of an import whose ends REST does not show nobody knows how many trades it has.
      const reason =
        typeof import_ids_remaining === "number"
          ? `${name} is imported but for ${import_ids_remaining} trades, which REST does not show`
          : `Cannot backfill ${name}: REST shows no trades of that time`;
      return { kind: "failed", reason: `${reason}: ask for it again` };
    }
    teller.tell(`done in ${durationText(now_ms() - started_ms)}`);
    return { kind: "done" };
  }
  return {
    show(tree) {
      const normalizer = nodeAt(tree, `exchanges/${exchange}/normalizers/${native_symbol}`);
      const imports = normalizer?.figures.imports;
      if (typeof imports !== "number") return { kind: "running" };
      const backfiller = nodeAt(tree, `exchanges/${exchange}/backfiller`);
      const figures: Readonly<Figures> = backfiller?.figures ?? {};
      if (imports === 0) return end(figures);
      const { import_refused, last_error } = figures;
      const is_ours = figures.import_symbol === native_symbol;
      if (is_ours && typeof import_refused === "string") {
        return { kind: "failed", reason: `Cannot backfill ${name}: ${import_refused}` };
      }
      // What is refused for good, and is not this import, is another symbol's.
      const is_passing = last_error !== figures.refused_reason;
      if (typeof last_error === "string" && is_passing)
        teller.tellNews(`${last_error}; trying again`);
      else if (backfiller?.state === "waiting_for_budget")
        teller.tellNews("waits for room in the request budget");
      const total = Number(is_ours && figures.import_ids_total);
      const missing = Number(normalizer?.figures.ids_missing ?? 0);
      if (total > 0) {
        const shown = rangeText(figures.import_from, figures.import_to);
        const title = shown === asked ? null : `first the import of ${shown}, asked earlier`;
        const remaining = Number(figures.import_ids_remaining);
        teller.tellShare({ title, share: (total - remaining) / total });
      } else if (missing > 0) {
        // Gaps that are open are filled before an import is looked for.
        missing_most = Math.max(missing_most, missing);
        const share = (missing_most - missing) / missing_most;
        teller.tellShare({ title: "first its open gaps", share });
      }
      return { kind: "running" };
    },
  };
}

/** Writes what there is to say, each thing once. */
function createTeller(options: {
  readonly name: string;
  readonly is_terminal: boolean;
  readonly write: (text: string) => void;
  readonly now_ms: () => number;
}) {
  const { name, is_terminal, write, now_ms } = options;
  let news: string | null = null;
  let told_tenth = -1;
  // What an earlier run has fetched says nothing of how fast this one is.
  let begun: { readonly title: string | null; readonly share: number; readonly at_ms: number } = {
    title: null,
    share: Number.NaN,
    at_ms: 0,
  };

  function tell(line: string): void {
    write(`${is_terminal ? clear_line : ""}backfill ${name}: ${line}\n`);
  }
  return {
    tell,
    tellNews(line: string): void {
      if (line !== news) tell(line);
      news = line;
    },
    /** @param of.title Of an import that is another than the one that was asked for. */
    tellShare({ title, share }: { readonly title: string | null; readonly share: number }): void {
      if (Number.isNaN(begun.share) || title !== begun.title) {
        begun = { title, share, at_ms: now_ms() };
        told_tenth = -1;
        if (title !== null) tell(title);
      }
      const fetched = share - begun.share;
      const left_ms = ((now_ms() - begun.at_ms) / fetched) * (1 - share);
      const left = fetched < share_min ? "" : `, about ${durationText(left_ms)} left`;
      const percent = `${Math.floor(share * 100)} %`;
      const tenth = Math.floor(share * 10);
      if (is_terminal) {
        const full = Math.round(share * bar_width);
        const bar = "#".repeat(full) + "-".repeat(bar_width - full);
        write(`${clear_line}backfill ${name} [${bar}] ${percent}${left}`);
      } else if (tenth > told_tenth) {
        told_tenth = tenth;
        tell(`${percent}${left}`);
      }
    },
  };
}

/** As the backfiller shows it. */

function rangeText(from: unknown, to: unknown): string {
  return `${from} to ${to}`;
}

function durationText(duration_ms: number): string {
  const seconds = Math.round(duration_ms / 1_000);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

function nodeAt(tree: StatusNode, ending: string): StatusNode | undefined {
  return findNode(tree, ({ path }) => path.endsWith(`/${ending}`));
}
