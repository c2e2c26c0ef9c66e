/**
 * Goal: the plan says one step at a time, in order, and refuses specs that contradict themselves.
 * Method: values in, values out; what the steps come to is tested with the machine.
 */

import { expect, test } from "bun:test";
import { fromCallback } from "xstate";
import {
  type ChildSpec,
  childEnded,
  childReady,
  createSupervision,
  isOver,
  isServing,
  nextStep,
  type Supervision,
  type SupervisorSpec,
  stepTaken,
  stopAll,
} from "../../supervisors/restart_plan.ts";

test("starts go in order, each after the one before it is ready", () => {
  let supervision = createSupervision(abc());
  expect(step(supervision)).toBe("start a");
  supervision = take(supervision);
  expect(step(supervision)).toBe(null);
  supervision = childReady(supervision, "a", 0);
  expect(step(supervision)).toBe("start b");
  expect(isServing(supervision)).toBe(false);
});

test("stops go in reverse, each after the one before it has ended", () => {
  let supervision = take(stopAll(up(abc())));
  expect(supervision.children.map(({ phase }) => phase)).toEqual(["up", "up", "stopping"]);
  expect(step(supervision)).toBe(null);
  for (const expected of ["stop b", "stop a", null]) {
    const id = supervision.children.find(({ phase }) => phase === "stopping")!.spec.id;
    const ended = childEnded(supervision, id, { exit: { kind: "normal" }, now_ms: 0 });
    expect(ended.verdict).toBe("stopped");
    expect(step(ended.supervision)).toBe(expected);
    supervision = take(ended.supervision);
  }
  expect(isOver(supervision)).toBe(true);
});

test("a permanent child that ends normally is restarted, and counted", () => {
  const ended = childEnded(up(abc()), "b", { exit: { kind: "normal" }, now_ms: 5 });
  expect(ended).toMatchObject({ verdict: "restarts", supervision: { restarts_ms: [5] } });
  expect(step(ended.supervision)).toBe("start b");
});

test("giving up names the child, the limit and the last reason", () => {
  const exit = { kind: "crash", reason: "no such file" } as const;
  const ended = childEnded(up({ ...abc(), restarts_max: 0 }), "b", { exit, now_ms: 0 });
  expect(ended.verdict).toBe("gives_up");
  expect(ended.supervision.give_up_reason).toBe(
    '"b" needed more than 0 restarts in 1000 ms; the last: no such file',
  );
  expect(step(ended.supervision)).toBe("stop c");
});

test.each([
  ["'restarts_max' must be an integer from 0: it is -1", { restarts_max: -1 }],
  ["'restarts_max' must be an integer from 0: it is 0.5", { restarts_max: 0.5 }],
  ["'window_ms' must be above 0: it is 0", { window_ms: 0 }],
  ["without an id", { children: [child(""), child("a")] }],
  ['two children "a"', { children: [child("a"), child("a")] }],
  ["'start_ms_max' must be a time", { children: [child("a", { start_ms_max: Number.NaN })] }],
  ["'shutdown_ms' must be a time", { children: [child("a", { shutdown_ms: 2 ** 31 })] }],
  ["first_ms <= max_ms", { children: [child("a", { cool_down: { first_ms: 2, max_ms: 1 } })] }],
])("refuses a spec: %s", (message, change: Partial<SupervisorSpec>) => {
  expect(() => createSupervision({ ...abc(), ...change })).toThrow(message);
});

function abc(): SupervisorSpec {
  return {
    strategy: "one_for_one",
    restarts_max: 1,
    window_ms: 1_000,
    children: [child("a"), child("b"), child("c")],
  };
}

function child(id: string, change: Partial<ChildSpec> = {}): ChildSpec {
  return {
    id,
    kind: "worker",
    logic: fromCallback(() => {}),
    input: () => undefined,
    restart: "permanent",
    start_ms_max: 1_000,
    shutdown_ms: 1_000,
    ...change,
  };
}

function step(supervision: Supervision): string | null {
  const next = nextStep(supervision);
  return next && `${next.kind} ${next.child.spec.id}`;
}

function take(supervision: Supervision): Supervision {
  const next = nextStep(supervision);
  return next === null ? supervision : stepTaken(supervision, next);
}

function up(spec: SupervisorSpec): Supervision {
  return spec.children.reduce(
    (supervision, { id }) => childReady(take(supervision), id, 0),
    createSupervision(spec),
  );
}
