/**
 * What control asks of the daemon, and what main.ts gives: plain values over plain functions. Nothing here
 * knows sockets, HTTP or the data path; a password passes inward only and has no place in any answer.
 *
 * Anything thrown as UserError reaches the person as it is; anything else is shown as INTERNAL and logged.
 */
import type { Socket } from "node:net";
import type { Log } from "../base/log.ts";
import type { UpstreamTls } from "../model/connection.ts";
import type { AuditEvent } from "../model/event.ts";
import type { Acting } from "../model/human.ts";
import type { Role } from "../model/role.ts";
import type { SearchAnswer, SearchRequest } from "../model/search.ts";
import type { SinkStatus } from "../model/sink.ts";
import type { Explanation } from "../policy/explanation.ts";
import type { ApprovalPorts } from "./approvals.ts";
import type { DelegationPorts } from "./delegation-ports.ts";
import type { EvidenceLine, EvidencePorts, OfflineVerification } from "./evidence-ports.ts";
import type { GrantPorts, HeldGrant } from "./grant-ports.ts";
import type { HumanPorts } from "./human-ports.ts";
import type { NotifyPorts } from "./notify-ports.ts";
import type { ExplainRequest, PolicyCheck, PolicyPorts, PolicyStatus, PolicyTestResult } from "./policy-ports.ts";
import type { RetentionPorts } from "./retention-ports.ts";
import type { RunPorts } from "./runs.ts";

/** Who is at the other end of the API's socket, from the kernel. */
export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** v2 path; null when the process is gone. */
  readonly cgroup: string | null;
  /** Whether that cgroup lies inside a tagged one. */
  readonly tagged: boolean;
}

/** Who asks. Root outside of tagged cgroups is `admin`; who belongs to the group `sallyport` is `member`. */
export interface Caller {
  readonly roles: ReadonlySet<Role>;
  /** Of the process at the other end of the socket; undefined: it came over the network, where no process tells. */
  readonly pid: number | undefined;
  readonly uid: number | undefined;
  /** The human who has signed in, or whose API token it is. The roles are theirs, whoever's the process is. */
  readonly acting?: Acting;
  /** The address, of who calls over the network. */
  readonly source?: string;
  /** Somebody over the network who shows nothing, and may only sign in. */
  readonly isStranger?: true;
}

export interface ControlPorts {
  /** Asked anew for every request. Undefined or a throw: unknown, hence refused. */
  peer(socket: Socket): Peer | undefined;
  /**
   * Whose session or API token a process of this user shows, or, without a user, whoever calls over the network; pid and uid
   * are those of the socket. Undefined: unknown, or a session of another user or way. Throws HUMAN_SESSION_OVER.
   */
  authenticate?(bearer: string, uid: number | undefined): Promise<Caller | undefined>;
  /** A human asks by a process of this host. */
  acts?(caller: Caller): Promise<void>;
  /** A caller with the groups and roles of now, and what they showed not used by it; undefined: that has ended. */
  callerNow?(caller: Caller): Caller | undefined;
  readonly runs: RunPorts;
  readonly agents: AgentPorts;
  readonly approvals: ApprovalPorts;
  readonly delegations: DelegationPorts;
  readonly grants: GrantPorts;
  readonly notify: NotifyPorts;
  readonly connections: ConnectionPorts;
  readonly sessions: SessionPorts;
  readonly evidence: EvidencePorts;
  readonly retention: RetentionPorts;
  readonly humans: HumanPorts;
  readonly search: SearchPorts;
  readonly policy: PolicyPorts;
  readonly trust: { export(): Promise<TrustExport> };
  readonly daemon: DaemonPorts;
  readonly hooks: HookPorts;
  /** Into the audit trail. Never throws. */
  emit(event: AuditEvent): void;
  /** Calls back for every event from now on, until the returned function is called. Must not throw into the emitter. */
  watchEvents(onEvent: (event: AuditEvent) => void): () => void;
  /** In the Prometheus text format. */
  metrics(): string;
  /** Where events go, and how far each has come. */
  sinks(): Promise<readonly SinkStatus[]>;
}

