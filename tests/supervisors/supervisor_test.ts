/**
 * Goal: crashes are absorbed up to the restart intensity and no further, in OTP's order.
 * Method: children that log their starts and ends and crash on command, in virtual time.
 */

import { expect, test } from "bun:test";
import { createMachine, fromCallback, fromPromise } from "xstate";
import type { Incarnation } from "../../actors/messages.ts";
import { FatalError } from "../../actors/settings/exit.ts";
import type { Strategy } from "../../supervisors/supervisor.ts";
import { startTree, supervisorChild } from "../../supervisors/supervisor.ts";
import { type Child, startFamily } from "./family.ts";

function abc(strategy: Strategy, restart: "permanent" | "transient" | "temporary" = "permanent") {
  const family = startFamily((child) => ({
    strategy,
    children: ["a", "b", "c"].map((id) => child(id, { restart })),
  }));
  expect(family.news()).toEqual(["+a", "+b", "+c"]);
  return family;
}

test.each([
  ["one_for_one", ["-b", "+b"]],
  ["one_for_all", ["-b", "-c", "-a", "+a", "+b", "+c"]],
  ["rest_for_one", ["-b", "-c", "+b", "+c"]],
] as const)("%s restarts those who depend on the crashed child", (strategy, expected) => {
  const { crash, news, node } = abc(strategy);
  crash("root/b");
  expect(news()).toEqual([...expected]);
  expect(node("root/b")).toMatchObject({
    state: "running",
    restarts: { total: 1, in_window: 1, max: 2, window_ms: 1_000 },
    last_exit: { reason: "b died", at: "1970-01-01T00:00:00.000Z" },
  });
  expect(node("root/a").restarts.total).toBe(0);
  expect(node("root").restarts).toMatchObject({ total: 1, in_window: 1 });
});

test.each([
  ["permanent", "crash", ["-a", "+a"], "running"],
  ["permanent", "normal", ["-a", "+a"], "running"],
  ["transient", "crash", ["-a", "+a"], "running"],
  ["transient", "normal", ["-a"], "finished"],
  ["temporary", "crash", ["-a"], "failed"],
  ["temporary", "normal", ["-a"], "finished"],
] as const)("a %s child after a %s exit", (restart, kind, expected, state) => {
  const { exit, news, node } = abc("one_for_one", restart);
  exit("root/a", kind === "crash" ? { kind, reason: "gone" } : { kind });
  expect(news()).toEqual([...expected]);
  expect(node("root/a").state).toBe(state);
  expect(node("root/a").last_exit?.reason).toBe(kind === "crash" ? "gone" : "normal");
});

test("a finished transient child comes back when what it depended on crashes", () => {
  const { crash, exit, news } = startFamily((child) => ({
    strategy: "rest_for_one",
    children: [child("broker"), child("topics", { restart: "transient" }), child("feed")],
  }));
  exit("root/topics", { kind: "normal" });
  crash("root/broker");
  expect(news().slice(3)).toEqual(["-topics", "-broker", "-feed", "+broker", "+topics", "+feed"]);
});

test("a temporary child that goes down with another stays down", () => {
  const { crash, news } = startFamily((child) => ({
    strategy: "rest_for_one",
    children: [child("a"), child("b", { restart: "temporary" }), child("c")],
  }));
  news();
  crash("root/a");
  expect(news()).toEqual(["-a", "-c", "-b", "+a", "+c"]);
});

test("the supervisor gives up after restarts_max restarts of all children together", async () => {
  const { crash, news, node, tree } = abc("one_for_one");
  crash("root/a");
  crash("root/c");
  expect(node("root").state).toBe("running");
  news();
  crash("root/b");
  expect(news()).toEqual(["-b", "-c", "-a"]);
  expect(await tree.gave_up).toBe('"b" needed more than 2 restarts in 1000 ms; the last: b died');
  expect(node("root").state).toBe("failed");
  await tree.stop();
});

