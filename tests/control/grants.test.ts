/** The commands about grants and revocations: what they send, and how they say what came of it. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { runCommandLine } from "../../src/control/cli/program.ts";
import { type FakeDaemon, fakeDaemon, GRANTS, MEMBER } from "./fake-daemon.ts";

async function sallyport(daemon: FakeDaemon, ...args: readonly string[]) {
  let [out, err] = ["", ""];
  const code = await runCommandLine({
    argv: ["--run", daemon.runDir, ...args],
    env: {},
    stdin: Readable.from([]),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    loadDaemon: () => Promise.reject(new Error("Cannot be loaded here")),
  });
  return { code, out, err };
}

test("grants lists who may reach what since when, until when, by whom and why", async (t) => {
  const daemon = await fakeDaemon(t);
  const { out } = await sallyport(daemon, "grants");
  assert.match(out, /^ID +AGENT +CONNECTIONS +STATE +SINCE +ENDS +BY +REASON +CGROUP$/m);
  assert.match(out, /^orders-30m +ci +orders +over: has ended +\d{4}-.* settings .*\/sallyport\.slice\/r1$/m);
  assert.match(out, /^0123456789 +ci +orders, billing +in force .* uid 0 +ticket\\u\{1b\}\[2J 4711$/m);
  assert.match(out, /^all +bot +all +idle +settings$/m);
  const { grants } = JSON.parse((await sallyport(daemon, "grants", "--all", "--json")).out);
  assert.deepEqual(grants, GRANTS);
  assert.deepEqual(daemon.calls, [
    ["grants.list", { all: false }],
    ["grants.list", { all: true }],
  ]);
});

test("grants says so where nobody needs one, and where there is none", async (t) => {
  const daemon = await fakeDaemon(t, (ports) => ({
    grants: { ...ports.grants, list: async () => ({ asked: false, grants: [] }) },
  }));
  assert.equal(
    (await sallyport(daemon, "grants")).out,
    "the settings have no grants: rules alone decide what agents reach\nno grants in force\n",
  );
});

test("a grant is given for named connections or for all, and how to end it is said", async (t) => {
  const daemon = await fakeDaemon(t);
  const given = await sallyport(
    daemon,
    "grants",
    "give",
    "ci",
    "orders",
    "billing",
    "--for",
    "1h",
    "--reason",
    "ticket",
  );
  assert.match(
    given.out,
    /^ci may reach orders, billing until \d{4}-.*, as far as rules allow\nend it with: sallyport grants end 0123456789\n$/,
  );
  assert.match((await sallyport(daemon, "grants", "give", "ci", "*", "--for", "90s")).out, /^ci may reach all until/);
  assert.deepEqual(daemon.calls, [
    ["grants.give", "ci", ["orders", "billing"], 3_600_000, "ticket", 0],
    ["grants.give", "ci", "*", 90_000, "", 0],
  ]);
});

test("a grant without a time, or without a connection, is wrong usage", async (t) => {
  const daemon = await fakeDaemon(t);
  for (const args of [
    ["ci", "orders"],
    ["ci", "--for", "1h"],
    ["ci", "orders", "--for", "soon"],
  ]) {
    assert.equal((await sallyport(daemon, "grants", "give", ...args)).code, 2, args.join(" "));
  }
  assert.deepEqual(daemon.calls, []);
});

test("a grant is ended by its id, and one that nobody gave is refused with what to do", async (t) => {
  const daemon = await fakeDaemon(t);
  const ended = await sallyport(daemon, "grants", "end", "0123456789", "--reason", "done");
  assert.equal(ended.out, "grant 0123456789 of ci has ended\n");
  const unknown = await sallyport(daemon, "grants", "end", "orders-30m");
  assert.deepEqual([unknown.code, /GRANT_UNKNOWN.*\nremedy: See them: sallyport grants/.test(unknown.err)], [1, true]);
  assert.deepEqual(daemon.calls, [
    ["grants.end", "0123456789", "done", 0],
    ["grants.end", "orders-30m", "", 0],
  ]);
});

test("revoke says what ended and how the agent can come back", async (t) => {
  const daemon = await fakeDaemon(t);
  const { out } = await sallyport(daemon, "agents", "revoke", "ci", "--reason", "its token leaked");
  assert.equal(
    out,
    "ci is revoked: 2 cgroups, 1 session, 0 given grants ended\n" +
      "commands and tags must be made anew; what matchers find: sallyport agents reinstate ci\n",
  );
  const back = await sallyport(daemon, "agents", "reinstate", "ci");
  assert.equal(back.out, "what matchers make ci is that agent again\n");
  assert.deepEqual(daemon.calls, [
    ["agents.revoke", "ci", "its token leaked"],
    ["agents.reinstate", "ci"],
  ]);
});

test("members may look at grants, and neither give, end nor revoke", async (t) => {
  const daemon = await fakeDaemon(t);
  daemon.peer = MEMBER;
  assert.equal((await sallyport(daemon, "grants")).code, 0);
  for (const args of [
    ["grants", "give", "ci", "orders", "--for", "1h"],
    ["grants", "end", "0123456789"],
    ["agents", "revoke", "ci"],
    ["agents", "reinstate", "ci"],
  ]) {
    const { code, err } = await sallyport(daemon, ...args);
    assert.deepEqual([code, /API_NOT_PERMITTED/.test(err)], [4, true], args.join(" "));
  }
  assert.deepEqual(daemon.calls, [["grants.list", { all: false }]]);
});

test("agents shows the grants in force and when they end, and who was revoked", async (t) => {
  const held = { id: "orders-30m", connections: ["orders"], endsMs: 1_700_001_800_000 };
  const daemon = await fakeDaemon(t, (ports) => ({
    agents: {
      ...ports.agents,
      list: async () => {
        const [agent] = await ports.agents.list();
        if (agent === undefined) return assert.fail();
        const revoked = { revoked: true, revokedMs: 1, revokeReason: "its token leaked" } as const;
        return [
          { ...agent, grants: [held] },
          { ...agent, agent: "bot", ...revoked, grants: [] },
        ];
      },
    },
  }));
  const { out } = await sallyport(daemon, "agents");
  assert.match(out, /^ci +enforced .*orders-30m \(orders\) until 2023-/m);
  assert.match(out, /^bot +enforced; what matchers make it is revoked: its token leaked .*revoked +none/m);
  const [first] = JSON.parse((await sallyport(daemon, "agents", "--json")).out);
  assert.deepEqual(first.grants, [held]);
  assert.doesNotMatch((await sallyport(await fakeDaemon(t), "agents")).out, /GRANTS/);
});
