/** The codes that a person can meet are written down. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

test("every code of an error for a person is in docs/errors.md", () => {
  const known = new Set(readFileSync(`${ROOT}docs/errors.md`, "utf8").match(/(?<=`)[A-Z][A-Z0-9_]+(?=`)/g));
  const files = globSync("src/**/*.ts", { cwd: ROOT });
  const thrown = files.flatMap((file) => {
    const text = readFileSync(`${ROOT}${file}`, "utf8");
    const codes = text.matchAll(
      /(?:UserError|ApiFault|unknownThing)\(\s*(?:\d+,\s*)?(?:\w+ \? "\w+" : )?"([A-Z][A-Z0-9_]+)"/g,
    );
    return [...codes].map(([, code = ""]) => ({ file, code }));
  });
  assert.ok(thrown.length > 50, `only ${thrown.length} were found: the search is broken`);
  assert.deepEqual(
    thrown.filter(({ code }) => !known.has(code)),
    [],
  );
});
