/** Names that may mean two things, and tables that are not those which the catalog has. */
import { type Group, rows, undone } from "../attack.ts";

const meanings: Group = {
  title: "Names that mean two things",
  attacks: rows([
    [
      "a composite's star beside a row of its name",
      "SELECT (pair).* FROM vault, (SELECT 'x' AS code, 1 AS no) AS pair",
    ],
    [
      "a composite's star with its table's name",
      undone(
        "CREATE TEMP TABLE pair (code text, no int); INSERT INTO pair VALUES ('', 1); SELECT (v.pair).* FROM vault v, pair",
      ),
    ],
    [
      "a composite's star in a sub-query",
      "SELECT s.code || '' FROM (SELECT (pair).* FROM vault, (SELECT 'x' AS code, 1 AS no) AS pair) s",
    ],
    [
      "a composite's star beside a CTE of its name",
      "WITH pair AS (SELECT 'x' AS code, 1 AS no) SELECT (pair).* FROM vault, pair",
    ],
    [
      "COPY of a composite's star",
      "COPY (SELECT (pair).* FROM vault, (SELECT 'x' AS code, 1 AS no) AS pair) TO STDOUT",
    ],
    ["a row that is called as a system column", "SELECT ctid FROM (SELECT ssn FROM customers) AS ctid"],
    [
      "a row that is called as a system column, as text",
      "SELECT upper(xmin::text) FROM (SELECT ssn, id FROM customers) AS xmin",
    ],
    [
      "a CTE that is called as a system column",
      "WITH tableoid AS (SELECT ssn FROM customers) SELECT to_jsonb(tableoid) FROM tableoid",
    ],
    ["a row that is called as a later keyword", 'SELECT system_user FROM (SELECT ssn FROM customers) AS "system_user"'],
    [
      "USING over a column that the server names",
      "SELECT c || '' FROM ((SELECT lower('K'), id, ssn FROM customers) q JOIN (SELECT 'k' AS lower) r USING (lower)) AS j(a, b, c)",
    ],
    [
      "USING over a column that the server names, behind a star",
      "SELECT s.c || '' FROM (SELECT * FROM (SELECT lower('K'), id, ssn FROM customers) q JOIN (SELECT 'k' AS lower) r USING (lower)) AS s(a, b, c)",
    ],
    [
      "USING over a clean column that the server names",
      "SELECT s.f || '' FROM (SELECT * FROM ((SELECT lower('K'), 1 AS one) q JOIN (SELECT 'k' AS lower) r USING (lower)), customers) AS s(a, b, c, d, e, f, g)",
    ],
  ]),
};

