import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Accepted, Origin as KernelOrigin } from "ebpf-loader";
import { EXPEL_WAIT_MS } from "../../src/base/limits.ts";
import { createMasker } from "../../src/masking/mask.ts";
import { Metrics } from "../../src/metrics/metrics.ts";
import type { Connection } from "../../src/model/connection.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { Agent } from "../../src/model/identity.ts";
import type { Protocol, SessionWorld } from "../../src/model/protocol.ts";
import type { SessionEvent } from "../../src/model/session.ts";
import { guardConnection, type PathParts } from "../../src/path/connection.ts";
import { Lookups } from "../../src/path/lookups.ts";
import { Sessions } from "../../src/path/sessions.ts";
import { Ledger } from "../../src/policy/ledger.ts";
import type { Policy } from "../../src/policy/load.ts";
import { createRecorder, type Recorder } from "../../src/recorder/recorder.ts";
import { openStore } from "../../src/store/store.ts";
import { operationOf, policyOf, statementOf } from "../kit/policy.ts";
import { entries } from "../recorder/kit.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";
import { accept, backendOf, bytes, reader, relayScript, ScriptedSession, textOf, turns, until } from "./kit.ts";
import { CONNECTION, KERNEL_ORIGIN, protocolOf, vaultOf } from "./world.ts";

const AGENT: Agent = { slot: 1, name: "ci", groups: ["ci", "nightly"], claims: { team: "payments" } };
/** Who the agent is and where it came from, as every event of its sessions says. */
const TOLD = {
  ...{ groups: "ci nightly", "claim.team": "payments", pid: 2 ** 30, uid: 1000, user: "runner", comm: "psql" },
  ...{ executable: "", cgroup: "", cgroupId: "3", netns: "1", sourceAddress: "192.0.2.20", sourcePort: 40_000 },
  ...{ address: "127.0.0.1", protocol: "lines" },
};
const REACH = "rules:\n  - { name: reach, on: connect, allow: {} }\n  - { name: read, on: sql.read, allow: {} }";
const SHOWING = policyOf(REACH);
const ALLOWING = policyOf(
  `${REACH}\n  - { name: mail, on: reveal, when: "detector == 'email'", mask: { style: redact } }`,
);
const SELECT = operationOf({ name: "sql.read", facts: statementOf() });
const CONNECT = { name: "connect", facts: { database: "shop", user: "app" } };

/** Like `relayScript`, but it asks policy for `connect`, and shows rows through the masks. */
function scriptOf(world: SessionWorld) {
  return (event: SessionEvent) => {
    if (event.kind === "start") {
      const ask = [{ operation: { actions: [CONNECT] }, text: "connect to shop" }];
      return [{ kind: "ask", id: 0, asked: ask, bytes: bytes("") }] as const;
    }
    if (event.kind === "verdict" && event.decision.kind === "deny") {
      return [
        { kind: "toClient", bytes: bytes("no") },
        { kind: "close", reason: "refused" },
      ] as const;
    }
    if (event.kind === "client" && textOf(event.bytes) === "cancel") {
      return [{ kind: "cancel", key: world.cancelSecret }] as const;
    }
    if (event.kind === "client") {
      const ask = [{ operation: SELECT, text: textOf(event.bytes) }];
      return [{ kind: "ask", id: 1, asked: ask, bytes: event.bytes }] as const;
    }
    if (event.kind !== "server") return relayScript(event);
    const column = { schema: "public", table: "t", name: "c", labels: [], valueKind: "text", format: "text" } as const;
    const masked = world.maskFor(column)?.(event.bytes);
    const masks = masked === undefined ? [] : [{ column: "c", by: masked.by, count: 1 }];
    const entry = { askId: 1, rows: 1, bytes: event.bytes.length, masks, outcome: "ROW 1" };
    return [
      { kind: "toClient", bytes: masked?.value ?? event.bytes },
      { kind: "note", entry },
    ] as const;
  };
}

interface Making {
  readonly origin?: Partial<KernelOrigin> | "missing";
  readonly parts?: Partial<PathParts>;
  readonly policy?: () => Policy;
  readonly open?: Recorder["open"];
}

