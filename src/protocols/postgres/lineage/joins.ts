/** Joins: which columns USING and NATURAL merge, and what a join's own alias hides. */
import { type Ast, isAst, names, text } from "../analysis/ast.ts";
import {
  type Column,
  type Columns,
  type FromItem,
  find,
  type NamedRow,
  NO_COLUMNS,
  renamed,
  wholeOf,
} from "./scope.ts";
import { CLEAN, made, oneOf } from "./taint.ts";
import type { Walk } from "./walk.ts";

/** Of both sides; what ON says is the caller's. */
export function joinOf(body: Ast, left: FromItem, right: FromItem, walk: Walk): FromItem {
  const shared = sharedNames(body, left.visible, right.visible);
  const merged = (shared ?? []).map((name): Column => {
    const sides = [left.visible, right.visible].map((columns) => find(columns, name) ?? CLEAN);
    return { name, taint: oneOf(sides) };
  });
  for (const { taint } of merged) walk.tests(taint);
  // A table may have gained a column that bears the name of any other.
  if (body["isNatural"] === true) {
    if (left.visible.loose) walk.tests(wholeOf(right.visible));
    if (right.visible.loose) walk.tests(wholeOf(left.visible));
  }
  const open = [left.visible.others, right.visible.others].flatMap((others) => (others === undefined ? [] : [others]));
  if (shared === undefined) {
    // NATURAL over columns that are not known: any may be compared, and merged with any.
    const any = made([wholeOf(left.visible), wholeOf(right.visible)]);
    walk.tests(any);
    return joined(body, [left, right], { list: [], others: any }, NO_COLUMNS);
  }
  const rest = [...left.visible.list, ...right.visible.list].filter(
    ({ name }) => name === undefined || !shared.includes(name),
  );
  const all = { list: [...merged, ...rest], others: open.length === 0 ? undefined : made(open) };
  // One that is merged may be among those without a known name: then it stands in the list twice.
  const isMoved = shared.length > 0 && [left, right].some(({ visible }) => visible.list.some(isUnnamed));
  const isOpen = body["isNatural"] === true || isMoved || right.visible.unordered || left.visible.unordered;
  const visible: Columns = {
    ...all,
    ...(isOpen || left.visible.loose ? { unordered: true } : {}),
    ...(left.visible.loose || right.visible.loose ? { loose: true } : {}),
  };
  return joined(body, [left, right], visible, { list: merged, others: undefined });
}

function isUnnamed({ name }: Column): boolean {
  return name === undefined;
}

/** An alias hides the rows inside; USING's own names the merged columns. */
function joined(body: Ast, sides: readonly FromItem[], visible: Columns, merged: Columns): FromItem {
  const inner = sides.flatMap(({ rows }) => rows);
  const using = body["join_using_alias"];
  const named = isAst(using)
    ? [{ schema: undefined, name: text(using["aliasname"]), isTable: false, columns: merged }]
    : [];
  if (!isAst(body["alias"])) return { rows: [...inner, ...named], visible };
  const outer = aliased(body["alias"], visible, undefined);
  return { rows: [...outer.rows, ...named], visible: outer.visible };
}

/** Of USING, or of NATURAL where both sides are known; undefined: they are not. */
function sharedNames(body: Ast, left: Columns, right: Columns): readonly string[] | undefined {
  if (body["isNatural"] !== true) return names(body["usingClause"]);
  const isKnown = (columns: Columns) =>
    columns.others === undefined && columns.list.every(({ name }) => name !== undefined);
  if (!isKnown(left) || !isKnown(right)) return undefined;
  return left.list.flatMap(({ name }) =>
    name !== undefined && right.list.some((other) => other.name === name) ? [name] : [],
  );
}

/** `named`: what it is called without an alias. */
export function aliased(alias: unknown, columns: Columns, named: Omit<NamedRow, "columns"> | undefined): FromItem {
  if (!isAst(alias)) {
    return { rows: named === undefined ? [] : [{ ...named, columns }], visible: columns };
  }
  const own = renamed(columns, names(alias["colnames"]));
  return { rows: [{ schema: undefined, name: text(alias["aliasname"]), isTable: false, columns: own }], visible: own };
}
