/** What a session makes of groups that went past it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Form, Relayed } from "../../../src/model/form.ts";
import type { SessionEvent } from "../../../src/model/session.ts";
import { Analyser } from "../../../src/protocols/postgres/analysis/analyse.ts";
import { fromClient, fromServer } from "../../kit/playbook.ts";
import { client, join, server } from "../../kit/wire.ts";
import { NUMBERS, ONCE, once, QUERY, ROWS, Talk } from "./talk.ts";

const { bind, describe, execute, query, sync } = client;
const relayed = (more: Partial<Relayed>): SessionEvent => ({
  ...{ kind: "relayed", asks: 0, inFlight: [], left: undefined, passing: 0, status: 0, wasIdle: false },
  ...more,
});
const inFlight = (form: Form, bytes: Buffer, askId: number) =>
  ({ form, askId, bytes, step: 0, rows: 0, rowBytes: 0, outcome: undefined }) as const;

test("what is in flight when a flow comes back is answered like any other, also where its analysis is forgotten", () => {
  const small = new Analyser(1);
  return small.prepare().then(() => {
    const talk = new Talk({}, small).says(query(QUERY), ROWS);
    const [form = assert.fail("none")] = talk.forms;
    small.analyse("SELECT 'something', 'else'", { data: {}, catalog: undefined });
    small.analyse("SELECT a, b, c FROM d", { data: {}, catalog: undefined });
    const bytes = query("SELECT n FROM t WHERE n = 8");
    talk.gives(relayed({ asks: 2, inFlight: [inFlight(form, bytes, talk.lastId + 2)] }));
    talk.gives(fromServer(ROWS));
    assert.equal(talk.rest?.lastId, talk.lastId + 2);
    assert.ok(talk.shown.at(-1)?.equals(ROWS));
  });
});

test("what is in flight and is not of its form ends the session", () => {
  const talk = new Talk().says(query(QUERY), ROWS);
  const [form = assert.fail("none")] = talk.forms;
  const bytes = query("SELECT secret FROM other");
  assert.throws(() => talk.gives(relayed({ asks: 1, inFlight: [inFlight(form, bytes, 9)] })), /another form/);
});

const again = join(bind("", "", { values: ["8"] }), describe("P", ""), execute(""), sync());
const [FIRST, SECOND] = ["SELECT n FROM t WHERE n = $1", "SELECT m FROM t WHERE m = $1"];

test("the unnamed statement is the one that went past last, and not the one that the session saw last", () => {
  const talk = new Talk().says(once({ text: FIRST }), ...ONCE).says(once({ text: SECOND }), ...ONCE);
  const [first = assert.fail("none"), second = assert.fail("none")] = talk.forms;
  talk.asked = [];
  talk.says(again, server.bound(), ROWS);
  assert.deepEqual(talk.asked, [SECOND], "control");
  for (const [left, text] of [[first, FIRST] as const, [second, SECOND] as const]) {
    talk.asked = [];
    talk.gives(relayed({ asks: 3, left, status: 0x49 })).says(again, server.bound(), ROWS);
    assert.deepEqual(talk.asked, [text]);
    talk.gives(relayed({ asks: 3, status: 0x49 })).says(again, server.bound(), ROWS);
    assert.deepEqual(talk.asked, [text, text], "nothing else that went past changes it");
  }
});

test("what is parsed by a group in flight stands once the server has parsed it", () => {
  const answers = (...all: readonly Buffer[]) => {
    const talk = new Talk().says(once({ text: FIRST }), ...ONCE).says(once({ text: SECOND }), ...ONCE);
    const [, form = assert.fail("none")] = talk.forms;
    talk.says(once({ text: FIRST }), ...ONCE);
    talk.gives(relayed({ asks: 1, inFlight: [inFlight(form, once({ text: SECOND }), talk.lastId + 1)] }));
    talk.gives(fromServer(...all));
    talk.asked = [];
    talk.gives(fromClient(again));
    return talk.asked;
  };
  const failed = [server.error({ S: "ERROR", C: "42P01", M: "no" }), server.ready()];
  assert.deepEqual(answers(...ONCE), [SECOND]);
  assert.deepEqual(answers(server.parsed(), ...failed), [SECOND]);
  assert.deepEqual(answers(...failed), [FIRST], "the server has none then, and says so");
});

test("an unnamed portal of before is not the one that the server has by then", () => {
  const portal = join(bind("", "s", { values: ["7"] }), execute(""), sync());
  const talk = new Talk().prepared().says(query("BEGIN"), server.complete("BEGIN"), server.ready("T"));
  const answered = [server.bound(), server.row("7"), server.complete("SELECT 1"), server.ready("T")];
  talk.says(portal, ...answered);
  talk.asked = [];
  talk.gives(fromClient(execute(""), sync()));
  assert.deepEqual(talk.asked, ["SELECT n FROM t WHERE n = $1"], "control: it goes on with the one that it bound");
  talk.gives(fromServer(NUMBERS, server.complete("SELECT 0"), server.ready("T")));
  talk.asked = [];
  talk.gives(relayed({ asks: 1, status: 0x54 }), fromClient(execute(""), sync()));
  assert.equal(talk.asked[0], "built-in:unknown-name");
});
