/**
 * What a simulated exchange can be made to do wrong: a closed list, each fault with its parameters,
 * their defaults and their limits. A request that names anything else gets one sentence that says
 * what is allowed. What a fault does is told where it acts: on the history of trades, on sockets
 * (`faulty_conversation.ts`) or on REST (`faulty_rest.ts`).
 *
 * @module
 */

import { isRecord } from "./exchange.ts";

/** What a parameter may be, and what it is if it is not given; no default: it must be given. */
type Parameter =
  | {
      readonly kind: "number";
      readonly min: number;
      readonly max: number;
      readonly is_whole: boolean;
      readonly default?: number;
    }
  | { readonly kind: "text"; readonly one_of?: readonly string[]; readonly default: string }
  | { readonly kind: "flag" };

interface FaultRules {
  /** An occurrence happens `count` times; a state lasts `for_s`; a change is done at once. */
  readonly kind: "occurrence" | "state" | "change";
  /** The only exchange that can do so; every exchange where it is not said. */
  readonly only?: string;
  /** Whether it can be asked of one symbol. */
  readonly takes_symbol: boolean;
  readonly parameters: Readonly<Record<string, Parameter>>;
}

const day_s = 86_400;

const socket_occurrence = { kind: "occurrence", takes_symbol: false } as const;
const symbol_occurrence = { kind: "occurrence", takes_symbol: true } as const;
const symbol_state = { kind: "state", takes_symbol: true } as const;
const symbol_change = { kind: "change", takes_symbol: true } as const;

/** Every fault there is. */
export const fault_rules = {
  // Acknowledged, and no trade comes until it is asked for again; `existing`: one that is held.
  silent_subscription: { ...symbol_occurrence, parameters: { existing: { kind: "flag" } } },
  // Neither answered nor held, while the rest of the same request is.
  subscription_ignored: { ...symbol_occurrence, parameters: {} },
  // In the words of a busy service, or, `terminal`, of a symbol that does not exist.
  subscription_refused: {
    ...symbol_occurrence,
    parameters: { terminal: { kind: "flag" }, reason: { kind: "text", default: "" } },
  },
  // The oldest socket stays open; nothing is sent and nothing answered any more.
  half_open: { ...socket_occurrence, parameters: {} },
  // The oldest socket's next frame of trades breaks off in its middle. Needs the relay.
  cut_in_frame: { ...socket_occurrence, parameters: {} },
  // The oldest socket is closed; 1006: without a closing handshake.
  close: {
    ...socket_occurrence,
    parameters: {
      code: whole({ min: 1_000, max: 4_999, default: 1_006 }),
      reason: { kind: "text", default: "" },
    },
  },
  // No socket is opened; with a Retry-After header where `retry_after_s` is above 0.
  refuse_upgrade: {
    ...socket_occurrence,
    parameters: {
      status: whole({ min: 400, max: 599, default: 429 }),
      retry_after_s: whole({ min: 0, max: day_s, default: 0 }),
    },
  },
  // So many trades, of whichever symbols, in one frame.
  batch: { ...symbol_occurrence, only: "kraken", parameters: { trades: trades(3) } },
  // The next subscription's updates begin with trades that were sent before.
  snapshot_duplicate: { ...symbol_occurrence, parameters: { trades: trades(50) } },
  // The next trade is sent twice.
  duplicate_trades: { ...symbol_occurrence, parameters: {} },
  // The next so many trades of one symbol, or of all, leave in reverse.
  out_of_order: { ...symbol_occurrence, parameters: { trades: trades(3) } },
  // One field of one trade is unreadable; on Kraken in the middle of a frame of so many trades.
  spoilt_item: {
    ...symbol_occurrence,
    parameters: {
      trades: trades(3),
      field: {
        kind: "text",
        one_of: ["price", "quantity", "side", "timestamp", "trade_id"],
        default: "price",
      },
    },
  },
  // A share of the next so many trades of each symbol reaches no socket, and is on REST.
  drop_trades: {
    kind: "change",
    takes_symbol: true,
    parameters: { trades: trades(10), share: number({ min: 0.001, max: 1, default: 1 }) },
  },
  // Of trades of one time only the first reaches a socket.
  first_of_timestamp: { ...symbol_state, parameters: {} },
  // Every frame and every trade has a field that nobody knows.
  unknown_fields: { ...symbol_state, parameters: {} },
  // What the exchange tells of its clock, in pings, pongs and REST's time, is off by so much.
  clock_offset: {
    kind: "state",
    takes_symbol: false,
    parameters: { offset_s: number({ min: -day_s, max: day_s, default: 60 }) },
  },
  // Said where the exchange says it, then every socket that was open is closed.
  server_shutdown: {
    kind: "state",
    takes_symbol: false,
    parameters: { after_s: number({ min: 0, max: day_s, default: 5 }) },
  },
  // Kraken's status, then every socket that was open is closed.
  maintenance: {
    kind: "state",
    takes_symbol: false,
    only: "kraken",
    parameters: { after_s: number({ min: 0, max: day_s, default: 5 }) },
  },
  // Nothing is traded, and the instrument list says so.
  halted: { ...symbol_state, parameters: {} },
  // The exchange skips the next so many ids of each symbol: they are nowhere.
  absent_ids: { ...symbol_change, parameters: { trades: trades(5) } },
  // The next so many trades of each symbol: 4e-8, 16 to 19 significant digits, over 1e10.
  extreme_digits: { ...symbol_change, parameters: { trades: trades(100) } },
  // REST knows trades only so many seconds later.
  rest_lag: { ...symbol_state, parameters: { lag_s: number({ min: 0, max: day_s, default: 5 }) } },
  // REST can no longer give trades that are older than so many seconds.
  rest_history: {
    ...symbol_state,
    parameters: { older_s: number({ min: 0, max: 365 * day_s, default: 60 }) },
  },
  // A page without trades.
  rest_empty: { ...symbol_occurrence, parameters: {} },
  // A page of trades that breaks off in its middle.
  rest_truncated: { ...symbol_occurrence, parameters: {} },
  // `status` 200 on Kraken: `error` in the body; `EService:Throttled` gets its instant behind it.
  // Where `retry_after_s` is above 0 everything is refused until then.
  rest_refused: {
    ...symbol_occurrence,
    parameters: {
      status: whole({ min: 200, max: 599, default: 429 }),
      retry_after_s: whole({ min: 0, max: 3 * day_s, default: 0 }),
      error: { kind: "text", default: "" },
      requests: {
        kind: "text",
        one_of: ["trades", "instruments", "time", "all"],
        default: "trades",
      },
    },
  },
} as const satisfies Readonly<Record<string, FaultRules>>;

