/**
 * What the analysis claims of a text, as policy sees it: actions, tables and WHERE facts; and how such claims cover what
 * a server did to a relation.
 */
import type { Analysis } from "../../src/protocols/postgres/actions.ts";
import type { Catalog, Link, Relation } from "./truth/catalog.ts";
import type { Touched } from "./truth/effects.ts";

interface Table {
  readonly schema: string;
  readonly name: string;
  readonly access: string;
}

export interface Action {
  readonly name: string;
  readonly kind: string;
  readonly tables: readonly Table[];
  readonly where: { readonly present: boolean; readonly tautology: boolean };
}

/** named: by an action. behind: by an action that names what it stands behind. limit: a limit that is stated. */
export type Cover = "named" | "behind" | "code" | "limit" | "none";

/** A view and its tables, a table and its partitions: what is read through a name. */
const READ_LINKS: readonly Link[] = ["view", "child"];
const CODE_LINKS: readonly Link[] = ["view", "child", "code"];
const WRITE_LINKS: readonly Link[] = ["view", "child", "parent", "code"];
const ALL_LINKS: readonly Link[] = ["view", "child", "parent", "code", "key"];

export class Claims {
  readonly actions: readonly Action[];
  readonly #text: string;
  readonly #catalog: Catalog;
  readonly #names: ReadonlySet<string>;

  constructor(text: string, analysis: Analysis, catalog: Catalog) {
    this.#text = text;
    this.#catalog = catalog;
    this.actions = analysis.statements.flatMap(({ operation }) =>
      operation.actions.map(({ name, facts }) => ({ ...(facts["statement"] as unknown as Action), name })),
    );
    this.#names = new Set(this.actions.map(({ name }) => name));
  }

  get names(): ReadonlySet<string> {
    return this.#names;
  }

  has(...names: readonly string[]): boolean {
    return names.some((name) => this.#names.has(name));
  }

  hasKind(kinds: RegExp): boolean {
    return this.actions.some(({ kind }) => kinds.test(kind));
  }

  /** Relations that some action names, with that access. */
  relations(access?: "write"): readonly Relation[] {
    const tables = this.actions.flatMap((action) => action.tables);
    const fitting = access === undefined ? tables : tables.filter((table) => table.access === access);
    return fitting.flatMap((table) =>
      (this.#catalog.byName.get(table.name) ?? []).filter((relation) => names(table, relation)),
    );
  }

  isNamed(relation: Relation, fits: (action: Action) => boolean = () => true, access?: "write"): boolean {
    return this.actions.some((action) => {
      if (!fits(action)) return false;
      return action.tables.some((table) => names(table, relation) && (access === undefined || table.access === access));
    });
  }

  /** Whether it stands behind a relation that is named with that access. */
  reaches({ oid }: Relation, links: readonly Link[], access?: "write"): boolean {
    return this.relations(access).some((named) => this.#catalog.behind(named.oid, links).has(oid));
  }

  /** Code stands behind some relation that is named. */
  get reachesCode(): boolean {
    return this.relations().some(({ oid }) => this.#catalog.behind(oid, ["code"]).size > 0);
  }

  /** Rows of a catalog that are secret. */
  secretCover(relation: Relation): Cover {
    const isNamed = this.actions.some(({ tables }) => tables.some(({ name }) => name === relation.name));
    if (isNamed || this.has("sql.administer", "sql.server")) return "named";
    return this.reaches(relation, CODE_LINKS) ? "behind" : "none";
  }

  /** `isDefinition`: the statement changes the catalog, and looks at what that concerns by itself. */
  readCover({ relation, modes }: Touched, isDefinition: boolean): Cover {
    if (this.isNamed(relation)) return "named";
    // The body of a function is checked when it is made, and runs when it is called.
    if (this.hasKind(/^create-function$/)) return "behind";
    if (this.reaches(relation, CODE_LINKS) || this.reaches(relation, WRITE_LINKS, "write")) return "behind";
    // A foreign key is checked by rows that are locked; a plain read of the other table is something else.
    const isKey = this.reaches(relation, ALL_LINKS, "write");
    if (isKey && (modes.has("RowShareLock") || isDefinition)) return "behind";
    const isUnseen = this.#catalog.unseen.some(({ name, reaches }) => {
      return reaches.has(relation.oid) && occurs(name, this.#text);
    });
    return isUnseen ? "limit" : "none";
  }

  writeCover({ relation, inserted, updated, deleted }: Touched, actions: readonly string[]): Cover {
    // What a prepared transaction did was judged when it was done; its end is an action of its own.
    if (this.hasKind(/^(commit|rollback)-prepared$/)) return "named";
    if (this.isNamed(relation, ({ name }) => actions.includes(name), "write")) return "named";
    // A materialized view's rows, or a table's that is written anew: its definition names it.
    if (this.isNamed(relation, ({ name }) => name === "sql.define" || name === "sql.administer")) return "named";
    if (this.hasKind(/^create-function$/) && inserted + updated + deleted === 0) return "behind";
    if (this.reaches(relation, ALL_LINKS, "write")) return "behind";
    return this.reaches(relation, CODE_LINKS) && !this.reaches(relation, READ_LINKS) ? "behind" : "none";
  }

  /** DDL: a relation that the text names must be among the facts; another one may go with what is named. */
  itselfCover(relation: Relation): Cover {
    if (this.isNamed(relation)) return "named";
    if (occurs(relation.name, this.#text)) return "none";
    if (this.reaches(relation, ["child"])) return "behind";
    return this.has("sql.define", "sql.administer", "sql.delete") ? "behind" : "none";
  }
}

/** A name without a schema may mean any relation of that name. */
export function names(table: Table, { schema, name }: Relation): boolean {
  return table.name === name && (table.schema === "" || table.schema === schema);
}

function occurs(name: string, text: string): boolean {
  return /\w/.test(name) ? new RegExp(`\\b${name}\\b`, "i").test(text) : text.includes(name);
}
