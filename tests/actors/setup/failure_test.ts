/**
 * Goal: a step's failure becomes one sentence with the right remedy.
 * Method: the ends of real logs of bun, Maven, pip, uv, node-gyp and the C compiler.
 */

import { expect, test } from "bun:test";
import { diskSentence, failureSentence } from "../../../actors/setup/failure.ts";

test.each([
  "error: DNSResolveFailed downloading tarball long@5.3.2",
  "error: ConnectionRefused downloading package manifest ws",
  "request to https://example.test/x.tar.gz failed, reason: getaddrinfo ENOTFOUND example.test",
  "[ERROR] Could not transfer artifact org.apache:x:pom:1 from/to central: Unknown host",
  "ERROR: Could not find a version that satisfies the requirement uv==0.13.9 (from versions: none)",
  "error: Request failed after 3 retries\n  cause: dns error",
])("%j is a network's failure", (tail) => {
  expect(sentence(tail)).toBe(
    "Set-up could not fetch Spark's jars: check the network and run the same command again " +
      "(.setup/logs/x.log)",
  );
});

test.each([
  "error: ENOSPC: no space left on device, write",
  "fatal error: error writing to /tmp/cc.s: No space left on device",
  "error: failed to copy file: No space left on device (os error 28)",
])("%j is a full disk", (tail) => {
  expect(sentence(tail)).toStartWith("Set-up ran out of disk space at Spark's jars: free some");
});

test("a missing permission names the log", () => {
  expect(sentence("EACCES: permission denied, mkdir")).toContain("may not write");
});

test("anything else says its last line that speaks of an error, and names the log", () => {
  const tail = "binding.cc:12: error: 'x' was not declared\nmake: leaving\n\n";
  expect(sentence(tail)).toBe(
    "Set-up could not make Spark's jars: binding.cc:12: error: 'x' was not declared " +
      "(.setup/logs/x.log has the rest)",
  );
  expect(sentence("")).toContain("it printed nothing");
});

test("a step that took too long says so", () => {
  const failure = { title: "PySpark", tail: "ECONNRESET", log: "l", is_timed_out: true };
  expect(failureSentence(failure)).toStartWith("Set-up gave up on PySpark because it took too");
});

test("diskSentence() says where, how much is needed and how much is there", () => {
  expect(diskSentence({ root: "/k2", needed_mib: 4650, free_mib: 12 })).toBe(
    "Set-up needs 4650 MiB free in /k2, found 12 MiB: free some space",
  );
});

function sentence(tail: string): string {
  const log = ".setup/logs/x.log";
  return failureSentence({ title: "Spark's jars", tail, log, is_timed_out: false });
}
