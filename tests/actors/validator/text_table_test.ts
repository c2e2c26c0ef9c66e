/**
 * Goal: a table lines up, and CSV and JSON are what their readers expect.
 * Method: plain calls; JSON and CSV are read back.
 */

import { expect, test } from "bun:test";
import { csvRecord, jsonRows, textTable } from "../../../actors/validator/text_table.ts";

test("textTable() lines columns up, and keeps a row on one line", () => {
  const columns = [
    { name: "check", is_right: false },
    { name: "rows", is_right: true },
  ];
  expect(
    textTable(columns, [
      ["a\nb", "7"],
      ["longer one", "12345"],
    ]),
  ).toBe(
    ["check        rows", "----------  -----", "a b             7", "longer one  12345", ""].join(
      "\n",
    ),
  );
});

test("csvRecord() quotes what needs it, and tells null from an empty text", () => {
  expect(csvRecord(["a,b", 'say "x"', "", null, 5n, "two\nlines"])).toBe(
    '"a,b","say ""x""","",,5,"two\nlines"\r\n',
  );
});

test("jsonRows() continues one array over several chunks", () => {
  const names = ["n"];
  const text = `[${jsonRows(names, [[1n], [2n]], 0)}${jsonRows(names, [[3n]], 2)}]`;
  expect(JSON.parse(text)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
});
