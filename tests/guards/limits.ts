/** What does get past, with what helps. Each is run like an attack, and must pass, or it is no limit any more. Data only. */
import type { Limit, PolicyName } from "./attack.ts";
import { TOKEN } from "./template.ts";

interface Kind {
  readonly policy: PolicyName;
  readonly why: string;
  readonly remedy: string;
  readonly of: readonly (readonly [name: string, sql: string, arrives?: string])[];
}

const ROW_LIMIT =
  "a row limit in the database: AFTER DELETE OR UPDATE … REFERENCING OLD TABLE … FOR EACH STATEMENT, which raises beyond some rows; or a rule that allows writes by table";

/** Where the settings name no table of the connection, its catalog is not asked. */
const LIKE_COLUMN = {
  why: "PostgreSQL runs the owner's function f(row) for `row.f` where no column has that name, and no text tells the two apart; who may not define functions can reach only those that the owner made",
  remedy:
    "name a table under the connection's data in the settings: the catalog is asked then, and such a call is sql.call; or REVOKE EXECUTE on functions over row types",
};

const KINDS: readonly Kind[] = [
  {
    policy: "no-whole-table",
    why: "the data decides: no text tells that every row fits",
    remedy: ROW_LIMIT,
    of: [
      ["a bound below all", "DELETE FROM customers WHERE id > -1"],
      ["a value that no row has", "DELETE FROM customers WHERE name <> 'nobody'"],
      ["a range that holds all", "DELETE FROM customers WHERE id BETWEEN 1 AND 1000000"],
      ["the greatest of all", "DELETE FROM customers WHERE id <= (SELECT max(id) FROM customers)"],
      ["every number", "DELETE FROM customers WHERE id IN (SELECT generate_series(1, 1000))"],
      ["a pattern that every row fits", "DELETE FROM customers WHERE email LIKE '%@%'"],
      ["a neighbour for each row", "DELETE FROM customers c USING customers s WHERE c.id <> s.id"],
      ["a limit above all", "DELETE FROM customers WHERE id IN (SELECT id FROM customers LIMIT 1000)"],
      ["whole numbers without a gap", "DELETE FROM customers WHERE id >= 2 OR id <= 1"],
      ["a place behind all places", "DELETE FROM customers WHERE ctid >= '(0,0)'"],
      [
        "an upsert over a join of the table with itself",
        "INSERT INTO customers SELECT c.* FROM customers c JOIN customers d USING (id) ON CONFLICT (id) DO UPDATE SET name = 'x'",
      ],
    ],
  },
  {
    policy: "no-whole-table",
    why: "it takes knowledge of what a function gives",
    remedy: ROW_LIMIT,
    of: [
      ["a length", "DELETE FROM customers WHERE length(name) >= 0"],
      ["an absolute value", "DELETE FROM customers WHERE abs(id) >= 0"],
      ["a count of NULLs", "DELETE FROM customers WHERE num_nulls(id) = 0"],
      ["a count of other values", "DELETE FROM customers WHERE num_nonnulls(id, name) > 0"],
      ["a piece of nothing", "DELETE FROM customers WHERE left(name, 0) = ''"],
      ["a place of nothing", "DELETE FROM customers WHERE position('' in name) = 1"],
      ["a range around each", "DELETE FROM customers WHERE int4range(id, id, '[]') @> id"],
      ["a remainder", "DELETE FROM customers WHERE id % 1 = 0"],
    ],
  },
  {
    policy: "no-whole-table",
    why: "a name alone may be a column of either table",
    remedy: `${ROW_LIMIT}; or no USING and FROM: a rule on statement.tables`,
    of: [
      ["another table's column by its name alone", "DELETE FROM customers USING orders WHERE amount = 10"],
      [
        "another table's column by its name alone in UPDATE",
        "UPDATE customers SET name = 'x' FROM orders WHERE note = 'order 1'",
      ],
    ],
  },
  {
    policy: "no-whole-table",
    why: "who may change the schema can make a column that is the same for all rows, or a key that takes all with it",
    remedy: "deny sql.define where sql.delete and sql.update matter",
    of: [
      [
        "a view with a column that is the same for all",
        "CREATE VIEW made AS SELECT *, 1 AS a FROM customers; DELETE FROM made WHERE a = 1",
      ],
      [
        "a view's computed column",
        "CREATE VIEW made AS SELECT id, name, id IS NOT NULL AS a FROM customers; UPDATE made SET name = 'x' WHERE a",
      ],
      ["a new column with a default", "ALTER TABLE customers ADD a int DEFAULT 1; DELETE FROM customers WHERE a = 1"],
      [
        "a cascade",
        "CREATE TABLE made (a int PRIMARY KEY); INSERT INTO made VALUES (1); ALTER TABLE customers ADD a int DEFAULT 1 REFERENCES made ON DELETE CASCADE; DELETE FROM made WHERE a = 1",
      ],
    ],
  },
  {
    policy: "no-whole-table",
    why: "what the owner built into the schema runs as the owner meant it, and no statement shows it",
    remedy:
      "no such objects where the agent's role may use them (REVOKE EXECUTE does for functions behind operators and casts)",
    of: [
      ["an operator of the owner's", "SELECT 1 =!= 2"],
      ["a cast of the owner's", "SELECT ROW(1, 2)::owned_pair::int"],
      ["a domain's check of the owner's", "SELECT 1::checked"],
      ["a trigger of the owner's", "INSERT INTO trapped VALUES (1)"],
      ["a view of the owner's that calls a function", "SELECT cleared FROM trap"],
    ],
  },
  {
    policy: "no-whole-table",
    ...LIKE_COLUMN,
    of: [
      ["a function as if a column", "SELECT o.clear_of FROM orders o WHERE id = 1"],
      ["a function as if a field", "SELECT (o).clear_of FROM orders o WHERE id = 1"],
      ["a function as if a field of a sub-query", "SELECT (SELECT o FROM orders o WHERE id = 1).clear_of"],
      ["a function as if a column in a WHERE", "SELECT 1 FROM orders WHERE orders.clear_of = 1"],
    ],
  },
  {
    policy: "no-whole-table",
    why: "each statement writes few rows, and there are many statements",
    remedy: "a row limit over time in the database; the recording and the audit trail show it",
    of: [
      [
        "one row after the other",
        "DELETE FROM customers WHERE id = 1; DELETE FROM customers WHERE id = 2; DELETE FROM customers WHERE id = 3",
      ],
      [
        "a cursor's rows, one after the other",
        "BEGIN; DECLARE c CURSOR FOR SELECT id FROM customers FOR UPDATE; FETCH c; DELETE FROM customers WHERE CURRENT OF c; FETCH c; DELETE FROM customers WHERE CURRENT OF c; FETCH c; DELETE FROM customers WHERE CURRENT OF c; COMMIT",
      ],
    ],
  },
  {
    policy: "only-select",
    why: "a SELECT that locks is a read: it changes nothing",
    remedy: "a role without UPDATE on the tables, which PostgreSQL asks for; lock_timeout for the others",
    of: [["FOR UPDATE", "BEGIN; SELECT id FROM orders FOR UPDATE; SELECT 'yes-' || 'indeed'; COMMIT", "yes-indeed"]],
  },
  {
    policy: "only-select",
    ...LIKE_COLUMN,
    of: [
      ["a function as if a column, to read another table", "SELECT o.tell_of FROM orders o WHERE id = 1", TOKEN],
      ["a function as if a field, to read another table", "SELECT (o).tell_of FROM orders o WHERE id = 1", TOKEN],
      [
        "a function as if a column, by the table's name, to read another table",
        "SELECT orders.tell_of FROM orders WHERE orders.id = 1",
        TOKEN,
      ],
    ],
  },
  {
    policy: "only-select",
    why: "names and definitions of the schema are not rows; functions tell of them without a table",
    remedy: "REVOKE EXECUTE on those functions; no secrets in definitions",
    of: [
      ["whether a table exists", "SELECT 'yes-' || 'indeed' WHERE to_regclass('secrets') IS NOT NULL", "yes-indeed"],
      ["a view's definition", "SELECT 'yes-' || 'indeed' WHERE pg_get_viewdef('secret_view') ~ 'value'", "yes-indeed"],
      ["a table's size", "SELECT 'yes-' || 'indeed' WHERE pg_relation_size('secrets') > 0", "yes-indeed"],
    ],
  },
];

/** Limits that are none where the settings name a table of the connection. */
export function isClosedByCatalog({ why }: Limit): boolean {
  return why === LIKE_COLUMN.why;
}

export const LIMITS: readonly Limit[] = KINDS.flatMap(({ policy, why, remedy, of }) =>
  of.map(([name, sql, arrives]) => ({
    name,
    means: { kind: "text", sql },
    policy,
    why,
    remedy,
    ...(arrives !== undefined && { harm: { arrives } }),
  })),
);
