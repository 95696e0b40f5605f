/** The extended protocol message by message: order, errors in the middle, names, parameters, formats, empty things. */
import { client, join } from "../../kit/wire.ts";
import type { Talk } from "../wire/talk.ts";
import type { Conversation } from "./case.ts";

const { parse, bind, describe, execute, close, flush, sync, query } = client;

/** Parse, Bind and Execute of one statement. */
export function run(sql: string, options: { readonly name?: string; readonly rows?: number } = {}): Buffer {
  const { name = "", rows = 0 } = options;
  return join(parse(name, sql), bind(name, name), execute(name, rows));
}

/** Sends each with a Flush and waits for the message that answers it. */
async function step(talk: Talk, bytes: Buffer, answer: string): Promise<void> {
  const wanted = talk.count(answer) + 1;
  talk.send(bytes, flush());
  await talk.until(answer, wanted);
}

export const PIPELINES: readonly Conversation[] = [
  {
    name: "each message flushed and answered by itself",
    statements: ["SELECT id, label FROM tree WHERE id < 4 ORDER BY id"],
    play: async (stage) => {
      const talk = await stage.main();
      await step(talk, parse("s", "SELECT id, label FROM tree WHERE id < 4 ORDER BY id"), "1");
      await step(talk, describe("S", "s"), "T");
      await step(talk, bind("p", "s"), "2");
      await step(talk, describe("P", "p"), "T");
      await step(talk, execute("p"), "C");
      await step(talk, close("P", "p"), "3");
      await step(talk, close("S", "s"), "3");
      await talk.ask(sync());
    },
  },
  {
    name: "messages byte by byte",
    statements: ["SELECT 'one byte at a time'"],
    play: async (stage) => {
      const talk = await stage.main();
      talk.socket.setNoDelay(true);
      for (const byte of join(run("SELECT 'one byte at a time'"))) talk.send(Buffer.of(byte));
      await talk.ask(sync());
    },
  },
  {
    name: "five series in one write, the second and fourth fail",
    statements: ["SELECT 1", "SELECT missing", "SELECT 3", "SELECT 1 / 0", "SELECT 5"],
    play: async (stage) => {
      const all = ["SELECT 1", "SELECT missing", "SELECT 3", "SELECT 1 / 0", "SELECT 5"];
      await (await stage.main()).ask(join(...all.flatMap((sql) => [run(sql), sync()])), 5);
    },
  },
  {
    name: "an implicit transaction is undone by the error behind it",
    statements: [
      "INSERT INTO scratch VALUES (8000, 'lost')",
      "SELECT 1 / 0",
      "SELECT count(*) FROM scratch WHERE id = 8000",
    ],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(
        join(run("INSERT INTO scratch VALUES (8000, 'lost')"), run("SELECT 1 / 0"), run("SELECT 2"), sync()),
      );
      await talk.query("SELECT count(*) FROM scratch WHERE id = 8000");
    },
  },
  {
    name: "a transaction in one pipeline, committed",
    statements: [
      "BEGIN",
      "INSERT INTO scratch VALUES (8001, 'kept')",
      "SAVEPOINT a",
      "DELETE FROM scratch WHERE id = 8001",
      "ROLLBACK TO a",
      "COMMIT",
    ],
    play: async (stage) => {
      const talk = await stage.main();
      const all = [
        "BEGIN",
        "INSERT INTO scratch VALUES (8001, 'kept')",
        "SAVEPOINT a",
        "DELETE FROM scratch WHERE id = 8001",
      ];
      await talk.ask(join(...[...all, "ROLLBACK TO a", "COMMIT"].map((sql) => run(sql)), sync()));
      await talk.query("DELETE FROM scratch WHERE id = 8001 RETURNING *");
    },
  },
  {
    name: "a failed transaction refuses all until it is rolled back",
    statements: ["BEGIN", "SELECT 1 / 0", "SELECT 'refused'", "ROLLBACK"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(join(run("BEGIN"), run("SELECT 1 / 0"), sync()));
      await talk.ask(join(run("SELECT 'refused'"), sync()));
      await talk.ask(join(parse("later", "SELECT 1"), sync()));
      await talk.ask(join(run("ROLLBACK"), sync()));
      await talk.ask(join(run("SELECT 'again'"), sync()));
    },
  },
  {
    name: "a Query behind messages without Sync",
    statements: ["SELECT 1 AS first", "SELECT 2 AS second"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(join(run("SELECT 1 AS first"), query("SELECT 2 AS second")));
      await talk.ask(
        join(run("INSERT INTO scratch VALUES (8002)"), query("SELECT count(*) FROM scratch WHERE id = 8002")),
      );
      await talk.ask(join(run("SELECT missing"), query("SELECT 'skipped'"), sync()));
      await talk.query("DELETE FROM scratch WHERE id = 8002");
    },
  },
  {
    name: "Sync and Flush alone",
    statements: [],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(join(sync(), sync(), sync()), 3);
      await talk.ask(join(flush(), flush(), sync()));
    },
  },
  {
    name: "empty statements",
    statements: ["", "  ;  ", "-- nothing"],
    play: async (stage) => {
      const talk = await stage.main();
      for (const sql of ["", "  ;  ", "-- nothing"]) {
        await talk.ask(join(parse("", sql), describe("S", ""), bind("", ""), describe("P", ""), execute(""), sync()));
      }
      await talk.ask(query("; SELECT 1; ; SELECT 2;"));
    },
  },
  {
    name: "several statements in one Parse",
    statements: ["SELECT 1; SELECT 2"],
    play: async (stage) => (await stage.main()).ask(join(run("SELECT 1; SELECT 2"), sync())),
  },
  {
    name: "the unnamed statement and names that come again",
    statements: ["SELECT 1 AS a", "SELECT 2 AS b"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(join(parse("", "SELECT 1 AS a"), sync()));
      await talk.ask(join(bind("", ""), describe("P", ""), execute(""), sync()));
      await talk.ask(join(parse("", "SELECT 2 AS b"), bind("", ""), execute(""), bind("", ""), execute(""), sync()));
      await talk.ask(join(parse("n", "SELECT 1 AS a"), parse("n", "SELECT 2 AS b"), sync()));
      await talk.ask(join(bind("", "n"), execute(""), sync()));
      await talk.ask(join(close("S", "n"), parse("n", "SELECT 2 AS b"), bind("", "n"), execute(""), sync()));
      await talk.ask(join(close("S", "n"), close("S", "n"), close("P", "none"), close("S", ""), sync()));
      await talk.ask(join(run("BEGIN"), parse("n", "SELECT 3"), bind("p", "n"), bind("p", "n"), sync()));
    },
  },
  {
    name: "DEALLOCATE and DISCARD behind the protocol's back",
    statements: ["DEALLOCATE ALL", "DEALLOCATE kept", "DISCARD ALL"],
    play: async (stage) => {
      const talk = await stage.main();
      for (const sql of ["DEALLOCATE ALL", "DEALLOCATE kept", "DISCARD ALL"]) {
        await talk.ask(join(parse("kept", "SELECT 1"), bind("", "kept"), execute(""), sync()));
        await talk.query(sql);
        await talk.ask(join(bind("", "kept"), execute(""), sync()));
      }
    },
  },
  {
    name: "statements of the protocol run by EXECUTE in SQL",
    statements: ["EXECUTE kept (20)"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(join(parse("kept", "SELECT $1::int * 2 AS twice"), sync()));
      await talk.query("EXECUTE kept (20)");
      await talk.query("SELECT name, statement, from_sql FROM pg_prepared_statements WHERE name = 'kept'");
      await talk.query("DEALLOCATE kept");
    },
  },
  {
    name: "statements of SQL's PREPARE, described, bound and run by the protocol",
    statements: [
      "PREPARE made (int) AS SELECT id, label FROM tree WHERE id < $1 ORDER BY id",
      "PREPARE puts AS INSERT INTO watched VALUES (1, 'x')",
    ],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.query("PREPARE made (int) AS SELECT id, label FROM tree WHERE id < $1 ORDER BY id");
      await talk.ask(join(describe("S", "made"), sync()));
      for (const results of [[0], [1]]) {
        await talk.ask(join(bind("", "made", { values: ["4"], results }), describe("P", ""), execute(""), sync()));
        await talk.ask(join(bind("p", "made", { values: ["4"], results }), execute("p", 2), execute("p"), sync()));
      }
      await talk.query("PREPARE puts AS INSERT INTO watched VALUES (1, 'x')");
      await talk.ask(join(bind("", "puts"), execute(""), sync()));
      await talk.query("DELETE FROM watched; DEALLOCATE ALL");
      await talk.ask(join(bind("", "made", { values: ["4"] }), execute(""), sync()));
    },
  },
  {
    name: "names that stand for nothing",
    statements: [],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(join(bind("", "nothing"), execute(""), sync()));
      await talk.ask(join(describe("S", "nothing"), sync()));
      await talk.ask(join(describe("P", "nothing"), sync()));
      await talk.ask(join(run("SELECT 1"), bind("", "nothing"), run("SELECT 2"), sync()));
      await talk.ask(join(parse("bad", "SELECT missing"), sync()));
      await talk.ask(join(bind("", "bad"), execute(""), sync()));
      await talk.ask(join(bind("", 'odd "name"; DROP'), execute(""), sync()));
    },
  },
  {
    name: "a plan that may not change its result",
    statements: ["CREATE TEMP TABLE moves (a int)", "SELECT * FROM moves", "ALTER TABLE moves ADD b text"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.query("CREATE TEMP TABLE moves (a int)");
      await talk.ask(join(parse("m", "SELECT * FROM moves"), describe("S", "m"), bind("", "m"), execute(""), sync()));
      await talk.query("ALTER TABLE moves ADD b text; INSERT INTO moves VALUES (1, 'x')");
      await talk.ask(join(bind("", "m"), describe("P", ""), execute(""), sync()));
      await talk.ask(join(bind("", "m"), execute(""), sync()));
      await talk.ask(join(describe("S", "m"), sync()));
      await talk.query("DROP TABLE moves");
      await talk.ask(join(bind("", "m"), execute(""), sync()));
    },
  },
  {
    name: "a table made and used in one pipeline",
    statements: [
      "CREATE TEMP TABLE fresh (a int)",
      "INSERT INTO fresh VALUES (1), (2)",
      "SELECT * FROM fresh",
      "DROP TABLE fresh",
    ],
    play: async (stage) => {
      const all = [
        "CREATE TEMP TABLE fresh (a int)",
        "INSERT INTO fresh VALUES (1), (2)",
        "SELECT * FROM fresh",
        "DROP TABLE fresh",
      ];
      await (await stage.main()).ask(join(...all.map((sql) => run(sql)), sync()));
    },
  },
  {
    name: "what may not be in a pipeline",
    statements: ["VACUUM tree", "CREATE INDEX CONCURRENTLY late ON tree (label)", "CALL commits(2)"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(join(run("SELECT 1"), run("VACUUM tree"), sync()));
      await talk.ask(join(run("VACUUM tree"), sync()));
      await talk.ask(join(run("VACUUM tree"), run("SELECT 1"), run("SELECT 1 / 0"), sync()));
      await talk.ask(
        join(run("INSERT INTO scratch VALUES (8010)"), run("CREATE INDEX CONCURRENTLY late ON tree (label)"), sync()),
      );
      await talk.ask(join(run("CALL commits(2)"), sync()));
      await talk.query("DELETE FROM scratch WHERE id > 1000 RETURNING *");
    },
  },
  {
    name: "a pipeline of 700 statements before one Sync",
    statements: ["SELECT $1::int"],
    play: async (stage) => {
      const talk = await stage.main();
      const all = Array.from({ length: 700 }, (_, n) => join(bind("", "many", { values: [`${n}`] }), execute("")));
      await talk.ask(join(parse("many", "SELECT $1::int"), ...all, sync()));
      const failing = [...all.slice(0, 300), bind("", "many", { values: ["x"] }), ...all.slice(300)];
      await talk.ask(join(...failing, sync()));
      await talk.ask(join(close("S", "many"), sync()));
    },
  },
  {
    name: "500 series of one statement each in one write",
    statements: ["SELECT n FROM generate_series(1, 3) AS n"],
    play: async (stage) => {
      const one = join(run("SELECT n FROM generate_series(1, 3) AS n"), sync());
      await (await stage.main()).ask(join(...Array<Buffer>(500).fill(one)), 500);
    },
  },
  {
    name: "400 queries in one write",
    statements: ["SELECT 'one of 400'"],
    play: async (stage) => {
      await (await stage.main()).ask(join(...Array<Buffer>(400).fill(query("SELECT 'one of 400'"))), 400);
    },
  },
  {
    name: "200 named statements side by side",
    statements: Array.from({ length: 200 }, (_, n) => `SELECT ${n} AS s${n}`),
    play: async (stage) => {
      const talk = await stage.main();
      const numbers = Array.from({ length: 200 }, (_, n) => n);
      await talk.ask(join(...numbers.map((n) => parse(`s${n}`, `SELECT ${n} AS s${n}`)), sync()));
      await talk.ask(join(...numbers.map((n) => join(describe("S", `s${n}`), bind("", `s${n}`), execute(""))), sync()));
      await talk.ask(join(...numbers.map((n) => close("S", `s${n}`)), sync()));
    },
  },
  {
    name: "parameters: their number, their types, their formats",
    statements: ["SELECT $1::int, $2::text", "SELECT $1 + $2", "SELECT $2::int", "SELECT $1"],
    play: async (stage) => {
      const talk = await stage.main();
      const all = "SELECT $1::int, $2::text";
      const with_ = (options: Parameters<typeof bind>[2]) =>
        join(bind("", "", options), describe("P", ""), execute(""), sync());
      await talk.ask(join(parse("", all), describe("S", ""), with_({ values: ["7", null] })));
      for (const options of [
        { values: ["7"] },
        { values: ["7", "x", "more"] },
        { values: ["x", "y"] },
        { values: [null, ""] },
        { values: [Buffer.of(0, 0, 0, 9), "b"], formats: [1, 0] },
        { values: [Buffer.of(0, 0, 9), "b"], formats: [1, 0] },
        { values: [Buffer.of(0, 0, 0, 0, 9), "b"], formats: [1, 1] },
        { values: ["7", "b"], formats: [0, 0, 0] },
        { values: ["7", "b"], formats: [2] },
        { values: ["7", "b"], results: [0, 1] },
        { values: ["7", "b"], results: [1] },
        { values: ["7", "b"], results: [0, 0, 0] },
        { values: ["7", "b"], results: [5] },
        { values: ["7", Buffer.of(0xff, 0xfe)] },
        { values: ["7", Buffer.of(0x61, 0x00, 0x62)] },
        { values: ["7", "x".repeat(100_000)] },
      ]) {
        await talk.ask(join(parse("", all), with_(options)));
      }
      await talk.ask(join(parse("", "SELECT $1 + $2", [23, 0]), describe("S", ""), with_({ values: ["1", "2"] })));
      await talk.ask(join(parse("", "SELECT $1 + $2", [1700, 23]), describe("S", ""), with_({ values: ["1.5", "2"] })));
      await talk.ask(join(parse("", "SELECT $2::int"), describe("S", ""), sync()));
      await talk.ask(join(parse("", "SELECT $1", [23, 25, 25]), describe("S", ""), sync()));
      await talk.ask(join(parse("", "SELECT $1"), describe("S", ""), with_({ values: ["untyped"] })));
      await talk.ask(join(parse("", "SELECT $1", [999_999]), sync()));
      await talk.ask(
        join(
          parse("", "INSERT INTO scratch (id, v) VALUES ($1, $2) RETURNING *"),
          describe("S", ""),
          with_({ values: ["8100", "by parameter"] }),
        ),
      );
      await talk.ask(
        join(parse("", "DELETE FROM scratch WHERE id = $1"), describe("S", ""), with_({ values: ["8100"] })),
      );
      await talk.ask(
        join(parse("", "SELECT id FROM tree WHERE id = ANY ($1) ORDER BY id"), with_({ values: ["{3,1,2}"] })),
      );
      await talk.ask(
        join(parse("", "SELECT id FROM tree ORDER BY id LIMIT $1 OFFSET $2"), with_({ values: ["2", "3"] })),
      );
    },
  },
  {
    name: "1,600 columns, 3,200 columns, 5,000 parameters",
    statements: ["SELECT 0, 1, … 1599", "SELECT sum(n) FROM (VALUES ($1::int), … ($5000::int)) AS v(n)"],
    play: async (stage) => {
      const talk = await stage.main();
      const columns = Array.from({ length: 1_600 }, (_, n) => `${n}`).join(", ");
      await talk.ask(
        join(parse("", `SELECT ${columns}`), bind("", "", { results: [1] }), describe("P", ""), execute(""), sync()),
      );
      await talk.ask(join(run(`SELECT ${columns}, ${columns}`), sync()));
      const values = Array.from({ length: 5_000 }, (_, n) => `${n}`);
      const places = values.map((_, n) => `($${n + 1}::int)`).join(", ");
      await talk.ask(
        join(parse("", `SELECT sum(n) FROM (VALUES ${places}) AS v(n)`), bind("", "", { values }), execute(""), sync()),
      );
    },
  },
  {
    name: "goodbye inside of a transaction undoes it",
    statements: ["INSERT INTO scratch VALUES (8200)"],
    play: async (stage) => {
      const other = await stage.open("b");
      await other.query("BEGIN; INSERT INTO scratch VALUES (8200)");
      other.send(client.terminate());
      await other.untilClosed();
      await (await stage.main()).query("SELECT count(*) FROM scratch WHERE id = 8200");
    },
  },
  {
    name: "data of a copy where none is under way",
    statements: ["SELECT 'still here'"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(
        join(client.copyData("stray"), client.copyDone(), client.copyFail("stray"), query("SELECT 'still here'")),
      );
      await talk.ask(
        join(parse("", "SELECT 1"), client.copyData("stray"), bind("", ""), execute(""), client.copyDone(), sync()),
      );
    },
  },
];
