/** What each column of a query's result depends on: FROM, joins, WITH, set operations, VALUES. */
import { COLUMNS_MAX } from "../../../base/limits.ts";
import { type Ast, as, isAst, list, names, text, typed } from "../analysis/ast.ts";
import { taintOf } from "./expressions.ts";
import { aliased, joinOf } from "./joins.ts";
import {
  type Column,
  type Columns,
  type FromItem,
  isLoose,
  renamed,
  resolve,
  resolveColumn,
  rowNamed,
  type Scope,
  starOf,
  together,
  wholeOf,
} from "./scope.ts";
import { CLEAN, made, oneOf, type Taint } from "./taint.ts";
import type { Walk } from "./walk.ts";

/** Rounds in which a recursive query's columns can still learn something; after that anything is assumed. */
const ROUNDS_MAX = 32;

/** Of a SelectStmt body; `outer`: what it may refer to around it. */
export function queryColumns(body: Ast, outer: Scope, walk: Walk): Columns {
  walk.step();
  const around = withCtes(body, outer, walk);
  const columns =
    isAst(body["larg"]) && isAst(body["rarg"])
      ? combined(body, body["larg"], body["rarg"], around, walk)
      : body["valuesLists"] !== undefined
        ? valuesOf(body, around, walk)
        : selectOf(body, around, walk);
  const limits: Scope = { ...around, parent: outer, items: [] };
  for (const key of ["limitCount", "limitOffset"]) walk.tests(taintOf(body[key], limits, walk));
  return columns;
}

/** A statement's or CTE's result: SELECT, or what RETURNING gives. */
export function resultOf(node: unknown, outer: Scope, walk: Walk): Columns {
  const own = typed(node);
  if (own === undefined) return { list: [], others: walk.relations.anything };
  return own.type === "SelectStmt" ? queryColumns(own.body, outer, walk) : walk.readers.change(own, outer, walk);
}

/** The scope with a statement's WITH: a name sees those before it, all of them when recursive. */
export function withCtes(body: Ast, outer: Scope, walk: Walk): Scope {
  const clause = body["withClause"];
  if (!isAst(clause)) return outer;
  const ctes = new Map(outer.ctes);
  const scope: Scope = { ...outer, ctes };
  const all = list(clause["ctes"]).flatMap((item) => {
    const cte = as(item, "CommonTableExpr");
    return cte === undefined ? [] : [cte];
  });
  // The server sorts them by need, so one may name another that stands after it.
  if (clause["recursive"] === true) {
    for (const cte of all) ctes.set(text(cte["ctename"]), { list: [], others: walk.relations.anything });
  }
  for (const cte of all) {
    const name = text(cte["ctename"]);
    const aliases = names(cte["aliascolnames"]);
    const columns =
      clause["recursive"] === true
        ? recursive(cte, name, aliases, scope, walk)
        : resultOf(cte["ctequery"], scope, walk);
    ctes.set(name, extended(cte, renamed(columns, aliases), walk));
  }
  return scope;
}

/** Until a round teaches nothing more. */
function recursive(cte: Ast, name: string, aliases: readonly string[], scope: Scope, walk: Walk): Columns {
  const select = as(cte["ctequery"], "SelectStmt");
  const start = isAst(select?.["larg"]) ? select["larg"] : undefined;
  if (select === undefined || start === undefined) return resultOf(cte["ctequery"], scope, walk);
  let columns = queryColumns(start, withCtes(select, scope, walk), walk);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const inner: Scope = {
      ...scope,
      ctes: new Map(scope.ctes).set(name, extended(cte, renamed(columns, aliases), walk)),
    };
    const next = queryColumns(select, inner, walk);
    if (sizeOf(next) === sizeOf(columns)) return next;
    columns = next;
  }
  return { list: [], others: walk.relations.anything };
}

function sizeOf({ list: own, others }: Columns): number {
  return (
    own.reduce((sum, { taint }) => sum + taint.sources.length + (taint.exact ? 0 : 1), 0) +
    (others?.sources.length ?? 0)
  );
}

