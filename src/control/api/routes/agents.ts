/** Agents: what is tagged, quarantined and observed; the hook of container runtimes. */
import { QUARANTINE_REASON_MAX } from "../../../base/limits.ts";
import { ROLES } from "../../../model/role.ts";
import type { HeldGrant } from "../../grant-ports.ts";
import type {
  AgentListing,
  AgentStateListing,
  IdentityListing,
  Quarantined,
  Swept,
  Tagged,
  TagTarget,
} from "../../ports.ts";
import { ADMINS } from "../callers.ts";
import { found, json, type Route } from "../route.ts";
import {
  BOOLEAN,
  choice,
  exactlyOne,
  integer,
  type Keys,
  list,
  map,
  named,
  optional,
  record,
  type Schema,
  STRING,
  text,
} from "../schema.ts";
import { COUNT, GRANTED, MOMENT, NAME, PID, TEXT, TOKEN } from "../shapes.ts";

export const STATE_KEYS: Keys<AgentStateListing> = {
  agent: STRING,
  state: choice("enforced", "observed", "quarantined"),
  quarantinedMs: optional(MOMENT),
  reason: optional(STRING),
  observedUntilMs: optional(MOMENT),
  revokedMs: optional(MOMENT),
  revokeReason: optional(STRING),
};
export const AGENT_STATE = named<AgentStateListing>("AgentState", STATE_KEYS);

const AGENT_KEYS: Keys<AgentListing> = {
  ...STATE_KEYS,
  groups: list(STRING),
  cgroup: STRING,
  kind: choice("run", "tag", "match"),
  matcher: STRING,
  container: optional(STRING),
  runId: optional(STRING),
  uid: optional(COUNT),
  processes: COUNT,
  pids: list(COUNT),
  namespaces: list(COUNT),
  sessions: COUNT,
  sinceMs: MOMENT,
  lastSeenMs: optional(MOMENT),
  identity: optional(
    named<IdentityListing>("Identity", {
      state: choice("valid", "over"),
      reason: optional(STRING),
      issuer: STRING,
      subject: STRING,
      groups: list(STRING),
      claims: map(STRING),
      endsMs: MOMENT,
    }),
  ),
  revoked: optional({ const: true } as Schema<true>),
  grants: optional(list(record<HeldGrant>({ id: STRING, connections: GRANTED, endsMs: MOMENT }))),
};
const AGENT = named<AgentListing>("Agent", AGENT_KEYS);
const TAGGED = named<Tagged>("Tagged", {
  ...AGENT_KEYS,
  swept: record<Swept>({ destroyed: COUNT, unable: COUNT, kept: COUNT }),
});

/** What is meant: exactly one of them. */
interface Target {
  readonly cgroup?: string;
  readonly pid?: number;
  readonly container?: string;
  readonly unit?: string;
}
const TARGETS = ["cgroup", "pid", "container", "unit"] as const;
const TARGET_KEYS: Keys<Target> = {
  cgroup: optional(TEXT),
  pid: optional(PID),
  container: optional(TEXT),
  unit: optional(TEXT),
};

type End = { readonly forMs?: number; readonly untilMs?: number };

/** What an OCI runtime hands to its hooks; it may say more. Source: OCI runtime specification, "State". */
const OCI_STATE: Schema<{ readonly id: string; readonly pid: number; readonly bundle: string }> = {
  ...record<{ id: string; pid: number; bundle: string }>({ id: TEXT, pid: PID, bundle: TEXT }),
  additionalProperties: true,
};