export interface HookPorts {
  /**
   * A container is about to run its first program: guards it if the settings make it an agent. A throw keeps it from
   * starting. `state` is the OCI state; its pid is checked against nothing, since only root may ask.
   */
  oci(state: {
    readonly id: string;
    readonly pid: number;
    readonly bundle: string;
  }): Promise<{ readonly agent?: string }>;
}

/** What a person names; all but `cgroup` mean the cgroup in which that is. */
export type TagTarget =
  | { readonly kind: "cgroup"; readonly path: string }
  | { readonly kind: "pid"; readonly pid: number }
  /** Name or id, as the container runtimes know it. */
  | { readonly kind: "container"; readonly name: string }
  /** A unit of the system's service manager, with its suffix. */
  | { readonly kind: "unit"; readonly name: string };

export interface TagRequest {
  readonly agent: string;
  readonly target: TagTarget;
  /** A signed JWT that says who it is, as its issuer wrote it. */
  readonly token?: string;
  /** What to do with connections that were made before: nobody judged those. */
  readonly connections: "end" | "report";
}

export interface AgentPorts {
  list(): Promise<readonly AgentListing[]>;
  /** Throws AGENT_UNKNOWN, PROCESS_UNKNOWN, PROCESS_UNCONFINED, UNIT_UNKNOWN, CONTAINER_UNKNOWN, TAG_OWN … */
  tag(request: TagRequest, caller: Caller): Promise<Tagged>;
  /** Undefined when it was not tagged. */
  untag(target: TagTarget, caller: Caller): Promise<AgentListing | undefined>;
  /** Cuts every flow of the agent and denies everything new. In the kernel before anything is waited for. Throws AGENT_UNKNOWN. */
  quarantine(agent: string, reason: string, caller: Caller): Promise<Quarantined>;
  /** Throws AGENT_UNKNOWN, AGENT_NOT_QUARANTINED. */
  release(agent: string, caller: Caller): Promise<AgentStateListing>;
  /** Takes back what the agent's tags and given grants let it do; see docs/grants.md. Throws AGENT_UNKNOWN. */
  revoke(agent: string, reason: string, caller: Caller): Promise<Revoked>;
  /** What matchers make this agent counts again. Throws AGENT_UNKNOWN, AGENT_NOT_REVOKED. */
  reinstate(agent: string, caller: Caller): Promise<AgentStateListing>;
  /** Throws AGENT_UNKNOWN, OBSERVE_TIME. */
  observe(agent: string, untilMs: number, caller: Caller): Promise<AgentStateListing>;
  /** Throws AGENT_UNKNOWN, AGENT_NOT_OBSERVED. */
  endObservation(agent: string, caller: Caller): Promise<AgentStateListing>;
}

export interface Tagged extends AgentListing {
  readonly swept: Swept;
}

/** Connections that were open before the tag. */
export interface Swept {
  readonly destroyed: number;
  /** The kernel would not. */
  readonly unable: number;
  /** Left as they were, because that was asked for. Every packet of theirs is dropped. */
  readonly kept: number;
}

export interface Quarantined extends AgentStateListing {
  /** Sessions that were cut. */
  readonly sessions: number;
  /** Other sockets of the agent that were destroyed, and those that the kernel would not. */
  readonly destroyed: number;
  readonly unable: number;
}

export interface Revoked extends AgentStateListing {
  /** Cgroups that may do nothing more, sessions that were ended, given grants that were. */
  readonly tags: number;
  readonly sessions: number;
  readonly grants: number;
}

