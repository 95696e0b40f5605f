/** How long an identity lasts: until its time, its cgroup's or its issuer's is over. Ends nothing itself. */
import type { Clock } from "../base/clock.ts";
import type { AgentIdentity } from "../model/identity.ts";
import type { Issuer } from "../model/issuer.ts";
import type { Tag } from "../store/tags.ts";
import { type Deadline, deadlineAt, isPast, type Now } from "./deadline.ts";

export interface LastingWorld {
  readonly clock: Clock;
  /** CLOCK_BOOTTIME in nanoseconds. */
  readonly bootNs: () => bigint;
  readonly isPopulated: (cgroup: string) => boolean;
}

export class Lasting {
  readonly #world: LastingWorld;
  /** By cgroup. */
  readonly #ends = new Map<bigint, Deadline>();
  /** Cgroups in which somebody has lived since they were given their identity. */
  readonly #lived = new Set<bigint>();
  #issuers: ReadonlySet<string> | undefined;

  constructor(world: LastingWorld) {
    this.#world = world;
  }

  /** Whose word still counts. Until this is called, everybody's. */
  keepIssuers(issuers: readonly Pick<Issuer, "name" | "url">[]): void {
    this.#issuers = new Set(issuers.map(({ name, url }) => `${name} ${url}`));
  }

  /**
   * `found`: the tag is of a former daemon, so that its cgroup has had its time to be filled. Of that time only the wall clock
   * knows: where it was set back, the identity lasts no longer than its whole time once more.
   */
  begin({ cgroupId, identity, createdMs }: Tag, from: "made" | "found"): void {
    if (identity === undefined) return;
    const now = this.#now();
    const { endsMs } = identity;
    const { endsNs } = deadlineAt(Math.min(endsMs, now.nowMs + endsMs - createdMs), now);
    this.#ends.set(cgroupId, { endsMs, endsNs });
    if (from === "found") this.#lived.add(cgroupId);
  }

  end(cgroupId: bigint): void {
    this.#ends.delete(cgroupId);
    this.#lived.delete(cgroupId);
  }

  /** At this moment; undefined for a tag without one. */
  stateOf(tag: Tag): AgentIdentity | undefined {
    const { identity } = tag;
    if (identity === undefined) return undefined;
    const state = identity.over !== undefined || this.#isPast(tag.cgroupId) ? "over" : "valid";
    return { state, issuer: identity.issuer, subject: identity.subject };
  }

  /** Why one that was valid is over now; undefined: it lasts. */
  whyOver({ cgroupId, cgroup, identity }: Tag): string | undefined {
    if (identity === undefined || identity.over !== undefined) return undefined;
    if (this.#isPast(cgroupId)) return "its identity has expired";
    if (this.#issuers?.has(`${identity.issuer} ${identity.issuerUrl}`) === false)
      return "its identity has ended: its issuer is not in the settings any more";
    if (this.#world.isPopulated(cgroup)) this.#lived.add(cgroupId);
    else if (this.#lived.has(cgroupId)) return "its identity has ended: nobody lives in its cgroup any more";
    return undefined;
  }

  #isPast(cgroupId: bigint): boolean {
    const deadline = this.#ends.get(cgroupId);
    return deadline === undefined || isPast(deadline, this.#now());
  }

  #now(): Now {
    return { nowMs: this.#world.clock.nowMs(), bootNs: this.#world.bootNs() };
  }
}
