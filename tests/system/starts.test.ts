import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Starts } from "../containers/starts.ts";

/** The full number is `npm run containers`. */
const COUNT = 20;
let starts: Starts;

before(async () => {
  starts = await Starts.prepare();
});
after(() => starts?.stop());

test("the first instruction of a container that nothing matches reaches the sink", async () => {
  const { leaks, failed } = await starts.run("control", 2);
  assert.deepEqual({ leaks, failed }, { leaks: 2, failed: 0 });
});

test(`of ${COUNT} container starts with the hook none leaks and none is refused what is registered`, async () => {
  const { leaks, refusals, failed } = await starts.run("hook", COUNT);
  assert.deepEqual({ leaks, refusals, failed }, { leaks: 0, refusals: 0, failed: 0 });
});

test("containers without the hook are guarded soon after their start", async () => {
  const { openUs, failed } = await starts.run("watcher", 4);
  assert.equal(failed, 0);
  assert.ok(
    openUs.every((us) => us < 5_000_000),
    `unguarded for ${openUs.join(", ")} µs`,
  );
});
