/** Whoever changes, adds, moves or takes away something that was recorded is found, and what was done is named. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import type { Checkpoint } from "../../src/evidence/checkpoint.ts";
import { hostKey, publicPart, readPublicKey } from "../../src/evidence/host-key.ts";
import { newestCheckpoint } from "../../src/evidence/newest.ts";
import { blockAround, hashOf, readBlock } from "../../src/recorder/block.ts";
import { skippableFrame } from "../../src/recorder/files.ts";
import { PREAMBLE_BYTES } from "../../src/recorder/format.ts";
import { beginningOf } from "../../src/recorder/segment.ts";
import { allow, ask, start } from "../recorder/kit.ts";
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
      const file = rec(world, "beta");
      const bytes = readFileSync(file);
      rmSync(file);
      bytes.write("SELECT 9", bytes.indexOf("SELECT 2"));
      writeFileSync(`${file}.zst`, Buffer.concat([skippableFrame(beginningOf(bytes)), zstdCompressSync(bytes)]));
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
];

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
