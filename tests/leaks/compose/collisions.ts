/**
 * Random statements in which names collide all the time: every alias, sub-query, CTE and column draws its name from a small
 * pool that the tables use, too. Before the statement clean tables may lose, gain and rename columns, or stand behind
 * temporary ones, in the same transaction: then the catalog that the lineage reads is not the one that the server does.
 */
import { CleanTables, COMPOSITES, type Column, type Kind, POOL, SYSTEM, type Table, table } from "./clean-tables.ts";
import type { Random } from "./random.ts";

interface Rows {
  readonly sql: string;
  readonly alias: string;
  readonly columns: readonly Column[];
  /** May be told by its schema. */
  readonly path?: string;
}

const LABELLED: readonly Table[] = [
  table("public.customers", "id:number name email card ssn"),
  table("public.customers", "id:number name email card ssn"),
  table("app.plain", "id:number x"),
  table("app.made", "id:number x"),
  table("app.named", "id:number ssn name"),
  table("app.renamed", "one:number two three"),
  table("tickets", "id:number code"),
];
const ROW_CALLS = new Set(["to_jsonb", "concat"]);
export class Collisions {
  readonly #random: Random;
  readonly #tables: CleanTables;

  constructor(random: Random) {
    this.#random = random;
    this.#tables = new CleanTables(random);
  }

  statement(): string {
    const random = this.#random;
    if (random.chance(0.65)) this.#tables.change();
    const made = this.#made();
    return `BEGIN; ${[...this.#tables.before, made].join("; ")}; ROLLBACK`;
  }

  #made(): string {
    const random = this.#random;
    const depth = random.chance(0.8) ? 1 : 2;
    return random.weighed<() => string>([
      [20, () => this.#query(depth, []).sql],
      [2, () => `COPY (${this.#query(depth, []).sql}) TO STDOUT`],
      [2, () => `DECLARE c CURSOR FOR ${this.#query(depth, []).sql}; FETCH ALL FROM c`],
      [4, () => this.#returning(depth)],
      [3, () => this.#copied(depth)],
      [1, () => `SELECT (row_to_json(t)::text || '!')::int FROM (${this.#query(depth, []).sql}) AS t`],
    ])();
  }

  /** `around`: rows of queries outside. */
  #query(depth: number, around: readonly Rows[]): { readonly sql: string; readonly columns: readonly Column[] } {
    const random = this.#random;
    if (depth > 0 && random.chance(0.12)) return this.#with(depth - 1, around);
    if (depth > 0 && random.chance(0.1)) return this.#union(depth - 1, around);
    const { sql: from, rows, visible } = this.#from(depth, around);
    const targets = this.#targets(rows, visible, around, depth);
    const columns = targets.flatMap((target) => target.columns);
    const ordered = columns.filter(({ name }) => columns.filter((other) => other.name === name).length === 1);
    const order =
      random.chance(0.15) && ordered.length > 0
        ? ` ORDER BY ${1 + columns.indexOf(random.pick(ordered))}`
        : random.chance(0.2)
          ? " LIMIT 5"
          : "";
    return { sql: `SELECT ${targets.map(({ sql }) => sql).join(", ")} FROM ${from}${order}`, columns };
  }

  #targets(rows: readonly Rows[], visible: readonly Column[] | undefined, around: readonly Rows[], depth: number) {
    const random = this.#random;
    const all = Array.from({ length: 1 + random.int(3) }, () => {
      if (visible !== undefined && random.chance(0.2)) return { sql: "*", columns: visible };
      if (random.chance(0.15)) {
        const { alias, columns } = random.pick(rows);
        return { sql: `${alias}.*`, columns };
      }
      const star = random.chance(0.3) ? this.#composed(rows, visible) : undefined;
      return star ?? this.#target(rows, visible, around, depth);
    });
    return all;
  }

