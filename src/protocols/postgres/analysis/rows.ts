/**
 * Which names in a condition mean the rows that a statement writes: the target itself, and other mentions of the same
 * table that pass all of its rows, since each row then meets itself. Columns of tables are not known: one without a
 * qualifier is the target's in the statement itself, and the sub-query's own inside a sub-query with a FROM.
 */
import { type Ast, as, isAst, list, names, text, typed } from "./ast.ts";

export interface Written {
  /** A RangeVar's body. */
  readonly relation: unknown;
  /** USING or FROM: what else is in scope. */
  readonly others: unknown;
  /** The statement's own WITH. */
  readonly withClause: unknown;
}

interface Table {
  readonly schema: string | undefined;
  readonly name: string;
}

/** What the table's columns are called where it is mentioned; undefined: as in the table. */
type Renames = ReadonlyMap<string, string> | undefined;

interface Cte {
  readonly query: Ast;
  readonly columns: readonly string[];
}

interface Parts {
  /** Undefined: every column of everything looks at the rows (a SELECT). */
  readonly table: Table | undefined;
  /** Qualifiers of the written row. */
  readonly own: ReadonlyMap<string, Renames>;
  readonly ctes: ReadonlyMap<string, Cte>;
  /** Qualifiers of other relations, which a name alone may mean as a whole row. */
  readonly foreign: ReadonlySet<string>;
  /** Of names without a qualifier; null: they are not of the row. */
  readonly unqualified: Renames | null;
  readonly depth: number;
  /** Shared by all that looks at one condition. */
  readonly work: Work;
}

/** Nodes that may be looked at or printed for one condition: half a second. Sub-queries within each other cost the square of them. */
const WORK_MAX = 1_000_000;

class Work {
  #left = WORK_MAX;

  spend(): void {
    if (--this.#left < 0) throw new Error("Cannot judge a condition: it is too much to follow");
  }
}

/** Sub-queries within each other that are followed, and queries within each other in one FROM. */
const DEPTH_MAX = 8;
const NESTED_MAX = 4;
const NONE: ReadonlySet<string> = new Set();

export class Rows {
  readonly #parts: Parts;
  /** What was found out of nodes: conditions ask the same again. */
  readonly #looks = new WeakMap<object, boolean>();
  readonly #prints = new WeakMap<object, string>();
  readonly #shapes = new WeakMap<object, string>();

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Of a SELECT, where any relation will do. */
  static any(fromClause: unknown): Rows {
    const items = list(fromClause);
    const own = new Map(items.length === 1 ? aliasesOf(items[0]).map((name) => [name, undefined]) : []);
    return new Rows({
      table: undefined,
      own,
      ctes: new Map(),
      foreign: NONE,
      unqualified: undefined,
      depth: 0,
      work: new Work(),
    });
  }

  static of({ relation, others, withClause }: Written): Rows {
    const body = isAst(relation) ? relation : {};
    const ctes = new Map(
      list(isAst(withClause) ? withClause["ctes"] : undefined).flatMap((item): [string, Cte][] => {
        const cte = as(item, "CommonTableExpr");
        const query = as(cte?.["ctequery"], "SelectStmt");
        return query === undefined ? [] : [[text(cte?.["ctename"]), { query, columns: names(cte?.["aliascolnames"]) }]];
      }),
    );
    const own = new Map(qualifiersOf(body).map((name) => [name, undefined]));
    const rows = new Rows({
      table: tableOf(body),
      own,
      ctes,
      foreign: NONE,
      unqualified: undefined,
      depth: 0,
      work: new Work(),
    });
    return rows.#beside(list(others), undefined);
  }

  /** Inside a sub-query with this FROM. */
  inside(fromClause: unknown): Rows {
    const items = list(fromClause);
    return items.length === 0 ? this : this.#beside(items, null);
  }

