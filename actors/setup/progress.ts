/**
 * What a person sees of set-up: a line when a step starts and one when it ends, with its time; on
 * a terminal also one live line with what is still running. Everything goes to stderr, because
 * stdout carries only results.
 *
 * @module
 */

/** Where set-up reports what it does. */
export interface Progress {
  started(name: string, title: string): void;
  done(name: string): void;
  failed(name: string): void;
  /** It was ended because another one failed or set-up was interrupted. */
  stopped(name: string): void;
  /** A line for something that is not a step. */
  note(text: string): void;
  /** Redraws the live line; does nothing where there is no terminal. */
  tick(): void;
}

/**
 * Makes a progress report.
 *
 * @param options.write Takes text for stderr.
 * @param options.now_ms A clock that only goes forward, milliseconds.
 */
export function createProgress(options: {
  readonly write: (text: string) => void;
  readonly is_terminal: boolean;
  readonly now_ms: () => number;
}): Progress {
  const { write, is_terminal, now_ms } = options;
  const started_ms = new Map<string, number>();

  function line(text: string): void {
    write(`${is_terminal ? "\r\u001b[2K" : ""}setup: ${text}\n`);
  }
  function end(name: string, outcome: string): void {
    const seconds = secondsText(now_ms() - (started_ms.get(name) ?? now_ms()));
    started_ms.delete(name);
    line(`${name} … ${outcome} ${seconds}`);
  }
  return {
    started(name, title) {
      started_ms.set(name, now_ms());
      line(`${name}: ${title} …`);
    },
    done: (name) => end(name, "done in"),
    failed: (name) => end(name, "failed after"),
    stopped: (name) => end(name, "stopped after"),
    note: line,
    tick() {
      if (!is_terminal || started_ms.size === 0) return;
      const running = [...started_ms].map(
        ([name, since_ms]) => `${name} ${Math.round((now_ms() - since_ms) / 1000)} s`,
      );
      write(`\r\u001b[2Ksetup: ${running.join(", ")}`);
    },
  };
}

/** A duration for people: `12.3 s`. */
export function secondsText(duration_ms: number): string {
  return `${(duration_ms / 1000).toFixed(1)} s`;
}
