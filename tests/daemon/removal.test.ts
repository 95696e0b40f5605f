import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createAudit } from "../../src/audit/audit.ts";
import { EXPORTS } from "../../src/daemon/evidence.ts";
import { leaveUndecided } from "../../src/daemon/hooks.ts";
import { removeEverything } from "../../src/daemon/removal.ts";
import { createRecorder } from "../../src/recorder/recorder.ts";
import { openStore } from "../../src/store/store.ts";
import { openAuthority } from "../../src/vault/authority.ts";
import { createVault } from "../../src/vault/vault.ts";
import { WORLD } from "../audit/kit.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

/** The folders of a daemon that lived and was ended. */
async function lived(t: TestContext) {
  const base = folder(t);
  const [stateDir, runDir] = [join(base, "state"), join(base, "run")];
  const [log, clock] = [quietLog(), handClock()];
  const store = await openStore(stateDir, log);
  const audit = createAudit({ store: store.events, stateDir, world: WORLD, log, clock });
  audit.emit({ atMs: 0, kind: "daemon.start", message: "hello" });
  const secrets = { ...store.secrets };
  await createVault({ stateDir, secrets, references: () => new Map(), environment: () => undefined, clock });
  mkdirSync(runDir);
  await openAuthority({ dir: join(stateDir, "ca"), publicDir: join(runDir, "trust"), clock });
  const scrub = (text: string) => text;
  await createRecorder({ dir: join(stateDir, "recordings"), clock, scrub, index: store.sessions, log });
  writeFileSync(join(runDir, "api.sock"), "");
  writeFileSync(join(stateDir, "audit.jsonl"), "{}\n");
  mkdirSync(join(stateDir, EXPORTS, "bundle-of-a-daemon-that-died"), { recursive: true });
  return { base, stateDir, runDir, store, audit };
}

test("nothing stays of all that the parts keep, and what went is told", async (t) => {
  const { base, stateDir, runDir, store, audit } = await lived(t);
  await audit.close();
  await store.close();
  const kept = [
    ...readdirSync(stateDir).map((name) => join(stateDir, name)),
    ...readdirSync(runDir).map((name) => join(runDir, name)),
  ];
  assert.ok(kept.length >= 7);
  const removed = await removeEverything({ stateDir, runDir });
  assert.deepEqual(readdirSync(base), []);
  for (const path of kept) assert.ok(removed.includes(path), `${path} must be told`);
});

test("files that are not ours stay, and so do their folders", async (t) => {
  const { stateDir, runDir, store, audit } = await lived(t);
  await audit.close();
  await store.close();
  const foreign = [join(stateDir, "notes.txt"), join(runDir, "other.sock"), join(stateDir, "recordings.old")];
  for (const file of foreign) writeFileSync(file, "mine");
  await removeEverything({ stateDir, runDir });
  for (const file of foreign) assert.ok(existsSync(file), `${file} must stay`);
  assert.deepEqual(
    [readdirSync(stateDir).sort(), readdirSync(runDir)],
    [["notes.txt", "recordings.old"], ["other.sock"]],
  );
});

test("cgroups of runs go, those that a person tagged stay", async (t) => {
  const { base, stateDir, runDir, store, audit } = await lived(t);
  const [run, tagged] = [join(base, "run-1"), join(base, "tagged")];
  for (const [index, path] of [run, tagged].entries()) {
    mkdirSync(path);
    const slot = await store.tags.slotOf("ci");
    const kind = path === run ? "run" : "tag";
    await store.tags.put({
      cgroupId: BigInt(index),
      cgroup: path,
      agent: "ci",
      slot,
      kind,
      runId: "1",
      uid: 0,
      createdMs: 0,
      matcher: "",
      container: "",
      startedBy: [],
    });
  }
  await audit.close();
  await store.close();
  const removed = await removeEverything({ stateDir, runDir });
  assert.deepEqual([existsSync(run), existsSync(tagged), removed.includes(run)], [false, true, true]);
});

test("a damaged store keeps nothing else from being removed", async (t) => {
  const { base, stateDir, runDir, store, audit } = await lived(t);
  await audit.close();
  await store.close();
  writeFileSync(join(stateDir, "sallyport.db"), "not a database at all, but long enough to be read as one".repeat(20));
  await removeEverything({ stateDir, runDir });
  assert.deepEqual(readdirSync(base), []);
});

test("removing what was never there removes nothing", async (t) => {
  const base = folder(t);
  assert.deepEqual(await removeEverything({ stateDir: join(base, "state"), runDir: join(base, "run") }), []);
  assert.deepEqual(readdirSync(base), []);
});

test("hooks that ask this daemon go, those of another one stay", async (t) => {
  for (const whose of ["own", "another's"] as const) {
    const { base, stateDir, runDir, store, audit } = await lived(t);
    await audit.close();
    await store.close();
    const library = join(base, "library");
    mkdirSync(library);
    const socket = whose === "own" ? join(runDir, "api.sock") : `${runDir}-2/api.sock`;
    writeFileSync(join(library, "hook.conf"), `socket=${socket}\nundecided=x\nruntime=/usr/bin/runc\n`);
    writeFileSync(join(library, "sallyport-hook"), "");
    const removed = await removeEverything({ stateDir, runDir, library });
    assert.equal(existsSync(join(library, "sallyport-hook")), whose !== "own", whose);
    assert.equal(removed.includes(join(library, "sallyport-hook")), whose === "own", whose);
  }
});

test("the CA goes from the system's store if it is this daemon's, and stays if it is another's", async (t) => {
  for (const whose of ["own", "another's"] as const) {
    const { base, stateDir, runDir, store, audit } = await lived(t);
    await audit.close();
    await store.close();
    const systemStore = join(base, "store");
    mkdirSync(systemStore);
    const installed = join(systemStore, "sallyport.crt");
    writeFileSync(installed, whose === "own" ? readFileSync(join(stateDir, "ca", "ca.pem")) : "-----another-----");
    const removed = await removeEverything({ stateDir, runDir, systemStore });
    assert.deepEqual([existsSync(installed), removed.includes(installed)], [whose !== "own", whose === "own"], whose);
  }
});

test("what was left for hooks to decide by goes with the state", async (t) => {
  const { base, stateDir, runDir, store, audit } = await lived(t);
  await audit.close();
  await store.close();
  const match = [{ kind: "container", name: "build", image: undefined, labels: {} }] as const;
  leaveUndecided(stateDir, "/sys/fs/cgroup", [{ name: "ci", match }]);
  assert.ok(existsSync(join(stateDir, "undecided")), "control: it is there");
  await removeEverything({ stateDir, runDir });
  assert.deepEqual(readdirSync(base), []);
});
