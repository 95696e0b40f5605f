/** The routes about humans: signing in and out, their sessions, API tokens, broken glass. */
import { BREAK_GLASS_REASON_MAX, TOKEN_BYTES_MAX } from "../../base/limits.ts";
import { GIVEN_ROLES, ROLES, type Role } from "../../model/role.ts";
import type { BroughtBack } from "../human-ports.ts";
import { bodyOf } from "./bodies.ts";
import { ADMINS, AUDITORS } from "./callers.ts";
import { unknownThing } from "./faults.ts";
import type { Answer, Route } from "./routes.ts";

const NAME = { type: "string", pattern: "^[a-z0-9][a-z0-9-]{0,62}$" } as const;
const TEXT = { type: "string", minLength: 1, maxLength: 1_024 } as const;
const OPAQUE = { type: "string", minLength: 1, maxLength: TOKEN_BYTES_MAX } as const;
/** A browser on the same host comes back to this and to nothing else. Source: RFC 8252, section 7.3. */
const LOOPBACK = { type: "string", pattern: "^http://127\\.0\\.0\\.1:[0-9]{1,5}/callback$" } as const;

const codeBody = bodyOf<{ login?: string; redirectUri: string }>(
  object({ login: NAME, redirectUri: LOOPBACK }, ["redirectUri"]),
);
const broughtBody = bodyOf<BroughtBack>(object({ code: OPAQUE, state: TEXT, iss: TEXT }, ["code", "state"]));
const deviceBody = bodyOf<{ login?: string }>(object({ login: NAME }, []));
const flowBody = bodyOf<{ flow: string }>(object({ flow: TEXT }, ["flow"]));
const revokeBody = bodyOf<{ who: string }>(object({ who: TEXT }, ["who"]));
const tokenBody = bodyOf<{ name: string; roles: Role[]; forMs: number }>(
  object(
    {
      name: NAME,
      roles: { type: "array", minItems: 1, maxItems: ROLES.length, items: { type: "string", enum: [...ROLES] } },
      forMs: { type: "integer", minimum: 1 },
    },
    ["name", "roles", "forMs"],
  ),
);
const GLASS_TEXT = { type: "string", minLength: 1, maxLength: BREAK_GLASS_REASON_MAX, pattern: "\\S" } as const;
const glassBody = bodyOf<{ reason: string }>(object({ reason: GLASS_TEXT }, ["reason"]));
const reviewBody = bodyOf<{ comment: string }>(object({ comment: GLASS_TEXT }, ["comment"]));

/** Whoever has any role, be it only the one to break the glass. */
const ANYBODY = GIVEN_ROLES;

export const HUMAN_ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/login/code",
    roles: ANYBODY,
    answer: async ({ body, caller }, { humans }) => json(await humans.beginCode(codeBody(body), caller)),
  },
  {
    method: "POST",
    path: "/v1/login/code/end",
    roles: ANYBODY,
    answer: async ({ body, caller }, { humans }) => json(await humans.endCode(broughtBody(body), caller)),
  },
  {
    method: "POST",
    path: "/v1/login/device",
    roles: ANYBODY,
    answer: async ({ body, caller }, { humans }) => json(await humans.beginDevice(deviceBody(body), caller)),
  },
  {
    method: "POST",
    path: "/v1/login/device/end",
    roles: ANYBODY,
    answer: async ({ body, caller }, { humans }) => json((await humans.endDevice(flowBody(body).flow, caller)) ?? {}),
  },
  {
    method: "POST",
    path: "/v1/logout",
    roles: ANYBODY,
    answer: async ({ caller }, { humans }) => json({ ended: await humans.logOut(caller) }),
  },
  {
    method: "GET",
    path: "/v1/whoami",
    roles: ANYBODY,
    answer: async ({ caller }, { humans }) => json(await humans.who(caller)),
  },
  {
    method: "GET",
    path: "/v1/humans",
    roles: AUDITORS,
    answer: async (_, { humans }) => json(await humans.sessions()),
  },
  {
    method: "POST",
    path: "/v1/humans/revoke",
    roles: ADMINS,
    answer: async ({ body, caller }, { humans }) => json(await humans.revoke(revokeBody(body).who, caller)),
  },
  {
    method: "GET",
    path: "/v1/tokens",
    roles: ANYBODY,
    answer: async ({ caller }, { humans }) => json(await humans.tokens(caller)),
  },
  {
    method: "POST",
    path: "/v1/tokens",
    roles: ANYBODY,
    answer: async ({ body, caller }, { humans }) => json(await humans.makeToken(tokenBody(body), caller)),
  },
  {
    method: "DELETE",
    path: "/v1/tokens/:id",
    roles: ANYBODY,
    async answer({ path, caller }, { humans }) {
      if (await humans.revokeToken(path["id"] ?? "", caller)) return json({});
      throw unknownThing("API_TOKEN_UNKNOWN", "Cannot find that API token", "List them: sallyport tokens");
    },
  },
  {
    method: "POST",
    path: "/v1/break-glass",
    roles: ["break-glass"],
    answer: async ({ body, caller }, { humans }) => json(await humans.breakGlass(glassBody(body).reason, caller)),
  },
  {
    method: "GET",
    path: "/v1/break-glass",
    roles: AUDITORS,
    answer: async ({ query }, { humans }) => json(await humans.brokenGlass({ all: query.has("all") })),
  },
  {
    method: "POST",
    path: "/v1/break-glass/:id/review",
    roles: AUDITORS,
    answer: async ({ path, body, caller }, { humans }) =>
      json(await humans.reviewGlass(path["id"] ?? "", reviewBody(body).comment, caller)),
  },
];

function json(value: unknown): Answer {
  return { kind: "json", value };
}

function object(properties: object, required: readonly string[]) {
  return { type: "object", additionalProperties: false, properties, required } as const;
}
