/** What is done again and again: one round at a time, and a fault that lasts is told once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Log } from "../../src/base/log.ts";
import { Life } from "../../src/daemon/life.ts";
import { quietLog } from "../store/folder.ts";

test("a round that fails in one way is told once, until one succeeds or fails in another", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const told: unknown[] = [];
  const log: Log = { ...console, error: (_message: string, fields?: object) => void told.push(fields) };
  const life = new Life();
  const faults = ["full", "full", "full", "gone", undefined, "gone"];
  let rounds = 0;
  life.every(
    100,
    async () => {
      const fault = faults[rounds++];
      if (fault !== undefined) throw new Error(fault);
    },
    log,
  );
  for (const _ of faults) {
    t.mock.timers.tick(100);
    await new Promise(setImmediate); // the round settles
  }
  assert.equal(rounds, faults.length);
  assert.deepEqual(told, [{ error: "full" }, { error: "gone" }, { error: "gone" }]);
});

test("a round that takes longer than its time is not begun twice", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const life = new Life();
  let begun = 0;
  life.every(
    100,
    () => {
      begun++;
      return new Promise(() => {});
    },
    quietLog(),
  );
  t.mock.timers.tick(500);
  await new Promise(setImmediate);
  assert.equal(begun, 1);
});
