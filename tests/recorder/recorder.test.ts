import assert from "node:assert/strict";
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  RECORD_IDLE_MS,
  RECORD_PENDING_BYTES_MAX,
  RECORDED_TEXT_MAX,
  SEGMENT_AGE_MS,
  SEGMENT_BYTES_MAX,
  SESSION_ROW_AGE_MS,
} from "../../src/base/limits.ts";
import type { Decision, Refusal } from "../../src/model/decision.ts";
import type { Operation } from "../../src/model/operation.ts";
import { blockAround, FIRST_LINK } from "../../src/recorder/block.ts";
import { createRecorder } from "../../src/recorder/recorder.ts";
import type { SessionStore } from "../../src/store/sessions.ts";
import { allow, answer, ask, DAY, deny, entries, NOON, outline, start, summary, world } from "./kit.ts";

test("a session reads back as it was recorded, in order and complete", async (t) => {
  const { dir, recorder, clock } = await world(t);
  const recording = recorder.open({ ...start("s1"), placeholders: ["password"] });
  const forbidden: Operation = { actions: [], forbidden: { rule: "built-in:unparsable", message: "Not SQL" } };
  clock.advance(5);
  recording.asked(1, [ask("SELECT $1 — ünïcödé 𝔘", { parameters: ["", null, "x"] }), ask("SELECT 2")], allow);
  recording.flush();
  recording.answered({
    askId: 1,
    rows: 300,
    bytes: 2 ** 40,
    masks: [{ column: "card", by: "detector:payment-card", count: 200 }],
    outcome: "SELECT 300",
  });
  recording.asked(2, [{ operation: forbidden, text: "" }], deny);
  recording.flush();
  recording.answered({
    askId: 1,
    rows: 0,
    bytes: 0,
    masks: [],
    outcome: "",
    error: { code: "42P01", message: "relation" },
  });
  await recording.end({ ...summary, fault: "FRAME_LENGTH" });

  const { startedAtMs: _1, ...said } = start("s1");
  const { tagCgroupId: _2, ...origin } = said.origin;
  const action = { prepared: false, parametersTruncated: false, textTruncated: false, forbidden: undefined };
  const actions = [{ name: "sql.read", facts: '{"statement":{"tables":["public.a"]}}' }];
  const atMs = NOON + 5;
  assert.deepEqual(await entries(dir, "s1"), [
    {
      kind: "start",
      sequence: 1,
      atMs: NOON,
      sessionId: "s1",
      agent: "ci",
      groups: ["ci", "builders"],
      claims: { branch: "main" },
      connection: "orders",
      protocol: "postgres",
      origin,
      policy: "p0",
      upstreamTls: "verify-full",
      placeholders: ["password"],
      issuer: "",
      subject: "",
    },
    {
      kind: "action",
      sequence: 2,
      atMs,
      askId: 1,
      text: "SELECT $1 — ünïcödé 𝔘",
      parameters: ["", null, "x"],
      actions,
      ...action,
    },
    { kind: "action", sequence: 3, atMs, askId: 1, text: "SELECT 2", parameters: [], actions, ...action },
    {
      kind: "decision",
      sequence: 4,
      atMs,
      askId: 1,
      decision: "allow",
      rules: ["read-clean-tables"],
      message: "",
      policy: "p1",
    },
    {
      kind: "answer",
      sequence: 5,
      atMs,
      askId: 1,
      rows: 300,
      bytes: 2 ** 40,
      masks: [{ column: "card", by: "detector:payment-card", count: 200 }],
      outcome: "SELECT 300",
    },
    {
      kind: "action",
      sequence: 6,
      atMs,
      askId: 2,
      text: "",
      parameters: [],
      actions: [],
      ...action,
      forbidden: forbidden.forbidden,
    },
    {
      kind: "decision",
      sequence: 7,
      atMs,
      askId: 2,
      decision: "deny",
      rules: ["no-ddl"],
      message: "Not by agents",
      policy: "p1",
    },
    {
      kind: "answer",
      sequence: 8,
      atMs,
      askId: 1,
      rows: 0,
      bytes: 0,
      masks: [],
      outcome: "",
      error: { code: "42P01", message: "relation" },
    },
    {
      kind: "end",
      sequence: 9,
      atMs: summary.endedAtMs,
      reason: "the client left",
      fault: "FRAME_LENGTH",
      statements: 3,
      denied: 1,
      masked: 200,
      rows: 300,
      bytesIn: 10,
      bytesOut: 20,
    },
  ]);
});

