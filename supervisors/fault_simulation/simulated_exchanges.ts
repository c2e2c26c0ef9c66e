/**
 * The simulator's exchanges behind sockets and REST in virtual time: every message takes its time
 * and keeps its place, a connection may be lost or never stand, a request may get no answer. What
 * the exchanges themselves do wrong is their own plan of faults.
 *
 * @module
 */

import type { OpenedSocket, SocketEnd, SocketHandlers } from "../../actors/connection/receiver.ts";
import type { PageRequest, RestAnswer } from "../../actors/rest/get_page.ts";
import { Doors } from "../../actors/simulator/doors.ts";
import type { Conversation, Outgoing } from "../../actors/simulator/exchange.ts";
import { createExchanges, type Exchanges } from "../../actors/simulator/exchanges.ts";
import { RuleBook } from "../../actors/simulator/rules.ts";
import type { Market } from "../../actors/simulator/trade.ts";
import type { Random } from "./random.ts";
import { everlasting, type Life, type World } from "./world.ts";

/** How the network between us and the exchanges is. */
export interface Network {
  /** One way, at the least and at the most. */
  readonly latency_ms: readonly [number, number];
  /** How often an exchange tells what fell due. */
  readonly tick_ms: number;
  /** Of a socket: that it never stands, and that it is lost within a second. */
  readonly unanswered_share: number;
  readonly lost_per_s: number;
  /** Of a request: that no answer comes. */
  readonly unanswered_request_share: number;
}

const handshake_ms_max = 10_000;
const answer_ms_max = 10_000;
const perfect = { unanswered_share: 0, lost_per_s: 0, unanswered_request_share: 0 } as const;

/** All exchanges of a run. */
export class SimulatedExchanges {
  readonly exchanges: Exchanges;
  readonly doors: Doors;
  readonly #world: World;
  readonly #random: Random;
  readonly #sockets = new Set<SimulatedSocket>();
  #network: Network;
  #is_ticking = false;
  #connections = 0;

  constructor(
    world: World,
    options: {
      readonly random: Random;
      readonly network: Network;
      readonly seed: number;
      readonly rate: number;
      readonly native_symbols: Readonly<Record<string, readonly string[]>>;
      readonly faults: readonly unknown[];
      /** Hears of each rule of an exchange that its client breaks. */
      readonly onBroken: (rule: string) => void;
    },
  ) {
    const { random, network, seed, rate, native_symbols, faults, onBroken } = options;
    this.#world = world;
    this.#random = random;
    this.#network = network;
    this.exchanges = createExchanges({
      tapes: { binance_btcusdt: [], kraken_xbtusdt: [] },
      seed,
      rate,
      native_symbols,
      started_us: world.now_us,
      flood: null,
    });
    this.exchanges.plan.add(faults, world.now_us);
    this.doors = new Doors(this.exchanges, new RuleBook(onBroken));
  }

  /** A market as the exchange itself knows it. */
  market(exchange: string, native_symbol: string): Market {
    const market = this.exchanges.histories.get(exchange)?.get(native_symbol);
    if (market === undefined) throw new RangeError(`There is no market ${native_symbol}`);
    return market;
  }

