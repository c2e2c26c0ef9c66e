/**
 * Goal: a PEM file that is missing, or none, is told by its setting, and no key is repeated.
 * Method: files in a temporary folder.
 */

import { afterAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readPem } from "../../../actors/settings/pem_file.ts";
import { temporaryFolder } from "../producer/rig.ts";

const folder = temporaryFolder();
afterAll(folder.remove);

test("readPem() gives the text of the file", () => {
  const path = join(folder.path, "ca.pem");
  const text = "# authority\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  writeFileSync(path, text);
  expect(readPem("K2_X", path)).toBe(text);
});

test("readPem() refuses what is not there, and what is no PEM", () => {
  const missing = join(folder.path, "missing.pem");
  expect(() => readPem("K2_X", missing)).toThrow(
    `K2_X is "${missing}": it must be a file that can`,
  );
  const path = join(folder.path, "binary");
  writeFileSync(path, "\0\0");
  expect(() => readPem("K2_X", path)).toThrow(`K2_X is "${path}": it must be a PEM file`);
});

test("readPem() does not repeat a key that was put in the place of its name", () => {
  const key = "-----BEGIN PRIVATE KEY-----\nnot-to-be-seen";
  expect(() => readPem("K2_X", key)).toThrow(
    "K2_X holds a text: it must be the name of a PEM file",
  );
});