test("restarts older than the window are forgiven", () => {
  const { clock, crash, node } = abc("one_for_one");
  for (let round = 0; round < 5; round += 1) {
    crash("root/a");
    crash("root/a");
    clock.increment(1_000);
  }
  expect(node("root")).toMatchObject({ state: "running", restarts: { total: 10, in_window: 0 } });
});

test("escalation goes up through two levels, each counting its own", async () => {
  const { crash, exits, news, node, tree } = startFamily((child) => ({
    restarts_max: 1,
    children: [
      child("first"),
      nest("outer", [nest("inner", [child("leaf"), child("other")], 1)], 0),
      child("last"),
    ],
  }));
  expect(news()).toEqual(["+first", "+outer/inner/leaf", "+outer/inner/other", "+last"]);
  const leaf = "root/outer/inner/leaf";
  crash(leaf);
  expect(news()).toEqual(["-outer/inner/leaf", "+outer/inner/leaf"]);
  crash(leaf);
  // inner gives up, outer allows no restart and gives up too, root starts both again.
  const round = ["-outer/inner/leaf", "-outer/inner/other"];
  expect(news()).toEqual([...round, "+outer/inner/leaf", "+outer/inner/other"]);
  expect(node("root").restarts.total).toBe(1);
  expect(node(leaf).restarts.total).toBe(1);
  expect(exits.map(({ path, verdict }) => `${path} ${verdict}`)).toEqual([
    `${leaf} restarts`,
    `${leaf} gives_up`,
    "root/outer/inner/other stopped",
    "root/outer/inner gives_up",
    "root/outer restarts",
  ]);
  crash(leaf);
  crash(leaf);
  const order = ["-outer/inner/leaf", "+outer/inner/leaf", ...round, "-last", "-first"];
  expect(news()).toEqual(order);
  expect(await tree.gave_up).toBe(
    '"outer" needed more than 1 restarts in 1000 ms; ' +
      'the last: "inner" needed more than 0 restarts in 1000 ms; ' +
      'the last: "leaf" needed more than 1 restarts in 1000 ms; ' +
      "the last: outer/inner/leaf died",
  );
});

function nest(
  id: string,
  children: Parameters<typeof supervisorChild>[0]["children"],
  restarts_max: number,
) {
  const window_ms = 1_000;
  return supervisorChild({ id, strategy: "one_for_one", restarts_max, window_ms, children });
}

test("a child waits for the one before it, a supervisor for its children", () => {
  const { incarnations, news, node } = startFamily((child) => ({
    children: [nest("inner", [child("slow", {}, { ready: "never" })], 1), child("next")],
  }));
  expect(news()).toEqual(["+inner/slow"]);
  expect(node("root/inner/slow").state).toBe("starting");
  expect(node("root/inner").state).toBe("starting");
  expect(node("root").state).toBe("starting");
  expect(node("root/next").state).toBe("pending");
  incarnations("root/inner/slow")[0]!.ready();
  expect(news()).toEqual(["+next"]);
  expect(node("root").state).toBe("running");
});

test("a child that is never ready has crashed", async () => {
  const { clock, incarnations, news, node, tree } = startFamily((child) => ({
    children: [child("a", {}, { ready: "never" }), child("b")],
  }));
  for (let start = 1; start <= 3; start += 1) {
    expect(incarnations("root/a").length).toBe(start);
    clock.increment(999);
    expect(incarnations("root/a").length).toBe(start);
    clock.increment(1);
  }
  // Three crashes lie 1000 ms apart, so that each window holds one.
  expect(news()).toEqual(["+a", "-a", "+a", "-a", "+a", "-a", "+a"]);
  expect(node("root/a").last_exit?.reason).toBe("not ready within 1000 ms");
  void tree.stop();
});

