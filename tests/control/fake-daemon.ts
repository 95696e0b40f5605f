/** The real API server over ports that only remember: for tests of the API and of the command line. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Clock } from "../../src/base/clock.ts";
import { UserError } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import type { Membership } from "../../src/control/api/callers.ts";
import { startControlServer } from "../../src/control/api/server.ts";
import type { AnswersPort, TlsListener } from "../../src/control/api/tls-listener.ts";
import type { ApprovalListing } from "../../src/control/approvals.ts";
import type { DelegationListing } from "../../src/control/delegation-ports.ts";
import type { EvidenceLine, EvidenceSummary } from "../../src/control/evidence-ports.ts";
import type { GrantListing } from "../../src/control/grant-ports.ts";
import type {
  AgentListing,
  ConnectionListing,
  ControlPorts,
  Peer,
  SessionEntry,
  SessionListing,
} from "../../src/control/ports.ts";
import type { DeletionListing } from "../../src/control/retention-ports.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { NotifyStatus } from "../../src/model/notify.ts";
import type { Role } from "../../src/model/role.ts";
import type { SinkStatus } from "../../src/model/sink.ts";
import type { ExplainedOperation, Explanation } from "../../src/policy/explanation.ts";
import type { Change } from "../../src/policy/replay.ts";
import { ACTING, fakeHumans } from "./fake-humans.ts";
import { FOUND_ENTRIES, FOUND_SESSIONS, NOTHING_FOUND, TERMINAL } from "./search-samples.ts";

export interface FakeDaemon {
  readonly runDir: string;
  readonly socketPath: string;
  readonly log: readonly string[];
  /** Name and arguments of every port that was called, secrets as text. */
  readonly calls: readonly (readonly unknown[])[];
  /** Who asks from now on; undefined: nobody knows. */
  peer: Peer | undefined;
  /** Whether sessions and API tokens do. */
  goesOn: boolean;
  /** Roles that humans have no more. */
  lost: readonly Role[];
  /** Humans, and by which processes. */
  readonly acted: readonly unknown[];
  readonly watchers: Set<(event: AuditEvent) => void>;
  /** The audit trail. */
  readonly events: readonly AuditEvent[];
  readonly tls: TlsListener;
  close(): Promise<void>;
}

export const ROOT: Peer = { pid: 4242, uid: 0, gid: 0, cgroup: "/user.slice", tagged: false };
export const MEMBER: Peer = { ...ROOT, uid: 1001, gid: 2002 };
export const STRANGER: Peer = { ...ROOT, uid: 1002, gid: 1002 };
const MEMBERS: Membership = ({ gid }) => gid === MEMBER.gid;

export const SESSION: SessionListing = {
  id: "s1",
  agent: "ci",
  connection: "orders",
  protocol: "postgres",
  user: "runner",
  executable: "/usr/bin/psql",
  address: "192.0.2.1:5432",
  startedMs: 1_700_000_000_000,
  endedMs: 1_700_000_002_500,
  state: "ended",
  statements: 2,
  denied: 1,
  masked: 3,
  rows: 5,
};

export const ENTRIES: readonly SessionEntry[] = [
  { number: 1, offsetMs: 0, kind: "start", text: "connected" },
  {
    number: 2,
    offsetMs: 10,
    kind: "decision",
    text: "select *\nfrom c -- \u001b[2J\u202e",
    decision: "allow",
    rules: ["reads"],
  },
  {
    number: 3,
    offsetMs: 12,
    kind: "answer",
    text: "SELECT 5",
    rows: 5,
    masks: [{ column: "ssn", by: "label:pii", count: 3 }],
    shown: [{ column: "mail", by: "detector:email", count: 2 }],
  },
  {
    number: 4,
    offsetMs: 20,
    kind: "decision",
    text: "drop table c",
    decision: "deny",
    rules: ["no-ddl"],
    message: "No DDL",
  },
];

const AGENT: AgentListing = {
  agent: "ci",
  groups: ["ci"],
  cgroup: "/sallyport.slice/r1",
  kind: "run",
  runId: "r1",
  uid: 0,
  matcher: "",
  processes: 1,
  pids: [4711],
  namespaces: [4_026_531_840],
  sessions: 1,
  sinceMs: 1_700_000_000_000,
  state: "enforced",
};

