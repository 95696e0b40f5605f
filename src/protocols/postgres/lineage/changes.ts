/**
 * INSERT, UPDATE, DELETE and MERGE: what RETURNING shows, and where labelled values go. A value may only be
 * written to a column that has all of its labels: any other copy would be shown later. Of text only whole
 * values: a mask that keeps a part (the last digits) would keep another part of a changed one.
 */
import { type Ast, as, isAst, list, names, type TypedNode, text } from "../analysis/ast.ts";
import { kindOf } from "../types.ts";
import { taintOf } from "./expressions.ts";
import { fromItems, outputsOf, queryColumns, resultOf, withCtes } from "./queries.ts";
import {
  type Column,
  type Columns,
  type FromItem,
  type NamedRow,
  NO_COLUMNS,
  resolve,
  type Scope,
  wholeOf,
} from "./scope.ts";
import { CLEAN, labelsIn, made, type Taint } from "./taint.ts";
import type { Walk } from "./walk.ts";

/** What is written to. */
interface Target extends NamedRow {
  /** The settings name it and the statement its schema: a bare name may be another table's, of the search path's. */
  readonly isSure: boolean;
}

/** What RETURNING gives; no columns without it. */
export function changeColumns({ type, body }: TypedNode, outer: Scope, walk: Walk): Columns {
  const scope = withCtes(body, outer, walk);
  switch (type) {
    case "InsertStmt":
      return insert(body, scope, walk);
    case "UpdateStmt":
      return update(body, scope, walk);
    case "DeleteStmt":
      return remove(body, scope, walk);
    case "MergeStmt":
      return merge(body, scope, walk);
    default:
      return { list: [], others: walk.relations.anything };
  }
}

function insert(body: Ast, scope: Scope, walk: Walk): Columns {
  const target = targetOf(body["relation"], walk);
  const columns = targetNames(body["cols"]);
  const inner: Scope = { parent: scope, items: [], ctes: scope.ctes };
  walk.tests(
    taintOf(
      list(body["cols"]).map((item) => as(item, "ResTarget")?.["indirection"]),
      inner,
      walk,
    ),
  );
  if (body["selectStmt"] !== undefined) {
    const values = resultOf(body["selectStmt"], inner, walk);
    for (const [at, { taint }] of values.list.entries()) {
      const own = columns.length === 0 ? target.columns.list[at]?.name : columns[at];
      write(target, values.unordered ? undefined : own, taint, walk);
    }
    if (values.others !== undefined) write(target, undefined, wholeOf(values), walk);
  }
  const conflict = body["onConflictClause"];
  const excluded: NamedRow = { schema: undefined, name: "excluded", isTable: false, columns: target.columns };
  const changed: Scope = { parent: scope, items: [itemOf(target), hidden(excluded)], ctes: scope.ctes };
  if (isAst(conflict)) conflictOf(conflict, target, columns, changed, walk);
  return returning(body, target, [], scope, walk);
}

/** Which rows conflict tells something of the values that are there. */
function conflictOf(conflict: Ast, target: Target, columns: readonly string[], scope: Scope, walk: Walk): void {
  const inference = conflict["infer"];
  const isNamed = isAst(inference) && inference["conname"] === undefined;
  if (isNamed) {
    for (const item of list(inference["indexElems"])) {
      const element = as(item, "IndexElem");
      walk.tests(typeof element?.["name"] === "string" ? (resolve(scope, [element["name"]]) ?? CLEAN) : CLEAN);
      walk.tests(taintOf(element?.["expr"], scope, walk));
    }
    walk.tests(taintOf(inference["whereClause"], scope, walk));
  } else {
    const written = target.columns.list.filter(({ name }) => columns.length === 0 || columns.includes(name ?? ""));
    walk.tests(made([...written.map(({ taint }) => taint), target.columns.others ?? CLEAN]));
  }
  assign(conflict["targetList"], target, scope, true, walk);
  walk.tests(taintOf(conflict["whereClause"], scope, walk));
}

function update(body: Ast, scope: Scope, walk: Walk): Columns {
  const target = targetOf(body["relation"], walk);
  const from = fromItems(body["fromClause"], scope, walk);
  const inner: Scope = { parent: scope, items: [itemOf(target), ...from], ctes: scope.ctes };
  assign(body["targetList"], target, inner, from.length === 0, walk);
  walk.tests(taintOf(body["whereClause"], inner, walk));
  return returning(body, target, from, scope, walk);
}

function remove(body: Ast, scope: Scope, walk: Walk): Columns {
  const target = targetOf(body["relation"], walk);
  const using = fromItems(body["usingClause"], scope, walk);
  walk.tests(
    taintOf(body["whereClause"], { parent: scope, items: [itemOf(target), ...using], ctes: scope.ctes }, walk),
  );
  return returning(body, target, using, scope, walk);
}

