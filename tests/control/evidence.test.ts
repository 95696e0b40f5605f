/** audit and sessions verify, export, keys: what they ask for, say and leave. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { runCommandLine } from "../../src/control/cli/program.ts";
import type { EvidenceLine } from "../../src/control/evidence-ports.ts";
import type { DaemonModule } from "../../src/control/ports.ts";
import { type FakeDaemon, fakeDaemon, MEMBER } from "./fake-daemon.ts";

async function sallyport(daemon: FakeDaemon, args: readonly string[], main: Partial<DaemonModule> = {}) {
  let [out, err] = ["", ""];
  const code = await runCommandLine({
    argv: ["--run", daemon.runDir, ...args],
    env: {},
    stdin: Readable.from([]),
    stdout: { write: (text) => (out += Buffer.from(text as Uint8Array).toString()) },
    stderr: { write: (text) => (err += String(text)) },
    loadDaemon: async () => main as DaemonModule,
  });
  return { code, out, err };
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "sallyport-evidence-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test("audit verify says how much was looked at, and ends with 0 where nothing was tampered with", async (t) => {
  const daemon = await fakeDaemon(t);
  const { code, out } = await sallyport(daemon, ["audit", "verify"]);
  assert.equal(code, 0);
  assert.match(out, /^12 events, 3 recordings, 40 records, newest checkpoint 2 of .*\nnothing was tampered with\n$/);
  assert.deepEqual(daemon.calls, [["evidence.verify", {}]]);
});

test("a finding is said printable, and ends with 1; as JSON it is one object a line", async (t) => {
  const daemon = await fakeDaemon(t);
  const said = await sallyport(daemon, ["sessions", "verify", "spoilt"]);
  assert.equal(said.code, 1);
  assert.match(said.out, /TAMPERED removed +spoilt: its recording is gone/);
  assert.ok(!said.out.includes("\u001b[2J"));
  assert.match(said.out, /1 finding of tampering\n$/);
  const json = await sallyport(daemon, ["--json", "sessions", "verify", "spoilt"]);
  const lines = json.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as EvidenceLine);
  assert.deepEqual([json.code, lines.map(({ kind }) => kind)], [1, ["finding", "summary"]]);
});

test("a checkpoint that was kept outside goes along as it is", async (t) => {
  const daemon = await fakeDaemon(t);
  const file = join(folder(t), "last.json");
  writeFileSync(file, '{"kind":"evidence.checkpoint"}\n');
  assert.equal((await sallyport(daemon, ["audit", "verify", "--checkpoint", file])).code, 0);
  assert.deepEqual(daemon.calls, [["evidence.verify", { anchor: '{"kind":"evidence.checkpoint"}' }]]);
  const { code, err } = await sallyport(daemon, ["audit", "verify", "--checkpoint", `${file}.not`]);
  assert.equal(code, 1);
  assert.match(err, /FILE_UNREADABLE/);
});

test("without a daemon, a copy or a bundle is verified with the host's key only", async (t) => {
  const daemon = await fakeDaemon(t);
  const key = join(folder(t), "host.pem");
  writeFileSync(key, "PEM");
  const asked: unknown[] = [];
  async function* lines(what: unknown): AsyncGenerator<EvidenceLine> {
    asked.push(what);
    yield { kind: "summary", events: 0, checkpoints: 1, sessions: 1, records: 4, tampered: 0, unproved: 1 };
  }
  const main = { verifyOffline: lines, verifyBundle: lines };
  const offline = await sallyport(daemon, ["audit", "verify", "--offline", "/copy", "--key", key], main);
  assert.deepEqual([offline.code, asked[0]], [0, { stateDir: "/copy", publicKey: "PEM" }]);
  assert.match(offline.out, /nothing was tampered with, 1 unproved/);
  const bundle = await sallyport(daemon, ["sessions", "verify", "--bundle", "x.tar", "--key", key], main);
  const { scratch, ...rest } = asked[1] as { scratch: string };
  assert.deepEqual([bundle.code, rest], [0, { file: "x.tar", publicKey: "PEM" }]);
  assert.equal(existsSync(scratch), false, "what was unpacked is gone");
  const outside = join(folder(t), "last.json");
  writeFileSync(outside, "{}\n");
  const whose = ["sessions", "verify", "s1", "--bundle", "x.tar", "--key", key, "--checkpoint", outside];
  await sallyport(daemon, whose, main);
  const { session, anchor } = asked[2] as { session: string; anchor: string };
  assert.deepEqual([session, anchor], ["s1", "{}"], "neither is dropped without a word");
  for (const args of [
    ["audit", "verify", "--offline", "/copy"],
    ["audit", "verify", "--key", key],
    ["sessions", "verify", "--bundle", "x.tar"],
    ["sessions", "verify", "--key", key],
  ]) {
    const { code, err } = await sallyport(daemon, args, main);
    assert.equal(code, 2, args.join(" "));
    assert.match(err, /--key/);
  }
  assert.deepEqual(daemon.calls, []);
});

test("an export is a file for its owner alone, and is never written over another", async (t) => {
  const daemon = await fakeDaemon(t);
  const file = join(folder(t), "s1.tar");
  assert.equal((await sallyport(daemon, ["sessions", "export", "s1", "--out", file])).out, `wrote ${file}, 7 bytes\n`);
  assert.equal(readFileSync(file, "utf8"), "one two");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const again = await sallyport(daemon, ["sessions", "export", "s1", "--out", file]);
  assert.deepEqual([again.code, /EXPORT_FAILED.*there already/s.test(again.err)], [1, true]);
  assert.equal(readFileSync(file, "utf8"), "one two");
  assert.equal((await sallyport(daemon, ["sessions", "export", "s1", "--out", "-"])).out, "one two");
  const none = await sallyport(daemon, ["sessions", "export", "s9", "--out", `${file}.9`]);
  assert.deepEqual([none.code, existsSync(`${file}.9`)], [1, false]);
  assert.match(none.err, /SESSION_UNKNOWN/);
});

test("what an export or a verification has half made is gone when a person ends it", async (t) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const half = join(folder(t), "half");
    const program = `import { mkdirSync, writeFileSync } from "node:fs";
      import { clearingAway } from ${JSON.stringify(new URL("../../src/control/cli/clearing.ts", import.meta.url).href)};
      mkdirSync(${JSON.stringify(half)});
      writeFileSync(${JSON.stringify(join(half, "x"))}, "x");
      void clearingAway(${JSON.stringify(half)}, () => new Promise(() => setInterval(() => {}, 1_000)));
      process.stdout.write("ready");`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    await once(child.stdout, "data");
    assert.equal(existsSync(half), true, "control");
    child.kill(signal);
    const [, by] = await once(child, "exit");
    assert.deepEqual([by, existsSync(half)], [signal, false]);
  }
});

test("the host's key is for everybody who may list, the rest for admins", async (t) => {
  const daemon = await fakeDaemon(t);
  assert.match((await sallyport(daemon, ["audit", "key"])).out, /^-----BEGIN PUBLIC KEY-----/);
  assert.equal(JSON.parse((await sallyport(daemon, ["audit", "checkpoint"])).out).fields.number, 7);
  daemon.peer = MEMBER;
  assert.equal((await sallyport(daemon, ["audit", "key"])).code, 0);
  for (const args of [
    ["audit", "verify"],
    ["audit", "checkpoint"],
    ["sessions", "export", "s1"],
    ["sessions", "keys"],
  ]) {
    assert.equal((await sallyport(daemon, args)).code, 4, args.join(" "));
  }
});

test("data keys are listed with what became of them, and destroyed with a reason only", async (t) => {
  const daemon = await fakeDaemon(t);
  const { out } = await sallyport(daemon, ["sessions", "keys"]);
  assert.match(out, /00000001 .*destroyed .*: old\n.*00000002 .*in use/);
  assert.equal((await sallyport(daemon, ["sessions", "keys", "destroy", "a"])).code, 2);
  assert.equal(
    (await sallyport(daemon, ["sessions", "keys", "destroy", "a", "--reason", "over"])).out,
    "destroyed a\n",
  );
  assert.deepEqual(daemon.calls, [["evidence.destroyDataKey", "a", "over"]]);
  assert.match(
    (await sallyport(daemon, ["sessions", "keys", "destroy", "none", "--reason", "x"])).err,
    /DATA_KEY_UNKNOWN/,
  );
});

test("retention says what would go and deletes only when told; holds need a reason", async (t) => {
  const daemon = await fakeDaemon(t);
  assert.match(
    (await sallyport(daemon, ["sessions", "retention"])).out,
    /s1 .*age, rule 1\nwould delete 1 recording\n/,
  );
  assert.deepEqual(daemon.calls, []);
  assert.match((await sallyport(daemon, ["sessions", "retention", "--now"])).out, /deleted 1 recording\n/);
  assert.equal((await sallyport(daemon, ["sessions", "hold", "s1"])).code, 2);
  assert.equal((await sallyport(daemon, ["sessions", "hold", "s1", "--reason", "case"])).out, "held s1\n");
  assert.equal((await sallyport(daemon, ["sessions", "unhold", "s1"])).out, "released s1\n");
  const held = (await sallyport(daemon, ["sessions", "holds"])).out;
  assert.match(held, /s1 .* uid 0 .*case 4711[\s\S]*s2 .* Ada\\u\{1b\}\[2J Lovelace \(corp:ada\) +case 4712/);
  assert.match((await sallyport(daemon, ["sessions", "hold", "none", "--reason", "x"])).err, /SESSION_UNKNOWN/);
  assert.deepEqual(daemon.calls.slice(0, 3), [
    ["retention.run"],
    ["retention.hold", "s1", "case"],
    ["retention.unhold", "s1"],
  ]);
});
