/** Much at once: rows, values, parameters and statements up to what the protocol and our limits take. */
import { client, join } from "../../kit/wire.ts";
import type { Conversation } from "./case.ts";

const { query, sync, parse, bind, describe, execute } = client;
const MIB = 1024 * 1024;

function extended(sql: string, results: readonly number[] = [0]): Buffer {
  return join(parse("", sql), bind("", "", { results }), describe("P", ""), execute(""), sync());
}

export const LARGE: readonly Conversation[] = [
  {
    name: "values of 1 KiB to 8 MiB",
    statements: [1, 8, 64, 512, 4_096, 8_192].map((size) => `SELECT repeat('k', ${size * 1024})`),
    play: async (stage) => {
      const talk = await stage.main();
      for (const size of [1, 8, 64, 512, 4_096, 8_192]) {
        await talk.query(`SELECT repeat('k', ${size * 1024})`);
        await talk.ask(extended(`SELECT repeat('k', ${size * 1024})`, [size % 2]));
      }
    },
  },
  {
    name: "100,000 rows",
    statements: ["SELECT n, md5(n::text), n * 1.5 FROM generate_series(1, 100000) AS n"],
    play: async (stage) => {
      const talk = await stage.main();
      const sql = "SELECT n, md5(n::text), n * 1.5 FROM generate_series(1, 100000) AS n";
      await talk.query(sql);
      await talk.ask(extended(sql, [1]));
    },
  },
  {
    name: "a row of 64 MB as text, by Query and by Execute",
    statements: ["SELECT 1, repeat('0123456789abcdef', 4194304), 2"],
    isLong: true,
    play: async (stage) => {
      const talk = await stage.main();
      await talk.query("SELECT 1, repeat('0123456789abcdef', 4194304), 2");
      await talk.ask(extended("SELECT 1, repeat('0123456789abcdef', 4194304), 2"));
      await talk.query("SELECT 'after it'");
    },
  },
  {
    name: "a row of 64 MB in binary, and one of 100 MB",
    statements: ["SELECT decode(repeat('00ff', 33554432), 'hex')", "SELECT repeat('x', 104857600)"],
    isLong: true,
    play: async (stage) => {
      const talk = await stage.main();
      await talk.ask(extended("SELECT decode(repeat('00ff', 33554432), 'hex')", [1]));
      await talk.ask(extended("SELECT repeat('x', 104857600)", [1]));
      await talk.query("COPY (SELECT repeat('c', 67108864)) TO STDOUT");
    },
  },
  {
    name: "parameters of 1 MiB and 60 MiB",
    statements: ["SELECT length($1::text), md5($1)"],
    isLong: true,
    play: async (stage) => {
      const talk = await stage.main();
      for (const size of [1, 60]) {
        const value = Buffer.alloc(size * MIB, "parameter ");
        const bound = bind("", "", { values: [value] });
        await talk.ask(
          join(parse("", "SELECT length($1::text), md5($1)"), bound, describe("P", ""), execute(""), sync()),
        );
      }
    },
  },
  {
    name: "statements of 100 KiB and 250 KiB",
    statements: ["SELECT length('… 100 KiB …')"],
    play: async (stage) => {
      const talk = await stage.main();
      for (const size of [100, 250]) {
        const sql = `SELECT length('${"s".repeat(size * 1024)}')`;
        await talk.ask(query(sql));
        await talk.ask(extended(sql));
      }
      const rows = Array.from({ length: 5_000 }, (_, n) => `(${n}, 'row number ${n}')`).join(", ");
      await talk.ask(query(`SELECT sum(n), max(t) FROM (VALUES ${rows}) AS v(n, t)`));
    },
  },
];
