/** The statements that stand in this repository's own tests: the tables of attacks, and every SQL text of the PostgreSQL tests. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LABEL_ATTACKS, LABEL_ORACLES, WHOLE_TABLE_AND_DDL } from "../../kit/attacks.ts";

const TESTS = join(import.meta.dirname, "../../protocols/postgres");
const SQL =
  /^\s*(?:(?:\/\*.*?\*\/|--[^\n]*\n|\()\s*)*(select|insert|update|delete|merge|with|values|table|create|alter|drop|truncate|copy|grant|revoke|set|reset|show|begin|start|commit|rollback|savepoint|prepare|execute|deallocate|declare|fetch|move|close|explain|analyze|vacuum|lock|listen|notify|unlisten|comment|do|call|discard|reindex|cluster|refresh|import|security|load|checkpoint|reassign)\s+\S/i;
const LITERAL = /"((?:[^"\\\n]|\\.)*)"/g;

export function ownStatements(): readonly string[] {
  const texts = new Set([...WHOLE_TABLE_AND_DDL, ...LABEL_ATTACKS, ...LABEL_ORACLES].map(({ sql }) => sql));
  for (const name of readdirSync(TESTS)
    .filter((file) => file.endsWith(".ts"))
    .sort()) {
    for (const [literal] of readFileSync(join(TESTS, name), "utf8").matchAll(LITERAL)) {
      const text = JSON.parse(
        literal.replace(/\\(.)/g, (pair, one: string) => (/["\\/bfnrtu]/.test(one) ? pair : one)),
      ) as string;
      // Names of tests begin like statements too; a statement has a word of SQL and no full sentence behind it.
      if (SQL.test(text) && /[(*=;']|\b(FROM|INTO|TABLE|ON|TO|SET)\b|^\S+ \S+$/.test(text)) texts.add(text);
    }
  }
  return [...texts];
}

/** Attacks whose condition the analysis is held to see through. */
export const OWN_WHOLE: ReadonlySet<string> = new Set(
  WHOLE_TABLE_AND_DDL.filter(({ sql }) => /^(DELETE FROM|UPDATE) customers\b[^;]*\bWHERE\b[^;]*$/.test(sql)).map(
    ({ sql }) => sql,
  ),
);