test("a throw at start is a crash, wherever it happens", async () => {
  const stages = {
    input: { input: () => throwing() },
    callback: { logic: fromCallback(throwing) },
    context: { logic: createMachine({ context: throwing }) },
    entry: { logic: createMachine({ entry: throwing }) },
    promise: { logic: fromPromise(async () => throwing()) },
  };
  for (const [id, stage] of Object.entries(stages)) {
    const family = startFamily((child) => ({ children: [child("first"), child(id, stage)] }));
    expect(await family.tree.gave_up).toContain(`"${id}" needed more than 2 restarts in 1000 ms`);
    expect(await family.tree.gave_up).toContain("cannot start");
    expect(family.news()).toEqual(["+first", "-first"]);
  }
});

function throwing(): never {
  throw new Error("cannot start");
}

test("stop ends every child in reverse, each after the one before it", async () => {
  const family = startFamily((child) => ({
    children: [child("a"), nest("b", [child("c"), child("d")], 1), child("e")],
  }));
  family.news();
  await family.tree.stop();
  expect(family.news()).toEqual(["-e", "-b/d", "-b/c", "-a"]);
  expect(family.node("root")).toMatchObject({ state: "stopped" });
  expect(family.node("root/b/c")).toMatchObject({
    state: "stopped",
    last_exit: { reason: "stopped" },
  });
});

test("a child that does not stop is killed at its deadline, the others wait for it", () => {
  const { clock, news, node, tree } = startFamily((child) => ({
    children: [child("a"), child("b", { shutdown_ms: 300 }, { stop: "never" }), child("c")],
  }));
  news();
  void tree.stop();
  void tree.stop();
  expect(news()).toEqual(["-c"]);
  expect(node("root/b").state).toBe("stopping");
  clock.increment(299);
  expect(news()).toEqual([]);
  clock.increment(1);
  expect(news()).toEqual(["-b", "-a"]);
  expect(node("root/b").last_exit?.reason).toBe("killed: it had not stopped within 300 ms");
});

test("a shutdown of 0 ms kills without asking", () => {
  let was_asked = false;
  const logic = fromCallback<{ type: "stop" }, { incarnation: Incarnation }>(
    ({ input, receive }) => {
      input.incarnation.ready();
      receive(() => {
        was_asked = true;
      });
    },
  );
  const { node, tree } = startFamily((child) => ({
    children: [child("a", { shutdown_ms: 0, logic })],
  }));
  void tree.stop();
  expect(node("root")).toMatchObject({ state: "stopped" });
  expect(was_asked).toBe(false);
});

test("a crash while stopping is an end like any other", async () => {
  const { crash, news, node, tree } = startFamily((child) => ({
    children: [child("a"), child("b", {}, { stop: "never" })],
  }));
  news();
  const stopped = tree.stop();
  crash("root/b");
  await stopped;
  expect(news()).toEqual(["-b", "-a"]);
  expect(node("root").restarts.total).toBe(0);
});

test("a crash in the middle of a restart makes it begin anew, in order", () => {
  const { clock, crash, news } = startFamily((child) => ({
    strategy: "rest_for_one",
    children: [child("a"), child("b"), child("c", {}, { stop: "never" })],
  }));
  news();
  crash("root/b");
  expect(news()).toEqual(["-b"]);
  crash("root/a");
  expect(news()).toEqual(["-a"]);
  clock.increment(500);
  expect(news()).toEqual(["-c", "+a", "+b", "+c"]);
});

test("one_for_one restarts do not wait for a sibling that is slow to start", () => {
  const { crash, incarnations, news } = startFamily((child) => ({
    children: [child("slow", {}, { ready: "never" }), child("quick")],
  }));
  incarnations("root/slow")[0]!.ready();
  news();
  crash("root/slow");
  crash("root/quick");
  expect(news()).toEqual(["-slow", "+slow", "-quick", "+quick"]);
});

test("a dead incarnation cannot speak for its successor", () => {
  const { exits, crash, incarnations, news, node } = startFamily((child) => ({
    children: [child("a", {}, { ready: "never" })],
  }));
  crash("root/a");
  news();
  const [old, young] = incarnations("root/a");
  old!.ready();
  old!.exit({ kind: "crash", reason: "late" });
  old!.report.state = "late";
  old!.report.pid = 1;
  expect(news()).toEqual([]);
  expect(exits.length).toBe(1);
  expect(node("root/a").state).toBe("starting");
  young!.ready();
  young!.ready();
  young!.report.state = "streaming";
  young!.report.pid = 2;
  expect(node("root/a")).toMatchObject({ state: "streaming", pid: 2 });
});

