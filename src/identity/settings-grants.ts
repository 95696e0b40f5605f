/** Grants of the settings: each tagged cgroup of their agents has them, from its tag on. Ends no session. */
import type { GrantTerms } from "../model/grant.ts";
import type { Agent } from "../model/identity.ts";
import type { Tag } from "../store/tags.ts";
import { type Deadline, deadlineAt, isPast, type Now } from "./deadline.ts";
import { type Holding, OVER } from "./holding.ts";

export class SettingsGrants {
  readonly #agentOf: (slot: number, cgroupId: bigint) => Agent | undefined;
  #terms: readonly GrantTerms[] | undefined;
  /** By name: `until`, by both clocks. */
  #untils = new Map<string, Deadline>();
  /** By cgroup: when it was tagged, by both clocks. */
  readonly #starts = new Map<bigint, { readonly createdMs: number; readonly bootNs: bigint }>();
  /** Those that were in force when it was looked last. */
  #inForce = new Map<string, Holding>();

  constructor(agentOf: (slot: number, cgroupId: bigint) => Agent | undefined) {
    this.#agentOf = agentOf;
  }

  /** Undefined: agents need none. A reload does not move an end that stays where it was. */
  configure(terms: readonly GrantTerms[] | undefined, now: Now): void {
    const untils = new Map<string, Deadline>();
    for (const { name, untilMs } of terms ?? []) {
      const known = this.#untils.get(name);
      if (untilMs !== undefined) untils.set(name, known?.endsMs === untilMs ? known : deadlineAt(untilMs, now));
    }
    this.#untils = untils;
    this.#terms = terms;
  }

  get terms(): readonly GrantTerms[] | undefined {
    return this.#terms;
  }

  heldBy(tag: Tag, now: Now): readonly Holding[] {
    const own = this.#terms?.filter(({ agents }) => agents.includes(tag.agent)) ?? [];
    const agent = own.length === 0 ? undefined : this.#agentOf(tag.slot, tag.cgroupId);
    if (agent === undefined) return [];
    const start = this.#startOf(tag, now);
    return own.map((terms) => {
      const { name: grant, connections, forMs, untilMs = Number.POSITIVE_INFINITY } = terms;
      const endsMs = Math.min(tag.createdMs + forMs, untilMs);
      const over = this.#whyOver(terms, deadlineAt(start.nowMs + forMs, start), agent, now);
      return { grant, agent: tag.agent, connections, sinceMs: tag.createdMs, endsMs, over, tag };
    });
  }

  /** What was in force when it was looked last and is not any more, of cgroups that are still tagged alike. */
  endedAmong(tags: readonly Tag[], now: Now): readonly Holding[] {
    const present = new Map(tags.map((tag) => [tag.cgroupId, tag]));
    for (const cgroupId of this.#starts.keys()) if (!present.has(cgroupId)) this.#starts.delete(cgroupId);
    const held = new Map(tags.flatMap((tag) => this.heldBy(tag, now)).map((one) => [keyOf(one), one]));
    const before = this.#inForce;
    this.#inForce = new Map([...held].filter(([, { over }]) => over === undefined));
    return [...before].flatMap(([key, holding]) => {
      const isThere = present.get(holding.tag?.cgroupId ?? 0n)?.agent === holding.agent;
      return isThere && !this.#inForce.has(key) ? [held.get(key) ?? { ...holding, over: OVER.removed }] : [];
    });
  }

  #whyOver({ name, condition }: GrantTerms, end: Deadline, agent: Agent, now: Now): string | undefined {
    if (agent.revoked === true) return OVER.revoked;
    if (agent.identity?.state === "over") return OVER.identity;
    const until = this.#untils.get(name);
    if (isPast(end, now) || (until !== undefined && isPast(until, now))) return OVER.expired;
    return condition === undefined || condition.holds(agent, now.nowMs) ? undefined : OVER.unmet;
  }

  /** A tag that replaced another begins anew. */
  #startOf({ cgroupId, createdMs }: Tag, { nowMs, bootNs }: Now): Now {
    const known = this.#starts.get(cgroupId);
    if (known?.createdMs === createdMs) return { nowMs: createdMs, bootNs: known.bootNs };
    const start = bootNs - BigInt(Math.max(0, nowMs - createdMs)) * 1_000_000n;
    this.#starts.set(cgroupId, { createdMs, bootNs: start });
    return { nowMs: createdMs, bootNs: start };
  }
}

/** What an agent has by the settings in the moment in which a cgroup is tagged as it. */
export function heldWhenTagged(all: readonly GrantTerms[], agent: Agent, nowMs: number): readonly Holding[] {
  const own = all.filter(({ agents }) => agents.includes(agent.name));
  return own.map(({ name: grant, connections, forMs, untilMs = Number.POSITIVE_INFINITY, condition }) => {
    const isUnmet = condition !== undefined && !condition.holds(agent, nowMs);
    const over = untilMs <= nowMs ? OVER.expired : isUnmet ? OVER.unmet : undefined;
    const endsMs = Math.min(nowMs + forMs, untilMs);
    return { grant, agent: agent.name, connections, sinceMs: nowMs, endsMs, over };
  });
}

function keyOf({ grant, tag }: Holding): string {
  return `${tag?.cgroupId} ${grant}`;
}