const observedAs = (observed: Refusal): Decision => {
  assert.ok(allow.kind === "allow");
  return { ...allow, rules: [], observed };
};

test("rules in shadow that would have changed a decision are recorded with it", async (t) => {
  const { recorder, dir } = await world(t);
  const recording = recorder.open(start("s1"));
  const shadow = [
    { rule: "trial", would: "deny" },
    { rule: "ask-first", would: "hold" },
  ] as const;
  recording.asked(1, [ask("DROP TABLE t")], { ...allow, shadow });
  recording.asked(2, [ask("DROP TABLE t")], { ...deny, shadow: [{ rule: "trial", would: "allow" }] });
  recording.asked(3, [ask("SELECT 1")], allow);
  recording.flush();
  const decisions = (await entries(dir, "s1")).filter(({ kind }) => kind === "decision");
  assert.deepEqual(
    decisions.map((entry) => ("shadow" in entry ? entry.shadow : "none")),
    [shadow, [{ rule: "trial", would: "allow" }], "none"],
  );
  await recording.end(summary);
});

test("a decision that was only observed reads back with the answer that it would have been", async (t) => {
  const { dir, recorder } = await world(t);
  const recording = recorder.open(start("s1"));
  const long = "x".repeat(300); // two bytes of length
  const observed = [
    { rules: ["no-ddl", "no-admin"], message: "Not by agents" },
    { rules: [], message: long },
  ];
  for (const [at, refusal] of observed.entries()) {
    recording.asked(at + 1, [ask("DROP TABLE t")], observedAs(refusal));
  }
  recording.asked(3, [ask("SELECT 1")], allow);
  assert.equal(recording.counts.denied, 0);
  await recording.end(summary);
  const decisions = (await entries(dir, "s1")).filter((entry) => entry.kind === "decision");
  assert.deepEqual(
    decisions.map((entry) => [entry.decision, "observed" in entry ? entry.observed : "none"]),
    [
      ["allow", observed[0]],
      ["allow", observed[1]],
      ["allow", "none"],
    ],
  );
});

test("numbers of every size read back as they were, and what is no such number as 0", async (t) => {
  const { dir, recorder } = await world(t);
  const recording = recorder.open(start("s1"));
  const numbers = [0, 1, 127, 128, 2 ** 14, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 38 + 127, 2 ** 53 - 1];
  for (const bytes of [...numbers, -1, 1.5, Number.NaN, 2 ** 53]) recording.answered({ ...answer(1), bytes });
  await recording.end(summary);
  const read = (await entries(dir, "s1")).flatMap((entry) => (entry.kind === "answer" ? [entry.bytes] : []));
  assert.deepEqual(read, [...numbers, 0, 0, 0, 0]);
});

test("a session's file is there with its start before anything is asked, for the owner alone", async (t) => {
  const { dir, recorder } = await world(t);
  recorder.open(start("s1"));
  assert.deepEqual(outline(await entries(dir, "s1")), ["start", "interrupted"]);
  assert.equal(statSync(join(dir, DAY, "s1.0001.rec")).mode & 0o777, 0o600);
  assert.equal(statSync(join(dir, DAY)).mode & 0o777, 0o700);
});

test("what was asked is in the file when flush returns, and not before", async (t) => {
  const { dir, recorder } = await world(t);
  const recording = recorder.open(start("s1"));
  recording.asked(1, [ask("SELECT 1")], allow);
  assert.deepEqual(outline(await entries(dir, "s1")), ["start", "interrupted"]);
  recording.flush();
  assert.deepEqual(outline(await entries(dir, "s1")), ["start", "action 1", "decision 1", "interrupted"]);
});

test("one flush is one write, however much it carries", async (t) => {
  const { recorder, disk } = await world(t);
  const recording = recorder.open(start("s1"));
  const before = disk.writes;
  for (let id = 1; id <= 50; id += 1) {
    recording.asked(id, [ask(`SELECT ${id}`)], allow);
    recording.answered(answer(id));
  }
  recording.flush();
  assert.equal(disk.writes, before + 1);
  recording.flush();
  assert.equal(disk.writes, before + 1);
});

