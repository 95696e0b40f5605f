/** What a held statement means on the wire: a notice, then its answer; and what is asked before anything runs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HeldEnd } from "../../../src/model/decision.ts";
import type { SessionCommand, SessionEvent } from "../../../src/model/session.ts";
import { allow, ask, forward, fromClient, fromServer, loggedIn, note, start, toClient } from "../../kit/playbook.ts";
import { client, join, server } from "../../kit/wire.ts";
import { GREETING, opened, STARTUP, sessionOf } from "./kit.ts";

const DELETE = "delete from t where id = 1";
const query = client.query(DELETE);
const held = (id: number): SessionEvent => ({ kind: "held", id, notice: "This waits, as h1" });
const NOTICE = server.notice({ S: "NOTICE", V: "NOTICE", C: "00000", M: "This waits, as h1" });
function openSession() {
  const session = sessionOf();
  for (const event of [start, fromClient(STARTUP), allow(1), loggedIn(GREETING)]) session.handle(event);
  return session;
}

const ANSWER = join(server.complete("DELETE 1"), server.ready());

test("the client hears that it waits, and its answer once it was let go", () => {
  opened()
    .gets(fromClient(query))
    .does(ask(2, [["sql.delete", DELETE]], query))
    .gets(held(2))
    .does(toClient(NOTICE))
    .gets(allow(2))
    .does(forward(2))
    .gets(fromServer(ANSWER))
    .does(note(2, { outcome: "DELETE 1" }), toClient(ANSWER))
    .rests();
});

test("what the client sends meanwhile waits behind it", () => {
  const next = client.query("select 1");
  opened()
    .gets(fromClient(query))
    .does(ask(2, [["sql.delete", DELETE]], query))
    .gets(held(2))
    .does(toClient(NOTICE))
    .gets(fromClient(next))
    .rests()
    .gets(allow(2))
    .does(forward(2), ask(3, [["sql.read", "select 1"]], next))
    .rests();
});

test("amid a message of the server there is no place for a notice", () => {
  const session = openSession();
  const copied = server.copyData("x".repeat(100_000));
  session.handle(fromClient(client.query("copy t to stdout"), query));
  session.handle(allow(2));
  session.handle(fromServer(server.copyOut(), copied.subarray(0, 70_000)));
  const said = session.handle(held(3)).filter(({ kind }) => kind === "toClient");
  const rest = session.handle(fromServer(copied.subarray(70_000))).filter(({ kind }) => kind === "toClient");
  assert.deepEqual([said.length, rest.length > 0], [0, true]);
});

const ends: readonly { state: HeldEnd["state"]; code: string }[] = [
  { state: "denied", code: "42501" },
  { state: "expired", code: "57014" },
  { state: "abandoned", code: "57014" },
];
for (const { state, code } of ends) {
  test(`${state}: the client gets ${code}, and the server a statement that fails`, () => {
    const session = openSession();
    session.handle(fromClient(query));
    session.handle(held(2));
    const end: HeldEnd = { hold: "h1", state, by: [] };
    const decision = { kind: "deny", rules: ["deletes"], message: "no", policy: "p1", held: end } as const;
    const [asked] = session.handle({ kind: "verdict", id: 2, decision });
    assert.equal(asked?.kind, "ask");
    session.handle(allow(3));
    const answer = join(server.error({ S: "ERROR", C: "42601", M: "syntax error" }), server.ready());
    const said = session.handle(fromServer(answer)).flatMap((one) => (one.kind === "toClient" ? [one.bytes] : []));
    assert.match(Buffer.concat(said).toString("latin1"), new RegExp(`C${code}\0Mno\0`));
  });
}

const sync = client.sync();
const parse = client.parse("s", DELETE);
const bind = client.bind("p", "s");
const execute = client.execute("p");

test("a statement that is only parsed is asked for as prepared, and for real when it is bound or executed", () => {
  const asked = (commands: readonly SessionCommand[]) =>
    commands.flatMap((one) => (one.kind === "ask" ? one.asked.map(({ text, prepared }) => [text, prepared]) : []));
  const settle = (session: ReturnType<typeof openSession>, id: number, ...answers: Uint8Array[]) => {
    session.handle(allow(id));
    session.handle(fromServer(join(...answers, server.ready())));
  };
  const session = openSession();
  assert.deepEqual(asked(session.handle(fromClient(parse, sync))), [[DELETE, true]]);
  settle(session, 2, server.parsed());
  assert.deepEqual(asked(session.handle(fromClient(bind, sync))), [[DELETE, undefined]], "a Bind plans");
  settle(session, 3, server.bound());
  assert.deepEqual(asked(session.handle(fromClient(bind, execute, sync))), [[DELETE, undefined]], "once, not twice");
});

test("parsed, bound and executed together it is asked for once", () => {
  const session = openSession();
  const [asked] = session.handle(fromClient(parse, bind, execute, sync));
  assert.ok(asked?.kind === "ask");
  assert.deepEqual(
    asked.asked.map(({ prepared }) => prepared),
    [undefined],
  );
});
