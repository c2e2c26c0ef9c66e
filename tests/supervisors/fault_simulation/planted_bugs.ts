/**
 * Bugs that a feed could well have, planted to show that the simulation sees them. Each changes
 * what a process is handed - a store, an outbox, the memory - and none is in the code that runs.
 *
 * @module
 */

import type { Continuity } from "../../../actors/continuity/continuity.ts";
import type { ContinuityStore } from "../../../actors/continuity/continuity_store.ts";
import { type Attachment, Outbox } from "../../../actors/producer/outbox.ts";
import { Budget } from "../../../actors/rest/budget.ts";
import { feedEvent } from "../../../schemas/mod.ts";
import { monotonicMs } from "../../../supervisors/effects.ts";
import type { Tampering } from "../../../supervisors/fault_simulation/simulated_process.ts";
import type { FeedMemory } from "../../../supervisors/feed_memory.ts";

/** A bug: how it is planted, and what a run says that finds it. */
export interface PlantedBug {
  readonly tamper: Tampering;
  readonly says: RegExp;
}

/** By what is wrong. */
export const planted_bugs: Readonly<Record<string, PlantedBug>> = {
  "a cursor is written before the acknowledgement": {
    says: /confirmed through|not in Kafka/,
    tamper: {
      outbox(outbox) {
        Object.defineProperty(outbox, "settled_through", { get: () => Number.MAX_SAFE_INTEGER });
      },
    },
  },
  "the outbox is dropped when the port crashes": {
    says: /acknowledged and not in Kafka/,
    tamper: {
      outbox: (outbox) =>
        tamperAttachments(outbox, (attachment, sent) => ({
          ...attachment,
          detach() {
            for (const id of [...sent]) attachment.acknowledge(id, []);
            attachment.detach();
          },
        })),
    },
  },
  "an acknowledgement counts for the batch before": {
    says: /acknowledged and not in Kafka/,
    tamper: {
      outbox: (outbox) =>
        tamperAttachments(outbox, (attachment, sent) => ({
          ...attachment,
          acknowledge(id, refusals) {
            const earlier = [...sent].find((other) => other < id);
            attachment.acknowledge(earlier ?? id, refusals);
          },
        })),
    },
  },
  "what the port had is sent again in reverse": {
    says: /behind/,
    tamper: {
      outbox(outbox) {
        let held: Buffer[] = [];
        const attach = outbox.attach.bind(outbox);
        outbox.attach = (transport) => {
          let is_attaching = true;
          const attachment = attach({
            send(packet) {
              if (is_attaching) held.push(packet);
              else transport.send(packet);
            },
          });
          is_attaching = false;
          for (const packet of held.reverse()) transport.send(packet);
          held = [];
          return attachment;
        };
      },
    },
  },
  "what is spilled is replayed after newer records": { says: /behind/, tamper: replayedLate() },
  "what waits on disk counts as acknowledged": {
    says: /neither in Kafka nor in an open gap|not in Kafka/,
    tamper: {
      outbox(outbox) {
        const honest = Object.getOwnPropertyDescriptor(Outbox.prototype, "settled_through");
        Object.defineProperty(outbox, "settled_through", {
          get: () => (outbox.is_spilling ? outbox.mark() : honest?.get?.call(outbox)),
        });
      },
    },
  },
  "a gap is closed by an empty page": {
    says: /told absent, and is not/,
    tamper: {
      memory: (memory) =>
        eachContinuity(memory, (continuity) => {
          const settlePage = continuity.settlePage.bind(continuity);
          continuity.settlePage = (evidence) => {
            settlePage(evidence);
            if (evidence.ids.length > 0) return;
            for (const { from_id, to_id } of continuity.openGaps()) {
              settlePage({ ids: [from_id - 1, to_id + 1], after_id: null, has_rejects: false });
            }
          };
        }),
    },
  },
  "a trade that is known is sent again": {
    says: /emitted twice/,
    tamper: {
      memory: (memory) =>
        eachContinuity(memory, (continuity) => {
          const judge = continuity.judge.bind(continuity);
          continuity.judge = (trade_id) => {
            const verdict = judge(trade_id);
            return verdict === "duplicate" ? "new" : verdict;
          };
        }),
    },
  },
  "the budget is forgotten at a restart": {
    says: /the exchange's rule .* is broken/,
    tamper: budgetForgotten(),
  },
  "a gap's end is told before its trades are taken": {
    says: /the end of gap .* is not taken/,
    tamper: {
      outbox(outbox) {
        const addEvent = outbox.addEvent.bind(outbox);
        outbox.addEvent = (event) => {
          addEvent(event);
          if (event.event !== "gap_opened") return;
          addEvent(feedEvent({ ...event, event: "gap_filled", remaining: [] }));
        };
      },
    },
  },
  "the coverage moves without a gap": {
    says: /the coverage of .* is told from/,
    tamper: {
      stores: (stores) => ({
        ...stores,
        continuity: withStates(stores.continuity, (state) => ({
          ...state,
          from_id: Math.max(state.from_id, state.head_id),
          gaps: [],
        })),
      }),
    },
  },
  "what was told is not noted": {
    says: /the coverage of|does not know the end of gap/,
    tamper: {
      stores: (stores) => ({
        ...stores,
        continuity: { ...withStates(stores.continuity, (state) => state), note() {} },
      }),
    },
  },
  "the grace of a gap is ignored": {
    says: /after it could be known/,
    tamper: {
      settings: (settings) => ({ ...settings, gap_grace_ms: 0 }),
    },
  },
  "what is missing at a restart is taken for had": {
    says: /neither in Kafka nor in an open gap|not in Kafka/,
    tamper: {
      stores: (stores) => ({
        ...stores,
        continuity: withStates(stores.continuity, (state) => ({ ...state, gaps: [] })),
      }),
    },
  },
};

