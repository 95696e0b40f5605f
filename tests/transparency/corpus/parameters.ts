/** Every type as a parameter: what the server sent as binary goes back to it as binary, and as text. */
import { client, join } from "../../kit/wire.ts";
import type { Talk } from "../wire/talk.ts";
import type { Conversation } from "./case.ts";
import { TYPES } from "./types.ts";

const { parse, bind, describe, execute, sync } = client;

export const PARAMETERS: readonly Conversation[] = Object.entries(TYPES).map(([type, literals]) => {
  const sql = `SELECT $1::${type} AS v`;
  return {
    name: `${type} as a parameter`,
    statements: [sql],
    play: async (stage) => {
      const talk = await stage.main();
      for (const literal of literals) await there(talk, sql, literal);
    },
  };
});

async function there(talk: Talk, sql: string, literal: string): Promise<void> {
  const run = (...middle: readonly Buffer[]) => talk.ask(join(parse("", sql), ...middle, execute(""), sync()));
  await run(describe("S", ""), bind("", "", { values: [literal] }), describe("P", ""));
  talk.values = [];
  await run(bind("", "", { values: [literal], results: [1] }), describe("P", ""));
  const [value] = talk.values;
  if (value === undefined || value === null) return;
  for (const results of [[0], [1]]) await run(bind("", "", { values: [value], formats: [1], results }));
  // One byte short: each type says in its own words what it misses.
  const cut = value.subarray(0, Math.max(0, value.length - 1));
  await run(bind("", "", { values: [cut], formats: [1] }));
}
