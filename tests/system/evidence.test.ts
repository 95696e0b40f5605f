/** Evidence of a real daemon: verified while it runs, after it ended, from a copy and from a bundle; sealed where wanted. */
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { capture, SALLYPORT } from "../kit/daemon.ts";
import { OPEN, PASSWORD, startWorld, type World } from "./world.ts";

let world: World;
before(async () => {
  world = await startWorld({ policies: { "open.yaml": OPEN }, more: "recording: { seal: true }" });
});
after(() => world.stop());

const path = (...names: string[]) => join(world.daemon.folder, ...names);

async function newest(): Promise<string> {
  const [session] = await world.daemon.json<{ id: string }[]>(["sessions", "--limit", "1"]);
  return session?.id ?? "";
}

/** The file of a session's first segment. */
function recordingOf(stateDir: string, id: string): string {
  const dir = join(stateDir, "recordings");
  const [day = ""] = readdirSync(dir).sort().reverse();
  return join(dir, day, `${id}.0001.rec`);
}

test("what agents did verifies while the daemon runs, and is readable for its admin alone", async () => {
  const { daemon } = world;
  await world.psql("SELECT 'canary-0815' AS word;");
  const id = await newest();
  const { code, stdout } = await daemon.cli(["audit", "verify"]);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /nothing was tampered with\n$/);
  assert.doesNotMatch(stdout, /unproved/);
  const shown = await daemon.cli(["sessions", "show", id]);
  assert.match(shown.stdout, /canary-0815/);
  assert.equal(readFileSync(recordingOf(daemon.stateDir, id)).includes("canary-0815"), false, "it is sealed");
});

test("a session is exported as one file, and verified elsewhere with the host's public key only", async () => {
  const { daemon } = world;
  const id = await newest();
  const key = path("host.pem");
  writeFileSync(key, (await daemon.cli(["audit", "key"])).stdout);
  const file = path("session.tar");
  assert.match((await daemon.cli(["sessions", "export", id, "--out", file])).stdout, /^wrote .*session\.tar/);
  const verify = ["sessions", "verify", "--bundle", file, "--key", key];
  const alone = await capture(SALLYPORT, ["--run", "/nowhere", ...verify]);
  assert.equal(alone.code, 0, alone.stdout + alone.stderr);
  assert.match(alone.stdout, /nothing was tampered with\n$/);
  const transcript = await capture("tar", ["-xOf", file, "transcript.jsonl"]);
  assert.match(transcript.stdout, /canary-0815/, "a stranger can read it");
  assert.doesNotMatch(readFileSync(file, "latin1"), new RegExp(PASSWORD));
  const bytes = readFileSync(file);
  bytes.write("canary-0816", bytes.indexOf("canary-0815"));
  writeFileSync(file, bytes);
  const tampered = await capture(SALLYPORT, ["--run", "/nowhere", ...verify]);
  assert.equal(tampered.code, 1);
  assert.match(tampered.stdout, /TAMPERED changed .*transcript\.jsonl/);
});

test("a recording that somebody changed is found, named, and told in the trail", async () => {
  const { daemon } = world;
  await world.psql("SELECT 1;");
  const id = await newest();
  assert.equal((await daemon.cli(["sessions", "verify", id])).code, 0);
  const file = recordingOf(daemon.stateDir, id);
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 40) ^ 1, bytes.length - 40);
  writeFileSync(file, bytes);
  const { code, stdout } = await daemon.cli(["sessions", "verify", id]);
  assert.equal(code, 1);
  assert.match(stdout, new RegExp(`TAMPERED changed +${id}: ${id}\\.0001\\.rec`));
  const whole = await daemon.cli(["--json", "audit", "verify"]);
  assert.equal(whole.code, 1);
  const told = daemon.events().filter(({ kind }) => kind === "evidence.tamper");
  assert.ok(told.length > 0);
  rmSync(file);
  assert.match((await daemon.cli(["sessions", "verify"])).stdout, new RegExp(`TAMPERED removed +${id}`));
});

test("a host that is set back looks whole by itself, and is found by a checkpoint from outside", async () => {
  const { daemon } = world;
  await daemon.cli(["down"]);
  await daemon.ended();
  const copy = path("copy");
  cpSync(daemon.stateDir, copy, { recursive: true });
  await daemon.up();
  await world.psql("SELECT 'after the copy';");
  const outside = path("outside.json");
  writeFileSync(outside, (await daemon.cli(["audit", "checkpoint"])).stdout);
  const key = path("host.pem");
  const offline = ["audit", "verify", "--offline", copy, "--key", key];
  const alone = await daemon.cli(["--json", ...offline]);
  assert.doesNotMatch(alone.stdout, /rolled-back/, "control");
  const anchored = await daemon.cli([...offline, "--checkpoint", outside]);
  assert.equal(anchored.code, 1);
  assert.match(anchored.stdout, /TAMPERED rolled-back/);
  assert.doesNotMatch((await daemon.cli(["audit", "verify", "--checkpoint", outside])).stdout, /rolled-back/);
});

test("a data key that is destroyed takes its recordings with it, and they still verify", async () => {
  const { daemon } = world;
  await world.psql("SELECT 'canary-4711';");
  const id = await newest();
  const keys = await daemon.json<{ id: string; isCurrent: boolean }[]>(["sessions", "keys"]);
  const current = keys.find(({ isCurrent }) => isCurrent)?.id ?? "";
  assert.match((await daemon.cli(["sessions", "show", id])).stdout, /canary-4711/);
  const destroyed = await daemon.cli(["sessions", "keys", "destroy", current, "--reason", "retention"]);
  assert.equal(destroyed.code, 0, destroyed.stderr);
  const shown = await daemon.cli(["sessions", "show", id]);
  assert.doesNotMatch(shown.stdout, /canary-4711/);
  assert.match(shown.stdout, /sealed with the key/);
  assert.equal((await daemon.cli(["sessions", "verify", id])).code, 0);
  assert.ok(daemon.events().some(({ kind }) => kind === "recording.key.destroy"));
  await world.psql("SELECT 'canary-0816';");
  assert.match(
    (await daemon.cli(["sessions", "show", await newest()])).stdout,
    /canary-0816/,
    "what begins now is readable",
  );
});

test("after a stop in order everything is under a checkpoint", async () => {
  const { daemon } = world;
  await world.psql("SELECT 'the last word';");
  const id = await newest();
  await daemon.cli(["down"]);
  await daemon.ended();
  const offline = ["audit", "verify", "--offline", daemon.stateDir, "--key", path("host.pem")];
  const { stdout } = await daemon.cli(["--json", ...offline]);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { verdict?: string; where?: string });
  assert.deepEqual(
    lines.filter(({ verdict, where }) => verdict === "unproved" || where === id),
    [],
  );
  await daemon.up();
});
