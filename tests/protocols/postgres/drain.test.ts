/** When a session that drains ends: rows of what a client was at, and the first moment at which nothing is cut short. */
import { test } from "node:test";
import type { SessionEvent } from "../../../src/model/session.ts";
import {
  allow,
  ask,
  close,
  deny,
  forward,
  fromClient,
  fromServer,
  note,
  Playbook,
  start,
  toClient,
} from "../../kit/playbook.ts";
import { client, join, message, server } from "../../kit/wire.ts";
import { FAILING_ASKED, FAILING_QUERY, fatalOf, opened, refusalOf, STARTUP, SYNTAX_ERROR, sessionOf } from "./kit.ts";

const WHY = "the daemon is restarted";
const drain = (fresh: "wait" | "end" = "wait"): SessionEvent => ({ kind: "drain", reason: WHY, fresh });
const FAREWELL = fatalOf("57P01", WHY);

/** A session that has asked once and was answered. */
function served(text = "select 1", status: "I" | "T" | "E" = "I"): Playbook {
  const bytes = client.query(text);
  const answer = join(server.complete("OK"), server.ready(status));
  return opened()
    .gets(fromClient(bytes))
    .does(ask(2, [[text.startsWith("select") ? "sql.read" : "", text]], bytes))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(answer))
    .does(note(2, { outcome: "OK" }), toClient(answer));
}

test("a session that rests ends at once, with its farewell", () => {
  served().gets(drain()).does(toClient(FAREWELL), close(WHY)).rests();
});

test("a client that has logged in and not asked yet is waited for, and let go after its first answer", () => {
  const bytes = client.query("select 1");
  const answer = join(server.complete("SELECT 0"), server.ready());
  opened()
    .gets(drain())
    .rests()
    .gets(fromClient(bytes))
    .does(ask(2, [["sql.read", "select 1"]], bytes))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(answer))
    .does(note(2, { outcome: "SELECT 0" }), toClient(answer, FAREWELL), close(WHY))
    .rests();
});

test("the last call ends those that never asked, greeted or not", () => {
  opened().gets(drain()).rests().gets(drain("end")).does(toClient(FAREWELL), close(WHY)).rests();
  new Playbook(sessionOf())
    .gets(start, drain())
    .rests()
    .gets(drain("end"))
    .does(toClient(FAREWELL), close(WHY))
    .rests();
});

test("a client amid its login is not cut off, not even by the last call", () => {
  new Playbook(sessionOf())
    .gets(start, fromClient(STARTUP))
    .does(ask(1, [["connect", "connect to shop"]]))
    .gets(drain(), drain("end"))
    .rests();
});

test("a statement that runs is answered whole before the farewell", () => {
  const bytes = client.query("select 1");
  opened()
    .gets(fromClient(bytes))
    .does(ask(2, [["sql.read", "select 1"]], bytes))
    .gets(allow(2))
    .does(forward(2))
    .gets(drain(), drain("end"))
    .rests()
    .gets(fromServer(server.complete("SELECT 0")))
    .does(toClient(server.complete("SELECT 0")))
    .gets(fromServer(server.ready()))
    .does(note(2, { outcome: "SELECT 0" }), toClient(server.ready(), FAREWELL), close(WHY))
    .rests();
});

test("half a message of the client's is waited for", () => {
  const bytes = client.query("select 1");
  served()
    .gets(fromClient(bytes.subarray(0, 7)))
    .gets(drain("end"))
    .rests()
    .gets(fromClient(bytes.subarray(7)))
    .does(ask(3, [["sql.read", "select 1"]], bytes))
    .rests();
});

for (const [status, what, end] of [
  ["T", "a transaction", "commit"],
  ["E", "a failed transaction", "rollback"],
] as const) {
  test(`${what} is waited for until its ${end}`, () => {
    const bytes = client.query(end);
    const answer = join(server.complete("OK"), server.ready("I"));
    served("begin", status)
      .gets(drain(), drain("end"))
      .rests()
      .gets(fromClient(bytes))
      .does(ask(3, [["", end]], bytes))
      .gets(allow(3))
      .does(forward(3))
      .gets(fromServer(answer))
      .does(note(3, { outcome: "OK" }), toClient(answer, FAREWELL), close(WHY))
      .rests();
  });
}

test("a series is waited for until its Sync is answered", () => {
  const part = join(client.parse("a", "select 1"), client.flush());
  served()
    .gets(fromClient(part))
    .does(ask(3, [["sql.read", "select 1"]], part))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(message("1")))
    .does(note(3), toClient(message("1")))
    .gets(drain(), drain("end"))
    .rests()
    .gets(fromClient(client.sync()))
    .does(ask(4, [["", "Sync"]], client.sync()))
    .gets(allow(4))
    .does(forward(4))
    .gets(fromServer(server.ready()))
    .does(note(4), toClient(server.ready(), FAREWELL), close(WHY))
    .rests();
});

test("a refused statement counts as asked, and its refusal is told first", () => {
  const bytes = client.query("drop table x");
  opened()
    .gets(drain())
    .gets(fromClient(bytes))
    .does(ask(2, [["sql.define", "drop table x"]], bytes))
    .gets(deny(2, "no-ddl"))
    .does(ask(3, FAILING_ASKED, FAILING_QUERY))
    .gets(allow(3))
    .does(forward(3))
    .gets(fromServer(SYNTAX_ERROR, server.ready()))
    .does(toClient(refusalOf("no-ddl"), server.ready(), FAREWELL), close(WHY))
    .rests();
});
