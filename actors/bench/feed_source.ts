/**
 * Where the bench's feed comes from: the sockets that the settings name, else the simulator as a
 * process of its own, sending as fast as it is read. It must not share the event loop it feeds.
 *
 * @module
 */

import { chooseFreePort } from "../port/free_port.ts";
import { FailureError } from "../settings/exit.ts";
import type { Invocation } from "../settings/invocation.ts";
import type { ExchangeSettings } from "../settings/settings.ts";

/** Sockets to read. */
interface FeedSource {
  readonly exchanges: readonly ExchangeSettings[];
  /** Ends what was started for it. */
  close(): Promise<void>;
}

/** Opens the source. */
export async function openFeedSource(invocation: Invocation): Promise<FeedSource> {
  const { environment, settings } = invocation;
  const is_named = settings.exchanges.some(
    ({ exchange }) => (environment[`K2_${exchange.toUpperCase()}_WS_URL`] ?? "") !== "",
  );
  if (is_named) return { exchanges: settings.exchanges, async close() {} };
  return await startSimulator(invocation);
}

/** Trades of each symbol in one turn, as the flag takes it. */
const flood_trades = "100000";

async function startSimulator({ environment, root, settings }: Invocation): Promise<FeedSource> {
  const { exchanges } = settings;
  const symbols = exchanges.map(({ exchange, native_symbols }) => [
    `K2_${exchange.toUpperCase()}_SYMBOLS`,
    native_symbols.join(","),
  ]);
  const child = Bun.spawn(
    [process.execPath, `${root}/main.ts`, "simulate", "--flood", flood_trades],
    {
      cwd: root,
      env: {
        ...environment,
        ...Object.fromEntries(symbols),
        K2_EXCHANGES: exchanges.map(({ exchange }) => exchange).join(","),
        K2_SIMULATOR_PORT: String(await chooseFreePort()),
        K2_SIMULATOR_OUTPUT: "json",
        K2_END_WITH_STDIN: "1",
      },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    },
  );
  const port = await readPort(child.stdout);
  if (port === null) throw new FailureError("Cannot measure: the simulator did not start");
  return {
    exchanges: exchanges.map((exchange) => ({ ...exchange, ws_url: simulated(exchange, port) })),
    async close() {
      child.stdin.end();
      await child.exited;
    },
  };
}

/** The same path on the simulator's port. */
function simulated({ ws_url }: ExchangeSettings, port: number): string {
  const { pathname } = new URL(ws_url);
  return `ws://127.0.0.1:${port}${pathname === "/" ? "" : pathname}`;
}

/** The port of the line that says it is ready; null where the process ends without. */
async function readPort(stdout: ReadableStream<Uint8Array>): Promise<number | null> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stdout) {
    text += decoder.decode(chunk, { stream: true });
    const found = /"port":(\d+)/.exec(text);
    if (found !== null) return Number(found[1]);
  }
  return null;
}
