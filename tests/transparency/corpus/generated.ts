/** Queries and changes composed at random from the template's tables; the same seed gives the same texts. */
import type { Topic } from "./case.ts";
import { int, type Random, randomOf, some } from "./random.ts";

type Kind = "int" | "text" | "num" | "date" | "bool";

interface Table {
  readonly name: string;
  readonly columns: Readonly<Record<string, Kind>>;
}

const TABLES: readonly Table[] = [
  { name: "people", columns: { id: "int", name: "text", email: "text", born: "date", height: "num", boss: "int" } },
  { name: "orders", columns: { id: "int", person: "int", amount: "num", note: "text", state: "text" } },
  { name: "tree", columns: { id: "int", parent: "int", label: "text" } },
  { name: "scratch", columns: { id: "int", v: "text", n: "int", at: "date" } },
  { name: "events", columns: { id: "int", day: "date", what: "text" } },
  { name: "grown", columns: { id: "int", name: "text", born: "date" } },
  { name: "totals", columns: { person: "int", total: "num", n: "int" } },
];

/** Columns in scope, each as it is written. */
type Scope = readonly { readonly text: string; readonly kind: Kind }[];

/** `count` statements: three of four are queries. */
export function generatedTopics(seed: number, count: number): readonly Topic[] {
  const random = randomOf(seed);
  const queries = Array.from({ length: Math.ceil((count * 3) / 4) }, () => query(random, 2));
  const changes = Array.from({ length: Math.floor(count / 4) }, () => change(random));
  return [
    { title: "generated queries", statements: queries },
    { title: "generated changes", statements: changes, undone: true },
  ];
}

