/** The API's door: who gets in, how much it reads, how it says no. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UserError } from "../../src/base/errors.ts";
import {
  API_BODY_BYTES_MAX,
  API_CONNECTIONS_MAX,
  API_WATCHERS_MAX,
  API_WATCHERS_PER_USER_MAX,
} from "../../src/base/limits.ts";
import { isChildOf, membershipFrom } from "../../src/control/api/callers.ts";
import { ROUTES } from "../../src/control/api/routes.ts";
import { startControlServer } from "../../src/control/api/server.ts";
import type { Peer } from "../../src/control/ports.ts";
import { ask, type Sent } from "../kit/api/ask.ts";
import { type FakeDaemon, fakeDaemon, MEMBER, ROOT, STRANGER } from "./fake-daemon.ts";

/** The paths of ROUTES with something in the place of every name. */
const everyRoute = ROUTES.map(({ method, path, roles }) => ({ method, path: path.replaceAll(/:\w+/g, "x"), roles }));

const hostile: readonly (readonly [string, Peer | undefined, string])[] = [
  ["a tagged peer, even root", { ...ROOT, tagged: true }, "API_PEER_TAGGED"],
  ["a tagged member of the group", { ...MEMBER, tagged: true }, "API_PEER_TAGGED"],
  ["a peer whose process is gone", { ...ROOT, cgroup: null }, "API_PEER_UNKNOWN"],
  ["a peer that the kernel does not name", undefined, "API_PEER_UNKNOWN"],
  ["a user outside of the group", STRANGER, "API_NOT_PERMITTED"],
];
for (const [name, peer, code] of hostile) {
  test(`${name} is refused at every route, and no port is called`, async (t) => {
    const daemon = await fakeDaemon(t);
    daemon.peer = peer;
    for (const { method, path } of [...everyRoute, { method: "GET", path: "/v1/nothing" }]) {
      const got = await ask(daemon, path, { method });
      assert.deepEqual([path, got.status, got.code], [path, 403, code]);
    }
    assert.deepEqual(daemon.calls, []);
  });
}

test("a peer whose credentials cannot be read is refused", async (t) => {
  const daemon = await fakeDaemon(t, () => ({
    peer: () => {
      throw new Error("EBADF");
    },
  }));
  assert.equal((await ask(daemon, "/v1/status")).code, "API_PEER_UNKNOWN");
});

test("a member is refused exactly at the routes that are not for members", async (t) => {
  const daemon = await fakeDaemon(t);
  daemon.peer = MEMBER;
  for (const { method, path, roles } of everyRoute) {
    const got = await ask(daemon, path, { method });
    assert.equal(
      got.code === "API_NOT_PERMITTED",
      !roles.includes("member"),
      `${method} ${path}: ${got.status} ${got.code}`,
    );
  }
});

test("what a member may do is to run, to list, to sign in and to answer what they may answer", () => {
  const allowed = ROUTES.filter(({ roles }) => roles.includes("member")).map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(allowed, [
    "GET /v1/runs/environment",
    "POST /v1/runs",
    "GET /v1/runs/:id",
    "GET /v1/agents",
    "GET /v1/approvals",
    "GET /v1/approvals/watch",
    "GET /v1/approvals/:id",
    "POST /v1/approvals/:id/approve",
    "POST /v1/approvals/:id/deny",
    "GET /v1/delegations",
    "POST /v1/delegations",
    "DELETE /v1/delegations/:id",
    "GET /v1/connections",
    "GET /v1/sessions",
    "GET /v1/grants",
    "GET /v1/audit/key",
    "GET /v1/logins",
    "POST /v1/login/code",
    "POST /v1/login/code/end",
    "POST /v1/login/saml",
    "POST /v1/login/saml/end",
    "POST /v1/login/device",
    "POST /v1/login/device/end",
    "POST /v1/logout",
    "GET /v1/whoami",
    "GET /v1/tokens",
    "POST /v1/tokens",
    "DELETE /v1/tokens/:id",
    "GET /v1/policy",
    "GET /v1/status",
    "GET /v1/doctor",
    "GET /v1/metrics",
    "GET /v1/trust",
    "GET /v1/openapi.json",
  ]);
});

