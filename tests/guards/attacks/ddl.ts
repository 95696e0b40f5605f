/** Attacks on "no DDL": schema changes in every dress. Data only. */
import { WHOLE_TABLE_AND_DDL } from "../../kit/attacks.ts";
import { type Attack, type AttackGroup, text } from "../attack.ts";

/** The kit's list has whole-table writes first. */
const FIRST_DDL = WHOLE_TABLE_AND_DDL.findIndex(({ name }) => name === "DROP TABLE");
const OF_THE_KIT: readonly Attack[] = WHOLE_TABLE_AND_DDL.slice(FIRST_DDL).map(({ name, sql }) => text(name, sql));

const KEPT = { arrives: "kept-here" } as const;

export const DDL: readonly AttackGroup[] = [
  {
    title: "Schema changes",
    policy: "no-ddl",
    about: "Every way to make, change or drop what a database is made of.",
    attacks: [
      ...OF_THE_KIT,
      text("SELECT INTO on the left of UNION", "SELECT 1 AS a INTO made UNION SELECT 2"),
      text(
        "SELECT INTO three set operations deep",
        "SELECT 1 AS a INTO made UNION SELECT 2 EXCEPT SELECT 3 UNION ALL SELECT 4",
      ),
      text("SELECT INTO of a UNION under EXPLAIN ANALYZE", "EXPLAIN ANALYZE SELECT 1 AS a INTO made UNION SELECT 2"),
      text("SELECT INTO in parentheses on the left of INTERSECT", "(SELECT 1 AS a INTO made) INTERSECT SELECT 1"),
      text(
        "SELECT INTO of a UNION with WITH",
        "WITH c AS (SELECT 1 AS a) SELECT a INTO made FROM c UNION ALL SELECT a FROM c",
      ),
      text("SELECT INTO in PREPARE", "PREPARE p AS SELECT 1 AS a INTO made; EXECUTE p"),
      text("SELECT INTO UNLOGGED", "SELECT id INTO UNLOGGED made FROM orders"),
      text("SELECT INTO TEMP", "SELECT 'kept-' || 'here' AS a INTO TEMP made; SELECT a FROM made", KEPT),
      text(
        "SELECT INTO TEMP of a UNION",
        "SELECT 'kept-' || 'here' AS a INTO TEMP made UNION SELECT ''; SELECT a FROM made",
        KEPT,
      ),
      text("CREATE TEMP TABLE", "CREATE TEMP TABLE made AS SELECT 'kept-' || 'here' AS a; TABLE made", KEPT),
      text(
        "CREATE TABLE in pg_temp",
        "CREATE TABLE pg_temp.made (a text); INSERT INTO made VALUES ('kept-' || 'here'); TABLE made",
        KEPT,
      ),
      text("CREATE TABLE IF NOT EXISTS", "CREATE TABLE IF NOT EXISTS made (a int)"),
      text("CREATE TABLE LIKE", "CREATE TABLE made (LIKE customers INCLUDING ALL)"),
      text("CREATE TABLE that inherits", "CREATE TABLE made () INHERITS (customers)"),
      text("CREATE TABLE as a partition", "CREATE TABLE made PARTITION OF secret_parts FOR VALUES FROM (10) TO (20)"),
      text("CREATE TABLE in another schema", "CREATE TABLE hidden.made (a int)"),
      text("CREATE TABLE with a name in escapes", 'CREATE TABLE U&"m\\0061de" (a int)'),
      text("ADD CONSTRAINT", "ALTER TABLE customers ADD CONSTRAINT made CHECK (id > 0)"),
      text("DISABLE TRIGGER", "ALTER TABLE employees DISABLE TRIGGER ALL"),
      text("SET UNLOGGED", "ALTER TABLE orders SET UNLOGGED"),
      text("a storage parameter", "ALTER TABLE customers SET (fillfactor = 50)"),
      text("REPLICA IDENTITY", "ALTER TABLE customers REPLICA IDENTITY FULL"),
      text("DROP NOT NULL", "ALTER TABLE secrets ALTER value DROP NOT NULL"),
      text("SET DEFAULT", "ALTER TABLE orders ALTER amount SET DEFAULT 0"),
      text("DETACH PARTITION", "ALTER TABLE secret_parts DETACH PARTITION secret_part"),
      text("OWNER TO", "ALTER TABLE customers OWNER TO reporting"),
      text("ALTER VIEW", "ALTER VIEW secret_view SET (security_barrier = true)"),
      text("ALTER SEQUENCE", "ALTER SEQUENCE order_numbers RESTART WITH 1000"),
      text("ALTER INDEX", "ALTER INDEX customers_pkey RENAME TO made"),
      text("ALTER FUNCTION", "ALTER FUNCTION tell() SECURITY DEFINER"),
      text("ALTER FUNCTION SET", "ALTER FUNCTION tell() SET search_path = hidden"),
      text("ALTER ROUTINE RENAME", "ALTER ROUTINE tell() RENAME TO made"),
      text("ALTER SCHEMA", "ALTER SCHEMA hidden RENAME TO made"),
      text("DROP FUNCTION", "DROP FUNCTION tell()"),
      text("DROP of several", "DROP TABLE IF EXISTS nothing, secrets CASCADE"),
      text("DROP VIEW", "DROP VIEW secret_view"),
      text("DROP SEQUENCE", "DROP SEQUENCE order_numbers"),
      text("DROP INDEX", "DROP INDEX products_words_idx"),
      text("DROP OWNED", "DROP OWNED BY reporting"),
      text("REASSIGN OWNED", "REASSIGN OWNED BY reporting TO postgres"),
      text("REFRESH MATERIALIZED VIEW", "REFRESH MATERIALIZED VIEW secret_copy"),
      text("CREATE RULE", "CREATE RULE made AS ON INSERT TO orders DO INSTEAD NOTHING"),
      text("CREATE FUNCTION with a body of SQL", "CREATE FUNCTION made() RETURNS int RETURN 1"),
      text(
        "CREATE FUNCTION BEGIN ATOMIC",
        "CREATE FUNCTION made() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END",
      ),
      text(
        "CREATE OR REPLACE FUNCTION",
        "CREATE OR REPLACE FUNCTION tell() RETURNS text LANGUAGE sql AS 'SELECT ''x'''",
      ),
      text("CREATE TEXT SEARCH CONFIGURATION", "CREATE TEXT SEARCH CONFIGURATION made (COPY = simple)"),
      text("CREATE COLLATION", 'CREATE COLLATION made FROM "C"'),
      text(
        "CREATE OPERATOR CLASS",
        "CREATE OPERATOR CLASS made FOR TYPE int USING btree AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int, int)",
      ),
      text("CREATE LANGUAGE", "CREATE LANGUAGE made HANDLER plpgsql_call_handler"),
      text("CREATE EXTENSION", "CREATE EXTENSION dblink"),
      text("CREATE ACCESS METHOD", "CREATE ACCESS METHOD made TYPE TABLE HANDLER heap_tableam_handler"),
      text("CREATE CONVERSION", "CREATE CONVERSION made FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1"),
      text("ALTER TYPE ADD VALUE", "CREATE TYPE made AS ENUM ('a'); ALTER TYPE made ADD VALUE 'b'"),
      text("ALTER LARGE OBJECT", "ALTER LARGE OBJECT 40711 OWNER TO reporting"),
      text("a large object by function", "SELECT lo_create(40712)"),
      text("a large object removed", "SELECT lo_unlink(40711)"),
      text("collations by function", "SELECT pg_import_system_collations('hidden')", {
        outside: "SELECT count(*) FROM pg_collation WHERE collnamespace = 'hidden'::regnamespace",
      }),
      text("a write to pg_proc", "UPDATE pg_proc SET prosecdef = true WHERE proname = 'tell'"),
      text(
        "a write to pg_attribute by a join",
        "UPDATE pg_attribute a SET attname = 'made' FROM pg_class c WHERE c.oid = a.attrelid AND c.relname = 'customers' AND a.attname = 'name'",
      ),
      text(
        "a write to pg_rewrite in WITH",
        "WITH d AS (DELETE FROM pg_catalog.pg_rewrite WHERE ev_class = 'secret_view'::regclass RETURNING 1) SELECT count(*) FROM d",
      ),
      text("COPY into the catalog", "COPY pg_description FROM PROGRAM 'printf \"99999\\t1259\\t0\\tmade\\n\"'"),
    ],
  },
  {
    title: "Code that changes the schema",
    policy: "no-ddl",
    about: "The change stands in a string, or behind the name of what the owner made.",
    attacks: [
      text("DO", "DO 'BEGIN DROP TABLE customers; END'"),
      text("DO in an escaped string", "DO LANGUAGE plpgsql U&'BEGIN DR\\004FP TABLE customers; END'"),
      text("DO with a tagged dollar quote", "DO $a$ BEGIN EXECUTE $b$ DROP TABLE customers $b$; END $a$"),
      text("a function of the owner", "SELECT run('DROP TABLE customers')"),
      text("a function of the owner in FROM", "SELECT 1 FROM run('DROP TABLE customers')"),
      text("a function of the owner with its schema", "SELECT public.run('DROP TABLE customers')"),
      text(
        "a function of the owner in a WHERE",
        "SELECT id FROM orders WHERE id = 1 AND run('DROP TABLE customers') IS NOT NULL",
      ),
      text(
        "a function of the owner in a default of VALUES",
        "INSERT INTO orders (id, note) VALUES (900, run('DROP TABLE customers')::text)",
      ),
      text("a function of the owner in LIMIT", "SELECT id FROM orders LIMIT length(run('DROP TABLE customers')::text)"),
      text(
        "a function of the owner in a window",
        "SELECT row_number() OVER (ORDER BY run('DROP TABLE customers')::text)",
      ),
      text("a function of the owner in FILTER", "SELECT count(*) FILTER (WHERE run('DROP TABLE customers') IS NULL)"),
      text(
        "a function of the owner in RETURNING",
        "DELETE FROM orders WHERE id = 1 RETURNING run('DROP TABLE customers')",
      ),
      text(
        "a function of the owner in ON CONFLICT",
        "INSERT INTO orders VALUES (1) ON CONFLICT (id) DO UPDATE SET note = run('DROP TABLE customers')::text",
      ),
      text(
        "a function of the owner in MERGE",
        "MERGE INTO orders USING (SELECT 1 AS n) s ON id = n WHEN MATCHED AND run('DROP TABLE customers') IS NOT NULL THEN DO NOTHING",
      ),
      text(
        "a function of the owner in a cursor",
        "BEGIN; DECLARE c CURSOR FOR SELECT run('DROP TABLE customers'); FETCH c; COMMIT",
      ),
      text("a function of the owner in EXPLAIN ANALYZE", "EXPLAIN ANALYZE SELECT run('DROP TABLE customers')"),
      text("a function of the owner in COPY", "COPY (SELECT run('DROP TABLE customers')) TO STDOUT"),
      text(
        "a function of the owner as a parameter of EXECUTE",
        "PREPARE p(text) AS SELECT $1; EXECUTE p(run('DROP TABLE customers')::text)",
      ),
      text("query_to_xml", "SELECT query_to_xml('SELECT run(''DROP TABLE customers'')', true, true, '')"),
      text(
        "query_to_xml with its schema, in capitals",
        "SELECT PG_CATALOG.QUERY_TO_XML('SELECT run(''DROP TABLE customers'')', true, true, '')",
      ),
      text(
        "query_to_xml by an escaped name",
        `SELECT U&"qu\\0065ry_to_xml"('SELECT run(''DROP TABLE customers'')', true, true, '')`,
      ),
      text(
        "query_to_xml with named arguments",
        "SELECT query_to_xml(query => 'SELECT run(''DROP TABLE customers'')', nulls => true, tableforest => true, targetns => '')",
      ),
      text(
        "query_to_xml_and_xmlschema",
        "SELECT query_to_xml_and_xmlschema('SELECT run(''DROP TABLE customers'')', true, true, '')",
      ),
      text(
        "cursor_to_xml",
        "BEGIN; DECLARE c CURSOR FOR SELECT run('DROP TABLE customers'); SELECT cursor_to_xml('c', 1, true, true, ''); COMMIT",
      ),
      text("ts_stat", "SELECT * FROM ts_stat('SELECT to_tsvector(run(''DROP TABLE customers'')::text)')"),
      text(
        "ts_rewrite",
        "SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, plainto_tsquery(run(''DROP TABLE customers'')::text)')",
      ),
      text("CALL", "CREATE PROCEDURE made() LANGUAGE plpgsql AS 'BEGIN DROP TABLE customers; END'; CALL made()"),
    ],
  },
];
