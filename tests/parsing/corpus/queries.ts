/** Random SELECTs over the schemas: joins of every kind, sub-queries, grouping, windows, set operations, CTEs, locks, cursors. */
import type { Random } from "../random.ts";
import { type Column, RELATIONS, type Type } from "../schemas.ts";
import { EMPTY, Expressions, nameOf, type Scope, type Source } from "./expressions.ts";

const OUTPUT_TYPES: readonly Type[] = [
  "int",
  "text",
  "numeric",
  "bool",
  "timestamptz",
  "jsonb",
  "date",
  "text[]",
  "uuid",
  "interval",
  "inet",
];
const JOINS = ["JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "RIGHT JOIN", "FULL JOIN"] as const;

interface From {
  readonly text: string;
  readonly sources: readonly Source[];
}

export class Queries {
  readonly #random: Random;
  readonly #expressions: Expressions;
  #aliases = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#expressions = new Expressions(random);
  }

  /** A whole statement. */
  statement(): string {
    const random = this.#random;
    const roll = random.int(1, 100);
    if (roll <= 52) return this.select(random.int(1, 3));
    if (roll <= 64) return this.#with();
    if (roll <= 74) return this.#setOperation();
    if (roll <= 79) return this.#values();
    if (roll <= 82) return `TABLE ${nameOf(random.pick(RELATIONS), random)}`;
    if (roll <= 86) return this.#locking();
    if (roll <= 90)
      return `EXPLAIN ${random.pick(["", "(FORMAT JSON) ", "ANALYZE ", "(ANALYZE, BUFFERS, VERBOSE) ", "(COSTS OFF) ", "VERBOSE "])}${this.select(1)}`;
    if (roll <= 92)
      return `SELECT ${this.#columns(2).join(", ")} INTO ${random.pick(["", "TEMP ", "UNLOGGED "])}made FROM ${nameOf(random.pick(RELATIONS), random)} s WHERE false`.replace(
        /SELECT .* INTO/,
        "SELECT count(*) AS n INTO",
      );
    if (roll <= 94)
      return `DECLARE cur ${random.pick(["", "SCROLL ", "NO SCROLL ", "BINARY ", "INSENSITIVE "])}CURSOR FOR ${this.select(1)}`;
    if (roll <= 96) return `PREPARE prepared AS ${this.select(1)}`;
    if (roll <= 98)
      return `COPY (${this.select(1)}) TO STDOUT${random.pick(["", " WITH (FORMAT csv, HEADER)", " CSV", " (DELIMITER '|')"])}`;
    return `COPY ${nameOf(random.pick(RELATIONS.filter(({ kind, name }) => kind === "table" && name !== "events")), random)} TO STDOUT`;
  }

  /** One SELECT with everything it may have; its first output is an int when `types` says so. */
  select(depth: number, types?: readonly Type[]): string {
    const random = this.#random;
    const from = this.#from(depth);
    const isGrouped = random.chance(25);
    const hasWindows = !isGrouped && random.chance(20);
    const scope: Scope = { sources: from.sources, aggregates: false, windows: false };
    const expressions = this.#expressions;
    const wanted = types ?? Array.from({ length: random.int(1, 4) }, () => random.pick(OUTPUT_TYPES));
    const keys = isGrouped ? this.#groupKeys(scope) : [];
    const outputs = wanted.map((type, at) => {
      const own = expressions.of(type, { ...scope, aggregates: isGrouped, windows: hasWindows }, depth);
      return `${typedOutput(own, type, types !== undefined)}${random.pick(["", ` AS c${at}`, ` AS "C ${at}"`])}`;
    });
    if (types === undefined && keys.length > 0 && random.chance(30)) outputs.push(`GROUPING(${keys.join(", ")})`);
    if (types === undefined && !isGrouped && random.chance(20)) {
      outputs.push(random.pick(["*", ...from.sources.map(({ alias }) => `${alias}.*`)]));
    }
    const distinct = isGrouped || types !== undefined ? "" : random.pick(["", "", "", "", "ALL "]);
    const parts = [`SELECT ${distinct}${outputs.join(", ")}`, from.text];
    if (random.chance(65)) parts.push(`WHERE ${expressions.of("bool", scope, depth)}`);
    if (isGrouped) {
      if (keys.length > 0) parts.push(`GROUP BY ${this.#grouping(keys)}`);
      if (random.chance(40)) parts.push(`HAVING ${expressions.of("bool", { ...scope, aggregates: true }, depth)}`);
    }
    if (hasWindows)
      parts.push(
        `WINDOW w AS (${random.pick(["", `PARTITION BY ${expressions.of("text", scope, 1)} `])}ORDER BY ${expressions.of("int", scope, 1)})`,
      );
    if (types === undefined && random.chance(45)) parts.push(`ORDER BY ${this.#order(scope, isGrouped)}`);
    if (types === undefined && random.chance(45))
      parts.push(this.#limit(parts.some((part) => part.startsWith("ORDER BY"))));
    return parts.join(random.pick([" ", " ", " ", "\n", "\n  ", " /* c */ "]));
  }

  #groupKeys(scope: Scope): readonly string[] {
    const random = this.#random;
    const keys = [this.#expressions.column("text", scope), this.#expressions.column("int", scope)];
    return random.some(
      keys.flatMap((key) => key ?? []),
      random.int(0, 2),
    );
  }

  #grouping(keys: readonly string[]): string {
    const list = keys.join(", ");
    return this.#random.pick([
      list,
      list,
      `ROLLUP (${list})`,
      `CUBE (${list})`,
      `GROUPING SETS ((${list}), ())`,
      `DISTINCT ${list}, GROUPING SETS ((${keys[0]}))`,
    ]);
  }

  #order(scope: Scope, isGrouped: boolean): string {
    const random = this.#random;
    if (isGrouped) return "1";
    const one = () =>
      `${random.pick(["1", `(${this.#expressions.of("int", scope, 1)}) + 0`, `lower(${this.#expressions.of("text", scope, 1)})`])}${random.pick(["", " DESC", " ASC NULLS FIRST", " NULLS LAST"])}`;
    return random.pick([one(), `${one()}, ${one()}`, `abs(${this.#expressions.of("int", scope, 0)}) USING <`]);
  }

  #limit(isOrdered: boolean): string {
    const random = this.#random;
    const forms = [
      "LIMIT 5",
      "LIMIT ALL",
      "LIMIT 3 OFFSET 1",
      "OFFSET 2 ROWS FETCH NEXT 2 ROWS ONLY",
      "FETCH FIRST ROW ONLY",
      `LIMIT (SELECT ${random.int(1, 5)})`,
    ];
    return random.pick(isOrdered ? [...forms, "FETCH FIRST 2 ROWS WITH TIES"] : forms);
  }

  #from(depth: number): From {
    const random = this.#random;
    let from = this.#item(depth, EMPTY);
    for (let left = random.pick([0, 0, 1, 1, 2]); left > 0; left--) from = this.#join(from, depth);
    if (random.chance(15)) {
      // Last: a comma binds weaker than JOIN, whose ON would not see what stands in front of it.
      const more = this.#item(depth - 1, EMPTY);
      from = { text: `${from.text}, ${more.text}`, sources: [...from.sources, ...more.sources] };
    }
    return { text: `FROM ${from.text}`, sources: from.sources };
  }

  #join(left: From, depth: number): From {
    const random = this.#random;
    const outer: Scope = { ...EMPTY, sources: left.sources };
    const right = this.#item(depth - 1, EMPTY);
    const sources = [...left.sources, ...right.sources];
    const roll = random.int(1, 100);
    if (roll <= 25) return { text: `${left.text} CROSS JOIN ${right.text}`, sources };
    if (roll <= 35) {
      const alias = this.#alias();
      const inner = this.#expressions.of("int", outer, depth);
      const item = `${random.pick(["CROSS JOIN LATERAL ", "JOIN LATERAL ", "LEFT JOIN LATERAL "])}(SELECT ${inner} AS n) ${alias}`;
      const on = item.startsWith("CROSS") ? "" : " ON true";
      return { text: `${left.text} ${item}${on}`, sources: [...left.sources, source(alias, "n int")] };
    }
    const shared = sharedColumn(left.sources, right.sources);
    if (roll <= 48 && shared !== undefined && left.sources.length === 1) {
      return {
        text: `${left.text} ${random.pick(JOINS)} ${right.text} USING (${shared})${random.pick(["", " AS merged"])}`,
        sources: sources.map((own) => without(own, shared)),
      };
    }
    if (roll <= 54 && left.sources.length === 1) {
      const hidden = new Set(left.sources[0]?.columns.map(({ name }) => name));
      const isClean = right.sources[0]?.columns.every(({ name }) => !hidden.has(name)) === true;
      if (isClean) return { text: `${left.text} NATURAL ${random.pick(["JOIN", "LEFT JOIN"])} ${right.text}`, sources };
    }
    const on = this.#expressions.of("bool", { ...EMPTY, sources }, random.int(0, 1));
    const isFull = roll > 90;
    const equal = this.#equality(left.sources, right.sources);
    const kind = isFull && equal !== "true" ? "FULL JOIN" : random.pick(JOINS.slice(0, 5));
    return {
      text: `${left.text} ${kind} ${right.text} ON ${equal}${kind === "FULL JOIN" ? "" : random.pick(["", ` AND ${on}`])}`,
      sources,
    };
  }

  #equality(left: readonly Source[], right: readonly Source[]): string {
    const pick = (sources: readonly Source[]) => this.#expressions.column("int", { ...EMPTY, sources });
    const [a, b] = [pick(left), pick(right)];
    return a === undefined || b === undefined ? "true" : `${a} = ${b}`;
  }

  /** A table, view, sub-query, function or the like, with an alias of its own. */
  #item(depth: number, outer: Scope): From {
    const random = this.#random;
    const alias = this.#alias();
    const expressions = this.#expressions;
    const roll = depth <= 0 ? 1 : random.int(1, 100);
    if (roll <= 62) {
      const relation = random.pick(RELATIONS);
      const only = relation.kind === "table" && random.chance(8) ? "ONLY " : "";
      const sample =
        relation.kind === "table" && random.chance(5)
          ? random.pick([" TABLESAMPLE BERNOULLI (50)", " TABLESAMPLE SYSTEM (100) REPEATABLE (1)"])
          : "";
      const text = `${only}${nameOf(relation, random)} ${random.pick(["AS ", ""])}${alias}${sample}`;
      return { text, sources: [{ alias, columns: relation.columns }] };
    }
    if (roll <= 74) {
      const inner = this.select(depth - 1, ["int", "text"]);
      return {
        text: `(${inner}) ${random.pick(["AS ", ""])}${alias}(n, name)`,
        sources: [source(alias, "n int, name text")],
      };
    }
    if (roll <= 79)
      return {
        text: `(VALUES (1, 'a'), (2, ${expressions.of("text", outer, 1)})) AS ${alias}(n, name)`,
        sources: [source(alias, "n int, name text")],
      };
    if (roll <= 83)
      return { text: `generate_series(1, ${random.int(2, 5)}) AS ${alias}(n)`, sources: [source(alias, "n int")] };
    if (roll <= 86)
      return {
        text: `unnest(${expressions.of("text[]", outer, 1)}) WITH ORDINALITY AS ${alias}(name, n)`,
        sources: [source(alias, "name text")],
      };
    if (roll <= 88)
      return {
        text: `ROWS FROM (generate_series(1, 3), unnest(ARRAY['a', 'b'])) AS ${alias}(n, name)`,
        sources: [source(alias, "n int, name text")],
      };
    if (roll <= 91)
      return {
        text: `jsonb_to_recordset('[{"n": 1, "name": "x"}]') AS ${alias}(n int, name text)`,
        sources: [source(alias, "n int, name text")],
      };
    if (roll <= 94) {
      const columns = `n int PATH '$.n' DEFAULT 1 ON EMPTY, name text PATH '$.name', at FOR ORDINALITY, has bool EXISTS PATH '$.x', NESTED PATH '$.list[*]' COLUMNS (inner_n int PATH '$')`;
      return {
        text: `JSON_TABLE(jsonb '[{"n": 1, "list": [1]}]', '$[*]' AS root COLUMNS (${columns}) ERROR ON ERROR) AS ${alias}`,
        sources: [source(alias, "n int, name text")],
      };
    }
    if (roll <= 96) {
      const passing =
        "PASSING xmlelement(name r, xmlelement(name x, 1)) COLUMNS n int PATH 'x' NOT NULL, name text PATH '.' DEFAULT 'd', at FOR ORDINALITY";
      return {
        text: `XMLTABLE(XMLNAMESPACES('urn:x' AS x), '/r' ${passing}) AS ${alias}`,
        sources: [source(alias, "n int, name text")],
      };
    }
    const [first, second] = [random.pick(RELATIONS), random.pick(RELATIONS)];
    const [a, b] = [this.#alias(), this.#alias()];
    return {
      text: `(${nameOf(first, random)} ${a} CROSS JOIN ${nameOf(second, random)} ${b})`,
      sources: [
        { alias: a, columns: first.columns },
        { alias: b, columns: second.columns },
      ],
    };
  }

  #setOperation(): string {
    const random = this.#random;
    const types = random.pick<readonly Type[]>([["int"], ["text"], ["int", "text"], ["numeric", "text"]]);
    const side = () => {
      const own = this.select(random.int(1, 2), types);
      return random.chance(40) ? `(${own})` : own;
    };
    const words = ["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL", "UNION DISTINCT"] as const;
    const text = `${side()} ${random.pick(words)} ${side()}${random.chance(30) ? ` ${random.pick(words)} ${side()}` : ""}`;
    return `${text}${random.pick(["", " ORDER BY 1", " ORDER BY 1 DESC LIMIT 3"])}`;
  }

  #with(): string {
    const random = this.#random;
    const roll = random.int(1, 100);
    const name = random.pick(["recent", "orders", "x", "customers", "ranked"]);
    const inner = this.select(random.int(1, 2), ["int", "text"]);
    const form = random.pick(["", "MATERIALIZED ", "NOT MATERIALIZED "]);
    if (roll <= 50) {
      const more = random.chance(40) ? `, more AS (SELECT n + 1 AS n FROM ${name})` : "";
      const rest = more === "" ? "" : " CROSS JOIN more m";
      return `WITH ${name}(n, label) AS ${form}(${inner})${more} SELECT r.n, r.label FROM ${name} r${rest} WHERE r.n > 0 ORDER BY 1`;
    }
    if (roll <= 75) {
      const base = `SELECT id, id FROM ${nameOf(random.pick(TABLES_WITH_ID), random)}`;
      const step = "SELECT t.id, t.n + 1 FROM tree t WHERE t.n < 4";
      const search = random.pick([
        "",
        " SEARCH DEPTH FIRST BY id SET ordering",
        " SEARCH BREADTH FIRST BY id SET ordering",
        " CYCLE id SET is_cycle USING path",
        " CYCLE id SET is_cycle TO 1 DEFAULT 0 USING path",
      ]);
      return `WITH RECURSIVE tree(id, n) AS (${base} UNION ALL ${step})${search} SELECT * FROM tree ORDER BY 1, 2 LIMIT 10`;
    }
    const shadowed = random.pick(TABLES_WITH_ID);
    // A CTE named like a table hides it only behind itself.
    return `WITH ${shadowed.name} AS (SELECT id FROM ${shadowed.name} WHERE id > ${random.int(0, 3)}) SELECT * FROM ${shadowed.name}${random.pick(["", `, ${shadowed.schema}.${shadowed.name} z`])}`;
  }

  #values(): string {
    const expressions = this.#expressions;
    const row = () => `(${expressions.of("int", EMPTY, 2)}, ${expressions.of("text", EMPTY, 2)})`;
    return `VALUES ${row()}, ${row()}${this.#random.pick(["", " ORDER BY 1 LIMIT 1"])}`;
  }

  #locking(): string {
    const random = this.#random;
    const relation = random.pick(RELATIONS.filter(({ kind }) => kind === "table"));
    const strength = random.pick(["UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE"]);
    const where = this.#expressions.of("bool", { ...EMPTY, sources: [{ alias: "l", columns: relation.columns }] }, 2);
    return `SELECT l.* FROM ${nameOf(relation, random)} l WHERE ${where} FOR ${strength}${random.pick(["", " OF l"])}${random.pick(["", " NOWAIT", " SKIP LOCKED"])}`;
  }

  #columns(count: number): readonly string[] {
    return Array.from({ length: count }, () => this.#expressions.of("int", EMPTY, 1));
  }

  #alias(): string {
    return `${this.#random.pick(["a", "b", "t", "o"])}${++this.#aliases}`;
  }
}

const TABLES_WITH_ID = RELATIONS.filter(
  ({ kind, columns }) => kind === "table" && columns.some(({ name, type }) => name === "id" && type === "int"),
);

function source(alias: string, columns: string): Source {
  return {
    alias,
    columns: columns.split(", ").map((text): Column => {
      const [name = "", type = ""] = text.split(" ");
      return { name, type: type as Type, notNull: false };
    }),
  };
}

function sharedColumn(left: readonly Source[], right: readonly Source[]): string | undefined {
  const own = new Map(left.flatMap(({ columns }) => columns.map(({ name, type }) => [name, type] as const)));
  return right[0]?.columns.find(({ name, type }) => own.get(name) === type && type !== "jsonb" && type !== "xml")?.name;
}

function without({ alias, columns }: Source, hidden: string): Source {
  return { alias, columns: columns.filter(({ name }) => name !== hidden) };
}

/** Both sides of a set operation must agree. */
function typedOutput(text: string, type: Type, isTyped: boolean): string {
  return isTyped ? `(${text})::${type}` : text;
}
