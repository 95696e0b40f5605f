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

test("what the kernel says of a thread that computes is that it is busy", () => {
  const pace = createPace(() => firstThreadMs(process.pid));
  const end = performance.now() + 300;
  while (performance.now() < end);
  assert.ok(pace(10) > 20);
});