test("what detectors find is in no byte of recording or index", async (t) => {
  const { dir, recorder, index } = await world(t, (text) => text.replaceAll("4111-1111", "[card]"));
  const recording = recorder.open(start("s1"));
  const operation: Operation = {
    actions: [{ name: "sql.read", facts: { where: { values: ["4111-1111"], deep: { a: "4111-1111" } } } }],
  };
  recording.asked(1, [{ operation, text: "SELECT '4111-1111'", parameters: ["4111-1111", null] }], allow);
  recording.answered({ ...answer(1), error: { code: "22P02", message: "bad 4111-1111" } });
  await recording.end(summary);
  await index.flush();
  assert.equal(readFileSync(join(dir, DAY, "s1.0001.rec")).includes("4111"), false);
  for (const name of readdirSync(join(dir, ".."))) {
    if (name.startsWith("sallyport.db"))
      assert.equal(readFileSync(join(dir, "..", name)).includes("4111"), false, name);
  }
  const action = (await entries(dir, "s1")).find(({ kind }) => kind === "action");
  assert.ok(action?.kind === "action");
  assert.equal(action.text, "SELECT '[card]'");
  assert.deepEqual(action.parameters, ["[card]", null]);
  assert.equal(action.actions[0]?.facts, '{"where":{"values":["[card]"],"deep":{"a":"[card]"}}}');
});

test("a long text and many parameters are cut, marked, and never show half of what was found at the cut", async (t) => {
  const secret = "SECRET-0123456789";
  const { dir, recorder } = await world(t, (text) => text.replaceAll(secret, "[secret]"));
  const recording = recorder.open(start("s1"));
  // Once across the cut of what is stored, once across the cut of what detectors look at, once far behind.
  for (const [id, at] of [RECORDED_TEXT_MAX - 5, RECORDED_TEXT_MAX + 8 * 1024 - 5, 900_000].entries()) {
    const text = `${"x".repeat(at)}${secret}${"y".repeat(1_000_000 - at)}`;
    recording.asked(id, [ask(text, { parameters: [text, text] })], allow);
  }
  recording.asked(3, [ask("SELECT 1", { parameters: Array.from({ length: 65_535 }, () => "12345") })], allow);
  await recording.end(summary);
  const bytes = readFileSync(join(dir, DAY, "s1.0001.rec"));
  assert.equal(bytes.includes("SECRET"), false);
  for (const entry of await entries(dir, "s1")) {
    if (entry.kind !== "action") continue;
    assert.equal(entry.parametersTruncated, true);
    assert.equal(entry.textTruncated, entry.askId !== 3);
    assert.ok(entry.text.length <= RECORDED_TEXT_MAX);
    assert.ok(entry.parameters.join("").length <= RECORDED_TEXT_MAX);
    if (entry.askId !== 3) assert.ok(entry.text.length >= RECORDED_TEXT_MAX - 20, `${entry.text.length}`);
  }
});

test("an operation that is used with another text is recorded with that text", async (t) => {
  const { dir, recorder } = await world(t);
  const recording = recorder.open(start("s1"));
  for (const [id, text] of ["SELECT 1", "SELECT 2", "SELECT 2", "SELECT 1"].entries())
    recording.asked(id, [ask(text)], allow);
  await recording.end(summary);
  const texts = (await entries(dir, "s1")).flatMap((entry) => (entry.kind === "action" ? [entry.text] : []));
  assert.deepEqual(texts, ["SELECT 1", "SELECT 2", "SELECT 2", "SELECT 1"]);
});

test("a recording goes on in a new segment when one is full or old, and reads back as one", async (t) => {
  const { dir, recorder, clock } = await world(t);
  const recording = recorder.open(start("s1"));
  let id = 0;
  const step = () => {
    id += 1;
    recording.asked(id, [ask(`${id} ${"x".repeat(60_000)}`)], allow);
    recording.flush();
  };
  for (let total = 0; total <= SEGMENT_BYTES_MAX; total += 60_000) step();
  clock.advance(SEGMENT_AGE_MS + 1);
  step();
  await recording.end(summary);
  assert.deepEqual(readdirSync(join(dir, DAY)).sort(), ["s1.0001.rec", "s1.0002.rec", "s1.0003.rec"]);
  assert.ok(statSync(join(dir, DAY, "s1.0001.rec")).size <= SEGMENT_BYTES_MAX);
  const all = await entries(dir, "s1");
  assert.deepEqual(
    all.map((entry) => ("sequence" in entry ? entry.sequence : entry.kind)),
    Array.from({ length: 2 * id + 2 }, (_, at) => at + 1),
  );
});

