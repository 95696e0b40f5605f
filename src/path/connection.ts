/**
 * The way of one intercepted connection, top to bottom. Each step either adds what the next one needs or
 * ends the connection; whatever happens, the recording gets its end and the audit trail one summary.
 */
import { randomBytes } from "node:crypto";
import type { Accepted } from "ebpf-loader";
import type { Clock } from "../base/clock.ts";
import { codeOf } from "../base/errors.ts";
import { EXPEL_WAIT_MS, LOGIN_WAIT_MS, STARTUP_WAIT_MS } from "../base/limits.ts";
import type { Holds } from "../holds/hold.ts";
import type { Relays } from "../kernel/relays.ts";
import { detectorsNamed, type Masker } from "../masking/mask.ts";
import type { PathMeter } from "../metrics/meter.ts";
import type { Connection } from "../model/connection.ts";
import type { Decision } from "../model/decision.ts";
import { type AuditEvent, type EventFields, identityFields } from "../model/event.ts";
import type { Agent } from "../model/identity.ts";
import type { Asked } from "../model/operation.ts";
import type { Origin } from "../model/origin.ts";
import type { Protocol } from "../model/protocol.ts";
import type { OutputCaps } from "../model/session.ts";
import type { Ledger } from "../policy/ledger.ts";
import type { Policy } from "../policy/load.ts";
import type { Recorder } from "../recorder/recorder.ts";
import { Accounting, shadowEvent } from "./accounting.ts";
import { cancelFor } from "./cancel.ts";
import { CurrentJudge, styleOf } from "./current-judge.ts";
import { Driver, type DriverPorts } from "./driver.ts";
import { HeldAsks } from "./held.ts";
import type { Looking, Lookups } from "./lookups.ts";
import { metered } from "./metered.ts";
import { completeOrigin } from "./origin.ts";
import { SessionRelay } from "./relay.ts";
import type { LiveSession, Sessions } from "./sessions.ts";
import { type Leaf, leafNames, serverOptions } from "./tls.ts";
import { Told } from "./told.ts";
import { openRecording } from "./unrecorded.ts";
import { type Backend, type CredentialSource, logIn } from "./upstream.ts";
import { Wire } from "./wire.ts";
import { maskWritten } from "./write-back.ts";

/** As many as PostgreSQL's own have; how many are shown is the protocol's business. */
const CANCEL_SECRET_BYTES = 32;

/** The parts that a connection passes; joined in main.ts, replaced by fakes in tests. */
export interface PathParts {
  readonly clock: Clock;
  /** Who makes a connection that comes now; undefined: nobody who is guarded any more. */
  readonly arriving: (slot: number, cgroupId: bigint) => Agent | undefined;
  /** By its number and the tagged cgroup in which it lives, which may have an identity of its own. */
  readonly agentOf: (slot: number, cgroupId: bigint) => Agent | undefined;
  /** Why an agent has no grant for a connection at this moment; undefined: it has one, or needs none. */
  readonly ungranted: (agent: Agent, cgroupId: bigint, connection: string) => string | undefined;
  /** By the agent's name, at this moment. */
  readonly isQuarantined: (agent: string) => boolean;
  readonly isObserved: (agent: string) => boolean;
  readonly connectionOf: (number: number) => Connection | undefined;
  readonly protocolOf: (name: string) => Protocol | undefined;
  readonly userOf: (uid: number) => string;
  readonly policy: () => Policy;
  readonly masker: Masker;
  /** What limits count and rules in shadow would do, of all sessions. */
  readonly ledger: Ledger;
  readonly recorder: Recorder;
  readonly credentialOf: CredentialSource;
  readonly leafFor: (names: readonly string[]) => Promise<Leaf>;
  readonly emit: (event: AuditEvent) => void;
  /** Whether the audit trail has room for more; else why not, and then nothing new is done. */
  readonly accepting: () => true | string;
  /** "all": what is allowed is told as well. */
  readonly toldDecisions: () => "refused" | "all";
  /** The summary of a session, for whoever counts by cgroup. */
  readonly ended: (origin: Origin, event: AuditEvent) => void;
  readonly sessions: Sessions;
  readonly lookups: Lookups;
  readonly holds: Holds;
  readonly meter: PathMeter;
  /** What recordings keep of the rows of a connection's answers; absent, or undefined: nothing. */
  readonly outputOf?: (connection: Connection) => OutputCaps | undefined;
  /** Carries past sessions what they need not see; absent: nobody does. */
  readonly relays?: Relays;
}

