/** Attacks by plain reading: names, expressions, sub-queries, set operations, joins, views and set-returning functions. */
import { type Attack, type Group, query, rows, undone } from "../attack.ts";
import { kitRows } from "./kit.ts";

/** One output column for each character of a number. */
const CHARACTERS = `SELECT ${Array.from({ length: 11 }, (_, at) => `substr(ssn, ${at + 1}, 1)`).join(", ")} FROM customers`;

const names: Group = {
  title: "Aliases and names",
  attacks: [
    ...rows([
      ["a plain column", "SELECT ssn FROM customers"],
      ["an output alias", "SELECT ssn AS name, card AS email FROM customers"],
      ["names that change places", "SELECT ssn AS id, id AS ssn FROM customers"],
      ["a table alias", "SELECT x.ssn FROM customers AS x"],
      ["another table's name as alias", "SELECT orders.ssn FROM customers AS orders"],
      ["quoted names", 'SELECT "c"."ssn" FROM "public"."customers" "c"'],
      ["ONLY", "SELECT ssn FROM ONLY customers"],
      ["a star behind the table's name", "SELECT ssn FROM customers *"],
      ["the database's name", "SELECT @database@.public.customers.ssn FROM @database@.public.customers"],
      ["the search path", "SET search_path TO app; SELECT x FROM plain"],
      ["a function's name as alias", "SELECT upper.ssn FROM customers AS upper"],
      ["TABLE", "TABLE customers"],
      ["a star twice", "SELECT *, * FROM customers"],
      ["a star behind a column", "SELECT id, customers.* FROM customers"],
      ["dollar quotes around nothing", "SELECT $$$$ || ssn FROM customers"],
      [
        "a temporary table of the table's name",
        undone("CREATE TEMP TABLE customers (id int); SELECT upper(ssn) FROM public.customers"),
      ],
    ]),
    ...kitRows("names"),
  ],
};

const expressions: Group = {
  title: "Expressions",
  attacks: [
    ...kitRows("expressions"),
    ...rows([
      ["in base64", "SELECT encode(convert_to(ssn, 'UTF8'), 'base64') FROM customers"],
      ["in escape form", "SELECT encode(convert_to(ssn, 'UTF8'), 'escape') FROM customers"],
      ["as bytes", "SELECT convert_to(ssn, 'UTF8') FROM customers"],
      ["the wire form of a text", "SELECT textsend(ssn) FROM customers"],
      ["character by character", "SELECT regexp_split_to_table(ssn, '') FROM customers ORDER BY id"],
      ["codes of characters", "SELECT ascii(regexp_split_to_table(ssn, '')) FROM customers ORDER BY id"],
      ["each character a column", CHARACTERS],
      ["overlay", "SELECT overlay(ssn placing 'x' from 1 for 1) FROM customers"],
      ["padded", "SELECT lpad(ssn, 20, '*'), rpad(card, 20, '*') FROM customers"],
      ["trimmed", "SELECT trim(both '2' from ssn) FROM customers"],
      ["repeated", "SELECT repeat(card, 2) FROM customers"],
      ["formatted with %L and %I", "SELECT format('%L %I', ssn, card) FROM customers"],
      ["concat_ws", "SELECT concat_ws(',', id, ssn, card) FROM customers"],
      ["regexp_replace", "SELECT regexp_replace(ssn, '(\\d+)-(\\d+)', '\\2-\\1') FROM customers"],
      ["LEAST", "SELECT least(ssn, 'z') FROM customers"],
      ["CASE with an operand", "SELECT CASE ssn WHEN '' THEN '' ELSE ssn END FROM customers"],
      ["CASE in an ELSE", "SELECT CASE WHEN id < 0 THEN '' ELSE card END FROM customers"],
      ["COALESCE behind a NULL", "SELECT coalesce(NULL, ssn) FROM customers"],
      ["to_char of a number", "SELECT to_char(card::numeric, '9999999999999999') FROM customers"],
      ["a slice of an array", "SELECT (string_to_array(ssn, '-'))[2:3] FROM customers"],
      ["an escaped form of the operator", "SELECT ssn OPERATOR(pg_catalog.||) '' FROM customers"],
      ["an operator as its function", "SELECT textcat(ssn, card) FROM customers"],
      ["normalised", "SELECT normalize(ssn, NFKD) FROM customers"],
      ["unistr", "SELECT unistr(ssn) FROM customers"],
      ["arithmetic with zero", "SELECT n + 0, big * 1, num - 0, dbl / 1 FROM vault"],
      ["a sign", "SELECT -n FROM vault"],
      ["hexadecimal", "SELECT to_hex(n) FROM vault"],
      ["bits of a number", "SELECT n::bit(32) FROM vault"],
      ["a remainder", "SELECT big % 100000000 FROM vault"],
      ["the wire form of a number", "SELECT int4send(n), int8send(big) FROM vault"],
      ["an object's id", "SELECT n::oid FROM vault"],
      ["money", "SELECT num::money FROM vault"],
      ["the year", "SELECT extract(year FROM born) FROM vault"],
      ["a date's format", "SELECT to_char(born, 'DD.MM.YYYY') FROM vault"],
      ["another type of date", "SELECT born::timestamp, seen::date FROM vault"],
      ["another time zone", "SELECT seen AT TIME ZONE 'UTC' FROM vault"],
      ["epoch", "SELECT seen - interval '0' FROM vault"],
      ["a key of jsonb", "SELECT doc -> 'pin' FROM vault"],
      ["a key of jsonb as text", "SELECT doc ->> 'pin' FROM vault"],
      ["a path of jsonb", "SELECT doc #>> '{deep,0}' FROM vault"],
      ["a subscript of jsonb", "SELECT doc['pin'] FROM vault"],
      ["a subscript of an array", "SELECT tags[1] FROM vault"],
      ["an array joined", "SELECT array_to_string(tags, '') FROM vault"],
      ["a bytea cut", "SELECT substring(blob from 2 for 6) FROM vault"],
      ["the bytes of a bytea", "SELECT get_byte(blob, generate_series(0, 9)) FROM vault ORDER BY id"],
      ["a host's address", "SELECT host(addr) FROM vault"],
      ["a range's bound", "SELECT lower(span) FROM vault"],
      ["lexemes", "SELECT tsvector_to_array(words) FROM vault"],
      ["a uuid's bytes", "SELECT uuid_send(key) FROM vault"],
      ["xpath", "SELECT xpath('/a/text()', mark) FROM vault"],
    ]),
  ],
};

