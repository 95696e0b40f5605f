/** Which groups a relay may carry past a session, and what a form of them says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FORM_BYTES_MAX } from "../../../src/base/limits.ts";
import { fromClient, fromServer } from "../../kit/playbook.ts";
import { client, join, server } from "../../kit/wire.ts";
import { maskPlainly } from "./kit.ts";
import { BOUND, INT, NUMBERS, ONCE, once, QUERY, READY, ROWS, run, Talk, TEXT } from "./talk.ts";

const UPDATED = join(server.complete("UPDATE 1"), READY);
const { bind, close, describe, execute, parse, query, sync } = client;

const made: readonly {
  readonly name: string;
  readonly talk: () => Talk;
  readonly open: boolean;
  readonly rows: boolean;
}[] = [
  { name: "a Query with rows of numbers", talk: () => new Talk().says(query(QUERY), ROWS), open: true, rows: true },
  {
    name: "a Query without rows",
    talk: () => new Talk().says(query("UPDATE t SET n = 1 WHERE n = 2"), UPDATED),
    open: true,
    rows: false,
  },
  {
    name: "a BEGIN",
    talk: () => new Talk().says(query("BEGIN"), server.complete("BEGIN"), server.ready("T")),
    open: false,
    rows: false,
  },
  {
    name: "a prepared statement that was described",
    talk: () => new Talk().prepared().says(run(), BOUND),
    open: false,
    rows: true,
  },
  {
    name: "one that is described with each Bind",
    talk: () =>
      new Talk()
        .prepared()
        .says(join(bind("", "s", { values: ["7"] }), describe("P", ""), execute(""), sync()), server.bound(), ROWS),
    ...{ open: false, rows: true },
  },
  { name: "one that is parsed with each Bind", talk: () => new Talk().says(once(), ...ONCE), open: false, rows: true },
  {
    name: "an integer in binary form",
    talk: () => new Talk().says(once({ formats: [1], types: [INT], value: Buffer.of(0, 0, 0, 7) }), ...ONCE),
    ...{ open: false, rows: true },
  },
  {
    name: "a text in binary form",
    talk: () => new Talk().says(once({ formats: [1], types: [25] }), ...ONCE),
    ...{ open: false, rows: true },
  },
  {
    name: "a parameter that is NULL",
    talk: () => new Talk().prepared().says(run([null]), BOUND),
    ...{ open: false, rows: true },
  },
];
for (const { name, talk, open, rows } of made)
  test(`${name} makes a form`, () => {
    const [form = assert.fail("none"), ...others] = talk().forms;
    assert.deepEqual([form.isTextOpen, form.hasRows, others.length], [open, rows, 0]);
  });

test("under TLS nothing makes a form, since nobody could relay it; control: it would without", () => {
  const talk = (options: { tls?: true }) => new Talk(options).says(query(QUERY), ROWS);
  assert.equal(talk({}).forms.length, 1);
  assert.equal(talk({ tls: true }).rest, undefined);
});

const none: readonly { readonly name: string; readonly talk: () => Talk }[] = [
  {
    name: "two statements in one Query",
    talk: () =>
      new Talk().says(query("SELECT 1; SELECT 2"), NUMBERS, server.row("1"), server.complete("SELECT 1"), ROWS),
  },
  { name: "an empty Query", talk: () => new Talk().says(query(""), server.empty(), READY) },
  {
    name: "a Query that fails",
    talk: () => new Talk().says(query(QUERY), server.error({ S: "ERROR", C: "22012", M: "no" }), READY),
  },
  {
    name: "a Query with a notice",
    talk: () => new Talk().says(query(QUERY), server.notice({ S: "NOTICE", C: "00000", M: "hm" }), ROWS),
  },
  {
    name: "one that a notification came with",
    talk: () => new Talk().says(query(QUERY), server.notification("c", "p"), ROWS),
  },
  {
    name: "one that changes a parameter of the session",
    talk: () =>
      new Talk().says(
        query("SET application_name = 'x'"),
        server.parameter("application_name", "x"),
        server.complete("SET"),
        READY,
      ),
  },
  {
    name: "one whose rows a mask looks at",
    talk: () =>
      new Talk({ maskFor: maskPlainly }).says(
        query(QUERY),
        server.columns({ name: "t" }),
        server.row("x"),
        server.complete("SELECT 1"),
        READY,
      ),
  },
  {
    name: "a prepared one whose rows a mask looks at",
    talk: () =>
      new Talk({ maskFor: maskPlainly })
        .prepared(undefined, server.columns({ name: "t" }))
        .says(run(), server.bound(), server.row("x"), server.complete("SELECT 1"), READY),
  },
  { name: "one that is counted", talk: () => new Talk({ limited: true }).says(query(QUERY), ROWS) },
  {
    name: "one that defines",
    talk: () => new Talk().says(query("CREATE TABLE u (n int)"), server.complete("CREATE TABLE"), READY),
  },
  { name: "one that runs code", talk: () => new Talk().says(query("SELECT f(1)"), ROWS) },
  { name: "a DO", talk: () => new Talk().says(query("DO $$ BEGIN END $$"), server.complete("DO"), READY) },
  { name: "a PREPARE", talk: () => new Talk().says(query("PREPARE p AS SELECT 1"), server.complete("PREPARE"), READY) },
  { name: "an EXECUTE", talk: () => new Talk().says(query("EXECUTE p"), ROWS) },
  {
    name: "a DEALLOCATE",
    talk: () => new Talk().says(query("DEALLOCATE ALL"), server.complete("DEALLOCATE ALL"), READY),
  },
  { name: "a DISCARD", talk: () => new Talk().says(query("DISCARD ALL"), server.complete("DISCARD ALL"), READY) },
  {
    name: "a text that only names one",
    talk: () => new Talk().says(query("SELECT n FROM t WHERE s = 'prepared'"), ROWS),
  },
  {
    name: "a DECLARE",
    talk: () =>
      new Talk().says(
        query("DECLARE c CURSOR WITH HOLD FOR SELECT n FROM t"),
        server.complete("DECLARE CURSOR"),
        READY,
      ),
  },
  { name: "a FETCH", talk: () => new Talk().says(query("FETCH 1 FROM c"), ROWS) },
  {
    name: "a COPY out",
    talk: () =>
      new Talk().says(
        query("COPY t TO STDOUT"),
        server.copyOut(),
        server.copyData("7\n"),
        server.copyDone(),
        server.complete("COPY 1"),
        READY,
      ),
  },
  {
    name: "a SAVEPOINT, which the session could not undo",
    talk: () => new Talk().says(query("SAVEPOINT a"), server.complete("SAVEPOINT"), server.ready("T")),
  },
  {
    name: "a text beyond its length",
    talk: () => new Talk().says(query(`${QUERY}${" ".repeat(FORM_BYTES_MAX)}`), ROWS),
  },
  {
    name: "a description beyond its length",
    talk: () =>
      new Talk().says(
        query(QUERY),
        server.columns({ name: "n".repeat(FORM_BYTES_MAX), type: INT }),
        server.row("7"),
        server.complete("SELECT 1"),
        READY,
      ),
  },
  { name: "a Parse", talk: () => new Talk().prepared() },
  {
    name: "an unnamed statement of before",
    talk: () => new Talk().prepared(undefined, NUMBERS, "").says(run(["7"], ""), BOUND),
  },
  {
    name: "one that is given a name with its first Bind",
    talk: () =>
      new Talk().says(
        join(parse("s", TEXT), bind("", "s", { values: ["7"] }), describe("P", ""), execute(""), sync()),
        ...ONCE,
      ),
  },
  {
    name: "a Bind of another than was parsed",
    talk: () => new Talk().prepared().says(join(parse("", "SELECT m FROM t"), run()), server.parsed(), BOUND),
  },
  {
    name: "one parsed twice",
    talk: () => new Talk().says(join(parse("", "SELECT m FROM t"), once()), server.parsed(), ...ONCE),
  },
  {
    name: "a text that is parsed and names one",
    talk: () =>
      new Talk().says(
        join(
          parse("", "SELECT n FROM t WHERE s = 'prepared' AND n = $1"),
          bind("", "", { values: ["7"] }),
          ...[describe("P", ""), execute(""), sync()],
        ),
        ...ONCE,
      ),
  },
  {
    name: "a named portal",
    talk: () => new Talk().prepared().says(join(bind("p", "s", { values: ["7"] }), execute("p"), sync()), BOUND),
  },
  {
    name: "a parameter in binary form that has no easy text",
    talk: () => new Talk().says(once({ formats: [1], types: [1700], value: Buffer.of(0, 0, 0, 7) }), ...ONCE),
  },
  {
    name: "a parameter in binary form of which nobody knows the type",
    talk: () => new Talk().says(once({ formats: [1], value: Buffer.of(0, 0, 0, 7) }), ...ONCE),
  },
  {
    name: "a parameter in a form that does not exist",
    talk: () => new Talk().says(once({ formats: [2], types: [25] }), ...ONCE),
  },
  {
    name: "two Binds before one Sync",
    talk: () =>
      new Talk()
        .prepared()
        .says(
          join(bind("", "s", { values: ["7"] }), execute(""), run()),
          server.bound(),
          server.row("7"),
          server.complete("SELECT 1"),
          BOUND,
        ),
  },
  {
    name: "a Close behind it",
    talk: () =>
      new Talk()
        .prepared()
        .says(
          join(bind("", "s", { values: ["7"] }), execute(""), close("P", ""), sync()),
          server.bound(),
          server.row("7"),
          server.complete("SELECT 1"),
          server.closed(),
          READY,
        ),
  },
  {
    name: "an answer that is suspended",
    talk: () =>
      new Talk()
        .prepared()
        .says(
          join(bind("", "s", { values: ["7"] }), execute("", 1), sync()),
          server.bound(),
          server.row("7"),
          server.suspended(),
          server.ready("T"),
        ),
  },
  {
    name: "one that Sallyport had to describe",
    talk: () =>
      new Talk()
        .says(join(parse("s", "SELECT n FROM t WHERE n = $1"), sync()), server.parsed(), READY)
        .says(run(), server.bound(), ROWS),
  },
  {
    name: "one that code may have made anew",
    talk: () => new Talk().prepared().says(query("SELECT f(1)"), ROWS).says(run(), server.bound(), ROWS),
  },
  { name: "a Sync alone", talk: () => new Talk().says(sync(), READY) },
];
assert.ok(none.length >= 25);
for (const { name, talk } of none)
  test(`no form comes of ${name}`, () => {
    const its = talk();
    assert.deepEqual(its.forms, []);
    if (name === "one that is counted") return;
    assert.equal(its.says(query(QUERY), ROWS).forms.length, 1, "control: the session goes on, and rests");
  });

const gone: readonly { readonly name: string; readonly act: (talk: Talk) => void }[] = [
  { name: "a Close of its name", act: (talk) => talk.says(join(close("S", "s"), sync()), server.closed(), READY) },
  {
    name: "a name given anew, though to the same text",
    act: (talk) => talk.says(join(close("S", "s"), sync()), server.closed(), READY).prepared(),
  },
  { name: "a DEALLOCATE", act: (talk) => talk.says(query("DEALLOCATE x"), server.complete("DEALLOCATE"), READY) },
  { name: "a change of policy or settings", act: (talk) => talk.gives({ kind: "changed" }).says(sync(), READY) },
];
for (const { name, act } of gone)
  test(`a form of a prepared statement is gone after ${name}`, () => {
    const talk = new Talk().prepared().says(run(), BOUND);
    assert.equal(talk.forms.length, 1, "control");
    act(talk);
    assert.deepEqual(talk.forms, []);
  });

test("an answer that was under way when the policy changed teaches nothing", () => {
  const talk = new Talk().gives(fromClient(query(QUERY)), { kind: "changed" }, fromServer(ROWS));
  assert.deepEqual(talk.forms, []);
});

test("a session that still has half a message, or is told to go, does not rest", () => {
  const half = query(QUERY).subarray(0, 9);
  for (const event of [fromClient(half), { kind: "drain", reason: "bye", fresh: "wait" } as const]) {
    const talk = new Talk().says(query("BEGIN"), server.complete("BEGIN"), server.ready("T"));
    assert.equal(talk.forms.length, 1, "control");
    talk.gives(event, fromServer(server.notice({ S: "NOTICE", C: "00000", M: "hm" })));
    assert.equal(talk.rest, undefined);
  }
});
