/**
 * What a person sees of an import: a bar with an estimate on a terminal, a line every ten percent
 * elsewhere, and why it does not go on. Read off the status tree, which says the same of an import
 * in this process and in a running platform.
 *
 * @module
 */

import type { StatusNode } from "../actors/status/node.ts";

/** Shows an import as it goes. */
export interface ImportProgress {
  /** Looks at the tree of a platform that knows of the import; done once it waits for none. */
  show(tree: StatusNode): "done" | "running";
}

const bar_width = 30;
const clear_line = "\r\u001b[2K";

/** Makes the progress of one symbol's import. */
export function createImportProgress(options: {
  readonly exchange: string;
  readonly native_symbol: string;
  readonly is_terminal: boolean;
  readonly write: (text: string) => void;
  /** Milliseconds, on a clock that only goes forward. */
  readonly now_ms: () => number;
}): ImportProgress {
  const { exchange, native_symbol, is_terminal, write, now_ms } = options;
  const name = `${exchange} ${native_symbol}`;
  const started_ms = now_ms();
  let told_tenth = -1;
  let told_error: unknown = null;

  function tell(line: string): void {
    write(`${is_terminal ? clear_line : ""}${line}\n`);
  }
  function tellShare(share: number): void {
    const elapsed_ms = now_ms() - started_ms;
    const left =
      share > 0 ? `, about ${durationText((elapsed_ms / share) * (1 - share))} left` : "";
    const percent = `${Math.floor(share * 100)} %`;
    if (is_terminal) {
      const full = Math.round(share * bar_width);
      const bar = "#".repeat(full) + "-".repeat(bar_width - full);
      write(`${clear_line}backfill ${name} [${bar}] ${percent}${left}`);
    } else if (Math.floor(share * 10) > told_tenth) {
      told_tenth = Math.floor(share * 10);
      tell(`backfill ${name}: ${percent}${left}`);
    }
  }
  return {
    show(tree) {
      const normalizer = find(tree, `exchanges/${exchange}/normalizers/${native_symbol}`);
      const backfiller = find(tree, `exchanges/${exchange}/backfiller`);
      const imports = normalizer?.figures.imports;
      if (typeof imports !== "number") return "running";
      if (imports === 0) {
        tell(`backfill ${name}: done in ${durationText(now_ms() - started_ms)}`);
        return "done";
      }
      const figures = backfiller?.figures ?? {};
      const error = figures.last_error ?? null;
      if (error !== told_error && error !== null) tell(`backfill ${name}: ${error}; trying again`);
      told_error = error;
      if (figures.import_symbol === native_symbol) {
        const total = Number(figures.import_ids_total);
        const remaining = Number(figures.import_ids_remaining);
        if (total > 0) tellShare((total - remaining) / total);
      }
      return "running";
    },
  };
}

function durationText(duration_ms: number): string {
  const seconds = Math.round(duration_ms / 1_000);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

function find(node: StatusNode, ending: string): StatusNode | undefined {
  if (node.path.endsWith(`/${ending}`)) return node;
  for (const child of node.children) {
    const found = find(child, ending);
    if (found !== undefined) return found;
  }
  return undefined;
}