/** What holds for an agent as a whole. */
export interface AgentStateListing {
  readonly agent: string;
  readonly state: "enforced" | "observed" | "quarantined";
  /** While it is quarantined. */
  readonly quarantinedMs?: number;
  readonly reason?: string;
  /** While it is observed; a quarantine wins. */
  readonly observedUntilMs?: number;
  /** Of what matchers make it, until it is reinstated. */
  readonly revokedMs?: number;
  readonly revokeReason?: string;
}

/** Who an agent is by its token. */
export interface IdentityListing {
  /** `over`: it may do nothing more. */
  readonly state: "valid" | "over";
  /** Why it is over. */
  readonly reason?: string;
  readonly issuer: string;
  readonly subject: string;
  readonly groups: readonly string[];
  readonly claims: Readonly<Record<string, string>>;
  /** It ends with its cgroup, and then at the latest. */
  readonly endsMs: number;
}

/** One tagged cgroup. */
export interface AgentListing extends AgentStateListing {
  readonly groups: readonly string[];
  readonly cgroup: string;
  readonly kind: "run" | "tag" | "match";
  /** What found it, as a person reads it; "" for runs and tags by command. */
  readonly matcher: string;
  /** Id, where it is one. */
  readonly container?: string;
  readonly runId?: string;
  /** Who asked for it; absent: somebody over the network. */
  readonly uid?: number;
  readonly processes: number;
  /** The first of them. */
  readonly pids: readonly number[];
  /** Ids of the network namespaces in which they live: inode numbers, as in "net:[4026531840]". */
  readonly namespaces: readonly number[];
  readonly sessions: number;
  readonly sinceMs: number;
  /** The last word of kernel or session; absent when there was none since the daemon started. */
  readonly lastSeenMs?: number;
  readonly identity?: IdentityListing;
  /** It may do nothing more until it is tagged anew, or its agent reinstated. */
  readonly revoked?: true;
  /** What it has at this moment; absent where agents need none. */
  readonly grants?: readonly HeldGrant[];
}

export interface ConnectionPorts {
  list(): Promise<readonly ConnectionListing[]>;
  /** Throws VAULT_NAME_TAKEN, SECRET_EMPTY, SETTINGS_INVALID. */
  add(request: NewConnection, caller: Caller): Promise<ConnectionListing>;
  /** Throws VAULT_UNKNOWN, VAULT_ROTATE_REFERENCE. */
  rotate(name: string, password: Uint8Array, caller: Caller): Promise<void>;
  remove(name: string, caller: Caller): Promise<void>;
  /** Dials, verifies and logs in. A backend that fails is an answer, not a throw. */
  test(name: string): Promise<ConnectionTest>;
}

export interface NewConnection {
  readonly name: string;
  readonly protocol: string;
  readonly addresses: readonly string[];
  readonly user?: string;
  /** UTF-8; the receiver wipes it. */
  readonly password?: Uint8Array;
  readonly tls: { readonly mode?: UpstreamTls["mode"]; readonly name?: string; readonly ca?: string };
  readonly labels: Readonly<Record<string, string>>;
}

export interface ConnectionListing {
  readonly name: string;
  readonly protocol: string;
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly tls: UpstreamTls["mode"];
  readonly source: "settings" | "vault";
  /** The name used upstream; absent for connections without a login. */
  readonly user?: string;
  /** Where the secret comes from, never the secret: "file /etc/…", "env NAME", "systemd NAME", "sealed", "none". */
  readonly credential: string;
}

export interface ConnectionTest {
  readonly ok: boolean;
  /** In order: "dial", "tls", "login". The first that failed is the last. */
  readonly steps: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
}

export interface SessionPorts {
  /** Newest first, at most `limit`. */
  list(query: { readonly limit: number; readonly agent?: string }): Promise<readonly SessionListing[]>;
  show(id: string): Promise<SessionListing | undefined>;
  /** The recording in order, read as it is consumed. Undefined when there is none. */
  entries(
    id: string,
    how: {
      readonly from?: ReplayFrom;
      /** Goes on while the session runs, until it ends or the signal does. */
      readonly follow?: AbortSignal;
    },
  ): Promise<AsyncIterable<SessionEntry> | undefined>;
  /** Builds the index anew from the recordings; open sessions are left as they are. */
  reindex(caller: Caller): Promise<Reindexed>;
}