const GIVEN: GrantListing = {
  ...{ id: "0123456789", source: "given", agent: "ci", connections: ["orders", "billing"], state: "in force" },
  ...{ sinceMs: 1_700_000_000_000, endsMs: 1_700_003_600_000, uid: 0, reason: "ticket\u001b[2J 4711" },
};
export const GRANTS: readonly GrantListing[] = [
  {
    ...{ id: "orders-30m", source: "settings", agent: "ci", connections: ["orders"], state: "over" },
    ...{ why: "has ended", cgroup: "/sallyport.slice/r1", sinceMs: 1_700_000_000_000, endsMs: 1_700_001_800_000 },
  },
  GIVEN,
  { id: "all", source: "settings", agent: "bot", connections: "*", state: "idle" },
];

export const APPROVAL: ApprovalListing = {
  id: "hold1",
  state: "waiting",
  sessionId: "s1",
  agent: "ci",
  connection: "orders",
  protocol: "postgres",
  statements: [{ text: "delete from c\nwhere id = $1 -- \u001b[2J", parameters: ["5"], actions: ["sql.delete"] }],
  tables: [{ name: "public.c", access: "write", labels: ["core"], columnLabels: ["pii"] }],
  pid: 4711,
  user: "runner",
  executable: "/usr/bin/psql",
  processes: [{ pid: 4711, comm: "psql", executable: "/usr/bin/psql" }],
  rules: ["deletes"],
  message: "Deletes need a reviewer",
  digest: "0123456789abcdef".repeat(4),
  openedMs: 1_700_000_000_000,
  expiresMs: 1_700_000_600_000,
  approvers: ["1 of sre"],
  missing: "1 more of sre (rule deletes)",
  answers: [{ name: "Ada [corp:ada] (corp:sre)", account: "corp:ada", atMs: 1_700_000_000_000 }],
  reuseMs: 0,
  estimate: "about 5 rows",
};

export const DELEGATION: DelegationListing = {
  ...{ id: "3f2a91c04d", group: "corp:sre", from: "Ada", fromAccount: "corp:ada", as: "member" },
  ...{ to: "Ben", toAccount: "corp:ben", sinceMs: 1_700_000_000_000, untilMs: 1_700_028_800_000 },
  ...{ state: "in force", reason: "on leave\u001b[2J" },
};

const NOTHING_SWEPT = { destroyed: 0, unable: 0, kept: 0 };

const CONNECTION: ConnectionListing = {
  name: "orders",
  protocol: "postgres",
  addresses: ["orders.db.internal:5432"],
  labels: { environment: "prod" },
  tls: "verify-full",
  source: "vault",
  user: "orders_app",
  credential: "sealed",
};

const POLICY = {
  hash: "abcdef0123456789",
  rules: 3,
  files: ["/etc/p/a.yaml"],
  loadedMs: 1_700_000_000_000,
  shadow: [],
};

const EXPLAINED: ExplainedOperation = {
  text: "DROP TABLE t",
  actions: [
    {
      name: "sql.define",
      facts: { statement: { kind: "drop-table" } },
      rules: [
        { name: "no-ddl", file: "/etc/p/a.yaml", line: 3, outcome: "deny", shadow: false, matched: true, because: [] },
        {
          ...{ name: "ops", file: "/etc/p/a.yaml", line: 9, outcome: "allow", shadow: true, matched: false },
          because: [{ text: '"ops" in agent.groups', facts: { "agent.groups": ["ci"] } }],
        },
      ],
    },
  ],
};
const EXPLANATION: Explanation = {
  ...{ decision: "deny", rules: ["no-ddl"], message: "No DDL", shadow: [], policy: "abc", subject: {} },
  operations: [EXPLAINED],
};
const CHANGE: Change = {
  ...{ session: "s1", number: 4, atMs: 1_700_000_000_000, agent: "ci", connection: "orders", text: "drop table t" },
  was: { decision: "allow", rules: ["all"] },
  would: { decision: "deny", rules: ["no-ddl"], message: "No DDL" },
};

const TAMPERED: EvidenceLine = {
  ...{ kind: "finding", verdict: "tampered", what: "removed", where: "spoilt" },
  message: "its recording is gone\u001b[2J",
};
const VERIFIED: EvidenceSummary & { readonly kind: "summary" } = {
  ...{ kind: "summary", events: 12, checkpoints: 2, sessions: 3, records: 40, tampered: 0, unproved: 0 },
  last: { number: 2, atMs: 1_700_000_000_000 },
};

const DELETION: DeletionListing = {
  ...{ id: "s1", agent: "ci", connection: "orders", endedMs: 1_700_000_000_000, bytes: 4096, why: "age", rule: 0 },
};

