import assert from "node:assert/strict";
import { test } from "node:test";
import { createPace, firstThreadMs } from "../../src/search/pace.ts";

test("the index rests twice as long as it worked while the daemon is at leisure, and far longer while it is busy", () => {
  let [busy, now] = [0, 0];
  const pace = createPace(
    () => busy,
    () => now,
  );
  [busy, now] = [100, 1_000];
  assert.equal(pace(50), 100);
  [busy, now] = [900, 2_000];
  assert.equal(pace(50), 2_000);
  [busy, now] = [1_700, 3_000];
  assert.equal(pace(5_000), 10_000, "it goes on all the same");
  [busy, now] = [1_700, 4_000];
  assert.equal(pace(50), 100);
});

test("what the kernel says of a thread that computes grows with what it computes", () => {
  const before = firstThreadMs(process.pid);
  const start = process.cpuUsage();
  for (let spent = 0; spent < 200_000; ) {
    const { user, system } = process.cpuUsage(start);
    spent = user + system;
  }
  assert.ok(firstThreadMs(process.pid) - before >= 100);
});
