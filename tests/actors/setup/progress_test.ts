/**
 * Goal: each step has a line at its start and one at its end with its time.
 * Method: a clock and a text in the test's hand.
 */

import { expect, test } from "bun:test";
import { createProgress } from "../../../actors/setup/progress.ts";

test("without a terminal it writes plain lines and no live line", () => {
  const { progress, text, pass } = createReport({ is_terminal: false });
  progress.started("kafka_broker", "Kafka broker's jars");
  pass(12_340);
  progress.tick();
  progress.done("kafka_broker");
  progress.started("python", "Python environment");
  pass(400);
  progress.failed("python");
  progress.note("waiting");
  expect(text()).toBe(
    "setup: kafka_broker: Kafka broker's jars …\n" +
      "setup: kafka_broker … done in 12.3 s\n" +
      "setup: python: Python environment …\n" +
      "setup: python … failed after 0.4 s\n" +
      "setup: waiting\n",
  );
});

test("on a terminal a live line shows what runs, and lines replace it", () => {
  const { progress, text, pass } = createReport({ is_terminal: true });
  progress.started("a", "A");
  progress.started("b", "B");
  pass(2_000);
  progress.tick();
  expect(text()).toEndWith("\r\u001b[2Ksetup: a 2 s, b 2 s");
  progress.stopped("a");
  expect(text()).toEndWith("\r\u001b[2Ksetup: a … stopped after 2.0 s\n");
  progress.done("b");
  const before = text();
  progress.tick();
  expect(text()).toBe(before);
});

function createReport({ is_terminal }: { readonly is_terminal: boolean }) {
  let text = "";
  let now_ms = 0;
  const progress = createProgress({
    write: (more) => {
      text += more;
    },
    is_terminal,
    now_ms: () => now_ms,
  });
  function pass(duration_ms: number): void {
    now_ms += duration_ms;
  }
  return { progress, text: () => text, pass };
}