const subQueries: Group = {
  title: "Sub-queries, CTEs and recursion",
  attacks: [
    ...kitRows("subQueries"),
    ...rows([
      ["a correlated sub-query", "SELECT (SELECT c.ssn) FROM customers c"],
      ["a sub-query in a sub-query", "SELECT (SELECT (SELECT c.ssn || '')) FROM customers c"],
      ["OFFSET 0", "SELECT x FROM (SELECT ssn AS x FROM customers OFFSET 0) s"],
      ["a row of a sub-query", "SELECT ((SELECT c FROM customers c LIMIT 1)).ssn"],
      ["all of a row of a sub-query", "SELECT (s).* FROM (SELECT (SELECT c FROM customers c LIMIT 1) AS s) q"],
      ["unnest of an ARRAY sub-query", "SELECT x FROM unnest(ARRAY(SELECT ssn FROM customers)) AS x"],
      ["a CTE of a clean table's name", "WITH orders AS (SELECT ssn AS note FROM customers) SELECT note FROM orders"],
      [
        "a CTE inside of a sub-query, of a clean table's name",
        "SELECT (WITH orders AS (SELECT ssn AS note FROM customers) SELECT note FROM orders LIMIT 1) FROM orders LIMIT 1",
      ],
      [
        "a CTE that hides another",
        "WITH a AS (SELECT note AS x FROM orders) SELECT * FROM (WITH a AS (SELECT ssn AS x FROM customers) SELECT x FROM a) q",
      ],
      [
        "a CTE that is hidden and comes back",
        "WITH a AS (SELECT ssn AS x FROM customers) SELECT a.x, q.x FROM a, (WITH a AS (SELECT 'y' AS x) SELECT x FROM a) q",
      ],
      [
        "an inner name that hides an outer one",
        "SELECT (SELECT note FROM (SELECT ssn AS note FROM customers LIMIT 1) q) FROM orders LIMIT 1",
      ],
      ["a CTE of a CTE", "WITH a AS (SELECT ssn AS x FROM customers), b AS (SELECT x AS y FROM a) SELECT y FROM b"],
      ["MATERIALIZED", "WITH a AS MATERIALIZED (SELECT upper(ssn) AS x FROM customers) SELECT x FROM a"],
      ["NOT MATERIALIZED", "WITH a AS NOT MATERIALIZED (SELECT ssn AS x FROM customers) TABLE a"],
      ["a CTE's star", "WITH a AS (SELECT * FROM customers) SELECT a.* FROM a"],
      ["a CTE's whole row", "WITH a AS (SELECT id, ssn FROM customers) SELECT a FROM a"],
      ["a CTE with fewer names than columns", "WITH a(x) AS (SELECT id, ssn FROM customers) SELECT ssn FROM a"],
      [
        "recursion that reaches the value late",
        "WITH RECURSIVE r(n, s) AS (SELECT 1, '' UNION ALL SELECT n + 1, (SELECT ssn FROM customers LIMIT 1) FROM r WHERE n < 2) SELECT s FROM r",
      ],
      [
        "recursion that turns its columns round",
        "WITH RECURSIVE r(n, a, b, c) AS (SELECT 1, ssn, '', '' FROM customers UNION ALL SELECT n + 1, c, a, b FROM r WHERE n < 4) SELECT c FROM r",
      ],
      [
        "recursion from character to character",
        "WITH RECURSIVE r(i, c) AS (SELECT 1, substr(ssn, 1, 1) FROM customers WHERE id = 1 UNION ALL SELECT i + 1, substr((SELECT ssn FROM customers WHERE id = 1), i + 1, 1) FROM r WHERE i < 11) SELECT c FROM r ORDER BY i",
      ],
      [
        "the order that SEARCH makes",
        "WITH RECURSIVE r(n, s) AS (SELECT 1, ssn FROM customers UNION ALL SELECT n + 1, s FROM r WHERE n < 2) SEARCH DEPTH FIRST BY s SET o SELECT o FROM r",
      ],
      [
        "the path that CYCLE makes",
        "WITH RECURSIVE r(n, s) AS (SELECT 1, ssn FROM customers UNION ALL SELECT n + 1, s FROM r WHERE n < 2) CYCLE s SET c USING p SELECT p FROM r",
      ],
      [
        "the mark that CYCLE sets",
        "WITH RECURSIVE r(n, s) AS (SELECT 1, ssn FROM customers UNION ALL SELECT n + 1, s FROM r WHERE n < 2) CYCLE n SET c TO 'y' DEFAULT 'n' USING p SELECT r::text FROM r",
      ],
      ["LATERAL over nothing", "SELECT l.x FROM (VALUES (1)) v(i), LATERAL (SELECT ssn AS x FROM customers) l"],
      [
        "LATERAL within LATERAL",
        "SELECT m.y FROM customers c, LATERAL (SELECT c.ssn AS x) l, LATERAL (SELECT l.x AS y) m",
      ],
      ["VALUES as a table", "SELECT column1 FROM (VALUES ((SELECT ssn FROM customers LIMIT 1))) v"],
      ["VALUES, the second row", "VALUES ('x'), ((SELECT ssn FROM customers LIMIT 1))"],
      ["TABLE in a CTE", "WITH a AS (TABLE customers) SELECT a.ssn || '' FROM a"],
      ["a row in a sub-query, taken apart outside", "SELECT (q.c).ssn FROM (SELECT c FROM customers c) q"],
      ["all of a row, renamed", "SELECT q.v || '' FROM (SELECT (c).* FROM customers c) q(r, s, t, u, v)"],
      ["a set operation in LATERAL", "SELECT l.x FROM customers c, LATERAL (SELECT 'y' UNION ALL SELECT c.ssn) l(x)"],
      [
        "ROWS FROM several functions",
        "SELECT b FROM ROWS FROM (generate_series(1, 3), unnest(ARRAY(SELECT ssn FROM customers))) AS t(a, b)",
      ],
      ["a name without its table, from outside", "SELECT (SELECT ssn FROM (SELECT 1) q) FROM customers"],
      ["a name without its table, in LATERAL", "SELECT l.x FROM customers, LATERAL (SELECT ssn AS x) l"],
      [
        "a name that a USING merges, from outside",
        "SELECT (SELECT ssn) FROM customers a FULL JOIN customers b USING (ssn)",
      ],
      ["TABLESAMPLE", "SELECT ssn || '' FROM customers TABLESAMPLE BERNOULLI (100)"],
      ["FOR UPDATE", "SELECT reverse(ssn) FROM customers FOR UPDATE"],
      [
        "a sub-query in CASE",
        "SELECT CASE WHEN true THEN (SELECT max(d.card) FROM customers d WHERE d.id = c.id) END FROM customers c",
      ],
      [
        "a writing CTE",
        undone("WITH u AS (UPDATE customers SET name = name WHERE id = 1 RETURNING *) SELECT ssn FROM u"),
      ],
    ]),
  ],
};

