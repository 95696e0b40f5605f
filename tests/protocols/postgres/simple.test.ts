import { test } from "node:test";
import { STATEMENT_BYTES_MAX, STATEMENTS_PER_QUERY_MAX } from "../../../src/base/limits.ts";
import { allow, ask, close, deny, forward, fromClient, fromServer, note, toClient } from "../../kit/playbook.ts";
import { client, hex, message, server } from "../../kit/wire.ts";
import { FAILING_ASKED, FAILING_QUERY, fatalOf, opened, refusalOf, SYNTAX_ERROR } from "./kit.ts";

const SELECT = client.query("select 1");
const ROWS = [server.columns({ name: "a", type: 23 }), server.row("1"), server.row("2")] as const;
const ROW_BYTES = server.row("1").length * 2;

test("a Query is asked for with its own bytes, forwarded, and its answer passes untouched", () => {
  opened()
    .gets(fromClient(SELECT))
    .does(ask(2, [["sql.read", "select 1"]], SELECT))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(...ROWS, server.complete("SELECT 2"), server.ready()))
    .does(
      note(2, { rows: 2, bytes: ROW_BYTES, outcome: "SELECT 2" }),
      toClient(...ROWS, server.complete("SELECT 2"), server.ready()),
    )
    .rests();
});

test("every statement of a Query is asked for, and together they are one ask", () => {
  const bytes = client.query("begin; insert x; select 1");
  opened()
    .gets(fromClient(bytes))
    .does(
      ask(
        2,
        [
          ["", "begin"],
          ["sql.insert", "insert x"],
          ["sql.read", "select 1"],
        ],
        bytes,
      ),
    )
    .rests();
});

test("a refused Query is refused whole: the server gets one that fails, the client the refusal", () => {
  opened()
    .gets(fromClient(client.query("insert x; drop table y")))
    .does(
      ask(
        2,
        [
          ["sql.insert", "insert x"],
          ["sql.define", "drop table y"],
        ],
        client.query("insert x; drop table y"),
      ),
    )
    .gets(deny(2, "no-ddl"))
    .does(ask(3, FAILING_ASKED, FAILING_QUERY))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(SYNTAX_ERROR, server.ready("E")))
    .does(toClient(refusalOf("no-ddl"), server.ready("E")))
    .gets(fromClient(SELECT))
    .does(ask(4, [["sql.read", "select 1"]], SELECT))
    .rests();
});

test("what is forbidden is refused in the same way", () => {
  opened()
    .gets(fromClient(client.query("garbage in")))
    .does(ask(2, [["built-in:unparsable", "garbage in"]], client.query("garbage in")))
    .gets(deny(2, "built-in:unparsable"))
    .does(ask(3, FAILING_ASKED, FAILING_QUERY))
    .rests();
});

test("a fatal error of the server in place of the failing statement's is shown as it is", () => {
  const fatal = server.error({ S: "FATAL", V: "FATAL", C: "57P01", M: "terminating connection" });
  opened()
    .gets(fromClient(client.query("drop x")))
    .does(ask(2, [["sql.define", "drop x"]], client.query("drop x")))
    .gets(deny(2, "no-ddl"))
    .does(ask(3, FAILING_ASKED, FAILING_QUERY))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(fatal))
    .does(toClient(fatal))
    .rests();
});

test("the fast path for functions is refused and answers as a Query does", () => {
  opened()
    .gets(fromClient(client.functionCall(2026)))
    .does(ask(2, [["built-in:function-call", ""]], client.functionCall(2026)))
    .gets(deny(2, "built-in:function-call"))
    .does(ask(3, FAILING_ASKED, FAILING_QUERY))
    .rests();
});

test("several Queries in one chunk are asked for one after the other", () => {
  opened()
    .gets(fromClient(SELECT, client.query("insert x")))
    .does(ask(2, [["sql.read", "select 1"]], SELECT))
    .gets(allow(2))
    .does(forward(2), ask(3, [["sql.insert", "insert x"]], client.query("insert x")))
    .gets(allow(3))
    .does(forward(3))
    .rests();
});

test("a Query in pieces is asked for once it is whole", () => {
  const played = opened();
  for (const byte of SELECT.subarray(0, -1)) played.gets(fromClient(Buffer.of(byte))).rests();
  played.gets(fromClient(SELECT.subarray(-1))).does(ask(2, [["sql.read", "select 1"]], SELECT));
});

test("an error of the server is noted without what it quotes", () => {
  const error = server.error({
    S: "ERROR",
    V: "ERROR",
    C: "22P02",
    M: 'invalid input syntax for type integer: "4111"',
  });
  opened()
    .gets(fromClient(SELECT))
    .does(ask(2, [["sql.read", "select 1"]], SELECT))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(error, server.ready()))
    .does(
      note(2, { error: { code: "22P02", message: "invalid input syntax for type integer: …" } }),
      toClient(error, server.ready()),
    )
    .rests();
});

