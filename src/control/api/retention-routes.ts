/** The routes about how long recordings are kept. */
import { ADMINS, AUDITORS } from "./callers.ts";
import type { Route } from "./routes.ts";
import { reasonBody } from "./shapes.ts";

export const RETENTION_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/retention",
    roles: AUDITORS,
    answer: async (_, { retention }) => ({ kind: "json", value: await retention.plan() }),
  },
  {
    method: "POST",
    path: "/v1/retention/run",
    roles: ADMINS,
    answer: async ({ caller }, { retention }) => ({ kind: "json", value: await retention.run(caller) }),
  },
  {
    method: "GET",
    path: "/v1/legal-holds",
    roles: AUDITORS,
    answer: async (_, { retention }) => ({ kind: "json", value: await retention.holds() }),
  },
  {
    method: "POST",
    path: "/v1/sessions/:id/hold",
    roles: ADMINS,
    async answer({ path, body, caller }, { retention }) {
      await retention.hold(path["id"] ?? "", reasonBody(body).reason, caller);
      return { kind: "json", value: {} };
    },
  },
  {
    method: "DELETE",
    path: "/v1/sessions/:id/hold",
    roles: ADMINS,
    async answer({ path, caller }, { retention }) {
      await retention.unhold(path["id"] ?? "", caller);
      return { kind: "json", value: {} };
    },
  },
];
