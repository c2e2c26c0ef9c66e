/**
 * A check is a SQL file whose rows are the violations. Its header comment says how bad they are,
 * which relations' rows it looks at, what is wrong when there is a row, and what to do. Reading
 * such a file and judging its outcome are here, without DuckDB.
 *
 * @module
 */

type Severity = "error" | "warning";

/** One check as its file states it. */
export interface Check {
  readonly name: string;
  readonly severity: Severity;
  /** Relations whose rows it looks at. */
  readonly relations: readonly string[];
  /** `platform`: only sensible while a platform runs. */
  readonly needs: "platform" | null;
  /** What is wrong when it finds a row. */
  readonly wrong: string;
  /** What to do then. */
  readonly remedy: string;
  readonly sql: string;
}

/** `no_rows`: it found nothing, and there was nothing to look at. */
type Verdict = "passed" | "violated" | "no_rows" | "not_checked";

/** What one check came to. */
export interface Outcome {
  readonly check: Check;
  readonly verdict: Verdict;
  /** Why it was not checked, else null. */
  readonly reason: string | null;
  readonly rows: number;
  readonly violations: number;
  readonly milliseconds: number;
  /** The first violations, each a JSON object as text. */
  readonly samples: readonly string[];
}

const required = ["name", "severity", "rows", "wrong", "remedy"] as const;

/**
 * Reads a check's file: lines `-- key: value` up to the first line of another kind.
 *
 * @throws {Error} where the header lacks a key or has a wrong one.
 */
export function parseCheck(file_name: string, sql: string): Check {
  const header = new Map<string, string>();
  for (const line of sql.split("\n")) {
    const match = /^-- ([a-z]+): (.+)$/.exec(line);
    if (match === null) break;
    header.set(match[1] ?? "", match[2] ?? "");
  }
  const [name, severity, rows, wrong, remedy] = required.map((key) => {
    const value = header.get(key);
    if (value === undefined) throw new Error(`${file_name}: its header must have "-- ${key}: "`);
    return value;
  });
  if (`${name}.sql` !== file_name) throw new Error(`${file_name}: name must be that of the file`);
  if (severity !== "error" && severity !== "warning") {
    throw new Error(`${file_name}: severity must be error or warning: it is ${severity}`);
  }
  const needs = header.get("needs") ?? null;
  if (needs !== null && needs !== "platform") {
    throw new Error(`${file_name}: needs must be platform: it is ${needs}`);
  }
  return {
    name: name ?? "",
    severity,
    relations: (rows ?? "").split(",").map((relation) => relation.trim()),
    needs,
    wrong: wrong ?? "",
    remedy: remedy ?? "",
    sql,
  };
}

/** Judges what a check has found. */
export function verdictOf(found: { readonly rows: number; readonly violations: number }): Verdict {
  if (found.violations > 0) return "violated";
  return found.rows === 0 ? "no_rows" : "passed";
}

/** Whether the lake holds: a warning does not count. */
export function holds(outcomes: readonly Outcome[]): boolean {
  return !outcomes.some(
    ({ check, verdict }) => verdict === "violated" && check.severity === "error",
  );
}