  /** Whether nothing in FROM but what passes all of the table's rows is there. */
  isWhole(fromClause: unknown): boolean {
    const items = list(fromClause);
    return items.length > 0 && items.every((item) => this.#whole(item, 0) !== null);
  }

  get isTooDeep(): boolean {
    return this.#parts.depth > DEPTH_MAX;
  }

  /** Whether anything in it depends on the row. */
  looksAt(value: unknown): boolean {
    if (Array.isArray(value)) return value.some((item) => this.looksAt(item));
    if (!isAst(value)) return false;
    const known = this.#looks.get(value);
    if (known !== undefined) return known;
    this.#parts.work.spend();
    const looks = this.#looksAtNode(value);
    this.#looks.set(value, looks);
    return looks;
  }

  #looksAtNode(value: Ast): boolean {
    if ("CurrentOfExpr" in value) return true;
    const column = as(value, "ColumnRef");
    if (column !== undefined) return this.#parts.table === undefined || this.#ownName(column) !== undefined;
    const select = as(value, "SelectStmt");
    if (select !== undefined) return this.#looksInto(select);
    for (const key in value) if (this.looksAt(value[key])) return true;
    return false;
  }

  #looksInto(select: Ast): boolean {
    const inner = this.#parts.table === undefined ? this : this.inside(select["fromClause"]);
    for (const key in select) {
      const value = select[key];
      // Sides of a set operation come without their type's name.
      if ((key === "larg" || key === "rarg") && isAst(value)) {
        if (this.#looksInto(value)) return true;
      } else if (inner.looksAt(value)) return true;
    }
    return false;
  }

