/** One file that a stranger can read and verify, and that tells when somebody had a hand in it. */
import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create, extract, Header } from "tar";
import { BUNDLE_BYTES_MAX } from "../../src/base/limits.ts";
import { bundle, type Manifest, verifyBundle } from "../../src/evidence/bundle.ts";
import { checkpointEvent } from "../../src/evidence/checkpoint.ts";
import { hostKey, publicPart } from "../../src/evidence/host-key.ts";
import type { ReadEntry } from "../../src/recorder/read.ts";
import { type SessionKeys, sessionKey } from "../../src/recorder/seal.ts";
import { allow, ask, NOON, start } from "../recorder/kit.ts";
import { folder } from "../store/folder.ts";
import { type Host, host } from "./kit.ts";

async function* outlined(entries: AsyncIterable<ReadEntry>): AsyncGenerator<unknown> {
  for await (const entry of entries) yield { kind: entry.kind, text: "text" in entry ? entry.text : "" };
}

async function exported(
  t: TestContext,
  world: Host,
  sessionId: string,
  keys: SessionKeys,
  keyIds: string[],
  { state, read }: { state: string; read: typeof outlined } = { state: "ended", read: outlined },
) {
  const scratch = folder(t);
  const chunks: Uint8Array[] = [];
  const { recordings, events, publicKey } = world;
  const about = { sessionId, startedMs: NOON, state, recordings, events, publicKey, host: "ci-1", nowMs: 1 };
  for await (const chunk of bundle({ ...about, keys, keyIds, read, scratch })) chunks.push(chunk);
  assert.deepEqual(readdirSync(scratch), [], "nothing is left of what it was put together from");
  const file = join(scratch, "alpha.tar");
  writeFileSync(file, Buffer.concat(chunks));
  return { file, scratch, check: { file, publicKey, scratch, read: outlined } };
}

const NO_KEYS: SessionKeys = () => undefined;

async function recorded(t: TestContext, options: Parameters<typeof host>[1] = {}): Promise<Host> {
  const world = await host(t, options);
  await world.session("alpha", 3);
  await world.session("beta", 3);
  await world.checkpointer.checkpoint();
  return world;
}

test("a bundle verifies with nothing but the file and the host's public key", async (t) => {
  const world = await recorded(t);
  const { check, scratch } = await exported(t, world, "alpha", NO_KEYS, []);
  const verified = await verifyBundle(check);
  assert.deepEqual(verified.findings, []);
  assert.ok(verified.records > 9 && verified.newest?.number === 1);
  assert.deepEqual(readdirSync(scratch), ["alpha.tar"], "what was unpacked is gone");
  const other = publicPart(hostKey(randomBytes(32)));
  const { findings } = await verifyBundle({ ...check, publicKey: other });
  assert.ok(findings.some(({ kind }) => kind === "signature"));
});

test("a bundle of a sealed recording has this session's key and no other's", async (t) => {
  const secret = randomBytes(32);
  const world = await recorded(t, { dataKey: () => ({ id: "k1", secret }) });
  const keys: SessionKeys = (_, sessionId) => sessionKey(secret, sessionId);
  const { check, file } = await exported(t, world, "alpha", keys, ["k1"]);
  const verified = await verifyBundle(check);
  assert.deepEqual(verified.findings, []);
  assert.deepEqual(Object.values(verified.manifest.keys), [
    Buffer.from(sessionKey(secret, "alpha")).toString("base64"),
  ]);
  const bytes = readFileSync(file);
  assert.equal(bytes.includes(secret), false);
  assert.equal(bytes.includes("beta 1 "), true, "control: other sessions' roots are in the checkpoint");
  const unpacked = folder(t);
  await extract({ file, cwd: unpacked });
  assert.deepEqual(readdirSync(join(unpacked, "recording")), ["alpha.0001.rec"]);
});

