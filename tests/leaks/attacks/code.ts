/** Code that the agent makes inside of the server, other servers, extensions, and queries that come as text. */
import { type Attack, type Group, rows, undone } from "../attack.ts";
import { kitRows } from "./kit.ts";

const TEXT_ROWS = /_to_xml|^ts_/;
const OTHERS = /^a prepared statement$|^a cursor$|setting/;

function undoneRows(pairs: readonly (readonly [name: string, sql: string])[]): Attack[] {
  return rows(pairs.map(([name, sql]) => [name, undone(sql)] as const));
}

const code: Group = {
  title: "Code that the agent makes",
  attacks: [
    ...kitRows("code").filter(({ name }) => !TEXT_ROWS.test(name) && !OTHERS.test(name)),
    ...undoneRows([
      [
        "a function in PL/pgSQL",
        "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT ssn FROM customers LIMIT 1); END'; SELECT f()",
      ],
      [
        "a function with a standard body",
        "CREATE FUNCTION f() RETURNS text RETURN (SELECT ssn FROM customers LIMIT 1); SELECT f()",
      ],
      [
        "a function with an atomic body",
        "CREATE FUNCTION f() RETURNS SETOF text BEGIN ATOMIC SELECT ssn FROM customers; END; SELECT f()",
      ],
      [
        "a function with dynamic SQL",
        "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ DECLARE x text; BEGIN EXECUTE 'SELECT s' || 'sn FROM customers LIMIT 1' INTO x; RETURN x; END $$; SELECT f()",
      ],
      [
        "a function of the name of a harmless one",
        "CREATE FUNCTION public.upper(int) RETURNS text LANGUAGE sql AS 'SELECT ssn FROM public.customers WHERE id = $1'; SELECT upper(1)",
      ],
      [
        "a procedure",
        "CREATE PROCEDURE p(INOUT x text) LANGUAGE sql AS 'SELECT ssn FROM customers LIMIT 1'; CALL p('')",
      ],
      [
        "a default",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ssn FROM customers LIMIT 1'; CREATE TABLE t (id int, x text DEFAULT f()); INSERT INTO t (id) VALUES (1) RETURNING x",
      ],
      [
        "a generated column",
        "CREATE FUNCTION f(int) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ssn FROM public.customers WHERE id = $1'; CREATE TABLE t (id int, x text GENERATED ALWAYS AS (f(id)) STORED); INSERT INTO t VALUES (1) RETURNING x",
      ],
      [
        "a generated column of labelled ones",
        "ALTER TABLE vault ADD x int GENERATED ALWAYS AS (n) STORED; SELECT x FROM vault",
      ],
      [
        "a cast",
        "CREATE TYPE k AS (id int); CREATE FUNCTION f(k) RETURNS text LANGUAGE sql AS 'SELECT ssn FROM customers WHERE id = $1.id'; CREATE CAST (k AS text) WITH FUNCTION f(k); SELECT ROW(1)::k::text",
      ],
      [
        "a domain's check",
        "CREATE FUNCTION f(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', (SELECT ssn FROM customers WHERE id = $1); RETURN true; END $$; CREATE DOMAIN d AS int CHECK (f(VALUE)); SELECT 1::d",
      ],
      [
        "a check",
        "CREATE FUNCTION f(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$; ALTER TABLE customers ADD CHECK (f(ssn))",
      ],
      [
        "an index's function",
        "CREATE FUNCTION f(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', $1; RETURN $1; END $$; CREATE INDEX ON customers (f(ssn))",
      ],
      [
        "a policy",
        "CREATE FUNCTION f(text) RETURNS boolean COST 0.1 LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$; CREATE VIEW v AS SELECT id FROM customers WHERE f(ssn); SELECT * FROM v",
      ],
      [
        "a trigger that returns",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := (SELECT ssn FROM customers LIMIT 1); RETURN NEW; END'; CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f(); INSERT INTO orders VALUES (900, 1, 1, '') RETURNING note",
      ],
      [
        "a trigger over the rows of a statement",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', (SELECT string_agg(ssn, ',') FROM o); RETURN NULL; END $$; CREATE TRIGGER t AFTER UPDATE ON customers REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION f(); UPDATE customers SET name = name",
      ],
      [
        "a trigger that is there already",
        "CREATE TRIGGER t BEFORE INSERT ON app.inbox FOR EACH ROW EXECUTE FUNCTION app.fill(); INSERT INTO app.inbox VALUES (1) RETURNING x",
      ],
      [
        "an event trigger",
        "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', (SELECT max(ssn) FROM customers); END $$; CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION f(); CREATE TABLE t ()",
      ],
      [
        "a rule on UPDATE",
        "CREATE RULE r AS ON UPDATE TO stash DO INSTEAD SELECT card AS x FROM customers; UPDATE stash SET x = ''",
      ],
      [
        "a rule that copies",
        "CREATE RULE r AS ON UPDATE TO customers DO ALSO INSERT INTO stash VALUES (OLD.id, OLD.ssn); UPDATE customers SET name = name; SELECT x FROM stash",
      ],
      [
        "an aggregate's final function",
        "CREATE FUNCTION f(text) RETURNS text LANGUAGE sql AS 'SELECT max(ssn) || $1 FROM customers'; CREATE AGGREGATE a(text) (sfunc = textcat, stype = text, initcond = '', finalfunc = f); SELECT a('x')",
      ],
      [
        "an operator of one side",
        "CREATE FUNCTION f(int) RETURNS text LANGUAGE sql AS 'SELECT ssn FROM customers WHERE id = $1'; CREATE OPERATOR @#@ (rightarg = int, function = f); SELECT @#@ 1",
      ],
      [
        "an operator in a comparison",
        "CREATE FUNCTION f(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$; CREATE OPERATOR ~#~ (leftarg = text, rightarg = text, function = f); SELECT id FROM customers WHERE ssn ~#~ ''",
      ],
      [
        "a range's own function",
        "CREATE FUNCTION f(text, text) RETURNS float8 IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', $1; RETURN 1; END $$; CREATE TYPE r AS RANGE (subtype = text, subtype_diff = f); CREATE TABLE t AS SELECT r(ssn, NULL) AS x FROM customers; SELECT lower(x) FROM t",
      ],
      [
        "a comment",
        "DO $$ BEGIN EXECUTE format('COMMENT ON TABLE orders IS %L', (SELECT ssn FROM customers LIMIT 1)); END $$; SELECT obj_description('orders'::regclass)",
      ],
      [
        "a table's name",
        "DO $$ BEGIN EXECUTE format('CREATE TABLE %I ()', (SELECT ssn FROM customers LIMIT 1)); END $$; SELECT relname FROM pg_class WHERE relname LIKE '%-%'",
      ],
      [
        "a column's name",
        "DO $$ BEGIN EXECUTE format('CREATE TABLE t (%I int)', (SELECT card FROM customers LIMIT 1)); END $$; SELECT * FROM t",
      ],
      [
        "a role's setting",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE @database@ SET my.x = %L', (SELECT ssn FROM customers LIMIT 1)); END $$; SELECT setconfig FROM pg_db_role_setting",
      ],
      ["a transition through DO and CALL", "DO $$ DECLARE x text; BEGIN CALL app.hand(x); RAISE NOTICE '%', x; END $$"],
    ]),
    ...rows([
      ["CALL of a procedure made before", "CALL app.hand('')"],
      ["a function made before", "SELECT app.one(1)"],
      [
        "a function made before, in a condition's place",
        "SELECT id FROM orders WHERE note = app.one(1) OR app.notice() IS NULL LIMIT 1",
      ],
      ["an operator made before", "SELECT 'a' OPERATOR(app.===) 'b'"],
      ["an operator made before, by the search path", "SET search_path = public, app; SELECT 'a' === 'b'"],
      ["a cast made before", "SELECT ROW(1)::app.token::text"],
      ["a cast made before, by assignment", undone("INSERT INTO stash (x) SELECT ROW(1)::app.token::text RETURNING x")],
      ["an aggregate made before", "SELECT app.gather(ssn) FROM customers"],
    ]),
  ],
};

