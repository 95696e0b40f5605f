/** Random SELECTs over tables with labels, views of them and tables without: nested, joined, grouped, with CTEs. */
import { aggregated, asText, type Expression, transformed, windowed } from "./expressions.ts";
import type { Random } from "./random.ts";
import { type Column, HIDING, NAMES, RELATIONS, type Relation } from "./relations.ts";

export interface Query {
  readonly sql: string;
  readonly columns: readonly Column[];
}

/** Something to select from, and what it is called there. */
interface Source {
  readonly sql: string;
  readonly alias: string;
  readonly columns: readonly Column[];
  /** The table's whole name, where it has no alias. */
  readonly path?: string;
}

const SHAPES = [
  [6, "plain"],
  [2, "grouped"],
  [2, "window"],
  [1, "distinct"],
  [1.5, "rows"],
] as const;
type Shape = (typeof SHAPES)[number][1];

/** How often a name is one that others have, too. */
const REUSED = 0.3;

export class Composer {
  readonly #random: Random;
  #names = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** `depth`: how many levels may be below. */
  query(depth: number): Query {
    const random = this.#random;
    if (depth > 0 && random.chance(0.16)) return this.#union(depth - 1);
    if (depth > 0 && random.chance(0.14)) return this.#with(depth - 1);
    if (depth > 0 && random.chance(0.05)) return this.#recursive(depth - 1);
    return this.#select(depth);
  }

  /** One text column called x. */
  texts(depth: number): string {
    const sources = this.#sources(depth);
    return `SELECT ${asText(this.#value(sources, depth)).sql} AS x FROM ${this.#joined(sources)}`;
  }

  /** An expression over what a statement other than SELECT has at hand. */
  over(alias: string, { columns }: Relation): Expression {
    return this.#value([{ sql: "", alias, columns }], 0);
  }

