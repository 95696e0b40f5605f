/** Random INSERT, UPDATE, DELETE, MERGE, COPY FROM and TRUNCATE over the schemas, alone and inside WITH, PREPARE and EXPLAIN. */
import type { Random } from "../random.ts";
import { RELATIONS, type Relation, type Type } from "../schemas.ts";
import { Conditions } from "./conditions.ts";
import { EMPTY, Expressions, nameOf, type Scope } from "./expressions.ts";
import { Queries } from "./queries.ts";

const TABLES = RELATIONS.filter(({ kind }) => kind === "table");
/** The form of a statement with a condition: `{condition}`, and how its target is called there. */
interface Conditional {
  readonly text: string;
  readonly alias: string;
}

export class Changes {
  readonly #random: Random;
  readonly #expressions: Expressions;
  readonly #queries: Queries;
  readonly #conditions: Conditions;

  constructor(random: Random) {
    this.#random = random;
    this.#expressions = new Expressions(random);
    this.#queries = new Queries(random);
    this.#conditions = new Conditions(random);
  }

  statement(): string {
    const random = this.#random;
    const roll = random.int(1, 100);
    if (roll <= 26) return this.#insert();
    if (roll <= 50) return this.#update();
    if (roll <= 68) return this.#delete();
    if (roll <= 80) return this.#merge();
    if (roll <= 90) return this.#inWith();
    if (roll <= 92) return this.#truncate();
    if (roll <= 95) return this.#copy();
    if (roll <= 97) return `PREPARE change AS ${random.pick([this.#insert(), this.#update(), this.#delete()])}`;
    return `EXPLAIN ${random.pick(["", "ANALYZE ", "(ANALYZE, COSTS OFF) ", "(ANALYZE false) ", "VERBOSE "])}${random.pick([this.#insert(), this.#update(), this.#delete()])}`;
  }

