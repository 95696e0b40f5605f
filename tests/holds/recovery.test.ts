/** What a daemon finds that another one left: as if it had been killed at each state. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HOLDS_KEPT_MAX } from "../../src/base/limits.ts";
import { LiveHolds } from "../../src/holds/holds.ts";
import type { HoldRow } from "../../src/store/holds.ts";
import { ADA, request, world } from "./kit.ts";

const rows = [
  { killed: "while it waits", at: "waiting", state: "denied", reason: /ended while it waited/, event: "hold.denied" },
  { killed: "once approved", at: "approved", state: "abandoned", reason: /not forwarded/, event: "hold.abandoned" },
  {
    killed: "once let go",
    at: "running",
    state: "unknown",
    reason: /before the answer was known/,
    event: "hold.result",
  },
] as const;
for (const { killed, at, state, reason, event } of rows) {
  test(`killed ${killed}: ${state}, told, and answered no more`, async (t) => {
    // The former daemon stops for good at that state: nothing of it is written any more.
    const made = await world(t, { kept: (reached) => void (reached === at && assert.fail("killed")) });
    const hold = made.holds.open(request());
    await made.holds.all(1);
    if (at !== "waiting") {
      const before = made.store.put;
      let dead = false;
      const put = async (row: HoldRow) => {
        if (dead) return;
        await before(row);
        dead = row.state === at;
      };
      Object.assign(made.store, { put });
      await made.holds.approve(hold.id, {}, ADA);
      Object.assign(made.store, { put: before });
    }
    assert.equal((await made.store.get(hold.id))?.state, at, "the row as the former daemon left it");
    const emitted: string[] = [];
    const next = new LiveHolds({ ...made.parts, emit: ({ kind }) => emitted.push(kind) });
    await next.recover();
    const found = await next.get(hold.id);
    assert.deepEqual([found?.state, emitted], [state, [event]]);
    assert.match(found?.reason ?? "", reason);
    await assert.rejects(next.approve(hold.id, {}, ADA), { code: "APPROVAL_ENDED" });
    await next.recover();
    assert.equal(emitted.length, 1, "once");
  });
}

test("what ended before is left as it is, and the oldest are forgotten", async (t) => {
  const { holds, store, events } = await world(t);
  const hold = holds.open(request());
  await holds.deny(hold.id, {}, ADA);
  const told = events.length;
  const row = await store.get(hold.id);
  assert.ok(row !== undefined);
  const old = { ...row, openedMs: 1 };
  for (let index = 0; index < HOLDS_KEPT_MAX; index++) await store.put({ ...old, id: `old-${index}`, document: "{}" });
  await holds.recover();
  assert.equal(events.length, told);
  assert.equal((await store.get(hold.id))?.state, "denied");
  assert.equal((await store.list(20_000)).length, HOLDS_KEPT_MAX);
});