const hands: readonly { name: string; change: (unpacked: string) => void; kind: string }[] = [
  {
    name: "a statement was changed in the recording and the manifest's digest with it",
    change: (unpacked) => {
      const file = join(unpacked, "recording", "alpha.0001.rec");
      const bytes = readFileSync(file);
      bytes.write("SELECT 9", bytes.indexOf("SELECT 2"));
      writeFileSync(file, bytes);
      redigest(unpacked, "recording/alpha.0001.rec");
    },
    kind: "changed",
  },
  {
    name: "a statement was changed in the transcript and the manifest's digest with it",
    change: (unpacked) => {
      const file = join(unpacked, "transcript.jsonl");
      writeFileSync(file, readFileSync(file, "utf8").replace("SELECT 2", "SELECT 9"));
      redigest(unpacked, "transcript.jsonl");
    },
    kind: "changed",
  },
  {
    name: "the checkpoints were taken out",
    change: (unpacked) => {
      writeFileSync(join(unpacked, "checkpoints.jsonl"), "");
      redigest(unpacked, "checkpoints.jsonl");
    },
    kind: "unsigned",
  },
  {
    name: "the session's start was moved in the manifest, from which the transcript's times count",
    change: (unpacked) => {
      const file = join(unpacked, "manifest.json");
      const manifest = JSON.parse(readFileSync(file, "utf8")) as Manifest;
      writeFileSync(file, JSON.stringify({ ...manifest, startedMs: manifest.startedMs - 3_600_000 }));
    },
    kind: "changed",
  },
  {
    name: "a file was exchanged",
    change: (unpacked) => writeFileSync(join(unpacked, "recording.proto"), "other"),
    kind: "changed",
  },
];

function redigest(unpacked: string, name: string): void {
  const file = join(unpacked, "manifest.json");
  const manifest = JSON.parse(readFileSync(file, "utf8")) as Manifest;
  const files = { ...manifest.files, [name]: hash("sha256", readFileSync(join(unpacked, name))) };
  writeFileSync(file, JSON.stringify({ ...manifest, files }));
}

for (const { name, change, kind } of hands) {
  test(`found in a bundle: ${name}`, async (t) => {
    const world = await recorded(t);
    const { file, check } = await exported(t, world, "alpha", NO_KEYS, []);
    const unpacked = folder(t);
    await extract({ file, cwd: unpacked });
    change(unpacked);
    await create({ file, cwd: unpacked }, readdirSync(unpacked));
    const { findings } = await verifyBundle(check);
    assert.ok(
      findings.some((finding) => finding.kind === kind && finding.verdict === "tampered"),
      JSON.stringify(findings),
    );
  });
}

test("a bundle of another session than was asked for is found", async (t) => {
  const world = await recorded(t);
  const { check } = await exported(t, world, "alpha", NO_KEYS, []);
  const { findings } = await verifyBundle({ ...check, sessionId: "beta" });
  assert.deepEqual(
    findings.map(({ verdict, where }) => [verdict, where]),
    [["tampered", "beta"]],
  );
  assert.deepEqual((await verifyBundle({ ...check, sessionId: "alpha" })).findings, []);
});

test("a bundle that was cut back to an older checkpoint is found by a newer one that was kept outside", async (t) => {
  const world = await recorded(t);
  const live = world.recorder.open({ ...start("gamma"), startedAtMs: NOON });
  live.asked(1, [ask("SELECT 1")], allow);
  await live.flush();
  await world.checkpointer.checkpoint();
  const { check } = await exported(t, world, "gamma", NO_KEYS, []);
  live.asked(2, [ask("SELECT 2")], allow);
  await live.flush();
  await world.checkpointer.checkpoint();
  const { last } = world.checkpointer;
  assert.ok(last !== undefined);
  const anchor = JSON.stringify(checkpointEvent(last));
  const { findings } = await verifyBundle({ ...check, anchor });
  assert.ok(
    findings.some(({ verdict, kind }) => verdict === "tampered" && kind === "truncated"),
    JSON.stringify(findings),
  );
  assert.ok((await verifyBundle(check)).findings.every(({ verdict }) => verdict === "unproved"));
});