test("a full disk denies, keeps what was written, and recording goes on when there is room again", async (t) => {
  const { dir, recorder, disk, index } = await world(t);
  const recording = recorder.open(start("s1"));
  recording.asked(1, [ask("SELECT 1")], allow);
  recording.flush();
  disk.room = 20;
  recording.asked(2, [ask("SELECT 2")], allow);
  assert.throws(() => recording.flush(), { name: "UserError", code: "RECORDING_FAILED" });
  recording.asked(3, [ask("SELECT 3")], allow);
  assert.throws(() => recording.flush(), { code: "RECORDING_FAILED" });
  assert.deepEqual(outline(await entries(dir, "s1")), ["start", "action 1", "decision 1", "interrupted"]);

  disk.room = Number.POSITIVE_INFINITY;
  recording.asked(4, [ask("SELECT 4")], allow);
  recording.flush();
  await recording.end(summary);
  const all = await entries(dir, "s1");
  assert.deepEqual(outline(all), [
    "start",
    "action 1",
    "decision 1",
    "action 2",
    "decision 2",
    "decision 2",
    "action 3",
    "decision 3",
    "decision 3",
    "action 4",
    "decision 4",
    "end",
  ]);
  // The last word on what was never forwarded is a denial.
  const last = new Map(
    all.flatMap((entry) => (entry.kind === "decision" ? [[entry.askId, [entry.decision, entry.rules[0]]]] : [])),
  );
  assert.deepEqual(
    [...last],
    [
      [1, ["allow", "read-clean-tables"]],
      [2, ["deny", "built-in:recording"]],
      [3, ["deny", "built-in:recording"]],
      [4, ["allow", "read-clean-tables"]],
    ],
  );
  assert.equal(recording.counts.denied, 2);
  await index.flush();
  assert.equal((await index.get("s1"))?.denied, 2);
});

test("a disk that stays full bounds what waits, and the gap is counted in the recording", async (t) => {
  const { dir, recorder, disk } = await world(t);
  const recording = recorder.open(start("s1"));
  disk.room = 0;
  let refused = 0;
  for (let id = 1; refused < 3; id += 1) {
    assert.ok(id * 60_000 < 2 * RECORD_PENDING_BYTES_MAX, "what waits must be bounded");
    try {
      recording.asked(id, [ask(`${id}${"x".repeat(60_000)}`)], allow);
    } catch (error) {
      assert.equal((error as { code?: string }).code, "RECORDING_FAILED");
      refused += 1;
    }
    assert.throws(() => recording.flush(), { code: "RECORDING_FAILED" });
  }
  disk.room = Number.POSITIVE_INFINITY;
  await recording.end(summary);
  const gap = (await entries(dir, "s1")).find(({ kind }) => kind === "gap");
  assert.equal(gap?.kind === "gap" && gap.operations, 3);
});

test("a session whose file cannot be made is refused, and leaves no file", async (t) => {
  const { dir, recorder, disk } = await world(t);
  disk.room = 10;
  assert.throws(() => recorder.open(start("s1")), { name: "UserError", code: "RECORDING_FAILED" });
  assert.equal(existsSync(join(dir, DAY, "s1.0001.rec")), false);
  disk.room = Number.POSITIVE_INFINITY;
  recorder.open(start("s1"));
});

test("a recording that exists is never written over", async (t) => {
  const { dir, recorder } = await world(t);
  const recording = recorder.open(start("s1"));
  await recording.end(summary);
  const before = readFileSync(join(dir, DAY, "s1.0001.rec"));
  assert.throws(() => recorder.open(start("s1")), { code: "RECORDING_FAILED" });
  assert.deepEqual(readFileSync(join(dir, DAY, "s1.0001.rec")), before);
});

for (const id of ["", "../s1", "a/b", "a\0b", ".hidden", "x".repeat(65)]) {
  test(`a session may not be called ${JSON.stringify(id.slice(0, 8))}`, async (t) => {
    const { dir, recorder } = await world(t);
    assert.throws(() => recorder.open(start(id)));
    await assert.rejects(entries(dir, id), { code: "SESSION_UNKNOWN" });
  });
}