  #name(prefix: string, taken: readonly string[] = []): string {
    for (;;) {
      const name = this.#random.chance(REUSED) ? this.#random.pick(NAMES) : `${prefix}${++this.#names}`;
      if (!taken.includes(name)) return name;
    }
  }

  #namesOf(count: number, prefix: string): readonly string[] {
    const names: string[] = [];
    while (names.length < count) names.push(this.#name(prefix, names));
    return names;
  }

  #select(depth: number): Query {
    const random = this.#random;
    const sources = this.#sources(depth);
    const shape = random.weighed(SHAPES);
    const order = this.#order(sources);
    const made = Array.from({ length: 1 + random.int(3) }, () =>
      this.#shaped(shape, this.#value(sources, depth), sources, order),
    );
    const names = this.#namesOf(made.length, "c");
    const list = made.map(({ sql }, at) => `${sql} AS ${names[at]}`);
    const isWhole = shape !== "grouped" && shape !== "distinct";
    const tail = [
      random.chance(0.3) ? ` WHERE ${order} IS NOT NULL` : "",
      shape === "grouped" && random.chance(0.4) ? ` GROUP BY ${order}` : "",
      isWhole && random.chance(0.25) ? ` ORDER BY ${order}${random.chance(0.4) ? " LIMIT 5" : ""}` : "",
    ].join("");
    const distinct = shape === "distinct" ? "DISTINCT " : "";
    return {
      sql: `SELECT ${distinct}${list.join(", ")} FROM ${this.#joined(sources)}${tail}`,
      columns: made.map(({ kind, labelled }, at) => ({ name: names[at] ?? "", kind, labelled })),
    };
  }

  #shaped(shape: Shape, value: Expression, sources: readonly Source[], order: string): Expression {
    switch (shape) {
      case "grouped":
        return aggregated(this.#random, value);
      case "window":
        return windowed(this.#random, value, order);
      case "distinct":
        return asText(value);
      case "rows":
        return this.#random.chance(0.5) ? this.#row(sources) : value;
      case "plain":
        return value;
    }
  }

  /** A clean column to sort and group by. */
  #order(sources: readonly Source[]): string {
    const clean = sources.flatMap((source) =>
      source.columns
        .filter(({ kind, labelled }) => kind === "number" && !labelled)
        .map(({ name }) => `${source.alias}.${name}`),
    );
    return clean.length === 0 ? "1::text" : this.#random.pick(clean);
  }

  #value(sources: readonly Source[], depth: number): Expression {
    const random = this.#random;
    if (depth > 0 && random.chance(0.08)) {
      const sql = `(${this.texts(depth - 1)} LIMIT 1)`;
      return transformed(random, { sql, kind: "text", labelled: true }, random.int(2));
    }
    if (depth > 0 && random.chance(0.05)) {
      return { sql: `ARRAY(${this.texts(depth - 1)})`, kind: "array", labelled: true };
    }
    const columns = sources.flatMap((source) => source.columns.map((column) => ({ source, column })));
    const labelled = columns.filter(({ column }) => column.labelled);
    const { source, column } = random.pick(labelled.length > 0 && random.chance(0.85) ? labelled : columns);
    const namesakes = columns.filter((other) => other.column.name === column.name);
    const plain = this.#reference(source, column, namesakes.length === 1);
    const sql = random.chance(0.15) ? `(SELECT ${plain} FROM ${random.pick(HIDING)} LIMIT 1)` : plain;
    const steps = random.weighed([
      [3, 0],
      [4, 1],
      [3, 2],
      [1, 3],
    ] as const);
    const value: Expression = { sql, kind: column.kind, labelled: column.labelled };
    return transformed(random, random.chance(0.08) ? this.#read(value) : value, steps);
  }

  /** By a function in FROM, whose column has the name that the server gives it. */
  #read(value: Expression): Expression {
    const alias = this.#name("f");
    const text = asText(value).sql;
    const from = this.#random.pick([
      `value FROM json_array_elements_text(json_build_array(${text})) AS ${alias}`,
      `value FROM jsonb_each_text(jsonb_build_object('k', ${text})) AS ${alias}`,
      `string_to_table FROM string_to_table(${text}, '!!')`,
      `unnest FROM unnest(ARRAY[${text}])`,
      `upper FROM upper(${text})`,
      `column1 FROM (VALUES (${text})) AS ${alias}`,
    ]);
    return { ...asText(value), sql: `(SELECT ${from} LIMIT 1)` };
  }

  #reference({ alias, path }: Source, { name }: Column, isOnly: boolean): string {
    if (isOnly && this.#random.chance(0.25)) return name;
    return path !== undefined && this.#random.chance(0.5) ? `${path}.${name}` : `${alias}.${name}`;
  }

  #row(sources: readonly Source[]): Expression {
    const random = this.#random;
    const { alias, columns } = random.pick(sources);
    const start: Expression = { sql: alias, kind: "row", labelled: columns.some(({ labelled }) => labelled) };
    return transformed(random, start, random.int(3));
  }

  #sources(depth: number): readonly Source[] {
    const random = this.#random;
    const first = this.#source(depth, []);
    if (random.chance(0.65)) return [first];
    return [first, random.chance(0.35) ? this.#reader(first) : this.#source(depth, [first.alias])];
  }

  #source(depth: number, taken: readonly string[]): Source {
    const random = this.#random;
    const alias = this.#name("t", taken);
    if (depth > 0 && random.chance(0.45)) {
      const { sql, columns } = this.query(depth - 1);
      if (random.chance(0.7)) return { sql: `(${sql}) AS ${alias}`, alias, columns };
      const names = this.#namesOf(columns.length, "r");
      const renamed = columns.map((column, at) => ({ ...column, name: names[at] ?? "" }));
      return { sql: `(${sql}) AS ${alias}(${names.join(", ")})`, alias, columns: renamed };
    }
    if (depth > 0 && random.chance(0.1)) {
      const columns: readonly Column[] = [{ name: "x", kind: "text", labelled: true }];
      return { sql: `unnest(ARRAY(${this.texts(depth - 1)})) AS ${alias}(x)`, alias, columns };
    }
    const { name, columns } = random.weighed(RELATIONS);
    const own = name.split(".").at(-1) ?? "";
    if (/^\w+\.\w+$/.test(name) && !taken.includes(own) && random.chance(0.5)) {
      return { sql: name, alias: own, columns, path: name };
    }
    return { sql: `${name} AS ${alias}`, alias, columns };
  }

  /** Reads what stands before it. */
  #reader(first: Source): Source {
    const random = this.#random;
    const alias = this.#name("l", [first.alias]);
    const value = this.#value([first], 0);
    const x: Column = { name: "x", kind: "text", labelled: value.labelled };
    const text = asText(value).sql;
    return random.pick<() => Source>([
      () => ({ sql: `LATERAL (SELECT ${value.sql} AS x) AS ${alias}`, alias, columns: [{ ...x, kind: value.kind }] }),
      () => ({ sql: `LATERAL (VALUES (${text}), ('y')) AS ${alias}(x)`, alias, columns: [x] }),
      () => ({ sql: `upper(${text}) AS ${alias}(x)`, alias, columns: [x] }),
      () => ({ sql: `unnest(ARRAY[${text}]) AS ${alias}(x)`, alias, columns: [x] }),
      () => ({ sql: `jsonb_each_text(to_jsonb(${first.alias})) AS ${alias}(k, x)`, alias, columns: [x] }),
      () => ({ sql: `json_to_record(json_build_object('x', ${text})) AS ${alias}(x text)`, alias, columns: [x] }),
      () => ({
        sql: `json_array_elements_text(json_build_array(${text})) AS ${alias}`,
        alias,
        columns: [{ ...x, name: "value" }],
      }),
    ])();
  }

  /** Arms of the same number of texts. */
  #union(depth: number): Query {
    const random = this.#random;
    const names = this.#namesOf(1 + random.int(2), "u");
    const arms = [names, []].map((aliases) => {
      const sources = this.#sources(depth);
      const values = names.map(() => asText(this.#value(sources, depth)));
      const list = values.map(({ sql }, at) => (aliases[at] === undefined ? sql : `${sql} AS ${aliases[at]}`));
      return { sql: `SELECT ${list.join(", ")} FROM ${this.#joined(sources)}`, values };
    });
    const operator = random.weighed([
      [4, "UNION ALL"],
      [2, "UNION"],
      [1, "EXCEPT ALL"],
    ] as const);
    return {
      sql: arms.map(({ sql }) => sql).join(` ${operator} `),
      columns: names.map((name, at) => {
        return { name, kind: "text", labelled: arms.some(({ values }) => values[at]?.labelled === true) };
      }),
    };
  }

  #with(depth: number): Query {
    const random = this.#random;
    const name = this.#name("w");
    const inner = this.query(depth);
    const hint = random.pick(["", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
    const alias = this.#name("t");
    const sources: Source[] = [{ sql: `${name} AS ${alias}`, alias, columns: inner.columns }];
    const value = random.chance(0.25) ? this.#row(sources) : this.#value(sources, 0);
    const column: Column = { name: this.#name("c"), kind: value.kind, labelled: value.labelled };
    const sql = `WITH ${name} AS ${hint}(${inner.sql}) SELECT ${value.sql} AS ${column.name} FROM ${this.#joined(sources)}`;
    return { sql, columns: [column] };
  }

  #recursive(depth: number): Query {
    const name = this.#name("r");
    const start = `SELECT 1, '', q.x FROM (${this.texts(depth)}) q`;
    const again = `SELECT n + 1, y, x FROM ${name} WHERE n < 3`;
    return {
      sql: `WITH RECURSIVE ${name}(n, x, y) AS (${start} UNION ALL ${again}) SELECT x AS rx, n AS rn FROM ${name}`,
      columns: [
        { name: "rx", kind: "text", labelled: true },
        { name: "rn", kind: "number", labelled: false },
      ],
    };
  }

  #joined([first, second]: readonly Source[]): string {
    if (first === undefined) throw new Error("Cannot select from nothing");
    if (second === undefined) return first.sql;
    const isReader = /^(LATERAL|upper|unnest|json)/.test(second.sql);
    const haveId = [first, second].every(({ columns }) =>
      columns.some(({ name, kind }) => name === "id" && kind === "number"),
    );
    if (isReader || !haveId) return `${first.sql}${this.#random.chance(0.5) ? " CROSS JOIN " : ", "}${second.sql}`;
    const same = `ON ${first.alias}.id = ${second.alias}.id`;
    return this.#random.pick([
      `${first.sql} JOIN ${second.sql} USING (id)`,
      `${first.sql} JOIN ${second.sql} ${same}`,
      `${first.sql} LEFT JOIN ${second.sql} ${same}`,
      `${second.sql} RIGHT JOIN ${first.sql} ${same}`,
      `${first.sql} CROSS JOIN ${second.sql}`,
    ]);
  }
}
