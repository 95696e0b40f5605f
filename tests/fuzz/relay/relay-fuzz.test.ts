/** A short run of the relay's fuzzing with the kept seed, and proof that each kind of fault is found. In full: `npm run fuzz-relay`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildRelayFuzz } from "./build.ts";
import { PLANTED } from "./planted.ts";
import { runRelayFuzz } from "./run.ts";

const SHORT = { messages: 200_000, seed: 20_261_129 };

test("200,000 mutated messages bring no fault, and reach every end of a flow", async () => {
  const { counts, faults } = await runRelayFuzz(await buildRelayFuzz("as it is"), SHORT);
  assert.equal(faults, "");
  assert.ok(counts !== undefined && counts.mutated >= SHORT.messages);
  assert.ok(counts.groups > 100_000 && counts.answers > 10_000, "most of it is carried");
  assert.ok(counts.vouched > 10_000 && counts.decided > 10_000, "and much of it asked about");
  assert.deepEqual(Object.keys(counts.byWhy).sort(), ["answer", "ended", "full", "over", "unknown", "unrecorded"]);
});

for (const [at, { name, finds }] of PLANTED.entries()) {
  test(`a relay that ${name} is found, and found again by what the report says`, async () => {
    const program = await buildRelayFuzz("planted");
    const planted = at + 1;
    const { faults } = await runRelayFuzz(program, { ...SHORT, planted });
    assert.match(faults, finds);
    const [, seed, episode] = /again by: --seed (\d+) --episode (\d+)/.exec(faults) ?? assert.fail(faults);
    const again = await runRelayFuzz(program, { ...SHORT, seed: Number(seed), episode: Number(episode), planted });
    assert.match(again.faults, finds);
  });
}