/** The name of a fault. */
export type FaultName = keyof typeof fault_rules;

/** One fault as it was asked for, with its defaults filled in. */
export interface Fault {
  readonly name: FaultName;
  readonly kind: FaultRules["kind"];
  /** Null: any exchange that can do so. */
  readonly exchange: string | null;
  /** Null: any symbol. */
  readonly native_symbol: string | null;
  /** How often; of an occurrence. */
  readonly count: number;
  /** How long, in seconds; of a state. `Infinity`: until faults are cleared. */
  readonly for_s: number;
  /** Seconds since the simulator's start when it begins; null: now. */
  readonly at_s: number | null;
  readonly parameters: Readonly<Record<string, number | string | boolean>>;
}

/** What the exchanges are called, and their symbols. */
export type KnownSymbols = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * Reads one fault.
 *
 * @throws {RangeError} with one sentence that says what is wrong and what is allowed.
 */
export function readFault(value: unknown, known: KnownSymbols): Fault {
  if (!isRecord(value)) throw wrong("a fault must be a JSON object", value);
  const { fault: name, exchange, native_symbol, count, for_s, at_s, ...rest } = value;
  if (!isFaultName(name))
    throw wrong(`fault must be one of ${Object.keys(fault_rules).join(", ")}`, name);
  const rules: FaultRules = fault_rules[name];
  const asked = { exchange, native_symbol };
  const target = targetOf(asked, { name, rules, known });
  if (count !== undefined && rules.kind !== "occurrence")
    throw wrong(`${name} takes no count: that is for an occurrence`, count);
  if (for_s !== undefined && rules.kind !== "state")
    throw wrong(`${name} takes no for_s: that is for a state`, for_s);
  const parameters: Record<string, number | string | boolean> = {};
  for (const [key, parameter] of Object.entries(rules.parameters))
    parameters[key] = parameterOf(`${name}.${key}`, { parameter, value: rest[key] });
  const unknown = Object.keys(rest).find((key) => !(key in rules.parameters));
  if (unknown !== undefined) {
    const allowed = Object.keys(rules.parameters).join(", ") || "none";
    throw wrong(`parameters of ${name} must be of: ${allowed}`, unknown);
  }
  const duration = number({ min: 0.001, max: 365 * day_s });
  const moment = number({ min: 0, max: 365 * day_s });
  return {
    name,
    kind: rules.kind,
    ...target,
    count: count === undefined ? 1 : numberOf("count", { value: count, rule: trades(1) }),
    for_s:
      for_s === undefined
        ? Number.POSITIVE_INFINITY
        : numberOf("for_s", { value: for_s, rule: duration }),
    at_s: at_s === undefined ? null : numberOf("at_s", { value: at_s, rule: moment }),
    parameters,
  };
}

