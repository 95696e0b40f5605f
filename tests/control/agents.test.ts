/** The commands about agents: what they send, and how they say what came of it. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { runCommandLine } from "../../src/control/cli/program.ts";
import { readDuration, readMoment } from "../../src/control/cli/words.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import { type FakeDaemon, fakeDaemon, MEMBER, SINKS } from "./fake-daemon.ts";

async function sallyport(daemon: FakeDaemon, ...args: readonly string[]) {
  let out = "";
  let err = "";
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

const targets = [
  [["--cgroup", "/a"], { kind: "cgroup", path: "/a" }],
  [["--pid", "4711"], { kind: "pid", pid: 4711 }],
  [["--container", "build-1"], { kind: "container", name: "build-1" }],
  [["--unit", "runner.service"], { kind: "unit", name: "runner.service" }],
] as const;
for (const [flags, target] of targets)
  test(`tag and untag with ${flags[0]} ask for that`, async (t) => {
    const daemon = await fakeDaemon(t);
    assert.equal((await sallyport(daemon, "tag", "--as", "ci", ...flags)).code, 0);
    assert.equal((await sallyport(daemon, "untag", ...flags)).code, 0);
    assert.deepEqual(daemon.calls, [
      ["agents.tag", "ci", target, "end"],
      ["agents.untag", target],
    ]);
  });

test("tag says how many connections it ended, or left when that was asked for", async (t) => {
  const daemon = await fakeDaemon(t);
  const ended = await sallyport(daemon, "tag", "--as", "ci", "--pid", "5");
  assert.match(ended.out, /is guarded as ci\n2 connections from before ended\n$/);
  const kept = await sallyport(daemon, "tag", "--as", "ci", "--pid", "5", "--keep-connections");
  assert.match(kept.out, /1 connection from before left open; their packets are dropped\n$/);
});

test("tag says what could not be ended, and what to do", async (t) => {
  const daemon = await fakeDaemon(t, (ports) => ({
    agents: {
      ...ports.agents,
      tag: async (request, caller) => ({
        ...(await ports.agents.tag(request, caller)),
        swept: { destroyed: 0, unable: 1, kept: 0 },
      }),
    },
  }));
  const { out } = await sallyport(daemon, "tag", "--as", "ci", "--pid", "5");
  assert.match(out, /1 connection from before could not be ended: restart/);
});

test("quarantine says what was cut and how to lift it", async (t) => {
  const daemon = await fakeDaemon(t);
  const { out } = await sallyport(daemon, "quarantine", "ci", "--reason", "odd queries");
  assert.equal(out, "ci is quarantined: 1 session cut, 2 other sockets ended\nlift it with: sallyport release ci\n");
  assert.deepEqual(daemon.calls, [["agents.quarantine", "ci", "odd queries"]]);
});

test("observe says until when, warns of what it means, and --off ends it", async (t) => {
  const daemon = await fakeDaemon(t);
  const { out, err } = await sallyport(daemon, "observe", "ci", "--for", "1h30m");
  assert.match(out, /^ci is observed until \d{4}-/);
  assert.match(err, /nothing that rules deny is stopped; what is hidden stays hidden/);
  assert.equal((await sallyport(daemon, "observe", "ci", "--off")).out, "ci is enforced\n");
  assert.deepEqual(daemon.calls, [
    ["agents.observe", "ci"],
    ["agents.endObservation", "ci"],
  ]);
});

test("members may look, and neither quarantine, release nor observe", async (t) => {
  const daemon = await fakeDaemon(t);
  daemon.peer = MEMBER;
  assert.equal((await sallyport(daemon, "agents")).code, 0);
  for (const args of [
    ["quarantine", "ci"],
    ["release", "ci"],
    ["observe", "ci", "--for", "1h"],
    ["events", "watch"],
  ]) {
    const { code, err } = await sallyport(daemon, ...args);
    assert.equal(code, 4, args.join(" "));
    assert.match(err, /API_NOT_PERMITTED/);
  }
  assert.deepEqual(daemon.calls, []);
});

test("status and agents say who is quarantined and why", async (t) => {
  const daemon = await fakeDaemon(t, (ports) => ({
    agents: {
      ...ports.agents,
      list: async () => (await ports.agents.list()).map((one) => ({ ...one, state: "quarantined", reason: "odd" })),
    },
  }));
  assert.match((await sallyport(daemon, "status")).out, /agent +ci is quarantined: odd/);
  assert.match((await sallyport(daemon, "agents")).out, /ci +quarantined: odd/);
});

test("agents names who is quarantined or observed while nothing is tagged as it", async (t) => {
  const daemon = await fakeDaemon(t, (ports) => ({
    agents: { ...ports.agents, list: async () => [] },
    daemon: {
      ...ports.daemon,
      status: async () => ({
        ...(await ports.daemon.status()),
        states: [{ agent: "bot", state: "quarantined", quarantinedMs: 1, reason: "odd" }],
      }),
    },
  }));
  const { out } = await sallyport(daemon, "agents");
  assert.equal(out, "nothing is guarded\nbot is quarantined: odd; nothing is tagged as it\n");
});

test("untag of what the settings match says that they will tag it again", async (t) => {
  const daemon = await fakeDaemon(t, (ports) => ({
    agents: {
      ...ports.agents,
      untag: async (target, caller) => {
        const ended = await ports.agents.untag(target, caller);
        return ended && { ...ended, kind: "match", matcher: "cgroup /jobs/*" };
      },
    },
  }));
  const { code, err } = await sallyport(daemon, "untag", "--cgroup", "/jobs/1");
  assert.equal(code, 0);
  assert.match(err, /the settings still match it \(cgroup \/jobs\/\*\).*sallyport reload/);
});

const unnamed = [
  [{ kind: "cgroup" }, ["--cgroup", "/none"], "/none"],
  [{ kind: "pid" }, ["--pid", "4711"], "the cgroup of process 4711"],
  [{ kind: "container" }, ["--container", "web"], "container web"],
  [{ kind: "unit" }, ["--unit", "a.service"], "unit a.service"],
] as const;
for (const [{ kind }, flags, words] of unnamed)
  test(`untag of a ${kind} that is not tagged names it`, async (t) => {
    const daemon = await fakeDaemon(t, (ports) => ({ agents: { ...ports.agents, untag: async () => undefined } }));
    const { code, err } = await sallyport(daemon, "untag", ...flags);
    assert.equal(code, 1);
    assert.ok(err.includes(`TAG_UNKNOWN: Cannot untag ${words}: it is not tagged`), err);
  });

test("an agent's name that cannot be one is refused in words, without a schema's pattern", async (t) => {
  const { err } = await sallyport(await fakeDaemon(t), "tag", "--as", "No Name", "--pid", "5");
  assert.match(err, /API_BODY_INVALID.*lower-case letter/);
  assert.doesNotMatch(err, /\^|\[a-z/);
});

/** Watches until the daemon ends; `args` before the events are sent. */
async function watched(t: TestContext, events: readonly AuditEvent[], ...args: readonly string[]) {
  const daemon = await fakeDaemon(t);
  const done = sallyport(daemon, ...args, "events", "watch");
  while (daemon.watchers.size === 0) await new Promise(setImmediate);
  for (const event of events) for (const send of daemon.watchers) send(event);
  await new Promise(setImmediate);
  await daemon.close();
  return done;
}

