/**
 * The supervision tree of `record`: the live feed's connections and nothing else. What they keep
 * goes to the sink that they are handed; nobody normalizes, so trades end here.
 *
 * @module
 */

import { exchangeNamed } from "../actors/exchanges/mod.ts";
import { Budget } from "../actors/rest/budget.ts";
import { openInstrumentList } from "../actors/rest/open_instrument_list.ts";
import { createReachability } from "../actors/rest/reachability.ts";
import type { ExchangeSettings, Settings } from "../actors/settings/settings.ts";
import { type ConnectionGround, connectionShards } from "./connection_tree.ts";
import { instrumentWorld, monotonicMs } from "./effects.ts";
import { cool_down, intensity, part_intensity } from "./ground.ts";
import { type ChildSpec, type SupervisorSpec, supervisorChild } from "./supervisor.ts";

/** What the tree is made of. */
export interface RecordParts extends ConnectionGround {
  readonly settings: Settings;
  /** Aborts when the recording ends. */
  readonly signal: AbortSignal;
}

/** Makes the tree. */
export function plantRecordTree(parts: RecordParts): SupervisorSpec & { readonly id: string } {
  return {
    id: "record",
    strategy: "one_for_one",
    ...part_intensity,
    children: parts.settings.exchanges.map((settings) => recordedExchange(parts, settings)),
  };
}

/** One exchange; its bad day does not end the others' recording. */
function recordedExchange(parts: RecordParts, settings: ExchangeSettings): ChildSpec {
  const { exchange, rest_url } = settings;
  const adapter = exchangeNamed(exchange);
  if (adapter === undefined) throw new RangeError(`There is no exchange "${exchange}"`);
  const { effects, log, signal } = parts;
  const now_ms = () => monotonicMs(effects);
  const reachability = createReachability({ exchange, log, remedy: "" });
  const budget = new Budget({ rules: adapter.rest.budgets, now_ms });
  const instruments = openInstrumentList({
    adapter,
    rest_url,
    budget,
    reachability,
    log,
    signal,
    world: instrumentWorld(effects),
  });
  const attempts = new Budget({ rules: [adapter.session.attempts], now_ms });
  const of = { settings, adapter, attempts, instruments, reachability };
  return supervisorChild({
    id: exchange,
    strategy: "one_for_one",
    ...intensity,
    cool_down,
    children: connectionShards(parts, of),
  });
}