const sets: Group = {
  title: "Set operations",
  attacks: [
    ...kitRows("sets"),
    ...rows([
      ["UNION by position", "SELECT name, email FROM customers UNION SELECT ssn, card FROM customers"],
      ["the middle of three", "SELECT '' UNION ALL SELECT ssn FROM customers UNION ALL SELECT 'z'"],
      ["in brackets", "SELECT '' AS x UNION ALL (SELECT ssn FROM customers ORDER BY id LIMIT 1)"],
      [
        "nested operations",
        "(SELECT 'a' EXCEPT SELECT 'b') UNION (SELECT ssn FROM customers INTERSECT SELECT ssn FROM customers)",
      ],
      ["behind NULL", "SELECT NULL UNION ALL SELECT ssn FROM customers"],
      ["behind VALUES", "VALUES ('x') UNION ALL SELECT card FROM customers"],
      ["TABLE on both sides", "TABLE customers UNION ALL TABLE customers"],
      ["EXCEPT ALL", "SELECT card FROM customers EXCEPT ALL SELECT 'x'"],
      ["INTERSECT ALL", "SELECT ssn FROM customers INTERSECT ALL SELECT ssn FROM customers"],
      ["of two tables", "SELECT note FROM orders WHERE id < 3 UNION SELECT plate FROM vault"],
      [
        "in a sub-query",
        "SELECT upper(x) FROM (SELECT name AS x FROM customers UNION ALL SELECT ssn FROM customers) s",
      ],
      [
        "in a CTE",
        "WITH a AS (SELECT 1 AS i, '' AS x UNION ALL SELECT id, ssn FROM customers) SELECT x FROM a WHERE i > 0",
      ],
      ["numbers", "SELECT id FROM vault UNION ALL SELECT n FROM vault"],
      ["with a set's own ORDER BY", "SELECT name FROM customers UNION ALL SELECT ssn FROM customers ORDER BY 1"],
    ]),
  ],
};

