/**
 * `notebook`: Jupyter on spark/notebooks, ready to read the lake. Notebooks are stored as text,
 * each paired with an `.ipynb` beside it that git ignores: the command brings both to the same
 * state, and Jupyter saves to both. It listens on the loopback interface only, with Jupyter's own
 * token, and keeps all else that it writes under the data directory.
 *
 * @module
 */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pythonOf } from "../port/python.ts";
import { exit_codes, FailureError } from "../settings/exit.ts";
import type { Invocation } from "../settings/invocation.ts";
import { catalogPath } from "./catalog_path.ts";

/** Runs the command: ends when Jupyter does. */
export async function run(invocation: Invocation): Promise<number> {
  const { flags, settings, root, environment } = invocation;
  // An early word: without a lake every cell would fail.
  const catalog = catalogPath(settings);
  if (!existsSync(catalog)) {
    throw new FailureError(
      `There is no lake yet (${catalog} is missing): ` +
        "run 'bun run start' and wait for its first bars, or set K2_DATA_DIR",
    );
  }
  const cwd = join(root, "spark", "notebooks");
  const env = { ...environment, ...jupyterEnvironment(root, settings.data_dir) };
  await writeDefaults(env.JUPYTER_CONFIG_DIR);
  await pairNotebooks(root, { cwd, env });
  const jupyter = Bun.spawn(
    [...jupyterCommand(root, { has_browser: flags["no-browser"] !== true })],
    {
      cwd,
      env,
      stdin: "inherit",
      // stdout is for results, and Jupyter has none.
      stdout: process.stderr.fd,
      stderr: "inherit",
    },
  );
  // Ctrl-C reaches Jupyter by itself, being in the same group; a SIGTERM does not.
  function passOn(signal: NodeJS.Signals): void {
    if (signal === "SIGTERM") jupyter.kill(signal);
  }
  process.on("SIGINT", passOn);
  process.on("SIGTERM", passOn);
  try {
    const exit_code = await jupyter.exited;
    if (exit_code === 0 || jupyter.signalCode !== null) return exit_codes.done;
    throw new FailureError(`Jupyter ended with exit code ${exit_code}: see its lines above`);
  } finally {
    process.off("SIGINT", passOn);
    process.off("SIGTERM", passOn);
  }
}

/** Makes the missing `.ipynb`, and gives the older one of each pair the cells of the newer one. */
async function pairNotebooks(
  root: string,
  where: { readonly cwd: string; readonly env: Readonly<Record<string, string | undefined>> },
): Promise<void> {
  const names = readdirSync(where.cwd).filter((name) => name.endsWith(".py"));
  const child = Bun.spawn([pythonOf(root), "-m", "jupytext", "--quiet", "--sync", ...names], {
    cwd: where.cwd,
    env: { ...where.env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const stderr = await child.stderr.text();
  if ((await child.exited) === 0) return;
  const reason = stderr.trim().split("\n").at(-1) ?? "";
  throw new FailureError(`The notebooks in ${where.cwd} could not be opened: ${reason}`);
}

/** Jupyter asks nobody for news or newer versions, nor a person whether it may. */
async function writeDefaults(config_folder: string): Promise<void> {
  const notification = { fetchNews: "false", checkForUpdates: false };
  await Bun.write(
    join(config_folder, "labconfig", "default_setting_overrides.json"),
    JSON.stringify({ "@jupyterlab/apputils-extension:notification": notification }),
  );
}

/** The program and its arguments. */
export function jupyterCommand(
  root: string,
  options: { readonly has_browser: boolean },
): readonly string[] {
  return [
    pythonOf(root),
    "-m",
    "jupyterlab",
    "gold_tour.ipynb",
    "--ServerApp.ip=127.0.0.1",
    // Ctrl-C ends it without a question.
    "--ServerApp.answer_yes=True",
    ...(options.has_browser ? [] : ["--no-browser"]),
    // A container's user is root, and Jupyter wants to be told that this is meant.
    ...(process.getuid?.() === 0 ? ["--allow-root"] : []),
  ];
}

/** What Jupyter needs to find the lake and `k2_lake`, and to write nowhere else. */
export function jupyterEnvironment(root: string, data_dir: string) {
  const home = join(data_dir, "jupyter");
  return {
    K2_DATA_DIR: data_dir,
    PYTHONPATH: join(root, "spark"),
    PYTHONDONTWRITEBYTECODE: "1",
    JUPYTER_CONFIG_DIR: join(home, "config"),
    JUPYTER_DATA_DIR: join(home, "data"),
    JUPYTER_RUNTIME_DIR: join(home, "runtime"),
    IPYTHONDIR: join(home, "ipython"),
    MPLCONFIGDIR: join(home, "matplotlib"),
  };
}
