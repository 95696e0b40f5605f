/** Whoever changes, adds, moves or takes away something that was recorded is found, and what was done is named. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { type JournalEvent, hashOf as lineHash } from "../../src/audit/lines.ts";
import type { Checkpoint } from "../../src/evidence/checkpoint.ts";
import { hostKey, publicPart, readPublicKey } from "../../src/evidence/host-key.ts";
import { newestCheckpoint } from "../../src/evidence/newest.ts";
import { verifyEvidence } from "../../src/evidence/verify.ts";
import { blockAround, hashOf, readBlock } from "../../src/recorder/block.ts";
import { skippableFrame } from "../../src/recorder/files.ts";
import { PREAMBLE_BYTES } from "../../src/recorder/format.ts";
import { beginningOf } from "../../src/recorder/segment.ts";
import { openDatabase } from "../../src/store/database.ts";
import { openStore } from "../../src/store/store.ts";
import { allow, ask, NOON, start } from "../recorder/kit.ts";
import { folder, quietLog } from "../store/folder.ts";
import { type Host, host } from "./kit.ts";

/** Byte ranges of a segment's blocks, the head first. */
function blocksOf(bytes: Buffer): readonly { readonly at: number; readonly whole: Buffer }[] {
  const blocks: { at: number; whole: Buffer }[] = [];
  for (let at = PREAMBLE_BYTES; at < bytes.length; ) {
    const block = readBlock(bytes, at);
    if (block.kind !== "block") throw new Error(`no block at ${at}`);
    blocks.push({ at, whole: block.whole });
    at += block.whole.length;
  }
  return blocks;
}

/** Rewrites a segment as other blocks. */
function rebuild(file: string, change: (blocks: Buffer[]) => readonly Buffer[]): void {
  const bytes = readFileSync(file);
  const blocks = blocksOf(bytes).map(({ whole }) => Buffer.from(whole));
  writeFileSync(file, Buffer.concat([bytes.subarray(0, PREAMBLE_BYTES), ...change(blocks)]));
}

/** The same bodies, linked anew from `from` on: what somebody does who knows the format and has no key. */
function relink(blocks: readonly Buffer[], from: number): Buffer[] {
  const linked = [...blocks];
  for (let at = Math.max(1, from); at < linked.length; at++) {
    const [before, block] = [linked[at - 1], linked[at]];
    if (before !== undefined && block !== undefined) linked[at] = blockAround(block.subarray(36), hashOf(before));
  }
  return linked;
}

function trailFile({ events }: Host): string {
  return join(events, readdirSync(events).sort()[0] ?? "");
}

function editTrail(world: Host, change: (lines: string[]) => readonly string[]): void {
  const file = trailFile(world);
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  writeFileSync(file, `${change(lines).join("\n")}\n`);
}

interface Row {
  readonly name: string;
  readonly tamper: (world: Host) => void;
  /** Kinds of findings that name it; one of them is enough. */
  readonly kinds: readonly string[];
  /** What it is about: a session, "trail", "checkpoint". */
  readonly where: RegExp;
}

const rec = (world: Host, session: string, segment = 1) =>
  join(world.day, `${session}.${String(segment).padStart(4, "0")}.rec`);

function flip(file: string, at: (bytes: Buffer) => number): void {
  const bytes = readFileSync(file);
  const place = at(bytes);
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  writeFileSync(file, bytes);
}

