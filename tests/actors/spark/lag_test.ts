/**
 * Goal: a person is told while there is still time to do something.
 * Method: values in, values out.
 */

import { expect, test } from "bun:test";
import { retentionWarning } from "../../../actors/spark/lag.ts";

const day_ms = 24 * 3.6e6;

test("half of Kafka's retention is where the warning begins", () => {
  expect(retentionWarning("bronze_trades", 0, day_ms)).toBeNull();
  expect(retentionWarning("bronze_trades", 12 * 3_600, day_ms)).toBeNull();
  const warning = retentionWarning("bronze_trades", 13 * 3_600, day_ms);
  expect(warning).toStartWith(
    "bronze_trades lies 13.0 h behind, and Kafka keeps records for 24.0 h: ",
  );
  expect(warning).toContain("K2_KAFKA_RETENTION_HOURS");
});