test("a connection that was open before its peer was tagged is refused afterwards", async (t) => {
  const daemon = await fakeDaemon(t);
  const socket = connect(daemon.socketPath);
  await once(socket, "connect");
  const replies: string[] = [];
  socket.on("data", (chunk) => replies.push(String(chunk)));
  socket.write("GET /v1/status HTTP/1.1\r\nhost: a\r\n\r\n");
  await once(socket, "data");
  daemon.peer = { ...ROOT, tagged: true };
  socket.write("GET /v1/status HTTP/1.1\r\nhost: a\r\n\r\n");
  await once(socket, "data");
  socket.destroy();
  assert.match(replies.join(""), /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 403 [\s\S]*API_PEER_TAGGED/);
});

const GIFT = '{"agent":"ci","connections":["orders"],"forMs":60000}';

const badRequests: readonly (readonly [string, string, Sent, number, string])[] = [
  ["an unknown route", "/v1/nothing", {}, 404, "API_ROUTE_UNKNOWN"],
  ["the root", "/", {}, 404, "API_ROUTE_UNKNOWN"],
  ["a target without a path", "//", {}, 404, "API_ROUTE_UNKNOWN"],
  ["a target that is no URL", "http://[", {}, 404, "API_ROUTE_UNKNOWN"],
  ["a path that climbs", "/v1/sessions/..%2f..%2fetc", {}, 404, "API_ROUTE_UNKNOWN"],
  ["a broken escape", "/v1/sessions/%zz", {}, 404, "API_ROUTE_UNKNOWN"],
  ["a wrong method", "/v1/status", { method: "POST", body: "{}" }, 405, "API_METHOD"],
  ["broken JSON", "/v1/runs", { method: "POST", body: "{" }, 400, "API_BODY_INVALID"],
  [
    "bytes that are no UTF-8",
    "/v1/runs",
    { method: "POST", body: Buffer.from([0x22, 0xff, 0x22]) },
    400,
    "API_BODY_INVALID",
  ],
  ["a list", "/v1/runs", { method: "POST", body: "[]" }, 400, "API_BODY_INVALID"],
  ["no body", "/v1/runs", { method: "POST" }, 400, "API_BODY_INVALID"],
  ["an unknown key", "/v1/runs", { method: "POST", body: '{"agent":"ci","pid":5,"uid":0}' }, 400, "API_BODY_INVALID"],
  [
    "a key of every object",
    "/v1/runs",
    { method: "POST", body: '{"agent":"ci","pid":5,"__proto__":{}}' },
    400,
    "API_BODY_INVALID",
  ],
  ["pid 1", "/v1/runs", { method: "POST", body: '{"agent":"ci","pid":1}' }, 400, "API_BODY_INVALID"],
  ["a fraction of a pid", "/v1/runs", { method: "POST", body: '{"agent":"ci","pid":5.5}' }, 400, "API_BODY_INVALID"],
  ["a pid as text", "/v1/runs", { method: "POST", body: '{"agent":"ci","pid":"5"}' }, 400, "API_BODY_INVALID"],
  ["an agent with a path", "/v1/runs", { method: "POST", body: '{"agent":"../a","pid":5}' }, 400, "API_BODY_INVALID"],
  [
    "container and unit",
    "/v1/tags",
    { method: "POST", body: '{"agent":"ci","container":"a","unit":"b.service"}' },
    400,
    "API_BODY_INVALID",
  ],
  ["an observation without an end", "/v1/agents/ci/observe", { method: "POST", body: "{}" }, 400, "API_BODY_INVALID"],
  [
    "an observation with two ends",
    "/v1/agents/ci/observe",
    { method: "POST", body: '{"forMs":5,"untilMs":9}' },
    400,
    "API_BODY_INVALID",
  ],
  [
    "a reason that is a story",
    "/v1/agents/ci/quarantine",
    { method: "POST", body: `{"reason":"${"x".repeat(501)}"}` },
    400,
    "API_BODY_INVALID",
  ],
  [
    "a grant without an end",
    "/v1/grants",
    { method: "POST", body: GIFT.replace(/,"forMs":\d+/, "") },
    400,
    "API_BODY_INVALID",
  ],
  [
    "a grant for half a second",
    "/v1/grants",
    { method: "POST", body: GIFT.replace("60000", "500") },
    400,
    "API_BODY_INVALID",
  ],
  [
    "a grant for no connection",
    "/v1/grants",
    { method: "POST", body: GIFT.replace('["orders"]', "[]") },
    400,
    "API_BODY_INVALID",
  ],
  [
    "a grant for a glob",
    "/v1/grants",
    { method: "POST", body: GIFT.replace('["orders"]', '"o*"') },
    400,
    "API_BODY_INVALID",
  ],
  ["a grant that nobody gave", "/v1/grants/none/end", { method: "POST" }, 404, "GRANT_UNKNOWN"],
  ["neither cgroup nor pid", "/v1/tags", { method: "POST", body: '{"agent":"ci"}' }, 400, "API_BODY_INVALID"],
  [
    "cgroup and pid",
    "/v1/tags",
    { method: "POST", body: '{"agent":"ci","cgroup":"/a","pid":5}' },
    400,
    "API_BODY_INVALID",
  ],
  [
    "an empty password",
    "/v1/connections/a/rotate",
    { method: "POST", body: '{"password":""}' },
    400,
    "API_BODY_INVALID",
  ],
  [
    "a form",
    "/v1/runs",
    { method: "POST", body: "a=b", headers: { "content-type": "application/x-www-form-urlencoded" } },
    415,
    "API_BODY_TYPE",
  ],
  [
    "text/plain, which a browser may send",
    "/v1/runs",
    { method: "POST", body: "{}", headers: { "content-type": "text/plain" } },
    415,
    "API_BODY_TYPE",
  ],
  ["limit 0", "/v1/sessions?limit=0", {}, 400, "API_QUERY_INVALID"],
  ["a limit above the maximum", "/v1/sessions?limit=100000", {}, 400, "API_QUERY_INVALID"],
  ["a limit that is no number", "/v1/sessions?limit=1e2", {}, 400, "API_QUERY_INVALID"],
  ["a place that is none", "/v1/sessions/s1/entries?from=1m30s", {}, 400, "API_QUERY_INVALID"],
  ["a grouping that is none", "/v1/search?q=a&by=agents", {}, 400, "API_QUERY_INVALID"],
  ["a listing of nothing that it knows", "/v1/sessions?agents=ci", {}, 400, "API_QUERY_INVALID"],
  ["a query that says a thing twice", "/v1/sessions?limit=5&limit=9", {}, 400, "API_QUERY_INVALID"],
  ["a query with a key of every object", "/v1/sessions?__proto__=1", {}, 400, "API_QUERY_INVALID"],
  ["a query where none is taken", "/v1/status?all=1", {}, 400, "API_QUERY_INVALID"],
  ["a flag that says no", "/v1/approvals?all=0", {}, 400, "API_QUERY_INVALID"],
  ["no agent", "/v1/runs/environment", {}, 400, "API_QUERY_INVALID"],
  [
    "a body where none is taken",
    "/v1/sessions/reindex",
    { method: "POST", body: '{"now":true}' },
    400,
    "API_BODY_INVALID",
  ],
  [
    "a body of a listing",
    "/v1/status",
    { body: '{"all":true}', headers: { "content-length": "12" } },
    400,
    "API_BODY_INVALID",
  ],
  [
    "an entry of no session and a typed text at once",
    "/v1/policy/explain",
    { method: "POST", body: '{"session":"s1","text":"select 1"}' },
    400,
    "API_BODY_INVALID",
  ],
  ["a search for too many", "/v1/search?q=a&limit=100000", {}, 400, "API_QUERY_INVALID"],
  ["an unknown session", "/v1/sessions/zz", {}, 404, "SESSION_UNKNOWN"],
  ["the entries of an unknown session", "/v1/sessions/zz/entries", {}, 404, "SESSION_UNKNOWN"],
  ["an unknown run", "/v1/runs/zz", {}, 404, "RUN_UNKNOWN"],
  ["what is not tagged", "/v1/tags/remove", { method: "POST", body: '{"cgroup":"/none"}' }, 404, "TAG_UNKNOWN"],
  [
    "a declared body above the limit",
    "/v1/runs",
    { method: "POST", body: "x".repeat(API_BODY_BYTES_MAX + 1) },
    413,
    "API_BODY_TOO_LARGE",
  ],
];
for (const [name, path, sent, status, code] of badRequests) {
  test(`${name} is answered with ${status} ${code} and a remedy`, async (t) => {
    const got = await ask(await fakeDaemon(t), path, sent);
    assert.deepEqual([got.status, got.code], [status, code]);
    const { error } = JSON.parse(got.text);
    assert.deepEqual(Object.keys(error), ["code", "message", "remedy"]);
    assert.notEqual(error.remedy, "");
  });
}