  /** An UPDATE or DELETE whose WHERE is true for all rows. */
  whole(): string {
    const table = this.#random.pick(UNREFERENCED);
    const { text, alias } = this.#conditional(table);
    return text.replace("{condition}", () => this.#conditions.always(table, alias, this.#random.int(0, 3)));
  }

  /** Two of one shape, of which only the second's WHERE is true for all rows. */
  twins(): readonly [first: string, always: string] {
    const table = this.#random.pick(UNREFERENCED);
    const { text, alias } = this.#conditional(table);
    const [first, always] = this.#conditions.twins(table, alias);
    return [text.replace("{condition}", () => first), text.replace("{condition}", () => always)];
  }

  /** One that hits a single row, in the same shapes. */
  single(): string {
    const table = this.#random.pick(UNREFERENCED.filter(({ name }) => name !== "events"));
    const { text, alias } = this.#conditional(table);
    return text.replace("{condition}", () => this.#conditions.selecting(table, alias, this.#random.int(0, 3)));
  }

  #conditional(table: Relation): Conditional {
    const random = this.#random;
    const name = nameOf(table, random);
    const set = this.#assignment(table);
    const forms: readonly Conditional[] = [
      { text: `DELETE FROM ${name} WHERE {condition}`, alias: table.name },
      { text: `DELETE FROM ${name} AS d WHERE {condition}`, alias: "d" },
      { text: `DELETE FROM ${name} WHERE {condition} RETURNING 1`, alias: table.name },
      { text: `UPDATE ${name} SET ${set} WHERE {condition}`, alias: table.name },
      { text: `UPDATE ${name} u SET ${set} WHERE {condition}`, alias: "u" },
      {
        text: `WITH gone AS (DELETE FROM ${name} WHERE {condition} RETURNING 1) SELECT count(*) FROM gone`,
        alias: table.name,
      },
      { text: `WITH one AS (SELECT 1 AS n) UPDATE ${name} u SET ${set} FROM one WHERE {condition}`, alias: "u" },
      { text: `EXPLAIN ANALYZE DELETE FROM ${name} WHERE {condition}`, alias: table.name },
      { text: `delete from ${name}\n  where {condition};`, alias: table.name },
      { text: `DELETE FROM ${name} AS d USING (SELECT 1 AS x) s WHERE s.x = 1 AND {condition}`, alias: "d" },
      { text: `UPDATE ${name} u SET ${set} FROM (VALUES (1)) AS v(x) WHERE {condition} AND v.x = 1`, alias: "u" },
      { text: `MERGE INTO ${name} m USING (SELECT 1) s ON {condition} WHEN MATCHED THEN DELETE`, alias: "m" },
      {
        text: `MERGE INTO ${name} m USING (SELECT 1) s ON {condition} WHEN MATCHED THEN UPDATE SET ${set}`,
        alias: "m",
      },
    ];
    return random.pick(forms);
  }

  #insert(): string {
    const random = this.#random;
    const table = random.pick(TABLES);
    const name = nameOf(table, random);
    const columns = table.columns;
    const list = columns.map((column) => column.name).join(", ");
    const values = () => columns.map((column) => this.#value(column.name, column.type, table)).join(", ");
    const selected = random.pick(TABLES);
    const returning = this.#returning(table, "");
    const forms = [
      () => `INSERT INTO ${name} (${list}) VALUES (${values()})${returning}`,
      () => `INSERT INTO ${name} VALUES (${values()}), (${values()})`,
      () =>
        `INSERT INTO ${name} AS i (${list}) SELECT ${values()} FROM ${nameOf(selected, random)} LIMIT 1${this.#returning(table, "i")}`,
      () => `INSERT INTO ${name} SELECT * FROM ${name} WHERE false`,
      () => `INSERT INTO ${name} (${list}) VALUES (${values()}) ON CONFLICT DO NOTHING${returning}`,
      () =>
        `INSERT INTO ${name} (${list}) VALUES (${values()}) ON CONFLICT (${table.key.join(", ")}) DO UPDATE SET ${this.#excluded(table)}${random.pick(["", " WHERE true"])}${returning}`,
      () =>
        `INSERT INTO ${name} (${list}) VALUES (${values()}) ON CONFLICT ON CONSTRAINT ${table.name}_pkey DO NOTHING`,
      () => `INSERT INTO ${name} (${list}) TABLE ${name} LIMIT 0`,
      () => "INSERT INTO scratch DEFAULT VALUES",
      () =>
        `INSERT INTO scratch (id, body) OVERRIDING SYSTEM VALUE VALUES (DEFAULT, ${this.#expressions.of("text", EMPTY, 2)})`,
      () => `WITH s AS (${this.#queries.select(1, ["text"])}) INSERT INTO scratch (body) SELECT s.* FROM s`,
      () => `INSERT INTO active_products (id, title, price, active) VALUES (${random.int(100, 999)}, 'new', 1, true)`,
      () => `INSERT INTO legacy_comments VALUES (${random.int(5, 99)}, 'redirected')`,
    ];
    return random.pick(forms)();
  }

  #update(): string {
    const random = this.#random;
    const table = random.pick(TABLES);
    const scope = scopeOf(table, "u");
    const where = this.#where(scope);
    const other = random.pick(RELATIONS);
    const name = `${random.pick(["", "", "ONLY "])}${nameOf(table, random)}`;
    const returning = this.#returning(table, "u");
    const forms = [
      () => `UPDATE ${name} AS u SET ${this.#assignment(table)}${where}${returning}`,
      () => `UPDATE ${name} u SET ${this.#assignments(table)} WHERE u.${table.key[0]} = ${keyValue(table)}${returning}`,
      () =>
        `UPDATE ${name} u SET ${this.#assignment(table)} FROM ${nameOf(other, random)} o WHERE ${this.#expressions.of("bool", { ...scope, sources: [...scope.sources, { alias: "o", columns: other.columns }] }, 2)}${returning}`,
      () => {
        const [first, second] = plainColumns(table);
        if (first === undefined || second === undefined) return `UPDATE ${name} u SET ${this.#assignment(table)}`;
        return `UPDATE ${name} u SET (${first.name}, ${second.name}) = (SELECT ${this.#value(first.name, first.type, table)}, ${this.#value(second.name, second.type, table)})${where}`;
      },
      () =>
        `UPDATE ${name} u SET ${this.#assignment(table)} WHERE u.${table.key[0]} IN (SELECT q.${table.key[0]} FROM ${nameOf(table, random)} q WHERE ${this.#expressions.of("bool", scopeOf(table, "q"), 1)})`,
      () => "UPDATE customers SET settings['theme'] = '\"dark\"', labels[1] = 'first' WHERE id = 1",
      () => "UPDATE active_products SET title = title || '!' WHERE id = 2",
      () => "UPDATE scratch SET body = DEFAULT, id = DEFAULT WHERE id = 1",
    ];
    return random.pick(forms)();
  }

