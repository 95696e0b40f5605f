/**
 * The short way against the session's own: the same conversations with a real server through two daemons, of which one
 * relays as soon as it can and the other never does. Every byte that the client hears is the same, and so is what the
 * recording says.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { listDays, listSessions } from "../../src/recorder/files.ts";
import type { RecordEntry } from "../../src/recorder/format.ts";
import { readRecording } from "../../src/recorder/read.ts";
import { Random } from "../fuzz/random.ts";
import type { TalkJob, TalkReport, Turn } from "../kit/clients/talk-client.ts";
import { parseExposition, sampled } from "../kit/exposition.ts";
import { join as concat, message, client as say } from "../kit/wire.ts";
import { CARD, HIDE, OPEN, startWorld, type World } from "./world.ts";

const TALK_CLIENT = fileURLToPath(new URL("../kit/clients/talk-client.ts", import.meta.url));
const TABLES =
  "CREATE TABLE counts (id int PRIMARY KEY, n int); INSERT INTO counts SELECT i, i FROM generate_series(1, 50) i;";
const DENY_DDL = `
rules:
  - { name: no-ddl, on: sql.define, deny: { message: "No schema changes" } }
  - { name: few-deletes, on: sql.delete, limit: { statements: 1000, per: 10m } }
`;

const one = (group: Buffer): Turn => ({ pieces: [group.toString("base64")], readies: 1 });
const GOODBYE: Turn = { pieces: [message("X").toString("base64")], readies: 0 };

const SELECTING = "SELECT n FROM counts WHERE id = $1";
const run = (name: string, how: Parameters<typeof say.bind>[2]) =>
  concat(say.bind("", name, how), say.describe("P", ""), say.execute(""), say.sync());

/** What drivers say of one statement, as they have prepared it or not. */
const KINDS: readonly (readonly [kind: string, group: (n: number) => Buffer])[] = [
  ["a Query", (n) => say.query(`SELECT n FROM counts WHERE id IN (${n}, -${n}, 1234567)`)],
  ["a prepared statement", (n) => run("find", { values: [String(n)] })],
  ["a statement without a name", (n) => concat(say.parse("", SELECTING), run("", { values: [String(n)] }))],
  ["NULL", () => concat(say.parse("", SELECTING), run("", { values: [null] }))],
  [
    "an integer in binary form",
    (n) => concat(say.parse("", SELECTING, [20]), run("", { formats: [1], values: [int(8, -n)] })),
  ],
];

for (const labels of [false, true]) {
  describe(labels ? "with labelled columns" : "without labels", () => {
    let worlds: { readonly off: World; readonly always: World };

    before(async () => {
      const policies = { "open.yaml": OPEN, "hide.yaml": HIDE, "ddl.yaml": DENY_DDL };
      const [off, always] = await Promise.all([
        startWorld({ policies, labels, relay: "off" }),
        startWorld({ policies, labels, relay: "always" }),
      ]);
      worlds = { off, always };
      for (const world of [off, always]) await world.postgres.query(TABLES);
    });
    after(async () => {
      await worlds.off.stop();
      await worlds.always.stop();
    });

    for (let seed = 1; seed <= 6; seed++) {
      test(`conversation ${seed} is the same byte by byte`, { timeout: 120_000 }, async () => {
        const turns = conversation(new Random(seed), 160);
        const [one, other] = [await talk(worlds.off, turns), await talk(worlds.always, turns)];
        assert.deepEqual(told(other.heard), told(one.heard));
        assert.equal(other.closed, one.closed);
        const [before, now] = [await recorded(worlds.off), await recorded(worlds.always)];
        assert.deepEqual(now, before);
        assert.ok(before.length > 150, `${before.length} operations were recorded`);
      });
    }

    for (const [kind, group] of KINDS)
      test(`${kind} goes the short way`, async () => {
        const turns = Array.from({ length: 20 }, (_, at) => one(group(at + 1)));
        const before = await relayed(worlds.always);
        const { heard } = await talk(worlds.always, [one(prepared()), ...turns, GOODBYE]);
        const went = (await relayed(worlds.always)) - before;
        assert.ok(went >= 18, `${went} of 20 groups were relayed`);
        assert.deepEqual(told((await talk(worlds.off, [one(prepared()), ...turns, GOODBYE])).heard), told(heard));
      });

    test(`control: groups did go the short way, and none without it`, async () => {
      const [off, always] = [await relayed(worlds.off), await relayed(worlds.always)];
      assert.equal(off, 0);
      assert.ok(always > 80, `${always} operations were relayed`);
    });
  });
}

