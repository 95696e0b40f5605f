/** How grave a kind of event is, for receivers that sort by that. */

export type Severity = "information" | "notice" | "warning" | "critical";

const GRAVE: Readonly<Record<string, Severity>> = {
  "evidence.tamper": "critical",
  "agent.quarantine": "critical",
  "human.glass.broken": "critical",
  "events.lost": "critical",
  "events.skipped": "critical",
  "action.deny": "warning",
  "action.observed": "warning",
  "connection.refused": "warning",
  "origin.missing": "warning",
  "session.fault": "warning",
  "upstream.failed": "warning",
  "cancel.failed": "warning",
  "policy.rejected": "warning",
  "settings.rejected": "warning",
  "names.refused": "notice",
  "names.barred": "warning",
  "names.limited": "warning",
  "namespace.refused": "warning",
  "agent.sweep": "warning",
  "agent.identity.refused": "warning",
  "human.refused": "warning",
  "agent.identity.expired": "notice",
  "agent.revoked": "critical",
  "delegation.made": "notice",
  "delegation.ended": "notice",
  "grant.given": "notice",
  "grant.ended": "notice",
  "agent.observe.start": "warning",
  "recording.recovered": "warning",
  "recording.gap": "critical",
  "recording.key.destroy": "warning",
  "hold.waiting": "notice",
  "hold.escalated": "notice",
  "hold.approved": "notice",
  "hold.denied": "notice",
  "api.limited": "warning",
  "notify.answered": "notice",
  "notify.refused": "warning",
  "notify.failed": "warning",
  "notify.lost": "warning",
  "action.shadow": "notice",
  "refusals.untold": "notice",
};

export function severityOf(kind: string): Severity {
  return GRAVE[kind] ?? (kind.startsWith("kernel.") ? "warning" : "information");
}