test("an incarnation that crashes three ways at once has crashed once", () => {
  let starts = 0;
  const { exits, node } = startFamily((child) => ({
    restarts_max: 1,
    children: [
      child("a", {
        logic: fromCallback<{ type: "stop" }, { incarnation: Incarnation }>(
          ({ input: { incarnation } }) => {
            starts += 1;
            incarnation.ready();
            if (starts > 1) return;
            incarnation.exit({ kind: "crash", reason: "first word" });
            incarnation.exit({ kind: "crash", reason: "second word" });
            throw new Error("third word");
          },
        ),
      }),
    ],
  }));
  expect(exits).toEqual([{ path: "root/a", reason: "first word", verdict: "restarts" }]);
  expect(node("root/a").state).toBe("running");
});

test("a tree at rest holds no timer", () => {
  const { clock, crash, news } = startFamily((child) => ({
    children: [child("a"), nest("b", [child("c")], 1)],
  }));
  crash("root/a");
  expect(news()).toEqual(["+a", "+b/c", "-a", "+a"]);
  expect((clock as unknown as { timeouts: Map<number, unknown> }).timeouts.size).toBe(0);
});

test("figures outlive an incarnation, state and pid do not", () => {
  const { crash, incarnations, node } = startFamily((child) => ({
    children: [child("a", { kind: "port" })],
  }));
  const { report } = incarnations("root/a")[0]!;
  report.figures.sent_total = 7;
  report.state = "serving";
  report.pid = 42;
  expect(node("root/a")).toMatchObject({ pid: 42, state: "serving", figures: { sent_total: 7 } });
  crash("root/a");
  expect(node("root/a")).toMatchObject({ pid: null, state: "running", figures: { sent_total: 7 } });
});

test("a cool-down doubles up to its maximum, begins anew after a good run, never escalates", () => {
  const { clock, crash, news, node } = startFamily((child) => ({
    restarts_max: 0,
    children: [
      {
        ...nest("kraken", [child("leaf")], 0),
        cool_down: { first_ms: 60_000, max_ms: 200_000 },
      },
      child("binance"),
    ],
  }));
  expect(news()).toEqual(["+kraken/leaf", "+binance"]);
  for (const cool_down_ms of [60_000, 120_000, 200_000, 200_000]) {
    crash("root/kraken/leaf");
    expect(node("root/kraken")).toMatchObject({
      state: "failed",
      figures: { next_start_at: new Date(clock.now() + cool_down_ms).toISOString() },
    });
    clock.increment(cool_down_ms - 1);
    expect(news()).toEqual(["-kraken/leaf"]);
    clock.increment(1);
    expect(news()).toEqual(["+kraken/leaf"]);
    expect(node("root/kraken")).toMatchObject({ state: "running", figures: {} });
  }
  clock.increment(200_000);
  crash("root/kraken/leaf");
  clock.increment(60_000);
  expect(news()).toEqual(["-kraken/leaf", "+kraken/leaf"]);
  expect(node("root")).toMatchObject({ state: "running", restarts: { total: 5, in_window: 0 } });
});

test("a child that cools down holds up those after it only if they depend on it", () => {
  for (const strategy of ["one_for_one", "rest_for_one"] as const) {
    const { clock, news, node } = startFamily((child) => ({
      strategy,
      children: [
        child("a", {
          logic: fromCallback<{ type: "stop" }, { incarnation: Incarnation }>(({ input }) => {
            if (clock.now() === 0) throw new Error("not yet");
            input.incarnation.ready();
          }),
          cool_down: { first_ms: 100, max_ms: 100 },
        }),
        child("b"),
      ],
    }));
    const is_independent = strategy === "one_for_one";
    expect(news()).toEqual(is_independent ? ["+b"] : []);
    expect(node("root").state).toBe(is_independent ? "running" : "starting");
    clock.increment(100);
    expect(news()).toEqual(is_independent ? [] : ["+b"]);
    expect(node("root").state).toBe("running");
  }
});

