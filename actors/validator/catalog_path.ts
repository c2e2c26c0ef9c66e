/**
 * Where the lake's catalog stands, as the settings say. Pure.
 *
 * @module
 */

import { join } from "node:path";
import { FailureError } from "../settings/exit.ts";

interface CatalogSettings {
  readonly data_dir: string;
  readonly catalog_uri: string | null;
}

/** The catalog's file: under the data directory, or where `K2_CATALOG_URI` says; null: no file. */
export function catalogFile({ data_dir, catalog_uri }: CatalogSettings): string | null {
  if (catalog_uri === null) return join(data_dir, "lake", "catalog.db");
  return /^jdbc:sqlite:(\/[^?]*)/.exec(catalog_uri)?.[1] ?? null;
}

/**
 * The catalog's file.
 *
 * @throws {FailureError} where the catalog is no file.
 */
export function catalogPath(settings: CatalogSettings): string {
  const path = catalogFile(settings);
  if (path === null) {
    throw new FailureError(
      "K2_CATALOG_URI names a catalog that DuckDB cannot read here: it must be " +
        "jdbc:sqlite: with an absolute path, or unset",
    );
  }
  return path;
}
