/** Random expressions of a type over the columns that are in scope, and queries of one column. */
import type { Random } from "../random.ts";
import { type Column, RELATIONS, type Relation, type Type } from "../schemas.ts";
import { AGGREGATES, FORMS, LITERALS, WINDOWS } from "./expression-forms.ts";

/** What a name in the expression may mean. */
export interface Source {
  readonly alias: string;
  readonly columns: readonly Column[];
}

export interface Scope {
  readonly sources: readonly Source[];
  /** In GROUP BY queries only aggregates may stand outside of groups. */
  readonly aggregates: boolean;
  readonly windows: boolean;
}

export const EMPTY: Scope = { sources: [], aggregates: false, windows: false };

export class Expressions {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** An expression of that type over the scope's columns; deeper ones hold more sub-queries. */
  of(type: Type, scope: Scope, depth: number): string {
    const random = this.#random;
    if (scope.aggregates && random.chance(60)) {
      const forms = AGGREGATES[type];
      if (forms !== undefined) return this.#expand(random.pick(forms), { ...scope, aggregates: false }, depth - 1);
    }
    if (scope.aggregates) return this.#literal(type);
    if (scope.windows && random.chance(25)) {
      const forms = WINDOWS[type];
      if (forms !== undefined) return this.#expand(random.pick(forms), { ...scope, windows: false }, depth - 1);
    }
    if (depth <= 0 || random.chance(25)) return this.#leaf(type, scope);
    return this.#expand(random.pick(FORMS[type]), { ...scope, windows: false }, depth - 1);
  }

  /** A query of one column. */
  query(type: Type, outer: Scope, depth: number): string {
    const random = this.#random;
    const relation = random.pick(RELATIONS);
    const alias = `q${random.int(1, 99)}`;
    const scope: Scope = {
      sources: [{ alias, columns: relation.columns }, ...outer.sources],
      aggregates: false,
      windows: false,
    };
    const value = this.of(type, scope, depth - 1);
    const where = random.chance(60) ? ` WHERE ${this.of("bool", scope, depth - 1)}` : "";
    const order = random.chance(30) ? " ORDER BY 1" : "";
    return `SELECT ${value} FROM ${nameOf(relation, random)} ${alias}${where}${order} LIMIT 1`;
  }

  column(type: Type, scope: Scope): string | undefined {
    const random = this.#random;
    const all = scope.sources.flatMap(({ alias, columns }) =>
      columns.filter((column) => column.type === type).map(({ name }) => (alias === "" ? name : `${alias}.${name}`)),
    );
    return all.length === 0 ? undefined : random.pick(all);
  }

  #leaf(type: Type, scope: Scope): string {
    const column = this.#random.chance(80) ? this.column(type, scope) : undefined;
    return column ?? this.#literal(type);
  }

  #literal(type: Type): string {
    return this.#random.pick(LITERALS[type]);
  }

  #expand(form: string, scope: Scope, depth: number): string {
    return form.replace(/\{(query:)?([a-z]+(?:\[\])?)\}/g, (hole, query: string | undefined, type: string) => {
      if (!(type in FORMS)) return hole;
      return query === undefined ? this.of(type as Type, scope, depth) : this.query(type as Type, scope, depth);
    });
  }
}

/** With or without its schema; every form in which a name may be written. */
export function nameOf({ schema, name }: Relation, random: Random): string {
  return random.pick([
    name,
    `${schema}.${name}`,
    `${schema}.${name}`,
    `"${name}"`,
    `"${schema}"."${name}"`,
    name.toUpperCase(),
  ]);
}