export const AGENT_ROUTES: readonly Route[] = [
  json({
    method: "GET",
    path: "/v1/agents",
    summary: "What is guarded",
    roles: ROLES,
    gives: list(AGENT),
    answer: (_, { agents }) => agents.list(),
  }),
  json({
    method: "POST",
    path: "/v1/tags",
    summary: "Guard what already runs",
    roles: ADMINS,
    body: exactlyOne(
      TARGETS,
      record<Target & { readonly agent: string; readonly token?: string; readonly keepConnections?: boolean }>({
        ...TARGET_KEYS,
        agent: NAME,
        token: optional(TOKEN),
        keepConnections: optional(BOOLEAN),
      }),
    ),
    gives: TAGGED,
    answer({ body, caller }, { agents }) {
      const { agent, token, keepConnections = false, ...target } = body;
      const connections = keepConnections ? "report" : "end";
      const request = {
        agent,
        target: targetOf(target),
        connections,
        ...(token === undefined ? {} : { token }),
      } as const;
      return agents.tag(request, caller);
    },
  }),
  json({
    method: "POST",
    path: "/v1/tags/remove",
    summary: "Guard it no more",
    roles: ADMINS,
    body: exactlyOne(TARGETS, record<Target>(TARGET_KEYS)),
    gives: AGENT,
    async answer({ body, caller }, { agents }) {
      const target = targetOf(body);
      const message = `Cannot untag ${targetWords(target)}: it is not tagged`;
      return found(await agents.untag(target, caller), "TAG_UNKNOWN", message, "See what is: sallyport agents");
    },
  }),
  json({
    method: "POST",
    path: "/v1/agents/:name/quarantine",
    summary: "Cut every flow of an agent, and deny everything",
    roles: ADMINS,
    body: record<{ reason?: string }>({ reason: optional(text({ maxLength: QUARANTINE_REASON_MAX })) }),
    gives: named<Quarantined>("Quarantined", { ...STATE_KEYS, sessions: COUNT, destroyed: COUNT, unable: COUNT }),
    answer: ({ path, body, caller }, { agents }) => agents.quarantine(path.name, body.reason ?? "", caller),
  }),
  json({
    method: "DELETE",
    path: "/v1/agents/:name/quarantine",
    summary: "End a quarantine",
    roles: ADMINS,
    gives: AGENT_STATE,
    answer: ({ path, caller }, { agents }) => agents.release(path.name, caller),
  }),
  json({
    method: "POST",
    path: "/v1/agents/:name/observe",
    summary: "Judge and record an agent without stopping it, until a moment or for a time from now",
    roles: ADMINS,
    body: exactlyOne(["forMs", "untilMs"], record<End>({ forMs: optional(integer(1)), untilMs: optional(integer(1)) })),
    gives: AGENT_STATE,
    answer: ({ path, body: { forMs = 0, untilMs = Date.now() + forMs }, caller }, { agents }) =>
      agents.observe(path.name, untilMs, caller),
  }),
  json({
    method: "DELETE",
    path: "/v1/agents/:name/observe",
    summary: "Stop it again",
    roles: ADMINS,
    gives: AGENT_STATE,
    answer: ({ path, caller }, { agents }) => agents.endObservation(path.name, caller),
  }),
  json({
    method: "POST",
    path: "/v1/hooks/oci",
    summary: "A container is about to run its first program",
    roles: ADMINS,
    isUnlimited: true,
    body: OCI_STATE,
    gives: record<{ agent?: string }>({ agent: optional(STRING) }),
    answer: ({ body }, { hooks }) => hooks.oci(body),
  }),
];

function targetOf({ cgroup, pid, container, unit = "" }: Target): TagTarget {
  if (cgroup !== undefined) return { kind: "cgroup", path: cgroup };
  if (pid !== undefined) return { kind: "pid", pid };
  if (container !== undefined) return { kind: "container", name: container };
  return { kind: "unit", name: unit };
}

/** As a message names it. */
function targetWords(target: TagTarget): string {
  switch (target.kind) {
    case "cgroup":
      return target.path;
    case "pid":
      return `the cgroup of process ${target.pid}`;
    case "container":
    case "unit":
      return `${target.kind} ${target.name}`;
    default:
      return target satisfies never;
  }
}
