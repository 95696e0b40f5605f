import assert from "node:assert/strict";
import { before, test } from "node:test";
import type { Facts, Operation } from "../../../src/model/operation.ts";
import { Analyser, type AnalysisScope } from "../../../src/protocols/postgres/analysis/analyse.ts";
import { WHOLE_TABLE_AND_DDL } from "../../kit/attacks.ts";
import { CUSTOMER_CATALOG, CUSTOMER_LABELS } from "./analysis-scope.ts";

const analyser = new Analyser();
before(() => analyser.prepare());
const CLEAN: AnalysisScope = { data: {}, catalog: undefined };

interface StatementFacts {
  readonly kind: string;
  readonly tables: readonly { readonly [name: string]: unknown }[];
  readonly columns: readonly string[];
  readonly functions: readonly string[];
  readonly calls: readonly { readonly name: string; readonly volatility: string }[];
  readonly where: { readonly present: boolean; readonly tautology: boolean };
}

function statementOf(facts: Facts): StatementFacts {
  return facts["statement"] as unknown as StatementFacts;
}

/** "read delete-; !unparsable": actions sorted; "-" without WHERE, "~" with one that selects nothing; "!" forbidden. */
function summary(sql: string, scope: AnalysisScope = CLEAN): string {
  return analyser
    .analyse(sql, scope)
    .statements.map(({ operation }) => summaryOf(operation))
    .join("; ");
}

function summaryOf({ actions, forbidden }: Operation): string {
  if (forbidden !== undefined) return forbidden.rule.replace("built-in:", "!");
  const names = actions.map(({ name, facts }) => {
    const { where } = statementOf(facts);
    const changes = name === "sql.update" || name === "sql.delete";
    return name.slice(4) + (!changes ? "" : !where.present ? "-" : where.tautology ? "~" : "");
  });
  return names.sort().join(" ");
}

function factsOf(sql: string, action: string, scope: AnalysisScope = CLEAN): StatementFacts {
  const found = analyser.analyse(sql, scope).statements[0]?.operation.actions.find(({ name }) => name === action);
  assert.ok(found, `${sql} has no ${action}`);
  return statementOf(found.facts);
}

