/**
 * Whether a WHERE selects at all, as far as that can be decided from the text: constants, a column compared with
 * itself, IS NOT NULL, conditions that together leave nothing out, sub-queries that ask nothing of the row or find the
 * row itself. What needs knowledge of functions or data (`length(name) >= 0`, `id > -1`) is not decided (a stated
 * limit; the remedy is in docs/guards.md).
 */
import type { Ast } from "./ast.ts";
import { Conditions } from "./conditions.ts";
import { Rows, type Written } from "./rows.ts";
import { isAlwaysTrue } from "./truth.ts";

export interface Where {
  readonly present: boolean;
  readonly tautology: boolean;
}

export interface WhereVerdict extends Where {
  /** The answer could be another one with other literals. */
  readonly literalsMatter: boolean;
}

export const NO_WHERE: Where = Object.freeze({ present: false, tautology: false });

/** Of a statement that writes rows of a table. */
export function judgeWhere(clause: unknown, written: Written): WhereVerdict {
  return judge(clause, Rows.of(written));
}

/** Of a SELECT. */
export function judgeFilter(select: Ast): WhereVerdict {
  return judge(select["whereClause"], Rows.any(select["fromClause"]));
}

function judge(clause: unknown, rows: Rows): WhereVerdict {
  if (clause === undefined) return { ...NO_WHERE, literalsMatter: false };
  const conditions = new Conditions();
  const { always, literalsMatter } = isAlwaysTrue(conditions.of(clause, rows));
  return { present: true, tautology: always, literalsMatter: literalsMatter || conditions.literalsMatter };
}

/**
 * Of the conflicting key of an INSERT … ON CONFLICT DO UPDATE: it selects, with or without a WHERE of its own, unless
 * the query brings every row of the table that it inserts into.
 */
export function judgeConflict(select: Ast | undefined, written: Written): WhereVerdict {
  const selects = { present: true, tautology: false, literalsMatter: false };
  if (select === undefined) return selects;
  const rows = Rows.of(written);
  if (!rows.isWhole(select["fromClause"])) return selects;
  if (select["limitCount"] !== undefined || select["limitOffset"] !== undefined) return selects;
  const inner = rows.inside(select["fromClause"]);
  const clause = select["whereClause"];
  return clause === undefined ? { ...selects, tautology: true } : judge(clause, inner);
}