const places: Group = {
  title: "Places behind tables of another width",
  attacks: rows([
    [
      "a star over a temporary table with fewer columns",
      undone(
        "CREATE TEMP TABLE stash (z int); INSERT INTO stash VALUES (1); SELECT s.f || '' FROM (SELECT * FROM stash, customers) AS s(a, b, c, d, e, f)",
      ),
    ],
    [
      "a star over a table that has lost a column",
      undone(
        "ALTER TABLE stash DROP y; SELECT s.f || '' FROM (SELECT * FROM stash, customers) AS s(a, b, c, d, e, f, g)",
      ),
    ],
    [
      "temporary tables before and behind",
      undone(
        "CREATE TEMP TABLE stash (z int); INSERT INTO stash VALUES (1); CREATE TEMP TABLE orders (a int, b int, c int, d int, e int, f int); INSERT INTO orders VALUES (1); SELECT stash.*, upper(ssn), orders.* FROM stash, customers, orders",
      ),
    ],
    [
      "temporary tables before and behind, under a clean name",
      undone(
        "CREATE TEMP TABLE stash (id int); INSERT INTO stash VALUES (1); CREATE TEMP TABLE orders (a int, b int, c int, d int, e int, f int); INSERT INTO orders VALUES (1); SELECT stash.*, upper(ssn) AS x, orders.* FROM stash, customers, orders",
      ),
    ],
    [
      "temporary tables before and behind, in a cursor",
      undone(
        "CREATE TEMP TABLE stash (z int); INSERT INTO stash VALUES (1); CREATE TEMP TABLE orders (a int, b int, c int, d int, e int, f int); INSERT INTO orders VALUES (1); DECLARE c CURSOR FOR SELECT stash.*, upper(ssn), orders.* FROM stash, customers, orders; FETCH ALL FROM c",
      ),
    ],
    [
      "COPY of temporary tables before and behind",
      undone(
        "CREATE TEMP TABLE stash (z int); INSERT INTO stash VALUES (1); CREATE TEMP TABLE orders (a int, b int, c int, d int, e int, f int); INSERT INTO orders VALUES (1); COPY (SELECT stash.*, ssn, orders.* FROM stash, customers, orders) TO STDOUT",
      ),
    ],
    [
      "temporary tables before and behind, in a sub-query",
      undone(
        "CREATE TEMP TABLE stash (z int); INSERT INTO stash VALUES (1); CREATE TEMP TABLE orders (a int, b int, c int, d int, e int, f int); INSERT INTO orders VALUES (1); SELECT q.b || '' FROM (SELECT stash.*, upper(ssn), orders.* FROM stash, customers, orders) AS q(a, b, c, d, e, f, g, h)",
      ),
    ],
    [
      "temporary tables before and behind, in UNION",
      undone(
        "CREATE TEMP TABLE stash (z int); INSERT INTO stash VALUES (1); CREATE TEMP TABLE orders (a int, b int, c int, d int, e int, f int); INSERT INTO orders VALUES (1); SELECT stash.*, upper(ssn) AS x, orders.* FROM stash, customers, orders UNION ALL SELECT 1, '', 1, 2, 3, 4, 5, 6",
      ),
    ],
    [
      "a copy behind a temporary table",
      undone(
        "CREATE TEMP TABLE stash (z int); INSERT INTO stash VALUES (1); INSERT INTO public.stash SELECT s.a, s.f, s.e FROM (SELECT * FROM stash, customers) AS s(a, b, c, d, e, f); SELECT x, y FROM public.stash",
      ),
    ],
    [
      "RETURNING a star behind a temporary table",
      undone(
        "CREATE TEMP TABLE stash (z int); INSERT INTO stash VALUES (1); UPDATE stash SET z = 1 FROM customers RETURNING *, upper(ssn)",
      ),
    ],
  ]),
};

const targets: Group = {
  title: "Copies into a table that only has the name",
  attacks: [
    ...rows([
      [
        "a temporary table that was renamed",
        undone(
          "CREATE TEMP TABLE t (id int, name text, email text, card text, ssn text); ALTER TABLE t RENAME TO customers; INSERT INTO customers SELECT * FROM public.customers; SELECT upper(ssn) FROM pg_temp.customers",
        ),
      ],
      [
        "a table of that name in another schema",
        undone(
          "CREATE SCHEMA s; CREATE TABLE s.customers (id int, name text, email text, card text, ssn text); SET LOCAL search_path = s, public; INSERT INTO customers SELECT * FROM public.customers; SELECT upper(ssn) FROM s.customers",
        ),
      ],
      [
        "a table of that name, by UPDATE",
        undone(
          "CREATE SCHEMA s; CREATE TABLE s.vault (id int, kind text, tags text); INSERT INTO s.vault VALUES (1); SET LOCAL search_path = s, public; UPDATE vault SET tags = c.ssn FROM public.customers c; SELECT upper(tags) FROM s.vault",
        ),
      ],
      [
        "a table of that name, by MERGE",
        undone(
          "CREATE SCHEMA s; CREATE TABLE s.customers (id int, name text, email text, card text, ssn text); SET LOCAL search_path = s, public; MERGE INTO customers t USING public.customers s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, ssn) VALUES (s.id, s.ssn); SELECT ssn FROM s.customers",
        ),
      ],
      [
        "a table of that name, by a sub-query",
        undone(
          "CREATE SCHEMA s; CREATE TABLE s.customers (id int, ssn text); INSERT INTO s.customers VALUES (1); SET LOCAL search_path = s, public; UPDATE customers SET ssn = (SELECT c.ssn FROM public.customers c LIMIT 1); SELECT ssn FROM s.customers",
        ),
      ],
    ]),
    {
      name: "a table of that name in another schema, kept",
      changes: true,
      sql: "CREATE SCHEMA s; CREATE TABLE s.customers (id int, name text, email text, card text, ssn text); SET search_path = s, public; INSERT INTO customers SELECT * FROM public.customers; SELECT ssn FROM s.customers",
    },
    {
      name: "a child that is made anew",
      before: "CREATE TABLE app.kid () INHERITS (public.customers)",
      changes: true,
      sql: "BEGIN; DROP TABLE app.kid; CREATE TABLE app.k (id int, name text, email text, card text, ssn text); ALTER TABLE app.k RENAME TO kid; INSERT INTO app.kid SELECT * FROM customers; COMMIT; SELECT pg_sleep(6); SELECT ssn FROM app.kid",
    },
  ],
};

