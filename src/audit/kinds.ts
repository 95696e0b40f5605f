/**
 * Every kind of event: what it tells, its fields, and the OCSF class that it becomes. docs/events.md shows this table, and
 * tests hold it to what the code emits. Says nothing of one event.
 */

/** Classes of OCSF by name; "action" is told by what the agent did (ocsf-action.ts). */
export type OcsfClass =
  | "base"
  | "api"
  | "action"
  | "network"
  | "dns"
  | "authentication"
  | "authorize"
  | "entity"
  | "finding"
  | "lifecycle";

export interface EventKind {
  readonly about: string;
  /** Beyond those of its groups; each may be absent where it is not known. */
  readonly fields: readonly string[];
  readonly groups?: readonly (keyof typeof FIELD_GROUPS)[];
  readonly ocsf: OcsfClass;
  /** `activity_id` of that class; absent: told by the event. */
  readonly activity?: number;
  readonly status?: "success" | "failure";
}

/** Fields that many kinds share. `claim.*`: one for each claim of the agent, in its name. */
export const FIELD_GROUPS = {
  identity: ["groups", "issuer", "subject", "claim.*"],
  origin: [
    ...["pid", "uid", "user", "comm", "executable", "cgroup", "cgroupId", "netns"],
    ...["sourceAddress", "sourcePort", "address", "port", "protocol"],
  ],
  policy: ["policy"],
  human: ["human", "humanName", "login", "credential"],
} as const;

const SESSION = ["identity", "origin", "policy"] as const;
const ANSWERED = [
  ...["hold", "rules", "actions", "tables", "statements", "digest", "by"],
  ...["pid", "user", "executable", "protocol", "policy"],
] as const;
const GIVEN = [...ANSWERED, "account", "delegation"] as const;
const DELEGATED = [
  ...["delegation", "group", "from", "fromAccount", "as", "to", "toAccount", "until"],
  ...["uid", "pid"],
] as const;
const REFUSED = ["reason", "pid", "uid", "comm", "protocol", "address", "port", "cgroupId", "path"] as const;

