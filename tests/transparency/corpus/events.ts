/** What comes from the side: notifications, cancels, timeouts, locks, ends by the server, settings that change. */
import { setTimeout as wait } from "node:timers/promises";
import { client, join } from "../../kit/wire.ts";
import type { Stage } from "../wire/stage.ts";
import type { Talk } from "../wire/talk.ts";
import type { Conversation } from "./case.ts";
import { run } from "./pipelines.ts";

const { query, sync, parse, bind, execute } = client;

/** Until the server sleeps in this statement, so that all before it has been said. `mark` is a comment in it. */
function runs(stage: Stage, mark: string): Promise<void> {
  return stage.untilTrue(
    `SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%${mark}%' AND pid <> pg_backend_pid()`,
  );
}

async function cancelled(stage: Stage, talk: Talk, bytes: Buffer, mark: string): Promise<void> {
  const answered = talk.count("Z");
  talk.send(bytes);
  await runs(stage, mark);
  await stage.cancel(talk);
  await talk.until("Z", answered + 1);
}

/**
 * Until the server behind this connection has heard of a change. With which answer it reports that is chance, so that only what it
 * reports is compared, not where.
 */
async function untilReported(talk: Talk, name: string, value: string): Promise<void> {
  await talk.aside(async () => {
    for (let look = 0; look < LOOKS_MAX && talk.reported.get(name) !== value; look++) {
      await talk.query("SELECT 1");
      await wait(LOOK_EVERY_MS);
    }
  });
  talk.remark(`${name} is reported as ${talk.reported.get(name)}`);
}

const LOOK_EVERY_MS = 10;
const LOOKS_MAX = 500;

