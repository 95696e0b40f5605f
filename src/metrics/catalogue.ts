/** Every metric with its type, labels and meaning. docs/metrics.md is held to this list. Counts nothing. */
import type { Definition } from "./exposition.ts";

const counter = (name: string, help: string, ...labels: string[]) =>
  ({ name, type: "counter", help, labels }) as const satisfies Definition;
const gauge = (name: string, help: string, ...labels: string[]) =>
  ({ name, type: "gauge", help, labels }) as const satisfies Definition;
const histogram = (name: string, help: string, ...labels: string[]) =>
  ({ name, type: "histogram", help, labels }) as const satisfies Definition;

const SESSION = ["connection", "protocol"] as const;

export const CATALOGUE = {
  build: gauge("sallyport_build_info", "1; what runs, and the policy in force.", "version", "policy"),
  sessionsOpen: gauge("sallyport_sessions_open", "Sessions that are open.", ...SESSION),
  sessionsStarted: counter("sallyport_sessions_started_total", "Sessions that were opened.", ...SESSION),
  sessionsEnded: counter(
    "sallyport_sessions_ended_total",
    "Sessions that ended, by whether a fault ended them.",
    ...SESSION,
    "end",
  ),
  decisions: counter(
    "sallyport_decisions_total",
    "Asks by how they were decided; observed is what was let through and would not have been.",
    "connection",
    "decision",
  ),
  statements: counter("sallyport_statements_total", "Statements that were judged.", "connection"),
  rules: counter("sallyport_rules_fired_total", "Decisions that name a rule as their reason.", "rule", "decision"),
  limits: counter("sallyport_limits_hit_total", "Asks that were denied by a limit.", "rule"),
  limitStops: counter(
    "sallyport_limit_stops_total",
    "Sessions that were stopped while an answer ran over a limit.",
    "connection",
  ),
  relayed: counter(
    "sallyport_relayed_operations_total",
    "Operations that went the short way; also in the others.",
    "connection",
  ),
  rows: counter("sallyport_rows_total", "Rows of answers.", "connection"),
  bytes: counter("sallyport_bytes_total", "Bytes from agents (in) and from backends (out).", "connection", "direction"),
  masks: counter("sallyport_masked_values_total", "Values that were masked, by label or detector.", "by"),
  phases: histogram("sallyport_phase_seconds", "Time that a part of a connection's way took.", "phase"),
  holdsWaiting: gauge("sallyport_holds_waiting", "Actions that wait for an approval."),
  holds: counter("sallyport_holds_settled_total", "Held actions by what came of them.", "connection", "result"),
  holdWait: histogram("sallyport_hold_wait_seconds", "Time from the hold to what came of it."),
  recordFailures: counter(
    "sallyport_record_failures_total",
    "Sessions that ended because they could not be recorded; what was not recorded was not forwarded.",
    "connection",
  ),
  recorderBytes: gauge("sallyport_recorder_pending_bytes", "Records that are not in their files yet."),
  recorderAge: gauge("sallyport_recorder_oldest_pending_seconds", "Age of the oldest of them; 0 when there are none."),
  recorderRaw: gauge("sallyport_recorder_uncompressed_segments", "Segments that are closed and not compressed yet."),
  indexLost: counter(
    "sallyport_index_rows_lost_total",
    "Rows of sessions that the index could not take; sessions reindex brings them back.",
  ),
  events: counter("sallyport_events_total", "Audit events.", "kind"),
  eventsLost: counter("sallyport_events_lost_total", "Audit events that could not be kept."),
  outbox: gauge("sallyport_outbox_events", "Events that wait for a sink.", "sink"),
  kernelConnections: counter(
    "sallyport_kernel_connections_total",
    "What the kernel side did with connections of agents, since it was attached.",
    "outcome",
  ),
  kernelEventsLost: counter(
    "sallyport_kernel_events_lost_total",
    "Records of the kernel side that found its ring buffer full.",
  ),
  kernelOriginsFull: counter(
    "sallyport_kernel_origins_full_total",
    "Connections that were refused because no more origins could be kept.",
  ),
  namespaces: gauge("sallyport_namespaces", "Network namespaces with a listener."),
  names: counter(
    "sallyport_names_total",
    "Questions to the agents' resolver, and of them what was refused, asked upstream, failed or came too often.",
    "outcome",
  ),
  namesLearned: gauge("sallyport_names_learned", "Addresses that were learned from answers and are open."),
  cacheRequests: counter(
    "sallyport_cache_requests_total",
    "Questions to a memory of the judge, by whether it knew.",
    "cache",
    "result",
  ),
  cacheEntries: gauge("sallyport_cache_entries", "What such a memory holds.", "cache"),
  cgroups: gauge("sallyport_tagged_cgroups", "Cgroups that are guarded, by agent.", "agent"),
  agentStates: gauge("sallyport_agents", "Agents that are quarantined or observed.", "state"),
  loopDelay: gauge(
    "sallyport_event_loop_delay_seconds",
    "How late timers were in the last whole window of 15 s.",
    "quantile",
  ),
  loopBusy: counter("sallyport_event_loop_busy_seconds_total", "Time that the event loop was at work."),
  started: gauge("process_start_time_seconds", "Start of the daemon, in seconds since 1970."),
  cpu: counter("process_cpu_seconds_total", "Time on processors, user and system."),
  memory: gauge("process_resident_memory_bytes", "Resident memory."),
  descriptors: gauge("process_open_fds", "Open descriptors."),
  descriptorsMax: gauge("process_max_fds", "Descriptors that may be open."),
} as const satisfies Readonly<Record<string, Definition>>;

/** Upper bounds in seconds: a judged statement takes microseconds, a login milliseconds, a backend as long as it likes. */
export const PHASE_BOUNDS = [
  ...[0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01],
  ...[0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
] as const;
/** People answer in seconds to hours. */
export const HOLD_BOUNDS = [1, 5, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400] as const;