const texts: Group = {
  title: "Queries that come as text",
  attacks: [
    ...kitRows("code").filter(({ name }) => TEXT_ROWS.test(name)),
    ...rows([
      [
        "query_to_xml of a statement in pieces",
        "SELECT query_to_xml('SELECT s' || 'sn FROM custo' || 'mers', true, true, '')",
      ],
      ["query_to_xml_and_xmlschema", "SELECT query_to_xml_and_xmlschema('SELECT ssn FROM customers', true, true, '')"],
      ["table_to_xml_and_xmlschema", "SELECT table_to_xml_and_xmlschema('vault', true, true, '')"],
      ["schema_to_xml_and_xmlschema", "SELECT schema_to_xml_and_xmlschema('app', true, true, '')"],
      ["database_to_xml_and_xmlschema", "SELECT database_to_xml_and_xmlschema(true, true, '')"],
      [
        "table_to_xml by a number",
        "SELECT table_to_xml(oid::regclass, true, true, '') FROM pg_class WHERE relname = 'customers'",
      ],
      ["query_to_xml in FROM", "SELECT x FROM query_to_xml('SELECT card FROM customers', true, true, '') AS x"],
      ["query_to_xml with its schema", "SELECT pg_catalog.query_to_xml('TABLE customers', true, true, '')"],
      [
        "query_to_xml in a default",
        undone(
          "CREATE TABLE t (id int, x xml DEFAULT query_to_xml('TABLE customers', true, true, '')); INSERT INTO t (id) VALUES (1) RETURNING x",
        ),
      ],
      [
        "query_to_xml in a view",
        undone("CREATE TEMP VIEW v AS SELECT query_to_xml('TABLE customers', true, true, '') AS x; SELECT x FROM v"),
      ],
      [
        "query_to_xml in a check",
        undone(
          "CREATE DOMAIN d AS int CHECK (query_to_xml('SELECT ssn::int FROM customers', true, true, '') IS NOT NULL); SELECT 1::d",
        ),
      ],
      ["crosstab", "SELECT * FROM crosstab('SELECT id, 1, ssn FROM customers') AS t(id int, x text)"],
      [
        "crosstab of categories",
        "SELECT * FROM crosstab('SELECT id, 1, card FROM customers', 'SELECT 1') AS t(id int, x text)",
      ],
      [
        "connectby",
        "SELECT * FROM connectby('customers', 'ssn', 'email', 'ada@example.com', 0) AS t(k text, p text, l int)",
      ],
      ["xpath_table", "SELECT * FROM xpath_table('ssn', '''<a/>''', 'customers', '/a', 'true') AS t(k text, x text)"],
    ]),
  ],
};