test("an empty Query is housekeeping", () => {
  opened()
    .gets(fromClient(client.query("")))
    .does(ask(2, [["", ""]], client.query("")))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(server.empty(), server.ready()))
    .does(note(2), toClient(server.empty(), server.ready()))
    .rests();
});

test("a statement above the limit is refused without being read", () => {
  const bytes = client.query("x".repeat(STATEMENT_BYTES_MAX + 1));
  opened()
    .gets(fromClient(bytes))
    .does(ask(2, [["built-in:statement-length", ""]], bytes))
    .rests();
});

test("a Query of too many statements is refused", () => {
  const text = "x;".repeat(STATEMENTS_PER_QUERY_MAX + 1);
  opened()
    .gets(fromClient(client.query(text)))
    .does(ask(2, [["built-in:too-many-statements", text]], client.query(text)))
    .rests();
});

test("Terminate goes to the server, then both sides are closed", () => {
  opened()
    .gets(fromClient(client.terminate()))
    .does(ask(2, [["", "Terminate"]], client.terminate()))
    .gets(allow(2))
    .does(forward(2), close("the client said goodbye"))
    .rests();
});

const faults = [
  { name: "a NUL inside a statement", bytes: message("Q", Buffer.from("a\0b\0")), code: "FRAME_BODY" },
  { name: "a statement without its NUL", bytes: message("Q", Buffer.from("ab")), code: "FRAME_BODY" },
  { name: "a statement that is not UTF-8", bytes: message("Q", hex("ff00")), code: "TEXT_ENCODING" },
  { name: "a lone surrogate", bytes: message("Q", hex("eda08000")), code: "TEXT_ENCODING" },
  { name: "bytes behind a statement", bytes: message("Q", Buffer.from("a\0"), Buffer.from("b")), code: "FRAME_BODY" },
  { name: "an unknown message type", bytes: message("z"), code: "MESSAGE_TYPE" },
  { name: "a password that nobody asked for", bytes: message("p", Buffer.from("x\0")), code: "MESSAGE_TYPE" },
  { name: "an impossible length", bytes: hex("51 00000001"), code: "FRAME_LENGTH" },
] as const;
for (const { name, bytes, code } of faults) {
  test(`${name} ends the session and reaches nobody`, () => {
    const texts: Readonly<Record<string, string>> = {
      "a NUL inside a statement": "Cannot read a message: 2 bytes follow its end",
      "a statement without its NUL": "Cannot read a text: it has no end",
      "a statement that is not UTF-8": "Cannot read a text: it is not UTF-8",
      "a lone surrogate": "Cannot read a text: it is not UTF-8",
      "bytes behind a statement": "Cannot read a message: 1 bytes follow its end",
      "an unknown message type": "Cannot read a message: its type 122 is not known",
      "a password that nobody asked for": "Cannot read a message: its type 112 is not known",
      "an impossible length": "Cannot read a message: its length 1 is not in 4..67108864",
    };
    const text = texts[name] ?? "";
    opened()
      .gets(fromClient(bytes))
      .does(toClient(fatalOf("08P01", text)), close(text, code))
      .rests();
  });
}

const rogue = [
  { name: "a row that was not described", bytes: [server.row("1")] },
  { name: "an answer to nothing", bytes: [server.complete("SELECT 1"), server.ready(), server.complete("SELECT 1")] },
  { name: "a replication stream", bytes: [server.copyBoth()] },
  { name: "a second authentication", bytes: [server.authenticationOk()] },
  { name: "a ParseComplete for a Query", bytes: [server.parsed()] },
] as const;
for (const { name, bytes } of rogue) {
  test(`a server that sends ${name} ends the session`, () => {
    const session = opened()
      .gets(fromClient(SELECT))
      .does(ask(2, [["sql.read", "select 1"]], SELECT))
      .gets(allow(2))
      .does(forward(2));
    const played = session.gets(fromServer(...bytes));
    const what: Readonly<Record<string, string>> = {
      "a row that was not described": "with a row that was not described",
      "an answer to nothing": "that nobody asked for",
      "a replication stream": "of type 87",
      "a second authentication": "of type 82",
      "a ParseComplete for a Query": "of type 49",
    };
    const text = `Cannot go on: the server sent a message ${what[name]}`;
    if (name === "an answer to nothing") played.does(note(2, { outcome: "SELECT 1" }));
    played.does(toClient(fatalOf("08P01", text)), close(text, "SERVER_MESSAGE")).rests();
  });
}
