/**
 * Goal: it is right whether asking again soon can help, and the reason says what to change.
 * Method: every status that an exchange is known to answer with.
 */

import { expect, test } from "bun:test";
import { readRefusal } from "../../../actors/rest/refusal.ts";

test.each([400, 401, 403, 404, 451])(
  "HTTP %d is for the operator and names the setting",
  (status) => {
    const { is_terminal, reason } = readRefusal(status, "K2_FAKE_WS_URL");
    expect(is_terminal).toBe(true);
    expect(reason).toStartWith(`HTTP ${status}: `);
    expect(reason).toContain("K2_FAKE_WS_URL");
  },
);

test.each([408, 418, 425, 429, 500, 502, 503])("HTTP %d passes by itself", (status) => {
  const { is_terminal, reason } = readRefusal(status, "K2_FAKE_WS_URL");
  expect(is_terminal).toBe(false);
  expect(reason).toStartWith(`HTTP ${status}: `);
});