const joins: Group = {
  title: "Joins, USING, NATURAL and stars",
  attacks: rows([
    ["a star of a join", "SELECT * FROM customers c JOIN orders o ON o.customer = c.id WHERE o.id < 5"],
    ["one side's star", "SELECT o.id, c.* FROM customers c JOIN orders o ON o.customer = c.id WHERE o.id < 5"],
    ["CROSS JOIN", "SELECT * FROM customers CROSS JOIN (SELECT 1 AS one) o"],
    ["NATURAL JOIN", "SELECT * FROM customers NATURAL JOIN (SELECT id FROM orders) o"],
    ["NATURAL JOIN over labelled columns", "SELECT ssn FROM customers a NATURAL JOIN customers b"],
    ["NATURAL FULL JOIN", "SELECT * FROM customers a NATURAL FULL JOIN (SELECT id, ssn FROM customers) b"],
    ["USING a clean column", "SELECT * FROM customers JOIN vault USING (id)"],
    ["USING a labelled column", "SELECT ssn FROM customers a JOIN customers b USING (ssn)"],
    ["what a FULL JOIN merges", "SELECT ssn FROM customers a FULL JOIN customers b USING (ssn)"],
    ["what a RIGHT JOIN merges", "SELECT ssn FROM (SELECT NULL AS ssn) a RIGHT JOIN customers b USING (ssn)"],
    [
      "what a FULL JOIN merges with a literal",
      "SELECT x FROM (SELECT '' AS x) a FULL JOIN (SELECT ssn AS x FROM customers) b USING (x)",
    ],
    ["a star over what USING merges", "SELECT * FROM customers a FULL JOIN customers b USING (id, ssn, card)"],
    ["an alias of USING", "SELECT j.ssn FROM customers a JOIN customers b USING (ssn) AS j"],
    ["the row of an alias of USING", "SELECT j FROM customers a JOIN customers b USING (id, ssn) AS j"],
    ["a column of a join's alias", "SELECT j.ssn FROM (customers JOIN (SELECT 1 AS one) o ON true) AS j"],
    ["a star of a join's alias", "SELECT j.* FROM (customers JOIN (SELECT 1 AS one) o ON true) AS j"],
    ["a join's alias in an expression", "SELECT upper(j.card) FROM (customers JOIN (SELECT 1 AS one) o ON true) AS j"],
    [
      "a join of joins",
      "SELECT upper(c.ssn) FROM orders o JOIN (customers c JOIN vault v ON v.id = c.id) ON o.customer = c.id",
    ],
    ["a self join", "SELECT a.ssn || b.ssn FROM customers a, customers b"],
    [
      "LEFT JOIN of a sub-query",
      "SELECT s.x FROM orders o LEFT JOIN (SELECT id, ssn AS x FROM customers) s ON s.id = o.customer WHERE o.id < 5",
    ],
    [
      "the labelled side's name for the clean one",
      "SELECT orders.* FROM customers AS orders JOIN orders AS customers ON customers.customer = orders.id WHERE customers.id < 5",
    ],
    [
      "a star in a sub-query's join",
      "SELECT s.ssn || '' FROM (SELECT * FROM orders o JOIN customers c ON c.id = o.customer) s(a, b, c, d, e, f, g, h, ssn) WHERE a < 5",
    ],
    [
      "columns renamed by a join's alias list, all",
      "SELECT i FROM (orders o JOIN customers c ON c.id = o.customer) AS j(a, b, c, d, e, f, g, h, i) WHERE a < 5",
    ],
  ]),
};

