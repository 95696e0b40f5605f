/** policy explain, replay and suggest as a person sees them; the daemon only remembers what it was asked. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { runCommandLine } from "../../src/control/cli/program.ts";
import type { ExplainRequest } from "../../src/control/policy-ports.ts";
import type { DaemonModule } from "../../src/control/ports.ts";
import { type FakeDaemon, fakeDaemon, MEMBER } from "./fake-daemon.ts";

async function call(daemon: FakeDaemon | string, args: readonly string[], main: Partial<DaemonModule> = {}) {
  let [out, err] = ["", ""];
  const code = await runCommandLine({
    argv: ["--run", typeof daemon === "string" ? daemon : daemon.runDir, "policy", ...args],
    env: {},
    stdin: Readable.from([]),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    loadDaemon: async () => main as DaemonModule,
  });
  return { code, out, err };
}

function draft(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-draft-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "a.yaml"), "rules: []");
  writeFileSync(join(folder, "a.test.yaml"), "cases: []");
  return folder;
}

const TYPED = ["explain", "--agent", "ci", "--connection", "orders"];

test("explain tells the decision, each rule with its place, and what of its condition was false", async (t) => {
  const daemon = await fakeDaemon(t);
  const { code, out } = await call(daemon, [...TYPED, "--user", "ada", "--at", "2025-03-01T18:30Z", "DROP TABLE t"]);
  assert.equal(code, 0);
  assert.equal(
    out,
    `deny by no-ddl: No DDL
refused before that: the connection needs a grant, and it has none (night\\u{1b} does not count)

DROP TABLE t
  sql.define  {"statement":{"kind":"drop-table"}}
    no-ddl (deny) matched  /etc/p/a.yaml:3
    ops (allow, in shadow) did not match  /etc/p/a.yaml:9
      "ops" in agent.groups is false; agent.groups = ["ci"]
`,
  );
  const atMs = Date.UTC(2025, 2, 1, 18, 30);
  const request = { agent: "ci", connection: "orders", text: "DROP TABLE t", user: "ada", atMs };
  assert.deepEqual(daemon.calls, [["policy.explain", request]]);
});

test("a recorded entry is explained by its session and number", async (t) => {
  const daemon = await fakeDaemon(t);
  const { code, out } = await call(daemon, ["explain", "--session", "s1", "--entry", "4", "--json"]);
  assert.deepEqual([code, JSON.parse(out).decision], [0, "deny"]);
  assert.deepEqual(daemon.calls, [["policy.explainRecorded", { session: "s1", number: 4 }]]);
});

test("explain of a typed-in statement works without a daemon and for those whom it refuses", async (t) => {
  const asked: ExplainRequest[] = [];
  const explainOffline: DaemonModule["explainOffline"] = async (request) => {
    asked.push(request);
    return { decision: "allow", rules: ["r"], message: "", shadow: [], policy: "p", subject: {}, operations: [] };
  };
  const daemon = await fakeDaemon(t);
  daemon.peer = MEMBER;
  for (const who of ["/nonexistent", daemon]) {
    assert.deepEqual(await call(who, [...TYPED, "SELECT 1"], { explainOffline }), {
      code: 0,
      out: "allow by r\n",
      err: "",
    });
  }
  assert.deepEqual(asked, Array(2).fill({ agent: "ci", connection: "orders", text: "SELECT 1" }));
});

for (const args of [
  ["explain"],
  ["explain", "SELECT 1"],
  ["explain", "--agent", "ci", "SELECT 1"],
  ["explain", "--session", "s1"],
  ["explain", "--session", "s1", "--entry", "4", "SELECT 1"],
  ["explain", "--session", "s1", "--entry", "0"],
  ["replay"],
  ["replay", "a.yaml", "--since", "yesterday"],
  ["suggest", "--sessions", "1000000"],
]) {
  test(`policy ${args.join(" ")} is wrong usage`, async (t) => {
    const { code, out, err } = await call(await fakeDaemon(t), args);
    assert.deepEqual([code, out], [2, ""]);
    assert.match(err, /^sallyport: USAGE: /);
  });
}

test("replay sends the draft's rule files, tells each change and counts them", async (t) => {
  const daemon = await fakeDaemon(t);
  const { code, out } = await call(daemon, ["replay", draft(t), "--agent", "ci", "--sessions", "5"]);
  assert.equal(code, 0);
  assert.match(
    out,
    /^[\d: -]+ {2}s1 entry 4 {2}ci -> orders\n {2}allow \(all\) -> deny \(no-ddl\)\n {2}drop table t\n {2}No DDL\n/,
  );
  assert.match(out, /\n1 change among 7 statements; 2 cannot be judged again\n$/);
  assert.deepEqual(daemon.calls, [["policy.replay", 1, { agent: "ci", sessions: 5 }]]);
});

test("replay --json is one object a line", async (t) => {
  const { out } = await call(await fakeDaemon(t), ["replay", draft(t), "--json"]);
  const [change, summary] = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual([change.number, change.would.decision, summary], [4, "deny", { asks: 7, changes: 1, unknown: 2 }]);
});

test("suggest prints the file as it is, and asks for what is meant", async (t) => {
  const daemon = await fakeDaemon(t);
  const before = Date.now();
  const { code, out } = await call(daemon, ["suggest", "--since", "2h", "--agent", "ci"]);
  assert.deepEqual([code, out], [0, "rules: []\n"]);
  const [[, query] = []] = daemon.calls as [string, { agent: string; sinceMs: number; sessions: number }][];
  assert.deepEqual([query?.agent, query?.sessions], ["ci", 1_000]);
  const ago = before - (query?.sinceMs ?? 0);
  assert.ok(ago <= 7_200_000 && ago > 7_100_000, String(ago));
});

test("what agents wrote cannot drive the terminal", async (t) => {
  const evil = "\u001b[2J\u202e";
  const daemon = await fakeDaemon(t, (ports) => ({
    policy: {
      ...ports.policy,
      replay: async () =>
        (async function* () {
          const judged = { decision: "allow", rules: [evil] } as const;
          const about = { session: evil, number: 1, atMs: 0, agent: evil, connection: evil, text: evil };
          yield { ...about, was: judged, would: { ...judged, decision: "deny", message: evil } as const };
        })(),
    },
  }));
  const replayed = await call(daemon, ["replay", draft(t)]);
  const explained = await call(daemon, [...TYPED, evil]);
  for (const { out } of [replayed, explained]) {
    assert.ok(!out.includes("\u001b") && !out.includes("\u202e"), JSON.stringify(out));
    assert.match(out, /\\u\{1b\}/);
  }
});

test("the status tells what rules in shadow would have done", async (t) => {
  const shadow = [
    { rule: "trial", would: { deny: 3, hold: 1 } },
    { rule: "idle", would: {} },
  ];
  const daemon = await fakeDaemon(t, (ports) => ({
    policy: { ...ports.policy, status: async () => ({ ...(await ports.policy.status()), shadow }) },
  }));
  const { out } = await call(daemon, []);
  assert.match(
    out,
    /in shadow: trial would deny 3 times, hold 1 time\n {2}in shadow: idle would have changed nothing so far\n$/,
  );
  assert.deepEqual(JSON.parse((await call(daemon, ["--json"])).out).shadow, shadow);
});
