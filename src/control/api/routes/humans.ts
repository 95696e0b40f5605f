/** Humans: signing in and out, their sessions, API tokens, broken glass. */
import { BREAK_GLASS_REASON_MAX, SAML_BYTES_MAX, TOKEN_BYTES_MAX } from "../../../base/limits.ts";
import { GIVEN_ROLES, ROLES, type Role } from "../../../model/role.ts";
import type {
  ApiTokenListing,
  ApiTokenRequest,
  BrokenGlassListing,
  BroughtBack,
  CodeSignIn,
  DeviceCode,
  HumanRevoked,
  HumanSessionListing,
  LoginListing,
  SamlBroughtBack,
  SamlSignIn,
  SessionBegun,
  Who,
} from "../../human-ports.ts";
import { ADMINS, AUDITORS } from "../callers.ts";
import { unknownThing } from "../faults.ts";
import { json, type Route } from "../route.ts";
import {
  BOOLEAN,
  choice,
  integer,
  type Keys,
  list,
  named,
  optional,
  pattern,
  record,
  type Schema,
  STRING,
  text,
  union,
} from "../schema.ts";
import { COUNT, FLAG, MOMENT, NAME, NOTHING } from "../shapes.ts";

const SHORT = text({ minLength: 1, maxLength: 1_024 });
const OPAQUE = text({ minLength: 1, maxLength: TOKEN_BYTES_MAX });
/** A browser on the same host comes back to this and to nothing else. Source: RFC 8252, section 7.3. */
const LOOPBACK = pattern("^http://127\\.0\\.0\\.1:[0-9]{1,5}/callback$", "http://127.0.0.1:PORT/callback");
const WORDS: Schema<string> = { ...text({ minLength: 1, maxLength: BREAK_GLASS_REASON_MAX }), pattern: "\\S" };
const GIVEN_ROLE: Schema<Role> = choice(...GIVEN_ROLES);

const WHO_KEYS: Keys<Who> = {
  name: STRING,
  roles: list(GIVEN_ROLE),
  uid: optional(COUNT),
  account: optional(STRING),
  groups: optional(list(STRING)),
  by: optional(choice("session", "token")),
  endsMs: optional(MOMENT),
  glassUntilMs: optional(MOMENT),
};

const SESSION_BEGUN = named<SessionBegun>("SessionBegun", { ...WHO_KEYS, secret: STRING });

const HUMAN_SESSION = named<HumanSessionListing>("HumanSession", {
  id: STRING,
  account: STRING,
  name: STRING,
  uid: optional(COUNT),
  beganMs: MOMENT,
  usedMs: MOMENT,
  endsMs: MOMENT,
  glassUntilMs: optional(MOMENT),
});

const API_TOKEN_KEYS: Keys<ApiTokenListing> = {
  id: STRING,
  name: STRING,
  account: STRING,
  roles: list(GIVEN_ROLE),
  madeMs: MOMENT,
  endsMs: MOMENT,
  usedMs: optional(MOMENT),
};

const BROKEN_GLASS = named<BrokenGlassListing>("BrokenGlass", {
  id: STRING,
  account: STRING,
  name: STRING,
  reason: STRING,
  sinceMs: MOMENT,
  untilMs: MOMENT,
  review: optional(
    record<{ by: string; atMs: number; comment: string }>({ by: STRING, atMs: MOMENT, comment: STRING }),
  ),
});

/** Whoever has any role, be it only the one to break the glass. */
const ANYBODY = GIVEN_ROLES;

