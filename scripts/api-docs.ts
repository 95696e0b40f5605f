/** Writes what docs/ says of the API: openapi.json. Tests hold it to the routes. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openApiOf } from "../src/control/api/openapi.ts";
import { ROUTES } from "../src/control/api/routes.ts";

const DOCS = join(import.meta.dirname, "..", "docs");

/** By its name in docs/. */
export const API_DOCS: Readonly<Record<string, string>> = {
  "openapi.json": `${JSON.stringify(openApiOf(ROUTES), null, 2)}\n`,
};

if (import.meta.main) for (const [name, text] of Object.entries(API_DOCS)) writeFileSync(join(DOCS, name), text);
