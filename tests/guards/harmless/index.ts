/** All harmless statements of the suite, in the order of the document. */
import type { HarmlessGroup } from "../attack.ts";
import { CATALOG } from "./catalog.ts";
import { MIGRATIONS } from "./migrations.ts";
import { REPORTS } from "./reports.ts";
import { SESSIONS } from "./sessions.ts";
import { WRITES } from "./writes.ts";

export const HARMLESS: readonly HarmlessGroup[] = [...CATALOG, ...SESSIONS, ...REPORTS, ...WRITES, ...MIGRATIONS];
