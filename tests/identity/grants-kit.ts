/** A world of grants: two clocks that a test moves, a database, tags and flows that it makes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Grants } from "../../src/identity/grants.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import type { GrantTerms } from "../../src/model/grant.ts";
import type { Agent } from "../../src/model/identity.ts";
import type { GrantStore } from "../../src/store/grants.ts";
import { openStore } from "../../src/store/store.ts";
import type { Tag } from "../../src/store/tags.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

export const MINUTE_MS = 60_000;
/** Agents `ci` (slot 1) and `bot`, tagged as the test says; what goes on by grants is what it opens. */
export async function world(t: TestContext) {
  const store = await openStore(join(folder(t), "state"), quietLog());
  t.after(() => store.close());
  const clock = handClock();
  const boot = { ns: 1_000_000_000n, id: "one" };
  /** Both clocks, as time does. */
  const pass = (ms: number) => {
    clock.advance(ms);
    boot.ns += BigInt(ms) * 1_000_000n;
  };
  const events: AuditEvent[] = [];
  const expelled: string[] = [];
  const tags = new Map<bigint, Tag>();
  const born = new Set<bigint>();
  const who = new Map<bigint, Partial<Agent>>();
  const flows: { agent: Agent; cgroupId: bigint; to: string }[] = [];
  const agentOf = (slot: number, cgroupId: bigint): Agent => {
    const name = slot === 1 ? "ci" : "bot";
    return { slot, name, groups: [], claims: {}, ...who.get(cgroupId) };
  };
  const make = (grants: GrantStore = store.grants) =>
    new Grants({
      ...{ clock, bootNs: () => boot.ns, bootId: boot.id, store: grants },
      emit: (event) => events.push(event),
      agents: { list: () => [...tags.values()], byId: (id) => tags.get(id), agentOf },
      isBorn: (id) => born.has(id),
      flows: () =>
        flows.map(({ agent, cgroupId, to }) => ({
          ...{ agent, origin: { tagCgroupId: cgroupId }, connection: { name: to } },
          expel: (why) => void expelled.push(`${agent.name} to ${to}: ${why}`),
        })),
    });
  /** An agent's cgroup, tagged now. */
  const tag = (cgroupId: bigint, agent: "ci" | "bot" = "ci") => {
    const slot = agent === "ci" ? 1 : 2;
    const more = { kind: "tag", runId: undefined, matcher: "", container: "", uid: 0, startedBy: [] } as const;
    tags.set(cgroupId, { cgroupId, cgroup: `/c${cgroupId}`, agent, slot, createdMs: clock.nowMs(), ...more });
    return agentOf(slot, cgroupId);
  };
  const open = (cgroupId: bigint, to: string) => {
    const found = tags.get(cgroupId) ?? assert.fail();
    flows.push({ agent: agentOf(found.slot, cgroupId), cgroupId, to });
  };
  const grants = make();
  return { store, clock, boot, pass, events, expelled, tags, born, who, flows, make, grants, tag, open, agentOf };
}

/** For `ci` to `orders`, half an hour long. */
export function terms(more: Partial<GrantTerms> = {}): GrantTerms {
  const usual = { name: "g", agents: ["ci"], connections: ["orders"], condition: undefined, untilMs: undefined };
  return { ...usual, forMs: 30 * MINUTE_MS, ...more };
}
/** Which grants were told to have ended, and why. */
export const ended = (events: readonly AuditEvent[]) =>
  events.filter(({ kind }) => kind === "grant.ended").map(({ fields }) => [fields?.["grant"], fields?.["why"]]);
