/**
 * Names in a query, as PostgreSQL resolves them: which column of which FROM item a reference means. Where a
 * list of columns is not wholly known, the answer is all that it may be. Source: the server's parse_relation.c.
 */
import { fold } from "../analysis/labels.ts";
import { CLEAN, isClean, made, oneOf, type Taint } from "./taint.ts";

export interface Column {
  /** Undefined: the server names it by rules that are not followed here (an expression without an alias). */
  readonly name: string | undefined;
  readonly taint: Taint;
  /** COPY of its table leaves it out. */
  readonly generated?: true | undefined;
}

/** Columns in their order. */
export interface Columns {
  readonly list: readonly Column[];
  /** Of any column that is not in the list; undefined: the list is complete. */
  readonly others: Taint | undefined;
  /** Names are as listed, their order may be another: a join moves to the front what it merges. */
  readonly unordered?: true;
  /**
   * How many there are is the server's to say: a temporary table may stand in the place of the one that the catalog has, and
   * a transaction may have changed it. What stands behind them has no known place.
   */
  readonly loose?: true;
}

/** What `name.column` may refer to. */
export interface NamedRow {
  readonly schema: string | undefined;
  readonly name: string;
  /** Named by itself, so that `schema.name` may mean it; an alias hides that, and WITH has no schema. */
  readonly isTable: boolean;
  readonly columns: Columns;
}

/** An item of FROM, or a join of several: rows by name, and what a bare name or `*` sees. */
export interface FromItem {
  readonly rows: readonly NamedRow[];
  readonly visible: Columns;
}

/** One query's names; sub-queries see those of the queries around them. */
export interface Scope {
  readonly parent: Scope | undefined;
  readonly items: readonly FromItem[];
  /** By name, those of the queries around included. */
  readonly ctes: ReadonlyMap<string, Columns>;
  /** WINDOW clause: what rows are sorted and grouped by. */
  readonly windows?: ReadonlyMap<string, Taint> | undefined;
}

export const OUTSIDE: Scope = Object.freeze({ parent: undefined, items: Object.freeze([]), ctes: new Map() });

export const NO_COLUMNS: Columns = Object.freeze({ list: Object.freeze([]), others: undefined });
/** They hold no values of rows. */
const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"]);

/** PostgreSQL's own functions that take any row and show what is in it; of those of users the catalog tells. */
const ROW_CALLS: ReadonlySet<string> = new Set([
  ...["to_json", "to_jsonb", "row_to_json", "json_agg", "jsonb_agg", "json_agg_strict", "jsonb_agg_strict"],
  ...["json_build_array", "jsonb_build_array", "json_build_object", "jsonb_build_object", "array_agg", "concat"],
  ...["quote_literal", "quote_nullable", "record_out", "record_send", "hash_record", "any_out", "anyelement_out"],
  ...["anynonarray_out", "anycompatible_out", "anycompatiblenonarray_out", "any_value", "max", "min", "mode"],
  ...["first_value", "last_value", "lag", "lead"],
]);

/** All columns of a row together, as a value. */
export function wholeOf({ list, others }: Columns): Taint {
  return made([...list.map(({ taint }) => taint), others ?? CLEAN]);
}

/** Renamed from the left by an alias list; names beyond the list stay. */
export function renamed(columns: Columns, names: readonly string[]): Columns {
  if (names.length === 0) return columns;
  if (columns.others !== undefined || columns.unordered) {
    // Which columns are renamed is not known: each name may be any of them.
    const any = wholeOf(columns);
    return { list: names.map((name) => ({ name, taint: any })), others: any };
  }
  return { ...columns, list: columns.list.map(({ name, taint }, at) => ({ name: names[at] ?? name, taint })) };
}

/** One behind the other. */
export function together(parts: readonly Columns[]): Columns {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const open = parts.flatMap(({ others }) => (others === undefined ? [] : [others]));
  const isLoose = parts.some(({ loose }) => loose);
  const isUnordered = parts.some(({ loose, unordered }, at) => unordered || (loose && at < parts.length - 1));
  return {
    list: parts.flatMap(({ list }) => list),
    others: open.length === 0 ? undefined : made(open),
    ...(isUnordered ? { unordered: true } : {}),
    ...(isLoose ? { loose: true } : {}),
  };
}

/** What `*` stands for. */
export function starOf(items: readonly FromItem[]): Columns {
  return together(items.map(({ visible }) => visible));
}