  /** From now on nothing goes wrong by itself. */
  heal(): void {
    this.exchanges.plan.clear(this.#world.now_us);
    this.#network = { ...this.#network, ...perfect };
  }

  /** Opens a socket for whoever lives that life. */
  openSocket(life: Life, url: string, handlers: SocketHandlers): OpenedSocket {
    const network = this.#network;
    const connection_id = BigInt(this.#connections) + (1n << 63n);
    this.#connections += 1;
    const socket = new SimulatedSocket(this.#world, {
      life,
      handlers,
      latencyUs: () => this.#latencyUs(),
      advance: () => this.exchanges.plan.advance(this.#world.now_us),
      judge: (broken) => this.doors.rules.judge(broken, this.#world.now_us),
      forget: (one) => this.#sockets.delete(one),
    });
    if (this.#random.chance(network.unanswered_share)) {
      socket.end(handshake_ms_max * 1_000, { reason: "Opening handshake has timed out" });
      return socket;
    }
    this.#world.after(this.#latencyUs(), everlasting, () => {
      if (socket.is_over) return;
      const { now_us } = this.#world;
      const admission = this.doors.admit(new URL(url), { connection_id, now_us });
      if (admission === undefined || admission.kind === "refused") {
        const status = admission?.status ?? 404;
        const seconds = admission?.retry_after_s ?? null;
        const retry_after = seconds === null ? null : String(seconds);
        const reason = `the upgrade was refused with HTTP ${status}`;
        socket.end(this.#latencyUs(), { reason, status, retry_after });
        return;
      }
      this.#sockets.add(socket);
      this.#tickLater();
      socket.open(admission.conversation);
    });
    return socket;
  }

  /** Asks an exchange's REST. */
  getPage(life: Life, url: string, request: PageRequest): Promise<RestAnswer> {
    const { promise, resolve } = Promise.withResolvers<RestAnswer>();
    const world = this.#world;
    const is_unanswered = this.#random.chance(this.#network.unanswered_request_share);
    const failed = (reason: string) => resolve({ kind: "failed", reason });
    request.signal?.addEventListener("abort", () => failed("given up on our side"), { once: true });
    world.after(answer_ms_max * 1_000, life, () => failed(`no answer within 10 s`));
    world.after(this.#latencyUs(), everlasting, () => {
      const { pathname: path, searchParams: query } = new URL(url);
      const headers = new Headers({ ...request.headers });
      const { now_us } = world;
      this.exchanges.plan.advance(now_us);
      const answer = this.doors.answer({ path, query, headers, now_us });
      const said = `${answer?.status ?? 404} ${answer?.body.length ?? 0}`;
      world.note(`rest: ${path}?${query}: ${said}${is_unanswered ? ", lost" : ""}`);
      // An answer that is lost on its way has cost its weight.
      if (is_unanswered) return;
      const { status, body } = answer ?? { status: 404, body: "" };
      world.after(this.#latencyUs(), life, () => {
        const got = new Headers({ ...answer?.headers });
        if (status === 200) {
          resolve({ kind: "text", text: body, bytes: Buffer.from(body), headers: got });
          return;
        }
        const retry_after = got.get("retry-after");
        resolve({ kind: "refused", status, retry_after, text: body, headers: got });
      });
    });
    return promise;
  }

  #latencyUs(): number {
    const [least_ms, most_ms] = this.#network.latency_ms;
    return this.#random.between(least_ms, most_ms) * 1_000;
  }

  #tickLater(): void {
    if (this.#is_ticking) return;
    this.#is_ticking = true;
    this.#world.after(this.#network.tick_ms * 1_000, everlasting, () => {
      this.#is_ticking = false;
      this.#tick();
      if (this.#sockets.size > 0) this.#tickLater();
    });
  }

  #tick(): void {
    const { lost_per_s, tick_ms } = this.#network;
    this.exchanges.plan.advance(this.#world.now_us);
    for (const socket of this.#sockets) {
      if (lost_per_s > 0 && this.#random.chance((lost_per_s * tick_ms) / 1_000)) socket.lose();
      else socket.tick();
    }
  }
}

/** What a socket is to one client of an exchange. */
interface SocketOptions {
  readonly life: Life;
  readonly handlers: SocketHandlers;
  readonly latencyUs: () => number;
  /** The exchange's faults are told the time before anyone is asked anything. */
  readonly advance: () => void;
  readonly judge: (broken: readonly string[] | undefined) => void;
  readonly forget: (socket: SimulatedSocket) => void;
}