const EVENTS: readonly AuditEvent[] = [
  { atMs: 1_700_000_000_000, kind: "session.start", agent: "ci", message: "ci connected\u001b[2J" },
  { atMs: 1_700_000_000_001, kind: "action.observed", agent: "bot", message: "no", fields: { observed: true } },
];

test("events watch shows each event as it comes, printable, observed ones marked", async (t) => {
  const { out } = await watched(t, EVENTS);
  assert.match(out, /session\.start ci {2}ci connected\\u\{1b\}\[2J\n/);
  assert.match(out, /action\.observed bot {2}no \(observed\)\n/);
});

test("events watch --json gives one object a line", async (t) => {
  const { out } = await watched(t, EVENTS, "--json");
  const lines = out.trim().split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    EVENTS,
  );
});

test("events sinks shows how far each has come, and its last error", async (t) => {
  const { code, out } = await sallyport(await fakeDaemon(t), "events", "sinks");
  assert.equal(code, 0);
  assert.match(out, /name +kind +state +delivered +behind +KiB +since +retried +refused +skipped +unsettled\n/);
  assert.match(out, /siem +syslog \(ocsf\) +failing +120 +7 +4 +1 min 1 s +3 +1 +0 +20\n/);
  assert.match(out, /siem: .* connect ECONNREFUSED 192\.0\.2\.9:6514\n/);
});

test("events sinks --json gives all that is known", async (t) => {
  const { out } = await sallyport(await fakeDaemon(t), "--json", "events", "sinks");
  assert.deepEqual(JSON.parse(out), SINKS);
});

test("events sinks says where to name some when there is none", async (t) => {
  const daemon = await fakeDaemon(t, () => ({ sinks: async () => [] }));
  assert.match((await sallyport(daemon, "events", "sinks")).out, /no sinks: name some under `events`/);
});

const durations = [
  ["90s", 90_000],
  ["30m", 1_800_000],
  ["1h30m", 5_400_000],
  ["7d", 604_800_000],
] as const;
for (const [text, ms] of durations) test(`${text} is ${ms} ms`, () => assert.equal(readDuration(text), ms));

for (const text of ["", "2", "h", "2 h", "-2h", "2w", "2h!"])
  test(`"${text}" is no duration`, () => assert.throws(() => readDuration(text), /like 30m/));

test("a time of day is the next one, today or tomorrow", () => {
  const noon = new Date(2025, 2, 1, 12).getTime();
  assert.equal(readMoment("18:30", noon), new Date(2025, 2, 1, 18, 30).getTime());
  assert.equal(readMoment("11:00", noon), new Date(2025, 2, 2, 11).getTime());
  assert.equal(readMoment("2025-03-01T18:30:00Z", noon), Date.UTC(2025, 2, 1, 18, 30));
  assert.equal(readMoment("2025-03-02", noon), new Date(2025, 2, 2).getTime());
});
