/**
 * The process of the Spark driver: one program, whether it runs the queries or maintains a lake
 * that nobody uses. Its configuration, which may hold secrets, is the first line of its stdin; it
 * ends when its stdin does.
 *
 * @module
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Port, type PortSpec, spawnPort } from "../port/port.ts";
import type { SparkConfig } from "./spark.ts";

/** Starts the driver and gives it its configuration. */
export function spawnDriver(
  options: Pick<PortSpec, "name" | "data_dir" | "signal" | "onLine" | "onErrorLine" | "onExit"> & {
    /** The checkout, where `spark/jobs` stands. */
    readonly root: string;
    /** The program in Python's place: its path. */
    readonly python: string;
    readonly config: SparkConfig;
  },
): Port {
  const { root, python, config, ...spec } = options;
  mkdirSync(config.temp_dir, { recursive: true });
  const port = spawnPort({
    ...spec,
    command: [python, join(root, "spark/jobs/driver.py")],
    working_directory: config.temp_dir,
    environment: { PYTHONDONTWRITEBYTECODE: "1", TMPDIR: config.temp_dir },
  });
  port.write(`${JSON.stringify(config)}\n`);
  return port;
}
