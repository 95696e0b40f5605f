/** What code a statement calls by name, as policy sees it. Decides nothing. */
import { text } from "./ast.ts";
import type { Survey } from "./found.ts";
import { type Volatility, volatilityOf } from "./volatility.ts";

/** A function, an operator or a prepared statement. */
export interface Call {
  /** Without schema for those of pg_catalog; "operator:schema.+", "execute:NAME". */
  readonly name: string;
  readonly volatility: Volatility;
}

/** One of each name. `rowCalls`: functions that are called like columns. */
export function callsOf(found: Survey, rowCalls: readonly string[]): readonly Call[] {
  const executed = found.statements.filter(({ type }) => type === "ExecuteStmt");
  const calls: readonly Call[] = [
    ...found.functions.map(({ schema, name }): Call => {
      const isOwn = schema === undefined || schema === "pg_catalog";
      return { name: isOwn ? name : `${schema}.${name}`, volatility: volatilityOf(schema, name) };
    }),
    ...rowCalls.map(unknown),
    ...found.foreignOperators.map((operator) => unknown(`operator:${operator}`)),
    ...executed.map(({ body }) => unknown(`execute:${text(body["name"])}`)),
  ];
  return [...new Map(calls.map((call) => [call.name, call])).values()];
}

function unknown(name: string): Call {
  return { name, volatility: "unknown" };
}
