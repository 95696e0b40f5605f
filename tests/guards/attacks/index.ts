/** All attacks of the suite, in the order of the document. */
import type { AttackGroup } from "../attack.ts";
import { AGENT_CODE } from "./agent-code.ts";
import { DDL } from "./ddl.ts";
import { DRESSED } from "./dressed.ts";
import { ONLY_SELECT } from "./only-select.ts";
import { ROLES_AND_SETTINGS } from "./roles-settings.ts";
import { SERVER } from "./server.ts";
import { TAUTOLOGIES } from "./tautologies.ts";
import { WHOLE_TABLE } from "./whole-table.ts";

export const ATTACKS: readonly AttackGroup[] = [
  ...DDL,
  ...ROLES_AND_SETTINGS,
  ...DRESSED,
  ...WHOLE_TABLE,
  ...TAUTOLOGIES,
  ...AGENT_CODE,
  ...ONLY_SELECT,
  ...SERVER,
];