export async function guardConnection(accepted: Accepted, parts: PathParts): Promise<void> {
  // 1 accept
  const client = Wire.accepted(accepted.fd);
  try {
    await guard(client, accepted, parts);
  } catch (error) {
    refuse(client, parts, "connection.refused", "A connection was closed by our own fault", accepted);
    throw error;
  }
}

async function guard(client: Wire, accepted: Accepted, parts: PathParts): Promise<void> {
  const acceptedMs = performance.now();
  // 2 origin: where was it going, from which cgroup, which process
  if (accepted.origin === undefined) {
    return refuse(client, parts, "origin.missing", "A connection without an origin was closed", accepted);
  }
  const origin = completeOrigin(accepted.origin, parts.userOf);

  // 3 identity
  const agent = parts.arriving(accepted.origin.agent, origin.tagCgroupId);
  if (agent === undefined) {
    return refuse(client, parts, "connection.refused", "A connection of an unknown agent was closed", accepted);
  }

  if (parts.isQuarantined(agent.name)) {
    // it was redirected before the kernel heard of the quarantine, and waited to be accepted
    const message = "A connection of a quarantined agent was closed";
    return refuse(client, parts, "connection.refused", message, accepted, agent);
  }

  if (agent.revoked === true) {
    const message = "A connection was closed: its agent was revoked";
    return refuse(client, parts, "connection.refused", message, accepted, agent);
  }

  if (agent.identity?.state === "over") {
    const message = "A connection was closed: its agent's identity has ended";
    return refuse(client, parts, "connection.refused", message, accepted, agent);
  }

  parts.meter.took("origin", performance.now() - acceptedMs);

  // 4 which connection and protocol
  const connection = parts.connectionOf(accepted.origin.connection);
  const protocol = connection === undefined ? undefined : parts.protocolOf(connection.protocol);
  if (connection === undefined || protocol === undefined || parts.sessions.isFullFor(agent)) {
    const why = parts.sessions.isFullFor(agent)
      ? "too many sessions are open"
      : "its connection is not in the settings any more";
    return refuse(client, parts, "connection.refused", `A connection was closed: ${why}`, accepted, agent);
  }
  const backend: Backend = { connection, protocol, address: origin.address, port: origin.port };

  // 5 session and recording
  const sessionId = newSessionId();
  const accounting = new Accounting({
    ledger: parts.ledger,
    agent: agent.name,
    connection: connection.name,
    emitShadow: (effect, decision) => parts.emit(shadowEvent(told, decision, effect)),
    isObserved: () => parts.isObserved(agent.name),
    stop: (reason) => {
      meter.overran();
      driver.stop(reason);
    },
  });
  const judge = new CurrentJudge(parts, sessionId, agent, origin, connection, {
    room: accounting.usage,
    rulings: parts.meter.rulings,
    maskIn: (asked, bytes) => maskWritten(asked, bytes, protocol, parts.masker),
    shadowMask: (rule, style) => parts.ledger.noteShadow(rule, `mask ${style}`),
  });
  const told = new Told({
    ...{ sessionId, agent, origin, connection },
    policy: () => judge.current.policy,
    nowMs: () => parts.clock.nowMs(),
  });
  const start = {
    sessionId,
    agent,
    origin,
    connection,
    policy: judge.current.policy,
    startedAtMs: parts.clock.nowMs(),
  };
  const recording = openRecording(parts.recorder, start, protocol.quotedIn);
  const lookFor = () => recording.looking(detectorsNamed(parts.policy().detectors), judge.current.policy);
  lookFor();
  const output = parts.outputOf?.(connection);
  // What is kept of rows has to be looked at, and TLS is another's.
  const relays = output === undefined && connection.tls.mode === "disable" ? parts.relays : undefined;
  const mode = relays?.mode ?? "off";
  const cancelSecret = randomBytes(CANCEL_SECRET_BYTES);
  let cancelKey: Uint8Array | undefined;
  let looking: Looking | undefined;
  const session = protocol.session({
    sessionId,
    connection,
    cancelSecret,
    ...(output === undefined ? {} : { output }),
    ...(mode === "off" ? {} : { relay: mode }),
    known: (question) => looking?.known(question),
    maskFor: (column) => {
      const styles = (detector: string) => styleOf(column, detector, judge.current);
      return parts.masker.valueMask(column, styles, detectorsNamed(parts.policy().detectors));
    },
  });

  // 6-9 the driver turns bytes into actions, asks, forwards with permits, masks answers
  let fault: string | undefined;
  let entrance: readonly Asked[] | undefined;
  let sessionLogin: unknown;
  /** The policy under which it was let in. */
  let letIn: string | undefined;
  const held = new HeldAsks(parts.holds, () => judge.current, parts.accepting);
  const ports: DriverPorts = {
    decide: (id, asked, bytes) => {
      const room = parts.accepting();
      if (room !== true) return refusedBy("built-in:audit", `${UNTOLD}: ${room}`, judge.current.policy);
      // later ones need none of their own: a session whose grant is over ends
      const missing = entrance === undefined ? parts.ungranted(agent, origin.tagCgroupId, connection.name) : undefined;
      if (missing !== undefined) return refusedBy("built-in:grant", `${UNGRANTED}: ${missing}`, judge.current.policy);
      entrance ??= asked;
      return judge.current.decide(id, asked, bytes);
    },
    hold: (id, asked, bytes, decision) => {
      clearTimeout(startup); // a held `connect` may take longer than a login
      const shapeOf = protocol.shapeOf ?? (() => undefined);
      const { quotedIn } = protocol;
      const [first] = entrance ?? [];
      const request = {
        ...{ sessionId, askId: id, agent, origin, connection, asked, bytes, decision, shapeOf },
        ...(quotedIn === undefined ? {} : { quotedIn }),
        ...(first === undefined ? {} : { entrance: first }),
      };
      return held.open({ ...request, estimate: () => parts.lookups.estimate(backend, sessionLogin, asked) });
    },
    recordAsked: (id, asked, decision, hold) => {
      recording.asked(id, asked, decision, hold);
      if (decision.kind === "hold") return; // whoever holds it tells of it
      const refusal = decision.kind === "allow" ? decision.observed : decision;
      if (refusal !== undefined) parts.emit(told.refusal(decision.kind, refusal, asked));
      else if (decision.kind === "allow" && parts.toldDecisions() === "all") {
        parts.emit(told.allowed(decision.rules, asked));
      }
      accounting.decided(id, decision);
    },
    recordDecided: (id, verdict) => {
      recording.decided(id, verdict);
      accounting.decided(id, verdict);
    },
    noteProgress: (id, rows, bytes) => accounting.progress(id, rows, bytes),
    recordAnswered: (entry) => {
      recording.answered(entry);
      held.answered(entry);
      accounting.answered(entry.askId, entry.rows, entry.bytes);
    },
    recordOutput: (entry) => recording.output(entry),
    flush: () => recording.flush(),
    settle: () => recording.settle(),
    logIn: async (request) => {
      letIn = judge.current.policy;
      const login = await logIn(backend, request, parts.credentialOf).catch((error: unknown) => {
        parts.emit(told.loginFailure(error));
        held.loggedIn(`failed: ${codeOf(error)}`);
        throw error;
      });
      held.loggedIn("connected");
      sessionLogin = request;
      if (login.cancel !== undefined && protocol.cancelKey !== undefined) {
        cancelKey = protocol.cancelKey(cancelSecret, login.cancel);
        parts.sessions.rememberCancel(cancelKey, sessionId, agent, backend, login.cancel);
      }
      clearTimeout(startup);
      if (protocol.lookup !== undefined) looking = parts.lookups.of(backend, request);
      return login;
    },
    look: (question) => {
      if (looking === undefined) throw new Error("Cannot look up facts before the login");
      return looking.look(question);
    },
    secure: async (wire, unread, alpn) => {
      const names = leafNames(connection.addresses, origin.address);
      await wire.secureAsServer(await serverOptions(parts.leafFor, names, alpn), unread);
    },
    cancel: (key) => cancelFor(parts, agent, key),
    fault: (code, message) => {
      fault ??= code;
      parts.emit(told.event("session.fault", `A session ended by a fault: ${message}`, { code }));
    },
  };
  const meter = parts.meter.session({ connection: connection.name, protocol: protocol.name }, () => {
    return { bytesIn: driver.bytesIn, bytesOut: driver.bytesOut, statements: recording.counts.statements };
  });
  const relay =
    relays === undefined || mode === "off"
      ? undefined
      : new SessionRelay({
          ...{ relays, sessionId, recording, meter, masker: parts.masker, judge: () => judge.current },
          ...(protocol.quotedIn === undefined ? {} : { quotedIn: protocol.quotedIn }),
          mayRelay: () => parts.accepting() === true && parts.toldDecisions() !== "all",
          believedMs: (facts) => parts.lookups.believedMs(facts),
          decided: (askId, decision) => accounting.decided(askId, decision),
        });
  const driver = new Driver(sessionId, session, client, {
    ...metered(ports, meter),
    ...(relay === undefined ? {} : { relay }),
  });
  const startup = setTimeout(() => driver.stop("no login within the time allowed"), STARTUP_WAIT_MS + LOGIN_WAIT_MS);
  const stop = (reason: string) => driver.stop(reason);
  const drain: LiveSession["drain"] = (why, fresh) => driver.drain(why, fresh);
  const cancelRunning = (reason: string) => {
    driver.cancelHeld(reason);
    if (cancelKey !== undefined) void cancelFor(parts, agent, cancelKey); // a backend that computes does not notice that nobody listens any more
  };
  const cut = (reason: string) => {
    cancelRunning(reason);
    driver.cut(reason);
  };
  let isExpelled = false;
  const expel = (reason: string) => {
    if (isExpelled) return;
    isExpelled = true;
    cancelRunning(reason);
    driver.stop(reason);
    setTimeout(() => driver.cut(reason), EXPEL_WAIT_MS).unref();
  };
  const recheck = () => {
    driver.changed();
    lookFor();
    const { outdated } = held;
    if (outdated !== undefined) driver.cancelHeld(outdated);
    if (entrance === undefined) return;
    const decision = judge.current.again(entrance);
    if (decision?.kind === "deny") stop(`the policy does not allow this connection any more: ${decision.message}`);
    // It was let in by an approval under this policy, or by another policy that asked for none.
    const isNew = decision?.kind === "hold" && letIn !== undefined && letIn !== decision.policy;
    if (isNew) stop(`the policy asks for an approval of this connection now: ${decision.message}`);
  };
  const cancelHeld = (why: string) => driver.cancelHeld(why);
  const hasEntered = () => entrance !== undefined;
  const fail = (error: unknown) => driver.fail(error);
  const ends = { stop, drain, expel, cut, fail };
  parts.sessions.add({ sessionId, agent, connection, origin, hasEntered, recheck, cancelHeld, ...ends });
  parts.emit(told.event("session.start", `${agent.name} connected to ${connection.name}`));

  // 10 one summary, whatever happened
  const reason = await driver.run();
  clearTimeout(startup);
  held.end();
  const { bytesIn, bytesOut } = driver;
  await recording.end({
    reason,
    endedAtMs: parts.clock.nowMs(),
    bytesIn,
    bytesOut,
    ...(fault === undefined ? {} : { fault }),
  });
  meter.ended(fault === undefined ? "ended" : "fault");
  const { statements, denied, masked, rows } = recording.counts;
  const counts = { statements, denied, held: held.count, masked, rows, bytesIn, bytesOut };
  const summary = told.event("session.end", `${agent.name} left ${connection.name}: ${reason}`, counts);
  parts.emit(summary);
  parts.sessions.remove(sessionId, cancelKey);
  parts.ended(origin, summary);
}

