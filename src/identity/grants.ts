/**
 * Which connections an agent may reach at this moment, by grants of the settings and by those that people gave. Ends what
 * was let in by one that is over. Judges no action.
 */
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { type AuditEvent, type Doer, type EventFields, userFields } from "../model/event.ts";
import { covers, type GrantTerms } from "../model/grant.ts";
import type { Agent } from "../model/identity.ts";
import type { GrantStore } from "../store/grants.ts";
import type { Tag } from "../store/tags.ts";
import type { Now } from "./deadline.ts";
import { type Gift, GivenGrants } from "./given-grants.ts";
import { connectionWords, grantFields, type Holding, OVER } from "./holding.ts";
import { SettingsGrants } from "./settings-grants.ts";

/** What goes on by a grant; a session is one. */
export interface Flow {
  readonly agent: Agent;
  readonly origin: { readonly tagCgroupId: bigint };
  readonly connection: { readonly name: string };
  expel(reason: string): void;
}

export interface GrantsParts {
  readonly clock: Clock;
  /** CLOCK_BOOTTIME in nanoseconds, and the boot that it counts from. */
  readonly bootNs: () => bigint;
  readonly bootId: string;
  readonly store: GrantStore;
  readonly emit: (event: AuditEvent) => void;
  readonly agents: {
    list(): readonly Tag[];
    byId(cgroupId: bigint): Tag | undefined;
    agentOf(slot: number, cgroupId: bigint): Agent | undefined;
  };
  /** The kernel has tagged it, and its tag here comes a moment later. */
  readonly isBorn: (cgroupId: bigint) => boolean;
  readonly flows: () => readonly Flow[];
}

/** Who ended one, and why. */
type By = Doer & {
  /** "" without one. */
  readonly reason: string;
};

export class Grants {
  readonly #parts: GrantsParts;
  readonly #settings: SettingsGrants;
  readonly #given: GivenGrants;

  constructor(parts: GrantsParts) {
    this.#parts = parts;
    this.#settings = new SettingsGrants((slot, cgroupId) => parts.agents.agentOf(slot, cgroupId));
    this.#given = new GivenGrants(parts.store, parts.bootId);
  }

  /** Undefined: the settings ask for no grants, and rules alone decide. */
  configure(terms: readonly GrantTerms[] | undefined): void {
    this.#settings.configure(terms, this.#now());
  }

  /** Takes up what was given under a former daemon, before anything is listened to. */
  async restore(): Promise<void> {
    await this.#given.restore(this.#now());
  }

  /** Those of the settings; undefined: agents need none. */
  get terms(): readonly GrantTerms[] | undefined {
    return this.#settings.terms;
  }

  /** Why an agent may not reach a connection; undefined: a grant of its covers that, or none is asked for. */
  refusal(agent: Agent, cgroupId: bigint, connection: string): string | undefined {
    if (this.terms === undefined) return undefined; // the clock since boot is a file
    return this.#refusal(agent, cgroupId, connection, [], this.#now());
  }