async function world(t: TestContext, making: Making = {}) {
  const dir = join(folder(t), "state");
  const log = quietLog();
  const clock = handClock();
  const store = await openStore(dir, log);
  t.after(() => store.close());
  const scrub = (text: string) => text;
  const recordings = join(dir, "recordings");
  const recorder = await createRecorder({ dir: recordings, clock, scrub, index: store.sessions, log });
  const heard: string[] = [];
  const servers: Socket[] = [];
  const port = await backendOf(t, (socket) => {
    servers.push(socket);
    socket.on("data", (said: Buffer) => {
      heard.push(said.toString());
      if (said.toString().startsWith("app ")) socket.write("ok there\n");
      if (said.toString() === "select mail") socket.write("write to ann@example.com");
      if (said.toString().startsWith("cancel ")) socket.end();
    });
    socket.on("end", () => socket.end());
  });
  const sessions: ScriptedSession[] = [];
  const cancelKeys: Uint8Array[] = [];
  const protocol: Protocol = protocolOf(() => assert.fail(), {
    session: (given) => {
      const session = new ScriptedSession(scriptOf(given));
      sessions.push(session);
      cancelKeys.push(given.cancelSecret);
      return session;
    },
  });
  const { held, credentialOf } = vaultOf();
  const events: AuditEvent[] = [];
  const ended: AuditEvent[] = [];
  const live = new Sessions();
  const connection: Connection = { ...CONNECTION };
  const parts: PathParts = {
    clock,
    arriving: (slot) => (slot === 1 ? AGENT : undefined),
    agentOf: (slot) => (slot === 1 ? AGENT : undefined),
    ungranted: () => undefined,
    isQuarantined: () => false,
    isObserved: () => false,
    connectionOf: (number) => (number === 77 ? connection : undefined),
    protocolOf: (name) => (name === "lines" ? protocol : undefined),
    userOf: () => "runner",
    policy: making.policy ?? (() => ALLOWING),
    masker: createMasker(new Uint8Array(32)),
    ledger: new Ledger(clock),
    recorder: making.open === undefined ? recorder : { ...recorder, open: making.open },
    credentialOf,
    leafFor: () => Promise.reject(new Error("Cannot make a leaf: the test has none")),
    emit: (event) => events.push(event),
    accepting: () => true,
    toldDecisions: () => "refused",
    ended: (_origin, event) => ended.push(event),
    sessions: live,
    lookups: new Lookups(clock, credentialOf),
    meter: new Metrics(() => false),
    holds: { open: () => assert.fail("nothing is held here") },
    ...making.parts,
  };
  const { client, fd } = await accept(t);
  const origin: KernelOrigin | undefined =
    making.origin === "missing" ? undefined : { ...KERNEL_ORIGIN, port, ...making.origin };
  const accepted: Accepted = { fd, sourceAddress: "192.0.2.20", sourcePort: 40_000, origin };
  const answer = reader(client);
  const done = guardConnection(accepted, parts);
  const read = () =>
    entries(recordings, live.list()[0]?.sessionId ?? events.find(({ sessionId }) => sessionId)?.sessionId ?? "");
  const again = async () => {
    const next = await accept(t);
    return { ...next, done: guardConnection({ ...accepted, fd: next.fd }, parts) };
  };
  return { client, answer, done, events, ended, live, heard, held, sessions, read, again, servers, cancelKeys };
}

const kinds = (events: readonly AuditEvent[]) => events.map(({ kind }) => kind);

function fullHouse(): Sessions {
  return Object.defineProperty(new Sessions(), "full", { value: true });
}