/** The column that `fields` means, or the row; undefined: nothing of that name is known. */
export function resolve(scope: Scope, fields: readonly string[]): Taint | undefined {
  const name = fields.at(-1) ?? "";
  if (fields.length === 1) return resolveBare(scope, name);
  const row = rowNamed(scope, fields.slice(0, -1));
  if (row === undefined) return undefined;
  const column = find(row.columns, name);
  // `row.f` calls the function f on the whole row where no column has that name, or none any more.
  if (column === undefined) return SYSTEM_COLUMNS.has(name) ? CLEAN : wholeOf(row.columns);
  return row.columns.loose && ROW_CALLS.has(name) ? besides(column, wholeOf(row.columns)) : column;
}

/** Whether a table in FROM, here or around, may have gained columns that are not known. */
export function isLoose(scope: Scope): boolean {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    if (at.items.some(({ visible }) => visible.loose)) return true;
  }
  return false;
}

/** The row that a qualifier names: `alias`, `table` or `schema.table`. */
export function rowNamed(scope: Scope, path: readonly string[]): NamedRow | undefined {
  const name = fold(path.at(-1) ?? "");
  const schema = path.at(-2);
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    for (const { rows } of at.items) {
      for (const row of rows) {
        if (fold(row.name) !== name) continue;
        if (schema === undefined) return row;
        if (row.isTable && (row.schema === undefined || fold(row.schema) === fold(schema))) return row;
      }
    }
  }
  return undefined;
}

/**
 * A column of that name in the nearest query that has one, without rows and system columns. Namesakes further out count
 * too: between our look at the catalog and the server's own, the nearest table may have lost or renamed its column.
 */
export function resolveColumn(scope: Scope, name: string): Taint | undefined {
  let nearest: Taint | undefined;
  const others: Taint[] = [];
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const found: Taint[] = [];
    for (const { visible } of at.items) {
      const taint = named(visible, name);
      if (taint !== undefined) found.push(taint);
      if (hasUnnamed(visible) && (taint === undefined || visible.loose)) others.push(unnamedOf(visible));
    }
    const [only] = found;
    if (nearest === undefined && found.length === 1) nearest = only;
    else others.push(...found);
  }
  if (nearest === undefined) return others.length === 0 ? undefined : made(others);
  return others.every(isClean) ? nearest : made([nearest, ...others]);
}

function resolveBare(scope: Scope, name: string): Taint | undefined {
  const column = resolveColumn(scope, name);
  const row = rowNamed(scope, [name]);
  // A name that no column has means the row; whether one still has it is the server's to say.
  if (column !== undefined) return row === undefined ? column : besides(column, wholeOf(row.columns));
  // Before the system columns, which only tables have: a sub-query may be called ctid.
  if (row !== undefined) return wholeOf(row.columns);
  return SYSTEM_COLUMNS.has(name) ? CLEAN : undefined;
}

function besides(column: Taint, row: Taint): Taint {
  return isClean(row) ? column : made([column, row]);
}

/** A column by name: a named one, else (or where that may be gone) any of those whose names are not known. */
export function find(columns: Columns, name: string): Taint | undefined {
  const own = named(columns, name);
  if (own === undefined) return hasUnnamed(columns) ? unnamedOf(columns) : undefined;
  return columns.loose && hasUnnamed(columns) ? besides(own, unnamedOf(columns)) : own;
}

function named(columns: Columns, name: string): Taint | undefined {
  return indexOf(columns).get(fold(name));
}

/** A statement may name columns as often as it likes, and lists may be long. */
const indexes = new WeakMap<Columns, ReadonlyMap<string, Taint>>();

function indexOf(columns: Columns): ReadonlyMap<string, Taint> {
  const known = indexes.get(columns);
  if (known !== undefined) return known;
  const index = new Map<string, Taint>();
  for (const { name, taint } of columns.list) {
    if (name === undefined) continue;
    const folded = fold(name);
    const before = index.get(folded);
    index.set(folded, before === undefined ? taint : oneOf([before, taint]));
  }
  indexes.set(columns, index);
  return index;
}

function hasUnnamed({ list, others }: Columns): boolean {
  return others !== undefined || list.some(({ name }) => name === undefined);
}

function unnamedOf({ list, others }: Columns): Taint {
  return made([...list.flatMap(({ name, taint }) => (name === undefined ? [taint] : [])), others ?? CLEAN]);
}
