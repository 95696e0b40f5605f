/** What is signed as it was found, after a daemon died or by an earlier format, is told apart from what was signed as it was written. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readBlock } from "../../src/recorder/block.ts";
import { PREAMBLE_BYTES } from "../../src/recorder/format.ts";
import { allow, ask, start } from "../recorder/kit.ts";
import { type Host, host } from "./kit.ts";

const rec = ({ day }: Host, id: string) => join(day, `${id}.0001.rec`);

async function recorded(world: Host): Promise<void> {
  await world.session("alpha", 3);
  await world.checkpointer.checkpoint();
}

function cutLastBlock(file: string): void {
  const bytes = readFileSync(file);
  let last = PREAMBLE_BYTES;
  for (let at = last; at < bytes.length; ) {
    const block = readBlock(bytes, at);
    if (block.kind !== "block") throw new Error(`no block at ${at}`);
    last = at;
    at += block.whole.length;
  }
  truncateSync(file, last);
}

test("what a daemon that died had signed is not taken back by what a later one signs as it lies there", async (t) => {
  const world = await host(t);
  await recorded(world);
  world.tell({ kind: "session.start", sessionId: "dead" });
  const recording = world.recorder.open({ ...start("dead"), startedAtMs: world.clock.nowMs() });
  for (let at = 1; at <= 3; at++) {
    recording.asked(at, [ask(`SELECT ${at}`)], allow);
    recording.flush();
  }
  await world.checkpointer.checkpoint();
  cutLastBlock(rec(world, "dead"));
  const next = await world.restart(); // signs what it finds
  await next.checkpointer.checkpoint();
  const found = async () => (await next.verify()).findings.map(({ verdict, kind, where }) => [verdict, kind, where]);
  assert.deepEqual(await found(), [["tampered", "truncated", "dead"]]);
  cutLastBlock(rec(world, "alpha")); // has no end now
  await next.recorder.reindex();
  await next.checkpointer.checkpoint();
  assert.deepEqual(await found(), [
    ["tampered", "truncated", "alpha"],
    ["tampered", "truncated", "dead"],
  ]);
});

test("a recording that was laid there while no daemon ran is told, though the next one signs what it finds", async (t) => {
  const world = await host(t);
  await recorded(world);
  const elsewhere = await host(t);
  const recording = elsewhere.recorder.open({ ...start("forged"), startedAtMs: elsewhere.clock.nowMs() });
  recording.asked(1, [ask("SELECT 1")], allow);
  recording.flush();
  cpSync(rec(elsewhere, "forged"), rec(world, "forged"));
  await world.recorder.reindex(); // signs nothing
  await world.checkpointer.checkpoint();
  const unknown = (await world.verify()).findings.filter(({ where }) => where === "forged");
  assert.ok(unknown.some(({ verdict, kind }) => verdict === "tampered" && kind === "unknown"));
  const other = await host(t);
  await recorded(other);
  cpSync(rec(elsewhere, "forged"), rec(other, "forged"));
  const next = await other.restart();
  await next.checkpointer.checkpoint();
  assert.deepEqual(
    (await next.verify()).findings.map(({ verdict, kind, where }) => [verdict, kind, where]),
    [["unproved", "unknown", "forged"]],
  );
});

test("recordings of an earlier format are unproved, not tampered with", async (t) => {
  const world = await host(t);
  await recorded(world);
  const old = Buffer.alloc(200);
  old.write("SALLYREC");
  old.writeUInt32BE(1, 8);
  writeFileSync(rec(world, "older"), old);
  assert.deepEqual(
    (await world.verify()).findings.map(({ verdict, where }) => [verdict, where]),
    [["unproved", "older"]],
  );
  writeFileSync(rec(world, "alpha"), old);
  const { findings } = await world.verify();
  assert.ok(
    findings.some(({ verdict, where }) => verdict === "tampered" && where === "alpha"),
    "what was signed has no such excuse",
  );
});