export const EVENTS: readonly Conversation[] = [
  {
    name: "notifications reach a connection at rest",
    statements: ["LISTEN news", "NOTIFY news, 'payload'"],
    play: async (stage) => {
      const [a, b] = [await stage.main(), await stage.open("b")];
      await b.query("LISTEN news");
      await a.query("NOTIFY news");
      await b.until("A", 1);
      await a.query("NOTIFY news, 'payload'; NOTIFY news, 'payload'; NOTIFY news, 'other'");
      await b.until("A", 3);
      await a.ask(join(run("SELECT pg_notify('news', 'extended')"), sync()));
      await b.until("A", 4);
      await a.query("BEGIN; NOTIFY news, 'undone'; ROLLBACK");
      await b.query("UNLISTEN news; SELECT 1");
    },
  },
  {
    name: "notifications wait for the end of a transaction",
    statements: ["LISTEN news", "NOTIFY news, 'late'"],
    play: async (stage) => {
      const [a, b] = [await stage.main(), await stage.open("b")];
      await b.query("LISTEN news");
      await b.query("BEGIN");
      await a.query("NOTIFY news, 'late'");
      await b.query("SELECT 'nothing yet'");
      await b.query("COMMIT");
      await b.until("A", 1);
      await b.query("NOTIFY news, 'to myself'; SELECT 'behind it'");
    },
  },
  {
    name: "a cancel ends a query",
    statements: ["SELECT pg_sleep(60) /* c1 */"],
    play: async (stage) => {
      const talk = await stage.main();
      await cancelled(stage, talk, query("SELECT pg_sleep(60) /* c1 */"), "c1 ");
      await talk.query("SELECT 'after it'");
    },
  },
  {
    name: "a cancel ends one statement of several and undoes the rest",
    statements: ["INSERT INTO scratch VALUES (8300); SELECT pg_sleep(60) /* c2 */; SELECT 1"],
    play: async (stage) => {
      const talk = await stage.main();
      const all = "INSERT INTO scratch VALUES (8300); SELECT pg_sleep(60) /* c2 */; SELECT 1";
      await cancelled(stage, talk, query(all), "c2 ");
      await talk.query("SELECT count(*) FROM scratch WHERE id = 8300");
    },
  },
  {
    name: "a cancel in a pipeline skips to the Sync",
    statements: ["SELECT pg_sleep(60) /* c3 */"],
    play: async (stage) => {
      const talk = await stage.main();
      const all = join(run("SELECT 1"), run("SELECT pg_sleep(60) /* c3 */"), run("SELECT 2"), sync());
      await cancelled(stage, talk, all, "c3 ");
      await talk.ask(join(run("SELECT 'after it'"), sync()));
    },
  },
  {
    name: "a cancel in a transaction leaves it failed",
    statements: ["BEGIN", "SELECT pg_sleep(60) /* c4 */", "ROLLBACK"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.query("BEGIN");
      await cancelled(stage, talk, query("SELECT pg_sleep(60) /* c4 */"), "c4 ");
      await talk.query("SELECT 1");
      await talk.query("ROLLBACK");
    },
  },
  {
    name: "a cancel of a connection at rest does nothing",
    statements: ["SELECT 'undisturbed'"],
    play: async (stage) => {
      const talk = await stage.open("b");
      await talk.query("SELECT 1");
      await stage.cancel(talk);
      await stage.untilTrue("SELECT true");
      await talk.query("SELECT 'undisturbed'");
    },
  },
  {
    name: "statement_timeout",
    statements: ["SET statement_timeout = 150", "SELECT pg_sleep(60)"],
    play: async (stage) => {
      const talk = await stage.open("b");
      await talk.query("SET statement_timeout = 150");
      await talk.query("SELECT pg_sleep(60)");
      await talk.ask(join(run("SELECT 1"), run("SELECT pg_sleep(60)"), run("SELECT 2"), sync()));
      await talk.query("BEGIN; SELECT 1; SELECT pg_sleep(60)");
      await talk.query("ROLLBACK");
      await talk.query("SET statement_timeout = 0; SELECT 'in time'");
    },
  },
  {
    name: "lock_timeout and NOWAIT",
    statements: [
      "SET lock_timeout = 40",
      "UPDATE tree SET label = 'x' WHERE id = 1",
      "SELECT 1 FROM tree WHERE id = 1 FOR UPDATE NOWAIT",
    ],
    play: async (stage) => {
      const [a, b] = [await stage.main(), await stage.open("b")];
      await a.query("BEGIN; SELECT id FROM tree WHERE id = 1 FOR UPDATE");
      await b.query("SET lock_timeout = 40");
      await b.query("UPDATE tree SET label = 'x' WHERE id = 1");
      await b.query("SELECT 1 FROM tree WHERE id = 1 FOR UPDATE NOWAIT");
      await b.query("SELECT id FROM tree WHERE id < 3 ORDER BY id FOR UPDATE SKIP LOCKED");
      await b.query("LOCK TABLE tree IN EXCLUSIVE MODE NOWAIT");
      await a.query("ROLLBACK");
    },
  },
  {
    name: "a waiter goes on when the other commits, and fails when serialised",
    statements: [
      "UPDATE scratch SET v = 'a' WHERE id = 30",
      "UPDATE scratch SET v = v || 'b' WHERE id = 30 RETURNING v",
    ],
    play: async (stage) => {
      const [a, b] = [await stage.main(), await stage.open("b")];
      await a.query("INSERT INTO scratch VALUES (8400, 'x')");
      for (const level of ["READ COMMITTED", "REPEATABLE READ"]) {
        await b.query(`BEGIN ISOLATION LEVEL ${level}; SELECT count(*) FROM scratch WHERE id = 8400`);
        await a.query("BEGIN; UPDATE scratch SET v = 'a' WHERE id = 8400");
        const answered = b.count("Z");
        b.send(query(`UPDATE scratch SET v = v || 'b' WHERE id = 8400 RETURNING v /* waits ${level} */`));
        await stage.untilTrue("SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
        await a.query("COMMIT");
        await b.until("Z", answered + 1);
        await b.query("ROLLBACK");
      }
      await a.query("DELETE FROM scratch WHERE id = 8400");
    },
  },
  {
    name: "idle_in_transaction_session_timeout ends the connection",
    statements: ["SET idle_in_transaction_session_timeout = 40"],
    play: async (stage) => {
      const talk = await stage.open("b");
      await talk.query("SET idle_in_transaction_session_timeout = 40");
      await talk.query("BEGIN");
      await talk.untilClosed();
    },
  },
  {
    name: "idle_session_timeout ends the connection",
    statements: ["SET idle_session_timeout = 40"],
    play: async (stage) => {
      const talk = await stage.open("b");
      await talk.query("SET idle_session_timeout = 40");
      await talk.untilClosed();
    },
  },
  {
    name: "transaction_timeout ends the connection",
    statements: ["SET transaction_timeout = 150"],
    from: 18,
    play: async (stage) => {
      const talk = await stage.open("b");
      await talk.query("SET transaction_timeout = 150");
      talk.send(query("BEGIN; SELECT pg_sleep(60)"));
      await talk.untilClosed();
    },
  },
  {
    name: "an administrator ends the connection at rest and at work",
    statements: ["SELECT pg_terminate_backend(pg_backend_pid())"],
    play: async (stage) => {
      const own = await stage.open("own");
      own.send(query("SELECT pg_terminate_backend(pg_backend_pid())"));
      await own.untilClosed();
      const rest = await stage.open("rest");
      await rest.query("SET application_name = 'to be ended'");
      await stage.untilTrue(
        "SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'to be ended'",
      );
      await rest.untilClosed();
      const work = await stage.open("work");
      work.send(query("SELECT pg_sleep(60) /* ended */"));
      await runs(stage, "ended ");
      await stage.untilTrue(
        "SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%/* ended */' AND pid <> pg_backend_pid()",
      );
      await work.untilClosed();
    },
  },
  {
    name: "an administrator ends the connection in a pipeline and in a copy",
    statements: ["COPY (SELECT pg_sleep(60) /* copied */) TO STDOUT", "COPY watched FROM STDIN"],
    play: async (stage) => {
      const line = await stage.open("line");
      line.send(run("SELECT 1"), run("SELECT pg_terminate_backend(pg_backend_pid())"), run("SELECT 2"), sync());
      await line.untilClosed();
      const copy = await stage.open("copy");
      copy.send(query("COPY (SELECT pg_sleep(60) /* copied */) TO STDOUT"));
      await runs(stage, "copied ");
      await stage.untilTrue(
        "SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'COPY%copied%'",
      );
      await copy.untilClosed();
      const fed = await stage.open("fed");
      await fed.query("SET application_name = 'fed'");
      fed.send(query("COPY watched FROM STDIN"));
      await fed.until("G");
      // Before it waits for data, it would say of another line that this was its place.
      await stage.untilTrue(
        "SELECT bool_or(wait_event = 'ClientRead' AND state = 'active') FROM pg_stat_activity WHERE application_name = 'fed'",
      );
      await stage.untilTrue(
        "SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'fed'",
      );
      await fed.untilClosed();
    },
  },
  {
    name: "settings that are reported when they change",
    statements: [
      "SET DateStyle = 'SQL, DMY'",
      "SET LOCAL timezone = 'Asia/Tokyo'",
      "SET application_name = 'reported'",
    ],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.query(
        "SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard'; SET application_name = 'reported'",
      );
      await talk.query("BEGIN; SET LOCAL timezone = 'Asia/Tokyo'; SELECT 1");
      await talk.query("COMMIT");
      await talk.ask(join(run("SET timezone = 'Europe/Paris'"), run("SELECT 1"), sync()));
      await talk.ask(join(run("SET timezone = 'Asia/Tokyo'"), run("SELECT 1 / 0"), sync()));
      await talk.query("SET SESSION AUTHORIZATION clerk");
      await talk.query("RESET SESSION AUTHORIZATION");
      await talk.query("SET default_transaction_read_only = on; RESET default_transaction_read_only");
      await talk.query("SET search_path = 'public', 'pg_catalog'; RESET search_path");
      await talk.query(
        "CREATE FUNCTION pg_temp.sets() RETURNS int LANGUAGE sql SET timezone = 'Asia/Tokyo' AS 'SELECT 1'; SELECT pg_temp.sets()",
      );
      await talk.query("RESET ALL");
    },
  },
  {
    name: "a setting that the server's administrator changes",
    statements: ["ALTER SYSTEM SET IntervalStyle = 'iso_8601'", "SELECT pg_reload_conf()"],
    play: async (stage) => {
      const [a, b] = [await stage.main(), await stage.open("b")];
      for (const [change, value] of [
        ["ALTER SYSTEM SET IntervalStyle = 'iso_8601'", "iso_8601"],
        ["ALTER SYSTEM RESET IntervalStyle", "postgres"],
      ]) {
        await a.query(change ?? "");
        await a.query("SELECT pg_reload_conf()");
        for (const talk of [a, b]) {
          await untilReported(talk, "IntervalStyle", value ?? "");
          await talk.query("SELECT interval '1 day'");
        }
      }
    },
  },
  {
    name: "greetings: what the server reports, by what the client asks for",
    statements: [],
    play: async (stage) => {
      for (const [name, parameters] of Object.entries(STARTUPS)) {
        const talk = await stage.open(name, { parameters, greeting: "compared" });
        await talk.query("SHOW DateStyle");
        await talk.query("SHOW application_name");
        await talk.query("SELECT timestamptz '2024-01-01 00:00+00', 1.1::float8 / 3");
      }
    },
  },
  {
    name: "what a trigger says and sets at the login",
    statements: ["CREATE EVENT TRIGGER greets ON login EXECUTE FUNCTION greets()"],
    from: 18,
    play: async (stage) => {
      const talk = await stage.main();
      const body = "BEGIN RAISE NOTICE 'welcome'; PERFORM set_config('timezone', 'Asia/Tokyo', false); END";
      await talk.query(
        `CREATE FUNCTION greets() RETURNS event_trigger LANGUAGE plpgsql AS '${body.replaceAll("'", "''")}'`,
      );
      await talk.query("CREATE EVENT TRIGGER greets ON login EXECUTE FUNCTION greets()");
      await stage.open("greeted", { greeting: "compared" });
      await talk.query("DROP EVENT TRIGGER greets; DROP FUNCTION greets");
    },
  },
  {
    name: "a session by protocol 3.2",
    statements: ["SELECT 'by 3.2'", "SELECT pg_sleep(60) /* c5 */"],
    play: async (stage) => {
      // Of version 18 on; an older server negotiates 3.0, and its cancel keys are shorter.
      const talk = await stage.open("newer", { protocol: 0x0003_0002, greeting: "compared" });
      await talk.query("SELECT 'by 3.2'");
      await talk.ask(
        join(parse("s", "SELECT id FROM tree ORDER BY id"), bind("p", "s"), execute("p", 3), execute("p"), sync()),
      );
      await cancelled(stage, talk, query("SELECT pg_sleep(60) /* c5 */"), "c5 ");
      await talk.query("LISTEN own; NOTIFY own, 'x'; SELECT 1");
    },
  },
  {
    name: "logins by versions and with options that nobody speaks yet",
    statements: ["SELECT 'negotiated'"],
    play: async (stage) => {
      for (const [protocol, parameters] of [
        [0x0003_0001, {}],
        [0x0003_0009, {}],
        [0x0003_0000, { "_pq_.magic": "1", "_pq_.more": "" }],
        [0x0003_0002, { "_pq_.magic": "1" }],
      ] as const) {
        const talk = await stage.open("asks", { protocol, parameters, greeting: "compared" });
        await talk.query("SELECT 'negotiated'");
      }
    },
  },
];

const STARTUPS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  plain: {},
  named: { application_name: "a client of its own" },
  dated: { DateStyle: "German", TimeZone: "Europe/Berlin", IntervalStyle: "iso_8601" },
  digits: { extra_float_digits: "2", client_min_messages: "error" },
  ascii: { client_encoding: "SQL_ASCII" },
  timed: { statement_timeout: "5000", lock_timeout: "100", default_transaction_isolation: "serializable" },
};
