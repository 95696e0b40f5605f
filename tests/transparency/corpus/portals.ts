/** Portals: rows in parts, several at once, over the end of a series and of a transaction. */
import { client, join } from "../../kit/wire.ts";
import type { Conversation } from "./case.ts";
import { run } from "./pipelines.ts";

const { parse, bind, describe, execute, close, flush, sync } = client;
const ROWS = "SELECT id, label FROM tree ORDER BY id LIMIT 5";

export const PORTALS: readonly Conversation[] = [
  ...[1, 2, 5, 6].flatMap((rows) =>
    [0, 1].map(
      (format): Conversation => ({
        name: `${rows} rows at a time, format ${format}`,
        statements: [ROWS],
        play: async (stage) => {
          const talk = await stage.main();
          await talk.query("BEGIN");
          await talk.ask(join(parse("", ROWS), bind("p", "", { results: [format] }), describe("P", "p"), sync()));
          for (let part = 0; part < 7; part++) await talk.ask(join(execute("p", rows), sync()));
          await talk.ask(join(execute("p"), close("P", "p"), sync()));
          await talk.query("COMMIT");
        },
      }),
    ),
  ),
  {
    name: "parts without a description, in one series",
    statements: [ROWS],
    play: async (stage) => {
      const parts = [execute("p", 2), execute("p", 2), execute("p", 2), execute("p", 2)];
      const talk = await stage.main();
      await talk.ask(join(parse("", ROWS), bind("p", ""), ...parts, sync()));
      await talk.ask(join(parse("", ROWS), bind("p", ""), ...parts.flatMap((part) => [part, flush()]), sync()));
      await talk.ask(join(parse("s", ROWS), describe("S", "s"), bind("p", "s"), ...parts, sync()));
      await talk.ask(join(bind("p", "s", { results: [1, 0] }), ...parts, describe("P", "p"), sync()));
      await talk.ask(join(close("S", "s"), sync()));
    },
  },
  {
    name: "two portals of one statement, in turn",
    statements: [ROWS],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(join(run("BEGIN"), parse("s", ROWS), bind("a", "s"), bind("b", "s", { results: [1] }), sync()));
      for (const portal of ["a", "b", "b", "a", "a", "b"]) await talk.ask(join(execute(portal, 2), sync()));
      await talk.ask(join(describe("P", "a"), close("P", "a"), execute("b"), close("S", "s"), sync()));
      await talk.query("COMMIT");
    },
  },
  {
    name: "limits on what gives no rows, or gives them at once",
    statements: [
      "INSERT INTO watched VALUES (1, 'a'), (2, 'b'), (3, 'c') RETURNING id",
      "SHOW search_path",
      "UPDATE watched SET v = 'x'",
    ],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(join(run("BEGIN"), sync()));
      const insert = "INSERT INTO watched VALUES (1, 'a'), (2, 'b'), (3, 'c') RETURNING id";
      await talk.ask(join(parse("", insert), bind("p", ""), execute("p", 1), execute("p", 1), execute("p", 5), sync()));
      await talk.ask(join(parse("", "SHOW search_path"), bind("p2", ""), execute("p2", 1), execute("p2", 1), sync()));
      await talk.ask(
        join(parse("", "EXPLAIN (COSTS OFF) SELECT 1"), bind("p3", ""), execute("p3", 1), execute("p3"), sync()),
      );
      await talk.ask(join(parse("", "UPDATE watched SET v = 'x'"), bind("p4", ""), execute("p4", 2), sync()));
      await talk.ask(join(parse("", "VALUES (1), (2)"), bind("p5", ""), execute("p5", -1), sync()));
      await talk.query("ROLLBACK");
    },
  },
  {
    name: "a portal that fails in its second part",
    statements: ["SELECT 1 / (3 - n) FROM generate_series(1, 5) AS n"],
    play: async (stage) => {
      const talk = await stage.main();
      const sql = "SELECT 1 / (3 - n) FROM generate_series(1, 5) AS n";
      await talk.ask(
        join(run("BEGIN"), parse("", sql), bind("p", ""), execute("p", 2), execute("p", 2), execute("p"), sync()),
      );
      await talk.query("ROLLBACK");
    },
  },
  {
    name: "portals over savepoints",
    statements: ["SAVEPOINT a", "ROLLBACK TO a"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(
        join(run("BEGIN"), parse("s", ROWS), bind("before", "s"), execute("before", 1), run("SAVEPOINT a"), sync()),
      );
      await talk.ask(join(bind("inside", "s"), execute("inside", 1), sync()));
      await talk.query("ROLLBACK TO a");
      await talk.ask(join(execute("before", 1), sync()));
      await talk.query("COMMIT");
      await talk.ask(join(close("S", "s"), sync()));
    },
  },
  {
    name: "a holdable cursor read by Query between series",
    statements: [
      "DECLARE kept CURSOR WITH HOLD FOR SELECT id FROM docs ORDER BY id",
      "FETCH 3 FROM kept",
      "CLOSE kept",
    ],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(join(run("DECLARE kept CURSOR WITH HOLD FOR SELECT id FROM docs ORDER BY id"), sync()));
      for (const results of [[0], [1]]) {
        await talk.ask(
          join(parse("", "FETCH 3 FROM kept"), bind("", "", { results }), describe("P", ""), execute(""), sync()),
        );
        await talk.ask(
          join(
            parse("f", "FETCH 2 FROM kept"),
            describe("S", "f"),
            bind("", "f", { results }),
            execute(""),
            close("S", "f"),
            sync(),
          ),
        );
      }
      await talk.ask(join(run("CLOSE kept"), sync()));
    },
  },
  {
    name: "a cursor that is closed and declared otherwise between two fetches",
    statements: [
      "DECLARE c CURSOR FOR SELECT id FROM tree ORDER BY id",
      "DECLARE c CURSOR FOR SELECT label, id FROM tree ORDER BY id",
    ],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.query("BEGIN; DECLARE c CURSOR FOR SELECT id FROM tree ORDER BY id");
      await talk.ask(join(parse("f", "FETCH 2 FROM c"), describe("S", "f"), bind("", "f"), execute(""), sync()));
      await talk.query("CLOSE c; DECLARE c CURSOR FOR SELECT label, id FROM tree ORDER BY id");
      await talk.ask(join(bind("", "f"), describe("P", ""), execute(""), sync()));
      await talk.query("COMMIT");
      await talk.ask(join(close("S", "f"), sync()));
    },
  },
  {
    // psycopg 3 asks so for the columns of its server-side cursors.
    name: "a cursor declared in SQL, described and run by the protocol",
    statements: ["DECLARE said CURSOR FOR SELECT id, label FROM tree ORDER BY id"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.query("BEGIN; DECLARE said CURSOR FOR SELECT id, label FROM tree ORDER BY id");
      await talk.ask(join(describe("P", "said"), sync()));
      await talk.query("FETCH 2 FROM said");
      await talk.ask(join(describe("P", "said"), execute("said", 3), sync()));
      await talk.ask(join(close("P", "said"), sync()));
      await talk.query("COMMIT");
    },
  },
  {
    name: "10,000 rows, 7 at a time",
    statements: ["SELECT n, repeat('r', n % 50) FROM generate_series(1, 10000) AS n"],
    play: async (stage) => {
      const talk = await stage.main();
      const sql = "SELECT n, repeat('r', n % 50) FROM generate_series(1, 10000) AS n";
      await talk.ask(join(run("BEGIN"), parse("", sql), bind("p", ""), describe("P", "p"), sync()));
      for (let part = 0; part < 1_430; part += 10) {
        await talk.ask(join(...Array<Buffer>(10).fill(execute("p", 7)), sync()));
      }
      await talk.query("COMMIT");
    },
  },
  {
    name: "a procedure's commit ends what else the series has open",
    statements: ["CALL commits(2)"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(join(parse("s", ROWS), bind("p", "s"), execute("p", 1), sync()));
      await talk.query("CALL commits(2)");
      await talk.query("DELETE FROM scratch WHERE id > 1000");
      await talk.ask(join(close("S", "s"), sync()));
    },
  },
];