test("children come and go while the supervisor runs", () => {
  let spare: ReturnType<Child> | undefined;
  const { crash, exits, news, node, tree } = startFamily((child) => {
    spare = child("c");
    return { children: [child("a"), child("b")] };
  });
  news();
  const supervisor = tree.actor.system.get("root");
  supervisor.send({ type: "add_child", spec: spare! });
  supervisor.send({ type: "add_child", spec: spare! });
  supervisor.send({ type: "add_child", spec: { ...spare!, id: "d", shutdown_ms: -1 } });
  expect(news()).toEqual(["+c"]);
  expect(exits.at(-1)?.reason).toContain("'shutdown_ms' must be");
  crash("root/c");
  supervisor.send({ type: "remove_child", id: "a" });
  supervisor.send({ type: "remove_child", id: "a" });
  expect(news()).toEqual(["-c", "+c", "-a"]);
  expect(node("root").children.map(({ id }) => id)).toEqual(["b", "c"]);
});

test("a supervisor that starts again has the children of its spec, whoever came or went", () => {
  const { crash, news, node, tree } = startFamily((child) => ({
    children: [
      supervisorChild({
        id: "s",
        strategy: "one_for_one",
        restarts_max: 0,
        window_ms: 1_000,
        children: [child("a"), child("b"), child("c")],
      }),
    ],
  }));
  tree.actor.system.get("root/s")?.send({ type: "remove_child", id: "b" });
  expect(node("root/s").children.map(({ id }) => id)).toEqual(["a", "c"]);
  news();
  crash("root/s/a");
  expect(news()).toEqual(["-s/a", "-s/c", "+s/a", "+s/b", "+s/c"]);
  expect(node("root/s").children.map(({ id }) => id)).toEqual(["a", "b", "c"]);
});

test("by hand: restart with dependents, stop alone, start again; none is counted", async () => {
  const { news, node, tree } = abc("rest_for_one");
  expect(await tree.send("root/b", "restart")).toBe(null);
  expect(news()).toEqual(["-c", "-b", "+b", "+c"]);
  expect(await tree.send("root/b", "stop")).toBe(null);
  expect(await tree.send("root/b", "stop")).toBe(null);
  expect(news()).toEqual(["-b"]);
  expect(node("root/b").state).toBe("stopped");
  expect(await tree.send("root/b", "start")).toBe(null);
  expect(await tree.send("root/b", "start")).toBe(null);
  expect(news()).toEqual(["+b"]);
  expect(node("root").restarts.total).toBe(0);
  expect(await tree.send("root/x", "stop")).toBe('Cannot stop "root/x" as there is no such child');
  expect(await tree.send("root", "stop")).toContain("it is the root");
});

test("a child that is cooling down can be started or stopped by hand", async () => {
  const { clock, crash, news, node, tree } = startFamily((child) => ({
    children: [child("a", { cool_down: { first_ms: 100, max_ms: 100 } })],
  }));
  crash("root/a");
  await tree.send("root/a", "start");
  expect(news()).toEqual(["+a", "-a", "+a"]);
  clock.increment(100);
  crash("root/a");
  await tree.send("root/a", "stop");
  clock.increment(1_000);
  expect(news()).toEqual(["-a"]);
  expect(node("root/a")).toMatchObject({ state: "stopped", figures: {} });
});