test("cut at any byte, a recording gives the records of whole blocks and says that it is interrupted", async (t) => {
  const { dir, recorder } = await world(t);
  const recording = recorder.open(start("s1"));
  recording.asked(1, [ask("SELECT 1")], allow);
  recording.answered(answer(1));
  await recording.end(summary);
  const file = join(dir, DAY, "s1.0001.rec");
  const whole = readFileSync(file);
  const all = outline(await entries(dir, "s1"));
  assert.deepEqual(all, ["start", "action 1", "decision 1", "answer 1", "end"]);
  let torn = 0;
  for (let length = whole.length - 1; length >= 0; length -= 1) {
    truncateSync(file, length);
    const got = await entries(dir, "s1");
    const records = outline(got.filter((entry) => "sequence" in entry));
    assert.deepEqual(records, all.slice(0, records.length), `cut at ${length}`);
    assert.equal(got.at(-1)?.kind, "interrupted");
    const damage = got.find(({ kind }) => kind === "damaged");
    if (damage?.kind === "damaged") {
      assert.equal(damage.torn, true);
      torn += 1;
    }
  }
  // Only at the borders of the preamble, of the head and of the first of two blocks is nothing torn.
  assert.equal(torn, whole.length - 3);
});

const damages: readonly { name: string; torn: boolean; spoil: (bytes: Buffer) => Buffer }[] = [
  { name: "a file that is something else", torn: false, spoil: (bytes) => Buffer.alloc(bytes.length, "x") },
  {
    name: "zeroes at the end, as a power cut leaves them",
    torn: false,
    spoil: (bytes) => Buffer.concat([bytes, Buffer.alloc(64)]),
  },
  {
    name: "an absurd length at the end",
    torn: false,
    spoil: (bytes) => Buffer.concat([bytes, Buffer.alloc(64, 0xff)]),
  },
  { name: "half a length at the end", torn: true, spoil: (bytes) => Buffer.concat([bytes, Buffer.alloc(2)]) },
  {
    name: "a record that is not one",
    torn: false,
    spoil: (bytes) => Buffer.concat([bytes, Buffer.from("00000002ffff", "hex")]),
  },
];
for (const { name, torn, spoil } of damages) {
  test(`the reader names ${name}`, async (t) => {
    const { dir, recorder } = await world(t);
    const recording = recorder.open(start("s1"));
    recording.asked(1, [ask("SELECT 1")], allow);
    recording.flush();
    const file = join(dir, DAY, "s1.0001.rec");
    writeFileSync(file, spoil(readFileSync(file)));
    const damage = (await entries(dir, "s1")).find(({ kind }) => kind === "damaged");
    assert.ok(damage?.kind === "damaged");
    assert.equal(damage.torn, torn, damage.why);
  });
}

test("a segment of another session is not taken for this one's, and missing records are named", async (t) => {
  const { dir, recorder, clock } = await world(t);
  const recordings = ["s1", "s2"].map((id) => recorder.open(start(id)));
  for (const at of [1, 2, 3]) {
    clock.advance(SEGMENT_AGE_MS + 1);
    for (const recording of recordings) {
      recording.asked(at, [ask(`SELECT ${at}`)], allow);
      recording.flush();
    }
  }
  writeFileSync(join(dir, DAY, "s1.0003.rec"), readFileSync(join(dir, DAY, "s2.0003.rec")));
  const got = await entries(dir, "s1");
  assert.deepEqual(outline(got), [
    "start",
    "action 1",
    "decision 1",
    "altered",
    "damaged",
    "altered",
    "missing",
    "action 3",
    "decision 3",
    "interrupted",
  ]);
  assert.deepEqual(got[6], { kind: "missing", fromSequence: 4, toSequence: 5 });
});

test("a record of a later version is shown as there", async (t) => {
  const { dir, recorder } = await world(t);
  const recording = recorder.open(start("s1"));
  // sequence 2, at 1 ms, and a body with the field number 20.
  const record = Buffer.from("00000007" + "08021001a20100", "hex");
  appendFileSync(join(dir, DAY, "s1.0001.rec"), blockAround(record, FIRST_LINK));
  assert.deepEqual((await entries(dir, "s1"))[2], { kind: "unknown", sequence: 2, atMs: 1 });
  await recording.end(summary);
});