/** What a driver might say, most of it again and again, some of it wrong. */
function conversation(random: Random, length: number): readonly Turn[] {
  const id = () => 1 + random.below(60);
  const execute = (name: string, values: readonly (string | null)[], describes = true) =>
    concat(say.bind("", name, { values }), ...(describes ? [say.describe("P", "")] : []), say.execute(""), say.sync());
  const once = (text: string, values: readonly (string | null)[]) => concat(say.parse("", text), execute("", values));
  const binary = (types: readonly number[], values: readonly (Buffer | null)[]) =>
    concat(
      say.parse("", "SELECT n FROM counts WHERE id = $1 OR n = $2", types),
      ...[say.bind("", "", { formats: [1], values }), say.describe("P", ""), say.execute(""), say.sync()],
    );
  const groups: readonly (readonly [weight: number, make: () => Buffer])[] = [
    [12, () => say.query(`SELECT n FROM counts WHERE id = ${id()}`)],
    [8, () => say.query(`UPDATE counts SET n = n + ${random.below(1000)} WHERE id = ${id()};`)],
    [4, () => say.query("BEGIN")],
    [4, () => say.query("COMMIT")],
    [2, () => say.query("ROLLBACK;")],
    [12, () => execute("find", [String(id())])],
    [6, () => execute("find", [String(id())], false)],
    [6, () => execute("add", [String(random.below(100)), String(id())])],
    [3, () => execute("find", [random.below(2) === 0 ? null : "4111111"])],
    [2, () => execute("nobody", ["1"])],
    [2, () => say.query("SELECT 1/0")],
    [3, () => say.query(`SELECT n / ${random.below(2)} FROM counts WHERE id = 1`)],
    [2, () => say.query("DROP TABLE counts")],
    [2, () => say.query("SELECT n FROM counts ORDER BY id")],
    [3, () => say.query(`SELECT name, card FROM customers WHERE id = ${1 + random.below(3)}`)],
    [2, () => say.query(`SELECT id FROM customers WHERE card = '${CARD}'`)],
    [2, () => say.query(`SELECT n FROM counts WHERE n = ${random.below(2) === 0 ? 4111111 : 41111111111111}`)],
    [2, () => say.query(`SELECT ${random.below(9)}; SELECT ${random.below(9)}`)],
    [2, () => say.query("")],
    [1, () => say.query("DEALLOCATE find")],
    [1, () => say.query("LISTEN news")],
    [1, () => say.query("NOTIFY news, 'said'")],
    [2, () => concat(say.close("S", "find"), say.parse("find", "SELECT n FROM counts WHERE id = $1"), say.sync())],
    [
      1,
      () => concat(say.close("S", "find"), say.parse("find", "SELECT name FROM customers WHERE id = $1"), say.sync()),
    ],
    [1, () => concat(say.parse("add", "UPDATE counts SET n = n + $1 WHERE id = $2"), say.sync())],
    [6, () => once("SELECT n FROM counts WHERE id = $1", [String(id())])],
    [3, () => once("UPDATE counts SET n = n + $1 WHERE id = $2", [String(-random.below(100)), String(id())])],
    [3, () => once("SELECT n FROM counts WHERE id = $1 OR n = $2", [random.below(2) === 0 ? null : "-3", "4"])],
    [4, () => binary([20, 23], [int(8, id()), random.below(3) === 0 ? null : int(4, -random.below(2000))])],
    [2, () => binary([20, 21], [int(8, random.below(2) * 4_111_111_111_111_111), int(2, -random.below(9))])],
    [1, () => once("SELECT n / $1 FROM counts WHERE id = 1", [String(random.below(3))])],
    [1, () => once("SELECT name, card FROM customers WHERE id = $1", [String(1 + random.below(3))])],
    [2, () => execute("", [String(id())])],
    [1, () => concat(say.parse("", "SELECT n FROM counts WHERE id = $1"), say.sync())],
    [4, () => execute("wide", [String(id()), random.below(2) === 0 ? null : `2026-11-30 1${random.below(9)}:00:00`])],
    [2, () => say.query(`INSERT INTO counts VALUES (${100 + id()}, -${random.below(2000)}) ON CONFLICT DO NOTHING`)],
    [2, () => say.query(`SELECT n FROM counts WHERE id IN (${id()}, ${id()}, 1234567, -${random.below(4000)})`)],
    [1, () => say.query(`SELECT n FROM counts WHERE n = 219-${random.below(2) === 0 ? "09-9999" : "9-9"}`)],
    [1, () => say.sync()],
    [1, () => say.query(`DELETE FROM counts WHERE id = ${100 + random.below(5)}`)],
    [1, () => say.query(`SELECT count(*)::int FROM generate_series(1, ${random.below(9) + 1})`)],
    [1, () => say.query("SELECT i FROM generate_series(1, 3000) i")],
    [1, () => say.query("COPY counts TO STDOUT")],
  ];
  const total = groups.reduce((sum, [weight]) => sum + weight, 0);
  const next = (): Buffer => {
    let at = random.below(total);
    for (const [weight, make] of groups) {
      if (at < weight) return make();
      at -= weight;
    }
    return assert.fail("no group");
  };
  const turns: Turn[] = [one(prepared())];
  while (turns.length < length) {
    const count = random.below(4) === 0 ? 1 + random.below(6) : 1;
    const all = concat(...Array.from({ length: count }, next));
    turns.push({ pieces: cut(all, random), readies: count });
  }
  return [...turns, GOODBYE];
}

