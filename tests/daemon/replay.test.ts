/** A recording from a place in it, without what is before, and of a session that runs, to its end. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ReplayFrom, SessionEntry } from "../../src/control/ports.ts";
import { replay } from "../../src/daemon/replay.ts";
import { allow, answer, ask, DAY, NOON, start, summary, type World, world } from "../recorder/kit.ts";

async function rowOf({ index }: World, id: string) {
  await index.flush();
  const row = await index.get(id);
  if (row === undefined) throw new Error(`no ${id}`);
  return row;
}

async function all(entries: AsyncIterable<SessionEntry>): Promise<SessionEntry[]> {
  const found: SessionEntry[] = [];
  for await (const entry of entries) found.push(entry);
  return found;
}

/** Three segments, a statement each: the clock moves on by more than a segment's age. */
async function recorded(w: World): Promise<void> {
  const recording = w.recorder.open(start("s1"));
  for (let id = 1; id <= 3; id++) {
    recording.asked(id, [ask(`select ${id}`)], allow);
    recording.answered(answer(id));
    recording.flush();
    w.clock.advance(61_000);
  }
  await recording.end(summary);
}

const places: readonly (readonly [name: string, from: ReplayFrom | undefined, texts: readonly string[]])[] = [
  ["its beginning", undefined, ["select 1", "SELECT 1", "select 2", "SELECT 1", "select 3", "SELECT 1"]],
  ["an entry", { kind: "entry", number: 6 }, ["select 2", "SELECT 1", "select 3", "SELECT 1"]],
  [
    "an entry between a statement and its decision",
    { kind: "entry", number: 5 },
    ["select 2", "SELECT 1", "select 3", "SELECT 1"],
  ],
  ["a time", { kind: "ms", ms: 61_000 }, ["select 2", "SELECT 1", "select 3", "SELECT 1"]],
  ["a time after the last statement", { kind: "ms", ms: 1_000_000 }, []],
];
for (const [name, from, texts] of places) {
  test(`a replay begins at ${name}`, async (t) => {
    const w = await world(t);
    await recorded(w);
    const row = await rowOf(w, "s1");
    const read = replay(
      { recordings: w.dir, keys: () => undefined, rowOf: () => rowOf(w, "s1") },
      row,
      from,
      undefined,
    );
    const shown = (await all(read)).filter(({ kind }) => kind === "decision" || kind === "answer");
    assert.deepEqual(
      shown.map(({ text }) => text),
      texts,
    );
  });
}

test("segments before the place are not read: they may even be gone", async (t) => {
  const w = await world(t);
  await recorded(w);
  const row = await rowOf(w, "s1");
  const world_ = { recordings: w.dir, keys: () => undefined, rowOf: () => rowOf(w, "s1") };
  const read = replay(world_, row, { kind: "ms", ms: 122_000 }, undefined);
  const first = read.next();
  await first;
  rmSync(join(w.dir, DAY, "s1.0001.rec"));
  assert.ok((await all(read)).some(({ kind }) => kind === "end"));
});

test("a session that runs is followed: each entry once, until it ends", async (t) => {
  const w = await world(t);
  const recording = w.recorder.open({ ...start("s1"), startedAtMs: NOON });
  recording.asked(1, [ask("select 1")], allow);
  recording.flush();
  const leaving = new AbortController();
  const read = replay(
    { recordings: w.dir, keys: () => undefined, rowOf: () => rowOf(w, "s1") },
    await rowOf(w, "s1"),
    undefined,
    leaving.signal,
  );
  const seen: string[] = [];
  for await (const { kind, text, number } of read) {
    seen.push(`${number} ${kind}`);
    if (text === "select 1") {
      recording.answered(answer(1));
      w.clock.advance(61_000);
      recording.asked(2, [ask("select 2")], allow);
      recording.flush();
    }
    if (text === "select 2") await recording.end(summary);
  }
  assert.deepEqual(seen, ["1 start", "3 decision", "4 answer", "6 decision", "7 end"]);
});

test("whoever leaves ends the following", async (t) => {
  const w = await world(t);
  const recording = w.recorder.open(start("s1"));
  const leaving = new AbortController();
  const read = replay(
    { recordings: w.dir, keys: () => undefined, rowOf: () => rowOf(w, "s1") },
    await rowOf(w, "s1"),
    undefined,
    leaving.signal,
  );
  assert.equal((await read.next()).value?.kind, "start");
  const next = read.next();
  leaving.abort();
  assert.deepEqual(await next, { value: undefined, done: true });
  await recording.end(summary);
});