function merge(body: Ast, scope: Scope, walk: Walk): Columns {
  const target = targetOf(body["relation"], walk);
  const source = fromItems([body["sourceRelation"]], scope, walk);
  const inner: Scope = { parent: scope, items: [itemOf(target), ...source], ctes: scope.ctes };
  walk.tests(taintOf(body["joinCondition"], inner, walk));
  for (const item of list(body["mergeWhenClauses"])) {
    const when = as(item, "MergeWhenClause");
    if (when === undefined) continue;
    walk.tests(taintOf(when["condition"], inner, walk));
    if (when["commandType"] !== "CMD_INSERT") {
      assign(when["targetList"], target, inner, false, walk);
      continue;
    }
    const columns = targetNames(when["targetList"]);
    for (const [at, value] of list(when["values"]).entries()) {
      write(
        target,
        columns.length === 0 ? target.columns.list[at]?.name : columns[at],
        taintOf(value, inner, walk),
        walk,
      );
    }
  }
  return returning(body, target, source, scope, walk);
}

/** SET: of `(a, b) = (SELECT …)` each column is taken to get all of it. `own`: only the target's rows are in reach. */
function assign(targets: unknown, target: Target, scope: Scope, own: boolean, walk: Walk): void {
  for (const item of list(targets)) {
    const set = as(item, "ResTarget");
    if (set === undefined) continue;
    walk.tests(taintOf(set["indirection"], scope, walk));
    // Whichever table it is, what was in it stays in it.
    const isSure = target.isSure || (own && !hasQuery(set["val"]));
    write({ ...target, isSure }, text(set["name"]), taintOf(set["val"], scope, walk), walk);
  }
}

function hasQuery(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(hasQuery);
  return isAst(node) && ("SubLink" in node || Object.values(node).some(hasQuery));
}

function write(target: Target, column: string | undefined, taint: Taint, walk: Walk): void {
  const labels = labelsIn(taint);
  if (labels.length === 0) return;
  const own = target.columns.list.find(({ name }) => name === column && column !== undefined);
  const kept = own === undefined ? [] : labelsIn(own.taint);
  const missing = labels.find((label) => !kept.includes(label));
  const where = column === undefined ? target.name : `${target.name}.${column}`;
  if (missing === undefined && !target.isSure) {
    walk.refuse(
      `a value labelled ${labels[0]} would be copied to ${where}: name its schema, and list it under data in the settings`,
    );
    return;
  }
  if (missing === undefined) {
    const isText = own?.taint.sources.some(({ typeOid }) => kindOf(typeOid) !== "other");
    if (taint.exact || isText === false) return;
    walk.refuse(
      `${where} would be given a value made from columns labelled ${labels.join(", ")}, of which its mask may show a part`,
    );
    return;
  }
  walk.refuse(`a value labelled ${missing} would be copied to ${where}, which has no such label`);
}

function returning(body: Ast, target: NamedRow, from: readonly FromItem[], scope: Scope, walk: Walk): Columns {
  const clause = body["returningClause"];
  if (!isAst(clause)) return NO_COLUMNS;
  const own = ["old", "new", ...list(clause["options"]).map((item) => text(as(item, "ReturningOption")?.["value"]))];
  const rows = own.map((name): NamedRow => ({ schema: undefined, name, isTable: false, columns: target.columns }));
  // MERGE: the source's columns come first.
  const items = "sourceRelation" in body ? [...from, itemOf(target)] : [itemOf(target), ...from];
  const inner: Scope = { parent: scope, items: [...items, ...rows.map(hidden)], ctes: scope.ctes };
  return outputsOf(clause["exprs"], inner, walk);
}

function targetOf(relation: unknown, walk: Walk): Target {
  const body = isAst(relation) ? relation : {};
  const schema = typeof body["schemaname"] === "string" ? body["schemaname"] : undefined;
  const name = text(body["relname"]);
  const columns: Columns = { ...walk.relations.columnsOf(schema, name), loose: true };
  const alias = body["alias"];
  const isSure = schema !== undefined && walk.relations.isNamed(schema, name);
  return isAst(alias)
    ? { schema: undefined, name: text(alias["aliasname"]), isTable: false, columns, isSure }
    : { schema, name, isTable: true, columns, isSure };
}

function itemOf(row: NamedRow): FromItem {
  return { rows: [row], visible: row.columns };
}

/** Reached by its name only. */
function hidden(row: NamedRow): FromItem {
  return { rows: [row], visible: NO_COLUMNS };
}

function targetNames(targets: unknown): readonly string[] {
  return list(targets).flatMap((item) => {
    const name = as(item, "ResTarget")?.["name"];
    return typeof name === "string" ? [name] : [];
  });
}

function isStored({ generated }: Column): boolean {
  return generated !== true;
}

/** COPY … TO: of a query, or of a table's columns. */
export function copyColumns(body: Ast, outer: Scope, walk: Walk): Columns {
  const query = as(body["query"], "SelectStmt");
  if (query !== undefined) return queryColumns(query, outer, walk);
  if (body["query"] !== undefined) return resultOf(body["query"], outer, walk);
  const target = targetOf(body["relation"], walk);
  walk.tests(taintOf(body["whereClause"], { parent: outer, items: [itemOf(target)], ctes: outer.ctes }, walk));
  const columns = names(body["attlist"]);
  if (columns.length === 0) return { ...target.columns, list: target.columns.list.filter(isStored) };
  const own: Scope = { parent: undefined, items: [itemOf(target)], ctes: outer.ctes };
  return {
    list: columns.map((name) => ({ name, taint: resolve(own, [name]) ?? walk.relations.anything })),
    others: undefined,
  };
}