test("what is no bundle, and one that wants to write elsewhere, is refused and leaves nothing", async (t) => {
  const scratch = folder(t);
  const check = { publicKey: publicPart(hostKey(randomBytes(32))), scratch, read: outlined };
  const file = join(scratch, "x.tar");
  await assert.rejects(verifyBundle({ ...check, file }), { code: "BUNDLE_UNREADABLE" });
  writeFileSync(file, randomBytes(4096));
  await assert.rejects(verifyBundle({ ...check, file }), { code: "BUNDLE_UNREADABLE" });
  for (const manifest of [{}, { sessionId: "a", files: [], keys: {} }, { sessionId: 5, files: {}, keys: {} }]) {
    const broken = folder(t);
    writeFileSync(join(broken, "manifest.json"), JSON.stringify({ format: "sallyport-bundle/1", ...manifest }));
    await create({ file, cwd: broken }, ["manifest.json"]);
    await assert.rejects(verifyBundle({ ...check, file }), { code: "BUNDLE_UNREADABLE" });
  }
  const evil = folder(t);
  mkdirSync(join(evil, "recording"));
  writeFileSync(join(evil, "recording", "x"), "x");
  await create({ file, cwd: evil, prefix: "../escaped" }, ["recording"]);
  await assert.rejects(verifyBundle({ ...check, file }), { code: "BUNDLE_UNREADABLE" });
  assert.deepEqual(readdirSync(scratch), ["x.tar"]);
  assert.equal(existsSync(join(scratch, "..", "escaped")), false);
});

test("a session that goes on while it is exported is exported as of one moment, and its end is not said to be proved", async (t) => {
  const world = await host(t);
  const recording = world.recorder.open(start("alpha"));
  const go = (id: number) => {
    recording.asked(id, [ask(`SELECT ${id}`)], allow);
    recording.flush();
  };
  go(1);
  await world.checkpointer.checkpoint();
  async function* read(entries: AsyncIterable<ReadEntry>): AsyncGenerator<unknown> {
    go(2);
    yield* outlined(entries);
    go(3);
  }
  const { check } = await exported(t, world, "alpha", NO_KEYS, [], { state: "open", read });
  const { findings, records } = await verifyBundle(check);
  assert.deepEqual(
    findings.map(({ verdict, kind, where }) => [verdict, kind, where]),
    [["unproved", "unsigned", "alpha"]],
  );
  assert.equal(records, 3);
});

test("a bundle that says that it has more than a verifier unpacks is refused, and leaves nothing", async (t) => {
  const scratch = folder(t);
  const file = join(scratch, "x.tar");
  const header = new Header({
    path: "recording/alpha.0001.rec",
    size: BUNDLE_BYTES_MAX + 1,
    type: "File",
    mode: 0o600,
  });
  header.encode();
  writeFileSync(file, Buffer.concat([header.block ?? Buffer.alloc(0), Buffer.alloc(1024)]));
  const publicKey = publicPart(hostKey(randomBytes(32)));
  await assert.rejects(verifyBundle({ file, publicKey, scratch, read: outlined }), { code: "BUNDLE_UNREADABLE" });
  assert.deepEqual(readdirSync(scratch), ["x.tar"]);
});

const noManifests: readonly string[] = [
  "null",
  "[]",
  '{"format":"sallyport-bundle/1"}',
  '{"format":"sallyport-bundle/1","sessionId":"a","startedMs":1,"files":null,"keys":{}}',
  '{"format":"sallyport-bundle/1","sessionId":"a","startedMs":1,"files":{},"keys":{"k":7}}',
  '{"format":"sallyport-bundle/1","sessionId":"../a","startedMs":1,"files":{},"keys":{}}',
];

for (const manifest of noManifests) {
  test(`a manifest that is none is refused with one clear error: ${manifest}`, async (t) => {
    const [scratch, evil] = [folder(t), folder(t)];
    const file = join(scratch, "x.tar");
    mkdirSync(join(evil, "recording"));
    writeFileSync(join(evil, "recording", "a.0001.rec"), "");
    writeFileSync(join(evil, "manifest.json"), manifest);
    await create({ file, cwd: evil }, ["manifest.json", "recording"]);
    const publicKey = publicPart(hostKey(randomBytes(32)));
    await assert.rejects(verifyBundle({ file, publicKey, scratch, read: outlined }), { code: "BUNDLE_UNREADABLE" });
    assert.deepEqual(readdirSync(scratch), ["x.tar"]);
  });
}
