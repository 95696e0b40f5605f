/** What docs/ says of the API is what the routes say. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { API_DOCS } from "../../scripts/api-docs.ts";

for (const [name, text] of Object.entries(API_DOCS)) {
  test(`docs/${name} is the one that the routes make`, () => {
    const written = readFileSync(join(import.meta.dirname, "..", "..", "docs", name), "utf8");
    assert.equal(written, text, "write it anew: npm run api-docs");
  });
}