test("a body that grows above the limit without saying so is cut off", async (t) => {
  const daemon = await fakeDaemon(t);
  const socket = connect(daemon.socketPath);
  let text = "";
  socket.on("data", (chunk) => (text += String(chunk))).on("error", () => {});
  socket.write(
    "POST /v1/policy/check HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
  );
  const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
  for (let sent = 0; sent <= 2 * API_BODY_BYTES_MAX && text === ""; sent += 0x10000) {
    await new Promise((resolve) => socket.write(chunk, resolve));
    await new Promise(setImmediate);
  }
  socket.destroy();
  assert.match(text, /^HTTP\/1\.1 413 [\s\S]*API_BODY_TOO_LARGE/);
});

test("a header above the limit is refused", async (t) => {
  const got = await ask(await fakeDaemon(t), "/v1/status", { headers: { "x-long": "x".repeat(20_000) } });
  assert.equal(got.status, 431);
});

test("what is not HTTP ends the connection and nothing else", async (t) => {
  const daemon = await fakeDaemon(t);
  const socket = connect(daemon.socketPath).on("error", () => {});
  socket.resume().write("\x16\x03\x01\x02\x00garbage\r\n\r\n");
  await once(socket, "close");
  assert.equal((await ask(daemon, "/v1/status")).status, 200);
});

