/** Every route of the API, subject by subject. A fixed step of a path goes before a ":name". */
import { ROLES } from "../../model/role.ts";
import { type OpenApi, openApiOf } from "./openapi.ts";
import { json, type Route } from "./route.ts";
import { AGENT_ROUTES } from "./routes/agents.ts";
import { APPROVAL_ROUTES } from "./routes/approvals.ts";
import { CONNECTION_ROUTES } from "./routes/connections.ts";
import { DAEMON_ROUTES } from "./routes/daemon.ts";
import { DELEGATION_ROUTES } from "./routes/delegations.ts";
import { EVIDENCE_ROUTES } from "./routes/evidence.ts";
import { GRANT_ROUTES } from "./routes/grants.ts";
import { HUMAN_ROUTES } from "./routes/humans.ts";
import { NOTIFY_ROUTES } from "./routes/notify.ts";
import { POLICY_ROUTES } from "./routes/policy.ts";
import { RUN_ROUTES } from "./routes/runs.ts";
import { SEARCH_ROUTES } from "./routes/search.ts";
import { SESSION_ROUTES } from "./routes/sessions.ts";
import type { Schema } from "./schema.ts";

export const ROUTES: readonly Route[] = [
  ...RUN_ROUTES,
  ...AGENT_ROUTES,
  ...APPROVAL_ROUTES,
  ...DELEGATION_ROUTES,
  ...CONNECTION_ROUTES,
  ...SESSION_ROUTES,
  ...GRANT_ROUTES,
  ...EVIDENCE_ROUTES,
  ...HUMAN_ROUTES,
  ...NOTIFY_ROUTES,
  ...SEARCH_ROUTES,
  ...POLICY_ROUTES,
  ...DAEMON_ROUTES,
  json({
    method: "GET",
    path: "/v1/openapi.json",
    summary: "This document",
    roles: ROLES,
    gives: { type: "object" } as Schema<OpenApi>,
    answer: async () => openApiOf(ROUTES),
  }),
];
