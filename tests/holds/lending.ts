/**
 * Held actions, humans and delegations of one daemon over a real database, through the ports that the API calls; clocks, groups
 * and people are the test's.
 */
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { DelegationListing, DelegationRequest } from "../../src/control/delegation-ports.ts";
import type { Caller } from "../../src/control/ports.ts";
import { approvalPorts } from "../../src/daemon/ports/approvals.ts";
import { personOf } from "../../src/daemon/ports/callers.ts";
import { delegationPorts } from "../../src/daemon/ports/delegations.ts";
import type { PortParts } from "../../src/daemon/ports/parts.ts";
import { voteNow } from "../../src/daemon/vote-now.ts";
import type { Hold } from "../../src/holds/hold.ts";
import { Humans } from "../../src/identity/humans/humans.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { Demand } from "../../src/model/hold.ts";
import type { Human } from "../../src/model/human.ts";
import { openStore } from "../../src/store/store.ts";
import { SAMPLE_ORIGIN } from "../kit/policy.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";
import { demand, request, world } from "./kit.ts";
import { accounts, CALLERS, GROUPS, human, LOGINS, MAPPED, signedIn, user } from "./people.ts";

/** Users of the host: ada and ben are of sre, eve and fay of nothing. */
const UIDS: Readonly<Record<string, number>> = { root: 0, ada: 2001, ben: 2002, eve: 2005, fay: 2006, ops: 2008 };
export const [BEN, EVE, FAY, OPS] = [user(2002), user(2005), user(2006), user(2008)];
export const ROOT = user(0);
/** Of corp:sre and sre; of no group that rules ask for; of the group that has the role admin, and no other. */
export const ADA = signedIn(human("corp", "ada"));
export const DORA = signedIn(human("corp", "dora"));
export const CYD = signedIn(human("corp", "cyd"));
export const GIL = signedIn({ ...human("corp", "gil"), groups: ["corp:sales"] });
export const OMA = signedIn({ ...human("corp", "oma"), groups: ["corp:ops"] });
export const humanOf = ({ acting }: Caller): Human => {
  if (acting === undefined) throw new Error("Nobody has signed in");
  return acting.human;
};

const ROLES = { member: ["corp:sales"], reviewer: ["corp:sre"], admin: ["corp:ops"] };

interface Asking {
  readonly demands?: readonly Demand[];
  /** Who made the agent; nobody is barred by root. */
  readonly startedBy?: Caller;
  /** Of the process that connected. */
  readonly uid?: number;
  readonly reuseMs?: number;
}

export async function lending(t: TestContext) {
  const store = await openStore(join(folder(t), "state"), quietLog());
  t.after(() => store.close());
  const clock = handClock();
  let [upMs, bootId] = [1_000_000, "boot-1"];
  const groups = new Map(Object.entries(GROUPS).map(([uid, names]) => [Number(uid), new Set(names)]));
  for (const { uid } of [EVE, FAY, OPS]) groups.set(Number(uid), new Set(["users"]));
  const events: AuditEvent[] = [];
  let tagged: readonly string[] = [];

  /** A daemon; another one finds what the former one has kept. */
  const begin = async () => {
    const groupsOf = async (uid: number) => groups.get(uid) ?? new Set<string>();
    const humans = new Humans({
      ...{ store: store.humans, clock, bootId, groupsOf, loginUidOf: CALLERS.loginUidOf },
      ...{ emit: (event) => void events.push(event), readSecret: async () => Buffer.alloc(0) },
      ...{ bootNs: () => BigInt(upMs) * 1_000_000n, withdrawLent: (id, reason) => made.holds.withdrawLent(id, reason) },
      users: { first: (name) => UIDS[name], now: async (name) => UIDS[name] },
      withdraw: (isTheirs, reason) => made.holds.withdraw(isTheirs, reason),
    });
    t.after(() => humans.close());
    humans.configure({ logins: LOGINS, people: MAPPED, roles: ROLES });
    await humans.restore();
    const { delegations, people } = humans;
    const lentTo = (own: readonly string[]) => delegations.lentTo(own);
    const uidOf = async (name: string) => UIDS[name];
    const known = { people: MAPPED, humans, humansOf: people.humansOf, uidOf, groupsOf, lentTo };
    const made = await world(t, {
      ...{ clock, humansOf: people.humansOf, standing: delegations.loan, emit: (event) => void events.push(event) },
      ...{ lookAt: (ids) => delegations.look(ids), taggedBy: () => tagged, loginUidOf: CALLERS.loginUidOf },
      voteNow: (vote) => voteNow(vote, known),
    });
    delegations.watch((group) => made.holds.retell(group));
    const parts = {
      ...{ ...CALLERS, groupsOf, clock, humans, holds: made.holds },
      ...{ lentTo, uidOf },
    } as unknown as PortParts;
    return { humans, holds: made.holds, approvals: approvalPorts(parts), delegations: delegationPorts(parts), parts };
  };
  let now = await begin();
  for (const one of [ADA, DORA, CYD, GIL, OMA]) await now.humans.people.met(humanOf(one));

  return {
    ...{ clock, groups, events, store },
    daemon: () => now,
    /** The wall clock and the clock since boot. */
    pass: (ms: number) => {
      clock.advance(ms);
      upMs += ms;
    },
    /** As the next daemon, in the same boot of the host or another one. */
    restart: async (how: "daemon" | "host" = "daemon") => {
      if (how === "host") [upMs, bootId] = [1_000, "boot-2"];
      now = await begin();
    },
    open({ demands = [demand()], startedBy, uid = 0, reuseMs = 0 }: Asking = {}): Hold {
      tagged = startedBy === undefined ? [] : accounts(startedBy);
      return now.holds.open(
        request({ terms: { demands, reuseMs }, changes: { origin: { ...SAMPLE_ORIGIN, pid: 1, uid } } }),
      );
    },
    lend: (by: Caller, to: string, more: Partial<DelegationRequest> = {}): Promise<DelegationListing> =>
      now.delegations.make({ group: "sre", to, forMs: 3_600_000, ...more }, by),
    end: (id: string, by: Caller) => now.delegations.end(id, by),
    person: (caller: Caller) => personOf(caller, now.parts),
    /** The code of its refusal, or the state that it came to. */
    vote: (hold: Hold, by: Caller, how: "approve" | "deny" = "approve", forMs?: number): Promise<string> =>
      now.approvals[how](hold.id, forMs === undefined ? {} : { forMs }, by).then(
        ({ state }) => state,
        ({ code }: { readonly code: string }) => code,
      ),
    told: (kind: string) => events.filter((event) => event.kind === kind).map(({ fields }) => fields),
  };
}

export type Lending = Awaited<ReturnType<typeof lending>>;