test("no more clients are served at once than the limit says", async (t) => {
  const daemon = await fakeDaemon(t);
  /** The first words of the answer, "" when the connection was ended without one. It stays open. */
  const greet = async () => {
    const socket = connect(daemon.socketPath).on("error", () => {});
    socket.write("GET /v1/status HTTP/1.1\r\nhost: a\r\n\r\n");
    const first = Promise.withResolvers<string>();
    socket.once("data", (chunk) => first.resolve(String(chunk).slice(0, 12))).once("close", () => first.resolve(""));
    return first.promise;
  };
  const answers = await Promise.all(Array.from({ length: API_CONNECTIONS_MAX }, greet));
  assert.deepEqual([...new Set(answers)], ["HTTP/1.1 200"]);
  assert.equal(await greet(), "");
});

test("a fault of ours is answered without its words, and logged with them", async (t) => {
  const daemon = await fakeDaemon(t, (ports) => ({
    daemon: { ...ports.daemon, status: () => Promise.reject(new Error("row secret-4711")) },
  }));
  const got = await ask(daemon, "/v1/status");
  assert.deepEqual([got.status, got.code], [500, "INTERNAL"]);
  assert.doesNotMatch(got.text, /4711/);
  assert.match(daemon.log.join("\n"), /secret-4711/);
});

const thrown = [
  [1, 422],
  [2, 400],
  [3, 503],
  [4, 403],
] as const;
for (const [exitCode, status] of thrown) {
  test(`a UserError for exit code ${exitCode} is answered with ${status}`, async (t) => {
    const error = new UserError("SOME_CODE", "words", "remedy", { exitCode });
    const daemon = await fakeDaemon(t, (ports) => ({
      daemon: { ...ports.daemon, status: () => Promise.reject(error) },
    }));
    const got = await ask(daemon, "/v1/status");
    assert.equal(got.status, status);
    assert.deepEqual(JSON.parse(got.text), { error: { code: "SOME_CODE", message: "words", remedy: "remedy" } });
  });
}

test("a process that is not the caller's own child cannot be handed over", async (t) => {
  const daemon = await fakeDaemon(t);
  const body = JSON.stringify({ agent: "ci", pid: process.pid });
  const got = await ask(daemon, "/v1/runs", { method: "POST", body });
  assert.deepEqual([got.status, got.code], [403, "RUN_NOT_CHILD"]);
  assert.deepEqual(daemon.calls, []);
});

