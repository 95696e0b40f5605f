/**
 * What of a statement's result depends on labelled columns, and what else the statement does with them:
 * tests them, copies them, hands them to functions. Follows PostgreSQL's own trees; what it cannot follow
 * counts as every label.
 */
import { type Ast, as, isAst, text, typed } from "../analysis/ast.ts";
import type { AnalysisScope } from "../analysis/labels.ts";
import type { Parsed } from "../analysis/parser.ts";
import { changeColumns, copyColumns } from "./changes.ts";
import { CLEAN_OUTPUTS, type Outputs, UNKNOWN_OUTPUTS } from "./outputs.ts";
import { queryColumns, resultOf } from "./queries.ts";
import { Relations } from "./relations.ts";
import { type Columns, NO_COLUMNS, OUTSIDE, wholeOf } from "./scope.ts";
import { isClean, labelsIn } from "./taint.ts";
import { Walk } from "./walk.ts";

export interface Lineage {
  readonly outputs: Outputs;
  /** Labels of the columns that decide which rows there are, in which order, and how many. */
  readonly oracles: readonly string[];
  /** Why the statement cannot be let through. */
  readonly refusal: string | undefined;
}

export type Parse = (text: string) => Parsed;

const READERS = { query: queryColumns, change: changeColumns } as const;

/** Of a statement that names relations with labels, or views over them. Throws RangeError when nested too deeply. */
export function lineageOf(tree: Ast, scope: AnalysisScope, parse: Parse): Lineage {
  const catalog = scope.catalog;
  if (catalog === undefined) throw new Error("Cannot follow columns without the catalog");
  const relations = new Relations(catalog, scope.data, (definition, within) =>
    definedColumns(definition, within, parse),
  );
  const walk = new Walk(relations, READERS);
  const columns = statementColumns(tree, walk);
  return { outputs: outputsOf(columns), oracles: walk.oracles, refusal: walk.refusal };
}

function statementColumns(tree: Ast, walk: Walk): Columns {
  const own = typed(tree);
  const body = own?.body ?? {};
  switch (own?.type) {
    case "SelectStmt": {
      const columns = queryColumns(body, OUTSIDE, walk);
      if (hasInto(body)) keeps(columns, "SELECT INTO", walk);
      return columns;
    }
    case "InsertStmt":
    case "UpdateStmt":
    case "DeleteStmt":
    case "MergeStmt":
      return changeColumns(own, OUTSIDE, walk);
    case "CopyStmt": {
      const columns = copyColumns(body, OUTSIDE, walk);
      return body["is_from"] === true ? NO_COLUMNS : columns;
    }
    case "DeclareCursorStmt":
      return resultOf(body["query"], OUTSIDE, walk);
    case "ExplainStmt": {
      // The plan tells estimates and conditions, not values: it is an oracle like any condition.
      const columns = isAst(body["query"]) ? statementColumns(body["query"], walk) : NO_COLUMNS;
      walk.tests(wholeOf(columns));
      return { list: [{ name: "QUERY PLAN", taint: wholeOf(NO_COLUMNS) }], others: undefined };
    }
    case "CreateTableAsStmt":
    case "ViewStmt":
      keeps(resultOf(body["query"], OUTSIDE, walk), own.type === "ViewStmt" ? "CREATE VIEW" : "CREATE TABLE AS", walk);
      return NO_COLUMNS;
    default:
      return { list: [], others: walk.relations.anything };
  }
}

/** It stands in the first SELECT of a set operation. */
function hasInto(body: Ast): boolean {
  return body["intoClause"] !== undefined || (isAst(body["larg"]) && hasInto(body["larg"]));
}

/** A new relation has no labels. */
function keeps(columns: Columns, what: string, walk: Walk): void {
  const [label] = labelsIn(wholeOf(columns));
  if (label !== undefined) walk.refuse(`${what} would keep values labelled ${label} where no label is`);
}

function definedColumns(definition: string, relations: Relations, parse: Parse): Columns | undefined {
  const parsed = parse(definition);
  if (parsed.kind === "refused" || parsed.statements.length !== 1) return undefined;
  const select = as(parsed.statements[0]?.tree, "SelectStmt");
  return select === undefined ? undefined : queryColumns(select, OUTSIDE, new Walk(relations, READERS, true));
}

function outputsOf({ list, others, unordered }: Columns): Outputs {
  const isAllClean = list.every(({ taint }) => isClean(taint)) && (others === undefined || isClean(others));
  if (isAllClean) return CLEAN_OUTPUTS;
  if (others !== undefined) return UNKNOWN_OUTPUTS;
  const taints = list.map(({ taint }) => taint);
  return unordered ? { kind: "columns", taints, names: list.map(({ name }) => name) } : { kind: "columns", taints };
}

/** The name that DECLARE gives, or that FETCH takes. */
export function cursorOf(tree: Ast): { readonly declares?: string; readonly fetches?: string } {
  const own = typed(tree);
  const name = text(own?.body["portalname"]);
  if (own?.type === "DeclareCursorStmt") return { declares: name };
  if (own?.type === "FetchStmt" && own.body["ismove"] !== true) return { fetches: name };
  return {};
}
