import assert from "node:assert/strict";
import { test } from "node:test";
import { within } from "../../src/path/deadline.ts";

test("work that takes too long is told so by its signal", async () => {
  const isOver = await within(10, (signal) => {
    assert.equal(signal.aborted, false);
    return new Promise<boolean>((resolve) => signal.addEventListener("abort", () => resolve(signal.aborted)));
  });
  assert.equal(isOver, true);
});

for (const { name, work } of [
  { name: "done", work: async () => "done" },
  { name: "failed", work: () => Promise.reject(new Error("failed")) },
]) {
  test(`the time of work that is ${name} in time is over with it`, async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    let kept: AbortSignal | undefined;
    const outcome = await within(10, (signal) => {
      kept = signal;
      return work();
    }).catch((error: Error) => error.message);
    assert.equal(outcome, name);
    t.mock.timers.tick(10);
    assert.equal(kept?.aborted, false);
  });
}
