/** Humans over a database of the test's own, at a real issuer whose pages are walked, with a clock that the test moves. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type HumanConfiguration, Humans } from "../../src/identity/humans/humans.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { OidcLogin } from "../../src/model/human.ts";
import { openStore } from "../../src/store/store.ts";
import { CLIENT_ID, CLIENT_SECRET, type HumanIssuer } from "../kit/human-issuer.ts";
import { Walker } from "../kit/walker.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

export const loginAt = (issuer: HumanIssuer, changes: Partial<OidcLogin> = {}): OidcLogin => ({
  ...{ kind: "oidc", name: "corp", url: issuer.url, clientId: CLIENT_ID, algorithms: ["ES256"], ca: issuer.ca },
  ...{
    scopes: ["openid", "profile", "offline_access"],
    groups: { claim: "groups" },
    subject: "sub",
    displayName: "name",
  },
  ...{ idleMs: 900_000, lastsMs: 43_200_000, ...changes },
});
export const ROLES = { reviewer: ["corp:sre"], auditor: ["corp:audit"], "break-glass": ["corp:oncall"] } as const;
export const REDIRECT = "http://127.0.0.1:4711/callback";
export const ASKING = { uid: 2001, pid: 7 };
/** By sudo, of user 2002. */
export const SUDO = { uid: 0, pid: 902 };
const loginUidOf = (pid: number) => (pid === SUDO.pid ? 2002 : undefined);

export async function humansAt(issuer: HumanIssuer, t: TestContext, changes: Partial<HumanConfiguration> = {}) {
  // the issuer lives by the real clock
  const clock = handClock(Date.now());
  const world = await humansBy({ logins: [loginAt(issuer)], people: [], roles: ROLES, ...changes }, t, clock);
  /** By the code flow. */
  const signIn = async (sub: string, by = world.humans, at = issuer, asking = ASKING) => {
    const { url } = await by.beginCode(undefined, REDIRECT, asking);
    return by.endCode(new URL(await new Walker(at.ca).signIn(url, sub)).searchParams, asking);
  };
  return { ...world, signIn };
}

export async function humansBy(configuration: HumanConfiguration, t: TestContext, clock: ReturnType<typeof handClock>) {
  const store = await openStore(join(folder(t), "state"), quietLog());
  t.after(() => store.close());
  const events: AuditEvent[] = [];
  /** What was withdrawn: why, and of these votes which. */
  const withdrawn: string[] = [];
  const votes: { accounts: string[]; by?: string }[] = [
    { accounts: ["corp:ada"] },
    { accounts: ["corp:ben"] },
    { accounts: ["unix:2001"] },
  ];
  const begin = async () => {
    const humans = new Humans({
      ...{
        store: store.humans,
        clock,
        users: { first: () => undefined, now: async () => undefined },
        loginUidOf,
        groupsOf: async () => new Set<string>(),
        bootNs: () => BigInt(clock.nowMs()) * 1_000_000n,
        bootId: "b1",
        emit: (event: AuditEvent) => void events.push(event),
      },
      withdraw: (isTheirs, reason) => {
        const theirs = votes.filter(isTheirs);
        withdrawn.push(...theirs.map(({ accounts }) => `${accounts[0]}: ${reason}`));
        return theirs.length;
      },
      withdrawLent: () => 0,
      readSecret: async () => Buffer.from(CLIENT_SECRET),
    });
    t.after(() => humans.close());
    humans.configure(configuration);
    await humans.restore();
    return humans;
  };
  const humans = await begin();
  return { humans, begin, clock, events, kinds: () => events.map(({ kind }) => kind), store, votes, withdrawn };
}
