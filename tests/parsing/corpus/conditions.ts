/**
 * Conditions that are true for every row by construction, built from the classes that can be decided from the text
 * alone: constants, a NOT NULL column beside itself, IS NOT NULL, a condition or its opposite, what looks at other rows
 * only, and what NOT, AND, OR, CASE, coalesce, IS TRUE, comparison with true and sub-queries make of these. And the same
 * shapes with one piece that really selects.
 */
import type { Random } from "../random.ts";
import type { Relation } from "../schemas.ts";
import { EMPTY, Expressions, type Scope } from "./expressions.ts";

export class Conditions {
  readonly #random: Random;
  readonly #expressions: Expressions;

  constructor(random: Random) {
    this.#random = random;
    this.#expressions = new Expressions(random);
  }

  /** True for every row. */
  always(relation: Relation, alias: string, depth: number): string {
    return this.#settled(relation, alias, depth, true);
  }

  /**
   * Two texts of one shape that differ in a literal: the first is true for no row or not by construction, the second for
   * every row. Whoever keeps answers by shape must not answer the second with the first.
   */
  twins(relation: Relation, alias: string): readonly [first: string, always: string] {
    const random = this.#random;
    const { name } = random.pick(relation.columns.filter(({ notNull, type }) => notNull && type !== "jsonb"));
    const column = this.#column(relation, alias, name);
    const key = this.#column(relation, alias, relation.key[0] ?? "id");
    const isUuid = typeOf(relation) === "uuid";
    const uuid = (last: number) => `'00000000-0000-0000-0000-00000000000${last}'`;
    const value = (at: number) => (isUuid ? uuid(at) : String(at));
    return random.pick<readonly [string, string]>([
      [`(${column}, 1) = (${column}, 2)`, `(${column}, 1) = (${column}, 1)`],
      [`(${column}, 'a') IN ((${column}, 'b'))`, `(${column}, 'a') IN ((${column}, 'a'))`],
      [`${column}::text || 'a' = ${column}::text || 'b'`, `${column}::text || 'a' = ${column}::text || 'a'`],
      [`${key} = ${value(1)} OR ${key} <> ${value(2)}`, `${key} = ${value(1)} OR ${key} <> ${value(1)}`],
      [`left(${column}::text, 1) = left(${column}::text, 2)`, `left(${column}::text, 1) = left(${column}::text, 1)`],
      [`${column}::text LIKE '%x'`, `${column}::text LIKE '%'`],
      ["1 = 2", "1 = 1"],
      ["'a' = 'b'", "'a' = 'a'"],
      [`CASE WHEN 1 = 2 THEN true ELSE ${column} IS NULL END`, `CASE WHEN 1 = 1 THEN true ELSE ${column} IS NULL END`],
      [
        `coalesce(${column}::text, 'x') = coalesce(${column}::text, 'y')`,
        `coalesce(${column}::text, 'x') = coalesce(${column}::text, 'x')`,
      ],
    ]);
  }

  /** True for the row whose first key column is 1 and for no other. */
  selecting(relation: Relation, alias: string, depth: number): string {
    const random = this.#random;
    const one = `${this.#column(relation, alias, relation.key[0] ?? "id")} = ${KEY_VALUE[typeOf(relation)] ?? "1"}`;
    if (depth <= 0) return one;
    const always = () => this.#settled(relation, alias, depth - 1, true);
    const never = () => this.#settled(relation, alias, depth - 1, false);
    const inner = this.selecting(relation, alias, depth - 1);
    return random.pick([
      `${inner} AND ${bracket(always())}`,
      `(${inner} OR ${bracket(never())})`,
      `NOT (NOT (${inner}))`,
      `(${inner}) IS TRUE`,
      `CASE WHEN ${inner} THEN true ELSE ${never()} END`,
    ]);
  }