/** SEARCH and CYCLE add columns that are made from those they name. */
function extended(cte: Ast, columns: Columns, walk: Walk): Columns {
  const added: Column[] = [];
  const whole = wholeOf(columns);
  const search = cte["search_clause"];
  if (isAst(search)) added.push({ name: text(search["search_seq_column"]), taint: whole });
  const cycle = cte["cycle_clause"];
  if (isAst(cycle)) {
    walk.tests(whole); // a row that comes again ends it
    added.push(
      { name: text(cycle["cycle_mark_column"]), taint: whole },
      { name: text(cycle["cycle_path_column"]), taint: whole },
    );
  }
  return added.length === 0 ? columns : together([columns, { list: added, others: undefined }]);
}

function combined(body: Ast, left: Ast, right: Ast, scope: Scope, walk: Walk): Columns {
  const one = queryColumns(left, scope, walk);
  const other = queryColumns(right, scope, walk);
  const isAligned = one.others === undefined && other.others === undefined && one.list.length === other.list.length;
  const columns: Columns =
    one.unordered || other.unordered
      ? anyOf(one, other)
      : isAligned
        ? {
            ...one,
            list: one.list.map(({ name, taint }, at) => ({
              name,
              taint: oneOf([taint, other.list[at]?.taint ?? CLEAN]),
            })),
            others: undefined,
          }
        : { list: [], others: made([wholeOf(one), wholeOf(other)]) };
  const isUnionAll = body["op"] === "SETOP_UNION" && body["all"] === true;
  if (!isUnionAll) walk.tests(wholeOf(columns)); // rows are compared
  sorts(body["sortClause"], { ...scope, items: [] }, columns, walk);
  return columns;
}

/** Where places are not known: of each name, all that both sides have. */
function anyOf(one: Columns, other: Columns): Columns {
  const any = made([wholeOf(one), wholeOf(other)]);
  const others = one.others === undefined && other.others === undefined ? undefined : any;
  return { list: one.list.map(({ name }) => ({ name, taint: any })), others, unordered: true };
}

function valuesOf(body: Ast, scope: Scope, walk: Walk): Columns {
  const rows = list(body["valuesLists"]).map((row) => list(as(row, "List")?.["items"]));
  const width = Math.max(0, ...rows.map((row) => row.length));
  const columns: Columns = {
    list: Array.from({ length: width }, (_, at) => ({
      name: `column${at + 1}`,
      taint: oneOf(rows.map((row) => taintOf(row[at], scope, walk))),
    })),
    others: undefined,
  };
  sorts(body["sortClause"], scope, columns, walk);
  return columns;
}

function selectOf(body: Ast, outer: Scope, walk: Walk): Columns {
  const items = fromItems(body["fromClause"], outer, walk);
  const bare: Scope = { parent: outer, items, ctes: outer.ctes };
  const scope: Scope = { ...bare, windows: windowsOf(body["windowClause"], bare, walk) };
  const columns = outputsOf(body["targetList"], scope, walk);
  for (const key of ["whereClause", "havingClause"]) walk.tests(taintOf(body[key], scope, walk));
  for (const key of ["groupClause", "sortClause", "distinctClause"]) sorts(body[key], scope, columns, walk);
  return columns;
}

/** A target list or RETURNING. More columns than PostgreSQL allows are not counted: stars over stars double them each time. */
export function outputsOf(targets: unknown, scope: Scope, walk: Walk): Columns {
  const parts: Columns[] = [];
  let count = 0;
  for (const item of list(targets)) {
    const part = targetOf(as(item, "ResTarget"), scope, walk);
    parts.push(part);
    count += part.list.length;
    if (count > COLUMNS_MAX) return { list: [], others: walk.relations.anything };
  }
  return together(parts);
}

function targetOf(target: Ast | undefined, scope: Scope, walk: Walk): Columns {
  const star = starIn(target?.["val"], scope, walk);
  if (star !== undefined) return star;
  const alias = target?.["name"];
  const name = typeof alias === "string" ? alias : nameOf(target?.["val"]);
  return { list: [{ name, taint: taintOf(target?.["val"], scope, walk) }], others: undefined };
}

/** What the server calls a column without an alias, where that is sure (its FigureColname). */
function nameOf(value: unknown): string | undefined {
  const own = typed(value);
  const body = own?.body ?? {};
  switch (own?.type) {
    case "ColumnRef":
      return names(body["fields"]).at(-1);
    case "FuncCall":
      return body["funcformat"] === "COERCE_EXPLICIT_CALL" ? names(body["funcname"]).at(-1) : undefined;
    case "TypeCast": {
      const name = nameOf(body["arg"]);
      return name === NAMELESS ? undefined : name;
    }
    case "A_Expr":
      return body["kind"] === "AEXPR_NULLIF" ? undefined : NAMELESS;
    default:
      return undefined;
  }
}

