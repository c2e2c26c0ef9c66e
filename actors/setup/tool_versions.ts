/**
 * What the machine must have, and the sentences that say what is missing: tool, wanted version,
 * found version, remedy. It only compares texts; `tools.ts` asks the machine.
 *
 * @module
 */

import type { ToolName } from "./steps.ts";

/** What a tool is called, the oldest version that works, and how to get it. */
interface ToolRequirement {
  readonly title: string;
  /** Oldest version that works, most significant number first; empty takes any. */
  readonly version_min: readonly number[];
  readonly remedy: string;
}

/** What is asked of each tool. */
export const tool_requirements: Readonly<Record<ToolName, ToolRequirement>> = {
  node: {
    title: "Node.js",
    version_min: [20],
    remedy: "install it from nodejs.org or with a version manager",
  },
  java: {
    title: "Java",
    version_min: [17],
    remedy: "install a JDK (Debian: apt-get install openjdk-17-jre-headless)",
  },
  mvn: { title: "Maven", version_min: [], remedy: "install it (Debian: apt-get install maven)" },
  python3: {
    title: "Python",
    version_min: [3, 10],
    remedy: "install it (Debian: apt-get install python3 python3-venv)",
  },
};

/** Names under which a fitting Python may be installed, in the order in which they are tried. */
export const python_names = [
  "python3",
  "python3.14",
  "python3.13",
  "python3.12",
  "python3.11",
  "python3.10",
] as const;

/**
 * The version in what a tool prints: `openjdk version "17.0.15"`, `v20.20.2`, `Python 3.11.7`.
 * Java's old form counts by its second number: `1.8.0` is 8.
 *
 * @returns its numbers, or null where there is none.
 */
export function parseVersion(text: string): readonly number[] | null {
  const match = /(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(text);
  if (match === null) return null;
  const numbers = match.slice(1).flatMap((part) => (part === undefined ? [] : [Number(part)]));
  return numbers[0] === 1 && numbers.length > 1 ? numbers.slice(1) : numbers;
}

/** Whether a version is at least another; a missing number counts as 0. */
export function isAtLeast(version: readonly number[], version_min: readonly number[]): boolean {
  for (const [index, wanted] of version_min.entries()) {
    const found = version[index] ?? 0;
    if (found !== wanted) return found > wanted;
  }
  return true;
}

/** The sentence for a tool that is missing or too old (`found` is then its version). */
export function toolSentence(name: ToolName, found: readonly number[] | null): string {
  const { title, version_min, remedy } = tool_requirements[name];
  const wanted = version_min.length === 0 ? title : `${title} ${version_min.join(".")} or newer`;
  return `Set-up needs ${wanted}, found ${found === null ? "none" : found.join(".")}: ${remedy}`;
}

/** The sentence for a Python whose standard library lacks the module that makes environments. */
export function venvSentence(python: string): string {
  return (
    `Set-up needs Python's venv module, which ${python} lacks: ` +
    "install it (Debian: apt-get install python3-venv)"
  );
}

/** The sentence for a machine on which the Kafka client must be compiled and cannot be. */
export function compilerSentence(missing: readonly string[]): string {
  return (
    "Set-up found no prebuilt Kafka client for this platform and must compile it, but " +
    `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing: install a C++ ` +
    "compiler and make (Debian: apt-get install g++ make libssl-dev zlib1g-dev)"
  );
}
