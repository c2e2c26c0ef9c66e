/**
 * Remembers what has been made and from what, so that the second start finds out in milliseconds
 * that nothing is to do. A stamp holds a hash of everything that decides a product; one that does
 * not match, or a product that is gone, means that the step runs again.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Step, type StepName, steps } from "./steps.ts";
import { askNode, nodeFile } from "./tools.ts";

/** Where set-up works and what it sees. */
export interface Place {
  /** The checkout. */
  readonly root: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

interface Stamp {
  readonly fingerprint: string;
  /** The Node that the product was made for; null where it fits any. */
  readonly node: { readonly file: string | null; readonly abi: string } | null;
}

/** Whether a step's product is there and made from what is there now. */
export async function isDone(name: StepName, place: Place): Promise<boolean> {
  const step = steps[name];
  const stamp = readStamp(join(place.root, step.stamp));
  if (stamp === null || stamp.fingerprint !== fingerprintOf(step, place)) return false;
  if (!step.products.every((path) => existsSync(join(place.root, path)))) return false;
  if (!step.is_bound_to_node) return true;
  if (stamp.node === null) return false;
  const file = nodeFile(place.environment);
  if (file !== null && file === stamp.node.file) return true;
  return (await askNode(place.environment)).abi === stamp.node.abi;
}

/** Vouches for a step's product; called last. */
export async function writeStamp(name: StepName, place: Place): Promise<void> {
  const step = steps[name];
  const node = step.is_bound_to_node
    ? { file: nodeFile(place.environment), abi: (await askNode(place.environment)).abi }
    : null;
  const stamp: Stamp = { fingerprint: fingerprintOf(step, place), node };
  const path = join(place.root, step.stamp);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.part`, `${JSON.stringify(stamp)}\n`);
  renameSync(`${path}.part`, path);
}

function fingerprintOf(step: Step, { root }: Place): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([step.recipe, process.platform, process.arch]));
  for (const path of step.inputs) hash.update(`\n${path}\n`).update(contentOf(join(root, path)));
  return hash.digest("hex");
}

function contentOf(path: string): Uint8Array | string {
  try {
    return readFileSync(path);
  } catch {
    return "absent";
  }
}

function readStamp(path: string): Stamp | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isStamp(value) ? value : null;
  } catch {
    return null;
  }
}

function isStamp(value: unknown): value is Stamp {
  if (typeof value !== "object" || value === null) return false;
  if (!("fingerprint" in value && typeof value.fingerprint === "string")) return false;
  if (!("node" in value)) return false;
  const { node } = value;
  if (node === null) return true;
  return typeof node === "object" && "file" in node && "abi" in node;
}
