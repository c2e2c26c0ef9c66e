/**
 * Goal: whatever the tree and whoever crashes, children stop and start in exactly OTP's order.
 * Method: random trees of the real machines, to which children come and from which they go, and
 * random crashes, ends and pauses from a seed, each compared with a reference model: plain recursion
 * over the same specs.
 */

import { expect, test } from "bun:test";
import {
  type ChildSpec,
  type SupervisorSpec,
  supervisorChild,
} from "../../supervisors/supervisor.ts";
import { type Child, startFamily } from "./family.ts";

const seeds = 400;
const events_per_seed = 40;
const tick_ms = 1_000;
const restarts = ["permanent", "permanent", "transient", "temporary"] as const;

test(`${seeds} random trees behave as the reference model`, () => {
  const kinds = ["crash", "crash", "crash", "normal", "normal", "normal", "fatal"] as const;
  let restarted = 0;
  let moved = 0;
  let escalations = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = mulberry32(seed);
    let spec: SupervisorSpec | undefined;
    let makeChild: Child | undefined;
    const family = startFamily((child) => {
      makeChild = child;
      spec = randomSupervisor(random, child, 0);
      return spec;
    });
    const model = createModel(spec!);
    expect({ seed, log: family.news() }).toEqual({ seed, log: model.news() });
    for (let step = 0; step < events_per_seed && model.isAlive(); step += 1) {
      const leaves = model.alive();
      const leaf = leaves[Math.floor(random() * leaves.length)];
      const dice = random();
      if (leaf === undefined || dice < 0.3) {
        family.clock.increment(tick_ms);
        model.tick();
      } else if (dice < 0.45) {
        moved += 1;
        const path = `root/${leaf}`;
        const above = path.slice(0, path.lastIndexOf("/"));
        const id = path.slice(above.length + 1);
        if (random() < 0.5) {
          family.tree.actor.system.get(above)?.send({ type: "remove_child", id });
          model.remove(leaf);
        } else {
          const added = makeChild!(`n${step}`, { restart: pick(random, restarts) });
          family.tree.actor.system.get(above)?.send({ type: "add_child", spec: added });
          model.add(leaf, added);
        }
      } else {
        const kind = pick(random, kinds);
        if (kind === "crash") family.crash(`root/${leaf}`);
        else if (kind === "normal") family.exit(`root/${leaf}`, { kind });
        else family.exit(`root/${leaf}`, { kind, reason: "it cannot go on" });
        model.end(leaf, kind);
      }
      const log = model.news();
      expect({ seed, step, log: family.news() }).toEqual({ seed, step, log });
    }
    const alive = model.isAlive();
    expect(family.node("root").state).toBe(alive ? "running" : "failed");
    if (alive) {
      void family.tree.stop();
      model.stop();
      expect({ seed, log: family.news() }).toEqual({ seed, log: model.news() });
    }
    restarted += family.exits.filter(({ verdict }) => verdict === "restarts").length;
    escalations += family.exits.filter(({ verdict }) => verdict === "gives_up").length;
  }
  // The test has seen something.
  expect(restarted).toBeGreaterThan(seeds);
  expect(escalations).toBeGreaterThan(seeds / 4);
  expect(moved).toBeGreaterThan(seeds);
});

function randomSupervisor(random: () => number, child: Child, depth: number): SupervisorSpec {
  const count = 1 + Math.floor(random() * 4);
  return {
    strategy: pick(random, ["one_for_one", "one_for_all", "rest_for_one"]),
    restarts_max: Math.floor(random() * 4),
    window_ms: tick_ms * (1 + Math.floor(random() * 5)),
    children: Array.from({ length: count }, (_, index) => {
      const restart = pick(random, restarts);
      if (depth < 2 && random() < 0.4) {
        const cool_down = { first_ms: tick_ms, max_ms: 3 * tick_ms };
        return supervisorChild({
          ...randomSupervisor(random, child, depth + 1),
          id: `s${index}`,
          restart,
          ...(random() < 0.2 ? { cool_down } : {}),
        });
      }
      return child(`w${index}`, { restart, shutdown_ms: pick(random, [0, 500]) });
    }),
  };
}

