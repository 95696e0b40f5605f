/** The rows of tests/kit/attacks.ts by their sections, so that each joins the group that it belongs to. */
import { LABEL_ATTACKS } from "../../kit/attacks.ts";
import type { Attack } from "../attack.ts";

/** In the list's order: the name of the first row of each section. */
const SECTIONS = {
  expressions: "a function",
  aggregates: "max",
  wholeRows: "a whole row",
  subQueries: "a scalar sub-query",
  sets: "UNION",
  names: "columns renamed by an alias list",
  copies: "COPY of the table",
  code: "a prepared statement",
  statistics: "statistics",
} as const;

export function kitRows(section: keyof typeof SECTIONS): readonly Attack[] {
  const names = Object.values(SECTIONS);
  const begins = names.map((name) => LABEL_ATTACKS.findIndex((attack) => attack.name === name));
  if (begins.some((begin, at) => begin < 0 || begin <= (begins[at - 1] ?? -1))) {
    throw new Error("Cannot cut LABEL_ATTACKS into sections: a section's first row is not where it was");
  }
  const at = names.indexOf(SECTIONS[section]);
  return LABEL_ATTACKS.slice(begins[at], begins[at + 1]).map((attack) => MENDED[attack.name] ?? attack);
}

/** So that nothing stands in the way of changes of customers. */
export const UNDERIVED = "DROP SCHEMA app CASCADE";

/** ANALYZE would leave statistics behind for the rows that come after; a type is not changed below a view. */
const MENDED: Readonly<Record<string, Attack>> = Object.fromEntries([
  ...LABEL_ATTACKS.filter(({ sql }) => sql.startsWith("ANALYZE")).map((attack) => [
    attack.name,
    { ...attack, changes: true },
  ]),
  ...LABEL_ATTACKS.filter(({ sql }) => sql.includes("ALTER name TYPE")).map((attack) => [
    attack.name,
    { ...attack, before: UNDERIVED },
  ]),
]);
