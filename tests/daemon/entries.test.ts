import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionEntry } from "../../src/control/ports.ts";
import { entriesOf } from "../../src/daemon/entries.ts";
import type { ReadEntry } from "../../src/recorder/read.ts";
import type { SessionState } from "../../src/store/sessions.ts";

const STARTED = 1_000;
let sequence = 0;
const at = (ms: number) => ({ sequence: ++sequence, atMs: STARTED + ms });

async function shown(read: readonly unknown[], state: SessionState = "ended"): Promise<SessionEntry[]> {
  async function* source(): AsyncGenerator<ReadEntry> {
    for (const entry of read) yield entry as ReadEntry;
  }
  const all: SessionEntry[] = [];
  for await (const entry of entriesOf(source(), STARTED, state)) all.push(entry);
  // numbers have a test of their own
  return all.map(({ number: _, ...entry }) => entry) as SessionEntry[];
}

const action = (askId: number, text: string, parameters: readonly (string | null)[] = []) => ({
  ...at(10),
  ...{ kind: "action", askId, text, textTruncated: false, parameters, actions: ["sql.read"] },
});
const decision = (askId: number, kind: "allow" | "deny" = "allow") => ({
  ...at(11),
  ...{ kind: "decision", askId, decision: kind, rules: ["r"], message: kind === "deny" ? "No" : "", policy: "p" },
});
const answer = (askId: number, more: object = {}) => ({
  ...at(12),
  ...{ kind: "answer", askId, rows: 1, bytes: 9, masks: [], outcome: "SELECT 1", ...more },
});

test("an operation and its decision become one line", async () => {
  const [line, ...rest] = await shown([action(1, "select 1"), decision(1)]);
  assert.deepEqual(line, {
    offsetMs: 11,
    kind: "decision",
    text: "select 1",
    decision: "allow",
    rules: ["r"],
    message: "",
  });
  assert.deepEqual(rest, []);
});

test("the operations of one ask are told together, those of the next by themselves", async () => {
  const lines = await shown([
    action(1, "begin"),
    action(1, "delete"),
    decision(1, "deny"),
    action(2, "select"),
    decision(2),
  ]);
  assert.deepEqual(
    lines.map(({ text }) => text),
    ["begin\ndelete", "select"],
  );
  assert.deepEqual(
    lines.map((line) => line.decision),
    ["deny", "allow"],
  );
});

test("parameters follow the text; NULL is told from the text NULL", async () => {
  const [line] = await shown([action(1, "select $1, $2, $3", ["a\nb", null, "NULL"]), decision(1)]);
  assert.equal(line?.text, 'select $1, $2, $3\n  with "a\\nb", NULL, "NULL"');
});

test("an answer tells its rows, masks and error", async () => {
  const masks = [{ column: "ssn", by: "label:pii", count: 2 }];
  const [good, bad] = await shown([
    answer(1, { masks }),
    answer(2, { outcome: "", error: { code: "42P01", message: "no table" } }),
  ]);
  assert.deepEqual(good, { offsetMs: 12, kind: "answer", text: "SELECT 1", rows: 1, bytes: 9, masks });
  assert.equal(bad?.message, "42P01 no table");
});

const START = {
  ...at(0),
  ...{ kind: "start", sessionId: "s", agent: "ci", connection: "orders", protocol: "postgres", policy: "p" },
  ...{ origin: { comm: "psql", executable: "/usr/bin/psql", pid: 7, user: "runner" }, upstreamTls: "verify-full" },
  ...{ issuer: "", subject: "" },
};

test("the start names agent, connection and program, and says so when the backend is not verified", async () => {
  const origin = { ...START.origin, executable: "" };
  const [verified, plain] = await shown([START, { ...START, origin, upstreamTls: "require" }]);
  assert.equal(verified?.text, "ci to orders: /usr/bin/psql, pid 7, user runner");
  assert.equal(plain?.text, "ci to orders: psql, pid 7, user runner; upstream TLS: require");
});

test("the start names who an agent is by a token, and who says so", async () => {
  const [line] = await shown([{ ...START, issuer: "forge", subject: "repo:acme/shop" }]);
  assert.equal(line?.text, "ci (repo:acme/shop, says forge) to orders: /usr/bin/psql, pid 7, user runner");
});

test("a clock that was set back gives no negative offset", async () => {
  const [line] = await shown([{ ...START, atMs: STARTED - 5_000 }]);
  assert.equal(line?.offsetMs, 0);
});

const notes: readonly { name: string; entry: object; text: RegExp }[] = [
  {
    name: "operations that could not be recorded",
    entry: { ...at(1), kind: "gap", operations: 3 },
    text: /3 operations .* denied/,
  },
  { name: "records of a later version", entry: { ...at(1), kind: "unknown" }, text: /does not know/ },
  {
    name: "records that are missing",
    entry: { kind: "missing", fromSequence: 4, toSequence: 6 },
    text: /4 to 6 are missing/,
  },
  { name: "damage", entry: { kind: "damaged", file: "f", offset: 9, torn: true, why: "torn" }, text: /byte 9: torn/ },
  { name: "a recording without an end", entry: { kind: "interrupted" }, text: /interrupted/ },
];
for (const { name, entry, text } of notes) {
  test(`${name} become a note`, async () => {
    const [line] = await shown([entry]);
    assert.equal(line?.kind, "note");
    assert.match(line?.text ?? "", text);
  });
}

test("a session that still runs is not called interrupted", async () => {
  assert.deepEqual(await shown([{ kind: "interrupted" }], "open"), []);
});

test("the end tells its reason and its fault", async () => {
  const end = { ...at(20), kind: "end", reason: "too long" };
  const lines = await shown([end, { ...end, fault: "FRAME_LENGTH" }]);
  assert.deepEqual(
    lines.map(({ text }) => text),
    ["too long", "too long (FRAME_LENGTH)"],
  );
});

test("what was only observed says what would have been answered", async () => {
  const observed = { rules: ["no-ddl"], message: "Not by agents" };
  const [line] = await shown([action(1, "drop table t"), { ...decision(1), rules: [], observed }]);
  assert.deepEqual([line?.decision, line?.observed], ["allow", observed]);
});

test("a line has the number of its record; what is only for search makes no line", async () => {
  sequence = 0;
  const read = [
    { ...at(0), kind: "looking", detectors: ["email"], policy: "p" },
    { ...at(0), kind: "gap", operations: 1 },
    action(1, "select 1"),
    action(1, "select 2"),
    decision(1),
    answer(1),
  ];
  async function* source(): AsyncGenerator<ReadEntry> {
    for (const entry of read) yield entry as unknown as ReadEntry;
  }
  const numbers: string[] = [];
  for await (const { number, kind } of entriesOf(source(), STARTED, "ended")) numbers.push(`${number} ${kind}`);
  assert.deepEqual(numbers, ["2 note", "5 decision", "6 answer"]);
});