const VIEW_ROWS: readonly (readonly [string, string])[] = [
  ["a view", "SELECT x FROM app.plain"],
  ["a view's star", "SELECT * FROM app.everything"],
  ["TABLE of a view", "TABLE app.plain"],
  ["a view in an expression", "SELECT upper(x) FROM app.plain"],
  ["a view with an expression", "SELECT x FROM app.made"],
  ["a view of a view", "SELECT y FROM app.twice"],
  ["a view of whole rows", "SELECT x FROM app.whole"],
  ["a field of a view's whole row", "SELECT (x).ssn FROM app.whole"],
  ["a view's own row", "SELECT p FROM app.plain p"],
  ["a view's row as jsonb", "SELECT to_jsonb(p) FROM app.plain p"],
  ["a view with other names", "SELECT three FROM app.renamed"],
  ["a view where names changed places", "SELECT name FROM app.named"],
  ["a view with a document", "SELECT doc ->> 'ssn' FROM app.document"],
  ["a view with an aggregate", "SELECT x FROM app.summed"],
  ["a view with a UNION", "SELECT x FROM app.united"],
  ["a view with a join", "SELECT card FROM app.joined WHERE id < 5"],
  ["a security barrier", "SELECT x FROM app.barrier"],
  ["a security invoker", "SELECT x FROM app.invoker"],
  ["a recursive view", "SELECT x FROM app.chain"],
  ["a view of numbers and dates", "SELECT n, born FROM app.sizes"],
  ["a view of documents and arrays", "SELECT doc, tags, pair FROM app.sizes"],
  ["a view joined with its table", "SELECT p.x FROM app.plain p JOIN customers c USING (id)"],
  ["a materialised view", "SELECT x FROM app.kept"],
  ["a materialised view of numbers", "SELECT x, y FROM app.kept_vault"],
  ["a view of a materialised view", "SELECT x FROM app.of_kept"],
  ["COPY of a view's query", "COPY (SELECT x FROM app.plain) TO STDOUT"],
  ["an update through a view", undone("UPDATE app.plain SET id = id WHERE id = 1 RETURNING x")],
  ["a deletion through a view", undone("DELETE FROM app.everything WHERE id = 1 RETURNING *")],
  ["a partition", "SELECT code FROM tickets_one"],
  ["a partition in an expression", "SELECT code || '' FROM tickets_one"],
  ["a partitioned table", "SELECT upper(code) FROM tickets"],
  ["COPY of a partition", "COPY tickets_one TO STDOUT"],
  ["a view that is made and read at once", undone("CREATE VIEW v AS SELECT ssn AS x FROM customers; SELECT x FROM v")],
  ["a view over a view", undone("CREATE TEMP VIEW v AS SELECT x || '' AS y FROM app.plain; SELECT y FROM v")],
  [
    "a recursive view of its own",
    undone(
      "CREATE TEMP RECURSIVE VIEW v (n, x) AS SELECT 1, ssn FROM customers UNION ALL SELECT n + 1, x FROM v WHERE n < 2; SELECT x FROM v",
    ),
  ],
];

/** Somebody else does it as soon as the attack holds lock 2, and lets it have lock 3 afterwards. */
function meanwhile(sql: string): Pick<Attack, "neighbour" | "meanwhile"> {
  const wait = `DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) LOOP PERFORM pg_sleep(0.02); END LOOP; END $$`;
  return {
    neighbour: "SELECT pg_advisory_lock(3)",
    meanwhile: [wait, ...sql.split("; "), "SELECT pg_advisory_unlock(3)"],
  };
}