  /** A text of the tree, with columns of the row by their names in the table and no positions. */
  print(value: unknown): string {
    return remembered(this.#prints, value, () => this.#printed(value, "as-they-are"));
  }

  /** The same with all literals alike: equal for what would be one thing with fitting literals. */
  shape(value: unknown): string {
    if (!this.hasLiterals(value)) return this.print(value);
    return remembered(this.#shapes, value, () => this.#printed(value, "alike"));
  }

  hasLiterals(value: unknown): boolean {
    return this.print(value).includes('"A_Const"');
  }

  #printed(value: unknown, literals: "as-they-are" | "alike"): string {
    const { work } = this.#parts;
    return JSON.stringify(value, (key, inner: unknown) => {
      work.spend();
      if (key === "location" || key === "list_start" || key === "list_end") return undefined;
      if (key === "A_Const" && literals === "alike" && isAst(inner) && !("isnull" in inner) && !("boolval" in inner)) {
        return 0;
      }
      const column = isAst(inner) ? as(inner, "ColumnRef") : undefined;
      if (column === undefined) return inner;
      return { column: this.#ownName(column) ?? [...names(column["fields"]), isStar(column) ? "*" : ""] };
    });
  }

  /** The name of the row's column; undefined: it is none. */
  #ownName(column: Ast): string | undefined {
    const { own, foreign, unqualified } = this.#parts;
    const path = names(column["fields"]);
    const last = isStar(column) ? "*" : (path.at(-1) ?? "");
    const qualifier = isStar(column) ? path : path.slice(0, -1);
    const named = (renames: Renames) => (renames === undefined || last === "*" ? last : renames.get(last));
    if (qualifier.length > 0) {
      const key = own.has(qualifier.join(".")) ? qualifier.join(".") : qualifier.slice(-2).join(".");
      return own.has(key) ? named(own.get(key)) : undefined;
    }
    // A name alone may be a whole row.
    if (own.has(last)) return "*";
    return unqualified === null || foreign.has(last) ? undefined : named(unqualified);
  }

  #beside(items: readonly unknown[], unqualified: Renames | null): Rows {
    const { table, ctes, depth, work } = this.#parts;
    const own = new Map(this.#parts.own);
    const foreign = new Set<string>();
    const wholes: Renames[] = [];
    // What a sub-query names hides what is around it.
    if (unqualified === null) for (const name of items.flatMap(aliasesOf)) own.delete(name);
    for (const item of items) {
      const renames = this.#whole(item, 0);
      if (renames !== null) wholes.push(renames);
      for (const name of aliasesOf(item)) {
        if (renames === null) foreign.add(name);
        else own.set(name, renames);
      }
    }
    const isAlone = wholes.length === 1 && items.length === 1;
    const bare = unqualified === null && isAlone ? wholes[0] : unqualified;
    return new Rows({ table, own, ctes, foreign, unqualified: bare, depth: depth + 1, work });
  }

  /** Beside nothing but an item that passes all of the table's rows. */
  #within(item: unknown, renames: Renames): Rows {
    const own = new Map(aliasesOf(item).map((name) => [name, renames]));
    return new Rows({ ...this.#parts, own, foreign: NONE, unqualified: renames });
  }

  /** How an item of FROM that passes all of the table's rows calls its columns; null: it does not. */
  #whole(item: unknown, depth: number): Renames | null {
    const { table, ctes } = this.#parts;
    if (table === undefined || depth > NESTED_MAX || this.isTooDeep) return null;
    const range = as(item, "RangeVar");
    if (range !== undefined) {
      const columns = columnsOf(range["alias"]);
      const { schema, name } = tableOf(range);
      const cte = schema === undefined ? ctes.get(name) : undefined;
      if (cte !== undefined) return this.#wholeQuery(cte.query, columns.length > 0 ? columns : cte.columns, depth);
      const isTable =
        name === table.name && (schema === undefined || table.schema === undefined || schema === table.schema);
      return isTable && columns.length === 0 ? undefined : null;
    }
    const sub = as(item, "RangeSubselect");
    const query = as(sub?.["subquery"], "SelectStmt");
    return query === undefined ? null : this.#wholeQuery(query, columnsOf(sub?.["alias"]), depth);
  }

  /** `columns`: what an alias calls its outputs. */
  #wholeQuery(select: Ast, columns: readonly string[], depth: number): Renames | null {
    const [item, ...more] = list(select["fromClause"]);
    if (!isPlainQuery(select) || select["whereClause"] !== undefined || item === undefined || more.length > 0)
      return null;
    const whole = this.#whole(item, depth + 1);
    if (whole === null) return null;
    const inner = this.#within(item, whole);
    const renames = new Map<string, string>();
    for (const [at, entry] of list(select["targetList"]).entries()) {
      const target = as(entry, "ResTarget");
      const column = as(target?.["val"], "ColumnRef");
      const source = column === undefined ? undefined : inner.#ownName(column);
      if (source === "*") return columns.length === 0 && at === 0 ? undefined : null;
      const name = target?.["name"];
      const own = columns[at] ?? (typeof name === "string" ? name : names(column?.["fields"]).at(-1));
      if (source !== undefined && own !== undefined) renames.set(own, source);
    }
    return renames;
  }
}

function remembered(texts: WeakMap<object, string>, value: unknown, make: () => string): string {
  if (typeof value !== "object" || value === null) return make();
  const known = texts.get(value);
  if (known !== undefined) return known;
  const made = make();
  texts.set(value, made);
  return made;
}

function isStar(column: Ast): boolean {
  return as(list(column["fields"]).at(-1), "A_Star") !== undefined;
}

/** Neither limited nor grouped nor combined with others. */
export function isPlainQuery(select: Ast): boolean {
  const op = select["op"];
  if (op !== undefined && op !== "SETOP_NONE") return false;
  return ["limitCount", "limitOffset", "groupClause", "havingClause", "valuesLists"].every((key) => !(key in select));
}

function tableOf(body: Ast): Table {
  const schema = body["schemaname"];
  return { schema: typeof schema === "string" ? schema : undefined, name: text(body["relname"]) };
}

/** By which a relation's columns are named: its alias, or the table's name. */
function qualifiersOf(body: Ast): readonly string[] {
  const alias = body["alias"];
  if (isAst(alias)) return [text(alias["aliasname"])];
  const { schema, name } = tableOf(body);
  return schema === undefined ? [name] : [name, `${schema}.${name}`];
}

function columnsOf(alias: unknown): readonly string[] {
  return isAst(alias) ? names(alias["colnames"]) : [];
}

function aliasesOf(item: unknown): readonly string[] {
  const node = typed(item);
  switch (node?.type) {
    case "RangeVar":
      return qualifiersOf(node.body);
    case "JoinExpr":
      return [
        ...aliasesOf(node.body["larg"]),
        ...aliasesOf(node.body["rarg"]),
        ...(isAst(node.body["alias"]) ? qualifiersOf(node.body) : []),
      ];
    default:
      return node !== undefined && isAst(node.body["alias"]) ? qualifiersOf(node.body) : [];
  }
}
