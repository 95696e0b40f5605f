/** Holds what happened at one hostile server against its row. Returns what is wrong; empty: nothing. */
import { createHash } from "node:crypto";
import type { Sample } from "./bystander.ts";
import type { CallReport } from "./guest.ts";
import type { Visit } from "./hostile.ts";
import { ASKED, type Ending, type Row } from "./row.ts";

export type Event = Readonly<Record<string, unknown>>;

export interface RecordedEnd {
  readonly reason: string;
  readonly fault?: string;
}

/** Of somebody else, while hostile servers do their worst: one query, or a new session, which takes a dozen turns. */
export const DELAY_MAX_MS = { ask: 1_000, open: 2_500 } as const;

const FAILING = "sallyport refused this statement";
/** A lookup's own question. */
const LOOKUP = /\bpg_catalog\.pg_class\b/;
const TLS_HANDSHAKE = 0x16;
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** How the client fared. */
export function faultsOfCall({ ends, withinMs }: Row, report: CallReport): readonly string[] {
  const { end, ms, letters, errors, isTorn, rows } = report;
  const faults: string[] = [];
  const need = (holds: boolean, what: string) => {
    if (!holds) faults.push(`${what}: ${JSON.stringify(report)}`);
  };
  need(ms <= withinMs || ends.kind === "left", `its end came after more than ${withinMs} ms`);
  const [last] = errors.slice(-1);
  switch (ends.kind) {
    case "refused":
    case "unguardable":
      need(end === "closed" && letters === "E" && !isTorn, "the client is told by one message and a close");
      need(last?.["S"] === "FATAL", "the message is a FATAL");
      need(last?.["C"] === (ends.kind === "refused" ? ends.sqlState : "08P01"), "its SQLSTATE is right");
      if (ends.kind === "unguardable") need(ends.says.test(last?.["M"] ?? ""), "it says why");
      break;
    case "fault":
      need(end === "closed", "the client's connection is closed");
      need(last?.["S"] === "FATAL" && last["C"] === ends.sqlState && !isTorn, "the client reads a FATAL");
      need(letters.endsWith("E"), "nothing follows it");
      break;
    case "gone":
      need(end === "closed", "the client's connection is closed");
      break;
    case "left":
      need(end === "left", "the session lives as long as its client");
      break;
    case "answered":
      need(end === "answered" && !isTorn, "the client gets its answers");
      need(last?.["C"] === "42501", "what policy refuses is refused");
      if (ends.rows !== undefined) need(rows === ends.rows, "it has its rows");
      break;
    default:
      ends satisfies never;
  }
  return faults;
}

/** What the audit trail and the recording say of one session. */
export function faultsOfTrail(
  ends: Ending,
  events: readonly Event[],
  recorded: RecordedEnd | undefined,
): readonly string[] {
  const told = JSON.stringify({
    events: events.map(({ kind, message, fields }) => ({ kind, message, fields })),
    recorded,
  });
  const codes = (kind: string) =>
    events.filter((event) => event["kind"] === kind).map(({ fields }) => (fields as { code: string }).code);
  const reasons = events.filter(({ kind }) => kind === "session.end").map(({ message }) => String(message));
  const faults: string[] = [];
  const need = (holds: boolean, what: string) => {
    if (!holds) faults.push(`${what}: ${told}`);
  };
  const isOneOf = (
    found: readonly (string | undefined)[],
    { code, orCode = code }: { code: string; orCode?: string },
  ) => found.length === 1 && (found[0] === code || found[0] === orCode);
  need(reasons.length === 1, "the session's end is told once");
  need(recorded !== undefined && recorded.reason !== "", "the recording has its end");
  const [reason = ""] = reasons;
  if (ends.kind === "refused") need(isOneOf(codes("upstream.failed"), ends), `the login's failure is ${ends.code}`);
  if (ends.kind === "fault") {
    need(isOneOf(codes("session.fault"), ends), `the session's fault is ${ends.code}`);
    need(isOneOf([recorded?.fault], ends), "the recording has its fault");
  } else need(codes("session.fault").length === 0 && recorded?.fault === undefined, "there is no other fault");
  if (ends.kind === "unguardable") need(ends.says.test(reason), "the end's reason is told");
  if (ends.kind === "gone") need(reason.endsWith(": the server has gone"), "the server's end is the reason");
  if (ends.kind === "left") need(reason.endsWith(": the client has gone"), "the client's end is the reason");
  return faults;
}

/** What reached the server: logins, what policy allowed, and never the password or what stands for it. */
export function faultsOfHeard(visit: Visit, password: string, user: string): readonly string[] {
  const faults: string[] = [];
  const mayBeSent = (text: string) => (visit.isLookup ? LOOKUP.test(text) : text === ASKED || text === FAILING);
  if (visit.mistake !== undefined) faults.push(`its script failed: ${visit.mistake}`);
  if (holdsSecret(visit.heard, password, user)) faults.push("it was given the password");
  for (const said of statementsIn(visit.heard)) {
    if (!mayBeSent(said)) faults.push(`it was sent "${said.slice(0, 80)}"`);
  }
  return faults;
}

export function holdsSecret(heard: Buffer, password: string, user: string): boolean {
  const bytes = Buffer.from(password);
  const inner = createHash("md5").update(password).update(user).digest("hex");
  const forms = [password, bytes.toString("base64"), bytes.toString("hex"), inner];
  return forms.some((form) => heard.includes(form)) || /p\0\0\0.md5[0-9a-f]{32}\0/s.test(heard.toString("latin1"));
}

/** Texts of Query and Parse, and "type X" of every message that is neither these nor the login's. */
function statementsIn(heard: Buffer): readonly string[] {
  let rest = heard.subarray(0, 8).equals(SSL_REQUEST) ? heard.subarray(8) : heard;
  if (rest.length < 4 || rest[0] === TLS_HANDSHAKE) return [];
  rest = rest.subarray(rest.readInt32BE(0));
  const found: string[] = [];
  while (rest.length >= 5) {
    const [type, end] = [String.fromCharCode(rest[0] ?? 0), 1 + rest.readInt32BE(1)];
    const texts = rest.toString("utf8", 5, end).split("\0");
    if (type === "Q") found.push(texts[0] ?? "");
    else if (type === "P") found.push(texts[1] ?? "");
    else if (!"pXSH".includes(type)) found.push(`type ${type}`);
    rest = rest.subarray(end);
  }
  return found;
}

/** Somebody who has nothing to do with any of this. */
export function faultsOfBystander(samples: readonly Sample[]): readonly string[] {
  return samples
    .filter(({ kind, ms, fault }) => ms > DELAY_MAX_MS[kind] || fault !== undefined)
    .map(({ kind, ms, fault }) => `a bystander's ${kind} took ${ms} ms${fault === undefined ? "" : `: ${fault}`}`);
}
