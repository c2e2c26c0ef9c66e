/**
 * Runs `bench` as a process of its own, with nothing of this machine's settings.
 *
 * @module
 */

import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "../../..");

/** Makes the runner in a folder; what it returns runs a bench and reads its last line. */
export async function createBenchRunner(folder: string) {
  const runner = join(folder, "runner.ts");
  await writeFile(
    runner,
    `import { run } from "${root}/actors/bench/bench_command.ts";
     import { exchanges } from "${root}/actors/exchanges/mod.ts";
     import { reasonOf } from "${root}/actors/settings/exit.ts";
     import { readSettings } from "${root}/actors/settings/settings.ts";
     const environment = process.env;
     const settings = readSettings(environment, exchanges);
     const invocation = { settings, environment, root: "${root}" };
     const { flags, positionals } = JSON.parse(process.argv[2]);
     try {
       process.exitCode = await run({ ...invocation, flags, positionals });
     } catch (error) {
       console.error(error.name + ": " + reasonOf(error));
       process.exitCode = error.name === "UsageError" ? 2 : 1;
     }
     process.exit();`,
  );
  return async (
    positionals: readonly string[],
    flags: object = {},
    environment: Readonly<Record<string, string>> = {},
  ) => {
    const invocation = JSON.stringify({ flags, positionals });
    const child = Bun.spawn([process.execPath, "--no-env-file", runner, invocation], {
      env: { PATH: process.env.PATH ?? "", K2_DATA_DIR: join(folder, "data"), ...environment },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr, code] = await Promise.all([
      child.stdout.text(),
      child.stderr.text(),
      child.exited,
    ]);
    return { line: stdout.trimEnd().split("\n").at(-1) ?? "", stderr, code };
  };
}

/** The figures of a line `name=value name=value …`, whose form `pattern` names by its groups. */
export function figuresOf(line: string, pattern: RegExp): Readonly<Record<string, number>> {
  const groups = pattern.exec(line)?.groups ?? {};
  return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, Number(value)]));
}