  /** `(name).*` of a composite column or of a row. */
  #composed(rows: readonly Rows[], visible: readonly Column[] | undefined) {
    const random = this.#random;
    const columns = rows.flatMap(({ alias, columns: own }) => own.map((column) => ({ alias, column })));
    const composites = columns.filter(({ column }) => column.kind === "one" || column.kind === "three");
    if (composites.length > 0 && random.chance(0.75)) {
      const { alias, column } = random.pick(composites);
      const fields = COMPOSITES[column.kind as "one" | "three"].map((name): Column => ({ name, kind: "text" }));
      const isOnly = visible?.filter(({ name }) => name === column.name).length === 1;
      return { sql: isOnly ? `(${quoted(column.name)}).*` : `(${alias}.${column.name}).*`, columns: fields };
    }
    const { alias, columns: own } = random.pick(rows);
    if (visible === undefined || visible.some(({ name }) => name === alias)) return undefined;
    if (SYSTEM.has(alias)) return undefined;
    return { sql: `(${alias}).*`, columns: own };
  }

  #target(
    rows: readonly Rows[],
    visible: readonly Column[] | undefined,
    around: readonly Rows[],
    depth: number,
  ): { readonly sql: string; readonly columns: readonly Column[] } {
    const random = this.#random;
    const { sql, kind, name } = this.#value(rows, visible, around, depth);
    if (random.chance(0.45)) {
      const alias = this.#tables.name();
      return { sql: `${sql} AS ${quoted(alias)}`, columns: [{ name: alias, kind }] };
    }
    return { sql, columns: [{ name, kind }] };
  }

  #value(
    rows: readonly Rows[],
    visible: readonly Column[] | undefined,
    around: readonly Rows[],
    depth: number,
  ): { readonly sql: string; readonly kind: Kind; readonly name: string } {
    const random = this.#random;
    if (depth > 0 && random.chance(0.1)) return this.#inner(rows, around, depth - 1);
    const plain = this.#reference(rows, visible, around);
    if (random.chance(0.45)) return plain;
    const text = plain.kind === "text" ? plain.sql : `${plain.sql}::text`;
    const domains = [...this.#tables.types].filter((name) =>
      this.#tables.before.some((sql) => sql === `CREATE DOMAIN ${name} AS text`),
    );
    const cast = domains.length > 0 && random.chance(0.4) ? random.pick(domains) : undefined;
    if (cast !== undefined) return { sql: `(${text} || '')::${cast}`, kind: "text", name: cast };
    return random.pick([
      { sql: `lower(${text})`, kind: "text", name: "lower" },
      { sql: `upper(${text})`, kind: "text", name: "upper" },
      { sql: `concat(${text})`, kind: "text", name: "concat" },
      { sql: `coalesce(${text}, '')`, kind: "text", name: "coalesce" },
      { sql: `to_jsonb(${text})::text`, kind: "text", name: "to_jsonb" },
      { sql: `(${text} || '')::name`, kind: "text", name: "name" },
      { sql: `CASE WHEN true THEN ${text} END`, kind: "text", name: "case" },
      { sql: `(ARRAY[${text}])[1]`, kind: "text", name: "array" },
    ] as const);
  }

  /** A column by a bare or qualified name, a whole row, or a call that looks like a column. */
  #reference(rows: readonly Rows[], visible: readonly Column[] | undefined, around: readonly Rows[]) {
    const random = this.#random;
    const isFar = around.length > 0 && random.chance(0.4);
    const near = rows.map(({ alias }) => alias);
    const far = around.filter(({ alias }) => !near.includes(alias));
    const { alias, columns, path } = random.pick(isFar && far.length > 0 ? far : rows);
    const names = columns.map(({ name }) => name);
    const single = columns.filter(({ name }) => names.filter((other) => other === name).length === 1);
    const seen = visible?.map(({ name }) => name) ?? [];
    if (random.chance(0.12) || single.length === 0) {
      const call = random.pick([...ROW_CALLS]);
      if (random.chance(0.4) && !names.includes(call) && !isFar) {
        return { sql: `${alias}.${call}`, kind: "row", name: call } as const;
      }
      if (visible === undefined || seen.includes(alias) || SYSTEM.has(alias) || isFar) {
        return { sql: `to_jsonb(${alias}.*)`, kind: "row", name: "to_jsonb" } as const;
      }
      return { sql: alias, kind: "row", name: alias } as const;
    }
    const { name, kind } = random.pick(single);
    const isBare = random.chance(0.5) && visible !== undefined && !SYSTEM.has(name);
    if (isBare && !(isFar && far.length > 0) && seen.filter((other) => other === name).length === 1) {
      return { sql: quoted(name), kind, name };
    }
    if (random.chance(0.1)) return { sql: `(${alias}.${name})`, kind, name };
    return { sql: `${path !== undefined && random.chance(0.3) ? path : alias}.${name}`, kind, name };
  }

  #inner(rows: readonly Rows[], around: readonly Rows[], depth: number) {
    const { sql: from, rows: own, visible } = this.#from(depth, [...rows, ...around]);
    const { sql, kind, name } = this.#value(own, visible, [...rows, ...around], depth);
    return { sql: `(SELECT ${sql} FROM ${from} LIMIT 1)`, kind, name };
  }

  /** `visible`: what a bare name and `*` see. */
  #from(depth: number, around: readonly Rows[]) {
    const random = this.#random;
    const first = this.#item(depth, []);
    if (random.chance(0.3)) return { sql: first.sql, rows: [first], visible: first.columns };
    const isLateral = depth > 0 && random.chance(0.25);
    const second = isLateral ? this.#lateral(first, depth - 1, around) : this.#item(depth, [first.alias, first.sql]);
    const shared = first.columns.filter(
      ({ name, kind }) =>
        kind === "text" &&
        first.columns.filter((other) => other.name === name).length === 1 &&
        second.columns.filter((other) => other.name === name).length === 1 &&
        second.columns.some((other) => other.name === name && other.kind === kind) &&
        !SYSTEM.has(name),
    );
    const rows = [first, second];
    const joined = this.#joined(first, second, shared, isLateral);
    if (random.chance(0.25) && joined.isJoin) {
      const alias = this.#tables.name();
      const some = random.chance(0.4) ? this.#tables.names(1 + random.int(joined.visible.length)) : [];
      const columns = joined.visible.map((column, at) => ({ ...column, name: some[at] ?? column.name }));
      const list = some.length > 0 ? `(${some.map(quoted).join(", ")})` : "";
      const one: Rows = { sql: "", alias: quoted(alias), columns };
      return { sql: `(${joined.sql}) AS ${quoted(alias)}${list}`, rows: [one], visible: columns };
    }
    if (random.chance(0.2)) {
      const third = this.#item(0, [first.alias, second.alias]);
      return {
        sql: `${joined.sql}, ${third.sql}`,
        rows: [...rows, third],
        visible: [...joined.visible, ...third.columns],
      };
    }
    return { ...joined, rows };
  }

  #joined(first: Rows, second: Rows, shared: readonly Column[], isLateral: boolean) {
    const random = this.#random;
    const both = [...first.columns, ...second.columns];
    if (shared.length === 0 || isLateral || random.chance(0.4)) {
      const word = random.pick([", ", " CROSS JOIN ", " LEFT JOIN "]);
      return {
        sql: `${first.sql}${word}${second.sql}${word === " LEFT JOIN " ? " ON true" : ""}`,
        visible: both,
        isJoin: word !== ", ",
      };
    }
    const { name } = random.pick(shared);
    const isRight = random.chance(0.4);
    const merged = both.filter((column) => column.name === name).slice(0, 1);
    const visible = [...merged, ...both.filter((column) => column.name !== name)];
    const word = isRight ? "RIGHT" : "LEFT";
    return { sql: `${first.sql} ${word} JOIN ${second.sql} USING (${quoted(name)})`, visible, isJoin: true };
  }

  #item(depth: number, taken: readonly string[]): Rows {
    const random = this.#random;
    const alias = quoted(this.#tables.name(taken.map((name) => name.replaceAll('"', ""))));
    if (depth > 0 && random.chance(0.45)) {
      const { sql, columns } = this.#query(depth - 1, []);
      return this.#aliased(`(${sql})`, alias, columns);
    }
    if (random.chance(0.15)) {
      const names = this.#tables.names(1 + random.int(3));
      const list = names.map((name) => `'' AS ${quoted(name)}`).join(", ");
      const columns = names.map((name): Column => ({ name, kind: "text" }));
      return this.#aliased(`(SELECT ${list})`, alias, columns);
    }
    const picked = random.chance(0.55) ? random.pick(LABELLED) : this.#tables.pick()[1];
    const own = picked.name.split(".").at(-1) ?? "";
    // Another's own name may stand for a temporary table.
    if (random.chance(0.3) && !taken.includes(own)) {
      return picked.name.startsWith("pg_temp") || !picked.name.includes(".")
        ? { sql: picked.name, alias: own, columns: picked.columns }
        : { sql: picked.name, alias: own, columns: picked.columns, path: picked.name };
    }
    return this.#aliased(picked.name, alias, picked.columns);
  }

  #aliased(sql: string, alias: string, columns: readonly Column[]): Rows {
    const random = this.#random;
    if (columns.length === 0 || random.chance(0.7)) return { sql: `${sql} AS ${alias}`, alias, columns };
    const names = this.#tables.names(Math.min(POOL.length, 1 + random.int(columns.length)));
    const renamed = columns.map((column, at) => ({ ...column, name: names[at] ?? column.name }));
    return { sql: `${sql} AS ${alias}(${names.map(quoted).join(", ")})`, alias, columns: renamed };
  }

  #lateral(first: Rows, depth: number, around: readonly Rows[]): Rows {
    const random = this.#random;
    const alias = quoted(this.#tables.name([first.alias.replaceAll('"', "")]));
    const value = this.#value([first], first.columns, around, 0);
    const text = value.kind === "text" ? value.sql : `${value.sql}::text`;
    if (random.chance(0.4)) {
      return { sql: `LATERAL upper(${text}) AS ${alias}`, alias, columns: [{ name: bare(alias), kind: "text" }] };
    }
    if (random.chance(0.5)) {
      const { sql, columns } = this.#query(Math.min(depth, 1), [first]);
      return this.#aliased(`LATERAL (${sql})`, alias, columns);
    }
    const name = this.#tables.name();
    return {
      sql: `LATERAL (SELECT ${text} AS ${quoted(name)}) AS ${alias}`,
      alias,
      columns: [{ name, kind: "text" }],
    };
  }

  #with(depth: number, around: readonly Rows[]) {
    const random = this.#random;
    const name = quoted(this.#tables.name());
    const inner = this.#query(depth, []);
    const alias = quoted(this.#tables.name());
    const some = random.chance(0.3) ? this.#tables.names(1 + random.int(Math.min(4, inner.columns.length))) : [];
    const columns = inner.columns.map((column, at) => ({ ...column, name: some[at] ?? column.name }));
    const isNamed = random.chance(0.5);
    const rows: Rows = isNamed ? { sql: name, alias: name, columns } : { sql: `${name} AS ${alias}`, alias, columns };
    const targets = this.#targets([rows], columns, around, 0);
    const list = some.length > 0 ? `(${some.map(quoted).join(", ")})` : "";
    return {
      sql: `WITH ${name}${list} AS (${inner.sql}) SELECT ${targets.map(({ sql }) => sql).join(", ")} FROM ${rows.sql}`,
      columns: targets.flatMap((target) => target.columns),
    };
  }

  #union(depth: number, around: readonly Rows[]) {
    const width = 1 + this.#random.int(2);
    const arms = [0, 1].map(() => {
      const { sql: from, rows, visible } = this.#from(depth, around);
      const values = Array.from({ length: width }, () => this.#value(rows, visible, around, 0));
      const list = values.map(({ sql, kind }) => (kind === "text" ? sql : `${sql}::text`));
      return { sql: `SELECT ${list.join(", ")} FROM ${from}`, values };
    });
    const columns = (arms[0]?.values ?? []).map(({ name }): Column => ({ name, kind: "text" }));
    return { sql: arms.map(({ sql }) => sql).join(" UNION ALL "), columns };
  }

  /** Of a clean table and of customers, with others beside it. */
  #returning(depth: number): string {
    const random = this.#random;
    const alias = quoted(this.#tables.name());
    const [, target] = this.#tables.pick();
    const isClean = random.chance(0.7);
    const name = isClean ? target.name : "public.customers";
    const columns = isClean ? target.columns : (LABELLED[0]?.columns ?? []);
    const own: Rows = { sql: "", alias, columns };
    const { name: set } = random.pick(columns);
    const other = this.#item(depth, [alias]);
    const rows = [own, other];
    const visible = [...columns, ...other.columns];
    const list = this.#targets(rows, visible, [], 1)
      .map(({ sql }) => sql)
      .join(", ");
    if (random.chance(0.3)) return `DELETE FROM ${name} AS ${alias} USING ${other.sql} RETURNING ${list}`;
    return `UPDATE ${name} AS ${alias} SET ${quoted(set)} = ${alias}.${quoted(set)} FROM ${other.sql} RETURNING ${list}`;
  }

  #copied(depth: number): string {
    const [, { name, columns }] = this.#tables.pick();
    const column = columns.find(({ kind }) => kind === "text")?.name;
    if (column === undefined) return this.#query(depth, []).sql;
    const { sql: from, rows, visible } = this.#from(depth, []);
    const { sql, kind } = this.#value(rows, visible, [], 0);
    const text = kind === "text" ? sql : `${sql}::text`;
    return `INSERT INTO ${name} (${quoted(column)}) SELECT ${text} FROM ${from} RETURNING ${quoted(column)} || ''`;
  }
}

function quoted(name: string): string {
  return RESERVED.has(name) ? `"${name}"` : name;
}

function bare(name: string): string {
  return name.replaceAll('"', "");
}

const RESERVED = new Set(["case", "array", "coalesce"]);