test("the caller's own child can be handed over", async (t) => {
  const daemon = await fakeDaemon(t);
  const child = spawn("/bin/cat", { stdio: ["pipe", "ignore", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child, "spawn");
  daemon.peer = { ...ROOT, pid: process.pid, uid: process.getuid?.() ?? 0 };
  if (daemon.peer.uid !== 0) daemon.peer = { ...daemon.peer, gid: MEMBER.gid };
  const got = await ask(daemon, "/v1/runs", { method: "POST", body: JSON.stringify({ agent: "ci", pid: child.pid }) });
  assert.equal(got.status, 200);
  assert.deepEqual(daemon.calls, [["runs.create", "ci", child.pid, daemon.peer.uid]]);
});

test("a child of another user is not the caller's child", async (t) => {
  const child = spawn("/bin/cat", { stdio: ["pipe", "ignore", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child, "spawn");
  const uid = process.getuid?.() ?? 0;
  const caller = { roles: new Set(["member"] as const), pid: process.pid, uid };
  assert.equal(isChildOf(child.pid ?? 0, caller), true);
  assert.equal(isChildOf(child.pid ?? 0, { ...caller, uid: uid + 1 }), false);
  assert.equal(isChildOf(child.pid ?? 0, { ...caller, pid: 1 }), false);
});

test("a password reaches the port and no answer", async (t) => {
  const daemon = await fakeDaemon(t);
  const body = JSON.stringify({ name: "orders", protocol: "postgres", addresses: ["a:1"], password: "hunter2" });
  const got = await ask(daemon, "/v1/connections", { method: "POST", body });
  assert.equal(got.status, 200);
  assert.doesNotMatch(got.text, /hunter2/);
  assert.deepEqual(daemon.calls, [
    ["connections.add", { name: "orders", protocol: "postgres", addresses: ["a:1"], tls: {}, labels: {} }, "hunter2"],
  ]);
  assert.doesNotMatch(daemon.log.join("\n"), /hunter2/);
});

test("entries come as one JSON object a line", async (t) => {
  const { status, text } = await ask(await fakeDaemon(t), "/v1/sessions/s1/entries");
  assert.equal(status, 200);
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ kind }) => kind),
    ["start", "decision", "answer", "decision"],
  );
});

test("a recording that fails in its middle ends the connection rather than looking complete", async (t) => {
  const daemon = await fakeDaemon(t, (ports) => ({
    sessions: {
      ...ports.sessions,
      entries: async () =>
        (async function* () {
          yield { number: 1, offsetMs: 0, kind: "start", text: "" } as const;
          throw new Error("torn");
        })(),
    },
  }));
  await assert.rejects(ask(daemon, "/v1/sessions/s1/entries"));
});

test("a watcher gets every event and is forgotten when it leaves", async (t) => {
  const daemon = await fakeDaemon(t);
  const { socket, next } = await watch(daemon);
  const event = { atMs: 1, kind: "agent.tag", message: "line one\nline two" };
  for (const tell of daemon.watchers) tell(event);
  assert.match(
    await next(/\n\n/),
    /event: agent\.tag\ndata: \{"atMs":1,"kind":"agent\.tag","message":"line one\\nline two"\}\n\n/,
  );
  const gone = until(() => daemon.watchers.size === 0);
  socket.destroy();
  await gone;
});

test("a watcher that does not read is ended", async (t) => {
  const daemon = await fakeDaemon(t);
  const { socket } = await watch(daemon);
  socket.pause();
  const event = { atMs: 1, kind: "k", message: "x".repeat(64 * 1024) };
  for (let round = 0; round < 100 && daemon.watchers.size > 0; round++) {
    for (const tell of daemon.watchers) tell(event);
    await new Promise(setImmediate);
  }
  await until(() => daemon.watchers.size === 0);
});