const rows: readonly Row[] = [
  {
    name: "a bit is flipped in a statement",
    tamper: (world) => flip(rec(world, "alpha"), (bytes) => bytes.indexOf("SELECT 2") + 7),
    kinds: ["changed"],
    where: /^alpha$/,
  },
  {
    name: "a bit is flipped in the last block",
    tamper: (world) => flip(rec(world, "alpha"), (bytes) => bytes.length - 3),
    kinds: ["changed"],
    where: /^alpha$/,
  },
  {
    name: "a bit is flipped in a link",
    tamper: (world) => flip(rec(world, "alpha"), (bytes) => (blocksOf(bytes)[3]?.at ?? 0) + 10),
    kinds: ["changed"],
    where: /^alpha$/,
  },
  {
    name: "a bit is flipped in a block's length",
    tamper: (world) => flip(rec(world, "alpha"), (bytes) => (blocksOf(bytes)[2]?.at ?? 0) + 3),
    kinds: ["changed", "truncated"],
    where: /^alpha$/,
  },
  {
    name: "a bit is flipped in the preamble",
    tamper: (world) => flip(rec(world, "alpha"), () => 2),
    kinds: ["changed"],
    where: /^alpha$/,
  },
  {
    name: "a bit is flipped in a head",
    tamper: (world) => flip(rec(world, "alpha"), (bytes) => bytes.indexOf("alpha")),
    kinds: ["changed"],
    where: /^alpha$/,
  },
  {
    name: "a record is taken out",
    tamper: (world) => rebuild(rec(world, "alpha"), (blocks) => blocks.toSpliced(3, 1)),
    kinds: ["missing"],
    where: /^alpha$/,
  },
  {
    name: "a record is taken out, and the rest linked anew",
    tamper: (world) => rebuild(rec(world, "alpha"), (blocks) => relink(blocks.toSpliced(3, 1), 3)),
    kinds: ["missing"],
    where: /^alpha$/,
  },
  {
    name: "two records change places",
    tamper: (world) =>
      rebuild(rec(world, "alpha"), (blocks) => blocks.toSpliced(2, 2, ...blocks.slice(2, 4).toReversed())),
    kinds: ["reordered", "missing"],
    where: /^alpha$/,
  },
  {
    name: "a record is put in a second time, linked in",
    tamper: (world) => rebuild(rec(world, "alpha"), (blocks) => relink(blocks.toSpliced(3, 0, blocks[2] as Buffer), 3)),
    kinds: ["reordered", "inserted", "changed"],
    where: /^alpha$/,
  },
  {
    name: "a statement is replaced by one of the same length, and all that follows linked anew",
    tamper: (world) =>
      rebuild(rec(world, "alpha"), (blocks) => {
        const at = blocks.findIndex((block) => block.includes("SELECT 2"));
        const block = Buffer.from(blocks[at] as Buffer);
        block.write("SELECT 9", block.indexOf("SELECT 2"));
        return relink(blocks.toSpliced(at, 1, block), at + 1);
      }),
    kinds: ["changed"],
    where: /^alpha$/,
  },
  {
    name: "the tail is cut at a block's border",
    tamper: (world) => rebuild(rec(world, "alpha"), (blocks) => blocks.slice(0, -1)),
    kinds: ["truncated"],
    where: /^alpha$/,
  },
  {
    name: "the tail is cut within a block",
    tamper: (world) => truncateSync(rec(world, "alpha"), readFileSync(rec(world, "alpha")).length - 5),
    kinds: ["truncated"],
    where: /^alpha$/,
  },
  {
    name: "records are appended behind the end, linked in",
    tamper: (world) =>
      rebuild(rec(world, "alpha"), (blocks) => relink([...blocks, blocks[2] as Buffer], blocks.length)),
    kinds: ["inserted"],
    where: /^alpha$/,
  },
  {
    name: "a recording is removed",
    tamper: (world) => rmSync(rec(world, "alpha")),
    kinds: ["removed"],
    where: /^alpha$/,
  },
  {
    name: "a segment in the middle is removed",
    tamper: (world) => rmSync(rec(world, "long", 2)),
    kinds: ["removed"],
    where: /^long$/,
  },
  {
    name: "the last segment is removed",
    tamper: (world) => rmSync(rec(world, "long", 4)),
    kinds: ["removed", "truncated"],
    where: /^long$/,
  },
  {
    name: "two segments change names",
    tamper: (world) => {
      renameSync(rec(world, "long", 2), rec(world, "long", 9));
      renameSync(rec(world, "long", 3), rec(world, "long", 2));
      renameSync(rec(world, "long", 9), rec(world, "long", 3));
    },
    kinds: ["changed"],
    where: /^long$/,
  },
  {
    name: "a segment is replaced by another session's",
    tamper: (world) => cpSync(rec(world, "beta"), rec(world, "alpha")),
    kinds: ["changed"],
    where: /^alpha$/,
  },
  {
    name: "a recording is put in that never was",
    tamper: (world) => cpSync(rec(world, "beta"), rec(world, "gamma")),
    kinds: ["unknown"],
    where: /^gamma$/,
  },
  {
    name: "a statement in a compressed segment is changed, and compressed again",
    tamper: (world) => {
      flip(rec(world, "beta"), (bytes) => bytes.indexOf("SELECT 2") + 7);
      compress(rec(world, "beta"));
    },
    kinds: ["changed"],
    where: /^beta$/,
  },
  {
    name: "a bit is flipped in the trail",
    tamper: (world) => editTrail(world, ([first = "", ...rest]) => [first.replace("session", "sessioN"), ...rest]),
    kinds: ["changed"],
    where: /^trail$/,
  },
  {
    name: "an event is taken out of the trail",
    tamper: (world) => editTrail(world, (lines) => lines.toSpliced(1, 1)),
    kinds: ["missing"],
    where: /^trail$/,
  },
  {
    name: "two events change places",
    tamper: (world) => editTrail(world, (lines) => lines.toSpliced(0, 2, ...lines.slice(0, 2).toReversed())),
    kinds: ["reordered", "changed", "missing"],
    where: /^trail$/,
  },
  {
    name: "an event is put in a second time",
    tamper: (world) => editTrail(world, (lines) => lines.toSpliced(1, 0, lines[0] ?? "")),
    kinds: ["inserted"],
    where: /^trail$/,
  },
  {
    name: "a checkpoint is given other roots",
    tamper: (world) =>
      editTrail(world, (lines) => lines.map((line) => line.replace(/"roots":"\w+ 1 /, '"roots":"other 1 '))),
    kinds: ["signature", "changed"],
    where: /^checkpoint|^trail/,
  },
  {
    name: "the whole trail and a recording are written anew, with a key of the forger's own",
    tamper: (world) => {
      editTrail(world, (lines) =>
        lines.map((line) => line.replaceAll(/"key":"[0-9a-f]{16}"/g, `"key":"${"0".repeat(16)}"`)),
      );
    },
    kinds: ["signature", "changed"],
    where: /^checkpoint|^trail/,
  },
  {
    name: "a tombstone is put into the trail for a recording that was removed",
    tamper: (world) => {
      rmSync(rec(world, "alpha"));
      editTrail(world, (lines) => {
        const fake = JSON.stringify({ ...JSON.parse(lines[0] ?? "{}"), kind: "recording.delete", sessionId: "alpha" });
        return lines.toSpliced(1, 0, fake);
      });
    },
    kinds: ["inserted", "changed"],
    where: /^trail$/,
  },
  {
    name: "a tombstone that no checkpoint has is put behind the trail for a recording that was removed",
    tamper: (world) => {
      rmSync(rec(world, "alpha"));
      editTrail(world, (lines) => {
        const { seq } = JSON.parse(lines.at(-1) ?? "{}") as JournalEvent;
        const prev = lineHash(Buffer.from(lines.at(-1) ?? ""));
        const event = { atMs: NOON, kind: "recording.delete", sessionId: "alpha", message: "deleted" };
        return [...lines, JSON.stringify({ seq: seq + 1, prev, ...event })];
      });
    },
    kinds: ["removed"],
    where: /^alpha$/,
  },
  {
    name: "a bit is flipped in what a compressed segment has in the clear",
    tamper: (world) => {
      compress(rec(world, "beta"));
      flip(`${rec(world, "beta")}.zst`, (bytes) => bytes.indexOf("beta") + 6);
    },
    kinds: ["changed"],
    where: /^beta$/,
  },
  {
    name: "beside a segment another one is put, compressed, that readers pass over and people unpack",
    tamper: (world) => {
      const file = rec(world, "beta");
      const bytes = readFileSync(file);
      flip(file, (all) => all.indexOf("SELECT 2") + 7);
      compress(file);
      writeFileSync(file, bytes);
    },
    kinds: ["changed"],
    where: /^beta$/,
  },
  {
    name: "a segment of an absurd number is put in",
    tamper: (world) => cpSync(rec(world, "long", 4), join(world.day, "long.999999999.rec")),
    kinds: ["removed"],
    where: /^long$/,
  },
];

/** As the archive does it. */
function compress(file: string): void {
  const bytes = readFileSync(file);
  rmSync(file);
  writeFileSync(`${file}.zst`, Buffer.concat([skippableFrame(beginningOf(bytes)), zstdCompressSync(bytes)]));
}

async function recorded(world: Host): Promise<void> {
  await world.session("alpha", 3);
  await world.checkpointer.checkpoint();
  await world.session("beta", 3);
  await world.session("long", 3, "long");
  await world.checkpointer.checkpoint();
}

test("control: what nobody touched is whole, and all of it is signed", async (t) => {
  const world = await host(t);
  await recorded(world);
  const { findings, verification } = await world.verify();
  // the last line of the trail is the checkpoint itself
  assert.deepEqual(findings, []);
  assert.deepEqual(
    [verification.sessions, verification.checkpoints, verification.tampered, verification.unproved],
    [3, 2, 0, 0],
  );
  assert.ok(verification.records > 30);
});

for (const { name, tamper, kinds, where } of rows) {
  test(`found and named: ${name}`, async (t) => {
    const world = await host(t);
    await recorded(world);
    tamper(world);
    const { findings } = await world.verify();
    const named = findings.filter((finding) => kinds.includes(finding.kind) && where.test(finding.where));
    assert.ok(named.length > 0, JSON.stringify(findings, null, 1));
    assert.ok(named.every(({ verdict }) => verdict === "tampered"));
  });
}

test("a sealed recording that goes on behind its signed end is found without its key", async (t) => {
  const secret = randomBytes(32);
  const world = await host(t, { dataKey: () => ({ id: "k1", secret }) });
  await recorded(world);
  rebuild(rec(world, "alpha"), (blocks) => relink([...blocks, blocks[2] as Buffer], blocks.length));
  const { findings } = await world.verify();
  assert.deepEqual(
    findings.map(({ verdict, kind, where }) => [verdict, kind, where]),
    [["tampered", "inserted", "alpha"]],
  );
});

test("the beginning of the trail, taken away with the recordings of that time, is found", async (t) => {
  const world = await host(t, { trailBytes: 1 });
  await world.session("alpha", 1);
  await world.checkpointer.checkpoint();
  await world.session("beta", 1);
  await world.checkpointer.checkpoint();
  assert.deepEqual((await world.verify()).findings, [], "control");
  for (const name of readdirSync(world.events).sort().slice(0, 3)) rmSync(join(world.events, name));
  rmSync(rec(world, "alpha"));
  const { findings } = await world.verify();
  assert.ok(
    findings.some(({ verdict, kind, where }) => verdict === "tampered" && kind === "removed" && where === "trail"),
    JSON.stringify(findings),
  );
});

test("a recording that was deleted in order and put back as another one is found", async (t) => {
  const world = await host(t);
  await recorded(world);
  world.tell({ kind: "recording.delete", sessionId: "alpha" });
  world.tell({ kind: "recording.delete", sessionId: "long" });
  await world.checkpointer.checkpoint();
  rmSync(rec(world, "long", 4));
  rmSync(rec(world, "long", 3));
  flip(rec(world, "alpha"), (bytes) => bytes.indexOf("SELECT 2") + 7);
  const { findings } = await world.verify();
  assert.deepEqual(findings.map(({ verdict, kind, where }) => [verdict, kind, where]).sort(), [
    ["tampered", "changed", "alpha"],
    ["unproved", "removed", "long"], // as a crash leaves it: from the last segment to the first
  ]);
});

test("a session that begins and ends while it is verified is no finding", async (t) => {
  const world = await host(t);
  await recorded(world);
  const outside = { ...(newestCheckpoint(world.events) as Checkpoint), number: 99 };
  const about = { events: world.events, recordings: world.recordings, publicKey: readPublicKey(world.publicKey) };
  const found: string[] = [];
  for await (const { kind, where } of verifyEvidence({ ...about, anchor: outside })) {
    if (found.length === 0) await world.session("meanwhile", 2); // the trail was read by now
    found.push(`${kind} ${where}`);
  }
  assert.deepEqual(found, ["rolled-back trail"]);
});

test("a session of which a loss of power kept the name alone is not called tampered with", async (t) => {
  const world = await host(t);
  await recorded(world);
  world.recorder.open(start("fresh"));
  world.tell({ kind: "session.start", sessionId: "fresh" });
  truncateSync(rec(world, "fresh"), 0);
  const next = await world.restart();
  await next.checkpointer.checkpoint();
  assert.deepEqual(
    (await next.verify()).findings.map(({ verdict, where }) => [verdict, where]),
    [["unproved", "fresh"]],
  );
});

test("a host that was set back is found by a checkpoint that somebody outside has", async (t) => {
  const world = await host(t);
  await world.session("alpha", 3);
  await world.checkpointer.checkpoint();
  cpSync(world.state, `${world.state}.back`, { recursive: true });
  await world.session("beta", 3);
  await world.checkpointer.checkpoint();
  const outside = newestCheckpoint(world.events) as Checkpoint;
  assert.deepEqual((await world.verify({ anchor: outside })).findings, []);

  rmSync(world.state, { recursive: true });
  cpSync(`${world.state}.back`, world.state, { recursive: true });
  assert.deepEqual((await world.verify()).findings, [], "control: without it nothing is seen");
  const { findings } = await world.verify({ anchor: outside });
  assert.deepEqual(
    findings.map(({ kind, where }) => [kind, where]),
    [["rolled-back", "trail"]],
  );
});

test("a trail whose tail was cut with the recordings of that time is found by the outside checkpoint alone", async (t) => {
  const world = await host(t);
  await recorded(world);
  const outside = newestCheckpoint(world.events) as Checkpoint;
  editTrail(world, (lines) => lines.slice(0, lines.findIndex((line) => line.includes("evidence.checkpoint")) + 1));
  for (const file of readdirSync(world.day)) if (!file.startsWith("alpha")) rmSync(join(world.day, file));
  assert.deepEqual((await world.verify()).findings, [], "control: without it nothing is seen");
  const { findings } = await world.verify({ anchor: outside });
  assert.deepEqual(
    findings.map(({ kind }) => kind),
    ["rolled-back"],
  );
});

test("what another host's key signed proves nothing here", async (t) => {
  const world = await host(t);
  await recorded(world);
  const stranger = readPublicKey(publicPart(hostKey(randomBytes(32))));
  const { findings } = await world.verify({ publicKey: stranger });
  assert.ok(findings.some(({ kind, where }) => kind === "signature" && where === "checkpoint 1"));
});

test("a recording that a crash left is signed as it was found, and cutting it afterwards is found", async (t) => {
  const world = await host(t);
  const recording = world.recorder.open(start("crashed"));
  world.tell({ kind: "session.start", sessionId: "crashed" });
  for (const at of [1, 2, 3]) {
    recording.asked(at, [ask(`SELECT ${at}`)], allow);
    recording.flush();
  }
  const file = rec(world, "crashed");
  const whole = readFileSync(file);
  writeFileSync(file, Buffer.concat([whole, Buffer.from("000001", "hex")])); // a torn write
  const next = await world.restart();
  await next.checkpointer.checkpoint();
  assert.deepEqual((await next.verify()).findings, [], "as it was found");
  truncateSync(file, whole.length);
  assert.equal((await next.verify()).verification.tampered, 0, "the torn end holds nothing that was signed");
  rebuild(file, (blocks) => blocks.slice(0, -1));
  assert.deepEqual(
    (await next.verify()).findings.map(({ kind, where }) => [kind, where]),
    [["truncated", "crashed"]],
  );
});

test("what was signed before a crash has to stand there after it, whatever was signed as it was found", async (t) => {
  const world = await host(t);
  const hands: readonly ((file: string) => void)[] = [
    (file) => {
      flip(file, (bytes) => bytes.indexOf("SELECT 2") + 7);
      rebuild(file, (blocks) => relink(blocks, 1));
    },
    (file) => rebuild(file, (blocks) => blocks.slice(0, -2)),
  ];
  for (const at of hands.keys()) {
    const recording = world.recorder.open(start(`open-${at}`));
    world.tell({ kind: "session.start", sessionId: `open-${at}` });
    for (const id of [1, 2, 3, 4]) {
      recording.asked(id, [ask(`SELECT ${id}`)], allow);
      recording.flush();
    }
  }
  await world.checkpointer.checkpoint();
  for (const [at, change] of hands.entries()) change(rec(world, `open-${at}`)); // the daemon is dead
  const next = await world.restart();
  await next.checkpointer.checkpoint();
  const { findings } = await next.verify();
  for (const at of hands.keys()) {
    const named = findings.filter(({ where }) => where === `open-${at}`).map(({ verdict }) => verdict);
    assert.deepEqual(named, ["tampered"], JSON.stringify(findings));
  }
});

test("what ended after the last checkpoint before a crash is signed at the next start", async (t) => {
  const world = await host(t);
  await recorded(world);
  await world.session("late", 2);
  const next = await world.restart();
  await next.checkpointer.checkpoint();
  assert.deepEqual((await next.verify()).findings, []);
  rebuild(rec(next, "late"), (blocks) => blocks.slice(0, -1));
  assert.deepEqual(
    (await next.verify()).findings.map(({ kind, where }) => [kind, where]),
    [["truncated", "late"]],
  );
});

test("an index that is built anew signs nothing anew", async (t) => {
  const world = await host(t);
  world.recorder.open(start("crashed")).flush();
  world.tell({ kind: "session.start", sessionId: "crashed" });
  const next = await world.restart();
  next.recorder.takeRoots();
  await next.recorder.reindex();
  assert.deepEqual(next.recorder.takeRoots(), []);
});

test("a sealed recording is verified without its key", async (t) => {
  const secret = randomBytes(32);
  const world = await host(t, { dataKey: () => ({ id: "k1", secret }) });
  await recorded(world);
  assert.deepEqual((await world.verify()).findings, []);
  assert.equal(readFileSync(rec(world, "alpha")).includes("SELECT"), false);
  flip(rec(world, "alpha"), (bytes) => (blocksOf(bytes)[2]?.at ?? 0) + 50);
  const { findings } = await world.verify();
  assert.ok(findings.some(({ kind, where }) => kind === "changed" && where === "alpha"));
});

test("what is newer than the last checkpoint is said to be unproved, not to be whole", async (t) => {
  const world = await host(t);
  await recorded(world);
  await world.session("late", 1);
  const { findings } = await world.verify();
  assert.deepEqual(
    findings.map(({ verdict, where }) => [verdict, where]),
    [
      ["unproved", "trail"],
      ["unproved", "late"],
    ],
  );
});

const inDatabase: readonly { name: string; sql: string; kind: string; says: RegExp }[] = [
  {
    name: "a session is given to another agent",
    sql: "UPDATE sessions SET agent = 'other' WHERE id = 'alpha'",
    kind: "changed",
    says: /alpha .*agent other instead of ci/,
  },
  {
    name: "a refusal is taken out of the counts",
    sql: "UPDATE sessions SET statements = 1 WHERE id = 'alpha'",
    kind: "changed",
    says: /alpha .*statements 1 instead of 3/,
  },
  {
    name: "a session is moved to another time",
    sql: "UPDATE sessions SET started_ms = started_ms - 86400000 WHERE id = 'beta'",
    kind: "changed",
    says: /beta .*startedMs/,
  },
  {
    name: "a session is taken out",
    sql: "DELETE FROM sessions WHERE id = 'beta'",
    kind: "removed",
    says: /beta is recorded/,
  },
  {
    name: "a session is put in that never was",
    sql: "INSERT INTO sessions SELECT 'ghost', agent, connection, protocol, pid, uid, user, executable, address, port, started_ms, ended_ms, statements, denied, masked, rows, bytes_in, bytes_out, state, file FROM sessions WHERE id = 'beta'",
    kind: "inserted",
    says: /ghost/,
  },
];
for (const { name, sql, kind, says } of inDatabase) {
  test(`found and named in the database: ${name}`, async (t) => {
    const state = join(folder(t), "state");
    const store = await openStore(state, quietLog());
    t.after(() => store.close());
    const world = await host(t, { index: store.sessions });
    await recorded(world);
    await store.sessions.flush();
    assert.deepEqual((await world.verify({ index: store.sessions })).findings, [], "control");
    const database = await openDatabase(join(state, "sallyport.db"));
    t.after(() => database.close());
    await database.run(sql);
    const { findings } = await world.verify({ index: store.sessions });
    assert.deepEqual(
      findings.map((finding) => [finding.verdict, finding.kind, finding.where, says.test(finding.message)]),
      [["tampered", kind, "index", true]],
      JSON.stringify(findings),
    );
  });
}