/** One socket, of which the client holds one end and the exchange's conversation the other. */
class SimulatedSocket implements OpenedSocket {
  readonly #world: World;
  readonly #options: SocketOptions;
  #conversation: Conversation | null = null;
  /** When what was sent last arrives, at the client and at the exchange: nothing overtakes. */
  #down_us = 0;
  #up_us = 0;
  #is_open = false;
  /** The client hears no more. */
  #is_over = false;
  #is_frozen = false;

  constructor(world: World, options: SocketOptions) {
    this.#world = world;
    this.#options = options;
  }

  get is_over(): boolean {
    return this.#is_over;
  }

  send(text: string): boolean {
    if (this.#is_over || !this.#is_open) return false;
    this.#toExchange((conversation, now_us) => conversation.receive(text, now_us));
    return true;
  }

  close(): void {
    if (this.#is_over) return;
    this.#is_over = true;
    this.#leave();
  }

  /** The exchange has admitted the client. */
  open(conversation: Conversation): void {
    this.#conversation = conversation;
    const { now_us } = this.#world;
    this.#toClient(({ opened }) => {
      this.#is_open = true;
      opened();
    });
    this.#say(conversation.open(now_us));
  }

  /** Time has passed at the exchange. */
  tick(): void {
    if (this.#conversation === null || this.#is_frozen) return;
    if (!this.#options.life.is_alive) this.#leave();
    else this.#say(this.#conversation.tick(this.#world.now_us));
  }

  /** The connection breaks, and the client notices. */
  lose(): void {
    this.#leave();
    this.end(0, { reason: "the connection was lost", code: 1006 });
  }

  /** The client hears of the end after a while. */
  end(delay_us: number, known: Partial<SocketEnd> & Pick<SocketEnd, "reason">): void {
    this.#world.after(delay_us, this.#options.life, () => {
      if (this.#is_over) return;
      this.#is_over = true;
      this.#options.handlers.closed({ code: null, status: null, retry_after: null, ...known });
    });
  }

  /** The exchange has nobody to talk to any more. */
  #leave(): void {
    this.#conversation = null;
    this.#options.forget(this);
  }

  #say({ broken, close, cut_frame, frames, is_frozen, ping }: Outgoing): void {
    this.#options.judge(broken);
    if (frames.length > 0) {
      this.#toClient((handlers) => {
        for (const frame of frames) if (!this.#is_over) handlers.text(frame);
      });
    }
    if (ping !== undefined) {
      this.#toClient((handlers) => {
        handlers.pinged(ping);
        this.#toExchange((conversation, now_us) => conversation.pong(ping, now_us));
      });
    }
    if (is_frozen === true) this.#is_frozen = true;
    if (cut_frame !== undefined) this.#close(1006, "");
    if (close !== undefined) this.#close(close.code, close.reason);
  }

  #close(code: number, words: string): void {
    this.#leave();
    const said = `closed by the exchange with code ${code}${words === "" ? "" : ` (${words})`}`;
    const reason = code === 1006 ? "the connection was lost" : said;
    this.#down_us = Math.max(this.#down_us, this.#world.now_us + this.#options.latencyUs());
    this.end(this.#down_us - this.#world.now_us, { reason, code });
  }

  #toClient(tell: (handlers: SocketHandlers) => void): void {
    const { handlers, latencyUs, life } = this.#options;
    const { now_us } = this.#world;
    this.#down_us = Math.max(this.#down_us, now_us + latencyUs());
    this.#world.after(this.#down_us - now_us, life, () => {
      if (!this.#is_over) tell(handlers);
    });
  }

  #toExchange(tell: (conversation: Conversation, now_us: number) => Outgoing): void {
    const { now_us } = this.#world;
    this.#up_us = Math.max(this.#up_us, now_us + this.#options.latencyUs());
    this.#world.after(this.#up_us - now_us, everlasting, () => {
      if (this.#conversation === null || this.#is_frozen) return;
      this.#options.advance();
      this.#say(tell(this.#conversation, this.#world.now_us));
    });
  }
}