function refuse(
  client: Wire,
  parts: PathParts,
  kind: string,
  message: string,
  accepted: Accepted,
  agent?: Agent,
): void {
  client.destroy();
  parts.emit({
    atMs: parts.clock.nowMs(),
    kind,
    message,
    ...(agent === undefined ? {} : { agent: agent.name }),
    fields: {
      ...(agent === undefined ? {} : identityFields(agent)),
      ...{ source: accepted.sourceAddress, sourcePort: accepted.sourcePort, ...processFields(accepted) },
    },
  });
}

const UNTOLD = "Nothing may be done that cannot be told";
const UNGRANTED = "This agent may not reach this connection now";

/** In the words of the policy, so that the protocol refuses it as it refuses anything. */
function refusedBy(rule: string, message: string, policy: string): Decision {
  return { kind: "deny", rules: [rule], message, policy };
}

/** As far as the kernel says. */
function processFields({ origin }: Accepted): EventFields {
  if (origin === undefined) return {};
  const { pid, uid, comm, cgroupId, address, port } = origin;
  return { pid, uid, comm, cgroupId: cgroupId.toString(), address, port };
}

const ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789";

/** 80 random bits in lower-case base 32: short enough to read out, too many to guess. */
function newSessionId(): string {
  let id = "";
  for (const byte of randomBytes(16)) id += ALPHABET[byte & 31];
  return id;
}
