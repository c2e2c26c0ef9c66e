/**
 * What a symbol's normalizer must not lose when it crashes: the message it works on, how far it
 * has come, and how often the item before it has been tried. Made once per symbol in
 * `supervisors/tree.ts` and handed to every incarnation.
 *
 * @module
 */

import type { FrameTrades } from "../messages.ts";

/** A crash here is of code, not of input; whoever crashes twice on one item gives it up. */
export const attempts_max = 2;

/** Where a symbol's normalizer stands, and what it has counted. */
export class NormalizerInbox {
  /** The message being worked on; null between messages. */
  message: FrameTrades | null = null;
  /** Index of the item that comes next in `message`. */
  next = 0;
  /** How often the item at `next` has been begun. */
  attempts = 0;
  /** Whether the sink has taken the item at `next`: it is not sent a second time. */
  is_sent = false;
  /** Over all incarnations. */
  trades_total = 0;
  /** Over all incarnations. */
  dead_lettered_total = 0;
}