  #delete(): string {
    const random = this.#random;
    const table = random.pick(UNREFERENCED);
    const scope = scopeOf(table, "d");
    const other = random.pick(RELATIONS);
    const name = `${random.pick(["", "", "ONLY "])}${nameOf(table, random)}`;
    const forms = [
      () => `DELETE FROM ${name} AS d${this.#where(scope)}${this.#returning(table, "d")}`,
      () =>
        `DELETE FROM ${name} d USING ${nameOf(other, random)} o WHERE ${this.#expressions.of("bool", { ...scope, sources: [...scope.sources, { alias: "o", columns: other.columns }] }, 2)}`,
      () => `DELETE FROM ${name} WHERE ${table.key[0]} = ${keyValue(table)}`,
      () =>
        `DELETE FROM ${name} d WHERE NOT EXISTS (SELECT 1 FROM ${nameOf(other, random)} o WHERE ${this.#expressions.of("bool", { ...scope, sources: [{ alias: "o", columns: other.columns }, ...scope.sources] }, 1)})`,
      () =>
        `DELETE FROM order_overview WHERE false`.replace("order_overview", random.pick(["active_products", "scratch"])),
    ];
    return random.pick(forms)();
  }

  #merge(): string {
    const random = this.#random;
    const table = random.pick(UNREFERENCED.filter(({ name }) => name !== "events"));
    const source = random.pick(RELATIONS);
    const scope: Scope = {
      ...EMPTY,
      sources: [...scopeOf(table, "m").sources, { alias: "s", columns: source.columns }],
    };
    const key = table.key[0] ?? "id";
    const isUuid = table.columns.find(({ name }) => name === key)?.type === "uuid";
    const from = random.pick([
      `(SELECT ${keyValue(table)}${isUuid ? "::uuid" : ""} AS k) s ON m.${key} = s.k`,
      `(VALUES (${keyValue(table)}${isUuid ? "::uuid" : ""})) AS s(k) ON m.${key} = s.k AND ${this.#expressions.of("bool", scopeOf(table, "m"), 1)}`,
      `(SELECT DISTINCT ON (1) ${isUuid ? "gen_random_uuid()" : "1"} AS k FROM ${nameOf(source, random)}) s ON m.${key} = s.k`,
    ]);
    const values = table.columns.map((column) => this.#value(column.name, column.type, table)).join(", ");
    const condition = random.pick([
      "",
      "",
      ` AND ${this.#expressions.of("bool", { ...scope, sources: scope.sources.slice(0, 1) }, 1)}`,
    ]);
    const matched = random.pick([`UPDATE SET ${this.#assignment(table)}`, "DELETE", "DO NOTHING"]);
    const unmatched = random.pick([
      ` WHEN NOT MATCHED THEN INSERT (${table.columns.map(({ name }) => name).join(", ")}) VALUES (${values})`,
      " WHEN NOT MATCHED BY TARGET THEN DO NOTHING",
      ` WHEN NOT MATCHED BY SOURCE AND m.${key} IS NULL THEN DELETE`,
      ` WHEN NOT MATCHED BY SOURCE AND false THEN UPDATE SET ${this.#assignment(table)}`,
      " WHEN NOT MATCHED THEN DO NOTHING",
      "",
    ]);
    const returning = random.pick(["", "", " RETURNING merge_action(), m.*", " RETURNING WITH (OLD AS o, NEW AS n) 1"]);
    return `MERGE INTO ${random.pick(["", "ONLY "])}${nameOf(table, random)} ${random.pick(["AS ", ""])}m USING ${from} WHEN MATCHED${condition} THEN ${matched}${unmatched}${returning}`;
  }

  #inWith(): string {
    const random = this.#random;
    const table = random.pick(UNREFERENCED);
    const inner = random.pick([
      `DELETE FROM ${nameOf(table, random)} WHERE ${table.key[0]} = ${keyValue(table)} RETURNING *`,
      `UPDATE ${nameOf(table, random)} SET ${this.#assignment(table)} WHERE ${table.key[0]} = ${keyValue(table)} RETURNING *`,
      "INSERT INTO scratch (body) VALUES ('from with') RETURNING *",
    ]);
    const outer = random.pick([
      "SELECT count(*) FROM changed",
      "INSERT INTO scratch (body) SELECT 'moved' FROM changed",
      `SELECT * FROM changed, ${nameOf(random.pick(RELATIONS), random)} z LIMIT 3`,
      "DELETE FROM audit WHERE id IN (SELECT 1 FROM changed)",
      "UPDATE runners SET active = false FROM changed WHERE false",
    ]);
    return `WITH ${random.pick(["", "RECURSIVE "])}changed AS (${inner}) ${outer}`;
  }

  #truncate(): string {
    const random = this.#random;
    const tables = random
      .some(TABLES, random.int(1, 2))
      .map((table) => `${random.pick(["", "ONLY "])}${nameOf(table, random)}`);
    const isSafe = tables.every((name) => !/events/i.test(name));
    const only = isSafe ? tables : ["events"];
    return `TRUNCATE ${random.pick(["", "TABLE "])}${only.join(", ")}${random.pick([" CASCADE", " RESTART IDENTITY CASCADE", " CONTINUE IDENTITY CASCADE"])}`;
  }

  #copy(): string {
    const random = this.#random;
    const table = random.pick(TABLES);
    const columns = random.some(table.columns, 3).map(({ name }) => name);
    const options = random.pick([
      "",
      " WITH (FORMAT csv, HEADER true)",
      " WITH (FORMAT binary)",
      " CSV",
      " WITH (FREEZE false)",
      " WITH (ON_ERROR ignore)",
    ]);
    return `COPY ${nameOf(table, random)}${random.pick(["", ` (${columns.join(", ")})`])} FROM STDIN${options}${random.pick(["", "", " WHERE true"])}`;
  }

  #where(scope: Scope): string {
    return this.#random.chance(85) ? ` WHERE ${this.#expressions.of("bool", scope, 2)}` : "";
  }

  #assignments(table: Relation, count = 2): string {
    const columns = this.#random.some(plainColumns(table), count);
    if (columns.length === 0) return `${table.key[0]} = ${table.key[0]}`;
    return columns.map(({ name, type }) => `${name} = ${this.#value(name, type, table)}`).join(", ");
  }

  #assignment(table: Relation): string {
    return this.#assignments(table, 1);
  }

  #excluded(table: Relation): string {
    const [column] = this.#random.some(plainColumns(table), 1);
    return column === undefined
      ? `${table.key[0]} = excluded.${table.key[0]}`
      : `${column.name} = excluded.${column.name}`;
  }

  #returning(table: Relation, alias: string): string {
    const random = this.#random;
    const scope = scopeOf(table, alias);
    return random.pick([
      "",
      "",
      "",
      " RETURNING *",
      ` RETURNING ${this.#expressions.of("text", scope, 1)} AS shown`,
      " RETURNING old.*, new.*",
      ` RETURNING ${table.key.join(", ")}`,
    ]);
  }

  /** A value that may stand in that column: a key that is free, a parent that exists. */
  #value(name: string, type: Type, table: Relation): string {
    const random = this.#random;
    if (table.key.includes(name) && type === "int") return String(random.int(1_000, 900_000));
    if (type === "uuid") return "gen_random_uuid()";
    if (name.endsWith("_id")) return String(random.int(1, 4));
    if (type === "bool") return random.pick(["true", "false", "1 = 1"]);
    // Not every expression has a value, and most columns need one.
    const own = this.#expressions.of(type, EMPTY, random.int(0, 2));
    return random.chance(30)
      ? `coalesce(${own}, ${this.#expressions.of(type, EMPTY, 0)})`
      : this.#expressions.of(type, EMPTY, 0);
  }
}

/** Tables to which no foreign key without CASCADE points. */
const REFERENCED = new Set([
  "customers",
  "orders",
  "products",
  "projects",
  "runners",
  "pipelines",
  "jobs",
  "authors",
  "articles",
  "sites",
]);
const UNREFERENCED = TABLES.filter(({ name }) => !REFERENCED.has(name));

/** Columns that are neither key nor reference. */
function plainColumns({ columns, key }: Relation): Relation["columns"] {
  return columns.filter(({ name }) => !key.includes(name) && !name.endsWith("_id"));
}

function scopeOf(table: Relation, alias: string): Scope {
  return { ...EMPTY, sources: [{ alias, columns: table.columns }] };
}

function keyValue({ key, columns }: Relation): string {
  return columns.find(({ name }) => name === key[0])?.type === "uuid" ? "'00000000-0000-0000-0000-000000000001'" : "1";
}