  #settled(relation: Relation, alias: string, depth: number, truth: boolean): string {
    const random = this.#random;
    const inner = (wanted: boolean) => this.#settled(relation, alias, depth - 1, wanted);
    const leaf = () => this.#leaf(relation, alias, truth);
    if (depth <= 0) return leaf();
    const any = () => this.#anything(relation, alias);
    const [all, some] = truth ? ["AND", "OR"] : ["OR", "AND"];
    const forms: readonly (() => string)[] = [
      leaf,
      () => `NOT ${bracket(inner(!truth))}`,
      () => `(${inner(truth)} ${all} ${bracket(inner(truth))})`,
      () => `(${any()} ${some} ${bracket(inner(truth))})`,
      () => `(${bracket(inner(truth))} ${some} ${any()})`,
      () => `(${inner(truth)}) IS ${truth ? "TRUE" : "NOT FALSE"}`,
      () => `(${inner(truth)}) IS ${truth ? "NOT FALSE" : "TRUE"}`,
      () => `(${inner(!truth)}) IS ${truth ? "FALSE" : "NOT TRUE"}`,
      () => `coalesce(${inner(truth)}, false)`,
      () => `CASE WHEN ${any()} THEN ${inner(truth)} ELSE ${inner(truth)} END`,
      () => `CASE WHEN ${inner(true)} THEN ${inner(truth)} ELSE ${inner(truth)} END`,
      () => this.#opposites(relation, alias, truth),
      () => `(${inner(truth)}) = true`,
      () => `true = (${inner(truth)})`,
      () => `(${inner(!truth)}) = false`,
      () => `(${inner(truth)}) <> false`,
      () => `(${inner(truth)}) IS NOT DISTINCT FROM true`,
      () => `(${inner(truth)}) IN (true)`,
      () => `EXISTS (SELECT 1 WHERE ${inner(truth)})`,
      () => `(SELECT ${inner(truth)})`,
      () => `(${inner(truth)})::bool`,
    ];
    return random.pick(forms)();
  }

  #leaf(relation: Relation, alias: string, truth: boolean): string {
    const random = this.#random;
    const name = random.pick(relation.columns.filter(({ notNull, type }) => notNull && type !== "jsonb"));
    const column = this.#column(relation, alias, name.name);
    const same = random.chance(50) ? column : name.name;
    return random.pick(
      truth
        ? [
            "true",
            "1 = 1",
            "'a' = 'a'",
            "2 > 1",
            "'yes'::bool",
            "1 IN (1, 2)",
            "NOT false",
            "now() > '2000-01-01'",
            "length('abc') = 3",
            `${column} IS NOT NULL`,
            `${column} = ${same}`,
            `${column} >= ${same}`,
            `${column} <= ${same}`,
            `${column} IS NOT DISTINCT FROM ${same}`,
            `${column} IN (${same})`,
            `${column} = ANY (ARRAY[${same}])`,
            `${column} BETWEEN ${same} AND ${same}`,
            `${column}::text = ${same}::text`,
            `${column}::text LIKE '%'`,
            "EXISTS (SELECT 1)",
            "(SELECT true)",
            "1 = ALL (ARRAY[1, 1])",
            "(1, 2) = (1, 2)",
            "NULLIF(1, 2) = 1",
            `${column} BETWEEN SYMMETRIC ${same} AND ${same}`,
            `(${column}, 1) = (${same}, 1)`,
            `ROW(${column}) IS NOT DISTINCT FROM ROW(${same})`,
            `${column} = ANY (ARRAY[${same}, ${same}])`,
            `CASE ${column} WHEN ${same} THEN true ELSE false END`,
            `lower(${column}::text) = lower(${same}::text)`,
            `(${column} IS NULL) IS NOT NULL`,
            "EXISTS (SELECT 1 FROM (SELECT 1 AS x) s WHERE s.x = 1)",
            "1 IN (SELECT s.x FROM (VALUES (1), (2)) AS s(x))",
            `${column} IN (SELECT ${same})`,
            `${column} = (SELECT ${same})`,
            `${column} = ALL (ARRAY[${same}])`,
            `${column} IN (VALUES (${same}))`,
          ]
        : [
            "false",
            "1 = 2",
            "'a' = 'b'",
            "1 <> 1",
            "'no'::bool",
            "NOT true",
            `${column} IS NULL`,
            `${column} <> ${same}`,
            `${column} < ${same}`,
            `${column} IS DISTINCT FROM ${same}`,
            `${column} NOT IN (${same})`,
            `${column} NOT BETWEEN ${same} AND ${same}`,
            `${column}::text NOT LIKE '%'`,
            "NOT EXISTS (SELECT 1)",
            "(1, 2) = (1, 3)",
            `NOT (${column} = ${same})`,
            `(${column}, 1) <> (${same}, 1)`,
            `CASE WHEN ${column} = ${same} THEN false ELSE true END`,
          ],
    );
  }

  /** P OR NOT P; P is never NULL, since it compares a NOT NULL column with a constant. */
  #opposites(relation: Relation, alias: string, truth: boolean): string {
    const random = this.#random;
    const key = this.#column(relation, alias, relation.key[0] ?? "id");
    const value = KEY_VALUE[typeOf(relation)] ?? String(random.int(1, 4));
    const flags = relation.columns
      .filter(({ type, notNull }) => type === "bool" && notNull)
      .map(({ name }) => this.#column(relation, alias, name));
    const pairs = [
      [`${key} = ${value}`, `${key} <> ${value}`],
      [`${key} < ${value}`, `${key} >= ${value}`],
      [`${key} > ${value}`, `${key} <= ${value}`],
      [`${key} = ${value}`, `NOT (${key} = ${value})`],
      [`${key} IS NULL`, `${key} IS NOT NULL`],
      ...flags.flatMap((flag) => [
        [flag, `NOT ${flag}`] as const,
        [`${flag} IS TRUE`, `${flag} IS NOT TRUE`] as const,
        [`${flag} = true`, `${flag} = false`] as const,
      ]),
    ] as const;
    const [a, b] = random.pick(pairs);
    const word = truth ? "OR" : "AND";
    const more = random.chance(30) ? ` ${word} ${this.#anything(relation, alias)}` : "";
    return random.chance(50) ? `(${a} ${word} ${b}${more})` : `(${b}${more} ${word} ${a})`;
  }

  #anything(relation: Relation, alias: string): string {
    const scope: Scope = { ...EMPTY, sources: [{ alias, columns: relation.columns }] };
    return bracket(this.#expressions.of("bool", scope, 1));
  }

  #column(_relation: Relation, alias: string, name: string): string {
    return alias === "" ? name : this.#random.pick([`${alias}.${name}`, name, `"${name}"`]);
  }
}

const KEY_VALUE: Readonly<Record<string, string>> = { uuid: "'00000000-0000-0000-0000-000000000001'" };

function typeOf({ key, columns }: Relation): string {
  return columns.find(({ name }) => name === key[0])?.type ?? "int";
}

function bracket(condition: string): string {
  return `(${condition})`;
}
