/** Attacks by writing: RETURNING, copies of labelled data into places without labels, COPY. */
import { type Attack, type Group, rows, undone } from "../attack.ts";
import { kitRows, UNDERIVED } from "./kit.ts";

/** Each inside of a transaction that is rolled back. */
function undoneRows(pairs: readonly (readonly [name: string, sql: string])[], common: Partial<Attack> = {}): Attack[] {
  return rows(
    pairs.map(([name, sql]) => [name, undone(sql)] as const),
    common,
  );
}

const returning: Group = {
  title: "RETURNING",
  attacks: [
    ...kitRows("copies").filter(({ name }) => /RETURNING|ON CONFLICT|MERGE|UPDATE/.test(name)),
    ...undoneRows([
      [
        "INSERT RETURNING a star",
        "INSERT INTO customers SELECT id + 50, name, email, card, ssn FROM customers RETURNING *",
      ],
      [
        "INSERT RETURNING a clean column of a labelled one",
        "INSERT INTO customers SELECT id + 50, ssn, card, '', '' FROM customers RETURNING name, email",
      ],
      ["UPDATE RETURNING a labelled column", "UPDATE customers SET name = name WHERE id = 1 RETURNING ssn"],
      ["UPDATE RETURNING an alias", "UPDATE customers SET name = name WHERE id = 1 RETURNING ssn AS id"],
      ["UPDATE RETURNING an expression", "UPDATE customers SET name = name WHERE id = 1 RETURNING card || ''"],
      ["UPDATE RETURNING a star", "UPDATE customers c SET name = name WHERE id = 1 RETURNING c.*"],
      [
        "UPDATE FROM, the other's column",
        "UPDATE orders SET note = note FROM customers c WHERE c.id = orders.customer AND orders.id < 4 RETURNING c.ssn",
      ],
      [
        "UPDATE FROM, the other's row",
        "UPDATE orders SET note = note FROM customers c WHERE c.id = orders.customer AND orders.id < 4 RETURNING c",
      ],
      [
        "UPDATE FROM, a star of both",
        "UPDATE orders SET note = note FROM customers c WHERE c.id = orders.customer AND orders.id < 4 RETURNING *",
      ],
      [
        "UPDATE RETURNING a sub-query",
        "UPDATE orders SET note = note WHERE id = 1 RETURNING (SELECT ssn FROM customers LIMIT 1)",
      ],
      ["UPDATE of a clean table", "UPDATE stash SET x = (SELECT ssn FROM customers LIMIT 1) RETURNING x"],
      [
        "UPDATE of two columns by a row",
        "UPDATE stash SET (x, y) = (SELECT ssn, card FROM customers LIMIT 1) RETURNING y",
      ],
      ["UPDATE of a clean column of the same table", "UPDATE customers SET email = card WHERE id = 1 RETURNING email"],
      ["DELETE RETURNING a star", "DELETE FROM customers WHERE id = 1 RETURNING *"],
      [
        "DELETE USING, the other's column",
        "DELETE FROM orders USING customers c WHERE c.id = orders.customer AND orders.id < 4 RETURNING c.card",
      ],
      [
        "DELETE USING a sub-query",
        "DELETE FROM orders USING (SELECT id, ssn AS x FROM customers) s WHERE s.id = orders.customer AND orders.id < 4 RETURNING s.x",
      ],
      ["INSERT … SELECT RETURNING", "INSERT INTO stash SELECT id, ssn FROM customers RETURNING x"],
      ["INSERT of a sub-query", "INSERT INTO stash VALUES (9, (SELECT ssn FROM customers LIMIT 1)) RETURNING x"],
      ["INSERT of a CTE", "WITH s AS (SELECT id, card FROM customers) INSERT INTO stash SELECT * FROM s RETURNING *"],
      [
        "ON CONFLICT DO UPDATE RETURNING a labelled column",
        "INSERT INTO customers VALUES (1, '', '', '', '') ON CONFLICT (id) DO UPDATE SET name = '' RETURNING ssn",
      ],
      [
        "ON CONFLICT DO UPDATE RETURNING a star",
        "INSERT INTO customers VALUES (1, '', '', '', '') ON CONFLICT (id) DO UPDATE SET name = '' RETURNING *",
      ],
      [
        "ON CONFLICT by a sub-query",
        "INSERT INTO customers VALUES (1, '', '', '', '') ON CONFLICT (id) DO UPDATE SET name = (SELECT card FROM customers WHERE id = 2) RETURNING name",
      ],
      [
        "ON CONFLICT of a clean table",
        "INSERT INTO orders VALUES (1, 1, 1, '') ON CONFLICT (id) DO UPDATE SET note = (SELECT ssn FROM customers LIMIT 1) RETURNING note",
      ],
      [
        "a writing CTE's RETURNING",
        "WITH d AS (DELETE FROM customers WHERE id = 1 RETURNING *) INSERT INTO stash SELECT id, ssn FROM d RETURNING x",
      ],
      [
        "a chain of writing CTEs",
        "WITH a AS (INSERT INTO stash SELECT id, ssn FROM customers RETURNING x), b AS (INSERT INTO orders SELECT 900 + length(x), 1, 1, x FROM a LIMIT 1 RETURNING note) SELECT note FROM b",
      ],
      ["RETURNING of a partition", "UPDATE tickets SET id = id RETURNING code"],
      [
        "RETURNING of composites",
        "UPDATE vault SET note = note WHERE id = 1 RETURNING pair, (pair).code, doc -> 'pin'",
      ],
      ["the default of a function, made before", "INSERT INTO app.defaulted (id) VALUES (1) RETURNING x"],
      ["what a trigger fills in, made before", "INSERT INTO app.inbox (id) VALUES (1) RETURNING x"],
      ["what a rule selects, made before", "INSERT INTO app.trap VALUES ('')"],
    ]),
    ...undoneRows(
      [
        ["RETURNING old", "UPDATE customers SET ssn = '' WHERE id = 1 RETURNING old.ssn"],
        ["RETURNING old in an expression", "UPDATE customers SET ssn = '' WHERE id = 1 RETURNING upper(old.ssn)"],
        ["RETURNING old's star", "DELETE FROM customers WHERE id = 1 RETURNING old.*"],
        [
          "RETURNING new under another name",
          "UPDATE customers SET name = '' WHERE id = 1 RETURNING WITH (NEW AS orders) orders.ssn",
        ],
        ["RETURNING old's row", "UPDATE customers SET name = '' WHERE id = 1 RETURNING old"],
        [
          "MERGE RETURNING",
          "MERGE INTO customers c USING orders o ON o.id = c.id WHEN MATCHED THEN UPDATE SET name = '' RETURNING merge_action(), c.ssn",
        ],
        [
          "MERGE RETURNING the source",
          "MERGE INTO stash s USING customers c ON c.id = s.id WHEN MATCHED THEN UPDATE SET x = '' RETURNING c.card",
        ],
        [
          "MERGE RETURNING a star",
          "MERGE INTO stash s USING customers c ON c.id = s.id WHEN MATCHED THEN DELETE RETURNING *",
        ],
        [
          "MERGE in a CTE",
          "WITH m AS (MERGE INTO stash s USING customers c ON c.id = s.id WHEN MATCHED THEN UPDATE SET x = c.ssn RETURNING s.x AS y) SELECT y FROM m",
        ],
        [
          "MERGE into a view",
          "MERGE INTO app.plain p USING orders o ON o.id = p.id WHEN MATCHED THEN UPDATE SET id = p.id RETURNING p.x",
        ],
      ],
      { since: 18 },
    ),
  ],
};

