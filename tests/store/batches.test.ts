import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { createBatches } from "../../src/store/batches.ts";

function batchesOf(waitMs: number) {
  const written: number[] = [];
  const write = async (rows: readonly number[]) => void written.push(rows.length);
  return { written, batches: createBatches<number>({ rowsMax: 5_000, waitMs, write, failed: () => {} }) };
}

test("rows wait for others as long as they are told to", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { written, batches } = batchesOf(250);
  batches.add(1);
  batches.add(2);
  t.mock.timers.tick(249);
  assert.deepEqual(written, []);
  t.mock.timers.tick(1);
  assert.deepEqual(written, [2]);
});

test("a full batch waits for nothing, so that a longer wait loses no more in a flood", async () => {
  const { written, batches } = batchesOf(60_000);
  for (let row = 0; row < 6_000; row++) {
    assert.equal(batches.add(row), true, `row ${row}`);
    if (row % 1_000 === 0) await setTimeout(2);
  }
  await batches.flush();
  assert.equal(
    written.reduce((sum, rows) => sum + rows, 0),
    6_000,
  );
  assert.equal(batches.lost, 0);
});