  /** What the agent in a cgroup has, in force or not. */
  heldBy(tag: Tag): readonly Holding[] {
    const now = this.#now();
    return [...this.#settings.heldBy(tag, now), ...this.#given.heldBy(tag.agent, now)];
  }

  /** What everybody who is tagged has by the settings, in force or not. */
  ofSettings(): readonly Holding[] {
    const now = this.#now();
    return this.#parts.agents.list().flatMap((tag) => this.#settings.heldBy(tag, now));
  }

  /** What people gave, oldest first; also what has ended, as long as it is remembered. */
  given(): readonly Holding[] {
    return this.#given.all(this.#now());
  }

  /** Throws GRANTS_OFF, GRANT_TIME, GRANTS_FULL. */
  async give(gift: Gift, by: Doer = userFields(gift.uid)): Promise<Holding> {
    if (this.terms === undefined) {
      const message = `Cannot give ${gift.agent} a grant: the settings have none, so that rules alone decide`;
      const remedy = "Write `grants: []` into the settings and reload: then agents need one";
      throw new UserError("GRANTS_OFF", message, remedy);
    }
    const holding = await this.#given.give(gift, this.#now());
    const { grant, agent, connections, sinceMs } = holding;
    const message = `Grant ${grant} lets ${agent} reach ${connectionWords(connections)}, as far as rules allow`;
    const fields = { ...grantFields(holding), ...byFields({ ...by, reason: gift.reason }) };
    this.#parts.emit({ atMs: sinceMs, kind: "grant.given", agent, message, fields });
    return holding;
  }

  /** By a person. Undefined: nobody gave one by that id, or it has ended. */
  async end(id: string, by: By): Promise<Holding | undefined> {
    const [ended] = await this.#end(({ grant }) => grant === id, OVER.byPerson, by);
    return ended;
  }

  /** Every one that was given to an agent, with its revocation. Returns how many. */
  async endAll(agent: string, by: By): Promise<number> {
    return (await this.#end((holding) => holding.agent === agent, OVER.revoked, by)).length;
  }

  /** Ends what is over, and what it alone had let in. Called several times a second. */
  async review(): Promise<void> {
    await this.#end(({ over }) => over !== undefined, OVER.expired);
  }

  /** What was let in ends before anything is written: the disk may be full. */
  async #end(isChosen: (holding: Holding) => boolean, why: string, by?: By) {
    const now = this.#now();
    const who = by === undefined ? {} : { ...userFields(by.uid), reason: by.reason };
    const { ended, keep } = this.#given.end(isChosen, { why, ...who }, now);
    const ofSettings = this.#settings.endedAmong(this.#parts.agents.list(), now);
    for (const holding of ended) this.#tellEnd(holding, now, by === undefined ? {} : byFields(by));
    for (const holding of ofSettings) this.#tellEnd(holding, now, {});
    this.#expel([...ended, ...ofSettings], now);
    await keep();
    return ended;
  }

  /** `ended`: a moment ago, to be named as the reason. */
  #expel(ended: readonly Holding[], now: Now): void {
    if (this.terms === undefined) return;
    const known = new Map<string, string | undefined>(); // many flows are of one agent to one connection
    for (const flow of this.#parts.flows()) {
      const { agent, origin, connection } = flow;
      const key = `${agent.slot} ${origin.tagCgroupId} ${connection.name}`;
      if (!known.has(key)) known.set(key, this.#refusal(agent, origin.tagCgroupId, connection.name, ended, now));
      const why = known.get(key);
      if (why !== undefined) flow.expel(why);
    }
  }

  #refusal(
    agent: Agent,
    cgroupId: bigint,
    connection: string,
    ended: readonly Holding[],
    now: Now,
  ): string | undefined {
    if (this.terms === undefined) return undefined;
    const tag = this.#tagOf(agent, cgroupId, now);
    if (tag === undefined) return "its grants have ended with its tag";
    const fitting = ({ agent: name, connections, tag: of = tag }: Holding) =>
      name === agent.name && of.cgroupId === cgroupId && covers(connections, connection);
    const held = [...this.#settings.heldBy(tag, now), ...this.#given.heldBy(agent.name, now)].filter(fitting);
    if (held.some(({ over }) => over === undefined)) return undefined;
    const last = ended.find(fitting) ?? held.findLast(({ over }) => over !== OVER.unmet) ?? held[0];
    if (last === undefined) return `no grant of ${agent.name} covers connection ${connection}`;
    return `its grant ${last.grant} ${last.over}`;
  }

  /** What was born a moment ago has its whole time before it. */
  #tagOf({ slot, name }: Agent, cgroupId: bigint, { nowMs }: Now): Tag | undefined {
    const tag = this.#parts.agents.byId(cgroupId);
    if (tag !== undefined) return tag.slot === slot ? tag : undefined;
    if (!this.#parts.isBorn(cgroupId)) return undefined;
    const nothing = { cgroup: "", runId: undefined, matcher: "", container: "", startedBy: [] };
    return { ...nothing, cgroupId, agent: name, slot, kind: "match", uid: 0, createdMs: nowMs };
  }

  #tellEnd(holding: Holding, { nowMs }: Now, by: EventFields): void {
    const { grant, agent, tag, over = "" } = holding;
    const of: EventFields = tag === undefined ? {} : { cgroup: tag.cgroup, cgroupId: tag.cgroupId.toString() };
    const fields = { ...grantFields(holding), why: over, ...of, ...by };
    const message = `Grant ${grant} of ${agent} ${over}`;
    this.#parts.emit({ atMs: nowMs, kind: "grant.ended", agent, message, fields });
  }

  #now(): Now {
    return { nowMs: this.#parts.clock.nowMs(), bootNs: this.#parts.bootNs() };
  }
}

function byFields({ reason, ...doer }: By): EventFields {
  return { ...doer, ...(reason === "" ? {} : { reason }) };
}