const NAMELESS = "?column?";

/** `*`, `row.*` and `(row).*`; undefined for anything else. */
function starIn(value: unknown, scope: Scope, walk: Walk): Columns | undefined {
  const indirection = as(value, "A_Indirection");
  const fields = list((as(value, "ColumnRef") ?? as(indirection?.["arg"], "ColumnRef"))?.["fields"]);
  const last = indirection === undefined ? fields.at(-1) : list(indirection["indirection"]).at(-1);
  if (as(last, "A_Star") === undefined) return undefined;
  const path = names(fields);
  if (path.length === 0 && indirection === undefined) return starOf(scope.items);
  const row = indirection === undefined || isRowOf(indirection, fields, scope) ? rowNamed(scope, path) : undefined;
  // Beside a column that a table may have gained `(name).*` is that one's, of any width.
  if (row !== undefined) return indirection && isLoose(scope) ? { ...row.columns, loose: true } : row.columns;
  return { list: [], others: taintOf(indirection ?? value, scope, walk) };
}

/** Whether `(…).*` is of a row of FROM: `((row.*)).*`, or `(row).*` where no column has that name; `(row.column).*` is none. */
function isRowOf(indirection: Ast, fields: readonly unknown[], scope: Scope): boolean {
  if (list(indirection["indirection"]).length !== 1) return false;
  const path = names(fields);
  if (path.length < fields.length) return path.length > 0;
  const [name] = path;
  return path.length === 1 && name !== undefined && resolveColumn(scope, name) === undefined;
}

/** GROUP BY, ORDER BY and DISTINCT: by position, by the name of an output, or by an expression. */
function sorts(clause: unknown, scope: Scope, columns: Columns, walk: Walk): void {
  for (const item of list(clause)) {
    if (isAst(item) && Object.keys(item).length === 0) {
      walk.tests(wholeOf(columns)); // plain DISTINCT
      continue;
    }
    const node = as(item, "SortBy")?.["node"] ?? item;
    const sets = as(node, "GroupingSet");
    if (sets !== undefined) {
      sorts(sets["content"], scope, columns, walk);
      continue;
    }
    walk.tests(sortKey(node, scope, columns, walk));
  }
}

function sortKey(node: unknown, scope: Scope, columns: Columns, walk: Walk): Taint {
  const position = as(node, "A_Const")?.["ival"];
  if (isAst(position)) {
    const at = Number(position["ival"] ?? 0) - 1;
    const isPlaced = columns.others === undefined && !columns.unordered;
    return isPlaced ? (columns.list[at]?.taint ?? CLEAN) : wholeOf(columns);
  }
  const path = names(as(node, "ColumnRef")?.["fields"]);
  const [name] = path;
  if (name === undefined || path.length !== 1) return taintOf(node, scope, walk);
  const named = columns.list.filter((column) => column.name === name);
  // One that the server names, where none has the name for sure.
  const unnamed = named.length > 0 && !columns.loose ? [] : columns.list.filter((column) => column.name === undefined);
  const outputs = [...named, ...unnamed].map(({ taint }) => taint);
  const input = resolve(scope, path);
  if (outputs.length === 0 && input === undefined) return walk.relations.anything;
  return made([...outputs, input ?? CLEAN]);
}

function windowsOf(clause: unknown, scope: Scope, walk: Walk): ReadonlyMap<string, Taint> | undefined {
  if (clause === undefined) return undefined;
  const windows = new Map<string, Taint>();
  for (const item of list(clause)) {
    const window = as(item, "WindowDef");
    if (window === undefined) continue;
    const { name: _, ...parts } = window;
    const base = windows.get(text(window["refname"])) ?? CLEAN;
    windows.set(text(window["name"]), made([taintOf(parts, scope, walk), base]));
  }
  return windows;
}

/** Items of FROM from the left: LATERAL ones and functions see those before them. */
export function fromItems(
  clause: unknown,
  outer: Scope,
  walk: Walk,
  before: readonly FromItem[] = [],
): readonly FromItem[] {
  const items: FromItem[] = [];
  for (const node of list(clause)) items.push(fromItem(node, outer, [...before, ...items], walk));
  return items;
}