function pick<T>(random: () => number, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

/** A child of the model. A worker has no children. */
interface Member {
  readonly spec: ChildSpec;
  readonly name: string;
  readonly above: Group;
  group: Group | null;
  is_alive: boolean;
  /** Ended by itself, and not to be started with the others. */
  is_retired: boolean;
  cools_until: number | null;
  cool_down: number;
  up_since: number;
}

interface Group {
  readonly spec: SupervisorSpec;
  readonly self: Member | null;
  members: Member[];
  restarts: number[];
}

/** OTP's rules for children that start and stop at once. Time is in ticks. */
function createModel(root_spec: SupervisorSpec) {
  let now = 0;
  let is_alive = true;
  const log: string[] = [];
  const root = createGroup(root_spec, null);
  fill(root);

  function createGroup(spec: SupervisorSpec, self: Member | null): Group {
    const group: Group = { spec, self, members: [], restarts: [] };
    group.members = spec.children.map((child) => createMember(child, group));
    return group;
  }

  function createMember(spec: ChildSpec, above: Group): Member {
    return {
      spec,
      name: `${above.self === null ? "" : `${above.self.name}/`}${spec.id}`,
      above,
      group: null,
      is_alive: false,
      is_retired: false,
      cools_until: null,
      cool_down: 0,
      up_since: 0,
    };
  }

  /** Starts, in order, everybody who should be up. */
  function fill(group: Group): void {
    for (const member of group.members) {
      if (member.cools_until !== null && group.spec.strategy === "one_for_one") continue;
      if (member.cools_until !== null) return;
      if (member.is_alive || member.is_retired) continue;
      member.is_alive = true;
      member.up_since = now;
      const nested = member.spec.supervisor;
      if (nested === undefined) log.push(`+${member.name}`);
      else {
        member.group = createGroup(nested, member);
        fill(member.group);
      }
    }
  }

  function stop(members: readonly Member[]): void {
    for (const member of members.toReversed()) {
      if (!member.is_alive) continue;
      if (member.group !== null) stop(member.group.members);
      else log.push(`-${member.name}`);
      member.is_alive = false;
    }
  }

  function end(member: Member, kind: "crash" | "normal" | "fatal"): void {
    const { above, spec } = member;
    if (member.group === null) log.push(`-${member.name}`);
    member.is_alive = false;
    if (kind === "fatal" && spec.cool_down === undefined) {
      giveUp(above, "fatal");
      return;
    }
    if (spec.restart === "temporary" || (spec.restart === "transient" && kind === "normal")) {
      member.is_retired = true;
      return;
    }
    if (spec.cool_down !== undefined) {
      const { first_ms, max_ms } = spec.cool_down;
      const is_fresh = member.cool_down === 0 || now - member.up_since >= max_ms / tick_ms;
      const next = is_fresh ? first_ms : Math.min(2 * member.cool_down * tick_ms, max_ms);
      member.cool_down = next / tick_ms;
      member.cools_until = now + member.cool_down;
    } else {
      const recent = above.restarts.filter((at) => at > now - above.spec.window_ms / tick_ms);
      above.restarts = [...recent, now];
      if (above.restarts.length > above.spec.restarts_max) {
        giveUp(above, "crash");
        return;
      }
    }
    stopDependents(member);
    fill(above);
  }

  function giveUp(group: Group, kind: "crash" | "fatal"): void {
    stop(group.members);
    if (group.self === null) is_alive = false;
    else end(group.self, kind);
  }

  function stopDependents(member: Member): void {
    const { above } = member;
    const index = above.members.indexOf(member);
    const first = { one_for_one: Number.POSITIVE_INFINITY, one_for_all: 0, rest_for_one: index }[
      above.spec.strategy
    ];
    const dependents = above.members.slice(Math.min(first, above.members.length));
    for (const member of dependents) {
      const is_temporary = member.spec.restart === "temporary";
      if (member.is_alive && is_temporary) member.is_retired = true;
      if (member.is_retired && !is_temporary) member.is_retired = false;
    }
    stop(dependents);
  }

  function cooled(group: Group): Member[] {
    return group.members.flatMap((member) => {
      if (member.cools_until === now) return [member];
      return member.is_alive && member.group !== null ? cooled(member.group) : [];
    });
  }

  function aliveBelow(group: Group): Member[] {
    return group.members.flatMap((member) => {
      if (!member.is_alive) return [];
      return member.group === null ? [member] : aliveBelow(member.group);
    });
  }

  function aliveLeaf(name: string): Member {
    const found = aliveBelow(root).find((leaf) => leaf.name === name);
    if (found === undefined) throw new Error(`There is no leaf ${name}`);
    return found;
  }

  return {
    isAlive: () => is_alive,
    alive: () => aliveBelow(root).map(({ name }) => name),
    news: () => log.splice(0),
    stop: () => stop(root.members),
    end(name: string, kind: "crash" | "normal" | "fatal") {
      end(aliveLeaf(name), kind);
    },
    /** A child comes to the supervisor of that leaf, behind all others. */
    add(sibling: string, spec: ChildSpec) {
      const { above } = aliveLeaf(sibling);
      above.members.push(createMember(spec, above));
      fill(above);
    },
    /** A leaf goes, and nobody depends on it any more. */
    remove(name: string) {
      const leaf = aliveLeaf(name);
      stop([leaf]);
      leaf.above.members.splice(leaf.above.members.indexOf(leaf), 1);
    },
    tick() {
      now += 1;
      // Several pauses may end at once; the one that began first ends first.
      const due = cooled(root)
        .sort((a, b) => a.cool_down - b.cool_down)
        .reverse();
      for (const member of due) {
        member.cools_until = null;
        fill(member.above);
      }
    },
  };
}

/** A small seeded generator, uniform in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
