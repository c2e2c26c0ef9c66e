/**
 * One sentence for a step that failed, from the end of its log. Package managers report the same
 * few troubles in a hundred words each: no network, no disk space, no permission. Whatever else it
 * was stands in the log, which the sentence names.
 *
 * @module
 */

const out_of_disk = /ENOSPC|no space left on device|disk quota exceeded|os error 28\b/i;

const no_permission = /EACCES|EPERM|permission denied|read-only file system|EROFS/i;

const no_network = new RegExp(
  [
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "ENETUNREACH",
    "ConnectionRefused",
    "ConnectionClosed",
    "FailedToOpenSocket",
    "DNSResolveFailed",
    "getaddrinfo",
    "unknown host",
    "UnknownHostException",
    "could not transfer",
    "could not resolve host",
    "dns error",
    "failed to lookup address",
    "network is unreachable",
    "connection refused",
    "connection timed out",
    "connect timed out",
    "failed to fetch",
    "request failed after",
    "NewConnectionError",
    "could not find a version",
  ].join("|"),
  "i",
);

/** What is known of a step's failure. */
interface StepFailure {
  /** What the step makes. */
  readonly title: string;
  /** The last lines that it printed. */
  readonly tail: string;
  /** Where all of it stands, relative to the checkout. */
  readonly log: string;
  /** True where it was ended because it took longer than allowed. */
  readonly is_timed_out: boolean;
}

/** The sentence for a failed step: what could not be done, why, what to do. */
export function failureSentence({ title, tail, log, is_timed_out }: StepFailure): string {
  if (out_of_disk.test(tail)) {
    return `Set-up ran out of disk space at ${title}: free some and run the same command again`;
  }
  if (is_timed_out) {
    return `Set-up gave up on ${title} because it took too long: see ${log} and try again`;
  }
  if (no_network.test(tail)) {
    return (
      `Set-up could not fetch ${title}: ` +
      `check the network and run the same command again (${log})`
    );
  }
  if (no_permission.test(tail)) {
    return `Set-up may not write what it needs for ${title}: see ${log} for the path and its owner`;
  }
  return `Set-up could not make ${title}: ${tellingLine(tail)} (${log} has the rest)`;
}

/** The sentence for too little free space, known before anything starts. */
export function diskSentence(options: {
  readonly root: string;
  readonly needed_mib: number;
  readonly free_mib: number;
}): string {
  const { root, needed_mib, free_mib } = options;
  return `Set-up needs ${needed_mib} MiB free in ${root}, found ${free_mib} MiB: free some space`;
}

/** The last line that speaks of an error, else the last line. */
function tellingLine(tail: string): string {
  const lines = tail.split("\n").map((line) => line.trim());
  const told = lines.filter((line) => line !== "");
  return told.findLast((line) => /\berror\b/i.test(line)) ?? told.at(-1) ?? "it printed nothing";
}
