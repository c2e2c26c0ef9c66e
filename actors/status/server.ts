/**
 * The status server: the tree as a page, as JSON and as a stream; health; metrics; commands. It is
 * the first child to start and the last to stop, so that it answers while everything else starts,
 * drains or fails. It reads the tree when asked and owns nothing but its socket and its streams.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { fromCallback } from "xstate";
import type { Incarnation, Stop } from "../messages.ts";
import { FailureError, reasonOf } from "../settings/exit.ts";
import { isHostAllowed } from "../settings/host.ts";
import type { Role } from "../settings/settings.ts";
import { type Command, isAuthorized, readCommand } from "./access.ts";
import { type HealthReport, healthOf } from "./health.ts";
import { type ImportRequest, readImportRequest } from "./import_request.ts";
import type { Metrics } from "./metrics.ts";
import type { StatusDocument, StatusNode } from "./node.ts";

/** What the status server shows, and to whom. */
export interface StatusServerInput {
  readonly incarnation: Incarnation;
  readonly hostname: string;
  /** 0 takes a free one; the figure `url` says which. */
  readonly port: number;
  /** Without it nobody may command. */
  readonly token: string;
  readonly role: Role;
  readonly version: string;
  readonly started_at_ms: number;
  /** Wall clock, milliseconds since 1970. */
  readonly now_ms: () => number;
  readonly readTree: () => StatusNode;
  /** Null once the command is under way, else one sentence that says why not. */
  readonly command: (path: string, command: Command) => Promise<string | null>;
  /** Null once the history is wanted, else one sentence that says why not. */
  readonly requestImport: (request: ImportRequest) => string | null;
  /** What maintaining the lake came to, once it is done, or one sentence that says why not. */
  readonly maintain: () => Promise<object | string>;
  readonly metrics: Metrics;
}

/** At most this many streams at once; a page holds one. */
export const streams_max = 16;
/** Posted to, this answers once the lake has been maintained. */
const maintenance_path = "/maintenance";
const stream_interval_ms = 1_000;
/** Ticks a slow reader may lag behind before it misses some. */
const stream_backlog_max = 4;

/** What every answer is made from. */
interface Desk {
  readonly input: StatusServerInput;
  readonly streams: Set<ReadableStreamDefaultController<Uint8Array>>;
  readonly page: Page;
}

interface Page {
  readonly html: string;
  readonly policy: string;
}

/** Serves until told to stop. Its input is {@linkcode StatusServerInput}. */
export const statusServer = fromCallback<Stop, StatusServerInput>(({ input, receive }) => {
  const { incarnation, hostname, port } = input;
  const { report, signal } = incarnation;
  let close = () => {};
  receive(() => {
    close();
    incarnation.exit({ kind: "normal" });
  });
  signal.addEventListener("abort", () => close(), { once: true });
  function crash(error: unknown): void {
    incarnation.exit({ kind: "crash", reason: reasonOf(error) });
  }
  function serve(page: Page): void {
    if (signal.aborted) return;
    const desk: Desk = { input, page, streams: new Set() };
    const server = Bun.serve({
      hostname,
      port,
      development: false,
      // Nothing that is posted here is long.
      maxRequestBodySize: 65_536,
      fetch: (request, server) => {
        // A connection is closed after ten idle seconds; maintenance may take minutes.
        if (isLong(request)) server.timeout(request, 0);
        return answer(desk, request);
      },
      error: (error) => refuse(500, reasonOf(error)),
    });
    const timer = setInterval(() => {
      try {
        sendTree(desk);
      } catch (error) {
        crash(error);
      }
    }, stream_interval_ms);
    close = () => {
      clearInterval(timer);
      for (const stream of desk.streams) end(desk, stream);
      void server.stop(true);
    };
    report.figures.url = server.url.href;
    report.state = "serving";
    incarnation.ready();
  }
  readPage().then(serve).catch(crash);
});

/**
 * Tries the port before anything else is started, so that a start can end with one sentence.
 *
 * @throws {FailureError} if the address cannot be listened on.
 */