const refusals: readonly { name: string; making: Making; kind: string; says: RegExp }[] = [
  { name: "without an origin", making: { origin: "missing" }, kind: "origin.missing", says: /without an origin/ },
  {
    name: "of an agent that nobody knows",
    making: { origin: { agent: 2 } },
    kind: "connection.refused",
    says: /unknown agent/,
  },
  {
    name: "to a connection that is not in the settings",
    making: { origin: { connection: 5 } },
    kind: "connection.refused",
    says: /not in the settings/,
  },
  {
    name: "of a protocol that is not there",
    making: { parts: { protocolOf: () => undefined } },
    kind: "connection.refused",
    says: /not in the settings/,
  },
  {
    name: "that comes to a full house",
    making: { parts: { sessions: fullHouse() } },
    kind: "connection.refused",
    says: /too many sessions/,
  },
];
for (const { name, making, kind, says } of refusals) {
  test(`a connection ${name} is closed and told, and no backend is dialled`, async (t) => {
    const { client, answer, done, events, servers, live } = await world(t, making);
    await done;
    await until(() => answer.ended() || client.destroyed, "the client's end");
    const [event] = events;
    assert.deepEqual(
      [events.length, event?.kind, { source: event?.fields?.["source"], sourcePort: event?.fields?.["sourcePort"] }],
      [1, kind, { source: "192.0.2.20", sourcePort: 40_000 }],
    );
    assert.match(event?.message ?? "", says);
    assert.deepEqual([answer.text(), servers.length, live.list()], ["", 0, []]);
  });
}

test("a connection that cannot be recorded is closed and told", async (t) => {
  const open = () => {
    throw Object.assign(new Error("disk full"), { code: "RECORDING_FAILED" });
  };
  const { client, answer, done, events, servers } = await world(t, { open });
  await assert.rejects(done, /disk full/);
  await until(() => answer.ended() || client.destroyed, "the client's end");
  assert.deepEqual([kinds(events), servers.length], [["connection.refused"], 0]);
});

test("a session whose events nobody can take is refused in its protocol, under a rule of its own", async (t) => {
  let room: true | string = true;
  const { client, answer, done, events, heard, read } = await world(t, { parts: { accepting: () => room } });
  await until(() => heard.length === 1, "the login");
  room = "the disk is full";
  client.write("select mail");
  await until(() => answer.text() === "no", "the refusal");
  client.end();
  await done;
  assert.deepEqual(heard, ["app hunter2\n"], "nothing reached the backend");
  const denied = events.find(({ kind }) => kind === "action.deny");
  assert.equal(denied?.message, "Nothing may be done that cannot be told: the disk is full");
  assert.deepEqual([denied?.fields?.["rules"], denied?.fields?.["actions"]], ["built-in:audit", "sql.read"]);
  assert.equal((await read()).filter(({ kind }) => kind === "decision").length, 2, "it is recorded all the same");
});

test("a client that comes while the audit trail is full is refused before any login", async (t) => {
  const { answer, done, heard, servers } = await world(t, { parts: { accepting: () => "no room" } });
  await until(() => answer.text() === "no", "the refusal");
  await done;
  assert.deepEqual([heard, servers.length], [[], 0]);
});

test("a client without a grant is refused in its protocol before any login, also where its agent is observed", async (t) => {
  const asked: unknown[] = [];
  const ungranted = (...all: unknown[]) => {
    asked.push(all);
    return "its grant brief has ended";
  };
  const { answer, done, heard, servers, events } = await world(t, { parts: { ungranted, isObserved: () => true } });
  await until(() => answer.text() === "no", "the refusal");
  await done;
  assert.deepEqual([heard, servers.length, asked], [[], 0, [[AGENT, 2n, "orders"]]]);
  const denied = events.find(({ kind }) => kind === "action.deny");
  assert.equal(denied?.message, "This agent may not reach this connection now: its grant brief has ended");
  assert.deepEqual([denied?.fields?.["rules"], denied?.fields?.["actions"]], ["built-in:grant", "connect"]);
});

test("a session has entered once it was let ask for its connection", async (t) => {
  const refused = await world(t, { parts: { ungranted: () => "none" } });
  const seen = refused.live.list().map((session) => session.hasEntered());
  await refused.done;
  const { client, answer, done, live } = await world(t);
  client.write("select mail");
  await until(() => answer.text() !== "", "the answer");
  assert.deepEqual([seen, live.list().map((session) => session.hasEntered())], [[false], [true]]);
  client.end();
  await done;
});

