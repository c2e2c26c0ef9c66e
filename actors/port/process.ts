/**
 * Looks at and signals operating-system processes. A process id alone does not name a process,
 * because ids are used again; the id with the time of its start does.
 *
 * Linux tells both in /proc; elsewhere (macOS) `ps` is asked.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

const boot_id_file = "/proc/sys/kernel/random/boot_id";

/**
 * When the process began, as text to compare with another such text; null where no such process
 * runs. A process that has ended and waits for its parent (a zombie) does not run.
 */
export function startOfProcess(pid: number): string | null {
  return existsSync(boot_id_file) ? startFromProc(pid) : startFromPs(pid);
}

/** Clock ticks since boot (field 22 of /proc/<pid>/stat, proc(5)), with the boot's own id. */
function startFromProc(pid: number): string | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null;
  }
  // The second field is the command in parentheses and may hold anything, also parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, ticks] = [fields[0], fields[19]];
  if (state === "Z" || state === "X" || ticks === undefined) return null;
  return `${readFileSync(boot_id_file, "utf8").trim()}:${ticks}`;
}

function startFromPs(pid: number): string | null {
  try {
    const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [state = "", ...start] = line.trim().split(/\s+/);
    return state === "" || state.startsWith("Z") ? null : start.join(" ");
  } catch {
    return null;
  }
}

/** Sends a signal to a whole process group. False where the group is already gone. */
export function signalGroup(leader_pid: number, signal: "SIGTERM" | "SIGKILL"): boolean {
  try {
    process.kill(-leader_pid, signal);
    return true;
  } catch {
    return false;
  }
}
