/** How a table of statements is spoken in each mode: statements in, cases out. */
import { client, join } from "../../kit/wire.ts";
import type { Talk } from "../wire/talk.ts";
import type { Case, Mode, Topic } from "./case.ts";

/** Statements of one Query or of one pipeline. */
const TOGETHER = 4;
const TEXT = { results: [0] };
const BINARY = { results: [1] };

export function casesOf(topic: Topic, mode: Mode): readonly Case[] {
  const { title, statements, undone = false } = topic;
  const size = mode === "multi" || mode === "pipelined" ? TOGETHER : 1;
  const cases: Case[] = [];
  for (let at = 0; at < statements.length; at += size) {
    const own = statements.slice(at, at + size);
    const number = at / size;
    cases.push({
      name: `${title}/${mode}/${number + 1}`,
      topic: title,
      mode,
      statements: own,
      play: async (stage) => {
        const talk = await stage.main();
        if (undone) await talk.query("BEGIN");
        await PLAYS[mode](talk, own, number);
        if (undone) await talk.query("ROLLBACK");
      },
    });
  }
  return cases;
}

type Play = (talk: Talk, statements: readonly string[], number: number) => Promise<void>;

const PLAYS: Readonly<Record<Mode, Play>> = {
  simple: (talk, [sql = ""]) => talk.query(sql),
  multi: (talk, statements) => talk.query(statements.join(";\n")),
  extended: (talk, [sql = ""]) => talk.ask(unnamed(sql, TEXT)),
  binary: (talk, [sql = ""]) => talk.ask(unnamed(sql, BINARY)),
  prepared,
  pipelined,
};

function unnamed(sql: string, results: typeof TEXT): Buffer {
  return join(
    client.parse("", sql),
    client.bind("", "", results),
    client.describe("P", ""),
    client.execute(""),
    client.sync(),
  );
}

/** As drivers do: some describe the statement, some the portal each time, some nothing. */
async function prepared(talk: Talk, [sql = ""]: readonly string[], number: number): Promise<void> {
  const name = `kept${number}`;
  const style = number % 3;
  const described = style === 0 ? [client.describe("S", name)] : [];
  const failures = talk.count("E");
  await talk.ask(join(client.parse(name, sql), ...described, client.sync()));
  if (talk.count("E") > failures) return;
  for (const results of [TEXT, { results: [number % 2] }]) {
    const portal = style === 1 ? [client.describe("P", "")] : [];
    await talk.ask(join(client.bind("", name, results), ...portal, client.execute(""), client.sync()));
  }
  await talk.ask(join(client.close("S", name), client.sync()));
}

/** Every third pipeline has a statement in its middle that fails; every second one is flushed between. */
async function pipelined(talk: Talk, statements: readonly string[], number: number): Promise<void> {
  const messages: Buffer[] = [];
  for (const [at, sql] of statements.entries()) {
    const name = number % 2 === 0 ? "" : `line${at}`;
    messages.push(client.parse(name, sql), client.bind(name, name, { results: [number % 2] }));
    if (number % 4 !== 3) messages.push(client.describe("P", name));
    messages.push(client.execute(name));
    if (number % 2 === 0) messages.push(client.flush());
    if (number % 3 === 2 && at === 1) messages.push(...failing(number));
  }
  await talk.ask(join(...messages, client.sync()));
  const names = statements.map((_, at) => client.close("S", `line${at}`));
  if (number % 2 === 1) await talk.ask(join(...names, client.sync()));
}

/** At Parse, at Bind, at Execute: after each of them the server skips to the Sync. */
function failing(number: number): readonly Buffer[] {
  switch (number % 9) {
    case 2:
      return [client.parse("bad", "SELECT missing FROM people")];
    case 5:
      return [client.parse("bad", "SELECT $1::int"), client.bind("", "bad", { values: ["no number"] })];
    default:
      return [client.parse("bad", "SELECT 1 / (id - id) FROM people"), client.bind("", "bad"), client.execute("")];
  }
}
