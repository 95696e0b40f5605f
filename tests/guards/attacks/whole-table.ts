/** Attacks on "no DELETE or UPDATE without a WHERE that selects". Data only. */
import { WHOLE_TABLE_AND_DDL } from "../../kit/attacks.ts";
import { client } from "../../kit/wire.ts";
import { type Attack, type AttackGroup, bound, spoken, text } from "../attack.ts";

/** The kit's list has whole-table writes first. */
const FIRST_DDL = WHOLE_TABLE_AND_DDL.findIndex(({ name }) => name === "DROP TABLE");
const OF_THE_KIT: readonly Attack[] = WHOLE_TABLE_AND_DDL.slice(0, FIRST_DDL).map(({ name, sql }) => text(name, sql));

const where = (name: string, condition: string): Attack => text(name, `DELETE FROM customers WHERE ${condition}`);

/** A twin of the same shape that selects, then the attack: what is remembered of one must not be taken for the other. */
function twins(name: string, twin: string, attack: string): Attack {
  const [first, second] = [twin, attack].map((condition) => `DELETE FROM customers WHERE ${condition}`);
  return spoken(name, `${first}; then ${second}`, [first ?? "", second ?? ""]);
}

export const WHOLE_TABLE: readonly AttackGroup[] = [
  {
    title: "Whole-table writes",
    policy: "no-whole-table",
    about: "Every statement that changes or removes all rows, in every place where one may stand.",
    attacks: [
      ...OF_THE_KIT,
      text("TRUNCATE of several", "TRUNCATE secrets, customers"),
      text("COPY of DELETE … RETURNING", "COPY (DELETE FROM customers RETURNING id) TO STDOUT"),
      text("COPY of UPDATE … RETURNING", "COPY (UPDATE customers SET name = 'x' RETURNING id) TO STDOUT"),
      text(
        "COPY of a DELETE in WITH",
        "COPY (WITH d AS (DELETE FROM customers RETURNING id) SELECT * FROM d) TO STDOUT",
      ),
      text(
        "EXPLAIN ANALYZE of a DELETE in WITH",
        "EXPLAIN (ANALYZE) WITH d AS (DELETE FROM customers RETURNING 1) SELECT * FROM d",
      ),
      text("EXPLAIN with ANALYZE twice", "EXPLAIN (ANALYZE false, ANALYZE true) DELETE FROM customers"),
      text("EXPLAIN ANALYZE of EXECUTE", "PREPARE p AS DELETE FROM customers; EXPLAIN ANALYZE EXECUTE p"),
      text("EXPLAIN with ANALYZE as a string", "EXPLAIN (ANALYZE 'on', FORMAT json) DELETE FROM customers"),
      text(
        "DELETE in WITH of an INSERT",
        "WITH d AS (DELETE FROM customers RETURNING id) INSERT INTO orders (id) SELECT id + 1000 FROM d",
      ),
      text(
        "DELETE in WITH of an UPDATE that selects",
        "WITH d AS (DELETE FROM customers) UPDATE orders SET note = 'x' WHERE id = 1",
      ),
      text(
        "DELETE in WITH of MERGE",
        "WITH d AS (DELETE FROM customers RETURNING id) MERGE INTO orders o USING orders d ON o.id = 1 AND d.id = 1 WHEN MATCHED THEN DO NOTHING",
        undefined,
        17,
      ),
      text(
        "DELETE in the third WITH",
        "WITH a AS (SELECT 1), b AS (DELETE FROM orders WHERE id = 1 RETURNING id), c AS (DELETE FROM customers RETURNING id) SELECT * FROM a",
      ),
      text(
        "DELETE in WITH RECURSIVE",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 2), d AS (DELETE FROM customers) SELECT n FROM r",
      ),
      text(
        "DELETE in WITH NOT MATERIALIZED",
        "WITH d AS NOT MATERIALIZED (DELETE FROM customers RETURNING 1) SELECT 1",
      ),
      text(
        "DELETE in WITH before a UNION",
        "WITH d AS (DELETE FROM customers RETURNING id) SELECT id FROM d UNION ALL SELECT 1",
      ),
      text(
        "DELETE in WITH of a cursor's neighbour",
        "BEGIN; DECLARE c CURSOR FOR SELECT 1; WITH d AS (DELETE FROM customers) SELECT 1; COMMIT",
      ),
      text(
        "DELETE in WITH of CREATE TABLE AS",
        "CREATE TABLE made AS WITH d AS (SELECT 1 AS a) SELECT a FROM d; DELETE FROM customers",
      ),
      text("PREPARE with a parameter", "PREPARE p(boolean) AS DELETE FROM customers WHERE $1; EXECUTE p(true)"),
      text("PREPARE of an UPDATE", "PREPARE p(text) AS UPDATE customers SET name = $1; EXECUTE p('x')"),
      spoken("PREPARE by SQL, Bind by the protocol", "PREPARE s AS DELETE FROM customers; Bind s, Execute", [
        "PREPARE s AS DELETE FROM customers",
        Buffer.concat([client.bind("", "s"), client.execute(""), client.sync()]),
      ]),
      text(
        "ON CONFLICT DO UPDATE over the table itself",
        "INSERT INTO customers SELECT * FROM customers ON CONFLICT (id) DO UPDATE SET name = 'x'",
      ),
      text(
        "ON CONFLICT DO UPDATE over TABLE",
        "INSERT INTO customers TABLE customers ON CONFLICT (id) DO UPDATE SET name = 'x' WHERE true",
      ),
      text(
        "ON CONFLICT DO UPDATE over its keys",
        "INSERT INTO customers (id) SELECT id FROM customers ON CONFLICT ON CONSTRAINT customers_pkey DO UPDATE SET name = 'x'",
      ),
      text("MERGE over itself", "MERGE INTO customers c USING customers s ON c.id = s.id WHEN MATCHED THEN DELETE"),
      text(
        "MERGE over a sub-query of itself",
        "MERGE INTO customers c USING (SELECT id AS n FROM customers) s ON c.id = s.n WHEN MATCHED THEN UPDATE SET name = 'x'",
      ),
      text(
        "MERGE over a CTE of itself with other names",
        "WITH s(n) AS (SELECT id FROM customers) MERGE INTO customers c USING s ON c.id = s.n WHEN MATCHED THEN DELETE",
      ),
      text(
        "MERGE that looks at its source only",
        "MERGE INTO customers USING orders o ON o.id = 1 WHEN MATCHED THEN DELETE",
      ),
      text(
        "MERGE with a condition that is always true",
        "MERGE INTO customers c USING (SELECT 1 AS n) s ON true WHEN MATCHED AND c.id = c.id THEN DELETE",
      ),
      text(
        "MERGE of what the source has not",
        "MERGE INTO customers USING (SELECT 0 AS n) s ON id = n WHEN NOT MATCHED BY SOURCE THEN DELETE",
        undefined,
        17,
      ),
      text(
        "MERGE of what the source has not, in its other branch",
        "MERGE INTO customers USING (SELECT 0 AS n) s ON id = n WHEN NOT MATCHED THEN DO NOTHING WHEN NOT MATCHED BY SOURCE THEN UPDATE SET name = 'x'",
        undefined,
        17,
      ),
      text("an alias", "DELETE FROM customers AS c"),
      text("a star behind the table", "DELETE FROM customers *"),
      text("the table with its schema and database", "DELETE FROM public.customers"),
      text("an UPDATE by a sub-query", "UPDATE customers SET (name, email) = (SELECT 'x', 'y')"),
      text("an UPDATE to DEFAULT", "UPDATE ONLY customers SET name = DEFAULT"),
      text("an UPDATE … RETURNING", "UPDATE customers c SET name = 'x' RETURNING c.id"),
      text("a view of the owner's", "CREATE VIEW made AS TABLE customers; UPDATE made SET name = 'x'"),
      text(
        "a rule's WHERE that looks at its own table",
        "CREATE TABLE made (a int); CREATE RULE r AS ON INSERT TO made DO ALSO DELETE FROM customers WHERE NEW.a = 1; INSERT INTO made VALUES (1)",
      ),
      text(
        "a rule that deletes instead",
        "CREATE TABLE made (a int); CREATE RULE r AS ON INSERT TO made DO INSTEAD (SELECT 1; DELETE FROM customers WHERE id = id); INSERT INTO made VALUES (1)",
      ),
      spoken("the fast path", "FunctionCall of clear()", [{ call: "clear()" }]),
    ],
  },
  {
    title: "A WHERE that does not look at the table",
    policy: "no-whole-table",
    about: "It asks something of another table, or of nobody: all rows go or none.",
    attacks: [
      text("another table's row by USING", "DELETE FROM customers USING orders o WHERE o.id = 1"),
      text("another table's row by FROM", "UPDATE customers SET name = 'x' FROM orders o WHERE o.id = 1"),
      text("a VALUES list", "DELETE FROM customers USING (VALUES (1)) v(n) WHERE v.n = 1"),
      text("a function's rows", "DELETE FROM customers USING generate_series(1, 3) g WHERE g = 1"),
      text("a CTE's row", "WITH c AS (SELECT 1 AS n) DELETE FROM customers USING c WHERE c.n = 1"),
      where("EXISTS of another table", "EXISTS (SELECT 1 FROM orders WHERE orders.id = 1)"),
      where("EXISTS of another table, unqualified", "EXISTS (SELECT 1 FROM orders WHERE amount = 10)"),
      where("EXISTS of a star", "EXISTS (SELECT * FROM orders)"),
      where("EXISTS of a VALUES list", "EXISTS (VALUES (1), (2))"),
      where("EXISTS of TABLE", "EXISTS (TABLE orders)"),
      where("NOT EXISTS of nothing", "NOT EXISTS (SELECT o.id FROM orders o WHERE o.id < 0)"),
      where("a constant in another table", "1 IN (SELECT o.id FROM orders o)"),
      where("a constant in a VALUES list", "1 IN (VALUES (1), (2))"),
      where("a count of another table", "(SELECT count(o.id) FROM orders o) > 0"),
      where("a scalar of another table", "(SELECT o.amount FROM orders o WHERE o.id = 1) = 10"),
      where("an array of another table", "1 = ANY (ARRAY(SELECT o.id FROM orders o))"),
      where("a quantifier over another table", "0 < ALL (SELECT o.id FROM orders o)"),
      text(
        "a MERGE's source by its column",
        "MERGE INTO customers USING (VALUES (7)) v(n) ON v.n = 7 WHEN MATCHED THEN UPDATE SET name = 'x'",
      ),
    ],
  },
  {
    title: "A WHERE that looks at the table itself",
    policy: "no-whole-table",
    about: "Each row is asked whether it is among the rows.",
    attacks: [
      where("among its own keys", "id IN (SELECT id FROM customers)"),
      where("among its own keys by another name", "id IN (SELECT c.id FROM customers c)"),
      where("= ANY of its own keys", "id = ANY (SELECT id FROM customers)"),
      where("among an array of its own keys", "id = ANY (ARRAY(SELECT id FROM customers))"),
      where("among its own places", "ctid IN (SELECT ctid FROM customers)"),
      where("EXISTS by its key", "EXISTS (SELECT 1 FROM customers c WHERE c.id = customers.id)"),
      where("EXISTS of the table", "EXISTS (SELECT * FROM customers)"),
      where("among its own keys in two steps", "id IN (SELECT id FROM (SELECT id FROM customers) s)"),
      text(
        "among its own keys by a CTE",
        "WITH c AS (SELECT id FROM customers) DELETE FROM customers WHERE id IN (SELECT id FROM c)",
      ),
      text("joined with itself", "DELETE FROM customers c USING customers s WHERE c.id = s.id"),
      text(
        "joined with itself, the other way round",
        "DELETE FROM customers USING customers s WHERE s.id = customers.id",
      ),
      text(
        "joined with a sub-query of itself",
        "DELETE FROM customers c USING (SELECT id FROM customers) s WHERE c.id = s.id",
      ),
      text("joined with itself in an UPDATE", "UPDATE customers c SET name = 'x' FROM customers s WHERE s.id = c.id"),
      text("joined with itself by place", "UPDATE customers c SET name = 'x' FROM customers s WHERE c.ctid = s.ctid"),
      where("itself by a sub-query without FROM", "id = (SELECT id)"),
      where("itself by a sub-query with its name", "id IN (SELECT customers.id)"),
      where("itself by VALUES", "id IN (VALUES (id))"),
      where("a comparison in a sub-query", "(SELECT id = id)"),
      where("EXISTS of a comparison with itself", "EXISTS (SELECT 1 WHERE id = id)"),
    ],
  },
  {
    title: "Parameters",
    policy: "no-whole-table",
    about: "What selects is left to a value that does not.",
    attacks: [
      bound("a boolean parameter", "DELETE FROM customers WHERE $1", ["true"]),
      bound("a cast parameter", "DELETE FROM customers WHERE $1::text = 'x'", ["x"]),
      bound("a parameter and itself", "DELETE FROM customers WHERE $1::int = $1", ["1"]),
      bound("two equal parameters", "DELETE FROM customers WHERE $1::int = $2", ["1", "1"]),
      bound("OR a parameter", "DELETE FROM customers WHERE id = 1 OR $1", ["true"]),
      bound("OR a parameter IS NULL", "DELETE FROM customers WHERE $1::int IS NULL OR id = $1", [null]),
      bound("coalesce of a parameter and the column", "DELETE FROM customers WHERE id = coalesce($1, id)", [null]),
      bound("the column or a parameter, by CASE", "DELETE FROM customers WHERE id = CASE WHEN $1 THEN id ELSE 0 END", [
        "true",
      ]),
      bound("an UPDATE by a parameter", "UPDATE customers SET name = $1 WHERE $2", ["x", "true"]),
      bound("a parameter and a constant", "DELETE FROM customers WHERE $1::int = 1", ["1"]),
      bound("NOT a parameter", "DELETE FROM customers WHERE NOT $1", ["false"]),
      bound("a parameter IN a list", "DELETE FROM customers WHERE $1 IN (1, 2, 3)", ["2"]),
    ],
  },
  {
    title: "Twins of one shape",
    policy: "no-whole-table",
    about: "A statement that selects comes first; then one that differs in literals only, and does not.",
    attacks: [
      twins("LIKE", "name LIKE 'zz%'", "name LIKE '%'"),
      twins("OR a comparison", "id = -1 OR 1 = 2", "id = -1 OR 1 = 1"),
      twins("strings", "id = -1 OR 'a' = 'b'", "id = -1 OR 'a' = 'a'"),
      twins("a literal and its opposite", "id = -1 AND id <> -2", "id = 1 OR id <> 1"),
      twins("opposites", "id = -1 AND NOT (id = -1)", "NOT (id = 1 AND NOT (id = 1))"),
      twins("OR a cast string", "id = -1 OR 'f'::boolean", "id = -1 OR 't'::boolean"),
      twins("a pattern of blanks", "name LIKE ' '", "name LIKE '%%'"),
    ],
  },
];
