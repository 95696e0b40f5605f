/** Recordings go when the settings say so, with a signed tombstone, and what is left stays provable. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { verifyJournal } from "../../src/audit/verify.ts";
import { ARCHIVE_BYTES_MIN } from "../../src/base/limits.ts";
import { refuseHeldKey } from "../../src/daemon/held-key.ts";
import { Retention, type RetentionParts } from "../../src/daemon/retention.ts";
import { readPublicKey } from "../../src/evidence/host-key.ts";
import { verifyEvidence } from "../../src/evidence/verify.ts";
import { createArchive } from "../../src/recorder/archive.ts";
import { FIRST_LINK } from "../../src/recorder/block.ts";
import { encodeHead } from "../../src/recorder/format.ts";
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
    trail: { failure: undefined, lostOfJournal: 0 },
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

test("what a crash left of compressing goes with the recording", async (t) => {
  const { world, retention } = await kept(t, [{ connections: {}, keepMs: DAY_MS }]);
  await world.session("old", 1);
  cpSync(join(world.day, "old.0001.rec"), join(world.day, "old.0001.rec.zst.new"));
  world.clock.advance(2 * DAY_MS);
  await retention.run();
  assert.deepEqual(readdirSync(world.recordings), []);
});

test("a recording that is deleted while it is compressed does not come back", async (t) => {
  const file = join(folder(t), "old.0001.rec");
  writeFileSync(file, Buffer.concat([beginning(), randomBytes(ARCHIVE_BYTES_MIN)]));
  const archive = createArchive(quietLog());
  archive.add(file);
  while (archive.waiting > 0 && !existsSync(`${file}.zst.new`)) await turn();
  rmSync(file);
  await archive.settled();
  assert.deepEqual(readdirSync(join(file, "..")), []);
});

const unkept: readonly { name: string; trail: RetentionParts["trail"] }[] = [
  { name: "cannot be written", trail: { failure: "ENOSPC", lostOfJournal: 0 } },
  {
    name: "is too full",
    trail: {
      failure: undefined,
      get lostOfJournal() {
        return performance.now();
      },
    },
  },
];

for (const { name, trail } of unkept) {
  test(`nothing is deleted where the trail ${name}`, async (t) => {
    const { world, parts, store } = await kept(t, [{ connections: {}, keepMs: DAY_MS }]);
    await world.session("old", 1);
    world.clock.advance(2 * DAY_MS);
    await assert.rejects(new Retention({ ...parts, trail }).run(), { code: "TOMBSTONE_UNWRITTEN" });
    assert.ok(existsSync(join(world.day, "old.0001.rec")));
    assert.ok((await store.sessions.get("old")) !== undefined);
  });
}

test("whoever holds a recording while a run takes it is told that it is not there", async (t) => {
  const { world, parts } = await kept(t, [{ connections: {}, keepMs: DAY_MS }]);
  await world.session("old", 1);
  world.clock.advance(2 * DAY_MS);
  const asked = Promise.withResolvers<Promise<void>>();
  const retention = new Retention({
    ...parts,
    checkpoint: async () => {
      const hold = retention.hold({ sessionId: "old", reason: "case 4711", uid: 0, sinceMs: 1 });
      hold.catch(() => {}); // looked at below
      asked.resolve(hold);
    },
  });
  await retention.run();
  await assert.rejects(async () => asked.promise.then((hold) => hold), { code: "SESSION_UNKNOWN" });
  assert.deepEqual(await retention.listHolds(), []);
});

test("a recording that goes because its hold was taken out of the database is found", async (t) => {
  const { world, retention } = await kept(t, [{ connections: {}, keepMs: DAY_MS }]);
  for (const sessionId of ["case", "other"]) {
    await world.session(sessionId, 1);
    await retention.hold({ sessionId, reason: "case 4711", uid: 0, sinceMs: 1 });
    world.tell({ kind: "recording.hold", sessionId });
  }
  await retention.unhold("case"); // as `DELETE FROM legal_holds` does: the trail is not told
  await retention.unhold("other");
  world.tell({ kind: "recording.unhold", sessionId: "other" });
  world.clock.advance(2 * DAY_MS);
  assert.equal((await retention.run()).length, 2);
  assert.deepEqual(await findings(world), ["removed case"]);
});

test("a data key is not destroyed while what was sealed with it is held", async (t) => {
  const world = await host(t, { dataKey: () => ({ id: "k1", secret: randomBytes(32) }) });
  await world.session("evidence", 1);
  const hold = { sessionId: "evidence", reason: "case 4711", uid: 0, sinceMs: 1 };
  await assert.rejects(refuseHeldKey("k1", [hold], world.recordings), { code: "DATA_KEY_HELD" });
  await refuseHeldKey("k2", [hold], world.recordings);
  await refuseHeldKey("k1", [{ ...hold, sessionId: "gone" }], world.recordings);
  await refuseHeldKey("k1", [], world.recordings);
});

function beginning(): Buffer {
  const { preamble, block } = encodeHead(
    { sessionId: "old", segment: 1, firstSequence: 1, openedMs: 1, keyId: "" },
    FIRST_LINK,
  );
  return Buffer.concat([preamble, block]);
}

test("a row that says another end than the recording gets no tombstone, and is told", async (t) => {
  const { world, store, retention } = await kept(t, [{ connections: {}, keepMs: 10 * DAY_MS }]);
  await world.session("young", 2);
  await world.checkpointer.checkpoint();
  await store.sessions.flush();
  const row = await store.sessions.get("young");
  assert.ok(row !== undefined);
  store.sessions.put({ ...row, endedMs: 0 });
  world.clock.advance(DAY_MS);
  assert.deepEqual(
    (await retention.plan()).map(({ id }) => id),
    ["young"],
    "control: the index alone is believed",
  );
  assert.deepEqual(await retention.run(), []);
  assert.ok(existsSync(join(world.day, "young.0001.rec")));
  const told: string[] = [];
  for await (const _finding of verifyJournal(world.events, { each: ({ kind }) => void told.push(kind) }));
  assert.ok(told.includes("evidence.tamper") && !told.includes("recording.delete"));
});

test("while somebody looks at recordings none of them is deleted", async (t) => {
  const { world, retention } = await kept(t, [{ connections: {}, keepMs: DAY_MS }]);
  await world.session("old", 1);
  world.clock.advance(2 * DAY_MS);
  async function* lines() {
    yield "first";
    yield "second";
  }
  const looking = retention.keeping(lines());
  await looking.next();
  const running = retention.run();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(existsSync(join(world.day, "old.0001.rec")));
  await looking.return(undefined); // its client left half way
  assert.deepEqual(
    (await running).map(({ id }) => id),
    ["old"],
  );
});
