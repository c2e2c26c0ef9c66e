/**
 * Runs the feed as a process on the ground of `feed_rig.ts`, waits for what it should come to, and
 * watches its accounts all the while.
 *
 * @module
 */

import type { Figures } from "../../actors/messages.ts";
import type { StatusNode } from "../../actors/status/node.ts";
import type { Ground } from "./feed_rig.ts";
import { allNodes, eventually, nodeAt, type Platform, startPlatform } from "./platform.ts";

/** Where actors stand in the tree. */
export const paths = {
  port: "k2/platform/work/feed/producer/port",
  producer: "k2/platform/work/feed/producer/producer",
  exchanges: "k2/platform/work/feed/exchanges",
} as const;

/** How a feed is started. */
export interface FeedOptions {
  readonly settings?: Readonly<Record<string, string>>;
  /** As `startPlatform` takes it. */
  readonly shell?: string;
}

/** Starts the feed; it need not serve yet when this resolves. */
export async function openFeed(ground: Ground, options: FeedOptions = {}): Promise<Platform> {
  const environment = { ...ground.environment, ...options.settings };
  return await startPlatform(["--role", "feed"], environment, options.shell);
}

/** Starts the feed and waits until every exchange streams. */
export async function startFeed(ground: Ground, options: FeedOptions = {}): Promise<Platform> {
  const platform = await openFeed(ground, options);
  await streaming(platform, ground);
  return platform;
}

/** Waits until every exchange streams. */
export async function streaming(platform: Platform, { exchanges }: Ground): Promise<void> {
  await eventually("all exchanges to stream", async () => {
    const connections = allNodes(await platform.tree()).filter(isConnection);
    const is_streaming =
      connections.length === exchanges.length &&
      connections.every(({ state }) => state === "streaming");
    return is_streaming ? true : undefined;
  });
}

/** Waits until every connection is in that state. */
export async function allConnections(platform: Platform, wanted: string): Promise<void> {
  await eventually(`all connections to be ${wanted}`, async () => {
    const connections = allNodes(await platform.tree()).filter(isConnection);
    return connections.every(({ state }) => state === wanted) ? true : undefined;
  });
}

/** Waits until every symbol streams and nothing is missing. */
export async function recovered(platform: Platform): Promise<void> {
  let standing = "";
  await eventually("the feed to recover", async () => {
    const complaints = allNodes(await platform.tree()).flatMap(complaintsOf);
    standing = complaints.join();
    return complaints.length === 0 ? true : undefined;
  }).catch((error: unknown) => {
    throw new Error(`${error}: ${standing}\n${platform.log()}`);
  });
}

/** Whether a node is a connection, and not their supervisor. */
function isConnection({ path }: StatusNode): boolean {
  return /\/connections\/\d+$/.test(path);
}

/** What the producer says of itself. */
export async function producerFigures(platform: Platform): Promise<Figures> {
  return (await platform.node(paths.producer)).figures;
}

/**
 * Reads the producer's accounts again and again until disposed: whatever it has received is
 * somewhere, and only in one place.
 */
export function watchAccounts(platform: Platform) {
  const imbalances: string[] = [];
  let reads = 0;
  async function read(): Promise<void> {
    const response = await fetch(platform.url("/status"), { signal: AbortSignal.timeout(2_000) });
    const { tree } = (await response.json()) as { tree: StatusNode };
    const { figures } = nodeAt(tree, paths.producer);
    if (figures.received_total === undefined) return;
    reads += 1;
    const parts = ["acknowledged_total", "in_flight", "buffered", "spilled", "dead_lettered_total"];
    const sum = parts.reduce((total, part) => total + Number(figures[part] ?? 0), 0);
    if (sum !== figures.received_total) imbalances.push(JSON.stringify(figures));
  }
  // One that is frozen, ends or has ended does not answer; that is others' to judge.
  const timer = setInterval(() => void read().catch(() => {}), 250);
  return {
    imbalances,
    get reads() {
      return reads;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

function complaintsOf(node: StatusNode): string[] {
  const { path, state, figures } = node;
  if (path.endsWith("/continuity")) {
    return figures.gaps_open === 0 && figures.ids_missing === 0
      ? []
      : [`${figures.gaps_open} gaps, ${figures.ids_missing} ids`];
  }
  if (!isConnection(node)) return [];
  const is_well =
    state === "streaming" && figures.subscribed === figures.symbols && figures.not_delivering === 0;
  return is_well ? [] : [`${path} is ${state}: ${JSON.stringify(figures)}`];
}
