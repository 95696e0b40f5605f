/** COPY in both directions: every format, in Query and in the extended protocol, whole, failing and broken off. */
import { client, join, message } from "../../kit/wire.ts";
import type { Talk } from "../wire/talk.ts";
import type { Conversation } from "./case.ts";
import { run } from "./pipelines.ts";
import { TYPES } from "./types.ts";

const { query, sync, flush, copyData, copyDone, copyFail } = client;
const KINDS = Object.keys(TYPES).length;
const FORMATS = ["TEXT", "CSV", "BINARY"] as const;

const OUT = [
  "COPY people TO STDOUT",
  "COPY people (id, name) TO STDOUT WITH (FORMAT csv, HEADER)",
  "COPY people TO STDOUT WITH (FORMAT binary)",
  "COPY (SELECT id, label FROM tree ORDER BY id) TO STDOUT",
  "COPY (SELECT NULL, '', 'a\tb', E'line\\nbreak', '\\N', '\"quoted\"') TO STDOUT",
  "COPY (SELECT NULL, '', 'a,b', E'line\\nbreak', '\"quoted\"') TO STDOUT CSV",
  "COPY (SELECT NULL, '', 'x') TO STDOUT (FORMAT csv, NULL 'nil', DELIMITER ';', QUOTE '''', ESCAPE '!', FORCE_QUOTE *)",
  "COPY (SELECT 1, 'x') TO STDOUT (DELIMITER '|', NULL '-')",
  "COPY (SELECT 'é') TO STDOUT (ENCODING 'LATIN1')",
  "COPY (SELECT 1 WHERE false) TO STDOUT",
  "COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT binary)",
  "COPY (SELECT) TO STDOUT",
  "COPY (VALUES (1), (2)) TO STDOUT",
  "COPY (INSERT INTO watched VALUES (50, 'copied') RETURNING *) TO STDOUT",
  "COPY (SELECT 1 / (5 - id) FROM tree ORDER BY id) TO STDOUT",
  "COPY (SELECT shout('notice'), id FROM tree WHERE id < 4) TO STDOUT",
  "COPY grown TO STDOUT",
  "COPY events TO STDOUT",
  "COPY events_2023 TO STDOUT",
  "COPY (SELECT n, repeat('x', 1000) FROM generate_series(1, 3000) AS n) TO STDOUT",
  "COPY (SELECT repeat('long ', 400000)) TO STDOUT",
  "COPY docs TO STDOUT (HEADER, FORMAT text)",
];

/** A statement, and the data that the client sends. */
interface In {
  readonly sql: string;
  readonly data: readonly string[];
  readonly fail?: string;
}

const IN: readonly In[] = [
  { sql: "COPY watched FROM STDIN", data: ["1\tone\n2\ttwo\n", "3\t\\N\n"] },
  { sql: "COPY watched FROM STDIN", data: ["1\tone", "\n2\tt", "wo\n\\.\n"] },
  { sql: "COPY watched FROM STDIN", data: [] },
  { sql: "COPY watched (v) FROM STDIN", data: ["only\n"] },
  { sql: "COPY watched FROM STDIN CSV", data: ['1,"a ""b"", c"\n2,\n3,""\n'] },
  { sql: "COPY watched FROM STDIN (FORMAT csv, HEADER)", data: ["id,v\n1,x\n"] },
  { sql: "COPY watched FROM STDIN (FORMAT csv, HEADER MATCH)", data: ["id,other\n1,x\n"] },
  { sql: "COPY watched FROM STDIN WHERE id > 1", data: ["1\ta\n2\tb\n"] },
  { sql: "COPY watched FROM STDIN (DEFAULT 'd')", data: ["1\td\n"] },
  { sql: "COPY watched FROM STDIN (ON_ERROR ignore)", data: ["x\ta\n2\tb\n"] },
  { sql: "COPY watched FROM STDIN (FREEZE)", data: ["1\ta\n"] },
  { sql: "COPY watched FROM STDIN", data: ["no number\tx\n", "2\tnever read\n"] },
  { sql: "COPY watched FROM STDIN", data: ["1\ttoo\tmany\n"] },
  { sql: "COPY watched FROM STDIN", data: ["1\n"] },
  { sql: "COPY watched FROM STDIN", data: ["1\tone\n"], fail: "the client has thought better of it" },
  { sql: "COPY watched FROM STDIN", data: [], fail: "" },
  { sql: "COPY watched FROM STDIN (FORMAT binary)", data: ["no binary data at all"] },
  { sql: "COPY scratch (id, v) FROM STDIN", data: ["1\tclash\n"] },
  { sql: "COPY orders (id, person, amount) FROM STDIN", data: ["5000\t1\t-5\n"] },
  { sql: "COPY orders (id, person) FROM STDIN", data: ["5000\t4711\n"] },
  { sql: "COPY events FROM STDIN", data: ["1\t2024-05-05\trouted\n2\t2050-01-01\tlost\n"] },
  { sql: "COPY grown FROM STDIN", data: ["1\tx\t2000-01-01\n"] },
  { sql: "COPY missing FROM STDIN", data: ["1\n"] },
  { sql: "COPY watched FROM STDIN (ENCODING 'LATIN1')", data: ["1\tplain\n"] },
  { sql: "COPY watched FROM STDIN (FORMAT csv, NULL 'nil', DELIMITER ';')", data: ["1;nil\n2;x\n"] },
  { sql: "COPY watched FROM STDIN (FORMAT csv)", data: ['1,"never ended\n'] },
];