const views: Group = {
  title: "Views, materialised views, inheritance and partitions",
  attacks: [
    ...rows(VIEW_ROWS),
    ...rows(
      [
        [
          "a view that is changed",
          "CREATE OR REPLACE VIEW app.clean AS SELECT id, ssn AS name FROM customers; SELECT name FROM app.clean",
        ],
        [
          "a materialised view that is filled",
          "CREATE MATERIALIZED VIEW m AS SELECT ssn AS x FROM customers WITH NO DATA; REFRESH MATERIALIZED VIEW m; SELECT x FROM m",
        ],
      ],
      { before: "CREATE VIEW app.clean AS SELECT id, name FROM public.customers", changes: true },
    ),
    ...rows(
      [
        ["a parent", "SELECT ssn FROM app.parent"],
        ["a parent in an expression", "SELECT upper(ssn) FROM app.parent"],
        ["a child", "SELECT ssn FROM app.child"],
        ["a child in an expression", "SELECT upper(card) FROM app.child"],
        ["COPY of a child", "COPY app.child TO STDOUT"],
        ["a view of a child", "SELECT x FROM app.of_child"],
      ],
      {
        before: `CREATE TABLE app.parent (id int, name text, email text, card text, ssn text);
          ALTER TABLE customers INHERIT app.parent;
          CREATE TABLE app.child () INHERITS (customers);
          INSERT INTO app.child SELECT 70 + id, name, email, card, ssn FROM ONLY customers;
          CREATE VIEW app.of_child AS SELECT ssn AS x FROM app.child`,
      },
    ),
    ...rows(
      [
        ["a generated column", "SELECT x FROM customers"],
        ["a generated column in an expression", "SELECT x || '' FROM customers"],
        ["a generated column in a star", "SELECT c.* FROM customers c"],
        ["COPY of a table with a generated column", "COPY customers TO STDOUT"],
        ["COPY of a query of a generated column", "COPY (SELECT x FROM customers) TO STDOUT"],
        ["a view over a generated column", "SELECT x FROM app.generated"],
      ],
      {
        before: `ALTER TABLE customers ADD x text GENERATED ALWAYS AS (upper(ssn)) STORED;
          CREATE VIEW app.generated AS SELECT x FROM customers`,
      },
    ),
    ...rows(
      [
        ["a virtual generated column", "SELECT x FROM customers"],
        ["a virtual generated column in an expression", "SELECT x || '' FROM customers"],
      ],
      {
        before: "ALTER TABLE customers ADD x text GENERATED ALWAYS AS (upper(ssn)) VIRTUAL",
        since: 18,
      },
    ),
    ...rows(
      [
        ["a star behind a dropped column", "SELECT * FROM customers"],
        ["an alias list over a dropped column", "SELECT d || '' FROM customers AS c(a, b, c, d)"],
        ["a renamed star over a dropped column", "SELECT s.d || '' FROM (SELECT * FROM customers) s(a, b, c, d)"],
        ["a whole row with a dropped column", "SELECT c FROM customers c"],
        [
          "a join's alias list over a dropped column",
          "SELECT d || '' FROM (customers JOIN (SELECT 1 AS one) o ON true) AS j(a, b, c, d)",
        ],
        ["COPY behind a dropped column", "COPY customers TO STDOUT"],
        ["COPY of a star behind a dropped column", "COPY (SELECT * FROM customers) TO STDOUT"],
        ["a view that is older than a column", "SELECT * FROM app.older"],
        ["a view's alias list, older than a column", "SELECT c || '' FROM app.older AS o(a, b, c)"],
      ],
      {
        before: `DROP SCHEMA app CASCADE; CREATE SCHEMA app; ALTER TABLE customers DROP email;
          CREATE VIEW app.older AS SELECT * FROM customers; ALTER TABLE customers ADD later text;
          ALTER VIEW app.older RENAME COLUMN ssn TO name2`,
      },
    ),
    ...rows(
      [
        ["a child with columns in another order", "SELECT * FROM app.kid"],
        ["an alias list over a child", "SELECT a || '' FROM app.kid AS k(a)"],
        ["a child's rows through its parent", "SELECT e || '' FROM customers AS c(a, b, c, d, e)"],
        ["a whole row of a child", "SELECT k FROM app.kid k"],
        ["COPY of a child with another order", "COPY app.kid TO STDOUT"],
      ],
      {
        before: `CREATE TABLE app.kid (ssn text, email text, id int NOT NULL, card text, name text);
          ALTER TABLE app.kid INHERIT customers; INSERT INTO app.kid SELECT ssn, email, id + 60, card, name FROM ONLY customers`,
      },
    ),
    ...rows(
      [
        ["a view with a CTE", "SELECT y FROM app.of_cte"],
        ["a view with what USING merges", "SELECT ssn FROM app.of_using"],
        ["a view with LATERAL", "SELECT y || '' FROM app.of_lateral"],
        ["a view with a window", "SELECT y FROM app.of_window"],
        ["a view with GROUP BY", "SELECT y FROM app.of_group"],
        ["a view with VALUES", "SELECT column1 FROM app.of_values"],
        ["a view with a set's function", "SELECT y FROM app.of_set"],
        ["a view with DISTINCT ON", "SELECT y FROM app.of_distinct"],
        ["a view with a sub-query as column", "SELECT y FROM app.of_sub"],
        ["a view with a field of a composite", "SELECT y FROM app.of_field"],
        ["a view with a recursive CTE that turns its columns", "SELECT c FROM app.of_turning"],
      ],
      {
        before: `CREATE VIEW app.of_cte AS WITH a AS (SELECT ssn AS x FROM customers) SELECT x AS y FROM a;
          CREATE VIEW app.of_using AS SELECT ssn FROM customers a FULL JOIN customers b USING (ssn);
          CREATE VIEW app.of_lateral AS SELECT l.x AS y FROM customers c, LATERAL (SELECT c.ssn AS x) l;
          CREATE VIEW app.of_window AS SELECT first_value(ssn) OVER (ORDER BY id) AS y FROM customers;
          CREATE VIEW app.of_group AS SELECT left(ssn, 9) AS y FROM customers GROUP BY left(ssn, 9);
          CREATE VIEW app.of_values AS VALUES ((SELECT ssn FROM customers LIMIT 1)), ('x');
          CREATE VIEW app.of_set AS SELECT regexp_split_to_table(ssn, '-') AS y FROM customers;
          CREATE VIEW app.of_distinct AS SELECT DISTINCT ON (id) card AS y FROM customers;
          CREATE VIEW app.of_sub AS SELECT (SELECT max(ssn) FROM customers) AS y FROM orders;
          CREATE VIEW app.of_field AS SELECT (pair).code AS y FROM vault;
          CREATE VIEW app.of_turning AS WITH RECURSIVE r(n, a, b, c) AS (SELECT 1, ssn, '', '' FROM customers
            UNION ALL SELECT n + 1, c, a, b FROM r WHERE n < 4) SELECT c FROM r`,
      },
    ),
    ...[
      "CREATE VIEW app.fresh AS SELECT upper(ssn) AS x FROM customers",
      "CREATE MATERIALIZED VIEW app.fresh AS SELECT ssn AS x FROM customers",
      "DROP TABLE app.fresh; CREATE VIEW app.fresh AS SELECT ssn || '' AS x FROM customers",
    ].map(
      (sql, at): Attack => ({
        name:
          [
            "a view made a moment ago by somebody else",
            "a materialised view made a moment ago",
            "a view in a table's place, since a moment",
          ][at] ?? "",
        shown: `somebody else: ${sql}; SELECT x FROM app.fresh`,
        changes: true,
        ...(at === 2 ? { before: "CREATE TABLE app.fresh (x text)" } : {}),
        ...meanwhile(sql),
        steps: [
          query(at === 2 ? "SELECT x FROM app.fresh" : "SELECT id FROM customers"),
          query("SELECT pg_advisory_lock(2)"),
          query("SELECT pg_advisory_lock(3)"),
          query("SELECT x FROM app.fresh"),
        ],
      }),
    ),
    ...rows(
      [
        ["a view of statistics", "SELECT x FROM app.shown"],
        ["a view of statistics in an expression", "SELECT upper(x) FROM app.shown"],
        ["COPY of a view of statistics", "COPY (SELECT x FROM app.shown) TO STDOUT"],
      ],
      {
        before: `CREATE VIEW app.shown AS SELECT histogram_bounds::text AS x FROM pg_stats
          WHERE tablename = 'customers' AND attname = 'ssn'; ANALYZE customers`,
      },
    ),
    ...rows([["a view over a view of activity", "SELECT x FROM app.shown"]], {
      before: `CREATE VIEW app.seen AS SELECT query, datname FROM pg_stat_activity;
        CREATE VIEW app.shown AS SELECT query AS x FROM app.seen WHERE datname = current_database()`,
      neighbour: "DO $$ BEGIN PERFORM '@ssn@'; END $$",
      restless: true,
    }),
    ...rows([["a view of query_to_xml", "SELECT x FROM app.shown"]], {
      before: `CREATE VIEW app.shown AS SELECT query_to_xml('SELECT ssn FROM customers', true, true, '')::text AS x`,
    }),
    ...rows([["a view of a function", "SELECT x FROM app.called"]], {
      before: "CREATE VIEW app.called AS SELECT x FROM app.steal() AS x",
    }),
    ...rows([["a materialised view of a function", "SELECT x FROM app.called"]], {
      before: "CREATE MATERIALIZED VIEW app.called AS SELECT x FROM app.steal() AS x",
    }),
  ],
};

