/** Random statements around random queries: as they are, copied, fetched, prepared, returned, stored and broken. */
import { Collisions } from "./collisions.ts";
import { asText } from "./expressions.ts";
import { Composer } from "./queries.ts";
import { Random } from "./random.ts";
import { CUSTOMERS, type Relation, VAULT } from "./relations.ts";

export interface Composed {
  readonly sql: string;
  readonly form: "simple" | "text" | "binary";
}

const DEPTH_MAX = 2;

/** The same for the same numbers. `collide`: names are drawn so that they mean several things at once. */
export function compose(seed: number, number: number, collide = false): Composed {
  const random = new Random(seed * 1_000_003 + number);
  if (collide) {
    return { sql: new Collisions(random).statement(), form: random.pick(["simple", "text", "binary"] as const) };
  }
  const composer = new Composer(random);
  const depth = random.int(DEPTH_MAX + 1);
  const made = random.weighed<() => string>([
    [50, () => composer.query(depth).sql],
    [6, () => `COPY (${composer.query(depth).sql}) TO STDOUT`],
    [2, () => `COPY (${composer.query(depth).sql}) TO STDOUT WITH (FORMAT csv)`],
    [1, () => `COPY (${composer.query(depth).sql}) TO STDOUT WITH (FORMAT binary)`],
    [5, () => undone(`DECLARE c CURSOR FOR ${composer.query(depth).sql}; FETCH ALL FROM c`)],
    [3, () => `PREPARE q AS ${composer.query(depth).sql}; EXECUTE q; DEALLOCATE q`],
    [3, () => undone(`CREATE TEMP VIEW v AS ${composer.query(depth).sql}; SELECT * FROM v`)],
    [3, () => undone(`CREATE TEMP TABLE made AS ${composer.texts(depth)}; SELECT x FROM made`)],
    [2, () => undone(`INSERT INTO stash (x) ${composer.texts(depth)} RETURNING x`)],
    [2, () => undone(`INSERT INTO stash (x) ${composer.texts(depth)}; SELECT x FROM stash`)],
    [
      3,
      () => undone(`UPDATE customers AS c SET name = name WHERE id < 3 RETURNING ${list(random, composer, CUSTOMERS)}`),
    ],
    [2, () => undone(`UPDATE vault AS c SET note = note RETURNING ${list(random, composer, VAULT)}`)],
    [2, () => undone(`UPDATE stash SET y = (${composer.texts(depth)} LIMIT 1) RETURNING y`)],
    [2, () => undone(`DELETE FROM customers AS c WHERE id = 1 RETURNING ${list(random, composer, CUSTOMERS)}`)],
    [
      2,
      () =>
        undone(
          `INSERT INTO customers AS c VALUES (1, '', '', '', '') ON CONFLICT (id) DO UPDATE SET email = 'x' RETURNING ${list(random, composer, CUSTOMERS)}`,
        ),
    ],
    [3, () => `SELECT (s.x || '!')::int FROM (${composer.texts(depth)}) s`],
    [1, () => `SELECT id FROM orders WHERE id < 4 AND ((${composer.texts(depth)} LIMIT 1) || '!')::date IS NULL`],
    [1, () => `SELECT set_config('my.x', (${composer.texts(depth)} LIMIT 1), true)`],
    [1, () => `LISTEN mail; SELECT pg_notify('mail', left(s.x, 200)) FROM (${composer.texts(depth)}) s`],
  ]);
  return { sql: made(), form: random.pick(["simple", "text", "binary"] as const) };
}

function list(random: Random, composer: Composer, table: Relation): string {
  if (random.chance(0.15)) return "*";
  return Array.from({ length: 1 + random.int(2) }, () => {
    const value = composer.over("c", table);
    return random.chance(0.5) ? value.sql : asText(value).sql;
  }).join(", ");
}

function undone(sql: string): string {
  return `BEGIN; ${sql}; ROLLBACK`;
}
