/**
 * Goal: a tool that is missing or too old gets one sentence with the wanted, the found, the remedy.
 * Method: texts as the tools print them.
 */

import { expect, test } from "bun:test";
import {
  compilerSentence,
  isAtLeast,
  parseVersion,
  toolSentence,
} from "../../../actors/setup/tool_versions.ts";

test.each([
  ['openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', [17, 0, 15]],
  ['java version "1.8.0_402"', [8, 0]],
  ['openjdk version "21" 2023-09-19', [21]],
  ["v20.20.2", [20, 20, 2]],
  ["Python 3.11.7", [3, 11, 7]],
  ["Python 3.14.0rc2", [3, 14, 0]],
  ["", null],
])("parseVersion(%j)", (text, expected) => {
  expect(parseVersion(text)).toEqual(expected);
});

test.each([
  [[3, 10], [3, 10], true],
  [[3, 9, 18], [3, 10], false],
  [[4], [3, 10], true],
  [[3], [3, 10], false],
  [[20], [], true],
] as const)("isAtLeast(%j, %j) is %p", (version, version_min, expected) => {
  expect(isAtLeast(version, version_min)).toBe(expected);
});

test("the sentences say what is wanted, what was found, and what to do", () => {
  expect(toolSentence("java", null)).toBe(
    "Set-up needs Java 17 or newer, found none: " +
      "install a JDK (Debian: apt-get install openjdk-17-jre-headless)",
  );
  expect(toolSentence("python3", [3, 9, 2])).toStartWith(
    "Set-up needs Python 3.10 or newer, found 3.9.2: ",
  );
  expect(toolSentence("mvn", null)).toStartWith("Set-up needs Maven, found none: ");
  expect(compilerSentence(["g++", "make"])).toContain("g++ and make are missing");
});
