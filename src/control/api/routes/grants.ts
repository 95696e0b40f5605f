/** Grants, and taking back what an agent may do. */
import { GRANT_ENTRIES_MAX, GRANT_GIVEN_MS_MAX, GRANT_REASON_MAX } from "../../../base/limits.ts";
import type { GrantedConnections } from "../../../model/grant.ts";
import { ROLES } from "../../../model/role.ts";
import type { GrantList, GrantListing, GrantRequest } from "../../grant-ports.ts";
import type { Revoked } from "../../ports.ts";
import { ADMINS } from "../callers.ts";
import { found, json, type Route } from "../route.ts";
import { BOOLEAN, choice, integer, list, named, optional, record, type Schema, STRING, text } from "../schema.ts";
import { COUNT, FLAG, GRANTED, MOMENT, NAME } from "../shapes.ts";
import { AGENT_STATE, STATE_KEYS } from "./agents.ts";

const GRANT = named<GrantListing>("Grant", {
  id: STRING,
  source: choice("settings", "given"),
  agent: STRING,
  connections: GRANTED,
  state: choice("in force", "over", "idle"),
  why: optional(STRING),
  cgroup: optional(STRING),
  sinceMs: optional(MOMENT),
  endsMs: optional(MOMENT),
  uid: optional(COUNT),
  reason: optional(STRING),
});

const WHY = text({ maxLength: GRANT_REASON_MAX });
const REASON = record<{ reason?: string }>({ reason: optional(WHY) });
/** Names, or all there are; the type tells which, so that an error is about the one meant. */
const CONNECTIONS: Schema<GrantedConnections> = {
  if: { type: "array" },
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
  then: { ...list(NAME, { minItems: 1, maxItems: GRANT_ENTRIES_MAX }), uniqueItems: true },
  else: choice("*"),
};

export const GRANT_ROUTES: readonly Route[] = [
  json({
    method: "GET",
    path: "/v1/grants",
    summary: "Who may reach what, and until when; all: also what is over",
    roles: ROLES,
    query: record<{ all?: "1" }>({ all: optional(FLAG) }),
    gives: record<GrantList>({ asked: BOOLEAN, grants: list(GRANT) }),
    answer: ({ query }, { grants }) => grants.list({ all: query.all !== undefined }),
  }),
  json({
    method: "POST",
    path: "/v1/grants",
    summary: "Give an agent connections for a time",
    roles: ADMINS,
    body: record<Omit<GrantRequest, "reason"> & { readonly reason?: string }>({
      agent: NAME,
      connections: CONNECTIONS,
      forMs: integer(1_000, GRANT_GIVEN_MS_MAX),
      reason: optional(WHY),
    }),
    gives: GRANT,
    answer: ({ body: { reason = "", ...asked }, caller }, { grants }) => grants.give({ ...asked, reason }, caller),
  }),
  json({
    method: "POST",
    path: "/v1/grants/:id/end",
    summary: "End one that was given",
    roles: ADMINS,
    body: REASON,
    gives: GRANT,
    async answer({ path, body, caller }, { grants }) {
      const message = "Cannot end that grant: nobody gave one by that id that stands";
      return found(await grants.end(path.id, body.reason ?? "", caller), "GRANT_UNKNOWN", message, REMEDY);
    },
  }),
  json({
    method: "POST",
    path: "/v1/agents/:name/revoke",
    summary: "Take back what an agent may do",
    roles: ADMINS,
    body: REASON,
    gives: named<Revoked>("Revoked", { ...STATE_KEYS, tags: COUNT, sessions: COUNT, grants: COUNT }),
    answer: ({ path, body, caller }, { agents }) => agents.revoke(path.name, body.reason ?? "", caller),
  }),
  json({
    method: "DELETE",
    path: "/v1/agents/:name/revoke",
    summary: "What matchers make that agent counts again",
    roles: ADMINS,
    gives: AGENT_STATE,
    answer: ({ path, caller }, { agents }) => agents.reinstate(path.name, caller),
  }),
];

const REMEDY = "See them: sallyport grants; those of the settings end with their entry there, and `sallyport reload`";
