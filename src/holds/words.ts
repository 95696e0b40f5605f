/** What is said of a held action: to its client, to whoever is refused, to the audit trail. No data and no statement. */
import type { HeldEnd } from "../model/decision.ts";
import type { Loan } from "../model/delegation.ts";
import { type AuditEvent, type EventFields, userFields } from "../model/event.ts";
import type { HoldRecord, HoldState, Vote } from "./record.ts";

/** For the client that waits. */
export function noticeOf({ id, rules, message, openedMs, expiresMs }: HoldRecord): string {
  const time = inWords(expiresMs - openedMs);
  return `This waits for a reviewer, as ${id} (rule ${rules.join(", ")}: ${message}). It waits ${time} at most; to let it go: sallyport approvals approve ${id}`;
}

/** What the data path is told of an end without an approval; undefined: that is none. */
export function refusalOf(record: HoldRecord): { readonly end: HeldEnd; readonly message: string } | undefined {
  const { id, state, denied, message, reason, openedMs, expiresMs } = record;
  const by = denied === undefined ? [] : [denied.name];
  switch (state) {
    case "denied": {
      const who = denied === undefined ? "" : ` by ${denied.name}`;
      const why = reason === undefined ? "" : `: ${reason}`;
      return { end: { hold: id, state, by }, message: `${message}; denied${who}${why} (hold ${id})` };
    }
    case "expired": {
      const waited = inWords(expiresMs - openedMs);
      return { end: { hold: id, state, by }, message: `${message}; nobody let it go within ${waited} (hold ${id})` };
    }
    case "abandoned":
      return { end: { hold: id, state, by }, message: reason ?? "" };
    default:
      return undefined;
  }
}

const KINDS: Readonly<Record<HoldState, string>> = {
  waiting: "hold.waiting",
  approved: "hold.approved",
  running: "hold.approved",
  executed: "hold.result",
  unknown: "hold.result",
  denied: "hold.denied",
  expired: "hold.expired",
  abandoned: "hold.abandoned",
};

/** Of its state now. `by`: who let it go, where that was somebody else's answer to an earlier one. */
export function eventOf(record: HoldRecord, atMs: number, by?: readonly string[]): AuditEvent {
  const { votes, denied, reason, result, state } = record;
  const who = denied?.name ?? (by ?? votes.map(({ name }) => name)).join(", ");
  const givers = denied === undefined ? votes : [denied];
  const comment =
    denied?.comment ??
    votes
      .map((vote) => vote.comment ?? "")
      .filter(Boolean)
      .join("; ");
  return {
    ...about(record, atMs),
    kind: KINDS[state],
    message: sentenceOf(record, who),
    fields: {
      ...fieldsOf(record),
      state,
      ...(who === "" ? {} : { by: who }),
      ...(givers.length === 0 ? {} : { account: givers.flatMap(({ accounts }) => accounts).join(" ") }),
      ...lentFields(givers),
      ...(comment === "" ? {} : { comment }),
      ...(state === "waiting" ? {} : { scope: scopeOf(record) }),
      ...(reason === undefined ? {} : { reason }),
      ...(result === undefined ? {} : { result }),
    },
  };
}

/** Of one person's answer. */
export function answeredEvent(kind: string, record: HoldRecord, vote: Vote, atMs: number): AuditEvent {
  const { name, uid, accounts, comment, forMs } = vote;
  const message = kind === "hold.revoked" ? `${name} ended the approval that stood` : `${name} approves ${record.id}`;
  const scope = forMs === undefined ? "once" : `for ${inWords(forMs)}`;
  const more = {
    ...{ by: name, ...userFields(uid), account: accounts.join(" "), scope },
    ...(comment === undefined ? {} : { comment }),
  };
  return { ...about(record, atMs), kind, message, fields: { ...fieldsOf(record), ...more, ...lentFields([vote]) } };
}

/** In whose place somebody answers, behind their name: "ben (sre for ada, delegation 3f2a91c04d)". */
export function loanWords({ group, by, delegation }: Loan): string {
  return `${group} for ${by}, delegation ${delegation}`;
}

function lentFields(votes: readonly Vote[]): EventFields {
  const lent = votes.flatMap((vote) => vote.lent ?? []);
  return lent.length === 0 ? {} : { delegation: lent.map(({ delegation }) => delegation).join(" ") };
}

/** Nobody's answer any more; its giver is told of as they were when they gave it. */
export function withdrawnEvent(record: HoldRecord, vote: Vote, reason: string, atMs: number): AuditEvent {
  const { name, uid, accounts } = vote;
  const who = { by: name, ...userFields(uid), account: accounts.join(" "), ...lentFields([vote]) };
  const fields = { ...fieldsOf(record), ...who, reason };
  const message = `The approval of ${record.id} by ${name} does not count any more: ${reason}`;
  return { ...about(record, atMs), kind: "hold.approval.withdrawn", message, fields };
}

/** It has waited for so long that further groups may answer. */
export function escalatedEvent(record: HoldRecord, to: readonly string[], atMs: number): AuditEvent {
  const message = `An action of ${record.agent} on ${record.connection} waits for ${to.join(", ")} as well`;
  return { ...about(record, atMs), kind: "hold.escalated", message, fields: { ...fieldsOf(record), to: to.join(" ") } };
}

function about({ agent, sessionId, connection }: HoldRecord, atMs: number) {
  return { atMs, agent, sessionId, connection };
}

/** The original action, by names and its digest. */
function fieldsOf(record: HoldRecord): Readonly<Record<string, string | number>> {
  const { id, rules, statements, tables, digest, policy, protocol } = record;
  const { pid, user, executable } = record.origin;
  const actions = [...new Set(statements.flatMap(({ actions: own }) => own))].join(" ");
  const names = [...new Set(tables.map(({ name }) => name))].join(" ");
  const action = { hold: id, rules: rules.join(" "), actions, tables: names, statements: statements.length, digest };
  return { ...action, pid, user, executable, protocol, policy };
}

function scopeOf({ reuses, standsUntilMs }: HoldRecord): string {
  if (reuses !== undefined) return `by the approval of ${reuses}, which stands`;
  return standsUntilMs === undefined ? "once" : `its shape, until ${new Date(standsUntilMs).toISOString()}`;
}

function sentenceOf({ agent, connection, state, message, reason, result }: HoldRecord, who: string): string {
  const what = `an action of ${agent} on ${connection}`;
  switch (state) {
    case "waiting":
      return `${capital(what)} waits for approval: ${message}`;
    case "approved":
    case "running":
      return `${who} approved ${what}`;
    case "denied":
      return who === "" ? `${capital(what)} was denied: ${reason ?? ""}` : `${who} denied ${what}`;
    case "expired":
      return `Nobody answered in time for ${what}`;
    case "abandoned":
      return `${capital(what)} was given up: ${reason ?? ""}`;
    case "executed":
      return `${capital(what)} was executed after approval: ${result ?? ""}`;
    case "unknown":
      return `What became of ${what} is not known: ${reason ?? ""}`;
    default:
      return state satisfies never;
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "90 s", "15 min", "24 h" */
export function inWords(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}
