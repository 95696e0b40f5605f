/**
 * What Sallyport is known to answer otherwise than the server, on purpose or for want of something better: each with
 * its reason, its remedy, and what both sides must be seen to say. Not part of the statements that must be equal.
 */
import { setTimeout as wait } from "node:timers/promises";
import { client, join, message } from "../../kit/wire.ts";
import type { Stage } from "../wire/stage.ts";
import type { Conversation } from "./case.ts";

const { query, sync, parse, bind, execute } = client;
const MIB = 1024 * 1024;

/** Of the names of these cases. */
export const STATED_PREFIX = "stated/";

export interface Stated extends Conversation {
  readonly why: string;
  readonly remedy: string;
  /** SQLSTATEs with the rule, and remarks, in order. */
  readonly direct: readonly string[];
  readonly guarded: readonly string[];
}

const asking =
  (...bytes: readonly Uint8Array[]) =>
  async (stage: Stage): Promise<void> => {
    await (await stage.main()).ask(join(...bytes));
    await stage.settle();
  };

const starting =
  (parameters: Readonly<Record<string, string>>) =>
  async (stage: Stage): Promise<void> => {
    await stage.open("started", { parameters, greeting: "compared" });
  };

const READING = "42501 built-in:statement-reading";
const UNPARSABLE = "42501 built-in:unparsable";
const NAME = "42501 built-in:unknown-name";

const unguarded: Pick<Stated, "why" | "remedy"> = {
  why: "the server would read later texts otherwise than the parser that judges them",
  remedy: "none needed by drivers of this century; convert at the client",
};
const unjudged: Pick<Stated, "why" | "remedy"> = {
  why: "what cannot be parsed cannot be judged, and is refused before the server sees it",
  remedy: "read 42501 with built-in:unparsable as a syntax error; its message has the place",
};
const limited: Pick<Stated, "why" | "remedy"> = {
  why: "what one session may cost is bounded",
  remedy: "split it; values go as parameters, rows by COPY",
};