export const HUMAN_ROUTES: readonly Route[] = [
  json({
    method: "GET",
    path: "/v1/logins",
    summary: "By which logins somebody may sign in",
    roles: ANYBODY,
    gives: list(
      named<LoginListing>("Login", { name: STRING, kind: choice("oidc", "saml"), recipient: optional(STRING) }),
    ),
    answer: (_, { humans }) => humans.logins(),
  }),
  json({
    method: "POST",
    path: "/v1/login/code",
    summary: "Begin to sign in by a browser on the same host",
    roles: ANYBODY,
    signsIn: "code",
    body: record<{ login?: string; redirectUri: string }>({ login: optional(NAME), redirectUri: LOOPBACK }),
    gives: named<CodeSignIn>("CodeSignIn", { flow: STRING, login: STRING, url: STRING, endsMs: MOMENT }),
    answer: ({ body, caller }, { humans }) => humans.beginCode(body, caller),
  }),
  json({
    method: "POST",
    path: "/v1/login/code/end",
    summary: "End it with what the browser brought back",
    roles: ANYBODY,
    signsIn: "code",
    body: record<BroughtBack>({ code: OPAQUE, state: SHORT, iss: optional(SHORT), flow: optional(SHORT) }),
    gives: SESSION_BEGUN,
    answer: ({ body, caller }, { humans }) => humans.endCode(body, caller),
  }),
  json({
    method: "POST",
    path: "/v1/login/saml",
    summary: "Begin to sign in at a SAML identity provider by a browser",
    roles: ANYBODY,
    body: record<{ login?: string }>({ login: optional(NAME) }),
    gives: named<SamlSignIn>("SamlSignIn", {
      login: STRING,
      url: STRING,
      relayState: STRING,
      endsMs: MOMENT,
    }),
    answer: ({ body, caller }, { humans }) => humans.beginSaml(body, caller),
  }),
  json({
    method: "POST",
    path: "/v1/login/saml/end",
    summary: "End it with the response that the browser posted",
    roles: ANYBODY,
    body: record<SamlBroughtBack>({
      response: text({ minLength: 1, maxLength: SAML_BYTES_MAX }),
      relayState: SHORT,
    }),
    gives: SESSION_BEGUN,
    answer: ({ body, caller }, { humans }) => humans.endSaml(body, caller),
  }),
  json({
    method: "POST",
    path: "/v1/login/device",
    summary: "Begin to sign in by a browser anywhere",
    roles: ANYBODY,
    signsIn: "device",
    body: record<{ login?: string }>({ login: optional(NAME) }),
    gives: named<DeviceCode>("DeviceCode", {
      flow: STRING,
      login: STRING,
      code: STRING,
      url: STRING,
      completeUrl: optional(STRING),
      endsMs: MOMENT,
    }),
    answer: ({ body, caller }, { humans }) => humans.beginDevice(body, caller),
  }),
  json({
    method: "POST",
    path: "/v1/login/device/end",
    summary: "Wait a while for the person there; nothing: not yet",
    roles: ANYBODY,
    signsIn: "device",
    body: record<{ flow: string }>({ flow: SHORT }),
    gives: union(SESSION_BEGUN, NOTHING),
    answer: async ({ body, caller }, { humans }) => (await humans.endDevice(body.flow, caller)) ?? {},
  }),
  json({
    method: "POST",
    path: "/v1/logout",
    summary: "End the session that is shown",
    roles: ANYBODY,
    gives: record<{ ended: boolean }>({ ended: BOOLEAN }),
    answer: async ({ caller }, { humans }) => ({ ended: await humans.logOut(caller) }),
  }),
  json({
    method: "GET",
    path: "/v1/whoami",
    summary: "Who the daemon takes the caller for",
    roles: ANYBODY,
    gives: named<Who>("Who", WHO_KEYS),
    answer: ({ caller }, { humans }) => humans.who(caller),
  }),
  json({
    method: "GET",
    path: "/v1/humans",
    summary: "Sessions of humans who have signed in",
    roles: AUDITORS,
    gives: list(HUMAN_SESSION),
    answer: (_, { humans }) => humans.sessions(),
  }),
  json({
    method: "POST",
    path: "/v1/humans/revoke",
    summary:
      "End all sessions, API tokens and delegations of a human, or one session; approvals of theirs count no more",
    roles: ADMINS,
    body: record<{ who: string }>({ who: SHORT }),
    gives: record<HumanRevoked>({ sessions: COUNT, tokens: COUNT, delegations: COUNT, approvals: COUNT }),
    answer: ({ body, caller }, { humans }) => humans.revoke(body.who, caller),
  }),
  json({
    method: "GET",
    path: "/v1/tokens",
    summary: "API tokens of the caller; of everybody for auditors and admins",
    roles: ANYBODY,
    gives: list(named<ApiTokenListing>("ApiToken", API_TOKEN_KEYS)),
    answer: ({ caller }, { humans }) => humans.tokens(caller),
  }),
  json({
    method: "POST",
    path: "/v1/tokens",
    summary: "Make one; its secret is told once",
    roles: ANYBODY,
    body: record<ApiTokenRequest>({
      name: NAME,
      roles: { ...list(choice(...ROLES), { minItems: 1, maxItems: ROLES.length }), uniqueItems: true } as Schema<
        readonly Role[]
      >,
      forMs: integer(1),
    }),
    gives: named<ApiTokenListing & { readonly secret: string }>("ApiTokenMade", { ...API_TOKEN_KEYS, secret: STRING }),
    answer: ({ body, caller }, { humans }) => humans.makeToken(body, caller),
  }),
  json({
    method: "DELETE",
    path: "/v1/tokens/:id",
    summary: "End one of the caller's; of anybody's for admins",
    roles: ANYBODY,
    gives: NOTHING,
    async answer({ path, caller }, { humans }) {
      if (await humans.revokeToken(path.id, caller)) return {};
      throw unknownThing("API_TOKEN_UNKNOWN", "Cannot find that API token", "List them: sallyport tokens");
    },
  }),
  json({
    method: "POST",
    path: "/v1/break-glass",
    summary: "Be admin for a while, with a reason and an alarm",
    roles: ["break-glass"],
    body: record<{ reason: string }>({ reason: WORDS }),
    gives: BROKEN_GLASS,
    answer: ({ body, caller }, { humans }) => humans.breakGlass(body.reason, caller),
  }),
  json({
    method: "GET",
    path: "/v1/break-glass",
    summary: "Broken glass that waits for a review; all: also what was reviewed",
    roles: AUDITORS,
    query: record<{ all?: "1" }>({ all: optional(FLAG) }),
    gives: list(BROKEN_GLASS),
    answer: ({ query }, { humans }) => humans.brokenGlass({ all: query.all !== undefined }),
  }),
  json({
    method: "POST",
    path: "/v1/break-glass/:id/review",
    summary: "Review one of somebody else's",
    roles: AUDITORS,
    body: record<{ comment: string }>({ comment: WORDS }),
    gives: BROKEN_GLASS,
    answer: ({ path, body, caller }, { humans }) => humans.reviewGlass(path.id, body.comment, caller),
  }),
];
