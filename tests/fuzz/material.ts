/** What clients and servers of fuzzed sessions say: the corpus in pieces, ways in, and messages that it does not have. */
import { LABEL_ATTACKS, WHOLE_TABLE_AND_DDL } from "../kit/attacks.ts";
import { client, server } from "../kit/wire.ts";
import { type Answers, answersOf, parseOf } from "./answers.ts";
import { type Conversation, framesOf, readCorpus } from "./corpus.ts";
import type { Random } from "./random.ts";

export const CONVERSATIONS = readCorpus("simple", "secret", "errors", "extended", "binary", "copy");
export const ANSWERS: Answers = answersOf(CONVERSATIONS);
export const TURNS = CONVERSATIONS.map(turnsOf);
export const CLIENT_FRAMES = CONVERSATIONS.flatMap(({ messages }) =>
  messages.filter(({ from }) => from === "client").map(({ bytes }) => bytes),
);
export const SERVER_FRAMES = distinct([
  ...CONVERSATIONS.flatMap(({ messages }) =>
    messages.filter(({ from }) => from === "server").map(({ bytes }) => bytes),
  ),
  server.copyBoth(),
  server.copyIn(3),
  server.copyOut(2, 1),
  server.parameter("standard_conforming_strings", "off"),
  server.parameter("client_encoding", "SJIS"),
  server.authenticationOk(),
  server.keyData(Buffer.alloc(8)),
  server.error({ S: "FATAL", V: "FATAL", C: "57P01", M: "terminating connection" }),
  server.suspended(),
]);
/** What a server may say at any time. */
export const ASIDES = SERVER_FRAMES.filter(([type]) => type === 0x4e || type === 0x41);
const TEXTS = [...ANSWERS.keys(), ...WHOLE_TABLE_AND_DDL.map(({ sql }) => sql), ...LABEL_ATTACKS.map(({ sql }) => sql)];
const NAMES = ["", "a", "b", "c", "p", "q", "x", "sallyport.refused"];
export const STARTUP = client.startup({ user: "agent", database: "shop" });

/** Ways into a session; the last ones do not lead in. */
export const DOORS: readonly (readonly Buffer[])[] = [
  [client.sslRequest(), STARTUP],
  [client.gssRequest(), STARTUP],
  [client.gssRequest(), client.sslRequest(), STARTUP],
  [client.startup({ user: "agent", database: "shop", "_pq_.option": "1" }, 0x0003_0002)],
  [client.startup({ user: "agent", application_name: "fuzz", client_encoding: "UTF8" })],
  [client.startup({ user: "agent", replication: "database" })],
  [client.startup({ user: "agent", options: "-c role=postgres" })],
  [client.cancelRequest(Buffer.alloc(8, 1)), STARTUP],
  [client.cancelRequest(Buffer.alloc(36, 1))],
  [Buffer.of(0x16, 3, 1, 0, 4), STARTUP],
  [client.query("SELECT 1"), STARTUP],
];

/** A message of the same type about something else: another statement, another name. */
export function exchanged(random: Random, bytes: Buffer): Buffer {
  switch (String.fromCharCode(bytes[0] ?? 0)) {
    case "Q":
      return client.query(random.pick(TEXTS));
    case "P":
      return client.parse(random.chance(0.5) ? parseOf(bytes).name : random.pick(NAMES), random.pick(TEXTS));
    case "B":
      return client.bind(random.pick(NAMES), random.pick(NAMES), {
        results: random.pick([[], [0], [1]]),
        values: random.pick([[], ["1"]]),
      });
    case "D":
      return client.describe(random.pick(["S", "P"]), random.pick(NAMES));
    case "C":
      return client.close(random.pick(["S", "P"]), random.pick(NAMES));
    case "E":
      return client.execute(random.pick(NAMES), random.pick([0, 1, 2]));
    case "d":
      return client.copyData(random.pick(["", "\n", "\\.\n", "a\tb\n", "\0"]));
    default:
      return random.pick(CLIENT_FRAMES);
  }
}

/** The client's messages between answers of the server. */
export function turnsOf({ messages }: Conversation): readonly (readonly Buffer[])[] {
  const turns: Buffer[][] = [];
  let last: "client" | "server" = "server";
  for (const { from, bytes } of messages) {
    if (from === "client") {
      if (last === "server") turns.push([]);
      turns.at(-1)?.push(...framesOf(bytes));
    }
    last = from;
  }
  return turns;
}

function distinct(frames: readonly Buffer[]): readonly Buffer[] {
  return [...new Map(frames.map((frame) => [frame.toString("latin1"), frame])).values()];
}