function dataOf({ data, fail }: In): Buffer {
  return join(...data.map((part) => copyData(part)), fail === undefined ? copyDone() : copyFail(fail));
}

/** Waits for the server to ask for data, as clients do; where it refuses at once there is nothing to send. */
async function feed(talk: Talk, copy: In): Promise<void> {
  const answered = talk.count("Z");
  talk.send(query(copy.sql));
  await first(talk, answered);
  if (talk.count("Z") === answered) await talk.ask(dataOf(copy));
}

/** Until the server asks for data or is ready for the next query. */
function first(talk: Talk, answered: number): Promise<void> {
  return talk.untilOneOf({ G: talk.count("G") + 1, Z: answered + 1 });
}

export const COPIES: readonly Conversation[] = [
  ...OUT.map(
    (sql): Conversation => ({
      name: sql,
      statements: [sql],
      play: async (stage) => {
        const talk = await stage.main();
        await talk.query("BEGIN");
        await talk.query(sql);
        await talk.query("ROLLBACK; BEGIN");
        await talk.ask(join(run(sql), sync()));
        await talk.query("ROLLBACK; BEGIN");
        await talk.ask(
          join(
            client.parse("c", sql),
            client.describe("S", "c"),
            client.bind("", "c"),
            client.describe("P", ""),
            client.execute(""),
            run("SELECT 'behind it'"),
            sync(),
          ),
        );
        await talk.query("ROLLBACK");
        await talk.ask(join(client.close("S", "c"), sync()));
      },
    }),
  ),
  ...IN.map(
    (copy, number): Conversation => ({
      name: `${copy.sql} (${number + 1})`,
      statements: [copy.sql],
      play: async (stage) => {
        const talk = await stage.main();
        const undo = "SELECT count(*), max(v) FROM watched; ROLLBACK; BEGIN";
        await talk.query("BEGIN");
        await feed(talk, copy);
        await talk.query(undo);
        // All at once, without waiting for the server to ask.
        await talk.ask(join(query(copy.sql), dataOf(copy)));
        await talk.query(undo);
        await talk.ask(join(run(copy.sql), dataOf(copy), sync()));
        await talk.query(undo);
        // As libpq does: a Sync with the Execute, which the server ignores, and another behind the data.
        await talk.ask(join(run(copy.sql), flush(), dataOf(copy), sync(), run("SELECT 'behind it'"), sync()), 2);
        await talk.query("SELECT count(*) FROM watched; ROLLBACK");
      },
    }),
  ),
  ...FORMATS.map(
    (format): Conversation => ({
      name: `every type out and in again as ${format}`,
      statements: [`COPY kind_n TO STDOUT (FORMAT ${format})`, `COPY kind_n FROM STDIN (FORMAT ${format})`],
      play: async (stage) => {
        const talk = await stage.main();
        for (let kind = 0; kind < KINDS; kind++) {
          talk.keepCopy();
          await talk.query(`COPY kind_${kind} (v, w) TO STDOUT (FORMAT ${format})`);
          const copied = talk.keptCopy();
          await talk.query("BEGIN");
          const answered = talk.count("Z");
          talk.send(query(`COPY kind_${kind} (v, w) FROM STDIN (FORMAT ${format})`));
          await first(talk, answered);
          if (talk.count("Z") === answered)
            await talk.ask(join(...copied.map((data) => message("d", data)), copyDone()));
          await talk.query(`SELECT v, w FROM kind_${kind}; ROLLBACK`);
        }
      },
    }),
  ),
  {
    name: "copies among other statements of one Query",
    statements: ["SELECT 1; COPY (VALUES (1), (2)) TO STDOUT; SELECT 2"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.query("SELECT 1; COPY (VALUES (1), (2)) TO STDOUT; SELECT 2; COPY (SELECT 'x') TO STDOUT CSV");
      await talk.ask(
        join(
          query(
            "BEGIN; COPY watched FROM STDIN; SELECT count(*) FROM watched; COPY watched FROM STDIN CSV; SELECT * FROM watched; ROLLBACK",
          ),
          copyData("1\ta\n"),
          copyDone(),
          copyData("2,b\n"),
          copyDone(),
        ),
      );
      await talk.ask(join(query("COPY watched FROM STDIN; SELECT 1"), copyData("bad\n"), copyDone()));
    },
  },
  {
    name: "Flush and Sync while data is sent",
    statements: ["COPY watched FROM STDIN"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.query("BEGIN");
      await talk.ask(
        join(query("COPY watched FROM STDIN"), copyData("1\ta\n"), flush(), copyData("2\tb\n"), sync(), copyDone()),
      );
      await talk.query("SELECT count(*) FROM watched; ROLLBACK");
    },
  },
  {
    name: "8 MB of data in many messages",
    statements: ["COPY copied_in FROM STDIN"],
    play: async (stage) => {
      const talk = await stage.main();
      await talk.query("CREATE TEMP TABLE copied_in (n int, v text)");
      talk.send(query("COPY copied_in FROM STDIN"));
      await talk.until("G");
      const lines = Array.from({ length: 8_000 }, (_, n) => copyData(`${n}\t${"x".repeat(1_000)}\n`));
      await talk.ask(join(...lines, copyDone()));
      await talk.query("SELECT count(*), sum(length(v)), max(n) FROM copied_in");
      await talk.query("COPY copied_in TO STDOUT (FORMAT binary)");
      await talk.query("DROP TABLE copied_in");
    },
  },
];
