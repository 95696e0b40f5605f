/** The routes about how long recordings are kept. */
import type { Route } from "./routes.ts";
import { reasonBody } from "./shapes.ts";

export const RETENTION_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/retention",
    role: "admin",
    answer: async (_, { retention }) => ({ kind: "json", value: await retention.plan() }),
  },
  {
    method: "POST",
    path: "/v1/retention/run",
    role: "admin",
    answer: async ({ caller }, { retention }) => ({ kind: "json", value: await retention.run(caller) }),
  },
  {
    method: "GET",
    path: "/v1/legal-holds",
    role: "admin",
    answer: async (_, { retention }) => ({ kind: "json", value: await retention.holds() }),
  },
  {
    method: "POST",
    path: "/v1/sessions/:id/hold",
    role: "admin",
    async answer({ path, body, caller }, { retention }) {
      await retention.hold(path["id"] ?? "", reasonBody(body).reason, caller);
      return { kind: "json", value: {} };
    },
  },
  {
    method: "DELETE",
    path: "/v1/sessions/:id/hold",
    role: "admin",
    async answer({ path, caller }, { retention }) {
      await retention.unhold(path["id"] ?? "", caller);
      return { kind: "json", value: {} };
    },
  },
];
