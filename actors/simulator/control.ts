/**
 * What whoever tests against the simulator may ask of it, beside the exchanges' own protocols:
 * `/simulator/faults` (POST an object or an array, GET the list, DELETE all), `/simulator/rules`
 * (which rules its clients have broken), `/simulator/trades` (the list of all trades) and
 * `/simulator/health`. Text in, values out.
 *
 * @module
 */

import {
  parseJson,
  type RestAnswer,
  type RestRequest,
  type SimulatedExchange,
} from "./exchange.ts";
import type { FaultPlan } from "./fault_plan.ts";
import { listTrades } from "./list.ts";
import type { RuleBook } from "./rules.ts";

/** What the answers are about. */
export interface Control {
  readonly exchanges: readonly SimulatedExchange[];
  readonly plan: FaultPlan;
  readonly rules: RuleBook;
  /** Refuses a fault that this simulator cannot make: a sentence, or undefined. */
  impossible(fault: unknown): string | undefined;
  health(): unknown;
}

/** A request with its method and body. */
export interface ControlRequest extends RestRequest {
  readonly method: string;
  readonly body: string;
}

/** The answer, or undefined if the path is not under `/simulator`. */
export function answerControl(control: Control, request: ControlRequest): RestAnswer | undefined {
  const { path, method } = request;
  if (!path.startsWith("/simulator/")) return undefined;
  switch (`${method} ${path.slice("/simulator".length)}`) {
    case "GET /health":
      return answerOf(200, control.health());
    case "GET /trades":
      return listTrades(control.exchanges, request);
    case "GET /rules":
      return answerOf(200, control.rules.report());
    case "GET /faults":
      return answerOf(200, { faults: control.plan.list() });
    case "POST /faults":
      return planFaults(control, request);
    case "DELETE /faults":
      control.plan.clear(request.now_us);
      return answerOf(200, { faults: [] });
    default:
      return answerOf(404, {
        error:
          "Cannot answer: ask GET /simulator/health, /trades, /rules or /faults, " +
          "POST or DELETE /simulator/faults",
      });
  }
}

function planFaults({ plan, impossible }: Control, { body, now_us }: ControlRequest): RestAnswer {
  const value = parseJson(body);
  if (value === undefined) return answerOf(400, { error: "Cannot read the faults: not JSON" });
  const faults: readonly unknown[] = Array.isArray(value) ? value : [value];
  const reason = faults.map((fault) => impossible(fault)).find((one) => one !== undefined);
  if (reason !== undefined) return answerOf(400, { error: reason });
  try {
    const planned = plan.add(faults, now_us);
    return answerOf(200, { ids: planned.map(({ id }) => id) });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return answerOf(400, { error: error.message });
  }
}

function answerOf(status: number, value: unknown): RestAnswer {
  const headers = { "content-type": "application/json" };
  return { status, body: JSON.stringify(value), headers };
}
