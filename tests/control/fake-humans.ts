/** Humans for the API over ports that only remember: who shows which secret, and what is answered about them. */
import { UserError } from "../../src/base/errors.ts";
import type { ApiTokenListing, BrokenGlassListing, HumanPorts, Who } from "../../src/control/human-ports.ts";
import type { Caller } from "../../src/control/ports.ts";
import { userFields } from "../../src/model/event.ts";
import type { Acting, Human } from "../../src/model/human.ts";
import type { Role } from "../../src/model/role.ts";

export const ADA: Human = {
  ...{ account: "corp:ada", login: "corp", name: "Ada Lovelace", issuer: "https://corp.example", sub: "ada" },
  groups: ["corp:sre"],
};
const acting = (roles: readonly Role[], by: Acting["by"]): Acting => ({ human: ADA, roles: new Set(roles), by });

/** By the secret that is shown. Sessions are of root's process. */
export const ACTING: Readonly<Record<string, Acting>> = {
  reviewer: acting(["reviewer"], { kind: "session", id: "5e55", uid: 0 }),
  auditor: acting(["auditor"], { kind: "session", id: "5e55", uid: 0 }),
  admin: acting(["admin"], { kind: "session", id: "5e55", uid: 0 }),
  glass: acting(["break-glass"], { kind: "session", id: "5e55", uid: 0 }),
  nothing: acting([], { kind: "token", id: "70cc" }),
  token: acting(["auditor"], { kind: "token", id: "70cc" }),
};

/** Who shows an API token of a human called so. */
export function callerCalled(name: string, ...roles: readonly Role[]): Caller {
  const human = { ...ADA, account: `corp:${name}`, name, sub: name };
  const all = new Set(roles);
  return { roles: all, pid: undefined, uid: undefined, acting: { human, roles: all, by: { kind: "token", id: name } } };
}

const TIMES = { endsMs: 1_700_000_900_000 } as const;
const TOKEN: ApiTokenListing = {
  ...{ id: "70cc", name: "nightly", account: ADA.account, roles: ["auditor"] },
  ...{ madeMs: 1_700_000_000_000, ...TIMES },
};
const BROKEN: BrokenGlassListing = {
  ...{ id: "b1", account: ADA.account, name: ADA.name, reason: "the pager\u001b[2J", sinceMs: 1_700_000_000_000 },
  untilMs: TIMES.endsMs,
};

export function fakeHumans(note: (...call: unknown[]) => void): HumanPorts {
  const { account, groups, name } = ADA;
  const who: Who = { name, account, groups, roles: ["reviewer"], uid: 0, by: "session", ...TIMES };
  const begun = { ...who, secret: `sps_${"a".repeat(43)}` };
  return {
    logins: async () => [
      { name: "corp", kind: "oidc" },
      { name: "legacy", kind: "saml", recipient: "http://127.0.0.1:7420/saml" },
    ],
    beginSaml: async ({ login }) => {
      note("humans.beginSaml", login);
      const url = "https://corp.example/sso?SAMLRequest=x&RelayState=re1ay";
      return { login: login ?? "legacy", url, relayState: "re1ay", endsMs: Date.now() + 60_000 };
    },
    endSaml: async (brought) => {
      note("humans.endSaml", brought);
      if (brought.response === "bad") throw new UserError("LOGIN_REFUSED", "Cannot sign in", "Again");
      return begun;
    },
    beginCode: async ({ login, redirectUri }) => {
      note("humans.beginCode", login, redirectUri);
      const query = new URLSearchParams({ redirect_uri: redirectUri, state: "st" });
      return { flow: "f0", login: "corp", url: `https://corp.example/auth?${query}`, endsMs: Date.now() + 60_000 };
    },
    endCode: async (brought) => {
      note("humans.endCode", brought);
      if (brought.code === "bad") throw new UserError("LOGIN_REFUSED", "Cannot sign in", "Again");
      return begun;
    },
    beginDevice: async ({ login }) => {
      note("humans.beginDevice", login);
      return {
        flow: "f1",
        login: "corp",
        code: "ABCD-EFGH",
        url: "https://corp.example/device",
        endsMs: Date.now() + 60_000,
      };
    },
    endDevice: async (flow) => {
      note("humans.endDevice", flow);
      return flow === "f1" ? begun : undefined;
    },
    logOut: async ({ acting: by }) => {
      note("humans.logOut");
      return by !== undefined;
    },
    who: async ({ uid, acting: by }) =>
      by === undefined ? { name: "root", roles: ["admin"], ...userFields(uid) } : who,
    sessions: async () => [{ id: "5e55", account, name, uid: 0, beganMs: 1, usedMs: 2, ...TIMES }],
    revoke: async (one) => {
      note("humans.revoke", one);
      return { sessions: 1, tokens: 2, delegations: 0, approvals: 3 };
    },
    tokens: async () => [TOKEN],
    makeToken: async (request) => {
      note("humans.makeToken", request);
      return { ...TOKEN, name: request.name, secret: `spt_${"b".repeat(43)}` };
    },
    revokeToken: async (id) => {
      note("humans.revokeToken", id);
      return id === TOKEN.id;
    },
    breakGlass: async (reason) => {
      note("humans.breakGlass", reason);
      return BROKEN;
    },
    brokenGlass: async () => [BROKEN],
    reviewGlass: async (id, comment) => {
      note("humans.reviewGlass", id, comment);
      return { ...BROKEN, review: { by: "root", atMs: 1, comment } };
    },
  };
}
