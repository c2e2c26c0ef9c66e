/**
 * Names of topics, subjects and keys: the one place that spells them.
 *
 * @module
 */

/** The topic of an exchange's trades. */
export function tradesTopic(exchange: string): string {
  return `market.crypto.trades.${exchange}`;
}

/** The topic of an exchange's frames, verbatim. */
export function framesTopic(exchange: string): string {
  return `market.crypto.frames.${exchange}`;
}

/** Whether a topic holds some exchange's trades. */
export function isTradesTopic(topic: string): boolean {
  return topic.startsWith(tradesTopic(""));
}

/** Whether a topic holds some exchange's frames. */
export function isFramesTopic(topic: string): boolean {
  return topic.startsWith(framesTopic(""));
}

/** The topic of what happened to the feed. */
export const events_topic = "market.crypto.events";

/** The topic of what nobody could read and what the broker refuses for good. */
export const dead_letters_topic = "market.crypto.dead_letters";

/** The registry's subject of a topic's values (Confluent's TopicNameStrategy). */
export function subjectOf(topic: string): string {
  return `${topic}-value`;
}

/** A record's key: all records of one symbol share a partition, and so an order. */
export function recordKey(exchange: string, native_symbol: string): string {
  return `${exchange}:${native_symbol}`;
}
