/** The daemon itself: status, settings, its end, its events and counts. */
import { EXPOSITION_TYPE } from "../../../metrics/exposition.ts";
import type { AuditEvent } from "../../../model/event.ts";
import { ROLES } from "../../../model/role.ts";
import type { SinkStatus } from "../../../model/sink.ts";
import type {
  DaemonStatus,
  DoctorCheck,
  DoctorReport,
  ReloadResult,
  ShutdownResult,
  TrustExport,
} from "../../ports.ts";
import { ADMINS, AUDITORS } from "../callers.ts";
import { events, json, type Route, text } from "../route.ts";
import { BOOLEAN, choice, list, map, NUMBER, named, optional, record, STRING, union } from "../schema.ts";
import { COUNT, MOMENT } from "../shapes.ts";
import { AGENT_STATE } from "./agents.ts";
import { POLICY_STATUS } from "./policy.ts";

const STATUS = named<DaemonStatus>("DaemonStatus", {
  version: STRING,
  pid: COUNT,
  startedMs: MOMENT,
  stateDir: STRING,
  runDir: STRING,
  settingsFile: optional(STRING),
  listenerPort: COUNT,
  agents: COUNT,
  connections: COUNT,
  openSessions: COUNT,
  waiting: COUNT,
  policy: POLICY_STATUS,
  counters: map(NUMBER),
  states: list(AGENT_STATE),
});

const SINK = named<SinkStatus>("Sink", {
  name: STRING,
  kind: STRING,
  format: STRING,
  state: choice("current", "behind", "failing"),
  delivered: COUNT,
  retried: COUNT,
  deadLettered: COUNT,
  skipped: COUNT,
  behind: record<SinkStatus["behind"]>({ events: COUNT, bytes: COUNT, ageMs: COUNT }),
  unsettled: COUNT,
  acknowledged: record<SinkStatus["acknowledged"]>({ seq: COUNT, hash: STRING, checkpoint: COUNT }),
  lastError: optional(record<Exclude<SinkStatus["lastError"], undefined>>({ atMs: MOMENT, message: STRING })),
});

export const DAEMON_ROUTES: readonly Route[] = [
  json({
    method: "GET",
    path: "/v1/status",
    summary: "What the daemon does",
    roles: ROLES,
    gives: STATUS,
    answer: (_, { daemon }) => daemon.status(),
  }),
  json({
    method: "GET",
    path: "/v1/doctor",
    summary: "Whether this host has what the daemon needs",
    roles: ROLES,
    gives: record<DoctorReport>({
      checks: list(
        record<DoctorCheck>({
          name: STRING,
          verdict: choice("ok", "warning", "failed"),
          found: STRING,
          remedy: STRING,
        }),
      ),
    }),
    answer: (_, { daemon }) => daemon.doctor(),
  }),
  text({
    method: "GET",
    path: "/v1/metrics",
    summary: "What the daemon counts and times, for Prometheus",
    roles: ROLES,
    gives: EXPOSITION_TYPE,
    answer: async (_, ports) => ports.metrics(),
  }),
  json({
    method: "GET",
    path: "/v1/trust",
    summary: "The local CA, and the variables that `run` sets",
    roles: ROLES,
    gives: record<TrustExport>({ certificate: STRING, bundleFile: STRING, environment: map(STRING) }),
    answer: (_, { trust }) => trust.export(),
  }),
  json({
    method: "POST",
    path: "/v1/settings/reload",
    summary: "Read settings and policy again",
    roles: ADMINS,
    gives: record<ReloadResult>({ connections: COUNT, agents: COUNT, policy: POLICY_STATUS }),
    answer: ({ caller }, { daemon }) => daemon.reload(caller),
  }),
  json({
    method: "POST",
    path: "/v1/shutdown",
    summary: "Stop the daemon; remove: and leave nothing behind",
    roles: ADMINS,
    isUnlimited: true,
    body: record<{ remove?: boolean }>({ remove: optional(BOOLEAN) }),
    gives: record<ShutdownResult>({ removed: list(STRING) }),
    answer: ({ body: { remove = false }, caller }, { daemon }) => daemon.shutdown({ remove }, caller),
    afterwards: ({ daemon }) => daemon.leave(),
  }),
  json({
    method: "GET",
    path: "/v1/events/sinks",
    summary: "Where events go, and how far each has come",
    roles: AUDITORS,
    gives: list(SINK),
    answer: (_, ports) => ports.sinks(),
  }),
  events({
    method: "GET",
    path: "/v1/events/watch",
    summary: "The audit trail as it is written",
    roles: AUDITORS,
    gives: named<AuditEvent>("Event", {
      atMs: MOMENT,
      kind: STRING,
      agent: optional(STRING),
      sessionId: optional(STRING),
      connection: optional(STRING),
      message: STRING,
      fields: optional(map(union(STRING, NUMBER, BOOLEAN))),
    }),
    answer: async (_, { watchEvents }) => watchEvents,
  }),
];
