/** The daemon dies: agents are refused at once, come back with it untagged anew, and no forwarded statement lacks a decision. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { capture, SALLYPORT } from "../kit/daemon.ts";
import { OPEN, startWorld, type World } from "../system/world.ts";

const LOADER = fileURLToPath(new URL("../kit/clients/load-client.mjs", import.meta.url));
/** The full run is `npm run kills`: 100; its last output is in docs/faults.md. */
const KILLS = Number(process.env["SALLYPORT_KILLS"] ?? 6);

let world: World;
before(async () => {
  world = await startWorld({ policies: { "open.yaml": OPEN }, settings: { log_statement: "all" } });
});
after(() => world.stop());

/** A shell inside one tagged cgroup that stays while daemons come and go. */
function agentShell() {
  const child = spawn(SALLYPORT, ["--run", world.daemon.runDir, "run", "--quiet", "--as", "ci", "--", "bash"], {
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

test(`${KILLS} kills under load: every statement in the backend's log has a decision in the recordings`, async () => {
  const shell = agentShell();
  await shell.does("true"); // it is guarded from here on
  const node = `${process.execPath} --disable-warning=ExperimentalWarning`;
  const loading = shell.does(`${node} ${LOADER} '${world.url}' ${KILLS * 1_500}`);
  for (let kill = 0; kill < KILLS; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 150 + Math.random() * 400)); // the random instant is the test
    await world.daemon.kill();
    await world.daemon.up();
  }
  const { text } = await loading;
  const sent = Number(/answered (\d+)/.exec(text)?.[1] ?? 0);
  assert.ok(sent > KILLS * 5, `the load was real: ${text}`);
  await shell.leave();

  const executed = world.postgres
    .statements()
    .map(({ text: statement }) => /\/\* mark (\w+) \*\//.exec(statement)?.[1]);
  const marks = new Set(executed.filter((mark) => mark !== undefined));
  assert.ok(marks.size >= sent, `${marks.size} marks in the server's log`);
  const decided = new Set<string>();
  const sessions = await world.daemon.json<{ id: string }[]>(["sessions", "--limit", "1000"]);
  for (const { id } of sessions) {
    const { entries } = await world.daemon.json<{ entries: { text: string; decision?: string }[] }>([
      "sessions",
      "show",
      id,
    ]);
    for (const { text: statement, decision } of entries) {
      const mark = /\/\* mark (\w+) \*\//.exec(statement)?.[1];
      if (mark !== undefined && decision === "allow") decided.add(mark);
    }
  }
  const lost = [...marks].filter((mark) => !decided.has(mark));
  assert.deepEqual(lost, [], await describe(lost));
});

/** Where the recordings hold a mark, for whoever reads the failure. */
async function describe(lost: readonly string[]): Promise<string> {
  const [mark] = lost;
  if (mark === undefined) return "";
  const found = await capture("grep", ["-rl", `mark ${mark} `, `${world.daemon.stateDir}/recordings`]);
  const { stdout } = await world.daemon.cli(["sessions", "--limit", "1000"]);
  return `${lost.length} lost, the first is ${mark}, in files: ${found.stdout || "none"}\n${stdout}`;
}