/** Starts one that ends with the test. `overrides` replace single ports. */
export async function fakeDaemon(
  context: TestContext,
  overrides: (ports: ControlPorts) => Partial<ControlPorts> = () => ({}),
  clock: Clock = flying(),
  answers?: AnswersPort,
): Promise<FakeDaemon> {
  const runDir = mkdtempSync(join(tmpdir(), "sallyport-api-"));
  const calls: unknown[][] = [];
  const log: string[] = [];
  const watchers = new Set<(event: AuditEvent) => void>();
  const events: AuditEvent[] = [];
  const acted: unknown[] = [];
  const state: Pick<FakeDaemon, "peer" | "goesOn" | "lost"> = { peer: ROOT, goesOn: true, lost: [] };
  const note = (...call: unknown[]) => void calls.push(call);
  const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();
  const base: ControlPorts = {
    peer: () => state.peer,
    runs: {
      environment: async (agent) => ({
        SALLYPORT_AGENT: agent,
        PGSSLROOTCERT: "/ca.pem",
        JAVA_TOOL_OPTIONS: "-Dours=1",
      }),
      create: async ({ agent, pid }, caller) => {
        note("runs.create", agent, pid, caller.uid);
        const bounds = { unixSockets: "judged", hidden: [], fixed: [] } as const;
        return { id: "r1", agent, cgroup: "/sallyport.slice/r1", bounds };
      },
      summary: async (id) =>
        id === "r1"
          ? { id, agent: "ci", sessions: 2, allowed: 14, denied: 1, held: 0, masked: 3, refused: 1, unixRefused: 0 }
          : undefined,
    },
    agents: {
      list: async () => [AGENT],
      tag: async ({ agent, target, connections }) => {
        note("agents.tag", agent, target, connections);
        const swept = connections === "end" ? { destroyed: 2, unable: 0, kept: 0 } : { ...NOTHING_SWEPT, kept: 1 };
        return { ...AGENT, swept };
      },
      untag: async (target) => {
        note("agents.untag", target);
        return target.kind === "cgroup" && target.path === "/none" ? undefined : AGENT;
      },
      quarantine: async (agent, reason) => {
        note("agents.quarantine", agent, reason);
        return { agent, state: "quarantined", reason, sessions: 1, destroyed: 2, unable: 0 };
      },
      release: async (agent) => {
        note("agents.release", agent);
        return { agent, state: "enforced" };
      },
      revoke: async (agent, reason) => {
        note("agents.revoke", agent, reason);
        const revoked = { revokedMs: 1_700_000_000_000, revokeReason: reason };
        return { agent, state: "enforced", ...revoked, tags: 2, sessions: 1, grants: 0 };
      },
      reinstate: async (agent) => {
        note("agents.reinstate", agent);
        return { agent, state: "enforced" };
      },
      observe: async (agent, untilMs) => {
        note("agents.observe", agent);
        return { agent, state: "observed", observedUntilMs: untilMs };
      },
      endObservation: async (agent) => {
        note("agents.endObservation", agent);
        return { agent, state: "enforced" };
      },
    },
    grants: {
      list: async (query) => {
        note("grants.list", query);
        return { asked: true, grants: GRANTS };
      },
      give: async ({ agent, connections, forMs, reason }, caller) => {
        note("grants.give", agent, connections, forMs, reason, caller.uid);
        return { ...GIVEN, agent, connections, reason };
      },
      end: async (id, reason, caller) => {
        note("grants.end", id, reason, caller.uid);
        return id === GIVEN.id ? { ...GIVEN, state: "over", why: "was ended by a person" } : undefined;
      },
    },
    hooks: {
      oci: async ({ id }) => {
        note("hooks.oci", id);
        return { agent: "ci" };
      },
    },
    approvals: {
      list: async (query, caller) => {
        note("approvals.list", query, caller.uid);
        return [APPROVAL];
      },
      show: async (id) => (id === APPROVAL.id ? APPROVAL : undefined),
      approve: async (id, answer, caller) => {
        note("approvals.approve", id, answer, caller.uid);
        if (id === "gone") throw new UserError("APPROVAL_ENDED", "Cannot answer gone: it is expired", "See --all");
        return { ...APPROVAL, id, state: "running" };
      },
      deny: async (id, answer, caller) => {
        note("approvals.deny", id, answer, caller.uid);
        return { ...APPROVAL, id, state: "denied" };
      },
      watch: (_caller, onChange) => {
        onChange({ kind: "approval", approval: APPROVAL });
        return () => {};
      },
    },
    delegations: {
      list: async (query, caller) => {
        note("delegations.list", query, caller.uid);
        return [DELEGATION, { ...DELEGATION, id: "a", as: "admin", state: "over", why: "its time is up" }];
      },
      make: async (request, caller) => {
        note("delegations.make", request, caller.uid);
        return { ...DELEGATION, group: request.group };
      },
      end: async (id, caller) => {
        note("delegations.end", id, caller.uid);
        return id === DELEGATION.id ? { ...DELEGATION, state: "over", why: "Ada ended it" } : undefined;
      },
    },
    notify: {
      list: async () => TARGETS,
      test: async (name) => {
        note("notify.test", name);
        return name === "ops"
          ? { ok: true, detail: "taken" }
          : { ok: false, detail: "it answered with status 404\u001b[2J" };
      },
    },
    connections: {
      list: async () => [CONNECTION],
      add: async ({ password, ...rest }) => {
        note("connections.add", rest, text(password));
        return { ...CONNECTION, name: rest.name };
      },
      rotate: async (name, password) => note("connections.rotate", name, text(password)),
      remove: async (name) => note("connections.remove", name),
      test: async (name) => ({
        ok: name === "orders",
        steps: [{ name: "dial", ok: name === "orders", detail: "192.0.2.1:5432" }],
      }),
    },
    sessions: {
      list: async (query) => {
        note("sessions.list", query);
        return [SESSION];
      },
      show: async (id) => (id === "s1" || id === "t1" ? { ...SESSION, id } : undefined),
      entries: async (id, { from, follow }) => {
        note("sessions.entries", id, from, follow !== undefined);
        const isPast = from?.kind === "ms" && from.ms > 3_600_000;
        if (isPast) return asynchronous([]);
        return id === "s1" ? asynchronous(ENTRIES) : id === "t1" ? asynchronous(TERMINAL) : undefined;
      },
      reindex: async () => {
        note("sessions.reindex");
        return { sessions: 3 };
      },
    },
    search: {
      search: async (request) => {
        note("search.search", request);
        return request.query.includes("nothing")
          ? NOTHING_FOUND
          : request.by === "entries"
            ? FOUND_ENTRIES
            : FOUND_SESSIONS;
      },
      reindex: async () => note("search.reindex"),
    },
    evidence: {
      verify: async (asked) => {
        note("evidence.verify", asked);
        return asynchronous(asked.session === "spoilt" ? [TAMPERED, { ...VERIFIED, tampered: 1 }] : [VERIFIED]);
      },
      key: async () => ({ id: "0123456789abcdef", publicKey: "-----BEGIN PUBLIC KEY-----\nAA==\n" }),
      checkpoint: async () => ({ atMs: 1, kind: "evidence.checkpoint", message: "", fields: { number: 7 } }),
      bundle: async (id) => (id === "s1" ? asynchronous([Buffer.from("one "), Buffer.from("two")]) : undefined),
      dataKeys: async () => [
        { id: "2026-01-31-00000001", createdMs: 1_700_000_000_000, isCurrent: false, destroyedMs: 2, reason: "old" },
        { id: "2026-02-01-00000002", createdMs: 1_700_000_000_000, isCurrent: true },
      ],
      destroyDataKey: async (id, reason) => {
        note("evidence.destroyDataKey", id, reason);
        if (id === "none") throw new UserError("DATA_KEY_UNKNOWN", "Cannot destroy none", "See them");
      },
    },
    retention: {
      plan: async () => [DELETION],
      run: async () => {
        note("retention.run");
        return [DELETION];
      },
      holds: async () => [
        { sessionId: "s1", reason: "case 4711", uid: 0, sinceMs: 1_700_000_000_000 },
        {
          ...{ sessionId: "s2", reason: "case 4712", sinceMs: 1_700_000_000_000 },
          ...{ human: "corp:ada", humanName: "Ada\u001b[2J Lovelace" },
        },
      ],
      hold: async (id, reason) => {
        note("retention.hold", id, reason);
        if (id === "none") throw new UserError("SESSION_UNKNOWN", "Cannot find it", "List them");
      },
      unhold: async (id) => note("retention.unhold", id),
    },
    authenticate: async (bearer, uid) => {
      const found = ACTING[bearer];
      if (found?.by.kind === "session" && found.by.uid !== uid) return undefined;
      if (bearer === "over") throw new UserError("HUMAN_SESSION_OVER", "It is over", "Sign in", { exitCode: 4 });
      return found && { roles: found.roles, pid: undefined, uid: undefined, acting: found };
    },
    acts: async ({ acting, uid, pid }) => void acted.push([acting?.human.account, uid, pid]),
    callerNow: (caller) => {
      if (!state.goesOn) return undefined;
      return { ...caller, roles: new Set([...caller.roles].filter((role) => !state.lost.includes(role))) };
    },
    humans: fakeHumans(note),
    policy: {
      check: async (files) => ({
        rules: files.length,
        problems: files
          .filter((file) => file.text.includes("bad"))
          .map(({ path }) => ({ file: path, line: 2, column: 5, rule: "r", message: "is bad", remedy: "mend it" })),
        warnings: files
          .filter((file) => file.text.includes("doubtful"))
          .map(({ path }) => ({ file: path, line: 3, column: 1, rule: "", message: "never true", remedy: "" })),
      }),
      status: async () => POLICY,
      explain: async (request) => {
        note("policy.explain", request);
        const grant = { by: [], not: ["night\u001b does not count"], known: "all" } as const;
        return { ...EXPLANATION, operations: [{ ...EXPLAINED, text: request.text }], grant };
      },
      explainRecorded: async (entry) => {
        note("policy.explainRecorded", entry);
        return EXPLANATION;
      },
      replay: async (files, query) => {
        note("policy.replay", files.length, query);
        return asynchronous([CHANGE, { asks: 7, changes: 1, unknown: 2 }]);
      },
      suggest: async (query) => {
        note("policy.suggest", query);
        return { text: "rules: []\n", rules: 0, asks: 0, left: 0 };
      },
    },
    trust: {
      export: async () => ({
        certificate: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
        bundleFile: "/run/sallyport/bundle.pem",
        environment: { SSL_CERT_FILE: "/it's/bundle.pem" },
      }),
    },
    daemon: {
      status: async () => ({
        version: "0.1.0",
        pid: 1,
        startedMs: 0,
        stateDir: "/s",
        settingsFile: "/etc/s.yaml",
        runDir,
        listenerPort: 61_917,
        agents: 1,
        connections: 1,
        openSessions: 0,
        waiting: 1,
        policy: POLICY,
        counters: { redirected: 7 },
        states: [{ agent: "ci", state: "quarantined", reason: "odd" }],
      }),
      doctor: async () => ({ checks: [{ name: "BTF", verdict: "ok", found: "yes", remedy: "" }] }),
      reload: async () => ({ connections: 1, agents: 1, policy: POLICY }),
      shutdown: async (request) => {
        note("daemon.shutdown", request);
        return { removed: request.remove ? ["link connect4"] : [] };
      },
      leave: () => {
        note("daemon.leave");
        void server.close();
      },
    },
    metrics: () => 'sallyport_rows_total{connection="orders"} 7\n',
    emit: (event) => void events.push(event),
    watchEvents: (onEvent) => {
      watchers.add(onEvent);
      return () => watchers.delete(onEvent);
    },
    sinks: async () => SINKS,
  };
  const socketPath = join(runDir, "api.sock");
  const server = await startControlServer({
    socketPath,
    ports: { ...base, ...overrides(base) },
    clock,
    log: rememberingLog(log),
    isMember: MEMBERS,
    ...(answers === undefined ? {} : { answers }),
  });
  const close = () => server.close().catch(() => {}); // a test that ended it itself
  context.after(async () => {
    await close();
    rmSync(runDir, { recursive: true, force: true });
  });
  return Object.assign(state, { runDir, socketPath, log, calls, watchers, events, acted, tls: server.tls, close });
}

export const SINKS: readonly SinkStatus[] = [
  {
    ...{ name: "siem", kind: "syslog", format: "ocsf", state: "failing", delivered: 120, retried: 3 },
    ...{ deadLettered: 1, skipped: 0, behind: { events: 7, bytes: 4_000, ageMs: 61_000 }, unsettled: 20 },
    acknowledged: { seq: 100, hash: "ab".repeat(32), checkpoint: 90 },
    lastError: { atMs: 1_767_225_600_000, message: "connect ECONNREFUSED 192.0.2.9:6514" },
  },
];

/** So much passes between two looks that nobody asks too fast. */
function flying(): Clock {
  let nowMs = 1_700_000_000_000;
  return { nowMs: () => (nowMs += 10_000) };
}
export const TARGETS: readonly NotifyStatus[] = [
  {
    ...{ name: "ops", kind: "slack", state: "failing", takesAnswers: true, queued: 2, sent: 7, retried: 3, lost: 1 },
    lastError: { atMs: 1_767_225_600_000, message: "it answered with status 500" },
  },
];

async function* asynchronous<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

function rememberingLog(lines: string[]): Log {
  const write = (message: string, fields?: object) => void lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  return { debug: write, info: write, warn: write, error: write };
}
