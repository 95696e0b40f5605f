/** The routes about how long recordings are kept. */
import { LEGAL_HOLD_REASON_MAX } from "../../base/limits.ts";
import { bodyOf } from "./bodies.ts";
import type { Route } from "./routes.ts";

const holdBody = bodyOf<{ reason: string }>({
  type: "object",
  additionalProperties: false,
  required: ["reason"],
  properties: { reason: { type: "string", minLength: 1, maxLength: LEGAL_HOLD_REASON_MAX } },
});

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
      await retention.hold(path["id"] ?? "", holdBody(body).reason, caller);
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