test("a session that lost its right says its farewell, and its backend hears that what runs is unwanted, once", async (t) => {
  const { client, answer, done, live, heard, ended } = await world(t);
  client.write("select mail");
  await until(() => answer.text() !== "", "the answer");
  for (let round = 0; round < 2; round++) live.expel(() => true, "its grant brief has ended");
  await done;
  await until(() => answer.ended(), "the client's end");
  assert.match(answer.text(), /bye$/);
  await until(() => heard.includes("cancel upstream key\n"), "the cancel upstream");
  await turns(50); // in which a second one would have been heard
  assert.equal(heard.filter((text) => text.startsWith("cancel")).length, 1);
  assert.match(ended[0]?.message ?? "", /ci left orders: its grant brief has ended/);
});

test("a client that does not leave after its farewell is cut off", async (t) => {
  const { client, answer, done, live } = await world(t);
  client.write("select mail");
  await until(() => answer.text() !== "", "the answer");
  t.mock.timers.enable({ apis: ["setTimeout"] });
  live.expel(() => true, "its grant brief has ended");
  await done;
  await until(() => answer.ended(), "our end");
  const isCutOff = () => !client.write("x") || client.destroyed;
  t.mock.timers.tick(EXPEL_WAIT_MS - 1);
  for (let round = 0; round < 20; round++, await turns(1)) assert.equal(isCutOff(), false);
  t.mock.timers.tick(1);
  await until(isCutOff, "the reset");
});

test("what is allowed is told where the settings say so, and not else", async (t) => {
  const { client, answer, done, events } = await world(t, { parts: { toldDecisions: () => "all" } });
  client.write("select mail");
  await until(() => answer.text() !== "", "the answer");
  client.end();
  await done;
  const allowed = events.filter(({ kind }) => kind === "action.allow");
  assert.deepEqual(
    allowed.map(({ fields }) => [fields?.["actions"], fields?.["rules"], fields?.["policy"]]),
    [
      ["connect", "reach", ALLOWING.version],
      ["sql.read", "read", ALLOWING.version],
    ],
  );
});

test("a session is served, recorded from start to end, and summed up", async (t) => {
  const { client, answer, done, events, ended, live, heard, held, read } = await world(t);
  await until(() => heard.length === 1, "the login");
  assert.equal(live.list().length, 1);
  client.write("select mail");
  await until(() => answer.text() !== "", "the answer");
  client.end();
  await done;
  assert.equal(answer.text().includes("ann@example.com"), false);
  assert.deepEqual(heard, ["app hunter2\n", "select mail"]);
  assert.deepEqual(
    held.map(({ wiped }) => wiped),
    [true],
  );
  assert.deepEqual([kinds(events), kinds(ended), live.list()], [["session.start", "session.end"], ["session.end"], []]);
  const { fields } = ended[0] ?? {};
  assert.deepEqual(fields, {
    ...{ statements: 1, denied: 0, held: 0, masked: 1, rows: 1, bytesIn: 11, bytesOut: 24 },
    ...TOLD,
    policy: ALLOWING.version,
    port: fields?.["port"],
  });
  const recorded = await read();
  assert.deepEqual(
    recorded.map(({ kind }) => kind),
    ["start", "looking", "action", "decision", "action", "decision", "answer", "end"],
  );
});

test("a denied session is told, recorded and ended, and no backend is dialled", async (t) => {
  const { answer, done, events, servers, read } = await world(t, { policy: () => NOTHING });
  await done;
  await until(() => answer.ended(), "the client's end");
  assert.deepEqual([answer.text(), servers.length], ["no", 0]);
  assert.deepEqual(kinds(events), ["session.start", "action.deny", "session.end"]);
  const decision = (await read()).find(({ kind }) => kind === "decision");
  assert.equal(decision?.kind === "decision" && decision.decision, "deny");
});

const NOTHING = policyOf("rules: []");

test("a new policy judges what a running session asks from then on", async (t) => {
  let policy = ALLOWING;
  const { client, answer, done, heard } = await world(t, { policy: () => policy });
  await until(() => heard.length === 1, "the login");
  client.write("select mail");
  await until(() => answer.text() !== "", "the masked answer");
  assert.equal(answer.text().includes("ann@example.com"), false);
  policy = SHOWING;
  client.write("select mail");
  await until(() => answer.text().includes("ann@example.com"), "the answer that no rule masks any more");
  client.end();
  await done;
});