export const STATED: readonly Stated[] = [
  {
    name: "a syntax error",
    statements: ["SELEC 1"],
    ...unjudged,
    direct: ["42601"],
    guarded: [UNPARSABLE],
    play: asking(query("SELEC 1")),
  },
  {
    name: "an escape that makes no character",
    statements: ["SELECT E'\\xff'"],
    ...unjudged,
    direct: ["22021"],
    guarded: [UNPARSABLE],
    play: asking(query("SELECT E'\\xff'")),
  },
  {
    name: "an expression nested 2,000 deep",
    statements: ["SELECT 1 + 1 + …"],
    ...limited,
    direct: [],
    guarded: [UNPARSABLE],
    play: asking(query(`SELECT ${"1 + ".repeat(2_000)}1`)),
  },
  {
    name: "a statement of 300 KiB",
    statements: ["SELECT length('… 300 KiB …')"],
    ...limited,
    direct: [],
    guarded: ["42501 built-in:statement-length"],
    play: asking(query(`SELECT length('${"s".repeat(300 * 1024)}')`)),
  },
  {
    name: "1,001 statements in one Query",
    statements: ["SELECT 1; …"],
    ...limited,
    direct: [],
    guarded: ["42501 built-in:too-many-statements"],
    play: asking(query("SELECT 1;".repeat(1_001))),
  },
  {
    name: "a parameter of 65 MiB",
    statements: ["SELECT length($1)"],
    isLong: true,
    ...limited,
    direct: [],
    guarded: ["08P01"],
    play: asking(
      parse("", "SELECT length($1)"),
      bind("", "", { values: [Buffer.alloc(65 * MIB, "p")] }),
      execute(""),
      sync(),
    ),
  },
  {
    name: "10,001 prepared statements at once",
    statements: ["SELECT 1"],
    isLong: true,
    ...limited,
    direct: [],
    guarded: ["42501 built-in:too-many-names"],
    play: async (stage) => {
      const talk = await stage.main();
      const all = Array.from({ length: 10_000 }, (_, n) => parse(`n${n}`, "SELECT 1"));
      await talk.aside(() => talk.ask(join(...all, sync())));
      await asking(parse("one more", "SELECT 1"), sync())(stage);
      await talk.aside(() => talk.query("DEALLOCATE ALL"));
    },
  },
  {
    name: "the unnamed statement and portal where there is none",
    statements: [],
    why: "one may be left over at the server of which Sallyport does not know any more",
    remedy: "read 42501 with built-in:unknown-name as 26000 or 34000",
    direct: ["34000", "26000"],
    guarded: [NAME, NAME],
    play: async (stage) => {
      const talk = await stage.open("b");
      await talk.ask(join(execute(""), sync()));
      await talk.ask(join(bind("", ""), execute(""), sync()));
    },
  },
  {
    name: "Execute of a portal that is not there",
    statements: [],
    why: "the same error, of another routine: Sallyport has the portal described before it runs",
    remedy: "none needed",
    direct: ["34000"],
    guarded: ["34000"],
    play: asking(execute("nothing"), sync()),
  },
  {
    name: "a client that closes its sending side and reads on",
    statements: ["SELECT 'half closed', pg_sleep(0.1)"],
    why: "it cannot be told from one that has died, and what nobody waits for is cancelled",
    remedy: "say goodbye by Terminate, behind the last answer, as every driver does",
    direct: ["answered"],
    guarded: ["not answered"],
    play: async (stage) => {
      const talk = await stage.open("half");
      talk.send(query("SELECT 'half closed', pg_sleep(0.1)"));
      talk.socket.end();
      await talk.untilClosed();
      talk.remark(talk.count("D") === 1 ? "answered" : "not answered");
    },
  },
  {
    name: "messages that no Sync or Flush follows",
    statements: ["SELECT pg_advisory_lock(4711)"],
    why: "what belongs together is judged together, up to the next Sync or Flush, or to 256 messages",
    remedy: "send Flush, as every driver does that waits for an answer",
    direct: ["runs at once"],
    guarded: ["waits"],
    play: async (stage) => {
      const [talk, other] = [await stage.open("b"), await stage.open("c")];
      talk.send(parse("", "SELECT pg_advisory_lock(4711)"), bind("", ""), execute(""));
      for (let look = 0; look < 50 && other.values[0]?.toString() !== "t"; look++) {
        await wait(10);
        await other.aside(() =>
          other.query("SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711"),
        );
      }
      other.remark(other.values[0]?.toString() === "t" ? "runs at once" : "waits");
      await talk.aside(() => talk.ask(sync()));
    },
  },
  {
    name: "the fast path for function calls",
    statements: [],
    why: "it names a function by its number, which no rule can see; large objects of libpq need it",
    remedy: "call functions by SELECT; lo_get, lo_put and lo_from_bytea do for large objects",
    direct: [],
    guarded: ["42501 built-in:function-call"],
    play: asking(client.functionCall(1_610)),
  },
  {
    name: "standard_conforming_strings = off",
    statements: ["SET standard_conforming_strings = off"],
    ...unguarded,
    direct: [],
    guarded: [READING],
    play: async (stage) => {
      const talk = await stage.open("b");
      await talk.query("SET standard_conforming_strings = off");
    },
  },
  {
    name: "another client_encoding",
    statements: ["SET client_encoding = 'LATIN1'"],
    ...unguarded,
    direct: [],
    guarded: [READING],
    play: async (stage) => {
      const talk = await stage.open("b");
      await talk.query("SET client_encoding = 'LATIN1'");
    },
  },
  {
    name: "set_config of a computed setting",
    statements: ["SELECT set_config('work' || '_mem', '1MB', false)"],
    ...unguarded,
    direct: [],
    guarded: [READING],
    play: asking(query("SELECT set_config('work' || '_mem', '1MB', false)")),
  },
  {
    name: "settings changed through pg_settings",
    statements: ["UPDATE pg_settings SET setting = '2MB' WHERE name = 'work_mem'"],
    ...unguarded,
    direct: [],
    guarded: [READING],
    play: asking(query("UPDATE pg_settings SET setting = '2MB' WHERE name = 'work_mem'")),
  },
  {
    name: "a login with another client_encoding",
    statements: [],
    ...unguarded,
    direct: [],
    guarded: ["22023"],
    play: starting({ client_encoding: "LATIN1" }),
  },
  {
    name: "a login with options or a search_path",
    statements: [],
    why: "settings in the startup packet are not judged by rules, so only harmless ones are let through",
    remedy: "set them by SET after the login",
    direct: [],
    guarded: ["42501", "42501"],
    play: async (stage) => {
      await starting({ options: "-c work_mem=1MB" })(stage);
      await starting({ search_path: "pg_catalog" })(stage);
    },
  },
  {
    name: "replication",
    statements: [],
    why: "a stream of changes cannot be judged or masked",
    remedy: "give replicas a way of their own",
    direct: [],
    guarded: ["42501"],
    play: starting({ replication: "database" }),
  },
  {
    name: "a login that the server refuses",
    statements: [],
    why: "the agent gets SQLSTATE and message of the server, and our session in DETAIL",
    remedy: "none needed",
    direct: ["3D000"],
    guarded: ["3D000"],
    play: starting({ database: "no_such_database" }),
  },
  {
    name: "a name of ours",
    statements: ["SELECT 1"],
    why: "statements that must fail in place of a refused one are kept apart by it",
    remedy: "choose another name",
    direct: [],
    guarded: ["42501 built-in:reserved-name"],
    play: asking(parse("sallyport.mine", "SELECT 1"), sync()),
  },
  {
    name: "goodbye in the middle of a copy",
    statements: ["COPY watched FROM STDIN"],
    why: "who has said goodbye is sent nothing more; the copy is undone all the same",
    remedy: "none needed",
    direct: ["08P01", "08P01"],
    guarded: [],
    play: async (stage) => {
      const other = await stage.open("b");
      other.send(query("COPY watched FROM STDIN"));
      await other.until("G");
      other.send(client.copyData("77\tlost\n"), client.terminate());
      await other.untilClosed();
    },
  },
  {
    name: "a message of no known type",
    statements: [],
    why: "the connection ends as at the server, with words of our own",
    remedy: "none needed",
    direct: ["08P01"],
    guarded: ["08P01"],
    play: async (stage) => {
      const other = await stage.open("b");
      other.send(message("y"));
      await other.untilClosed();
    },
  },
];
