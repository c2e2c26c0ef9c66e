/**
 * The one entry point: finds the command, checks its flags and the settings, sets up what it
 * needs, and hands over. On a fresh machine nothing is installed yet, so this file and its static
 * imports use only what Bun brings.
 *
 * @module
 */

import { type ParseArgsConfig, parseArgs } from "node:util";
import { exchanges } from "./actors/exchanges/mod.ts";
import { exit_codes, reasonOf, UsageError } from "./actors/settings/exit.ts";
import { begun_variable } from "./actors/settings/invocation.ts";
import { readSettings } from "./actors/settings/settings.ts";
import { setUp } from "./actors/setup/set_up.ts";
import { type Command, commandNamed, commands } from "./supervisors/commands.ts";

process.exitCode = await main(process.argv.slice(2));
// Ports and sockets have ended by now; a stray timer must not keep the process.
process.exit();

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h") {
    process.stdout.write(overview());
    return exit_codes.done;
  }
  try {
    const command = commandNamed(name);
    if (command === undefined) {
      const names = commands.map((known) => known.name).join(", ");
      throw new UsageError(`There is no command "${name}": it must be one of ${names}`);
    }
    return await dispatch(command, rest);
  } catch (error) {
    process.stderr.write(`k2 ${name}: ${reasonOf(error)}\n`);
    if (error instanceof UsageError) return exit_codes.wrong_use;
    return exit_codes.failed;
  }
}

async function dispatch(command: Command, argv: readonly string[]): Promise<number> {
  const { flags, positionals } = parse(command, argv);
  if (flags.help === true) {
    process.stdout.write(`${command.usage}\n`);
    return exit_codes.done;
  }
  const settings = readSettings(process.env, exchanges);
  const invocation = {
    flags,
    positionals,
    settings,
    environment: process.env,
    root: import.meta.dir,
  };
  command.check?.(invocation);
  const made = await setUp(command.setup(invocation), {
    root: import.meta.dir,
    environment: process.env,
  });
  if (made.includes("packages")) beginAnew();
  const { run } = await command.load();
  return await run(invocation);
}

/**
 * Replaces this process by a new one of the same command. Bun has looked for packages when there
 * were none and remembers that, so a module that needs one cannot be loaded here any more.
 */
function beginAnew(): void {
  if (process.execve === undefined || process.env[begun_variable] !== undefined) return;
  const begun_ms = Math.round(performance.timeOrigin);
  const argv = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve(process.execPath, argv, { ...process.env, [begun_variable]: String(begun_ms) });
}

function parse(command: Command, argv: readonly string[]) {
  const options = { ...command.options, help: { type: "boolean", short: "h" } } as const;
  const { values, positionals } = parsed(command, options, argv);
  if (positionals.length > command.positionals_max) {
    throw new UsageError(
      `"${positionals[command.positionals_max]}" is one argument too many: ` +
        `see bun run ${command.name} --help`,
    );
  }
  return { flags: values, positionals };
}

function parsed(
  command: Command,
  options: NonNullable<ParseArgsConfig["options"]>,
  argv: readonly string[],
) {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    const flags: Record<string, string | boolean | undefined> = {};
    for (const [name, value] of Object.entries(values)) {
      if (typeof value === "string" || typeof value === "boolean") flags[name] = value;
    }
    return { values: flags, positionals };
  } catch (error) {
    // Node's first sentence says what is wrong; the second is about a way of writing that is rare.
    const [wrong] = reasonOf(error).split(". ");
    throw new UsageError(`${wrong}: see bun run ${command.name} --help`);
  }
}

function overview(): string {
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(17)}${summary}`);
  return `K2: every trade exactly once, from the exchange's socket to an Iceberg table.

bun run <command> [--help]
${lines.join("\n")}
`;
}