test("one user who is not root cannot keep all others from watching", async (t) => {
  const daemon = await fakeDaemon(t);
  daemon.peer = MEMBER;
  const sockets = Array.from({ length: API_WATCHERS_PER_USER_MAX }, () =>
    connect(daemon.socketPath).on("error", () => {}),
  );
  t.after(() => sockets.forEach((socket) => void socket.destroy()));
  for (const socket of sockets) {
    socket.write("GET /v1/approvals/watch HTTP/1.1\r\nhost: a\r\n\r\n");
    await once(socket, "data");
  }
  assert.equal((await ask(daemon, "/v1/approvals/watch")).code, "API_WATCHERS_FULL");
  daemon.peer = ROOT;
  assert.equal((await ask(daemon, "/v1/events/watch")).status, 200);
});

test("no more watch at once than the limit says", async (t) => {
  const daemon = await fakeDaemon(t);
  for (let index = 0; index < API_WATCHERS_MAX; index++) await watch(daemon);
  assert.deepEqual((await ask(daemon, "/v1/events/watch")).code, "API_WATCHERS_FULL");
});

test("the socket is for its owner and group alone", async (t) => {
  const daemon = await fakeDaemon(t);
  assert.equal(statSync(daemon.socketPath).mode & 0o777, 0o660);
});

test("a second daemon is refused while one answers, and takes the place of a dead one", async (t) => {
  const daemon = await fakeDaemon(t);
  const again = { socketPath: daemon.socketPath, ports: {} as never, clock: {} as never, log: console as never };
  await assert.rejects(startControlServer(again), { code: "DAEMON_RUNNING" });
  await daemon.close();
  writeFileSync(daemon.socketPath, "left behind");
  const second = await startControlServer(again);
  assert.ok(lstatSync(daemon.socketPath).isSocket());
  await second.close();
});

test("shutdown answers first and leaves then", async (t) => {
  const daemon = await fakeDaemon(t);
  const got = await ask(daemon, "/v1/shutdown", { method: "POST", body: '{"remove":true}' });
  assert.deepEqual(JSON.parse(got.text), { removed: ["link connect4"] });
  await until(() => daemon.calls.length === 2);
  assert.deepEqual(daemon.calls, [["daemon.shutdown", { remove: true }], ["daemon.leave"]]);
});

// uid, gid, member
const memberships: readonly (readonly [string, number, number, boolean])[] = [
  ["the group as primary", 1000, 900, true],
  ["the group as supplementary", 1001, 1001, true],
  ["a name that only begins like a member's", 1002, 1002, false],
  ["nobody", 1003, 1003, false],
  ["a user that passwd does not know", 4000, 4000, false],
];
for (const [name, uid, gid, expected] of memberships) {
  test(`membership by ${name} is ${expected}`, (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(
      join(folder, "passwd"),
      "ann:x:1000:900::/:/bin/sh\nbob:x:1001:1001::/:/bin/sh\nbo:x:1002:1002::/:/bin/sh\n",
    );
    writeFileSync(join(folder, "group"), "root:x:0:bo\nsallyport:x:900:bob,\nother:x:901:nobody\n");
    assert.equal(membershipFrom(join(folder, "passwd"), join(folder, "group"))({ uid, gid }), expected);
  });
}

test("nobody is a member where the group does not exist, or the file cannot be read", (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "group"), "root:x:0:\n");
  assert.equal(membershipFrom(join(folder, "passwd"), join(folder, "group"))({ uid: 1, gid: 0 }), false);
  assert.equal(membershipFrom(join(folder, "none"), join(folder, "none"))({ uid: 1, gid: 0 }), false);
});

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-members-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function watch(daemon: FakeDaemon) {
  const before = daemon.watchers.size;
  const socket = connect(daemon.socketPath).on("error", () => {});
  let text = "";
  socket.on("data", (chunk) => (text += String(chunk)));
  socket.write("GET /v1/events/watch HTTP/1.1\r\nhost: a\r\n\r\n");
  await until(() => daemon.watchers.size > before);
  const next = async (pattern: RegExp) => {
    while (!pattern.test(text.slice(text.indexOf("\r\n\r\n") + 4))) await once(socket, "data");
    return text;
  };
  return { socket, next };
}

/** Turns of the event loop until it holds; bounded, so that a defect fails instead of hanging. */
async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 100_000; turn++) {
    if (holds()) return;
    await new Promise(setImmediate);
  }
  assert.fail("it never came true");
}
