/**
 * How each exchange refuses a subscription that a fault refuses: in the words of a symbol that
 * does not exist where the refusal is final, in those of a service that is busy where it passes.
 *
 * @module
 */

import { type Fault, textIn } from "./faults.ts";
import { isoText } from "./kraken.ts";

/** The frame with which a request is refused. */
export function refusalText(
  fault: Fault,
  about: {
    readonly exchange: string;
    readonly native_symbol: string;
    readonly request_id: unknown;
    readonly now_us: number;
  },
): string {
  const { exchange, native_symbol, request_id, now_us } = about;
  const is_final = fault.parameters.terminal === true;
  const given = textIn(fault, "reason");
  switch (exchange) {
    case "binance": {
      if (is_final) {
        const msg = `Invalid request: ${given || `unknown stream ${native_symbol}`}`;
        return JSON.stringify({ code: 2, msg, id: request_id });
      }
      const msg = given || "Service unavailable; please try again later.";
      return JSON.stringify({ error: { code: -1008, msg }, id: request_id });
    }
    case "kraken":
      return JSON.stringify({
        error: given || (is_final ? `Currency pair not supported ${native_symbol}` : busy),
        method: "subscribe",
        req_id: request_id,
        success: false,
        symbol: native_symbol,
        time_in: isoText(now_us),
        time_out: isoText(now_us + 40),
      });
    default: {
      const reason = given || (is_final ? `${native_symbol} is not a valid product` : busy);
      return JSON.stringify({ type: "error", message: "Failed to subscribe", reason });
    }
  }
}

const busy = "Service temporarily unavailable";