test("an aborted signal kills the whole tree at once", async () => {
  const log: string[] = [];
  const controller = new AbortController();
  const logic = fromCallback<{ type: "stop" }, { signal: AbortSignal; ready(): void }>(
    ({ input }) => {
      input.signal.addEventListener("abort", () => log.push("aborted"));
      input.ready();
      return () => log.push("cleaned up");
    },
  );
  const leaf = {
    id: "leaf",
    kind: "worker",
    logic,
    input: (incarnation: unknown) => incarnation,
    restart: "permanent",
    start_ms_max: 1_000,
    shutdown_ms: 1_000,
  } as const;
  const tree = startTree(
    {
      id: "root",
      strategy: "one_for_one",
      restarts_max: 0,
      window_ms: 1_000,
      children: [nest("inner", [leaf], 0)],
    },
    { now_ms: () => 0, signal: controller.signal },
  );
  await tree.ready;
  controller.abort();
  await tree.stop();
  expect(log).toEqual(["aborted", "cleaned up"]);
  expect(tree.node().children[0]?.children[0]?.state).toBe("stopped");
});

test("a system id that is taken is a failure to start, not of the supervisor", async () => {
  const { tree } = startFamily((child) => ({
    children: [child("a", { system_id: "x" }), child("b", { system_id: "x" })],
  }));
  expect(await tree.gave_up).toContain('it failed to start: the system id "x" is taken');
});

test("a log that throws harms nobody", () => {
  const tree = startTree(
    {
      id: "root",
      strategy: "one_for_one",
      restarts_max: 0,
      window_ms: 1,
      children: [
        {
          id: "a",
          kind: "worker",
          logic: fromCallback(throwing),
          input: () => undefined,
          restart: "temporary",
          start_ms_max: 1,
          shutdown_ms: 1,
        },
      ],
    },
    { now_ms: () => 0, notify: throwing },
  );
  expect(tree.node()).toMatchObject({ state: "running", children: [{ state: "failed" }] });
});

test("a cleanup that throws while a child is released harms nobody", () => {
  const { node, tree } = startFamily((child) => ({
    children: [
      child("a", {
        shutdown_ms: 0,
        logic: fromCallback<{ type: "stop" }, { incarnation: Incarnation }>(({ input }) => {
          input.incarnation.ready();
          return throwing;
        }),
      }),
      child("b"),
    ],
  }));
  void tree.send("root/a", "restart");
  expect(node("root")).toMatchObject({ state: "running", restarts: { total: 0 } });
  expect(node("root/a").state).toBe("running");
});

test("what no restart can help ends every supervisor above it at once, in order", async () => {
  const { exit, news, node, tree } = startFamily((child) => ({
    children: [
      child("a"),
      supervisorChild({
        id: "s",
        strategy: "rest_for_one",
        restarts_max: 5,
        window_ms: 1_000,
        children: [child("b", { restart: "transient" }), child("c")],
      }),
      child("d"),
    ],
  }));
  news();
  exit("root/s/b", { kind: "fatal", reason: "the schema is refused" });
  expect(news()).toEqual(["-s/b", "-s/c", "-d", "-a"]);
  expect(await tree.gave_up).toBe('"b" cannot go on: the schema is refused');
  expect(node("root").state).toBe("failed");
  expect(node("root/s/b").restarts.total).toBe(0);
});

test("a fatal error thrown in a step is one, and a child that cools down keeps it to itself", () => {
  const fatal = fromCallback<{ readonly type: string }, { incarnation: Incarnation }>(
    ({ input: { incarnation }, receive }) => {
      incarnation.ready();
      receive(() => {
        throw new FatalError("the outbox is inconsistent");
      });
    },
  );
  const { exits, news, node, tree } = startFamily((child) => ({
    children: [
      child("a"),
      supervisorChild({
        id: "s",
        strategy: "one_for_one",
        restarts_max: 5,
        window_ms: 1_000,
        cool_down: { first_ms: 1_000, max_ms: 2_000 },
        children: [child("b", { logic: fatal, input: (incarnation) => ({ incarnation }) })],
      }),
    ],
  }));
  news();
  tree.actor.system.get("root/s/b")?.send({ type: "die" });
  expect(exits.map(({ path, verdict }) => [path, verdict])).toEqual([
    ["root/s/b", "gives_up"],
    ["root/s", "cools_down"],
  ]);
  expect(node("root").state).toBe("running");
  expect(node("root/s").last_exit?.reason).toBe('"b" cannot go on: the outbox is inconsistent');
});