export async function refusePortInUse(hostname: string, port: number): Promise<void> {
  try {
    await Bun.serve({ hostname, port, fetch: () => new Response() }).stop(true);
  } catch (error) {
    const place = `${hostname}:${port}`;
    const is_taken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    throw new FailureError(
      is_taken
        ? `Cannot serve the status page on ${place} as the port is in use: ` +
            "stop the other program or set K2_STATUS_PORT"
        : `Cannot serve the status page on ${place}: set K2_STATUS_HOST or K2_STATUS_PORT ` +
            `(${reasonOf(error)})`,
    );
  }
}

/** The page, and the policy under which a browser runs exactly its own script and style. */
async function readPage(): Promise<Page> {
  const html = await Bun.file(new URL("./page.html", import.meta.url)).text();
  const hashes = ["script", "style"].map((tag) => {
    const text = new RegExp(`<${tag}>([^]*)</${tag}>`).exec(html)?.[1] ?? "";
    return `${tag}-src 'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  });
  const policy = ["default-src 'none'", "connect-src 'self'", "img-src data:", ...hashes];
  return { html, policy: [...policy, "base-uri 'none'", "frame-ancestors 'none'"].join("; ") };
}

async function answer(desk: Desk, request: Request): Promise<Response> {
  const { input } = desk;
  if (!isHostAllowed(request.headers.get("host"), input.hostname)) {
    return refuse(403, "This server answers only to the names of this machine");
  }
  const { pathname } = new URL(request.url);
  const command = commandOf(pathname);
  if (command !== undefined) {
    return refuseStranger(input, request, pathname) ?? command(input, request);
  }
  const read = readers[pathname];
  if (read === undefined) return refuse(404, `There is nothing at ${pathname}`);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return refuse(405, `${pathname} can only be read`, { allow: "GET, HEAD" });
  }
  return read(desk, request);
}

type Reader = (desk: Desk, request: Request) => Response | Promise<Response>;

const readers: Readonly<Record<string, Reader | undefined>> = {
  "/": ({ page }) => {
    const headers = {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": page.policy,
      "referrer-policy": "no-referrer",
    };
    return respond(200, page.html, headers);
  },
  "/status": ({ input }) => respondJson(200, readDocument(input).document),
  "/status/events": (desk, request) => openStream(desk, request),
  "/livez": ({ input }) =>
    respondJson(200, { status: "pass", uptime_s: uptimeS(input), version: input.version }),
  "/readyz": ({ input }) => {
    const { health, checks } = readDocument(input).report;
    return respondJson(health === "fail" ? 503 : 200, { status: health, checks });
  },
  "/metrics": async ({ input }) => {
    const { user, system } = process.cpuUsage();
    const text = await input.metrics.text(readDocument(input).document, {
      resident_bytes: process.memoryUsage.rss(),
      cpu_s: (user + system) / 1e6,
    });
    return respond(200, text, { "content-type": input.metrics.registry.contentType });
  },
};

/** Refuses what is no command of somebody who has the token. */
function refuseStranger(
  input: StatusServerInput,
  request: Request,
  pathname: string,
): Response | null {
  if (request.method !== "POST") {
    return refuse(405, `${pathname} can only be posted to`, { allow: "POST" });
  }
  if (isAuthorized(request.headers.get("authorization"), input.token)) return null;
  const reason = "Commands need the token: `Authorization: Bearer <K2_DATA_DIR/status.token>`";
  return refuse(401, reason, { "www-authenticate": 'Bearer realm="k2"' });
}

type Commander = (input: StatusServerInput, request: Request) => Promise<Response>;

const commanders: Readonly<Record<string, Commander | undefined>> = {
  "/imports": answerImport,
  [maintenance_path]: answerMaintenance,
};

function commandOf(pathname: string): Commander | undefined {
  return pathname.startsWith("/actors/") ? answerCommand : commanders[pathname];
}

function isLong(request: Request): boolean {
  return request.method === "POST" && new URL(request.url).pathname === maintenance_path;
}

async function answerMaintenance(input: StatusServerInput): Promise<Response> {
  const done = await input.maintain();
  return typeof done === "string" ? refuse(409, done) : respondJson(200, done);
}

async function answerCommand(input: StatusServerInput, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const wanted = readCommand(pathname);
  if (wanted === null || !hasPath(input.readTree(), wanted.path)) {
    return refuse(404, `There is no actor to command at ${pathname}`);
  }
  const refusal = await input.command(wanted.path, wanted.command);
  if (refusal !== null) return refuse(409, refusal);
  return respondJson(202, { accepted: wanted.command, path: wanted.path });
}

async function answerImport(input: StatusServerInput, request: Request): Promise<Response> {
  const wanted = readImportRequest(await request.text());
  if (typeof wanted === "string") return refuse(400, wanted);
  const refusal = input.requestImport(wanted);
  if (refusal !== null) return refuse(409, refusal);
  return respondJson(202, { accepted: "import", ...wanted });
}

function hasPath(tree: StatusNode, path: string): boolean {
  return tree.path === path || tree.children.some((child) => hasPath(child, path));
}

function readDocument(input: StatusServerInput): {
  readonly document: StatusDocument;
  readonly report: HealthReport;
} {
  const { role, version, started_at_ms } = input;
  const tree = input.readTree();
  const report = healthOf(tree, { role, now_ms: input.now_ms() });
  const started_at = new Date(started_at_ms).toISOString();
  const { health } = report;
  return { document: { version, started_at, uptime_s: uptimeS(input), health, tree }, report };
}

function uptimeS({ now_ms, started_at_ms }: StatusServerInput): number {
  return Math.max(0, Math.round((now_ms() - started_at_ms) / 100) / 10);
}

/** A stream of the tree, at once and then every second. */
function openStream(desk: Desk, request: Request): Response {
  if (desk.streams.size >= streams_max) {
    const reason = `All ${streams_max} streams are taken: close a page, or read /status instead`;
    return refuse(503, reason, { "retry-after": "5" });
  }
  let opened: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        opened = controller;
        desk.streams.add(controller);
        controller.enqueue(eventOf(desk.input));
      },
      cancel() {
        if (opened !== undefined) desk.streams.delete(opened);
      },
    },
    { highWaterMark: stream_backlog_max },
  );
  request.signal.addEventListener("abort", () => {
    if (opened !== undefined) end(desk, opened);
  });
  return respond(200, stream, { "content-type": "text/event-stream" });
}

/** The document of `/status`, with the checks behind its health. */
function eventOf(input: StatusServerInput): Uint8Array {
  const { document, report } = readDocument(input);
  const data = JSON.stringify({ ...document, checks: report.checks });
  return new TextEncoder().encode(`data: ${data}\n\n`);
}

function sendTree(desk: Desk): void {
  if (desk.streams.size === 0) return;
  const event = eventOf(desk.input);
  for (const stream of desk.streams) {
    // A reader that does not keep up misses a tick; the next one says everything again.
    if ((stream.desiredSize ?? 0) > 0) stream.enqueue(event);
  }
}

function end(desk: Desk, stream: ReadableStreamDefaultController<Uint8Array>): void {
  if (!desk.streams.delete(stream)) return;
  try {
    stream.close();
  } catch {
    // The other side has closed it already.
  }
}

type Headers = Readonly<Record<string, string>>;

function respond(
  status: number,
  body: string | ReadableStream<Uint8Array>,
  headers: Headers,
): Response {
  const common = { "cache-control": "no-store", "x-content-type-options": "nosniff" };
  return new Response(body, { status, headers: { ...common, ...headers } });
}

function respondJson(status: number, value: unknown, headers: Headers = {}): Response {
  const type = { "content-type": "application/json; charset=utf-8" };
  return respond(status, `${JSON.stringify(value)}\n`, { ...type, ...headers });
}

function refuse(status: number, error: string, headers: Headers = {}): Response {
  return respondJson(status, { error }, headers);
}
