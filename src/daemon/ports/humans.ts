/** What the API may ask about humans, bound to identity/humans. Decides who may see and end what. */
import type {
  ApiTokenListing,
  BrokenGlassListing,
  HumanPorts,
  HumanSessionListing,
  SessionBegun,
  Who,
} from "../../control/human-ports.ts";
import type { Caller, ControlPorts } from "../../control/ports.ts";
import type { ApiToken } from "../../identity/humans/api-tokens.ts";
import type { BrokenGlass } from "../../identity/humans/glass.ts";
import type { Begun } from "../../identity/humans/humans.ts";
import type { HumanSession } from "../../identity/humans/sessions.ts";
import { userFields } from "../../model/event.ts";
import type { Human } from "../../model/human.ts";
import { accountsOf, callerFields, personOf } from "./callers.ts";
import type { PortParts } from "./parts.ts";

/** Over a socket, pid and uid of its peer are added. */
export function authenticator({ humans }: PortParts): NonNullable<ControlPorts["authenticate"]> {
  return async (bearer, shownBy) => {
    const acting = await humans.authenticate(bearer, shownBy);
    return acting && { roles: acting.roles, pid: undefined, uid: undefined, acting };
  };
}

export function humanPorts(parts: PortParts): HumanPorts {
  const { humans } = parts;
  return {
    logins: async () =>
      humans.logins().map((login) => ({
        ...{ name: login.name, kind: login.kind },
        ...(login.kind === "saml" ? { recipient: login.recipient } : {}),
      })),
    beginCode: ({ login, redirectUri }, caller) => humans.beginCode(login, redirectUri, caller),
    endCode: async ({ code, state, iss, flow }, caller) => {
      const query = new URLSearchParams({ code, state, ...(iss === undefined ? {} : { iss }) });
      return begunOf(await humans.endCode(query, caller, flow));
    },
    beginSaml: ({ login }, caller) => humans.beginSaml(login, caller),
    endSaml: async ({ response, relayState }, caller) => begunOf(await humans.endSaml(response, relayState, caller)),
    beginDevice: ({ login }, caller) => humans.beginDevice(login, caller),
    endDevice: async (flow, caller) => {
      const begun = await humans.endDevice(flow, caller);
      return begun && begunOf(begun);
    },
    logOut: async (caller) => {
      const by = caller.acting?.by;
      return by?.kind === "session" && (await humans.logOut(by.id, callerFields(caller)));
    },
    who: async (caller) => whoIs(caller, parts),
    sessions: async () => humans.sessions().map(sessionListing),
    revoke: (who, caller) => humans.revoke(who, callerFields(caller)),
    tokens: async (caller) => {
      const seesAll = caller.roles.has("admin") || caller.roles.has("auditor");
      const tokens = humans.tokens().filter(({ account }) => seesAll || account === caller.acting?.human.account);
      return tokens.map(tokenListing);
    },
    makeToken: async (request, caller) => {
      const { secret, token } = await humans.makeToken(request, caller.acting, callerFields(caller));
      return { ...tokenListing(token), secret };
    },
    revokeToken: async (id, caller) => {
      const token = humans.tokens().find((one) => one.id === id);
      if (!caller.roles.has("admin") && token?.account !== caller.acting?.human.account) return false;
      return humans.revokeToken(id, callerFields(caller));
    },
    breakGlass: async (reason, caller) =>
      glassListing(await humans.breakGlass(reason, caller.acting, callerFields(caller))),
    brokenGlass: async ({ all }) =>
      humans
        .brokenGlass()
        .filter(({ review }) => all || review === undefined)
        .map(glassListing),
    reviewGlass: async (id, comment, caller) => {
      const { user, uid } = await personOf(caller, parts);
      const accounts = accountsOf(caller, parts.loginUidOf);
      const reviewer = { name: user === "" ? `uid ${uid}` : user, accounts };
      return glassListing(await humans.reviewGlass(id, comment, reviewer, callerFields(caller)));
    },
  };
}

function whoIs({ uid, roles, acting }: Caller, { humans, userOf }: PortParts): Who {
  if (acting === undefined) {
    if (uid === undefined) throw new Error("Cannot tell who asks: neither a process nor a human");
    return { name: userOf(uid) || `uid ${uid}`, roles: [...roles], uid };
  }
  const { human, by, glassUntilMs } = acting;
  const all: readonly { readonly id: string; readonly endsMs: number }[] =
    by.kind === "session" ? humans.sessions() : humans.tokens();
  const endsMs = all.find(({ id }) => id === by.id)?.endsMs;
  return {
    ...{ name: human.name, roles: [...roles], account: human.account, groups: human.groups, by: by.kind },
    ...userFields(uid),
    ...(endsMs === undefined ? {} : { endsMs }),
    ...(glassUntilMs === undefined ? {} : { glassUntilMs }),
  };
}

function begunOf({ secret, session, human, roles }: Begun): SessionBegun {
  const { account, name, groups } = human;
  const who = {
    name,
    roles: [...roles],
    ...userFields(session.uid),
    account,
    groups,
    by: "session",
    endsMs: session.endsMs,
  } as const;
  return { ...who, secret };
}

function sessionListing(session: HumanSession & { readonly human: Human | undefined }): HumanSessionListing {
  const { id, account, human, uid, beganMs, usedMs, endsMs, glass } = session;
  return {
    ...{ id, account, name: human?.name ?? account, ...userFields(uid), beganMs, usedMs, endsMs },
    ...(glass === undefined ? {} : { glassUntilMs: glass.untilMs }),
  };
}

function tokenListing({ id, name, account, roles, madeMs, endsMs, usedMs }: ApiToken): ApiTokenListing {
  return { id, name, account, roles, madeMs, endsMs, ...(usedMs === undefined ? {} : { usedMs }) };
}

function glassListing({ id, account, name, reason, sinceMs, untilMs, review }: BrokenGlass): BrokenGlassListing {
  return { id, account, name, reason, sinceMs, untilMs, ...(review === undefined ? {} : { review }) };
}