const copies: Group = {
  title: "Copies into places without a label",
  attacks: [
    ...kitRows("copies").filter(({ name }) => !/RETURNING|ON CONFLICT|MERGE|UPDATE|^COPY/.test(name)),
    ...undoneRows([
      ["a temporary table", "CREATE TEMP TABLE t AS SELECT id, ssn FROM customers; SELECT ssn FROM t"],
      [
        "a temporary table of the labelled table's name",
        "CREATE TEMP TABLE customers AS SELECT id, ssn AS note FROM public.customers; SELECT note FROM customers",
      ],
      ["a table as of VALUES", "CREATE TABLE t AS VALUES ((SELECT ssn FROM customers LIMIT 1)); SELECT column1 FROM t"],
      [
        "a table filled afterwards",
        "CREATE TABLE t AS SELECT ssn AS x FROM customers WITH NO DATA; INSERT INTO t SELECT ssn FROM customers; SELECT x FROM t",
      ],
      [
        "a table LIKE the labelled one",
        "CREATE TABLE t (LIKE customers INCLUDING ALL); INSERT INTO t TABLE customers; SELECT ssn FROM t",
      ],
      [
        "an inheriting table",
        "CREATE TABLE t () INHERITS (customers); INSERT INTO t SELECT id + 50, ssn, email, card, ssn FROM ONLY customers; SELECT name FROM t",
      ],
      ["SELECT INTO with an expression", "SELECT id, reverse(ssn) AS x INTO t FROM customers; SELECT x FROM t"],
      [
        "SELECT INTO of a UNION",
        "SELECT name AS x INTO t FROM customers UNION SELECT ssn FROM customers; SELECT x FROM t",
      ],
      ["SELECT INTO of a view", "SELECT * INTO t FROM app.plain; SELECT x FROM t"],
      [
        "CREATE TABLE AS EXECUTE",
        "PREPARE q AS SELECT ssn AS x FROM customers; CREATE TABLE t AS EXECUTE q; SELECT x FROM t",
      ],
      ["INSERT into a clean table", "INSERT INTO stash SELECT id, ssn, card FROM customers; SELECT x, y FROM stash"],
      [
        "INSERT of all by position",
        "INSERT INTO stash (y, x, id) SELECT card, ssn, id FROM customers; SELECT * FROM stash",
      ],
      [
        "INSERT of a CTE, then a read",
        "WITH s AS (SELECT ssn AS a FROM customers) INSERT INTO stash (x) SELECT a FROM s; SELECT x FROM stash",
      ],
      [
        "INSERT of a recursive CTE",
        "WITH RECURSIVE r(n, s) AS (SELECT 1, ssn FROM customers UNION ALL SELECT n + 1, s FROM r WHERE n < 2) INSERT INTO stash SELECT n, s FROM r; SELECT x FROM stash",
      ],
      ["INSERT of a row, cast", "INSERT INTO stash SELECT id, c::text FROM customers c; SELECT x FROM stash"],
      ["INSERT of a view", "INSERT INTO stash SELECT id, x FROM app.plain; SELECT x FROM stash"],
      ["INSERT of a function, made before", "INSERT INTO stash SELECT 1, x FROM app.steal() AS x; SELECT x FROM stash"],
      [
        "UPDATE of a clean table, then a read",
        "UPDATE stash s SET x = c.ssn FROM customers c WHERE c.id = s.id; SELECT x FROM stash",
      ],
      [
        "UPDATE by a sub-query, then a read",
        "UPDATE stash s SET x = (SELECT card FROM customers c WHERE c.id = s.id); SELECT x FROM stash",
      ],
      ["UPDATE of the same table, then a read", "UPDATE customers SET email = ssn; SELECT email FROM customers"],
      [
        "UPDATE in a CTE, then a read",
        "WITH u AS (UPDATE stash s SET x = c.ssn FROM customers c WHERE c.id = s.id) SELECT 1; SELECT x FROM stash",
      ],
      [
        "ON CONFLICT DO UPDATE, then a read",
        "INSERT INTO orders SELECT id, 1, 1, ssn FROM customers ON CONFLICT (id) DO UPDATE SET note = excluded.note; SELECT note FROM orders WHERE id < 5",
      ],
      [
        "MERGE into a clean table",
        "MERGE INTO stash s USING customers c ON c.id = s.id WHEN MATCHED THEN UPDATE SET x = c.card; SELECT x FROM stash",
      ],
      [
        "MERGE that inserts",
        "MERGE INTO stash s USING customers c ON false WHEN NOT MATCHED THEN INSERT VALUES (c.id, c.ssn); SELECT x FROM stash",
      ],
      [
        "an added column",
        "ALTER TABLE customers ADD COLUMN copy text; UPDATE customers SET copy = ssn; SELECT copy FROM customers",
      ],
      [
        "two renames",
        "ALTER TABLE customers RENAME ssn TO was; ALTER TABLE customers RENAME name TO ssn; SELECT was FROM customers",
      ],
      ["another schema", "CREATE SCHEMA s; ALTER TABLE customers SET SCHEMA s; SELECT ssn FROM s.customers"],
      [
        "a partition that is taken out",
        "ALTER TABLE tickets DETACH PARTITION tickets_one; SELECT code FROM tickets_one",
      ],
      [
        "a partition that is put in",
        "CREATE TABLE p (id int, name text, email text, card text, ssn text) PARTITION BY RANGE (id); ALTER TABLE p ATTACH PARTITION customers DEFAULT; SELECT ssn FROM p",
      ],
      [
        "a parent that is given",
        "CREATE TABLE parent (card text); ALTER TABLE customers INHERIT parent; SELECT card FROM parent",
      ],
      [
        "an index's rows",
        "CREATE TABLE t (x text); CREATE INDEX ON t (x); INSERT INTO t SELECT ssn FROM customers; SELECT max(x) FROM t",
      ],
      ["a sequence", "CREATE SEQUENCE q; SELECT setval('q', big) FROM vault WHERE id = 1; SELECT last_value FROM q"],
      [
        "a sequence's current value",
        "CREATE SEQUENCE q; SELECT count(*) FROM (SELECT setval('q', big) FROM vault WHERE id = 1 OFFSET 0) s; SELECT currval('q')",
      ],
      [
        "an advisory lock",
        "SELECT pg_advisory_xact_lock(n, n) FROM vault WHERE id = 1; SELECT classid, objid FROM pg_locks WHERE locktype = 'advisory'",
      ],
      [
        "a temporary view's column",
        "CREATE TEMP VIEW v AS SELECT id, ssn AS note FROM customers; INSERT INTO stash SELECT * FROM v; SELECT x FROM stash",
      ],
    ]),
    ...rows(
      [
        ["a table that stays", "CREATE TABLE t AS SELECT ssn AS x FROM customers; SELECT x FROM t"],
        ["SELECT INTO that stays", "SELECT ssn AS x INTO t FROM customers; SELECT x FROM t"],
        ["INSERT that stays", "INSERT INTO stash SELECT id, ssn FROM customers; SELECT x FROM stash"],
        [
          "UPDATE that stays",
          "UPDATE orders SET note = c.card FROM customers c WHERE c.id = customer; SELECT note FROM orders",
        ],
        ["a rename that stays", "ALTER TABLE customers RENAME TO people; SELECT ssn FROM people"],
        ["a column's rename that stays", "ALTER TABLE vault RENAME n TO m; SELECT m FROM vault"],
        [
          "another schema that stays",
          "CREATE SCHEMA s; ALTER TABLE customers SET SCHEMA s; SELECT upper(ssn) FROM s.customers",
        ],
        [
          "two tables that change places",
          "ALTER TABLE customers RENAME TO people; CREATE TABLE customers (id int, ssn text, card text); SELECT ssn FROM people",
        ],
      ],
      { changes: true },
    ),
    ...rows(
      [
        ["a column's new type", undone("ALTER TABLE customers ALTER id TYPE text USING ssn; SELECT id FROM customers")],
        [
          "a column that is dropped and its copy",
          undone(
            "ALTER TABLE customers ADD copy text; UPDATE customers SET copy = card; ALTER TABLE customers DROP card; SELECT copy FROM customers",
          ),
        ],
      ],
      { before: UNDERIVED },
    ),
  ],
};