const ROWS: readonly (readonly [sql: string, expected: string])[] = [
  ["SELECT 1", "read"],
  ["SELECT * FROM t", "read"],
  ["SELECT a FROM s.t WHERE id = 1", "read"],
  ["SELECT a FROM t FOR UPDATE", "read"],
  ["SELECT a FROM t FOR SHARE OF t SKIP LOCKED", "read"],
  ["VALUES (1, 2)", "read"],
  ["TABLE t", "read"],
  ["SELECT a FROM t UNION SELECT b FROM u", "read"],
  ["SELECT count(*) FROM t GROUP BY a HAVING max(b) > 1", "read"],
  ["WITH x AS (SELECT 1) SELECT * FROM x", "read"],
  ["SELECT lower(name), now(), current_user, coalesce(a, b) FROM t", "read"],
  ["SELECT pg_catalog.lower(name) FROM t", "read"],
  ["SELECT nextval('s')", "insert read"],
  ["SELECT json_agg(t) FROM t", "read"],
  ["SELECT * FROM generate_series(1, 10)", "read"],
  ["SELECT extract(year FROM d), position('a' IN b), trim(both ' ' from c), substring(e from 1 for 2) FROM t", "read"],
  ["SELECT a FROM t TABLESAMPLE SYSTEM (10)", "read"],
  ["SELECT a FROM t ORDER BY 1 LIMIT 5 OFFSET 2", "read"],
  ["SELECT pg_table_is_visible(oid), pg_get_userbyid(relowner), obj_description(oid) FROM pg_catalog.pg_class", "read"],
  ["SELECT current_setting('server_version_num')", "read"],
  ["SELECT pg_is_in_recovery(), txid_current(), version()", "read"],
  ["SELECT has_table_privilege('t', 'SELECT')", "read"],
  ["SELECT information_schema._pg_expandarray(indkey) FROM pg_index", "read"],
  ["SELECT set_config('search_path', '', false)", "read session"],
  ["SELECT pg_catalog.set_config('application_name', 'x', false)", "read"],
  ["SELECT set_config('standard_conforming_strings', 'off', false)", "!statement-reading"],
  ["SELECT set_config('standard_conforming_strings', 'on', false)", "read"],
  ["SELECT set_config('Client_Encoding', 'latin1', false)", "!statement-reading"],
  ["SELECT set_config('client' || '_encoding', 'latin1', false)", "!statement-reading"],
  ["SELECT set_config($1, $2, false)", "!statement-reading"],
  [
    "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'",
    "read session",
  ],
  ["SELECT set_config(name, 'view', false) FROM pg_settings WHERE name = 'x'", "read session"],
  ["SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'x'", "!statement-reading"],
  ["SELECT set_config(name, 'vi' || 'ew', false) FROM pg_settings WHERE name = 'x'", "!statement-reading"],
  ["SELECT set_config(setting_name => 'role', new_value => 'x', is_local => false)", "!statement-reading"],
  ["SELECT my_function(1)", "call read"],
  ["SELECT s.lower('A')", "call read"],
  ["SELECT pg_sleep(1)", "call read"],
  ["SELECT pg_advisory_lock(1)", "call read"],
  ["SELECT pg_terminate_backend(1)", "administer read"],
  ["SELECT pg_reload_conf()", "administer read"],
  ["SELECT setval('s', 1)", "read update"],
  ["SELECT pg_notify('a', 'b')", "read session"],
  ["SELECT pg_read_file('/etc/passwd')", "read server"],
  ["SELECT * FROM pg_ls_dir('/')", "read server"],
  ["SELECT lo_import('/etc/passwd')", "read server"],
  ["SELECT lo_get(1)", "read server"],
  ["SELECT * FROM dblink('host=x', 'select 1') AS t(a int)", "read server"],
  ["SELECT public.dblink_connect('x')", "read server"],
  ["SELECT pg_catalog.pg_file_write('a', 'b', false)", "read server"],
  ["SELECT query_to_xml('select 1', true, true, '')", "call read"],
  ["SELECT ts_stat('select 1')", "call read"],
  ["SELECT * FROM pg_logical_slot_get_changes('s', NULL, NULL)", "read server"],
  ["SELECT pg_stat_get_activity(NULL)", "call read"],
  ["SELECT xpath_table('a', 'b', 'c', 'd', 'e')", "call read"],
  ["SELECT a OPERATOR(s.+) b FROM t", "call read"],
  ["SELECT a OPERATOR(pg_catalog.+) b FROM t", "read"],
  ["SELECT 1 WHERE 1 OPERATOR(s.=) ANY (SELECT a FROM t)", "call read"],
  ["SELECT a FROM t ORDER BY a USING OPERATOR(s.<)", "call read"],
  ["SELECT * FROM pg_authid", "administer read"],
  ["SELECT * FROM pg_catalog.pg_shadow", "administer read"],
  ["SELECT * FROM pg_hba_file_rules", "read server"],
  ["SELECT * FROM pg_largeobject", "read server"],
  ["SELECT a INTO b FROM t", "define read"],
  ["SELECT a INTO TEMP b FROM t", "define read"],
  ["SELECT a INTO b FROM t UNION SELECT c FROM u", "define read"],
  ["(SELECT a INTO b FROM t) UNION ALL SELECT c FROM u EXCEPT SELECT d FROM v", "define read"],
  ["INSERT INTO t VALUES (1)", "insert"],
  ["INSERT INTO t (a, b) VALUES (1, 2), (3, 4)", "insert"],
  ["INSERT INTO t DEFAULT VALUES", "insert"],
  ["INSERT INTO t SELECT * FROM u", "insert read"],
  ["INSERT INTO t VALUES ((SELECT max(a) FROM u))", "insert read"],
  ["INSERT INTO t VALUES (1) RETURNING id", "insert read"],
  ["INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "insert"],
  ["INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = excluded.a", "insert update"],
  ["WITH x AS (SELECT 1 AS a) INSERT INTO t SELECT a FROM x", "insert read"],
  ["UPDATE t SET a = 1", "update-"],
  ["UPDATE t SET a = 1 WHERE id = 2", "update"],
  ["UPDATE t SET a = 1 WHERE id = 2 RETURNING a", "read update"],
  ["UPDATE t SET a = u.a FROM u WHERE u.id = t.id", "read update"],
  ["UPDATE t SET a = 1 WHERE true", "update~"],
  ["UPDATE t SET a = (SELECT 1) WHERE id = 1", "read update"],
  ["DELETE FROM t", "delete-"],
  ["DELETE FROM t WHERE id = 1", "delete"],
  ["DELETE FROM t WHERE id = $1", "delete"],
  ["DELETE FROM t WHERE $1", "delete~"],
  ["DELETE FROM t WHERE 1 = 0", "delete"],
  ["DELETE FROM t WHERE false", "delete"],
  ["DELETE FROM t WHERE id > -1", "delete"],
  ["DELETE FROM t WHERE id = 1 OR 1 = 1", "delete~"],
  ["DELETE FROM t WHERE NOT (CASE WHEN id > 1 THEN false ELSE false END)", "delete~"],
  ["DELETE FROM t WHERE NOT COALESCE(id <> id, false)", "delete~"],
  ["DELETE FROM t WHERE NOT EXISTS (SELECT 1 WHERE id <> id)", "delete~ read"],
  ["DELETE FROM t WHERE (EXISTS (SELECT 1 WHERE (id < id) IS NOT FALSE)) = false", "delete~ read"],
  ["DELETE FROM t WHERE id NOT IN (SELECT id WHERE id <> id)", "delete~ read"],
  ["DELETE FROM t WHERE (SELECT false WHERE id <> id) IS NULL", "delete~ read"],
  ["DELETE FROM t WHERE (SELECT id WHERE id <> id) IS NULL", "delete~ read"],
  ["DELETE FROM t WHERE (SELECT id WHERE id = id)::text = id::text", "delete~ read"],
  ["DELETE FROM t WHERE CASE WHEN id <> id THEN id END IS NULL", "delete~"],
  ["DELETE FROM t WHERE CASE WHEN id = 1 THEN id END IS NULL", "delete"],
  ["DELETE FROM t WHERE NOT EXISTS (SELECT count(*) WHERE id <> id)", "delete read"],
  ["DELETE FROM t WHERE NOT EXISTS (SELECT json_arrayagg(1) WHERE id <> id)", "delete read"],
  ["DELETE FROM t WHERE EXISTS (SELECT 1 WHERE id = 1)", "delete read"],
  ["DELETE FROM t WHERE (SELECT true WHERE id = 1)", "delete read"],
  ["DELETE FROM t WHERE NOT (CASE WHEN id > 1 THEN true ELSE false END)", "delete"],
  ["DELETE FROM t WHERE id = 1 AND 1 = 1", "delete"],
  ["DELETE FROM t WHERE a = b", "delete"],
  ["DELETE FROM t WHERE t.a = u.a", "delete"],
  ["DELETE FROM t USING u WHERE t.id = u.id", "delete read"],
  ["DELETE FROM t WHERE CURRENT OF c", "delete"],
  ["DELETE FROM t WHERE id IN (SELECT id FROM u)", "delete read"],
  ["DELETE FROM t WHERE name LIKE 'a%'", "delete"],
  ["DELETE FROM t WHERE a = 1 OR a <> 2", "delete"],
  ["DELETE FROM t WHERE a IS NULL", "delete"],
  ["WITH d AS (DELETE FROM t) SELECT 1", "delete- read"],
  ["WITH d AS (DELETE FROM t WHERE id = 1 RETURNING *) INSERT INTO u SELECT * FROM d", "delete insert read"],
  ["WITH a AS (UPDATE t SET x = 1), b AS (DELETE FROM u WHERE id = 1) SELECT 1", "delete read update-"],
  [
    "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)",
    "insert read update",
  ],
  ["MERGE INTO t USING u ON t.id = u.id WHEN MATCHED AND t.a = 1 THEN DELETE", "delete read"],
  ["MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", "delete~ read"],
  ["MERGE INTO t USING u ON t.id = u.id WHEN NOT MATCHED BY SOURCE THEN DELETE", "delete- read"],
  ["MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DO NOTHING", "read"],
  ["TRUNCATE t", "delete-"],
  ["TRUNCATE t, u CASCADE", "delete-"],
  ["COPY t TO STDOUT", "copy read"],
  ["COPY t (a, b) TO STDOUT WITH (FORMAT csv)", "copy read"],
  ["COPY (SELECT a FROM t) TO STDOUT", "copy read"],
  ["COPY (DELETE FROM t RETURNING *) TO STDOUT", "copy delete- read"],
  ["COPY t FROM STDIN", "copy insert"],
  ["COPY t FROM '/etc/passwd'", "copy insert server"],
  ["COPY t TO '/tmp/x'", "copy read server"],
  ["COPY t FROM PROGRAM 'id'", "copy insert server"],
  ["COPY t FROM PROGRAM ''", "copy insert server"],
  ["COPY (SELECT 1) TO PROGRAM 'sh'", "copy read server"],
  ["CREATE TABLE t (a int)", "define"],
  ["CREATE TABLE t AS SELECT * FROM u", "define read"],
  ["CREATE TABLE t AS EXECUTE p", "call define"],
  ["CREATE VIEW v AS SELECT * FROM t", "define read"],
  ["CREATE MATERIALIZED VIEW v AS SELECT * FROM t", "define read"],
  ["REFRESH MATERIALIZED VIEW v", "define"],
  ["CREATE INDEX CONCURRENTLY i ON t (lower(a))", "define"],
  ["CREATE INDEX i ON t (my_function(a))", "call define"],
  ["CREATE SCHEMA s CREATE TABLE t (a int) GRANT SELECT ON t TO PUBLIC", "administer define define"],
  ["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "call define"],
  ["CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'lib', 'f'", "call define server"],
  ["CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS 'x'", "call define server"],
  [
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET standard_conforming_strings = off AS 'SELECT 1'",
    "!statement-reading",
  ],
  ["CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = x AS 'SELECT 1'", "call define"],
  ["CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", "call call define"],
  ["CREATE RULE r AS ON INSERT TO t DO INSTEAD DELETE FROM u", "define delete-"],
  ["CREATE TYPE m AS ENUM ('a')", "define"],
  ["CREATE DOMAIN d AS int", "define"],
  ["CREATE SEQUENCE s", "define"],
  ["CREATE POLICY p ON t", "define"],
  ["CREATE OPERATOR === (leftarg = int, rightarg = int, function = f)", "call call define"],
  ["ALTER TABLE t ADD COLUMN a int", "define"],
  ["ALTER TABLE t OWNER TO x", "define"],
  ["ALTER TABLE t REPLICA IDENTITY FULL", "define"],
  ["ALTER TABLE t RENAME TO u", "define"],
  ["ALTER TYPE m ADD VALUE 'b'", "define"],
  ["DROP TABLE a.t, u", "define"],
  ["DROP INDEX i", "define"],
  ["DROP FUNCTION f", "define"],
  ["DROP EXTENSION x", "administer define"],
  ["DROP OWNED BY x", "administer define"],
  ["COMMENT ON TABLE t IS 'x'", "define"],
  ["REINDEX TABLE t", "define"],
  ["CREATE ROLE r", "administer"],
  ["ALTER ROLE r SUPERUSER", "administer"],
  ["ALTER ROLE r RENAME TO s", "administer define"],
  ["ALTER ROLE r SET standard_conforming_strings = off", "!statement-reading"],
  ["ALTER ROLE r SET search_path = x", "administer"],
  ["DROP ROLE r", "administer"],
  ["GRANT SELECT ON t TO r", "administer"],
  ["REVOKE ALL ON t FROM r", "administer"],
  ["GRANT a TO b", "administer"],
  ["ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO r", "administer"],
  ["REASSIGN OWNED BY a TO b", "administer"],
  ["VACUUM t", "administer"],
  ["ANALYZE t", "administer"],
  ["CLUSTER t", "administer"],
  ["CHECKPOINT", "administer"],
  ["LOAD 'x'", "administer server"],
  ["CREATE EXTENSION x", "administer"],
  ["CREATE DATABASE d", "administer define"],
  ["DROP DATABASE d", "administer define"],
  ["ALTER DATABASE d SET backslash_quote = on", "!statement-reading"],
  ["ALTER DATABASE d SET work_mem = 1", "administer"],
  ["ALTER SYSTEM SET work_mem = 1", "administer"],
  ["ALTER SYSTEM SET escape_string_warning = off", "!statement-reading"],
  ["SECURITY LABEL ON TABLE t IS 'x'", "administer"],
  ["CREATE TABLESPACE s LOCATION '/x'", "administer server"],
  ["CREATE SERVER s FOREIGN DATA WRAPPER w", "administer server"],
  ["CREATE USER MAPPING FOR x SERVER s", "administer server"],
  ["CREATE FOREIGN TABLE t (a int) SERVER s", "define server"],
  ["IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b", "administer server"],
  ["CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", "administer server"],
  ["CREATE PUBLICATION p FOR ALL TABLES", "administer"],
  ["CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION f()", "administer call call"],
  ["DO 'BEGIN END'", "call"],
  ["DO LANGUAGE plpython3u 'x'", "call server"],
  ["CALL p(1)", "call"],
  ["UPDATE pg_class SET relname = 'x' WHERE oid = 1", "administer update"],
  ["INSERT INTO pg_catalog.pg_proc VALUES (1)", "administer insert"],
  ["UPDATE pg_settings SET setting = 'off' WHERE name = 'x'", "!statement-reading"],
  ["CREATE VIEW v AS SELECT * FROM pg_catalog.pg_settings", "!statement-reading"],
  ["SELECT * FROM pg_settings", "read"],
  ["SET application_name = 'x'", ""],
  ["SET SESSION statement_timeout = 5", ""],
  ["SET LOCAL timezone = 'UTC'", ""],
  ["SET TIME ZONE 'UTC'", ""],
  ["SET extra_float_digits = 3", ""],
  ["SET search_path = a, b", "session"],
  ["SET my.thing = 'x'", "session"],
  ["SET row_security = off", "session"],
  ["SET client_encoding = 'UTF8'", ""],
  ["SET CLIENT_ENCODING TO 'utf-8'", ""],
  ["SET NAMES 'UTF8'", ""],
  ["SET NAMES 'latin1'", "!statement-reading"],
  ["SET client_encoding = 'SJIS'", "!statement-reading"],
  ["SET client_encoding TO DEFAULT", ""],
  ["RESET Client_Encoding", ""],
  ["CREATE FUNCTION f() RETURNS int LANGUAGE sql SET client_encoding FROM CURRENT RETURN 1", "!statement-reading"],
  ["SET standard_conforming_strings = on", ""],
  ["SET standard_conforming_strings = off", "!statement-reading"],
  ['SET "Standard_Conforming_Strings" = off', "!statement-reading"],
  ["SET LOCAL backslash_quote = on", "!statement-reading"],
  ["RESET standard_conforming_strings", "!statement-reading"],
  ["RESET application_name", ""],
  ["RESET search_path", "session"],
  ["RESET ALL", "session"],
  ["DISCARD ALL", "session"],
  ["SET ROLE x", "session"],
  ["RESET ROLE", "session"],
  ["SET SESSION AUTHORIZATION x", "session"],
  ["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", ""],
  ["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", ""],
  ["SET TRANSACTION SNAPSHOT 'x'", "session"],
  ["SET CONSTRAINTS ALL DEFERRED", ""],
  ["SHOW ALL", ""],
  ["SHOW server_version", ""],
  ["BEGIN", ""],
  ["START TRANSACTION READ ONLY", ""],
  ["COMMIT AND CHAIN", ""],
  ["ROLLBACK", ""],
  ["SAVEPOINT a", ""],
  ["ROLLBACK TO a", ""],
  ["RELEASE a", ""],
  ["PREPARE TRANSACTION 'x'", "session"],
  ["COMMIT PREPARED 'x'", "session"],
  ["ROLLBACK PREPARED 'x'", "session"],
  ["LISTEN a", "session"],
  ["NOTIFY a, 'b'", "session"],
  ["UNLISTEN *", ""],
  ["LOCK TABLE t IN ACCESS EXCLUSIVE MODE", "session"],
  ["PREPARE p AS SELECT * FROM t", "read"],
  ["PREPARE p AS DELETE FROM t", "delete-"],
  ["EXECUTE p(1)", "call"],
  ["DEALLOCATE ALL", ""],
  ["DECLARE c CURSOR FOR SELECT * FROM t", "read"],
  ["FETCH 10 FROM c", ""],
  ["MOVE c", ""],
  ["CLOSE c", ""],
  ["EXPLAIN SELECT * FROM t", "read"],
  ["EXPLAIN DELETE FROM t", "read"],
  ["EXPLAIN ANALYZE DELETE FROM t", "delete- read"],
  ["EXPLAIN (ANALYZE false) DELETE FROM t", "read"],
  ["EXPLAIN (ANALYZE) UPDATE t SET a = 1 WHERE id = 1", "read update"],
  ["EXPLAIN EXECUTE p", "call read"],
  ["EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1", "define read"],
  ["EXPLAIN SELECT my_function(1)", "call read"],
  ["SELECT 1; DELETE FROM t; COMMIT", "read; delete-; "],
  ["BEGIN; UPDATE t SET a = 1 WHERE id = 1; COMMIT;", "; update; "],
  [";", ""],
  ["-- nothing", ""],
  ["SELEC 1", "!unparsable"],
  ["SELECT 'a", "!unparsable"],
  ["CREATE PROPERTY GRAPH g", "!unparsable"],
  ["SELECT * FROM t WHERE a = ANY($1) AND b IN (1, 2)", "read"],
];

for (const [sql, expected] of ROWS)
  test(`${sql} is ${expected === "" ? "housekeeping" : expected}`, () => assert.equal(summary(sql), expected));

test("every whole-table and schema attack needs an action that a data policy does not allow", () => {
  for (const { name, sql } of WHOLE_TABLE_AND_DDL) {
    const isStopped = analyser.analyse(sql, CLEAN).statements.some(
      ({ operation }) =>
        operation.forbidden !== undefined ||
        operation.actions.some(({ name: action, facts }) => {
          const { where } = statementOf(facts);
          if (action === "sql.read" || action === "sql.insert") return false;
          if (action === "sql.update" || action === "sql.delete") return !where.present || where.tautology;
          return true;
        }),
    );
    assert.ok(isStopped, name);
  }
});

test("an unqualified name is judged as every relation of that name, the strictest together", () => {
  const data = {
    "public.customers": { labels: ["internal"], columns: { ssn: ["pii"] } },
    "sales.customers": { labels: [], columns: { card: ["payment"] } },
  };
  const scope = { data, catalog: CUSTOMER_CATALOG };
  assert.deepEqual(factsOf("SELECT id FROM customers", "sql.read", scope).tables, [
    { schema: "", name: "customers", labels: ["internal"], columnLabels: ["payment", "pii"], access: "read" },
  ]);
  assert.deepEqual(factsOf("SELECT id FROM sales.customers", "sql.read", scope).tables, [
    { schema: "sales", name: "customers", labels: [], columnLabels: ["payment"], access: "read" },
  ]);
  assert.deepEqual(factsOf("SELECT id FROM hr.customers", "sql.read", scope).tables, [
    { schema: "hr", name: "customers", labels: [], columnLabels: [], access: "read" },
  ]);
});

test("a view over labelled tables carries their labels", () => {
  const scope = { data: CUSTOMER_LABELS, catalog: CUSTOMER_CATALOG };
  assert.deepEqual(factsOf("SELECT id FROM contacts", "sql.read", scope).tables[0]?.["labels"], ["pii"]);
});

test("each action has the WHERE and the tables of its own part", () => {
  const sql = "WITH d AS (DELETE FROM a RETURNING id) UPDATE b SET x = 1, y = 2 FROM c WHERE b.id = c.id";
  const { where, tables } = factsOf(sql, "sql.delete");
  assert.deepEqual(where, { present: false, tautology: false });
  assert.deepEqual(
    tables.map(({ name, access }) => `${access} ${name}`),
    ["write a", "read a"],
  );
  const update = factsOf(sql, "sql.update");
  assert.deepEqual(update.where, { present: true, tautology: false });
  assert.deepEqual(update.columns, ["x", "y"]);
});

const VOLATILITIES: readonly (readonly [string, string])[] = [
  ["SELECT lower(a), pg_catalog.upper(a) FROM t", "lower immutable, upper immutable"],
  ["SELECT now(), now(), date_trunc('day', a) FROM t", "now stable, date_trunc stable"],
  ["SELECT random() FROM t WHERE a = clock_timestamp()", "random volatile, clock_timestamp volatile"],
  ["SELECT nextval('s'), pg_sleep(1), lo_get(1)", "nextval volatile, pg_sleep volatile, lo_get volatile"],
  [
    "SELECT f(), s.lower(a), query_to_xml('', true, true, '') FROM t",
    "f unknown, s.lower unknown, query_to_xml unknown",
  ],
  ["SELECT 1 OPERATOR(s.+) 2", "operator:s.+ unknown"],
];
for (const [sql, expected] of VOLATILITIES) {
  test(`policy is told how volatile the functions are of ${sql}`, () => {
    const { calls, functions } = factsOf(sql, "sql.read");
    assert.equal(calls.map(({ name, volatility }) => `${name} ${volatility}`).join(", "), expected);
    assert.deepEqual(
      calls.map(({ name }) => name),
      functions,
    );
  });
}

test("names are as PostgreSQL folds and decodes them", () => {
  const facts = factsOf('SELECT A, "B", U&"\\0063" FROM Sales.U&"\\0074", "T 2"', "sql.read");
  assert.deepEqual(facts.columns, ["a", "B", "c"]);
  assert.deepEqual(
    facts.tables.map(({ schema, name }) => `${schema}.${name}`),
    ["sales.t", ".T 2"],
  );
});

test("what stands behind a dot is a call where the catalog has a function of that name that takes a row", () => {
  const scope = { data: { "public.orders": { labels: [], columns: {} } }, catalog: CUSTOMER_CATALOG };
  assert.equal(summary("SELECT o.tell_of FROM orders o", scope), "call read");
  assert.equal(summary("SELECT (o).tell_of FROM orders o", scope), "call read");
  assert.equal(summary("DELETE FROM orders o WHERE o.id = 1 RETURNING o.tell_of", scope), "call delete read");
  const { functions, calls } = factsOf("SELECT o.tell_of FROM orders o", "sql.call", scope);
  assert.deepEqual(functions, ["tell_of"]);
  assert.deepEqual(calls, [{ name: "tell_of", volatility: "unknown" }]);
  for (const sql of ["SELECT o.note FROM orders o", "SELECT tell_of FROM orders", "SELECT id AS tell_of FROM orders"])
    assert.equal(summary(sql, scope), "read");
  assert.equal(summary("SELECT o.tell_of FROM orders o"), "read");
});

const NAMED: readonly (readonly [sql: string, action: string, table: string])[] = [
  ["COMMENT ON COLUMN s.t.a IS 'x'", "sql.define", "s.t"],
  ["SECURITY LABEL ON TABLE s.t IS 'x'", "sql.administer", "s.t"],
  ["ALTER EXTENSION e ADD TABLE s.t", "sql.administer", "s.t"],
  ["ALTER EXTENSION e DROP VIEW t", "sql.administer", ".t"],
  ["ALTER SEQUENCE q OWNED BY s.t.a", "sql.define", ".q s.t"],
  ["CREATE SEQUENCE q OWNED BY t.a", "sql.define", ".q .t"],
  ["ALTER SEQUENCE q OWNED BY NONE", "sql.define", ".q"],
];
for (const [sql, action, expected] of NAMED) {
  test(`policy is told of the relations that are named in ${sql}`, () => {
    const { tables } = factsOf(sql, action);
    assert.equal(tables.map(({ schema, name }) => `${schema}.${name}`).join(" "), expected);
  });
}

test("a CTE hides a table only where it is in scope", () => {
  const tables = (sql: string) => factsOf(sql, "sql.read").tables.map(({ name }) => name);
  assert.deepEqual(tables("WITH t AS (SELECT 1) SELECT * FROM t"), []);
  assert.deepEqual(tables("WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b"), []);
  assert.deepEqual(
    tables("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a, b"),
    tables("SELECT * FROM b"),
  );
  assert.deepEqual(tables("WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a, b"), []);
  assert.deepEqual(
    tables("WITH t AS (WITH u AS (SELECT 1) SELECT * FROM u) SELECT * FROM u"),
    tables("SELECT * FROM u"),
  );
  assert.deepEqual(tables("WITH t AS (SELECT * FROM t) SELECT * FROM t"), ["t"]);
  assert.deepEqual(tables("WITH t AS (SELECT 1) SELECT * FROM public.t"), ["t"]);
  assert.deepEqual(tables("WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT 2 FROM t) SELECT * FROM t"), []);
  assert.deepEqual(tables("SELECT * FROM t WHERE EXISTS (WITH t AS (SELECT 1) SELECT * FROM t)"), ["t"]);
  assert.deepEqual(tables("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a, b"), ["b"]);
});

test("tables are found wherever they stand", () => {
  const rows: readonly (readonly [string, readonly string[]])[] = [
    [
      "SELECT (SELECT 1 FROM a), ARRAY(SELECT 1 FROM b) FROM c JOIN d ON EXISTS (SELECT 1 FROM e)",
      ["a", "b", "c", "d", "e"],
    ],
    ["SELECT 1 FROM a, LATERAL (SELECT 1 FROM b) x, ROWS FROM (unnest(ARRAY(SELECT 1 FROM c))) f", ["a", "b", "c"]],
    ["SELECT 1 ORDER BY (SELECT 1 FROM a) LIMIT (SELECT 1 FROM b) OFFSET (SELECT 1 FROM c)", ["a", "b", "c"]],
    ["SELECT sum(1) FILTER (WHERE EXISTS (SELECT 1 FROM a)) OVER (ORDER BY (SELECT 1 FROM b)) FROM c", ["a", "b", "c"]],
    ["SELECT JSON_OBJECT('k': (SELECT 1 FROM a)), xmlelement(name x, (SELECT 1 FROM b))", ["a", "b"]],
    ["SELECT * FROM JSON_TABLE((SELECT '1'::jsonb FROM a), '$' COLUMNS (x int PATH '$')) j", ["a"]],
    [
      "SELECT CASE WHEN 1 IN (SELECT 1 FROM a) THEN (SELECT 1 FROM b) END GROUP BY GROUPING SETS ((), ((SELECT 1 FROM c)))",
      ["a", "b", "c"],
    ],
    ["SELECT 1 FROM a TABLESAMPLE BERNOULLI ((SELECT 1 FROM b))", ["a", "b"]],
  ];
  for (const [sql, expected] of rows) {
    const found = factsOf(sql, "sql.read").tables.map(({ name }) => String(name));
    assert.deepEqual(found.sort(), expected, sql);
  }
});

test("effects tell the session what will come back", () => {
  const effects = (sql: string) => analyser.analyse(sql, CLEAN).statements[0]?.effects;
  const outline = (sql: string) => {
    const { definesSchema, copy, returnsRows } = effects(sql) ?? {};
    return [definesSchema, copy, returnsRows];
  };
  assert.deepEqual(outline("COPY t TO STDOUT"), [false, "out", false]);
  assert.deepEqual(outline("COPY t FROM STDIN"), [false, "in", false]);
  assert.deepEqual(outline("COPY t TO '/tmp/x'"), [true, "none", false]);
  assert.deepEqual(outline("SELECT 1"), [false, "none", true]);
  assert.equal(effects("SELECT 1 INTO t")?.returnsRows, false);
  assert.equal(effects("INSERT INTO t VALUES (1)")?.returnsRows, false);
  assert.equal(effects("INSERT INTO t VALUES (1) RETURNING a")?.returnsRows, true);
  assert.equal(effects("SHOW ALL")?.returnsRows, true);
  for (const sql of ["CREATE TABLE t (a int)", "DO ''", "SELECT f()", "GRANT a TO b", "SELECT 1 INTO t", "EXECUTE p"]) {
    assert.equal(effects(sql)?.definesSchema, true, sql);
  }
});

test("a text of several statements is cut without losing a character between them", () => {
  const texts = analyser
    .analyse("SELECT 'é;'; /* a */ SELECT 2 -- ;\n; SELECT 3", CLEAN)
    .statements.map(({ text }) => text);
  assert.deepEqual(texts, ["SELECT 'é;'", " /* a */ SELECT 2 -- ;\n", " SELECT 3"]);
});

test("EXECUTE is named, so that a policy can allow one", () => {
  assert.deepEqual(factsOf("EXECUTE report(1)", "sql.call").functions, ["execute:report"]);
});
