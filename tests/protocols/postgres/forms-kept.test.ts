/** What a form says of its groups, and which forms a session keeps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FORMS_MAX } from "../../../src/base/limits.ts";
import { client, join, server } from "../../kit/wire.ts";
import { BOUND, ONCE, once, READY, ROWS, run, Talk, TEXT } from "./talk.ts";

const { bind, describe, execute, parse, query, sync } = client;

test("a form is made once, and anew where a later answer says more", () => {
  const talk = new Talk().prepared().says(run(), server.bound(), server.complete("SELECT 0"), READY);
  assert.deepEqual(
    talk.forms.map(({ hasRows }) => hasRows),
    [false],
    "nobody has seen a row of it",
  );
  for (let turn = 0; turn < 3; turn++) talk.says(run(), BOUND);
  assert.deepEqual(
    talk.forms.map(({ hasRows }) => hasRows),
    [true],
  );
  talk.says(run(), server.bound(), server.complete("SELECT 0"), READY);
  assert.deepEqual(
    talk.forms.map(({ hasRows }) => hasRows),
    [true],
  );
});

test("a parameter has a place of its form, and of its type where that is binary", () => {
  const all = [server.parsed(), server.bound(), ROWS];
  const group = join(
    parse("", "SELECT n FROM t WHERE a = $1 AND b = $2 AND c = $3 AND d = $4 AND e = $5", [21, 23, 20, 1043, 23]),
    bind("", "", {
      formats: [1, 1, 1, 1, 0],
      values: [Buffer.of(0, 1), null, Buffer.alloc(8), "x", "5"],
    }),
    ...[describe("P", ""), execute(""), sync()],
  );
  const [form = assert.fail("none")] = new Talk().says(group, ...all).forms;
  const places = form.request[1]?.parts.filter((part) => typeof part === "string");
  assert.deepEqual(places, ["int2", "int4", "int8", "value", "value"]);
  assert.deepEqual([form.leaves, form.request[0]?.parts.length], [true, 1]);
});

test("each of what drivers send for one statement has a form, and so has each end of a transaction", () => {
  const talk = new Talk().prepared("BEGIN", undefined, "b").prepared("COMMIT", undefined, "c").prepared();
  const ends = (name: string, tag: string) =>
    talk.says(run([], name), server.bound(), server.complete(tag), server.ready(tag === "BEGIN" ? "T" : "I"));
  for (let turn = 0; turn < 3; turn++) {
    ends("b", "BEGIN");
    talk.says(once(), ...ONCE);
    talk.says(run(), BOUND);
    ends("c", "COMMIT");
  }
  const texts = talk.forms.map(({ asked, leaves }) => `${asked.text}${leaves ? ", parsed" : ""}`);
  assert.deepEqual(texts.sort(), ["BEGIN", "COMMIT", TEXT, `${TEXT}, parsed`].sort());
});

test("where a list of forms is full, the oldest makes room", () => {
  const talk = new Talk();
  for (let at = 0; at <= FORMS_MAX; at++) talk.says(query(`SELECT n FROM t${at} WHERE n = 7`), ROWS);
  assert.equal(talk.forms.length, FORMS_MAX);
  const texts = talk.forms.map(({ asked }) => asked.text);
  assert.deepEqual(
    [texts[0], texts.at(-1)],
    ["SELECT n FROM t1 WHERE n = 7", `SELECT n FROM t${FORMS_MAX} WHERE n = 7`],
  );
});

test("where there are more statements than forms, they are looked at ever more seldom", () => {
  const talk = new Talk();
  const turns = 64;
  let made = 0;
  let before: unknown = [];
  for (let turn = 0; turn < turns; turn++) {
    for (let at = 0; at < FORMS_MAX + 8; at++) {
      talk.says(query(`SELECT n FROM t${at} WHERE n = 7`), ROWS);
      const newest = talk.forms.at(-1);
      if (newest !== before) made++;
      before = newest;
    }
  }
  assert.ok(made < (FORMS_MAX + 8) * 8, `${made} forms were made of ${turns * (FORMS_MAX + 8)} groups`);
});

test("only the digits of short integers are open in a text", () => {
  const text = "SELECT n FROM t2 WHERE n = 12 AND m = 1234567890 AND s = '34' AND x = 1.5 AND y = -6";
  const [form = assert.fail("none")] = new Talk().says(query(text), ROWS).forms;
  const parts = form.request[0]?.parts.map((part) => (typeof part === "string" ? "#" : Buffer.from(part).toString()));
  assert.equal(
    parts?.join(""),
    "SELECT n FROM t2 WHERE n = # AND m = 1234567890 AND s = '34' AND x = 1.5 AND y = -#\0",
  );
});