/** Fewer than the smallest window, which has to have room for a newer batch. */
const held_max = 3;

/** What earlier processes have left on disk goes out behind the first newer batch. */
function replayedLate(): Tampering {
  let found: ReadonlySet<number> = new Set();
  return {
    stores(stores) {
      found = new Set(stores.spill.found.map(({ id }) => id));
      return stores;
    },
    outbox(outbox) {
      const attach = outbox.attach.bind(outbox);
      outbox.attach = (transport) => {
        const held: Buffer[] = [];
        return attach({
          send(packet) {
            const is_late = found.has(packet.readUIntLE(4, 6));
            if (is_late) held.push(packet);
            else transport.send(packet);
            if (is_late && held.length < held_max) return;
            for (const late of held.splice(0).reverse()) transport.send(late);
          },
        });
      };
    },
  };
}

function budgetForgotten(): Tampering {
  let now_ms = () => 0;
  return {
    effects(effects) {
      now_ms = () => monotonicMs(effects);
      return effects;
    },
    stores: (stores) => ({
      ...stores,
      budgets: { open: (_exchange, _name, rules) => new Budget({ rules, now_ms }), close() {} },
    }),
  };
}

/** Changes what a transport is given to say; `sent` holds the batches that are with it. */
function tamperAttachments(
  outbox: Outbox,
  tamper: (attachment: Attachment, sent: ReadonlySet<number>) => Attachment,
): void {
  const attach = outbox.attach.bind(outbox);
  outbox.attach = (transport) => {
    const sent = new Set<number>();
    const attachment = attach({
      send(packet) {
        sent.add(packet.readUIntLE(4, 6));
        transport.send(packet);
      },
    });
    return tamper(
      {
        detach: () => attachment.detach(),
        acknowledge(id, refusals) {
          sent.delete(id);
          attachment.acknowledge(id, refusals);
        },
      },
      sent,
    );
  };
}

function eachContinuity(memory: FeedMemory, tamper: (continuity: Continuity) => void): void {
  for (const { continuities } of memory.exchanges)
    for (const one of continuities.values()) tamper(one);
}

function withStates(
  store: ContinuityStore,
  tamper: (state: ReturnType<ContinuityStore["readStates"]>[number]) => typeof state,
): ContinuityStore {
  return {
    readStates: () => store.readStates().map(tamper),
    note: (event) => store.note(event),
    get noted_through() {
      return store.noted_through;
    },
    writeStates: (states, through) => store.writeStates(states, through),
    close: () => store.close(),
  };
}
