/** Audit events as rows of the index. What an event says of a process makes whom it is about. */
import { SEARCH_TEXT_MAX } from "../base/limits.ts";
import type { AuditEvent } from "../model/event.ts";
import { type Facet, facetKey, type Row, type Subject } from "./row.ts";

/** Fields that say who, and as what term. */
const WHO = { pid: "pid", uid: "uid", user: "user", executable: "exe", group: "group" } as const;
/** Fields that say what, and as what term. */
const WHAT = { rule: "rule", rules: "rule", code: "error", hold: "hold", by: "approver", action: "action" } as const;

/** `id`: of the event in its store. */
export function rowOfEvent(id: number, event: AuditEvent): { readonly subject: Subject; readonly row: Row } {
  const fields = Object.entries(event.fields ?? {});
  const what: Facet[] = [["kind", event.kind]];
  const who: Facet[] = [];
  for (const [name, value] of fields) {
    const isWho = Object.hasOwn(WHO, name);
    const whoTerm = WHO[name as keyof typeof WHO];
    if (isWho) who.push([whoTerm, String(value)]);
    else if (name.startsWith("claim.")) who.push([name, String(value)]);
    const whatTerm = WHAT[name as keyof typeof WHAT];
    if (Object.hasOwn(WHAT, name)) for (const one of String(value).split(", ")) what.push([whatTerm, one]);
  }
  const { agent = "", connection = "", sessionId, atMs } = event;
  const named: Facet[] = [
    ...(agent === "" ? [] : ([["agent", agent]] satisfies Facet[])),
    ...(connection === "" ? [] : ([["connection", connection]] satisfies Facet[])),
    ...(sessionId === undefined ? [] : ([["session", sessionId]] satisfies Facet[])),
  ];
  // or every search would find the searches before it
  const worded = event.kind === "recording.search" ? fields.filter(([name]) => name !== "query") : fields;
  const said = new Map(worded.map(([name, value]) => [name, String(value)]));
  // Whom a session is about its recording says; an event may speak of another process.
  const facets = sessionId === undefined ? [...named, ...who] : named;
  const key = sessionId === undefined ? `who\0${JSON.stringify(facets)}` : `session\0${sessionId}`;
  const subject: Subject = {
    ...{
      key,
      session: sessionId,
      agent,
      connection,
      startedMs: atMs,
      facets: facets.filter(([, value]) => value !== ""),
    },
    user: sessionId === undefined ? (said.get("user") ?? "") : "",
    executable: sessionId === undefined ? (said.get("executable") ?? "") : "",
    pid: sessionId === undefined ? Number(said.get("pid") ?? 0) : 0,
  };
  const row: Row = {
    ...{ key: `event\0${id}`, kind: event.kind, decision: "", rules: [], sequence: 0, text: "", atMs, lastMs: atMs },
    ...{ count: 1, folded: false, findings: new Map(), message: event.message.slice(0, SEARCH_TEXT_MAX) },
    names: [event.kind, ...said.values()].join(" ").slice(0, SEARCH_TEXT_MAX),
    facets: new Set(what.filter(([, value]) => value !== "").map(facetKey)),
  };
  return { subject, row };
}
