/** Transactions, settings, cursors, copies and what the protocol alone can do. Harmless. Data only. */
import { client } from "../../kit/wire.ts";
import { type Harmless, type HarmlessGroup, type Said, statement } from "../attack.ts";

function series(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([...parts, client.sync()]);
}

function spoken(name: string, ...say: readonly Said[]): Harmless {
  return { name, means: { kind: "spoken", told: name, say } };
}

const BINARY = { results: [1] } as const;

export const SESSIONS: readonly HarmlessGroup[] = [
  {
    title: "Transactions and settings",
    policy: "no-ddl",
    statements: [
      statement("BEGIN; SELECT 1; COMMIT"),
      statement("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; SELECT id FROM orders WHERE id = 1; END"),
      statement("START TRANSACTION READ WRITE; UPDATE orders SET note = 'x' WHERE id = 1; ROLLBACK"),
      statement(
        "BEGIN; SAVEPOINT a; DELETE FROM orders WHERE id = 1; ROLLBACK TO SAVEPOINT a; RELEASE SAVEPOINT a; COMMIT",
      ),
      statement("BEGIN; SAVEPOINT a; SAVEPOINT b; INSERT INTO orders VALUES (1000); RELEASE a; ABORT"),
      statement(
        "BEGIN; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1; COMMIT AND CHAIN; SELECT 2; ROLLBACK AND NO CHAIN",
      ),
      statement("BEGIN; SET LOCAL statement_timeout = '5s'; SHOW statement_timeout; COMMIT"),
      statement("BEGIN; SET CONSTRAINTS ALL DEFERRED; SET CONSTRAINTS ALL IMMEDIATE; COMMIT"),
      statement("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED"),
      statement("SET application_name = 'reports'"),
      statement("SET application_name TO DEFAULT"),
      statement("SET client_encoding = 'UTF8'"),
      statement("SET NAMES 'utf-8'"),
      statement("SET client_min_messages TO warning"),
      statement("SET datestyle TO 'ISO, MDY'"),
      statement("SET intervalstyle = iso_8601"),
      statement("SET TIME ZONE 'Europe/Berlin'; SELECT timestamptz '2024-01-01 00:00+00'"),
      statement("SET timezone = 'UTC'"),
      statement("SET TIME ZONE LOCAL"),
      statement("SET extra_float_digits = 3; SELECT 0.1::float8"),
      statement("SET standard_conforming_strings = on"),
      statement("SET statement_timeout = 30000; SHOW statement_timeout"),
      statement("SET lock_timeout = '2s'"),
      statement("SET idle_in_transaction_session_timeout = '1min'"),
      statement("SET default_transaction_isolation = 'read committed'"),
      statement("SET default_transaction_read_only = off"),
      statement("SET bytea_output = 'hex'; SELECT '\\x41'::bytea"),
      statement("SET work_mem = '8MB'; SHOW work_mem"),
      statement("SET jit = off"),
      statement("SET geqo = on"),
      statement("SET synchronize_seqscans = off"),
      statement("SET lc_numeric = 'C'"),
      statement("RESET work_mem"),
      statement("RESET statement_timeout; RESET timezone"),
      statement("SELECT set_config('application_name', 'worker', false)"),
      statement("SELECT set_config('statement_timeout', '0', true)"),
      statement("SELECT set_config('timezone', 'UTC', false), current_setting('timezone')"),
      statement("SHOW server_version_num"),
      statement("SHOW search_path"),
      statement("SHOW TIME ZONE"),
      statement("SHOW transaction_isolation"),
      statement("SHOW ALL", "rows"),
      statement("SELECT current_setting('server_version_num')::int > 0, current_setting('no.such', true)"),
      statement("DEALLOCATE ALL"),
      statement("UNLISTEN *"),
      statement("PREPARE p(int) AS SELECT note FROM orders WHERE id = $1; DEALLOCATE p"),
      statement(
        "BEGIN; DECLARE c CURSOR FOR SELECT id FROM orders ORDER BY id; FETCH 3 FROM c; MOVE FORWARD 2 IN c; FETCH NEXT FROM c; CLOSE c; COMMIT",
      ),
      statement(
        "BEGIN; DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT id FROM orders ORDER BY id LIMIT 5; COMMIT; FETCH LAST FROM c; FETCH PRIOR FROM c; CLOSE ALL",
      ),
      statement(
        "BEGIN; DECLARE c BINARY SCROLL CURSOR FOR SELECT id FROM orders ORDER BY id; FETCH ABSOLUTE 4 FROM c; FETCH BACKWARD 2 FROM c; ROLLBACK",
      ),
      statement("COPY orders TO STDOUT"),
      statement("COPY orders (id, note) TO STDOUT WITH (FORMAT csv, HEADER, DELIMITER ';')"),
      statement("COPY (SELECT id, note FROM orders WHERE id < 4 ORDER BY id) TO STDOUT"),
      statement("COPY (SELECT id FROM orders ORDER BY id LIMIT 2) TO STDOUT (FORMAT binary)"),
      statement("COPY products (id, tags, info) TO STDOUT (FORMAT csv, FORCE_QUOTE *)"),
      statement("EXPLAIN (COSTS off) DELETE FROM orders WHERE id = 1"),
      statement("EXPLAIN (COSTS off) DELETE FROM orders"),
      statement("INSERT INTO orders (id, note) VALUES (1000, 'x'); DELETE FROM orders WHERE id = 1000"),
    ],
  },
  {
    title: "By the protocol",
    policy: "no-ddl",
    statements: [
      spoken(
        "a named statement, used three times",
        series(client.parse("s", "SELECT note FROM orders WHERE id = $1")),
        ...["1", "2", "3"].map((id) => series(client.bind("", "s", { values: [id] }), client.execute(""))),
      ),
      spoken(
        "a named statement, described and closed",
        series(client.parse("s", "SELECT note, amount FROM orders WHERE id = $1", [23]), client.describe("S", "s")),
        series(client.close("S", "s")),
      ),
      spoken(
        "a name that is given anew after Close",
        series(client.parse("s", "SELECT 1")),
        series(client.close("S", "s"), client.parse("s", "SELECT 2"), client.bind("", "s"), client.execute("")),
      ),
      spoken(
        "binary results",
        series(
          client.parse("", "SELECT id, note, amount::bigint FROM orders WHERE id = 5"),
          client.bind("", "", BINARY),
          client.describe("P", ""),
          client.execute(""),
        ),
      ),
      spoken(
        "binary parameters",
        series(
          client.parse("", "SELECT note FROM orders WHERE id = $1", [23]),
          client.bind("", "", { formats: [1], values: [Buffer.of(0, 0, 0, 9)] }),
          client.execute(""),
        ),
      ),
      spoken(
        "a portal in pieces",
        series(
          client.parse("", "SELECT id FROM orders ORDER BY id LIMIT 5"),
          client.bind("p", ""),
          client.execute("p", 2),
          client.execute("p", 2),
          client.execute("p", 2),
        ),
      ),
      spoken(
        "two portals in turn",
        "BEGIN",
        series(
          client.parse("s", "SELECT id FROM orders ORDER BY id"),
          client.bind("p", "s"),
          client.bind("q", "s"),
          client.execute("p", 2),
          client.execute("q", 1),
          client.execute("p", 1),
        ),
        "COMMIT",
      ),
      spoken(
        "a pipeline of writes",
        "BEGIN",
        series(
          ...["1000", "1001"].flatMap((id) => [
            client.parse("", "INSERT INTO orders (id) VALUES ($1)"),
            client.bind("", "", { values: [id] }),
            client.execute(""),
          ]),
          client.parse("", "SELECT count(*) FROM orders"),
          client.bind("", ""),
          client.execute(""),
        ),
        "ROLLBACK",
      ),
      spoken(
        "a pipeline of several Syncs",
        series(client.parse("", "SELECT 1"), client.bind("", ""), client.execute("")),
        series(client.parse("", "SELECT 2"), client.bind("", ""), client.execute("")),
      ),
      spoken(
        "a Flush before the Sync",
        series(client.parse("", "SELECT 1"), client.flush(), client.bind("", ""), client.execute(""), client.flush()),
      ),
      spoken(
        "an error and the skipped rest",
        series(
          client.parse("", "SELECT 1/0"),
          client.bind("", ""),
          client.execute(""),
          client.parse("", "SELECT 2"),
          client.bind("", ""),
          client.execute(""),
        ),
        "SELECT 'goes on'",
      ),
      spoken(
        "an empty statement",
        series(client.parse("", ""), client.bind("", ""), client.describe("P", ""), client.execute("")),
      ),
      spoken("a Sync alone", client.sync()),
      spoken(
        "COPY out in the extended protocol",
        series(
          client.parse("", "COPY (SELECT id FROM orders WHERE id < 3 ORDER BY id) TO STDOUT"),
          client.bind("", ""),
          client.execute(""),
        ),
      ),
      spoken(
        "a copy that the client gives up",
        Buffer.concat([
          client.query("COPY orders (id) FROM STDIN"),
          client.copyData("5000\n"),
          client.copyFail("enough"),
        ]),
      ),
      spoken(
        "a statement with forty parameters",
        series(
          client.parse(
            "",
            `SELECT id FROM orders WHERE id IN (${Array.from({ length: 40 }, (_, at) => `$${at + 1}`).join(", ")}) ORDER BY id`,
          ),
          client.bind("", "", { values: Array.from({ length: 40 }, (_, at) => `${at + 1}`) }),
          client.execute(""),
        ),
      ),
      spoken(
        "a NULL parameter",
        series(
          client.parse("", "SELECT $1::text IS NULL, coalesce($1, 'nothing')"),
          client.bind("", "", { values: [null] }),
          client.execute(""),
        ),
      ),
      spoken("a text of 200 KiB", `SELECT length('${"x".repeat(200 * 1024)}')`),
      spoken(
        "a list of 5,000 numbers",
        `SELECT count(*) FROM orders WHERE id IN (${Array.from({ length: 5_000 }, (_, at) => at).join(",")})`,
      ),
      spoken(
        "an INSERT of 1,000 rows",
        "BEGIN",
        `INSERT INTO orders (id, note) VALUES ${Array.from({ length: 1_000 }, (_, at) => `(${at + 10_000}, 'row ${at}')`).join(", ")}`,
        "ROLLBACK",
      ),
      spoken(
        "a statement in 30 lines with comments",
        `SELECT\n${Array.from({ length: 30 }, (_, at) => `  ${at} AS c${at}, -- column ${at}`).join("\n")}\n  1 AS last`,
      ),
      spoken("a server's error, then more", "SELECT nothing FROM orders", "SELECT 1"),
      spoken("a failed transaction, rolled back", "BEGIN", "SELECT 1/0", "SELECT 1", "ROLLBACK", "SELECT 2"),
    ],
  },
  {
    title: "Sessions where the policy lets them",
    policy: "no-whole-table",
    statements: [
      statement("LISTEN orders_changed; NOTIFY orders_changed, 'one'; UNLISTEN orders_changed", "rows"),
      statement("SELECT pg_notify('orders_changed', 'two')"),
      statement("SET search_path = public, hidden; SHOW search_path"),
      statement('SET search_path TO "$user", public'),
      statement("SELECT set_config('search_path', 'public', false)"),
      statement("BEGIN; SET LOCAL search_path = hidden; SELECT note FROM orders; COMMIT"),
      statement("SET ROLE reporting; SELECT current_user; RESET ROLE"),
      statement("SET SESSION AUTHORIZATION DEFAULT"),
      statement(
        "SET enable_seqscan = off; EXPLAIN (COSTS off) SELECT id FROM orders WHERE id = 1; RESET enable_seqscan",
      ),
      statement("SET synchronous_commit = off"),
      statement("SET my.tenant = '42'; SELECT current_setting('my.tenant')"),
      statement("BEGIN; LOCK TABLE orders IN SHARE MODE; SELECT count(*) FROM orders; COMMIT"),
      statement("DISCARD PLANS; DISCARD SEQUENCES; DISCARD TEMP"),
      statement("DISCARD ALL"),
      statement("RESET ALL"),
      spoken(
        "two phases",
        "BEGIN",
        "UPDATE orders SET note = 'x' WHERE id = 1",
        "PREPARE TRANSACTION 'harmless'",
        "ROLLBACK PREPARED 'harmless'",
      ),
      statement("SELECT nextval('order_numbers'), currval('order_numbers'), lastval()"),
      statement("SELECT setval('order_numbers', 100), setval('order_numbers', 5, false)"),
    ],
  },
];