test("after a crash open sessions are interrupted and indexed from their files, ended ones stay", async (t) => {
  const { dir, recorder, index, restart } = await world(t);
  const crashed = recorder.open(start("s1"));
  const ended = recorder.open(start("s2"));
  crashed.asked(1, [ask("SELECT 1"), ask("SELECT 2")], allow);
  crashed.answered({ ...answer(1, 7), masks: [{ column: "a", by: "label:pii", count: 3 }] });
  crashed.asked(2, [ask("DROP TABLE a")], deny);
  crashed.flush();
  ended.asked(1, [ask("SELECT 1")], allow);
  await ended.end(summary);
  await index.flush();
  const file = join(dir, DAY, "s1.0001.rec");
  // The moment of the crash: half of the next record, and no row in the index.
  appendFileSync(file, Buffer.from("000000ff0102", "hex"));
  await index.forget("s1");
  const before = readFileSync(file);

  const second = await restart();
  assert.deepEqual(await second.recoverOpen(0), { interrupted: 1, indexed: 1 });
  const row = await index.get("s1");
  assert.deepEqual(
    {
      state: row?.state,
      statements: row?.statements,
      denied: row?.denied,
      rows: row?.rows,
      masked: row?.masked,
      pid: row?.pid,
    },
    { state: "interrupted", statements: 3, denied: 1, rows: 7, masked: 3, pid: 42 },
  );
  assert.equal((await index.get("s2"))?.state, "ended");
  assert.deepEqual(readFileSync(file), before, "evidence is not changed by recovery");
  assert.deepEqual(await second.recoverOpen(0), { interrupted: 0, indexed: 0 });
});

test("an open session without a file is closed as interrupted, too", async (t) => {
  const { recorder, index, restart, dir } = await world(t);
  recorder.open(start("s1"));
  await index.flush();
  rmSync(join(dir, DAY), { recursive: true });
  assert.deepEqual(await (await restart()).recoverOpen(0), { interrupted: 1, indexed: 1 });
  assert.equal((await index.get("s1"))?.state, "interrupted");
});

test("counts from a recording that has no end equal those of the one who wrote it", async (t) => {
  const { recorder, index, disk, restart } = await world(t);
  const recording = recorder.open(start("s1"));
  const forbidden: Operation = { actions: [], forbidden: { rule: "built-in:unparsable", message: "Not SQL" } };
  const connect: Operation = { actions: [{ name: "connect", facts: {} }] };
  recording.asked(0, [{ operation: connect, text: "" }], allow);
  recording.asked(1, [ask("SELECT 1"), { operation: { actions: [] }, text: "BEGIN" }], allow);
  recording.asked(2, [{ operation: forbidden, text: "nonsense" }], deny);
  recording.flush();
  disk.room = 5;
  recording.asked(3, [ask("SELECT 3"), ask("SELECT 4")], allow);
  assert.throws(() => recording.flush());
  disk.room = Number.POSITIVE_INFINITY;
  recording.answered({ ...answer(1, 7), masks: [{ column: "a", by: "label:pii", count: 3 }] });
  recording.flush();
  assert.deepEqual(recording.counts, { statements: 4, denied: 3, masked: 3, rows: 7 });
  await index.flush();
  await (await restart()).recoverOpen(0);
  const row = await index.get("s1");
  assert.equal(row?.state, "interrupted");
  assert.deepEqual(
    { statements: row.statements, denied: row.denied, masked: row.masked, rows: row.rows },
    recording.counts,
  );
});

test("the index built anew from the recordings equals the one that grew with them", async (t) => {
  const { recorder, index, disk } = await world(t);
  for (const id of ["s1", "s2", "s3"]) {
    const recording = recorder.open(start(id));
    recording.asked(1, [ask(`SELECT '${id}'`), ask("SELECT 2")], allow);
    recording.flush();
    recording.answered({ ...answer(1, 5), masks: [{ column: "a", by: "label:pii", count: 2 }] });
    recording.asked(2, [ask("DROP TABLE a")], deny);
    disk.room = 5;
    recording.asked(3, [ask("SELECT 3"), ask("SELECT 4")], allow);
    assert.throws(() => recording.flush());
    disk.room = Number.POSITIVE_INFINITY;
    await recording.end(summary);
  }
  await index.flush();
  const grown = await index.list();
  assert.deepEqual(
    grown.map(({ statements, denied }) => [statements, denied]),
    Array.from({ length: 3 }, () => [5, 3]),
  );
  await index.forget("all");
  assert.equal(await recorder.reindex(), 3);
  assert.deepEqual(await index.list(), grown);
});

