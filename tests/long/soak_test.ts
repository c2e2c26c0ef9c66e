/**
 * Goal: the feed's memory is flat, however long it runs and however often its sockets are closed.
 * Method: the real feed - connections, normalizers, backfillers, continuity, outbox - in a process
 * of its own, against a simulator at 2,000 trades/s (`SOAK_RATE`) that closes a socket every 20 s,
 * for five minutes (`SOAK_SECONDS`). Every batch is acknowledged at once, so what stays is the
 * feed's own. The slope of its resident memory, by least squares, is printed and bounded.
 */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { createLineSplitter } from "../../actors/port/lines.ts";
import { startSimulator } from "../../actors/simulator/server.ts";
import { environmentOf, temporaryDataDirectory } from "../end_to_end/platform.ts";

const rate = Number(process.env.SOAK_RATE ?? "2000");
const seconds = Number(process.env.SOAK_SECONDS ?? "300");
const close_interval_s = 20;
/** Caches fill and code is compiled meanwhile: longer than any window that a budget remembers. */
const warm_up_share = 0.4;
/**
 * A socket's worth of garbage comes and goes with the collector, so a short run has a slope of its
 * own: as much as this is granted for the whole of what is measured.
 */
const growth_mib_max = 8;
const native_symbols = { binance: ["BTCUSDT", "ETHUSDT"], kraken: ["BTC/USD", "ETH/USD"] };

interface Sample {
  readonly at_min: number;
  readonly rss_mib: number;
  readonly received_total: number;
  readonly acknowledged_total: number;
  readonly gaps_open: number;
}

test(
  "the feed's memory is flat",
  async () => {
    using data = temporaryDataDirectory();
    const simulator = startSimulator({
      port: 0,
      hostname: "127.0.0.1",
      rate,
      seed: 1,
      native_symbols,
      faults: closes(),
    });
    const origin = `127.0.0.1:${simulator.port}`;
    const feed = Bun.spawn(
      [process.execPath, "--no-env-file", join(import.meta.dir, "soak_feed.ts")],
      {
        env: environmentOf(data.path, {
          K2_BINANCE_WS_URL: `ws://${origin}`,
          K2_BINANCE_REST_URL: `http://${origin}`,
          K2_KRAKEN_WS_URL: `ws://${origin}/v2`,
          K2_KRAKEN_REST_URL: `http://${origin}`,
        }),
        stdin: "pipe",
        stdout: "pipe",
        stderr: "inherit",
      },
    );
    try {
      const samples = await sample(feed.stdout);
      const measured = samples.slice(Math.floor(samples.length * warm_up_share));
      const slope = slopeOf(measured);
      const last = samples.at(-1)!;
      const minutes = last.at_min - measured[0]!.at_min;
      const rss_mib_max = Math.max(...measured.map(({ rss_mib }) => rss_mib));
      console.log(
        `rss_slope_mib_per_min=${slope.toFixed(3)} rss_mib_max=${rss_mib_max.toFixed(0)} ` +
          `minutes=${minutes.toFixed(1)} trades=${last.received_total} gaps_open=${last.gaps_open} ` +
          `rss_mib_by_minute=${byMinute(samples).join(",")}`,
      );
      // It did its work meanwhile: a feed that stands still is flat, too.
      expect(last.received_total).toBeGreaterThan(rate * seconds * 0.9);
      expect(last.acknowledged_total).toBeGreaterThan(last.received_total * 0.99);
      expect(last.gaps_open).toBeLessThan(20);
      expect(slope * minutes).toBeLessThan(growth_mib_max);
      feed.stdin.end();
      expect(await feed.exited).toBe(0);
    } finally {
      feed.kill("SIGKILL");
      await simulator.stop();
    }
  },
  (seconds + 60) * 1_000,
);

/** One close of a socket every `close_interval_s`, of each exchange in turn. */
function closes() {
  const names = Object.keys(native_symbols);
  return Array.from({ length: Math.floor(seconds / close_interval_s) }, (_, index) => ({
    fault: "close",
    exchange: names[index % names.length],
    at_s: (index + 1) * close_interval_s,
  }));
}

/** Reads the feed's figures, one line a second, for as long as the soak lasts. */
async function sample(stdout: ReadableStream<Uint8Array>): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const started_ms = performance.now();
  const lines = createLineSplitter((line) => {
    const { rss_bytes, ...figures } = JSON.parse(line);
    const at_min = (performance.now() - started_ms) / 60_000;
    samples.push({ at_min, rss_mib: rss_bytes / 2 ** 20, ...figures });
  });
  for await (const chunk of stdout) {
    lines.push(Buffer.from(chunk));
    if (performance.now() - started_ms >= seconds * 1_000) break;
  }
  return samples;
}

/** Mean resident memory of each minute, MiB. */
function byMinute(samples: readonly Sample[]): readonly string[] {
  const minutes = Map.groupBy(samples, ({ at_min }) => Math.floor(at_min));
  return [...minutes.values()].map((group) =>
    meanOf(group.map(({ rss_mib }) => rss_mib)).toFixed(1),
  );
}

/** Least squares: MiB a minute. */
function slopeOf(samples: readonly Sample[]): number {
  const mean_min = meanOf(samples.map(({ at_min }) => at_min));
  const mean_mib = meanOf(samples.map(({ rss_mib }) => rss_mib));
  let product = 0;
  let square = 0;
  for (const { at_min, rss_mib } of samples) {
    product += (at_min - mean_min) * (rss_mib - mean_mib);
    square += (at_min - mean_min) ** 2;
  }
  return product / square;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
