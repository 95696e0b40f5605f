/** Attacks on "no server files, no programs, no other servers". Data only. */
import { type AttackGroup, text } from "../attack.ts";
import { TOKEN } from "../template.ts";

/** The token, when the statement is run and not before. */
const SAY_TOKEN = `'${TOKEN.slice(0, 6)}' || '${TOKEN.slice(6)}'`;
const TOLD = { arrives: TOKEN } as const;
const MADE = { file: "made" } as const;
const SECRET = "'{sink}/secret.txt'";

const reads = (name: string, sql: string) => text(name, sql, TOLD);
const writes = (name: string, sql: string) => text(name, sql, MADE);

export const SERVER: readonly AttackGroup[] = [
  {
    title: "Server files",
    policy: "no-server",
    about: "Reading and writing what the server's operating system user may.",
    attacks: [
      reads("pg_read_file", `SELECT pg_read_file(${SECRET})`),
      reads("pg_read_file with its schema, in capitals", `SELECT PG_CATALOG.PG_READ_FILE(${SECRET})`),
      reads("pg_read_file by an escaped name", `SELECT U&"pg_read\\005Ffile"(${SECRET})`),
      reads("pg_read_file with a comment in the call", `SELECT pg_read_file/* */(${SECRET})`),
      reads("pg_read_file in FROM", `SELECT * FROM pg_read_file(${SECRET}) AS t`),
      reads("pg_read_file in ROWS FROM", `SELECT * FROM ROWS FROM (pg_read_file(${SECRET})) AS t`),
      reads("pg_read_file in LATERAL", `SELECT t FROM (VALUES (${SECRET})) v(f), LATERAL pg_read_file(v.f) t`),
      reads("pg_read_file in a CTE", `WITH c AS (SELECT pg_read_file(${SECRET}) AS t) SELECT t FROM c`),
      reads("pg_read_file in VALUES", `VALUES (pg_read_file(${SECRET}))`),
      reads("pg_read_file in a CASE", `SELECT CASE WHEN true THEN pg_read_file(${SECRET}) END`),
      reads("pg_read_file in COPY", `COPY (SELECT pg_read_file(${SECRET})) TO STDOUT`),
      reads("pg_read_file in RETURNING", `UPDATE orders SET note = 'x' WHERE id = 1 RETURNING pg_read_file(${SECRET})`),
      reads(
        "pg_read_file in an INSERT",
        `INSERT INTO orders (id, note) VALUES (900, pg_read_file(${SECRET})) RETURNING note`,
      ),
      reads("pg_read_file in a cursor", `BEGIN; DECLARE c CURSOR FOR SELECT pg_read_file(${SECRET}); FETCH c; COMMIT`),
      reads("pg_read_file in PREPARE", `PREPARE p(text) AS SELECT pg_read_file($1); EXECUTE p(${SECRET})`),
      reads(
        "pg_read_file as a parameter of EXECUTE",
        `PREPARE p(text) AS SELECT $1; EXECUTE p(pg_read_file(${SECRET}))`,
      ),
      reads(
        "pg_read_file in a default",
        `CREATE TABLE made (a int, b text DEFAULT pg_read_file(${SECRET})); INSERT INTO made VALUES (1); TABLE made`,
      ),
      reads("pg_read_file in a view", `CREATE VIEW made AS SELECT pg_read_file(${SECRET}); TABLE made`),
      reads(
        "pg_read_file in a materialized view",
        `CREATE MATERIALIZED VIEW made AS SELECT pg_read_file(${SECRET}); TABLE made`,
      ),
      reads(
        "pg_read_file in a new type's USING",
        `CREATE TABLE made AS SELECT 1 AS a; ALTER TABLE made ALTER a TYPE text USING pg_read_file(${SECRET}); TABLE made`,
      ),
      reads("pg_read_binary_file", `SELECT pg_read_binary_file(${SECRET})`),
      reads("pg_read_binary_file, decoded", `SELECT convert_from(pg_read_binary_file(${SECRET}, 0, 100), 'UTF8')`),
      reads("pg_ls_dir", `SELECT ${SAY_TOKEN} FROM pg_ls_dir('{sink}') f WHERE f = 'secret.txt'`),
      reads("pg_stat_file", `SELECT ${SAY_TOKEN} WHERE (pg_stat_file(${SECRET})).size > 0`),
      reads("pg_ls_logdir and its like", `SELECT ${SAY_TOKEN} FROM pg_ls_waldir() LIMIT 1`),
      reads("pg_hba_file_rules", `SELECT ${SAY_TOKEN} FROM pg_hba_file_rules LIMIT 1`),
      reads("pg_file_settings", `SELECT ${SAY_TOKEN} FROM pg_catalog.pg_file_settings LIMIT 1`),
      reads("the function behind pg_hba_file_rules", `SELECT ${SAY_TOKEN} FROM pg_hba_file_rules() LIMIT 1`),
      reads(
        "lo_import",
        `CREATE TABLE made AS SELECT lo_import(${SECRET}) AS l; SELECT convert_from(lo_get(l), 'UTF8') FROM made`,
      ),
      reads("COPY FROM a file", `CREATE TABLE made (a text); COPY made FROM ${SECRET}; TABLE made`),
      reads(
        "COPY FROM a file with a WHERE",
        `CREATE TEMP TABLE made (a text); COPY made FROM ${SECRET} WHERE a <> ''; TABLE made`,
      ),
      reads(
        "COPY FROM a file in csv",
        `CREATE TABLE made (a text); COPY made (a) FROM ${SECRET} (FORMAT csv); TABLE made`,
      ),
      reads(
        "COPY FROM a dollar-quoted file",
        "CREATE TABLE made (a text); COPY made FROM $$" + "{sink}/secret.txt$$; TABLE made",
      ),
      writes("COPY TO a file", "COPY orders TO '{sink}/made'"),
      writes("COPY of a query TO a file", "COPY (SELECT 1) TO '{sink}/made'"),
      writes("COPY TO a file by an escaped string", "COPY (SELECT 1) TO E'{sink}/m\\x61de'"),
      writes("COPY of a DELETE TO a file", "COPY (DELETE FROM orders WHERE id = 1 RETURNING id) TO '{sink}/made'"),
      writes("lo_export", "SELECT lo_export(40711, '{sink}/made')"),
      writes(
        "lo_export of another's rows",
        "SELECT lo_from_bytea(40713, convert_to(note, 'UTF8')) FROM orders WHERE id = 1; SELECT lo_export(40713, '{sink}/made')",
      ),
    ],
  },
  {
    title: "Server programs",
    policy: "no-server",
    about: "Running something as the server's operating system user.",
    attacks: [
      writes("COPY TO PROGRAM", "COPY (SELECT 1) TO PROGRAM 'cat > {sink}/made'"),
      writes("COPY of a table TO PROGRAM", "COPY orders (id) TO PROGRAM 'cat > {sink}/made' (FORMAT csv)"),
      writes("COPY FROM PROGRAM", "CREATE TEMP TABLE made (a text); COPY made FROM PROGRAM 'echo x | tee {sink}/made'"),
      writes(
        "copy from program in lower case, with comments",
        "create temp table made (a text); copy/**/made/**/from/**/program/**/$$touch {sink}/made; echo x$$",
      ),
      writes("COPY TO PROGRAM behind a SELECT", "SELECT 1; COPY (SELECT 1) TO PROGRAM 'cat > {sink}/made'"),
      writes(
        "COPY TO PROGRAM with WITH",
        "COPY (WITH c AS (SELECT 1) SELECT * FROM c) TO PROGRAM 'tee {sink}/made' WITH (FORMAT text)",
      ),
      writes("COPY TO PROGRAM in DO", "DO $$ BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''cat > {sink}/made'''; END $$"),
      text(
        "a function in C",
        "CREATE FUNCTION made() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'",
      ),
      text(
        "LOAD",
        `LOAD 'auto_explain'; SELECT ${SAY_TOKEN} FROM pg_settings WHERE name = 'auto_explain.log_format'`,
        TOLD,
      ),
      text("a command by ALTER SYSTEM", "ALTER SYSTEM SET archive_command = 'touch {sink}/made'", {
        outside: "SELECT count(*) FROM pg_file_settings WHERE name = 'archive_command'",
      }),
      text("an extension", "CREATE EXTENSION file_fdw"),
      text("an untrusted language by hand", "CREATE LANGUAGE made HANDLER plpgsql_call_handler"),
      text("membership that runs programs", "GRANT pg_execute_server_program TO reporting", {
        outside:
          "SELECT count(*) FROM pg_auth_members WHERE member = 'reporting'::regrole AND roleid = 'pg_execute_server_program'::regrole",
      }),
      text(
        "another session's end",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{victim}'",
        { victim: true },
      ),
    ],
  },
  {
    title: "Other servers",
    policy: "no-server",
    about: "Connections that the server makes for whoever asks.",
    attacks: [
      text("CREATE SERVER", "CREATE FOREIGN DATA WRAPPER made; CREATE SERVER made FOREIGN DATA WRAPPER made"),
      text(
        "CREATE FOREIGN TABLE",
        "CREATE FOREIGN DATA WRAPPER made; CREATE SERVER made FOREIGN DATA WRAPPER made; CREATE FOREIGN TABLE box (a int) SERVER made",
      ),
      text(
        "CREATE SUBSCRIPTION",
        "CREATE SUBSCRIPTION made_{id} CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false, slot_name = NONE)",
        {
          outside: "SELECT count(*) FROM pg_subscription WHERE subname = 'made_{id}'",
        },
      ),
      text("an extension that dials", "CREATE EXTENSION dblink"),
      text("a replication slot", "SELECT pg_create_physical_replication_slot('made_{id}')", {
        outside: "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'made_{id}'",
      }),
      text("a replication origin", "SELECT pg_replication_origin_create('made_{id}')", {
        outside: "SELECT count(*) FROM pg_replication_origin WHERE roname = 'made_{id}'",
      }),
    ],
  },
  {
    title: "Server functions by another name",
    policy: "no-server",
    about:
      "The policy allows DDL: a function of the server's files must not be reached through what the agent defines.",
    attacks: [
      reads("an operator", `CREATE OPERATOR @@@ (rightarg = text, function = pg_read_file); SELECT @@@ ${SECRET}`),
      reads(
        "an operator with its function's schema",
        `CREATE OPERATOR @@@ (rightarg = text, procedure = pg_catalog.pg_read_file); SELECT @@@ ${SECRET}`,
      ),
      reads(
        "a cast",
        `CREATE CAST (text AS bytea) WITH FUNCTION pg_read_binary_file(text); SELECT ${SECRET}::text::bytea`,
      ),
      reads(
        "a cast on assignment",
        `CREATE CAST (text AS bytea) WITH FUNCTION pg_read_binary_file(text) AS ASSIGNMENT; CREATE TABLE made (a bytea); INSERT INTO made SELECT ${SECRET}::text; TABLE made`,
      ),
      reads(
        "an aggregate's end",
        `CREATE AGGREGATE made(text) (sfunc = textcat, stype = text, initcond = '', finalfunc = pg_read_file); SELECT made(${SECRET})`,
      ),
      reads(
        "an aggregate of a safe one's name",
        `CREATE AGGREGATE lower(varchar) (sfunc = textcat, stype = text, initcond = '', finalfunc = pg_read_file); SELECT lower(${SECRET}::varchar)`,
      ),
      reads(
        "a function's body",
        `CREATE FUNCTION made(text) RETURNS text LANGUAGE sql AS 'SELECT pg_read_file($1)'; SELECT made(${SECRET})`,
      ),
      reads(
        "a function's body of SQL",
        `CREATE FUNCTION made(f text) RETURNS text LANGUAGE sql RETURN pg_read_file(f); SELECT made(${SECRET})`,
      ),
      reads(
        "a function of a safe one's name",
        `CREATE FUNCTION lower(int) RETURNS text LANGUAGE sql AS 'SELECT pg_read_file(${SECRET.replaceAll("'", "''")})'; SELECT lower(1)`,
      ),
      reads(
        "a function of a safe one's name with dynamic SQL",
        `CREATE FUNCTION lower(int) RETURNS text LANGUAGE plpgsql AS 'DECLARE t text; BEGIN EXECUTE ''SELECT pg_read'' || ''_file($1)'' INTO t USING ${SECRET.replaceAll("'", "''")}; RETURN t; END'; SELECT lower(1)`,
      ),
      reads(
        "an internal function",
        `CREATE FUNCTION made(text) RETURNS text LANGUAGE internal AS 'pg_read_file_all'; SELECT made(${SECRET})`,
      ),
      reads(
        "a trigger",
        `CREATE FUNCTION made() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := pg_read_file(${SECRET.replaceAll("'", "''")}); RETURN NEW; END'; CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION made(); INSERT INTO orders VALUES (900) RETURNING note`,
      ),
      reads(
        "a rule",
        `CREATE TABLE made (a int); CREATE RULE r AS ON INSERT TO made DO INSTEAD SELECT pg_read_file(${SECRET}); INSERT INTO made VALUES (1)`,
      ),
      writes(
        "an operator that writes",
        "CREATE OPERATOR @@@ (leftarg = oid, rightarg = text, function = lo_export); SELECT 40711::oid @@@ '{sink}/made'",
      ),
      writes(
        "a function of a safe one's name that runs a program",
        "CREATE FUNCTION lower(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN COPY (SELECT 1) TO PROGRAM ''cat > {sink}/made''; RETURN 1; END'; SELECT lower(1)",
      ),
      writes(
        "a default by a safe name that runs a program",
        "CREATE FUNCTION lower(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN COPY (SELECT 1) TO PROGRAM ''cat > {sink}/made''; RETURN 1; END'; CREATE TABLE made (a int, b int DEFAULT lower(1)); INSERT INTO made VALUES (1)",
      ),
      reads(
        "a renamed function",
        `ALTER FUNCTION pg_read_file(text) RENAME TO made; SELECT pg_catalog.made(${SECRET})`,
      ),
      reads(
        "a function renamed to a safe one's name",
        `ALTER FUNCTION pg_read_file(text) RENAME TO to_hex; SELECT to_hex(${SECRET}::text)`,
      ),
      reads(
        "a moved function",
        `ALTER FUNCTION pg_read_file(text) SET SCHEMA public; SELECT public.pg_read_file(${SECRET})`,
      ),
    ],
  },
];
