/**
 * What a person at the terminal wants to know of a starting platform, each once: when Kafka and
 * the lake serve, up to the first bar of every exchange in Gold. Pure: the tree in, lines
 * out.
 *
 * @module
 */

import { findNode, type StatusNode } from "../actors/status/node.ts";
import { tradesTopic } from "../schemas/topics.ts";

interface Milestone {
  /** What is said once it is reached. */
  readonly line: string;
  isReached(tree: StatusNode): boolean;
}

/**
 * Makes a function that, given the tree now, returns the lines of all milestones newly reached.
 *
 * @param exchanges Exchanges that this process runs.
 */
export function announcer(exchanges: readonly string[]): (tree: StatusNode) => readonly string[] {
  let open = milestonesOf(exchanges);
  return (tree) => {
    const reached = open.filter((milestone) => milestone.isReached(tree));
    open = open.filter((milestone) => !reached.includes(milestone));
    return reached.map(({ line }) => line);
  };
}

function milestonesOf(exchanges: readonly string[]): readonly Milestone[] {
  return [
    { line: "Kafka serves", isReached: (tree) => stateOf(tree, "topics") === "finished" },
    { line: "Spark's queries run", isReached: (tree) => stateOf(tree, "spark") === "running" },
    ...exchanges.map((exchange) => ({
      line: `${exchange} has its first bar in Gold`,
      isReached: (tree: StatusNode) => {
        const figures = findNode(tree, (node) => node.id === "spark")?.figures;
        const topics = String(figures?.refine_gold_topics ?? "").split(",");
        return topics.includes(tradesTopic(exchange));
      },
    })),
  ];
}

function stateOf(tree: StatusNode, id: string): string | undefined {
  return findNode(tree, (node) => node.id === id)?.state;
}
