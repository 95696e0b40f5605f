/** Recordings go when the settings say so, with a signed tombstone, and what is left stays provable. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Retention, type RetentionParts } from "../../src/daemon/retention.ts";
import { readPublicKey } from "../../src/evidence/host-key.ts";
import { verifyEvidence } from "../../src/evidence/verify.ts";
import type { RetentionRule } from "../../src/recorder/retention.ts";
import { openStore } from "../../src/store/store.ts";
import { type Host, host } from "../evidence/kit.ts";
import { DAY } from "../recorder/kit.ts";
import { folder, quietLog } from "../store/folder.ts";

const DAY_MS = 86_400_000;

async function kept(t: TestContext, rules: readonly RetentionRule[], labels = { environment: "prod" }) {
  const store = await openStore(join(folder(t), "state"), quietLog());
  t.after(() => store.close());
  const world = await host(t, { index: store.sessions });
  const forgotten: string[] = [];
  const parts: RetentionParts = {
    ...{ clock: world.clock, dir: world.recordings, index: store.sessions, holds: store.legalHolds },
    rules: () => rules,
    labelsOf: () => labels,
    emit: (event) => world.tell(event),
    flush: async () => {},
    checkpoint: () => world.checkpointer.checkpoint(),
    forget: async (sessions) => void forgotten.push(...sessions),
  };
  return { world, store, forgotten, parts, retention: new Retention(parts) };
}

const findings = async ({ events, recordings, publicKey }: Host) => {
  const found: string[] = [];
  for await (const { kind, where } of verifyEvidence({ events, recordings, publicKey: readPublicKey(publicKey) })) {
    found.push(`${kind} ${where}`);
  }
  return found;
};

test("what is older goes with a tombstone, the rest stays and all of it verifies", async (t) => {
  const { world, retention, forgotten, store } = await kept(t, [{ connections: {}, keepMs: 10 * DAY_MS }]);
  await world.session("old", 2);
  await world.checkpointer.checkpoint();
  world.clock.advance(11 * DAY_MS);
  await world.session("young", 2);
  await world.checkpointer.checkpoint();
  assert.deepEqual(
    (await retention.plan()).map(({ id, why }) => [id, why]),
    [["old", "age"]],
  );
  assert.ok(existsSync(join(world.day, "old.0001.rec")), "a plan changes nothing");
  assert.deepEqual(
    (await retention.run()).map(({ id }) => id),
    ["old"],
  );
  assert.equal(existsSync(join(world.recordings, DAY)), false, "an empty day goes, too");
  assert.deepEqual(forgotten, ["old"]);
  assert.equal(await store.sessions.get("old"), undefined);
  assert.deepEqual(await findings(world), []);
  assert.deepEqual(await retention.run(), []);
});

test("what is held stays whatever the settings say, until it is not held any more", async (t) => {
  const { world, retention } = await kept(t, [{ connections: {}, keepMs: DAY_MS }]);
  await world.session("evidence", 1);
  await retention.hold({ sessionId: "evidence", reason: "case 4711", uid: 0, sinceMs: 1 });
  world.clock.advance(2 * DAY_MS);
  assert.deepEqual(await retention.run(), []);
  assert.deepEqual(
    (await retention.listHolds()).map(({ reason }) => reason),
    ["case 4711"],
  );
  await retention.unhold("evidence");
  assert.equal((await retention.run()).length, 1);
  await assert.rejects(retention.hold({ sessionId: "none", reason: "x", uid: 0, sinceMs: 1 }), {
    code: "SESSION_UNKNOWN",
  });
  await assert.rejects(retention.unhold("none"), { code: "SESSION_UNKNOWN" });
});

test("without a rule for its connection a recording stays for ever", async (t) => {
  const { world, retention } = await kept(t, [{ connections: { environment: "test" }, keepMs: 1 }]);
  await world.session("prod", 1);
  world.clock.advance(1_000 * DAY_MS);
  assert.deepEqual(await retention.run(), []);
});

test("a crash between tombstone and files is no finding, and the next run takes them", async (t) => {
  const { world, parts } = await kept(t, [{ connections: {}, keepMs: DAY_MS }]);
  await world.session("old", 1);
  await world.checkpointer.checkpoint();
  world.clock.advance(2 * DAY_MS);
  const dying = new Retention({
    ...parts,
    checkpoint: async () => {
      await world.checkpointer.checkpoint();
      throw new Error("killed");
    },
  });
  await assert.rejects(dying.run(), /killed/);
  assert.ok(existsSync(join(world.day, "old.0001.rec")));
  assert.deepEqual(await findings(world), []);
  assert.deepEqual(
    (await new Retention(parts).run()).map(({ id }) => id),
    ["old"],
  );
  assert.deepEqual(readdirSync(world.recordings), []);
  await world.checkpointer.checkpoint();
  assert.deepEqual(await findings(world), []);
});

test("a file that is no recording is not touched", async (t) => {
  const { world, retention } = await kept(t, [{ connections: {}, keepMs: DAY_MS }]);
  await world.session("old", 1);
  writeFileSync(join(world.day, "old.notes.txt"), "mine");
  world.clock.advance(2 * DAY_MS);
  await retention.run();
  assert.deepEqual(readdirSync(world.day), ["old.notes.txt"]);
});