test("a recording that cannot be read keeps its row when the index is built anew", async (t) => {
  const { dir, recorder, index } = await world(t);
  for (const id of ["s1", "s2"]) {
    const recording = recorder.open(start(id));
    recording.asked(1, [ask("SELECT 1")], allow);
    recording.flush();
    await recording.end(summary);
  }
  await index.flush();
  const before = await index.list();
  writeFileSync(join(dir, DAY, "s1.0001.rec"), "this is no recording");
  assert.equal(await recorder.reindex(), 1);
  assert.deepEqual(await index.list(), before);
});

test("a session's row is put when it opens, then at most once in a while, and at its end", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { dir, clock, log, index } = await world(t);
  const puts: [state: string, statements: number][] = [];
  const counted: SessionStore = {
    ...index,
    put: ({ state, statements }) => void puts.push([state, statements]),
  };
  const recorder = await createRecorder({ dir, clock, log, index: counted, scrub: (text) => text });
  const pass = (ms: number) => {
    clock.advance(ms);
    t.mock.timers.tick(ms);
  };
  const recording = recorder.open(start("s1"));
  const says = (id: number) => {
    recording.asked(id, [ask(`SELECT ${id}`)], allow);
    recording.flush();
  };
  for (let id = 1; id * RECORD_IDLE_MS < SESSION_ROW_AGE_MS; id += 1) {
    says(id);
    pass(RECORD_IDLE_MS);
  }
  const said = recording.counts.statements;
  assert.ok(said > 1);
  assert.deepEqual(puts, [["open", 0]]);
  // It says no more, and its counts are shown nevertheless: once.
  for (let times = 0; times < 30; times += 1) pass(RECORD_IDLE_MS);
  assert.deepEqual(puts.slice(1), [["open", said]]);

  says(said + 1);
  pass(RECORD_IDLE_MS);
  assert.deepEqual(puts.slice(2), [["open", said + 1]], "the last row is old enough");
  says(said + 2);
  pass(RECORD_IDLE_MS);
  clock.advance(-3_600_000);
  pass(RECORD_IDLE_MS);
  assert.deepEqual(puts.slice(3), [["open", said + 2]], "a clock set back");
  await recording.end(summary);
  assert.deepEqual(puts.slice(4), [["ended", said + 2]]);
});

test("closing the recorder writes what lies idle", async (t) => {
  const { dir, recorder } = await world(t);
  const recording = recorder.open(start("s1"));
  recording.asked(1, [ask("SELECT 1")], allow);
  recording.flush();
  recording.answered(answer(1));
  assert.deepEqual(outline(await entries(dir, "s1")).includes("answer 1"), false);
  await recorder.close();
  assert.deepEqual(outline(await entries(dir, "s1")).includes("answer 1"), true);
});

test("the descriptor is given back at the end", async (t) => {
  const { recorder } = await world(t);
  const probe = () => {
    const fd = openSync("/dev/null", "r");
    closeSync(fd);
    return fd;
  };
  const before = probe();
  const recording = recorder.open(start("s1"));
  assert.notEqual(probe(), before);
  await recording.end(summary);
  assert.equal(probe(), before);
});

test("the recorder tells what is in no file yet, and how old the oldest of it is", async (t) => {
  const { recorder, clock, disk } = await world(t);
  const recording = recorder.open(start("lag1"));
  assert.deepEqual(recorder.lag(), { bytes: 0, ageMs: 0 });
  recording.asked(1, [ask("SELECT 1")], allow);
  clock.advance(70);
  const { bytes, ageMs } = recorder.lag();
  assert.ok(bytes > 0);
  assert.equal(ageMs, 70);
  disk.room = 0;
  assert.throws(() => recording.flush(), { code: "RECORDING_FAILED" });
  clock.advance(30);
  assert.equal(recorder.lag().ageMs, 100);
  disk.room = Number.POSITIVE_INFINITY;
  recording.flush();
  assert.deepEqual(recorder.lag(), { bytes: 0, ageMs: 0 });
});