const copy: Group = {
  title: "COPY",
  attacks: [
    ...kitRows("copies").filter(({ name }) => name.startsWith("COPY")),
    ...rows([
      ["csv", "COPY customers TO STDOUT WITH (FORMAT csv)"],
      ["csv with a header", "COPY customers TO STDOUT WITH (FORMAT csv, HEADER)"],
      ["csv, all quoted", "COPY customers TO STDOUT WITH (FORMAT csv, FORCE_QUOTE *)"],
      ["csv with other quotes", "COPY customers TO STDOUT WITH (FORMAT csv, QUOTE '9', ESCAPE '1')"],
      ["csv split at hyphens", "COPY (SELECT id, ssn FROM customers) TO STDOUT WITH (FORMAT csv, DELIMITER '-')"],
      [
        "csv quoted by digits",
        "COPY (SELECT id, ssn FROM customers) TO STDOUT WITH (FORMAT csv, QUOTE '2', FORCE_QUOTE *)",
      ],
      ["text split at a letter", "COPY (SELECT id, name, card FROM customers) TO STDOUT WITH (DELIMITER '|')"],
      ["text split at a control", "COPY customers (id, ssn) TO STDOUT WITH (DELIMITER E'\\x01')"],
      ["another NULL", "COPY customers (ssn, id) TO STDOUT WITH (NULL 'nothing')"],
      ["another encoding", "COPY customers TO STDOUT WITH (ENCODING 'LATIN1')"],
      ["binary", "COPY customers TO STDOUT WITH (FORMAT binary)"],
      ["binary of a query", "COPY (SELECT id, ssn FROM customers) TO STDOUT WITH (FORMAT binary)"],
      ["binary of numbers", "COPY (SELECT n, big, num, born FROM vault) TO STDOUT WITH (FORMAT binary)"],
      ["the old syntax", "COPY customers TO STDOUT CSV HEADER"],
      ["the old binary", "COPY BINARY customers TO STDOUT"],
      ["the old delimiters", "COPY customers TO STDOUT DELIMITERS '|'"],
      ["columns in another order", "COPY customers (ssn, name, id) TO STDOUT"],
      ["a query with an expression", "COPY (SELECT id, upper(ssn) || '!' FROM customers) TO STDOUT"],
      [
        "a query with newlines in a value",
        "COPY (SELECT id, E'\\n' || ssn || E'\\n' || card FROM customers) TO STDOUT WITH (FORMAT csv)",
      ],
      [
        "a query with a star of a join",
        "COPY (SELECT * FROM orders o JOIN customers c ON c.id = o.customer WHERE o.id < 5) TO STDOUT",
      ],
      ["a query of a CTE", "COPY (WITH s AS (SELECT ssn AS x FROM customers) SELECT x FROM s) TO STDOUT"],
      ["TABLE", "COPY (TABLE customers) TO STDOUT"],
      ["VALUES", "COPY (VALUES (1, (SELECT ssn FROM customers LIMIT 1))) TO STDOUT"],
      ["a set operation", "COPY (SELECT name FROM customers UNION ALL SELECT card FROM customers) TO STDOUT"],
      ["a whole row", "COPY (SELECT c FROM customers c) TO STDOUT"],
      ["json", "COPY (SELECT row_to_json(c) FROM customers c) TO STDOUT"],
      ["vault", "COPY vault TO STDOUT"],
      ["vault as csv", "COPY vault TO STDOUT WITH (FORMAT csv)"],
      ["an INSERT's RETURNING", undone("COPY (INSERT INTO stash SELECT id, ssn FROM customers RETURNING x) TO STDOUT")],
      ["an UPDATE's RETURNING", undone("COPY (UPDATE customers SET name = name RETURNING ssn, card) TO STDOUT")],
      ["a DELETE's RETURNING", undone("COPY (DELETE FROM customers WHERE id = 1 RETURNING *) TO STDOUT")],
      ["two in one", "COPY (SELECT id, ssn FROM customers) TO STDOUT; COPY customers (card) TO STDOUT"],
    ]),
  ],
};

export const WRITING: readonly Group[] = [returning, copies, copy];
