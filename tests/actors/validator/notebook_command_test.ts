/**
 * Goal: Jupyter listens on the loopback interface only, and writes nothing outside the data
 * directory.
 * Method: its command and environment as values; the notebooks themselves run in Python's tests.
 */

import { expect, test } from "bun:test";
import { jupyterCommand, jupyterEnvironment } from "../../../actors/validator/notebook_command.ts";

test("jupyterCommand() binds to loopback, and opens no browser when told so", () => {
  const command = jupyterCommand("/checkout", { has_browser: true });
  expect(command[0]).toBe("/checkout/.setup/python/bin/python");
  expect(command).toContain("--ServerApp.ip=127.0.0.1");
  expect(command).not.toContain("--no-browser");
  expect(jupyterCommand("/checkout", { has_browser: false })).toContain("--no-browser");
});

test("jupyterEnvironment() keeps every folder that Jupyter writes to under the data directory", () => {
  const { K2_DATA_DIR, PYTHONPATH, PYTHONDONTWRITEBYTECODE, ...folders } = jupyterEnvironment(
    "/checkout",
    "/data",
  );
  expect(K2_DATA_DIR).toBe("/data");
  expect(PYTHONPATH).toBe("/checkout/spark");
  expect(PYTHONDONTWRITEBYTECODE).toBe("1");
  expect(Object.keys(folders).length).toBe(5);
  for (const folder of Object.values(folders)) expect(folder).toStartWith("/data/jupyter/");
});