/** The catalog that is known is older than the one in which the server resolves a name. */
const changing: Group = {
  title: "Names while the schema changes",
  attacks: rows(
    [
      [
        "a column that a nearer table has lost",
        "ALTER TABLE stash ADD ssn text; BEGIN; ALTER TABLE stash RENAME ssn TO gone; SELECT (SELECT ssn FROM stash LIMIT 1) || '' FROM customers; ROLLBACK",
      ],
      [
        "a column that a nearer table has lost, named like the row",
        "ALTER TABLE stash ADD customers text; BEGIN; ALTER TABLE stash DROP customers; SELECT (SELECT customers::text FROM stash LIMIT 1) FROM customers; ROLLBACK",
      ],
      [
        "a column that a nearer sub-query has lost",
        "ALTER TABLE stash ADD ssn text; BEGIN; ALTER TABLE stash RENAME ssn TO gone; SELECT (SELECT ssn FROM (SELECT * FROM stash) s LIMIT 1) || '' FROM customers; ROLLBACK",
      ],
      [
        "a temporary table in a nearer table's place",
        "CREATE TABLE near (ssn text); CREATE TEMP TABLE near (other text); INSERT INTO near VALUES (''); SELECT (SELECT ssn FROM near LIMIT 1) || '' FROM customers",
      ],
      [
        "what NATURAL moves to the front",
        `CREATE TABLE near (a text); INSERT INTO near VALUES ('k'); BEGIN; ALTER TABLE near RENAME a TO k; ALTER TABLE near ADD b text;
         SELECT * FROM (customers CROSS JOIN (SELECT 'k'::text AS k) q) NATURAL JOIN near UNION ALL SELECT * FROM (customers CROSS JOIN (SELECT 'k'::text AS k) q) NATURAL JOIN near; ROLLBACK`,
      ],
    ],
    { changes: true },
  ),
};