/** A clean table may lose, gain and rename columns before the server reads what the catalog's last look has of them. */
const U = "CREATE TABLE app.u (id int, to_jsonb text); INSERT INTO app.u VALUES (1, '')";
const NOTE = "CREATE DOMAIN note AS text; ALTER TABLE orders RENAME note TO other";

const gone: Group = {
  title: "Columns that are gone or new",
  attacks: [
    ...rows([
      [
        "a name that the server gives, instead of a column",
        undone(`${NOTE}; SELECT q.note || '' FROM (SELECT o.*, (ssn || '')::note FROM orders o, customers) q`),
      ],
      [
        "a name that the server gives, instead of a column, bare",
        undone(`${NOTE}; SELECT note || '' FROM (SELECT o.*, (ssn || '')::note FROM orders o, customers) q`),
      ],
      [
        "a name that the server gives, instead of a column, in USING",
        undone(
          `${NOTE}; SELECT note || '' FROM (SELECT o.*, (ssn || '')::note FROM orders o, customers) q LEFT JOIN (SELECT 'x' AS note) r USING (note)`,
        ),
      ],
      [
        "a new composite's star beside a row of its name",
        undone(
          "CREATE TYPE one AS (z text); ALTER TABLE stash ADD w one; UPDATE stash SET w = ROW('')::one; SELECT s.b || '' FROM (SELECT (w).*, ssn FROM stash, (SELECT 1 AS p, 2 AS q) AS w, customers) AS s(a, b)",
        ),
      ],
      [
        "new composites' stars before and behind",
        undone(
          "CREATE TYPE one AS (z text); CREATE TYPE three AS (z text, y int, x int); ALTER TABLE stash ADD w one, ADD v three; UPDATE stash SET w = ROW('')::one, v = ROW('', 1, 1)::three; SELECT (w).*, upper(ssn), (v).* FROM stash, (SELECT 1 AS p, 2 AS q) AS w, customers, (SELECT 1 AS p, 2 AS q) AS v",
        ),
      ],
    ]),
    ...rows(
      [
        [
          "a function's call, instead of a column",
          undone(
            "ALTER TABLE app.u RENAME to_jsonb TO z; SELECT q.to_jsonb::text FROM (SELECT u.*, c.ssn FROM app.u u, customers c) q",
          ),
        ],
        [
          "a function's call, instead of a column, over a join",
          undone(
            "ALTER TABLE app.u RENAME to_jsonb TO z; SELECT j.to_jsonb::text FROM (app.u CROSS JOIN customers) AS j",
          ),
        ],
        [
          "a function's call, instead of a column, in brackets",
          undone("ALTER TABLE app.u DROP to_jsonb; SELECT (j).to_jsonb::text FROM (app.u CROSS JOIN customers) AS j"),
        ],
      ],
      { before: U },
    ),
  ],
};

export const CORNERS: readonly Group[] = [meanings, places, targets, gone];