test("a session can be stopped from the side with its farewell", async (t) => {
  const { answer, done, live, heard, ended } = await world(t);
  await until(() => heard.length === 1, "the login");
  live.stop(() => true, "its grant ended");
  await done;
  await until(() => answer.ended(), "the client's end");
  assert.equal(answer.text(), "bye");
  assert.match(ended[0]?.message ?? "", /ci left orders: its grant ended/);
});

test("a fault is told with its code and stands in the recording's end", async (t) => {
  const { client, done, events, heard, sessions, read } = await world(t);
  await until(() => heard.length === 1, "the login");
  const [session] = sessions;
  assert.ok(session !== undefined);
  session.handle = () => [{ kind: "close", reason: "too long", fault: "FRAME_LENGTH" }];
  client.write("x");
  await done;
  const told = events.find(({ kind }) => kind === "session.fault");
  assert.equal(told?.fields?.["code"], "FRAME_LENGTH");
  const end = (await read()).at(-1);
  assert.equal(end?.kind === "end" && end.fault, "FRAME_LENGTH");
});

test("a login that fails ends the session, and the credential is wiped", async (t) => {
  const { done, held, ended } = await world(t, { origin: { address: "127.0.0.2" } });
  await done;
  assert.match(ended[0]?.message ?? "", /Cannot reach orders/);
  assert.deepEqual(held, []);
});

for (const { name, agent, reaches } of [
  { name: "of the same agent reaches the backend", agent: AGENT, reaches: true },
  { name: "of another agent does not", agent: { ...AGENT, slot: 9, name: "dev" }, reaches: false },
]) {
  test(`a cancel by a session ${name}`, async (t) => {
    let caller = AGENT;
    const first = await world(t, { parts: { arriving: () => caller } });
    await until(() => first.heard.length === 1, "the login");
    caller = agent;
    const second = await first.again();
    await until(() => first.heard.length === 2, "the second login");
    const [key] = first.cancelKeys;
    const [, other] = first.sessions;
    assert.ok(other !== undefined && key !== undefined);
    other.handle = (event) =>
      event.kind === "client"
        ? [
            { kind: "cancel", key },
            { kind: "close", reason: "said" },
          ]
        : relayScript(event);
    second.client.write("x");
    await second.done;
    if (reaches) await until(() => first.heard.includes("cancel upstream key\n"), "the cancel upstream");
    else {
      await turns(50); // in which one that was dialled would have been heard
      assert.deepEqual(first.heard, ["app hunter2\n", "app hunter2\n"]);
    }
    first.client.end();
    await first.done;
  });
}

test("a connection of an agent whose identity is over is closed unheard, and the event says whose it was", async (t) => {
  const identity = { state: "over", issuer: "forge", subject: "repo:acme/shop" } as const;
  const asked: unknown[] = [];
  const arriving = (...all: unknown[]) => {
    asked.push(all);
    return { ...AGENT, identity };
  };
  const { answer, done, events, live, heard } = await world(t, { parts: { arriving } });
  await done;
  await until(() => answer.ended(), "the end");
  assert.deepEqual([kinds(events), live.list(), answer.text(), heard], [["connection.refused"], [], "", []]);
  assert.deepEqual([events[0]?.fields?.["issuer"], events[0]?.fields?.["subject"]], ["forge", "repo:acme/shop"]);
  assert.deepEqual(asked, [[1, 2n]]);
});

test("a connection of a revoked agent is closed unheard", async (t) => {
  const { answer, done, events, live, heard } = await world(t, {
    parts: { arriving: () => ({ ...AGENT, revoked: true }) },
  });
  await done;
  await until(() => answer.ended(), "the end");
  assert.deepEqual([kinds(events), live.list(), answer.text(), heard], [["connection.refused"], [], "", []]);
  assert.match(events[0]?.message ?? "", /its agent was revoked/);
});

test("a connection of a quarantined agent that was redirected before is closed unheard", async (t) => {
  const { answer, done, events, live, heard } = await world(t, { parts: { isQuarantined: (agent) => agent === "ci" } });
  await done;
  await until(() => answer.ended(), "the end");
  assert.deepEqual([kinds(events), live.list(), answer.text()], [["connection.refused"], [], ""]);
  assert.deepEqual(heard, []);
});