function query(random: Random, depth: number): string {
  const shape = int(random, 10);
  if (depth > 0 && shape === 0) {
    return `WITH c AS (${query(random, depth - 1)}) SELECT count(*) AS n FROM c`;
  }
  if (depth > 0 && shape === 1) {
    const operator = some(random, ["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]);
    const [a, b] = [from(random, 1), from(random, 1)];
    const [left, right] = [some(random, ints(a.scope)), some(random, ints(b.scope))];
    return `SELECT ${left} AS n FROM ${a.text} ${operator} SELECT ${right} FROM ${b.text} ORDER BY n NULLS LAST LIMIT 20`;
  }
  if (shape === 2) return grouped(random);
  if (shape === 3) return windowed(random);
  const { text, scope } = from(random, depth);
  const outputs = Array.from({ length: 1 + int(random, 4) }, (_, at) => `${expression(random, scope, 2)} AS c${at}`);
  const places = outputs.map((_, at) => `${at + 1}${some(random, ["", " DESC", " NULLS FIRST"])}`);
  const where = int(random, 3) > 0 ? ` WHERE ${condition(random, scope, depth)}` : "";
  const distinct = int(random, 6) === 0 ? "DISTINCT " : "";
  return `SELECT ${distinct}${outputs.join(", ")} FROM ${text}${where} ORDER BY ${places.join(", ")} LIMIT ${1 + int(random, 15)}`;
}

function grouped(random: Random): string {
  const { text, scope } = from(random, 1);
  const key = expression(random, scope, 1);
  const aggregates = Array.from({ length: 1 + int(random, 3) }, () => aggregate(random, scope));
  const having = int(random, 2) === 0 ? ` HAVING count(*) > ${int(random, 3)}` : "";
  return `SELECT ${key} AS k, ${aggregates.join(", ")} FROM ${text} GROUP BY k${having} ORDER BY k NULLS FIRST LIMIT 10`;
}

function aggregate(random: Random, scope: Scope): string {
  const { text, kind } = some(random, scope);
  const by = kind === "int" || kind === "num" ? ["sum", "avg", "min", "max", "count"] : ["min", "max", "count"];
  const filter = int(random, 4) === 0 ? ` FILTER (WHERE ${condition(random, scope, 0)})` : "";
  return `${some(random, by)}(${text})${filter}`;
}

function windowed(random: Random): string {
  const table = some(random, TABLES);
  const scope = scopeOf(table, "t");
  const own = `t.${Object.keys(table.columns)[0]}`;
  const call = some(random, [
    "row_number()",
    "rank()",
    `lag(${own})`,
    `sum(${own})`,
    `count(*)`,
    `first_value(${own})`,
  ]);
  const partition = int(random, 2) === 0 ? `PARTITION BY ${some(random, scope).text} ` : "";
  return `SELECT ${own}, ${call} OVER (${partition}ORDER BY ${own}) AS w FROM ${table.name} AS t ORDER BY 1, 2 LIMIT 12`;
}

function from(random: Random, depth: number): { readonly text: string; readonly scope: Scope } {
  const first = some(random, TABLES);
  if (depth === 0 || int(random, 2) === 0) return { text: `${first.name} AS a`, scope: scopeOf(first, "a") };
  const second = some(random, TABLES);
  const [left, right] = [some(random, ints(scopeOf(first, "a"))), some(random, ints(scopeOf(second, "b")))];
  const kind = some(random, ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
  return {
    text: `${first.name} AS a ${kind} ${second.name} AS b ON ${left} = ${right}`,
    scope: [...scopeOf(first, "a"), ...scopeOf(second, "b")],
  };
}

function scopeOf({ columns }: Table, alias: string): Scope {
  return Object.entries(columns).map(([name, kind]) => ({ text: `${alias}.${name}`, kind }));
}

function ints(scope: Scope): readonly string[] {
  return scope.filter(({ kind }) => kind === "int").map(({ text }) => text);
}

function expression(random: Random, scope: Scope, depth: number): string {
  const { text, kind } = some(random, scope);
  if (depth === 0) return text;
  switch (kind) {
    case "int":
      return some(random, [
        text,
        `${text} + ${int(random, 9)}`,
        `${text} % 5`,
        `abs(${text} - 10)`,
        `${text}::text`,
        `coalesce(${text}, 0)`,
      ]);
    case "num":
      return some(random, [
        text,
        `round(${text}, 1)`,
        `${text} * 2`,
        `${text}::int`,
        `CASE WHEN ${text} > 100 THEN 'big' ELSE 'small' END`,
      ]);
    case "text":
      return some(random, [
        text,
        `upper(${text})`,
        `length(${text})`,
        `left(${text}, 4)`,
        `${text} || '!'`,
        `substr(${text}, 2, 3)`,
        `quote_literal(${text})`,
      ]);
    case "date":
      return some(random, [
        text,
        `extract(year FROM ${text})`,
        `${text} + ${int(random, 40)}`,
        `to_char(${text}, 'DD/MM')`,
        `date_trunc('month', ${text})`,
      ]);
    case "bool":
      return text;
    default:
      return kind satisfies never;
  }
}

function condition(random: Random, scope: Scope, depth: number): string {
  const one = comparison(random, scope, depth);
  const shape = int(random, 4);
  if (shape === 0) return `${one} AND ${comparison(random, scope, 0)}`;
  if (shape === 1) return `(${one} OR ${comparison(random, scope, 0)})`;
  return shape === 2 ? `NOT (${one})` : one;
}

function comparison(random: Random, scope: Scope, depth: number): string {
  const { text, kind } = some(random, scope);
  const operator = some(random, ["=", "<>", "<", ">=", "IS DISTINCT FROM"]);
  if (int(random, 8) === 0) return `${text} IS NOT NULL`;
  switch (kind) {
    case "int":
      if (depth > 0 && int(random, 4) === 0) return `${text} IN (SELECT id FROM tree WHERE id < ${int(random, 30)})`;
      return some(random, [
        `${text} ${operator} ${int(random, 60)}`,
        `${text} BETWEEN ${int(random, 10)} AND 40`,
        `${text} = ANY (ARRAY[1, 2, 3])`,
      ]);
    case "num":
      return `${text} ${operator} ${int(random, 30_000) / 100}`;
    case "text":
      return some(random, [
        `${text} LIKE '%${int(random, 10)}%'`,
        `${text} ${operator} 'person ${int(random, 60)}'`,
        `length(${text}) > ${int(random, 12)}`,
      ]);
    case "date":
      return `${text} ${operator} '${1970 + int(random, 55)}-0${1 + int(random, 9)}-15'`;
    case "bool":
      return text;
    default:
      return kind satisfies never;
  }
}

function change(random: Random): string {
  const table = TABLES[3] as Table;
  const scope = scopeOf(table, "scratch");
  const where = int(random, 5) === 0 ? "" : ` WHERE ${condition(random, scope, 1)}`;
  const returning = int(random, 2) === 0 ? ` RETURNING ${some(random, ["*", "id", "id, v", "n + 1 AS next"])}` : "";
  const id = 200 + int(random, 40);
  switch (int(random, 5)) {
    case 0:
      return `INSERT INTO scratch (id, v, n) VALUES (${id}, 'made ${id}', ${int(random, 99)})${returning}`;
    case 1:
      return `INSERT INTO scratch (id, v) SELECT id + 300, label FROM tree WHERE id < ${int(random, 9)}${returning}`;
    case 2:
      return `UPDATE scratch SET v = ${some(random, ["'new'", "v || '+'", "upper(v)", "NULL", "DEFAULT"])}${where}${returning}`;
    case 3:
      return `UPDATE scratch SET n = ${some(random, ["n + 1", "id * 2", "0", "(SELECT max(id) FROM tree)"])}, at = DEFAULT${where}${returning}`;
    default:
      return `DELETE FROM scratch${where}${returning}`;
  }
}
