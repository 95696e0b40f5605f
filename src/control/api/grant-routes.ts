/** The routes about grants, and about taking back what an agent may do. */
import { GRANT_ENTRIES_MAX, GRANT_GIVEN_MS_MAX, GRANT_REASON_MAX } from "../../base/limits.ts";
import { ROLES } from "../../model/role.ts";
import type { GrantRequest } from "../grant-ports.ts";
import { bodyOf } from "./bodies.ts";
import { ADMINS } from "./callers.ts";
import { unknownThing } from "./faults.ts";
import type { Route } from "./routes.ts";
import { NAME, object } from "./shapes.ts";

const REASON = { type: "string", maxLength: GRANT_REASON_MAX } as const;

const grantBody = bodyOf<Omit<GrantRequest, "reason"> & { readonly reason?: string }>(
  object(
    {
      agent: NAME,
      connections: {
        if: { type: "array" },
        // biome-ignore lint/suspicious/noThenProperty: JSON Schema calls it so
        then: { type: "array", minItems: 1, maxItems: GRANT_ENTRIES_MAX, uniqueItems: true, items: NAME },
        else: { type: "string", enum: ["*"] },
      },
      forMs: { type: "integer", minimum: 1_000, maximum: GRANT_GIVEN_MS_MAX },
      reason: REASON,
    },
    ["agent", "connections", "forMs"],
  ),
);
const whyBody = bodyOf<{ readonly reason?: string }>(object({ reason: REASON }, []));

export const GRANT_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/grants",
    roles: ROLES,
    answer: async ({ query }, { grants }) => ({ kind: "json", value: await grants.list({ all: query.has("all") }) }),
  },
  {
    method: "POST",
    path: "/v1/grants",
    roles: ADMINS,
    async answer({ body, caller }, { grants }) {
      const { reason = "", ...asked } = grantBody(body);
      return { kind: "json", value: await grants.give({ ...asked, reason }, caller) };
    },
  },
  {
    method: "POST",
    path: "/v1/grants/:id/end",
    roles: ADMINS,
    async answer({ path, body, caller }, { grants }) {
      const value = await grants.end(path["id"] ?? "", whyBody(body).reason ?? "", caller);
      if (value !== undefined) return { kind: "json", value };
      throw unknownThing("GRANT_UNKNOWN", "Cannot end that grant: nobody gave one by that id that stands", REMEDY);
    },
  },
  {
    method: "POST",
    path: "/v1/agents/:name/revoke",
    roles: ADMINS,
    answer: async ({ path, body, caller }, { agents }) => {
      return { kind: "json", value: await agents.revoke(path["name"] ?? "", whyBody(body).reason ?? "", caller) };
    },
  },
  {
    method: "DELETE",
    path: "/v1/agents/:name/revoke",
    roles: ADMINS,
    answer: async ({ path, caller }, { agents }) => {
      return { kind: "json", value: await agents.reinstate(path["name"] ?? "", caller) };
    },
  },
];

const REMEDY = "See them: sallyport grants; those of the settings end with their entry there, and `sallyport reload`";