const setReturning: Group = {
  title: "Set-returning functions",
  attacks: rows([
    ["string_to_table", "SELECT p FROM customers c, string_to_table(c.ssn, '-') AS p"],
    ["regexp_matches for all", "SELECT regexp_matches(ssn, '[0-9]+', 'g') FROM customers"],
    ["json_array_elements", "SELECT e FROM customers c, json_array_elements(json_build_array(c.ssn)) AS e"],
    ["jsonb_each", "SELECT e.value FROM customers c, jsonb_each(to_jsonb(c)) AS e"],
    ["jsonb_object_keys", "SELECT jsonb_object_keys(jsonb_build_object(ssn, 1)) FROM customers"],
    ["json_to_record", "SELECT r.ssn FROM customers c, json_to_record(row_to_json(c)) AS r(ssn text)"],
    [
      "jsonb_to_recordset",
      "SELECT r.ssn FROM jsonb_to_recordset((SELECT jsonb_agg(c) FROM customers c)) AS r(ssn text)",
    ],
    [
      "json_populate_recordset",
      "SELECT r.card FROM json_populate_recordset(NULL::customers, (SELECT json_agg(c) FROM customers c)) AS r",
    ],
    ["jsonb_path_query", "SELECT jsonb_path_query(to_jsonb(c), '$.ssn') FROM customers c"],
    ["generate_series from a number", "SELECT g FROM vault v, generate_series(v.n, v.n) AS g"],
    ["unnest of an array column", "SELECT unnest(tags) FROM vault"],
    ["unnest of a text search vector", "SELECT u.lexeme FROM vault v, unnest(v.words) AS u"],
    ["unnest of composites", "SELECT u.code FROM vault v, unnest(v.pairs) AS u"],
    ["unnest of two", "SELECT * FROM vault v, unnest(v.tags, v.nums) AS u(a, b)"],
    ["WITH ORDINALITY", "SELECT u.* FROM vault v, unnest(v.tags) WITH ORDINALITY AS u(x, i)"],
    ["ts_parse", "SELECT t.token FROM customers c, ts_parse('default', c.card) AS t"],
    ["ts_debug", "SELECT t.token FROM customers c, ts_debug('simple', c.card) AS t"],
    ["pg_options_to_table", "SELECT (pg_options_to_table(ARRAY['k=' || ssn])).option_value FROM customers"],
    ["each of hstore", "SELECT (each(hstore(c))).value FROM customers c"],
    ["a set inside a set", "SELECT unnest(ARRAY[regexp_split_to_table(ssn, '-')]) FROM customers"],
    ["a set under a table's name", "SELECT orders.orders FROM customers c, upper(c.ssn) AS orders"],
    ["a function that was made before", "SELECT * FROM app.steal()"],
    ["a function with a table", "SELECT what FROM app.people()"],
    ["a function with OUT parameters", "SELECT a FROM app.taken()"],
    ["a function of the labelled table's type", "SELECT ssn FROM app.person(1)"],
    ["JSON_TABLE", "SELECT t.s FROM customers c, JSON_TABLE(to_jsonb(c), '$' COLUMNS (s text PATH '$.ssn')) t"],
    [
      "JSON_TABLE, nested",
      "SELECT t.s FROM JSON_TABLE((SELECT jsonb_agg(c) FROM customers c), '$' COLUMNS (NESTED PATH '$[*]' COLUMNS (s text PATH '$.ssn'))) t",
    ],
    ["pg_input_error_info", "SELECT e.message FROM customers c, pg_input_error_info(c.ssn, 'integer') AS e"],
  ]).map((attack): Attack => (/^JSON_TABLE|^pg_input/.test(attack.name) ? { ...attack, since: 18 } : attack)),
};

export const READING: readonly Group[] = [names, expressions, subQueries, sets, joins, views, changing, setReturning];