export interface Reindexed {
  readonly sessions: number;
}

/** A place in a recording: the number of an entry, or a time since the session began. */
export type ReplayFrom =
  | { readonly kind: "entry"; readonly number: number }
  | { readonly kind: "ms"; readonly ms: number };

export interface SearchPorts {
  /** Throws SEARCH_QUERY, SEARCH_TOO_WIDE, SEARCH_BUSY, SEARCH_FAILED, SEARCH_REBUILDING. */
  /** Told to the trail, with what is searched for, before anything is found. */
  search(request: SearchRequest, caller: Caller): Promise<SearchAnswer>;
  /** Begins the index anew. */
  reindex(): Promise<void>;
}

export interface SessionListing {
  readonly id: string;
  readonly agent: string;
  readonly connection: string;
  readonly protocol: string;
  readonly user: string;
  readonly executable: string;
  /** "192.0.2.1:5432" */
  readonly address: string;
  readonly startedMs: number;
  /** Absent while it is open. */
  readonly endedMs?: number;
  readonly state: "open" | "ended" | "interrupted";
  readonly statements: number;
  readonly denied: number;
  readonly masked: number;
  readonly rows: number;
}

/** One line of a recording as a person reads it. Texts are as recorded: detectors ran over them. */
export interface SessionEntry {
  /** Of its record in the recording, from 1; several records may make one line. */
  readonly number: number;
  /** Milliseconds since the session began. */
  readonly offsetMs: number;
  readonly kind: "start" | "decision" | "answer" | "rows" | "terminal" | "note" | "end";
  /** A statement, or one sentence. */
  readonly text: string;
  readonly decision?: "allow" | "deny" | "hold";
  readonly rules?: readonly string[];
  /** Allowed only because the agent was observed: what would have been answered. */
  readonly observed?: { readonly rules: readonly string[]; readonly message: string };
  /** Of what was held, and of what came of it: its id, who answered, how it ended ("" while it waits). */
  readonly hold?: { readonly id: string; readonly by: readonly string[]; readonly state: string };
  /** Rules that are tried: with each of them, this would have been decided. */
  readonly shadow?: readonly { readonly rule: string; readonly would: "allow" | "deny" | "hold" }[];
  /** What a refused client was told, or the server's error without values. */
  readonly message?: string;
  readonly rows?: number;
  readonly bytes?: number;
  readonly masks?: readonly { readonly column: string; readonly by: string; readonly count: number }[];
  /** The same of what the rules showed. */
  readonly shown?: SessionEntry["masks"];
  /** Rows as the agent got them, where they were kept. Columns are named on the first of each result only. */
  readonly output?: {
    readonly columns: readonly string[];
    readonly values: readonly (readonly (string | null | { readonly hex: string })[])[];
    readonly truncated: boolean;
  };
  readonly terminal?:
    | { readonly stream: "output" | "input"; readonly data: string }
    | { readonly stream: "resize"; readonly columns: number; readonly rows: number }
    | { readonly stream: "exit"; readonly status: number };
}

export interface TrustExport {
  /** The local CA alone, PEM. */
  readonly certificate: string;
  /** The system's roots and the local CA in one file, for variables that replace the roots. */
  readonly bundleFile: string;
  /** PGSSLROOTCERT and the like, as `run` sets them. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface DaemonPorts {
  status(): Promise<DaemonStatus>;
  doctor(): Promise<DoctorReport>;
  /** Reads settings and policy again. Throws what is wrong with them; what runs then stays as it was. */
  reload(caller: Caller): Promise<ReloadResult>;
  /** Ends sessions and listeners in order and resolves when only the API is left; then the API answers and calls `leave`. */
  shutdown(request: { readonly remove: boolean }, caller: Caller): Promise<ShutdownResult>;
  leave(): void;
}

