/** Humans with several accounts, and callers as the API gives them, for tests of who may answer. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Caller } from "../../src/control/ports.ts";
import { accountsOf, personOf } from "../../src/daemon/ports/callers.ts";
import type { Person } from "../../src/holds/entitled.ts";
import { People, type Users } from "../../src/identity/humans/people.ts";
import type { Acting, Human, OidcLogin } from "../../src/model/human.ts";
import type { Role } from "../../src/model/role.ts";
import { openStore } from "../../src/store/store.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

const CORP = "https://corp.example";
const HUB = "https://hub.example";

const login = (name: string, url: string): OidcLogin => ({
  ...{ kind: "oidc", name, url, clientId: "c", algorithms: ["ES256"], scopes: ["openid"], groups: { claim: "groups" } },
  ...{ subject: "sub", displayName: "name", idleMs: 1, lastsMs: 1 },
});

/** Two clients of one issuer, and another issuer. */
export const LOGINS = [login("corp", CORP), login("desk", CORP), login("hub", HUB)];
/** Who logged in before sudo, by pid. */
const LOGGED_IN: Readonly<Record<number, number>> = { 901: 2001, 902: 2002 };
/** Whom the settings map. */
export const MAPPED = [{ name: "ada", accounts: ["corp:ada", "hub:ada-at-hub", "unix:ada", "unix:3001"] }];
/** Unix groups, by uid. */
export const GROUPS: Readonly<Record<number, readonly string[]>> = {
  2001: ["sre"],
  2002: ["sre"],
  2003: ["sre"],
  2009: ["corp:sre"],
  3001: ["sre"],
};

export const CALLERS = {
  userOf: (uid: number) => (uid === 0 ? "root" : `user${uid}`),
  groupsOf: async (uid: number) => new Set(GROUPS[uid] ?? []),
  loginUidOf: (pid: number) => LOGGED_IN[pid],
  lentTo: async () => [],
};

export const human = (name: string, sub: string): Human => {
  const issuer = LOGINS.find((one) => one.name === name)?.url ?? "";
  return { account: `${name}:${sub}`, login: name, name: sub, issuer, sub, groups: ["sre", `${name}:sre`] };
};

/** Over the network unless told. */
export const signedIn = (who: Human, how: { uid?: number; pid?: number; by?: "token"; glass?: true } = {}): Caller => {
  const { uid, pid, by, glass } = how;
  const roles: ReadonlySet<Role> = new Set(["reviewer"]);
  const way = by === "token" ? { kind: by, id: "t" } : ({ kind: "session", id: "s", uid } as const);
  const acting: Acting = { human: who, roles, by: way, ...(glass === true ? { glassUntilMs: 1 } : {}) };
  return { roles, uid, pid, acting };
};
export const user = (uid: number, pid = 1): Caller => ({ roles: new Set([uid === 0 ? "admin" : "member"]), uid, pid });

export const person = (caller: Caller): Promise<Person> => personOf(caller, CALLERS);
export const accounts = (caller: Caller): readonly string[] => accountsOf(caller, CALLERS.loginUidOf);
/** As main.ts tells it of an agent that has shown a token. */
export const tokenOf = (issuer: "corp" | "hub", sub: string): readonly string[] => [
  `${issuer === "corp" ? CORP : HUB} ${sub}`,
];

/**
 * Mapped: ada is corp:ada, hub:ada-at-hub, user 3001 and user 2001. Nobody has mapped dora and ben; dora has signed in as user
 * 2003, ada as 2004.
 */
export async function people(t: TestContext, users?: Users, clock = handClock()): Promise<People> {
  const store = await openStore(join(folder(t), "state"), quietLog());
  t.after(() => store.close());
  const found = new People({
    store: store.humans,
    clock,
    users: users ?? { first: (name) => (name === "ada" ? 2001 : undefined), now: async () => undefined },
  });
  found.configure(LOGINS, MAPPED);
  for (const known of [human("corp", "ada"), human("corp", "dora"), human("corp", "ben")]) await found.met(known);
  await found.tie(2003, "corp:dora");
  await found.tie(2004, "corp:ada");
  return found;
}