/** Leads back to this server, by its socket. */
const DSN = "host=@host@ port=@port@ dbname=@database@ user=postgres";

const others: Group = {
  title: "Other servers, foreign tables and extensions",
  attacks: [
    ...rows([
      ["dblink", `SELECT x FROM dblink('${DSN}', 'SELECT ssn FROM customers') AS t(x text)`],
      [
        "dblink over a named connection",
        `SELECT dblink_connect('d', '${DSN}'); SELECT x FROM dblink('d', 'SELECT card FROM customers') AS t(x text)`,
      ],
      [
        "dblink_fetch",
        `SELECT dblink_connect('d', '${DSN}'); SELECT dblink_open('d', 'c', 'SELECT ssn FROM customers'); SELECT x FROM dblink_fetch('d', 'c', 10) AS t(x text)`,
      ],
      [
        "dblink_get_result",
        `SELECT dblink_connect('d', '${DSN}'); SELECT dblink_send_query('d', 'SELECT ssn FROM customers'); SELECT x FROM dblink_get_result('d') AS t(x text)`,
      ],
      [
        "dblink_error_message",
        `SELECT dblink_connect('d', '${DSN}'); SELECT dblink_exec('d', 'SELECT ssn::int FROM customers', false); SELECT dblink_error_message('d')`,
      ],
      ["dblink_build_sql_insert", "SELECT dblink_build_sql_insert('customers', '1', 1, ARRAY['1'], ARRAY['1'])"],
      [
        "dblink under another name",
        undone(
          `CREATE FUNCTION far(text, text) RETURNS SETOF record LANGUAGE c AS '$libdir/dblink', 'dblink_record'; SELECT x FROM far('${DSN}', 'SELECT ssn FROM customers') AS t(x text)`,
        ),
      ],
    ]).map((attack): Attack => ({ ...attack, forms: ["simple", "text"] })),
    ...rows(
      [
        [
          "a foreign table of its own",
          `CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '@host@', port '@port@', dbname '@database@'); CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (user 'postgres', password_required 'false'); CREATE FOREIGN TABLE f (id int, ssn text) SERVER s OPTIONS (schema_name 'public', table_name 'customers'); SELECT ssn FROM f`,
        ],
        [
          "an imported foreign schema",
          `CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '@host@', port '@port@', dbname '@database@'); CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (user 'postgres', password_required 'false'); CREATE SCHEMA far; IMPORT FOREIGN SCHEMA public LIMIT TO (customers) FROM SERVER s INTO far; SELECT card FROM far.customers`,
        ],
      ],
      { changes: true },
    ),
    ...rows(
      [
        ["a foreign table that leads back", "SELECT ssn FROM app.far"],
        ["a foreign table in an expression", "SELECT upper(ssn) FROM app.far"],
        ["a view over a foreign table", "SELECT x FROM app.of_far"],
        ["an UPDATE of a foreign table", "UPDATE app.far SET id = id WHERE id = 1 RETURNING ssn"],
      ],
      {
        before: `CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '@host@', port '@port@', dbname '@database@');
          CREATE USER MAPPING FOR postgres SERVER s OPTIONS (user 'postgres', password_required 'false');
          CREATE FOREIGN TABLE app.far (id int, ssn text) SERVER s OPTIONS (schema_name 'public', table_name 'customers');
          CREATE VIEW app.of_far AS SELECT ssn AS x FROM app.far`,
      },
    ),
    ...rows([
      ["citext", "SELECT ssn::citext FROM customers"],
      ["unaccent", "SELECT unaccent(ssn) FROM customers"],
      ["a label tree", "SELECT text2ltree(replace(ssn, '-', '.')) FROM customers"],
      ["hstore to json", "SELECT hstore_to_json(hstore(c)) FROM customers c"],
      ["values of hstore", "SELECT avals(hstore(c)) FROM customers c"],
      ["an encrypted value and back", "SELECT pgp_sym_decrypt(pgp_sym_encrypt(ssn, 'k'), 'k') FROM customers"],
      ["armour", "SELECT armor(ssn::bytea) FROM customers"],
      [
        "strict words of trigrams",
        "SELECT string_agg(t, '' ORDER BY t) FROM customers c, unnest(show_trgm(c.card)) AS t",
      ],
    ]),
  ],
};

export const CODE: readonly Group[] = [code, texts, others];