export interface DaemonStatus {
  readonly version: string;
  readonly pid: number;
  readonly startedMs: number;
  readonly stateDir: string;
  readonly runDir: string;
  /** Absent when it runs on defaults. */
  readonly settingsFile?: string;
  readonly listenerPort: number;
  readonly agents: number;
  readonly connections: number;
  readonly openSessions: number;
  /** Actions that wait for an approval. */
  readonly waiting: number;
  readonly policy: PolicyStatus;
  readonly counters: Readonly<Record<string, number>>;
  /** Agents that are quarantined or observed now, tagged or not. */
  readonly states: readonly AgentStateListing[];
}

export interface DoctorReport {
  readonly checks: readonly DoctorCheck[];
}

export interface DoctorCheck {
  /** "cgroup v2", "BTF", "privileges" … */
  readonly name: string;
  readonly verdict: "ok" | "warning" | "failed";
  readonly found: string;
  /** "" when it is ok. */
  readonly remedy: string;
}

export interface ReloadResult {
  readonly connections: number;
  readonly agents: number;
  readonly policy: PolicyStatus;
}

export interface ShutdownResult {
  /** What was removed, for display; empty without `remove`. */
  readonly removed: readonly string[];
}

/**
 * What main.ts exports for the command line, which loads it only for these: control imports neither main.ts
 * nor anything above it when it is compiled.
 */
export interface DaemonModule {
  startDaemon(options: DaemonOptions): Promise<RunningDaemon>;
  /** Without a daemon: links, maps, cgroups, CA, state and sockets. Returns what was removed. */
  removeEverything(options: { readonly stateDir: string; readonly runDir: string }): Promise<readonly string[]>;
  /** Without a daemon. Without paths: the policies folder that the settings name; without those: the usual ones. */
  checkPolicyFiles(paths: readonly string[], settingsFile?: string): Promise<PolicyCheck>;
  /** Without a daemon: what the settings name. */
  explainOffline(request: ExplainRequest, settingsFile?: string): Promise<Explanation>;
  /** Test files, or those in folders; without any, those of the policy that the settings name. */
  testPolicies(paths: readonly string[], settingsFile?: string): Promise<PolicyTestResult>;
  /** Without a daemon: findings, then a summary. Throws EVIDENCE_KEY, CHECKPOINT_UNREADABLE, STATE_UNREADABLE. */
  verifyOffline(asked: OfflineVerification): AsyncIterable<EvidenceLine>;
  /** Without a daemon. Throws BUNDLE_UNREADABLE, EVIDENCE_KEY, CHECKPOINT_UNREADABLE. */
  verifyBundle(asked: {
    readonly file: string;
    readonly publicKey: string;
    readonly scratch: string;
    /** Of which session it has to be. */
    readonly session?: string;
    readonly anchor?: string;
  }): AsyncIterable<EvidenceLine>;
  doctorReport(examined: { readonly stateDir: string; readonly runDir: string }): Promise<DoctorReport>;
}

export interface DaemonOptions {
  /** Absent: /etc/sallyport/sallyport.yaml where it exists, else defaults. */
  readonly configFile?: string;
  readonly stateDir: string;
  readonly runDir: string;
  /** The listener's; before what the settings say. */
  readonly port?: number;
  readonly log: Log;
}

export interface RunningDaemon {
  /** Resolves once the daemon has stopped, whoever asked for it. Rejects if it stopped by a fault. */
  readonly stopped: Promise<void>;
  /** Ends in order, sessions after what they are at; called again, at once. Tagged agents stay guarded. */
  stop(): Promise<void>;
  reload(): Promise<ReloadResult>;
}
