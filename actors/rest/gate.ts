/**
 * The one gate through which every request to an exchange's REST leaves: it keeps to the budget,
 * sends what the exchange wants sent, takes over the exchange's own count of what is used up, and
 * lets nobody pass for as long as the exchange has asked to be left alone.
 *
 * @module
 */

import type { RestRules } from "../exchanges/adapter.ts";
import { retryAfterMs } from "./backoff.ts";
import type { Budget } from "./budget.ts";
import type { GetPage, RestAnswer } from "./get_page.ts";

/** What became of a request, or that it did not leave. */
export type GateAnswer =
  | RestAnswer
  /** The budget has room only in `wait_ms`. */
  | { readonly kind: "postponed"; readonly wait_ms: number };

/** Asks an exchange. Never throws; an answer that came after `signal` aborted is `failed`. */
export type AskExchange = (
  url: string,
  options: { readonly weight: number; readonly signal?: AbortSignal },
) => Promise<GateAnswer>;

/** How long an exchange is left alone that does not say it: a window of its budgets, a ban. */
const block_ms_default = { too_many: 60_000, banned: 120_000 } as const;

/**
 * Makes an exchange's gate. It does not wait: whoever is postponed waits by its own clock.
 *
 * @param options.now_ms Wall clock, milliseconds since 1970: `Retry-After` may hold an instant.
 */
export function createGate(options: {
  readonly rest: RestRules;
  readonly budget: Budget;
  readonly getPage: GetPage;
  readonly now_ms: () => number;
}): AskExchange {
  const { rest, budget, getPage, now_ms } = options;
  return async (url, { weight, signal }) => {
    const wait_ms = budget.waitMs(weight);
    if (wait_ms > 0) return { kind: "postponed", wait_ms };
    budget.spend(weight);
    const { headers } = rest;
    const answer = await getPage(url, signal === undefined ? { headers } : { headers, signal });
    if (answer.kind === "failed") return answer;
    const used = rest.usedWeight(answer.headers);
    if (used !== null) budget.adopt(used);
    if (answer.kind === "refused") budget.blockFor(blockMs(answer, now_ms()));
    return answer;
  };
}

/** For how long a refusal shuts the gate; 0: it does not. */
function blockMs(
  { status, retry_after }: Extract<RestAnswer, { kind: "refused" }>,
  now_ms: number,
): number {
  const named_ms = retryAfterMs(retry_after, now_ms);
  if (status === 429) return named_ms ?? block_ms_default.too_many;
  if (status === 418) return named_ms ?? block_ms_default.banned;
  return status === 503 ? (named_ms ?? 0) : 0;
}