function fromItem(node: unknown, outer: Scope, before: readonly FromItem[], walk: Walk): FromItem {
  walk.step();
  const own = typed(node);
  const lateral: Scope = { parent: outer, items: before, ctes: outer.ctes };
  const body = own?.body ?? {};
  switch (own?.type) {
    case "RangeVar":
      return tableItem(body, outer, walk);
    case "JoinExpr":
      return joinItem(body, outer, before, walk);
    case "RangeSubselect": {
      const columns = resultOf(body["subquery"], body["lateral"] === true ? lateral : outer, walk);
      return aliased(body["alias"], columns, undefined);
    }
    case "RangeFunction":
      return functionItem(body, lateral, walk);
    case "RangeTableSample":
      walk.tests(taintOf([body["args"], body["repeatable"]], lateral, walk));
      return fromItem(body["relation"], outer, before, walk);
    default: {
      // XMLTABLE, JSON_TABLE: every column is made from what is passed in, and a path says how many rows there are.
      const taint = taintOf(body, lateral, walk);
      walk.tests(taint);
      return aliased(body["alias"], { list: [], others: taint }, undefined);
    }
  }
}

function tableItem(body: Ast, scope: Scope, walk: Walk): FromItem {
  const name = text(body["relname"]);
  const schema = typeof body["schemaname"] === "string" ? body["schemaname"] : undefined;
  const cte = schema === undefined ? scope.ctes.get(name) : undefined;
  const columns = cte ?? loosened(walk.relations.columnsOf(schema, name), walk);
  return aliased(body["alias"], columns, { schema, name, isTable: cte === undefined });
}

/** Of a relation that the statement itself names; what a view's definition names is read together with it. */
function loosened(columns: Columns, { isDefinition }: Walk): Columns {
  return isDefinition ? columns : { ...columns, loose: true };
}

/** Functions whose result is one column, which bears the item's name; of all others columns and names are not known. */
const SINGLE: ReadonlySet<string> = new Set([
  ...["generate_series", "generate_subscripts", "regexp_split_to_table", "string_to_table", "regexp_matches"],
  ...["json_array_elements", "json_array_elements_text", "jsonb_array_elements", "jsonb_array_elements_text"],
  ...["json_object_keys", "jsonb_object_keys", "jsonb_path_query"],
]);

/** Of them, those whose column has a name of its own. */
const VALUES: ReadonlySet<string> = new Set([
  ...["json_array_elements", "json_array_elements_text", "jsonb_array_elements", "jsonb_array_elements_text"],
]);

function functionItem(body: Ast, lateral: Scope, walk: Walk): FromItem {
  const functions = list(body["functions"]).map((entry) => list(as(entry, "List")?.["items"]));
  const taint = made(functions.map(([call]) => taintOf(call, lateral, walk)));
  const path = names(as(functions[0]?.[0], "FuncCall")?.["funcname"]);
  const name = path.at(-1) ?? "";
  const alias = isAst(body["alias"]) ? text(body["alias"]["aliasname"]) : name;
  const defined = list(body["coldeflist"]).map((item) => text(as(item, "ColumnDef")?.["colname"]));
  const isSingle = functions.length === 1 && SINGLE.has(name) && (path.length === 1 || path[0] === "pg_catalog");
  const single: readonly Column[] = [
    { name: VALUES.has(name) ? "value" : alias, taint },
    ...(body["ordinality"] === true ? [{ name: "ordinality", taint: CLEAN }] : []),
  ];
  const columns: Columns =
    defined.length > 0
      ? { list: defined.map((column) => ({ name: column, taint })), others: undefined }
      : isSingle
        ? { list: single, others: undefined }
        : { list: [], others: taint };
  return aliased(body["alias"], columns, { schema: undefined, name, isTable: false });
}

function joinItem(body: Ast, outer: Scope, before: readonly FromItem[], walk: Walk): FromItem {
  const left = fromItem(body["larg"], outer, before, walk);
  const right = fromItem(body["rarg"], outer, [...before, left], walk);
  walk.tests(taintOf(body["quals"], { parent: outer, items: [left, right], ctes: outer.ctes }, walk));
  return joinOf(body, left, right, walk);
}
