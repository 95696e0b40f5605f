/** The routes about evidence. What agents asked and got is in it. */
import { CHECKPOINT_LINE_MAX } from "../../base/limits.ts";
import { ROLES } from "../../model/role.ts";
import { bodyOf } from "./bodies.ts";
import { ADMINS, AUDITORS } from "./callers.ts";
import { unknownThing } from "./faults.ts";
import type { Route } from "./routes.ts";
import { reasonBody } from "./shapes.ts";

const ID = { type: "string", minLength: 1, maxLength: 64 } as const;

const verifyBody = bodyOf<{ session?: string; anchor?: string }>({
  type: "object",
  additionalProperties: false,
  properties: { session: ID, anchor: { type: "string", minLength: 2, maxLength: CHECKPOINT_LINE_MAX } },
});

export const EVIDENCE_ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/audit/verify",
    roles: AUDITORS,
    answer: async ({ body }, { evidence }) => ({ kind: "lines", lines: await evidence.verify(verifyBody(body)) }),
  },
  {
    method: "GET",
    path: "/v1/audit/key",
    roles: ROLES,
    answer: async (_, { evidence }) => ({ kind: "json", value: await evidence.key() }),
  },
  {
    method: "POST",
    path: "/v1/audit/checkpoint",
    roles: AUDITORS,
    answer: async (_, { evidence }) => ({ kind: "json", value: (await evidence.checkpoint()) ?? {} }),
  },
  {
    method: "GET",
    path: "/v1/sessions/:id/bundle",
    roles: AUDITORS,
    async answer({ path }, { evidence }) {
      const bytes = await evidence.bundle(path["id"] ?? "");
      if (bytes !== undefined) return { kind: "bytes", type: "application/x-tar", bytes };
      throw unknownThing("SESSION_UNKNOWN", "Cannot find that session", "List them: sallyport sessions");
    },
  },
  {
    method: "GET",
    path: "/v1/data-keys",
    roles: AUDITORS,
    answer: async (_, { evidence }) => ({ kind: "json", value: await evidence.dataKeys() }),
  },
  {
    method: "POST",
    path: "/v1/data-keys/:id/destroy",
    roles: ADMINS,
    async answer({ path, body, caller }, { evidence }) {
      await evidence.destroyDataKey(path["id"] ?? "", reasonBody(body).reason, caller);
      return { kind: "json", value: {} };
    },
  },
];