/** A number that a fault was given. */
export function numberIn(fault: Fault, name: string): number {
  const value = fault.parameters[name];
  if (typeof value !== "number") throw new Error(`Cannot read ${name} of ${fault.name}`);
  return value;
}

/** A text that a fault was given. */
export function textIn(fault: Fault, name: string): string {
  return String(fault.parameters[name] ?? "");
}

function isFaultName(name: unknown): name is FaultName {
  return typeof name === "string" && Object.hasOwn(fault_rules, name);
}

function targetOf(
  asked: { readonly exchange: unknown; readonly native_symbol: unknown },
  about: { readonly name: string; readonly rules: FaultRules; readonly known: KnownSymbols },
): { readonly exchange: string | null; readonly native_symbol: string | null } {
  const { name, rules, known } = about;
  const { exchange = rules.only ?? null, native_symbol = null } = asked;
  if (exchange !== null && (typeof exchange !== "string" || !known.has(exchange)))
    throw wrong(`exchange must be one of ${[...known.keys()].join(", ")}`, exchange);
  if (rules.only !== undefined && exchange !== rules.only)
    throw wrong(`${name} is a fault of ${rules.only} only`, exchange);
  if (native_symbol === null) return { exchange, native_symbol };
  if (!rules.takes_symbol) throw wrong(`${name} takes no native_symbol`, native_symbol);
  if (exchange === null) throw wrong("native_symbol needs an exchange", exchange);
  const symbols = known.get(exchange) ?? new Set();
  if (typeof native_symbol !== "string" || !symbols.has(native_symbol))
    throw wrong(`native_symbol must be one of ${[...symbols].join(", ")}`, native_symbol);
  return { exchange, native_symbol };
}

function parameterOf(
  name: string,
  { parameter, value }: { readonly parameter: Parameter; readonly value: unknown },
): number | string | boolean {
  switch (parameter.kind) {
    case "number":
      return numberOf(name, { value: value ?? parameter.default, rule: parameter });
    case "text": {
      const text = value ?? parameter.default;
      if (typeof text !== "string") throw wrong(`${name} must be a text`, text);
      if (parameter.one_of !== undefined && !parameter.one_of.includes(text))
        throw wrong(`${name} must be one of ${parameter.one_of.join(", ")}`, text);
      return text;
    }
    case "flag":
      if (value !== undefined && typeof value !== "boolean")
        throw wrong(`${name} must be true or false`, value);
      return value ?? false;
    default:
      return parameter satisfies never;
  }
}

function numberOf(
  name: string,
  about: { readonly value: unknown; readonly rule: Parameter & { readonly kind: "number" } },
): number {
  const { value, rule } = about;
  const { min, max, is_whole } = rule;
  const is_allowed =
    typeof value === "number" && value >= min && value <= max && (!is_whole || value % 1 === 0);
  if (!is_allowed)
    throw wrong(`${name} must be a ${is_whole ? "whole " : ""}number from ${min} to ${max}`, value);
  return value;
}

function wrong(sentence: string, value: unknown): RangeError {
  return new RangeError(
    `Cannot use the fault as ${sentence}: current value is ${JSON.stringify(value) ?? "none"}`,
  );
}

interface Limits {
  readonly min: number;
  readonly max: number;
  readonly default?: number;
}

function number(limits: Limits): Parameter & { readonly kind: "number" } {
  return { kind: "number", is_whole: false, ...limits };
}

function whole(limits: Limits): Parameter & { readonly kind: "number" } {
  return { kind: "number", is_whole: true, ...limits };
}

function trades(usual: number): Parameter & { readonly kind: "number" } {
  return whole({ min: 1, max: 1_000_000, default: usual });
}
