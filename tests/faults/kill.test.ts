/** The daemon dies: agents are refused at once, come back with it untagged anew, and no forwarded statement lacks a decision. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { listDays, listSessions } from "../../src/recorder/files.ts";
import { readRecording } from "../../src/recorder/read.ts";
import { capture, type Daemon, SALLYPORT } from "../kit/daemon.ts";
import { OPEN, startWorld, type World } from "../system/world.ts";
import { losePower } from "./power.ts";

const LOADER = fileURLToPath(new URL("../kit/clients/load-client.mjs", import.meta.url));
/** The full run is `npm run kills`: 200; its last output is in docs/faults.md. */
const KILLS = Number(process.env["SALLYPORT_KILLS"] ?? 6);

let world: World;
before(async () => {
  world = await startWorld({ policies: { "open.yaml": OPEN }, settings: { log_statement: "all" } });
});
after(() => world.stop());

/** A shell inside one tagged cgroup that stays while daemons come and go. */
function agentShell(daemon = world.daemon) {
  const child = spawn(SALLYPORT, ["--run", daemon.runDir, "run", "--quiet", "--as", "ci", "--", "bash"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  let waiting: (() => void) | undefined;
  child.once("exit", () => waiting?.());
  child.stdout.on("data", (bytes: Buffer) => {
    output += bytes;
    waiting?.();
  });
  return {
    /** Runs one line; resolves with its output and exit code. */
    async does(line: string): Promise<{ text: string; code: number; ms: number }> {
      output = "";
      const started = performance.now();
      child.stdin.write(`{ ${line}\n} 2>&1; echo "=$?"\n`);
      for (;;) {
        const done = /^([\s\S]*)=(\d+)\n$/.exec(output);
        if (done !== null) return { text: done[1] ?? "", code: Number(done[2]), ms: performance.now() - started };
        if (child.exitCode !== null) throw new Error(`The agent's shell ended with ${child.exitCode}`);
        await new Promise<void>((resolve) => {
          waiting = resolve;
        });
      }
    },
    async leave(): Promise<void> {
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}

test("kill -9: the next connect fails at once, and works again after a restart without tagging anew", async () => {
  const shell = agentShell();
  const query = `psql -X -A -t -c 'SELECT 1' '${world.url}'`;
  assert.equal((await shell.does(query)).text, "1\n");
  await world.daemon.kill();
  const refused = await shell.does(query);
  assert.match(refused.text, /Connection refused/);
  const direct = await shell.does(`bash -c 'exec 3<>/dev/tcp/127.0.0.1/${world.postgres.port}'`);
  assert.notEqual(direct.code, 0);
  const elsewhere = await shell.does("bash -c 'exec 3<>/dev/tcp/127.0.0.1/1'");
  assert.match(elsewhere.text, /Operation not permitted/);
  await world.daemon.up();
  assert.equal((await shell.does(query)).text, "1\n");
  await shell.leave();
});

interface Round {
  readonly name: string;
  readonly more: string;
  /** What happens to the files once the daemon is dead. */
  readonly after: (stateDir: string, synced: string) => number;
}

const rounds: readonly Round[] = [
  { name: "write mode", more: "recording: { durability: write }", after: () => 0 },
  {
    name: "fsync mode, with nothing left that had not been synced",
    more: "recording: { durability: fsync }",
    after: (stateDir, synced) => losePower(join(stateDir, "recordings"), synced).bytes,
  },
];

for (const { name, more, after: harm } of rounds) {
  test(`${KILLS} kills under load, ${name}: every statement in the backend's log has a decision, and all of it verifies`, async (t) => {
    const own = await startWorld({ policies: { "open.yaml": OPEN }, settings: { log_statement: "all" }, more });
    t.after(() => own.stop());
    const { daemon, postgres } = own;
    const synced = join(daemon.folder, "synced");
    const shell = agentShell(daemon);
    await shell.does("true"); // it is guarded from here on
    const stopFile = join(daemon.folder, "enough");
    const node = `${process.execPath} --disable-warning=ExperimentalWarning`;
    const loading = shell.does(`${node} ${LOADER} '${own.url}' ${KILLS * 12_000} '${stopFile}'`);
    const seen = { harm: 0, hooked: 0 };
    const up = (kill: number) => {
      // every other one dies by itself, between the write of a decision and its forward
      const hook =
        kill % 2 === 0 ? {} : { SALLYPORT_TEST_KILL_AFTER_KEPT: String(1 + Math.floor(Math.random() * 100)) };
      return daemon.up({ SALLYPORT_TEST_SYNCED: synced, ...hook });
    };
    await daemon.kill();
    for (let kill = 0; kill < KILLS; kill++) {
      await up(kill);
      const waitMs = kill % 2 === 0 ? 150 + Math.random() * 400 : 10_000; // the random instant is the test
      const own = await Promise.race([daemon.ended().then(() => true), wait(waitMs, false)]);
      if (own) seen.hooked += 1;
      await daemon.kill();
      seen.harm += harm(daemon.stateDir, synced);
    }
    await daemon.up();
    writeFileSync(stopFile, "");
    const { text } = await loading;
    const sent = Number(/answered (\d+)/.exec(text)?.[1] ?? 0);
    assert.ok(sent > KILLS * 5, `the load was real: ${text}`);
    assert.ok(seen.hooked >= KILLS / 3, `${seen.hooked} died between write and forward`);
    await shell.leave();

    const executed = postgres.statements().map(({ text: statement }) => /\/\* mark (\w+) \*\//.exec(statement)?.[1]);
    const marks = new Set(executed.filter((mark) => mark !== undefined));
    assert.ok(marks.size >= sent, `${marks.size} marks in the server's log`);
    const decided = await decisions(daemon);
    const lost = [...marks].filter((mark) => !decided.has(mark));
    assert.deepEqual(lost, [], await describe(daemon, lost));

    const { code, stdout } = await daemon.cli(["audit", "verify"], { timeoutMs: 300_000 });
    assert.equal(code, 0, stdout);
    assert.match(stdout, /nothing was tampered with/);
    t.diagnostic(
      `${marks.size} statements executed, ${seen.hooked} of ${KILLS} kills by the hook, ${seen.harm} bytes lost`,
    );
  });
}

/** Marks of the statements that recordings say were allowed. */
async function decisions(daemon: Daemon): Promise<ReadonlySet<string>> {
  const decided = new Set<string>();
  const dir = join(daemon.stateDir, "recordings");
  const days = await listDays(dir);
  const sessions = (await Promise.all(days.map((day) => listSessions(dir, day)))).flat();
  for (const id of sessions) {
    const asked = new Map<number, string[]>();
    for await (const entry of readRecording(dir, id)) {
      if (entry.kind === "action") {
        const mark = /\/\* mark (\w+) \*\//.exec(entry.text)?.[1];
        if (mark !== undefined) asked.set(entry.askId, [...(asked.get(entry.askId) ?? []), mark]);
      }
      if (entry.kind === "decision" && entry.decision === "allow") {
        for (const mark of asked.get(entry.askId) ?? []) decided.add(mark);
      }
    }
  }
  return decided;
}

/** Where the recordings hold a mark, for whoever reads the failure. */
async function describe(daemon: Daemon, lost: readonly string[]): Promise<string> {
  const [mark] = lost;
  if (mark === undefined) return "";
  const found = await capture("grep", ["-rl", `mark ${mark} `, `${daemon.stateDir}/recordings`]);
  const { stdout } = await daemon.cli(["sessions", "--limit", "1000"]);
  return `${lost.length} lost, the first is ${mark}, in files: ${found.stdout || "none"}\n${stdout}`;
}
