import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorScrub, scrubError, scrubNotification } from "../../../src/protocols/postgres/errors.ts";
import { fieldsOf, messagesIn, server } from "../../kit/wire.ts";
import { CARD, maskPlainly } from "./kit.ts";

const ERROR = 0x45;
const text = { schema: "", table: "", name: "error", labels: [], valueKind: "text", format: "text" } as const;
const detecting: ErrorScrub = { values: "shown", mask: maskPlainly(text) };
const labelled: ErrorScrub = { values: "hidden", mask: maskPlainly(text) };
const other: ErrorScrub = { values: "raised", mask: maskPlainly(text) };
const bare: ErrorScrub = { values: "shown", mask: undefined };

function scrub(fields: Readonly<Record<string, string>>, how: ErrorScrub) {
  const bytes = server.error({ S: "ERROR", V: "ERROR", C: "22000", ...fields });
  const found = scrubError(ERROR, bytes, 5, bytes.length, how);
  const [message, ...rest] = messagesIn(found.shown);
  assert.ok(message !== undefined && message.type === "E" && rest.length === 0);
  return { ...found, shown: fieldsOf(message.body), bytes, raw: found.shown };
}

const blanked = [
  {
    code: "22P02",
    from: 'invalid input syntax for type integer: "123-45"',
    to: "invalid input syntax for type integer: …",
  },
  {
    code: "22P02",
    from: 'invalid input syntax for type integer: "a" b "c"',
    to: "invalid input syntax for type integer: …",
  },
  { code: "22003", from: 'value "99999999999" is out of range', to: 'value "…" is out of range' },
  {
    code: "22021",
    from: 'invalid byte sequence for encoding "UTF8": 0xe2 0x28',
    to: 'invalid byte sequence for encoding "…": …',
  },
  {
    code: "23505",
    from: 'duplicate key value violates unique constraint "k"',
    to: 'duplicate key value violates unique constraint "…"',
  },
  { code: "42703", from: "column «geheim» existiert nicht", to: "column «…» existiert nicht" },
  { code: "22012", from: "division by zero", to: "division by zero" },
  { code: "2202E", from: "index 457555 out of valid range, 0..10", to: "index … out of valid range, …" },
  { code: "P0001", from: "the number is 123456789", to: "…" },
] as const;
for (const { code, from, to } of blanked) {
  test(`where labelled columns are touched "${from}" is told as "${to}"`, () => {
    assert.equal(scrub({ C: code, M: from }, labelled).shown["M"], to);
  });
}

test("where labelled columns are touched everything that can hold a value is blanked, and names and codes stay", () => {
  const { shown } = scrub(
    {
      M: "failed",
      D: "Key (ssn)=(1) exists.",
      H: "try 1",
      W: "PL/pgSQL 1",
      q: "select 1",
      s: "public",
      t: "c",
      c: "ssn",
      n: "k",
      P: "7",
    },
    labelled,
  );
  const blank = { D: "…", H: "…", W: "…", q: "…" };
  assert.deepEqual(shown, {
    S: "ERROR",
    V: "ERROR",
    C: "22000",
    M: "failed",
    ...blank,
    s: "public",
    t: "c",
    c: "ssn",
    n: "k",
    P: "7",
  });
});

test("a RAISE on a connection with labels is blanked, whatever its code, and what it says of names", () => {
  for (const how of [labelled, other]) {
    const { shown } = scrub({ C: "00000", M: "it is 1", c: "1", n: "2", R: "exec_stmt_raise" }, how);
    assert.deepEqual([shown["M"], shown["c"], shown["n"]], ["…", "…", "…"]);
  }
});

const named = [
  {
    fields: {
      C: "23505",
      n: "k",
      M: 'duplicate key value violates unique constraint "k"',
      D: "Key (ssn)=(1) already exists.",
    },
    shown: ['duplicate key value violates unique constraint "k"', "Key (ssn)=(…) already exists."],
  },
  {
    fields: { C: "23503", n: "f", t: "o", M: 'insert or update on table "o" violates foreign key constraint "f"' },
    shown: ['insert or update on table "o" violates foreign key constraint "f"', ""],
  },
  {
    fields: { C: "23505", n: "k", M: 'bad "a" and "k" and "b"', D: "Key (lower(ssn))=(1) already exists." },
    shown: ['bad "…"', "…"],
  },
  {
    fields: { C: "23505", n: "k", M: "x", D: 'Key (ssn)=(a) is not present in table "t".' },
    shown: ["x", 'Key (ssn)=(…) is not present in table "t".'],
  },
] as const;
for (const { fields, shown } of named) {
  test(`names of objects stay and values go: ${fields.M}`, () => {
    const found = scrub(fields, labelled).shown;
    assert.deepEqual([found["M"], found["D"] ?? ""], shown);
  });
}

test("errors of other statements of a connection with labels are told in full", () => {
  const { shown } = scrub({ C: "22P02", M: 'invalid input syntax for type integer: "x"', D: "Key (a)=(b)" }, other);
  assert.deepEqual([shown["M"], shown["D"]], ['invalid input syntax for type integer: "x"', "Key (a)=(b)"]);
});

test("on other connections detectors look at every text, and the rest passes untouched", () => {
  const { shown } = scrub({ M: `no ${CARD}`, D: `Key (a)=(${CARD})`, W: "line 1" }, detecting);
  assert.deepEqual([shown["M"], shown["D"], shown["W"]], ["no [card]", "Key (a)=([card])", "line 1"]);
  const clean = scrub({ M: 'relation "x" does not exist' }, detecting);
  assert.deepEqual(Buffer.from(clean.raw), clean.bytes);
});

test("what is noted holds no quoted value even where the client sees it", () => {
  const { message, shown } = scrub({ C: "22P02", M: 'invalid input syntax for type integer: "secret"' }, bare);
  assert.equal(message, "invalid input syntax for type integer: …");
  assert.match(shown["M"] ?? "", /secret/);
});

test("FATAL and PANIC are known as such", () => {
  assert.equal(scrub({ V: "FATAL" }, bare).fatal, true);
  assert.equal(scrub({ V: "ERROR" }, bare).fatal, false);
});

test("payloads of notifications are masked, and blanked where there are labels", () => {
  const bytes = server.notification("news", `paid with ${CARD}`);
  const shown = (how: ErrorScrub) => scrubNotification(0x41, bytes, 5, bytes.length, how).subarray(9).toString();
  assert.equal(shown(detecting), "news\0paid with [card]\0");
  assert.equal(shown(labelled), "news\0…\0");
  assert.equal(shown(bare), `news\0paid with ${CARD}\0`);
});
