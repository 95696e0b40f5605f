/** Attacks on "only SELECT, and only on two tables". Data only. */
import { client } from "../../kit/wire.ts";
import { type AttackGroup, bound, spoken, text } from "../attack.ts";
import { TOKEN } from "../template.ts";

const TOLD = { arrives: TOKEN } as const;
const YES = { arrives: "yes-indeed" } as const;
const SAY_YES = "'yes-' || 'indeed'";

/** The token, when the statement is run and not before. */
const SAY_TOKEN = `'${TOKEN.slice(0, 6)}' || '${TOKEN.slice(6)}'`;

const tells = (name: string, sql: string) => text(name, sql, TOLD);

export const ONLY_SELECT: readonly AttackGroup[] = [
  {
    title: "Other tables",
    policy: "only-select",
    about:
      "A name that is not on the list, in every place where a relation may stand, or one that looks as if it were.",
    attacks: [
      tells("another table", "SELECT value FROM secrets"),
      tells("another table with its schema", "SELECT value FROM public.secrets"),
      tells("another table with its database", "SELECT value FROM {database}.public.secrets"),
      tells("another table by an escaped name", 'SELECT value FROM U&"s\\0065crets"'),
      tells("another table in capitals", "SELECT VALUE FROM SECRETS"),
      tells("another table without its children", "SELECT value FROM ONLY secrets"),
      tells("TABLE", "TABLE secrets"),
      tells("beside an allowed table", "SELECT s.value FROM orders o, secrets s WHERE o.id = s.id"),
      tells("in a join", "SELECT s.value FROM orders o JOIN secrets s USING (id)"),
      tells("in a natural join", "SELECT value FROM products NATURAL LEFT JOIN secrets WHERE id = 1"),
      tells("under an allowed table's name", "SELECT orders.value FROM secrets AS orders"),
      tells("in a sub-query", "SELECT (SELECT value FROM secrets WHERE id = 1)"),
      tells("in FROM's sub-query", "SELECT * FROM (SELECT value FROM secrets) orders"),
      tells("in an ARRAY", "SELECT ARRAY(SELECT value FROM secrets)"),
      tells("in LATERAL", "SELECT l.* FROM orders o, LATERAL (SELECT value FROM secrets WHERE id = o.id) l"),
      tells("in VALUES", "VALUES ((SELECT value FROM secrets WHERE id = 1))"),
      tells("in UNION", "SELECT note FROM orders UNION ALL SELECT value FROM secrets"),
      tells("in EXCEPT", "SELECT value FROM secrets EXCEPT SELECT note FROM orders"),
      tells("in a CASE", "SELECT CASE WHEN true THEN (SELECT min(value) FROM secrets) END FROM orders"),
      tells("in a function's argument", "SELECT concat(trim((SELECT min(value) FROM secrets)))"),
      tells(
        "in ORDER BY of an aggregate",
        "SELECT string_agg(v, ',' ORDER BY (SELECT min(value) FROM secrets)) FROM (SELECT min(value) AS v FROM secrets) s",
      ),
      tells("in a CTE", "WITH orders AS (SELECT value FROM secrets) SELECT * FROM orders"),
      tells("in a CTE of its own name", "WITH secrets AS (SELECT value FROM secrets) SELECT * FROM secrets"),
      tells(
        "in a CTE before the one of its name",
        "WITH a AS (SELECT value FROM secrets), secrets AS (SELECT 1) SELECT * FROM a",
      ),
      tells(
        "in a recursive CTE",
        "WITH RECURSIVE r AS (SELECT value, 1 AS n FROM secrets UNION ALL SELECT value, n + 1 FROM r WHERE n < 2) SELECT * FROM r",
      ),
      tells("behind a CTE of a sub-query", "SELECT s.value FROM (WITH secrets AS (SELECT 1) SELECT 1) x, secrets s"),
      tells(
        "behind a CTE of a UNION's side",
        "(WITH secrets AS (SELECT 'x' AS value) SELECT value FROM secrets) UNION ALL SELECT value FROM secrets",
      ),
      tells("behind a CTE of a CTE", "WITH a AS (WITH secrets AS (SELECT 1) SELECT 1) SELECT value FROM secrets"),
      tells("behind a CTE, with the schema", "WITH secrets AS (SELECT 1 AS value) SELECT value FROM public.secrets"),
      tells(
        "behind a CTE of a scalar sub-query",
        "SELECT (WITH secrets AS (SELECT 1 AS n) SELECT n FROM secrets), value FROM secrets",
      ),
      tells("a whole row", "SELECT s FROM secrets s"),
      tells("a whole row as JSON", "SELECT row_to_json(s) FROM secrets s"),
      tells("a cursor", "BEGIN; DECLARE c CURSOR FOR SELECT value FROM secrets; FETCH ALL FROM c; COMMIT"),
      tells("a cursor with hold", "DECLARE c CURSOR WITH HOLD FOR SELECT value FROM secrets; FETCH ALL FROM c"),
      tells("a prepared statement", "PREPARE p AS SELECT value FROM secrets; EXECUTE p"),
      tells("COPY", "COPY secrets TO STDOUT"),
      tells("COPY of a query", "COPY (SELECT value FROM secrets) TO STDOUT"),
      tells("COPY in binary form", "COPY secrets (value) TO STDOUT (FORMAT binary)"),
      tells("EXPLAIN of another table", `EXPLAIN SELECT * FROM secrets WHERE value = ${SAY_TOKEN}`),
      tells("a view", "SELECT value FROM secret_view"),
      tells("a materialized view", "SELECT value FROM secret_copy"),
      tells("a partitioned table", "SELECT value FROM secret_parts"),
      tells("a partition", "SELECT value FROM secret_part"),
      tells("a table of an allowed name in another schema", "SELECT note FROM hidden.orders"),
      tells("a table of another case", 'SELECT note FROM "Orders"'),
      tells("a table in a schema of an allowed name", "SELECT value FROM products.secrets"),
      tells(
        "a table in a schema of an allowed name, beside the table",
        "SELECT products.secrets.value FROM products.secrets",
      ),
      tells("the search_path by SET", "SET search_path = hidden; SELECT note FROM orders"),
      tells(
        "the search_path by set_config",
        "SELECT set_config('search_path', 'hidden', false); SELECT note FROM orders",
      ),
      tells(
        "the search_path of a transaction",
        "BEGIN; SET LOCAL search_path = hidden; SELECT note FROM orders; COMMIT",
      ),
      tells(
        "the search_path and a cursor of its time",
        "BEGIN; SET search_path = hidden; DECLARE c CURSOR FOR SELECT note FROM orders; FETCH c; COMMIT",
      ),
      tells(
        "a temporary table in front",
        "CREATE TEMP TABLE orders AS SELECT value AS note FROM secrets; SELECT note FROM orders",
      ),
      tells(
        "a temporary view in front",
        "CREATE TEMP VIEW orders AS SELECT value AS note FROM secrets; SELECT note FROM orders",
      ),
      tells(
        "XMLTABLE over another table",
        "SELECT x.v FROM XMLTABLE('/r' PASSING (SELECT xmlelement(name r, value) FROM secrets WHERE id = 1) COLUMNS v text PATH '.') x",
      ),
      tells("query_to_xml", "SELECT query_to_xml('SELECT value FROM secrets', true, true, '')"),
      tells("table_to_xml", "SELECT table_to_xml('secrets', true, true, '')"),
      tells("schema_to_xml", "SELECT schema_to_xml('public', true, true, '')"),
      tells("database_to_xml", "SELECT database_to_xml(true, true, '')"),
      tells(
        "ts_stat",
        `SELECT ${SAY_TOKEN} FROM ts_stat('SELECT to_tsvector(''simple'', value) FROM secrets') LIMIT 1`,
      ),
      tells("a function of the owner", "SELECT tell()"),
      tells("a function of the owner in FROM", "SELECT * FROM tell() AS t"),
      tells(
        "the planner's statistics",
        "ANALYZE secret_parts, secrets; SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats WHERE tablename = 'secrets'",
      ),
      tells("a large object", "SELECT convert_from(lo_get(40711), 'UTF8')"),
      tells("a large object's pages", "SELECT convert_from(data, 'UTF8') FROM pg_largeobject WHERE loid = 40711"),
      tells("what other sessions run", `SELECT ${SAY_TOKEN} FROM pg_stat_activity LIMIT 1`),
      tells("the catalog", `SELECT ${SAY_TOKEN} FROM pg_class LIMIT 1`),
      tells("the catalog by information_schema", `SELECT ${SAY_TOKEN} FROM information_schema.tables LIMIT 1`),
      text(
        "an answer by a condition",
        `SELECT ${SAY_YES} WHERE EXISTS (SELECT 1 FROM secrets WHERE value LIKE 'TOKEN%')`,
        YES,
      ),
      text(
        "an answer by a condition on an allowed table",
        `SELECT ${SAY_YES} FROM orders WHERE id = (SELECT min(id) FROM secrets)`,
        YES,
      ),
      text("an answer by LIMIT", `SELECT ${SAY_YES} FROM orders LIMIT (SELECT min(id) FROM secrets)`, YES),
      text("an answer by OFFSET", `SELECT ${SAY_YES} OFFSET (SELECT min(id) - 1 FROM secrets)`, YES),
      text("an answer by HAVING", `SELECT ${SAY_YES} FROM orders HAVING count(*) > (SELECT min(id) FROM secrets)`, YES),
      text(
        "an answer by an aggregate's FILTER",
        `SELECT max(${SAY_YES}) FILTER (WHERE id IN (SELECT id FROM secrets)) FROM orders`,
        YES,
      ),
      text(
        "an answer by TABLESAMPLE",
        `SELECT max(${SAY_YES}) FROM orders TABLESAMPLE bernoulli ((SELECT count(*) * 50 FROM secrets))`,
        YES,
      ),
      bound("a parameter", "SELECT value FROM secrets WHERE id = $1", ["1"], TOLD),
      spoken(
        "a portal of an earlier statement",
        "Parse s of an allowed table, then Parse t of another, Bind both, Execute both",
        [
          Buffer.concat([
            client.parse("s", "SELECT note FROM orders"),
            client.parse("t", "SELECT value FROM secrets"),
            client.bind("p", "s"),
            client.bind("q", "t"),
            client.execute("q"),
            client.execute("p"),
            client.sync(),
          ]),
        ],
        TOLD,
      ),
      spoken(
        "Describe alone",
        "Parse of another table and Describe: its columns' names",
        [
          Buffer.concat([
            client.parse("s", `SELECT value AS "yes-indeed" FROM secrets`),
            client.describe("S", "s"),
            client.sync(),
          ]),
        ],
        YES,
      ),
    ],
  },
  {
    title: "More than SELECT",
    policy: "only-select",
    about: "Writes, locks and messages, on allowed tables and elsewhere.",
    attacks: [
      text("INSERT", "INSERT INTO orders VALUES (900)"),
      text("INSERT in WITH", "WITH i AS (INSERT INTO orders VALUES (900) RETURNING id) SELECT id FROM i"),
      text("UPDATE in WITH", "WITH u AS (UPDATE orders SET note = 'x' WHERE id = 1 RETURNING id) SELECT id FROM u"),
      text("DELETE in WITH", "WITH d AS (DELETE FROM orders WHERE id = 1) SELECT 1"),
      text("MERGE", "MERGE INTO orders USING (SELECT 1 AS n) s ON id = n WHEN MATCHED THEN UPDATE SET note = 'x'"),
      text("DELETE under EXPLAIN ANALYZE", "EXPLAIN ANALYZE DELETE FROM orders WHERE id = 1"),
      text("UPDATE behind a SELECT", "SELECT 1; UPDATE orders SET note = 'x' WHERE id = 1"),
      text(
        "WHERE CURRENT OF",
        "BEGIN; DECLARE c CURSOR FOR SELECT id FROM orders FOR UPDATE; FETCH c; DELETE FROM orders WHERE CURRENT OF c; COMMIT",
      ),
      text(
        "UPDATE … WHERE CURRENT OF",
        "BEGIN; DECLARE c CURSOR FOR SELECT id FROM orders; FETCH c; UPDATE orders SET note = 'x' WHERE CURRENT OF c; COMMIT",
      ),
      text("TRUNCATE", "TRUNCATE orders"),
      text("SELECT INTO", "SELECT id INTO made FROM orders"),
      text("SELECT INTO on the left of UNION", "SELECT id INTO made FROM orders UNION SELECT id FROM products"),
      text("CREATE TABLE AS", "CREATE TABLE made AS SELECT id FROM orders"),
      text("setval", "SELECT setval('order_numbers', 99)"),
      text("nextval", "SELECT nextval('order_numbers')"),
      text("a large object", "SELECT lo_from_bytea(40712, 'x')"),
      text("a large object's page", "SELECT lo_put(40711, 0, 'x')"),
      text("a function of the owner", "SELECT clear()"),
      text("a procedure of the owner", "CALL purge()"),
      text("DO", "DO $$ BEGIN DELETE FROM orders; END $$"),
      text("LOCK", `BEGIN; LOCK TABLE orders; SELECT ${SAY_YES} FROM orders LIMIT 1; COMMIT`, YES),
      text("an advisory lock", `BEGIN; SELECT pg_advisory_xact_lock(1); SELECT ${SAY_YES}; COMMIT`, YES),
      text("a sleep", `BEGIN; SELECT pg_sleep(0.01); SELECT ${SAY_YES}; COMMIT`, YES),
      text("NOTIFY", "LISTEN made; NOTIFY made, 'yes-indeed'", YES),
      text("pg_notify", `LISTEN made; SELECT pg_notify('made', ${SAY_YES})`, YES),
      text(
        "another session's end",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{victim}'",
        { victim: true },
      ),
      text(
        "another session's end by an allowed table",
        "SELECT pg_terminate_backend(id) FROM (SELECT pid AS id FROM pg_stat_get_activity(NULL) WHERE application_name = '{victim}') orders",
        { victim: true },
      ),
      text("COPY FROM", "COPY orders (id) FROM PROGRAM 'echo 900'"),
      spoken("COPY FROM STDIN", "COPY orders (id) FROM STDIN, with data", [
        Buffer.concat([client.query("COPY orders (id) FROM STDIN"), client.copyData("900\n"), client.copyDone()]),
      ]),
      text("ANALYZE", "ANALYZE orders", { outside: "SELECT count(*) FROM pg_stats WHERE tablename = 'orders'" }),
      text("VACUUM", "VACUUM (FULL) orders"),
      text("COMMENT", "COMMENT ON TABLE orders IS 'x'"),
      text("GRANT", "GRANT SELECT ON secrets TO PUBLIC"),
      text("REFRESH", "REFRESH MATERIALIZED VIEW secret_copy"),
    ],
  },
];