function prepared(): Buffer {
  return concat(
    say.parse("find", SELECTING),
    say.parse("add", "UPDATE counts SET n = n + $1 WHERE id = $2"),
    say.parse("wide", "SELECT n FROM counts WHERE id = $1 OR $2::text < 'a'"),
    say.sync(),
  );
}

function int(bytes: 2 | 4 | 8, value: number): Buffer {
  const made = Buffer.alloc(8);
  made.writeBigInt64BE(BigInt(value));
  return made.subarray(8 - bytes);
}

/** Whole, or anywhere. */
function cut(bytes: Buffer, random: Random): readonly string[] {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = random.below(3) > 0 ? bytes.length : 1 + random.below(40);
    pieces.push(bytes.subarray(at, at + length).toString("base64"));
    at += length;
  }
  return pieces;
}

async function talk({ daemon, postgres }: World, turns: readonly Turn[]): Promise<{ heard: Buffer; closed: boolean }> {
  const job: TalkJob = { host: "127.0.0.1", port: postgres.port, user: "agent", database: "postgres", turns };
  const { stdout, stderr, code } = await daemon.run("ci", [process.execPath, TALK_CLIENT], {
    input: JSON.stringify(job),
  });
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as TalkReport;
  return { heard: Buffer.from(report.heard, "base64"), closed: report.closed };
}

/** Message by message, so that a difference can be read. Session ids and process numbers are each daemon's own. */
function told(heard: Buffer): readonly string[] {
  const messages: string[] = [];
  for (let at = 0; at < heard.length; ) {
    const end = at + 1 + heard.readInt32BE(at + 1);
    const text = heard.toString("latin1", at, end).replace(/session [a-z0-9]{16}/g, "session …");
    messages.push(text.startsWith("A") ? `A${text.slice(9)}` : text);
    at = end;
  }
  return messages;
}

interface Recorded {
  readonly texts: readonly unknown[];
  readonly decision: unknown;
  readonly answer: unknown;
}

/** Of the newest session: what was asked, in order, how it was decided and what came of it. */
async function recorded({ daemon }: World): Promise<readonly Recorded[]> {
  const newest = await ofNewest(join(daemon.stateDir, "recordings"));
  const asks = new Map<number, { texts: unknown[]; decision: unknown; answer: unknown }>();
  for (const entry of newest) {
    if (entry.kind === "action") {
      const { sequence: _, atMs: __, askId, ...action } = entry;
      const ask = asks.get(askId) ?? { texts: [], decision: undefined, answer: undefined };
      ask.texts.push(action);
      asks.set(askId, ask);
    } else if (entry.kind === "decision" || entry.kind === "answer") {
      const { sequence: _, atMs: __, askId, ...rest } = entry;
      const ask = asks.get(askId);
      assert.ok(ask, "a decision or answer of something that was asked");
      ask[entry.kind] = { ...rest, policy: "each daemon's own" };
    }
  }
  return [...asks].sort(([one], [other]) => one - other).map(([, ask]) => ask);
}

/** Once it has ended. Every block of it is the one that follows. */
async function ofNewest(dir: string): Promise<readonly RecordEntry[]> {
  for (let turn = 0; turn < 100; turn++) {
    const found: RecordEntry[][] = [];
    for (const day of await listDays(dir)) {
      for (const id of await listSessions(dir, day)) {
        const entries: RecordEntry[] = [];
        for await (const entry of readRecording(dir, id, { day })) entries.push(entry as RecordEntry);
        found.push(entries);
      }
    }
    const newest = found.sort(([one], [other]) => (other?.atMs ?? 0) - (one?.atMs ?? 0))[0] ?? [];
    if (newest.at(-1)?.kind === "end") {
      assert.ok(
        newest.every(({ sequence }, at) => sequence === at + 1),
        "every record is there, in order",
      );
      return newest;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return assert.fail("the newest session has no end");
}

async function relayed({ daemon }: World): Promise<number> {
  const { stdout } = await daemon.cli(["metrics"]);
  return sampled(parseExposition(stdout), "sallyport_relayed_operations_total", { connection: "orders" }) ?? 0;
}
