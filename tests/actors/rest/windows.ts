/**
 * How full a budget's windows have been, counted anew from what was spent: the measure of every
 * test of budgets, apart from their code.
 *
 * @module
 */

import type { BudgetRule } from "../../../actors/exchanges/adapter.ts";

/** The most that any window of a rule holds, both its ends included. */
export function fullestWindow(
  spent: readonly { readonly at_ms: number; readonly weight: number }[],
  { window_ms }: BudgetRule,
): number {
  let fullest = 0;
  for (const { at_ms: begin_ms } of spent) {
    const held = spent.filter(({ at_ms }) => at_ms >= begin_ms && at_ms <= begin_ms + window_ms);
    fullest = Math.max(
      fullest,
      held.reduce((sum, { weight }) => sum + weight, 0),
    );
  }
  return fullest;
}