export const EVENT_KINDS: Readonly<Record<string, EventKind>> = {
  "session.start": kind("a client was let in to a connection", [], "network", 1, "success", SESSION),
  "session.end": kind(
    "a session is over, with its counts",
    ["statements", "denied", "held", "masked", "rows", "bytesIn", "bytesOut"],
    "network",
    2,
    undefined,
    SESSION,
  ),
  "session.fault": kind("a session ended by an error", ["code"], "network", 3, "failure", SESSION),
  "action.allow": kind(
    "an operation was allowed (only with `events.decisions: all`)",
    ["rules", "actions"],
    "action",
    undefined,
    "success",
    SESSION,
  ),
  "action.deny": kind("an operation was refused", ["rules", "actions"], "action", undefined, "failure", SESSION),
  "action.observed": kind(
    "an operation was let through because the agent is observed",
    ["rules", "actions"],
    "action",
    undefined,
    "success",
    SESSION,
  ),
  "action.shadow": kind(
    "a rule in shadow would have decided otherwise",
    ["rules", "would", "decision"],
    "action",
    undefined,
    undefined,
    SESSION,
  ),
  "connection.refused": kind(
    "a connection was closed before it became a session",
    ["source", "sourcePort", "pid", "uid", "comm", "cgroupId", "address", "port"],
    "network",
    5,
    "failure",
    ["identity"],
  ),
  "origin.missing": kind("a connection came without an origin", ["source", "sourcePort"], "network", 5, "failure"),
  "upstream.failed": kind("the login to a backend failed", ["code"], "authentication", 1, "failure", SESSION),
  "cancel.failed": kind("a cancel did not reach its backend", [], "action", undefined, "failure"),
  "hold.waiting": kind("an action waits for approval", [...ANSWERED, "state", "scope"], "authorize", 99),
  "hold.escalated": kind("further groups may answer, for nobody has", [...ANSWERED, "to"], "authorize", 99),
  "hold.approval": kind("one person approved", [...GIVEN, "uid", "scope", "comment"], "authorize", 99, "success"),
  "hold.approval.withdrawn": kind(
    "one person's approval counts no more: they were revoked, may not answer any more, or were lent it no longer",
    [...GIVEN, "uid", "reason"],
    "authorize",
    99,
  ),
  "hold.approved": kind("it may go on", [...GIVEN, "state", "scope", "comment", "reason"], "authorize", 1, "success"),
  "hold.denied": kind("it was denied", [...GIVEN, "state", "scope", "comment", "reason"], "authorize", 1, "failure"),
  "hold.expired": kind("nobody answered in time", [...GIVEN, "state", "scope", "reason"], "authorize", 1, "failure"),
  "hold.abandoned": kind(
    "its client or we gave it up",
    [...GIVEN, "state", "scope", "reason"],
    "authorize",
    1,
    "failure",
  ),
  "hold.result": kind(
    "what became of it after approval",
    [...GIVEN, "state", "scope", "reason", "result", "comment"],
    "authorize",
    99,
  ),
  "hold.revoked": kind("an approval that stood was ended", [...GIVEN, "uid", "scope", "comment"], "authorize", 99),
  "notify.answered": kind(
    "a person answered by a chat or webhook, and it counted",
    ["target", "account", "hold", "answer", "user", "uid"],
    "authorize",
    99,
    "success",
  ),
  "notify.refused": kind(
    "an answer by a chat or webhook was refused",
    ["target", "code", "account", "hold", "answer"],
    "authorize",
    99,
    "failure",
  ),
  "notify.failed": kind("who is told of held actions does not take it", ["target", "reason"], "base", 99, "failure"),
  "notify.lost": kind(
    "so many messages about held actions were given up",
    ["target", "messages", "reason"],
    "base",
    99,
    "failure",
  ),
  "notify.test": kind("a test message was sent", ["uid", "pid"], "base", 99),
  "agent.tag": kind(
    "a cgroup is guarded",
    ["cgroup", "cgroupId", "uid", "matcher", "container", "way", "run", "startedBy"],
    "entity",
    6,
    "success",
    ["identity"],
  ),
  "agent.untag": kind(
    "a cgroup is not guarded any more",
    ["cgroup", "cgroupId", "uid", "matcher", "container", "way", "run", "startedBy"],
    "entity",
    7,
    "success",
    ["identity", "human"],
  ),
  "agent.identity.expired": kind(
    "the identity of an agent has ended, and with it what it may do",
    ["cgroup", "cgroupId", "uid", "matcher", "container", "way", "run", "startedBy"],
    "entity",
    7,
    "success",
    ["identity"],
  ),
  "agent.identity.refused": kind("a token was not taken", ["code", "uid", "pid"], "authentication", 1, "failure"),
  "agent.sweep": kind(
    "connections from before a tag were found",
    ["uid", "cgroup", "destroyed", "unable", "kept"],
    "entity",
    3,
  ),
  "agent.quarantine": kind("an agent is cut off", ["uid"], "entity", 12, "success", ["human"]),
  "agent.release": kind("a quarantine has ended", ["uid"], "entity", 13, "success", ["human"]),
  "agent.revoked": kind("what an agent may do was taken back", ["uid"], "entity", 9, "success", ["human"]),
  "agent.reinstated": kind("what matchers make an agent is that agent again", ["uid"], "entity", 8, "success", [
    "human",
  ]),
  "grant.given": kind(
    "somebody let an agent reach connections for a time",
    ["grant", "connections", "until", "uid", "reason"],
    "entity",
    1,
    "success",
    ["human"],
  ),
  "grant.ended": kind(
    "a grant is over, and what it alone had let in was cut",
    ["grant", "connections", "until", "why", "cgroup", "cgroupId", "uid", "reason"],
    "entity",
    4,
    "success",
    ["human"],
  ),
  "delegation.made": kind(
    "somebody lets somebody else answer for a group in their place",
    [...DELEGATED, "reason"],
    "entity",
    1,
    "success",
    ["human"],
  ),
  "delegation.ended": kind(
    "a delegation was ended, or its lender has nothing to lend any more",
    [...DELEGATED, "why"],
    "entity",
    4,
    "success",
    ["human"],
  ),
  "delegation.expired": kind("the time of a delegation is up", [...DELEGATED, "why"], "entity", 4, "success"),
  "agent.observe.start": kind("an agent is judged and not stopped", ["uid"], "entity", 11, "success", ["human"]),
  "agent.observe.end": kind("an agent is stopped again", ["uid"], "entity", 10, "success", ["human"]),
  "human.login": kind(
    "a human signed in",
    ["session", "roles", "uid", "pid", "source"],
    "authentication",
    1,
    "success",
    ["human"],
  ),
  "human.logout": kind(
    "the session of a human has ended",
    ["of", "session", "reason", "uid", "pid"],
    "authentication",
    2,
    "success",
    ["human"],
  ),
  "human.refused": kind("somebody did not sign in", ["code", "uid", "pid", "source"], "authentication", 1, "failure"),
  "human.token.made": kind("a human made an API token", ["token", "roles", "uid", "pid"], "entity", 1, "success", [
    "human",
  ]),
  "human.token.revoked": kind("an API token was revoked", ["of", "token", "uid", "pid"], "entity", 4, "success", [
    "human",
  ]),
  "human.glass.broken": kind(
    "a human became admin in need, and approver of everything",
    ["glass", "reason", "until", "uid", "pid"],
    "finding",
    1,
    undefined,
    ["human"],
  ),
  "human.glass.over": kind("what broken glass gave has ended", ["human", "glass"], "entity", 3, "success"),
  "human.glass.reviewed": kind(
    "somebody else has looked at broken glass",
    ["glass", "comment", "uid", "pid"],
    "entity",
    3,
    "success",
    ["human"],
  ),
  "kernel.deny": kind("the kernel refused a connect", REFUSED, "network", 5, "failure", ["identity"]),
  "kernel.backstop": kind("the kernel dropped a packet that no check admitted", REFUSED, "network", 5, "failure", [
    "identity",
  ]),
  "kernel.socket": kind("the kernel refused a kind of socket, or an option", REFUSED, "network", 5, "failure", [
    "identity",
  ]),
  "kernel.bind": kind("the kernel refused a bind", REFUSED, "network", 5, "failure", ["identity"]),
  "kernel.unix": kind("the kernel refused a Unix socket", REFUSED, "network", 5, "failure", ["identity"]),
  "kernel.redirect": kind("a redirect that would have been refused", REFUSED, "network", 5, undefined, ["identity"]),
  "kernel.allow": kind("a connect that would have been refused", REFUSED, "network", 5, undefined, ["identity"]),
  "refusals.untold": kind("so many more refusals were not told one by one", ["untold"], "base", 99),
  "names.refused": kind("a name was not given", ["name", "type", "pid", "uid", "comm"], "dns", 2, "failure"),
  "names.failed": kind("a name could not be resolved", ["name", "type", "pid", "uid", "comm"], "dns", 2, "failure"),
  "names.barred": kind(
    "an answer brought a barred address",
    ["name", "type", "pid", "uid", "comm"],
    "dns",
    2,
    "failure",
  ),
  "names.shared": kind(
    "an address is another connection's",
    ["name", "type", "pid", "uid", "comm"],
    "dns",
    2,
    "failure",
  ),
  "names.full": kind("no room for an address", ["name", "type", "pid", "uid", "comm"], "dns", 2, "failure"),
  "names.limited": kind(
    "more names than an agent may ask",
    ["name", "type", "pid", "uid", "comm"],
    "dns",
    1,
    "failure",
  ),
  "names.untold": kind("more names than are told one by one", [], "dns", 6),
  "namespace.ready": kind("a network namespace has listeners", [], "base", 99, "success"),
  "namespace.refused": kind("a network namespace gets no listeners", [], "base", 99, "failure"),
  "namespace.closed": kind("a network namespace's listeners are closed", [], "base", 99),
  "egress.removed": kind("destinations were closed by new settings", [], "entity", 3, "success"),
  "settings.load": kind("settings and policy are in force", ["policy", "before", "uid", "pid"], "entity", 3, "success"),
  "settings.rejected": kind("new settings are wrong; the old ones stay", ["policy"], "entity", 3, "failure"),
  "settings.reload": kind("a reload was asked for", ["uid", "pid"], "entity", 2, "success", ["human"]),
  "policy.change": kind("another policy is in force", ["policy", "before"], "entity", 3, "success"),
  "credential.add": kind("a connection and its credential were added", ["uid", "pid"], "entity", 1, "success", [
    "human",
  ]),
  "credential.rotate": kind("a credential was replaced", ["uid", "pid"], "entity", 3, "success", ["human"]),
  "credential.remove": kind("a connection and its credential were removed", ["uid", "pid"], "entity", 4, "success", [
    "human",
  ]),
  "recording.recovered": kind("sessions of a former daemon were interrupted", ["interrupted"], "base", 99),
  "recording.gap": kind("the disk takes no recording, and operations go on", [], "base", 99, "failure"),
  "recording.resumed": kind("the disk takes recordings again", [], "base", 99, "success"),
  "recording.key.destroy": kind(
    "a data key was destroyed, with what was sealed",
    ["uid", "pid"],
    "entity",
    4,
    "success",
    ["human"],
  ),
  "recording.delete": kind(
    "the tombstone of a recording that the settings do not keep",
    ["why", "rule", "bytes"],
    "entity",
    4,
    "success",
  ),
  "recording.retention": kind("retention was asked for", ["uid", "pid"], "base", 99, "success", ["human"]),
  "recording.hold": kind("a recording is kept whatever the settings say", ["uid", "pid"], "entity", 3, "success", [
    "human",
  ]),
  "recording.unhold": kind("a legal hold ended", ["uid", "pid"], "entity", 3, "success", ["human"]),
  "recording.search": kind(
    "somebody searched recordings and events, and for what (after the detectors ran over it)",
    ["query", "uid", "pid"],
    "base",
    99,
    undefined,
    ["human"],
  ),
  "sessions.reindex": kind("the index of sessions was built anew", ["uid", "pid"], "base", 99, "success", ["human"]),
  "api.call": kind(
    "somebody asked the daemon to change something or to show recordings, or was refused",
    ["method", "route", "roles", "uid", "pid", "source", "human", "credential", "status", "code", "durationMs"],
    "api",
  ),
  "api.limited": kind(
    "somebody asks the daemon too fast",
    ["uid", "pid", "source", "human", "credential"],
    "base",
    99,
    "failure",
  ),
  "daemon.start": kind("the daemon guards", ["policy"], "lifecycle", 3, "success"),
  "daemon.stop": kind("the daemon was asked to stop", ["uid", "pid"], "lifecycle", 4, "success", ["human"]),
  "events.lost": kind("so many events could not be kept", ["store", "journal"], "base", 99, "failure"),
  "events.skipped": kind(
    "a sink did not get these: the outbox was full",
    ["sink", "events", "fromSeq", "toSeq"],
    "base",
    99,
    "failure",
  ),
  "evidence.checkpoint": kind("a signed checkpoint of recordings and events", ["*"], "base", 99, "success"),
  "evidence.tamper": kind("evidence is not as it was written", ["*"], "finding", 1),
};

function kind(
  about: string,
  fields: readonly string[],
  ocsf: OcsfClass,
  activity?: number,
  status?: EventKind["status"],
  groups?: EventKind["groups"],
): EventKind {
  return {
    ...{ about, fields, ocsf },
    ...(activity === undefined ? {} : { activity }),
    ...(status === undefined ? {} : { status }),
    ...(groups === undefined ? {} : { groups }),
  };
}
