/**
 * Automatic tagging: keeps tags of kind "match" the same as what the settings' matchers say of the cgroups and
 * containers that are there. The kernel tags by itself what is born (birth rules); here the rest is done for these,
 * and everything for containers. Leaves alone what a command tagged.
 */
import { UserError } from "../base/errors.ts";
import { type Log, Warnings } from "../base/log.ts";
import { type ContainerPlace, placeOf } from "../containers/container.ts";
import type { Containers } from "../containers/containers.ts";
import { cgroupIdsBelow, walkCgroups } from "../containers/tree.ts";
import { cgroupIdOf } from "../kernel/cgroups.ts";
import type { Interception } from "../kernel/interception.ts";
import type { Tag } from "../store/tags.ts";
import type { Agents } from "./agents.ts";
import {
  birthsOf,
  describeMatcher,
  hasContainerMatchers,
  type Matched,
  type Matching,
  matchCgroup,
  matchContainer,
  type UidOf,
} from "./matchers.ts";
import { createUidOf } from "./users.ts";

/** A container that a runtime is starting, or that was found. */
export interface Found {
  readonly place: ContainerPlace;
  /** Where the runtime keeps it, if that is known. */
  readonly bundle?: string;
  /** Why it cannot be guarded, should it have to be. */
  readonly cannot?: UserError;
}

export class AutomaticTags {
  readonly #agents: Agents;
  readonly #interception: Interception;
  readonly #containers: Containers;
  readonly #log: Log;
  readonly #warnings: Warnings;
  readonly #uidOf = createUidOf();
  #settings: readonly Matching[] = [];
  #going: Promise<void> | undefined;
  #again = false;

  constructor(parts: {
    readonly agents: Agents;
    readonly interception: Interception;
    readonly containers: Containers;
    readonly log: Log;
  }) {
    this.#agents = parts.agents;
    this.#interception = parts.interception;
    this.#containers = parts.containers;
    this.#log = parts.log;
    this.#warnings = new Warnings(parts.log);
  }

  /** Puts matchers into force: births from now on, then what is there already. Throws only if the births cannot be set. */
  async apply(settings: readonly Matching[]): Promise<void> {
    const slots = new Map<string, number>();
    for (const { name, match } of settings) if (match.length > 0) slots.set(name, await this.#agents.slotOf(name));
    this.#interception.setBirths(birthsOf(settings, (name) => slots.get(name) ?? 0, this.#uidOf));
    this.#settings = settings;
    this.#warnOfUnknownUsers(settings);
    await this.reconcile();
  }

  /** Goes through the tree; asked for while it does, it does so once more. */
  reconcile(): Promise<void> {
    this.#again = true;
    this.#going ??= this.#rounds().finally(() => {
      this.#going = undefined;
    });
    return this.#going;
  }

  /**
   * Tags a container if a matcher says so, and opens listeners in the namespace of `pid`. Undefined: it is no agent.
   * Throws CONTAINER_STATE when that cannot be told, and whatever keeps an agent's cgroup from being tagged.
   */
  async takeContainer({ place, bundle, cannot }: Found, pid?: number): Promise<Tag | undefined> {
    if (!hasContainerMatchers(this.#settings)) return undefined;
    const matched = await this.#judgeContainer(place, bundle);
    const before = this.#tagAt(place.cgroup);
    if (matched === undefined || (before !== undefined && before.kind !== "match")) return undefined;
    if (cannot !== undefined) throw cannot;
    const { agent: as, matcher } = matched;
    const tag = await this.#agents.tag({ as, path: place.cgroup, kind: "match", matcher, container: place.id, uid: 0 });
    if (pid !== undefined) await this.#interception.prepare(pid);
    return tag;
  }

  async #rounds(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#round();
    }
  }

  async #round(): Promise<void> {
    const inKernel = new Map(this.#interception.tags().map(({ cgroupId, agent }) => [cgroupId, agent]));
    const uidOf = remembering(this.#uidOf); // once a round: who is not found is looked for by a command
    for (const path of walkCgroups(this.#interception.cgroupRoot)) {
      const matched = matchCgroup(this.#settings, path, uidOf);
      const before = this.#tagAt(path);
      if (matched !== undefined) await this.#keep(path, matched, before);
      else if (before === undefined) this.#endStray(path, inKernel);
      else if (before.kind === "match" && before.container === "") await this.#agents.untag(before.cgroupId);
    }
    this.#endDead(inKernel);
    await this.#roundOfContainers();
  }

  /** A container keeps its tag while its runtime's state cannot be read: the closed side. */
  async #roundOfContainers(): Promise<void> {
    const judged = new Set<string>();
    for (const place of hasContainerMatchers(this.#settings) ? this.#containers.places() : []) {
      judged.add(place.cgroup);
      try {
        const before = this.#tagAt(place.cgroup);
        const taken = await this.takeContainer({ place });
        if (taken === undefined && before?.kind === "match" && before.container !== "")
          await this.#agents.untag(before.cgroupId);
      } catch (error) {
        this.#warnings.tell(`Cannot tell whether container ${place.id.slice(0, 12)} is an agent`, error);
      }
    }
    for (const tag of this.#agents.list()) {
      if (tag.kind !== "match" || tag.container === "" || judged.has(this.#below(tag))) continue;
      // of a runtime without places of its own: its matcher must still be there
      if (!this.#isInForce(tag)) await this.#agents.untag(tag.cgroupId);
    }
  }

  async #keep(path: string, { agent, matcher }: Matched, before: Tag | undefined): Promise<void> {
    if (before !== undefined && before.kind !== "match") return;
    if (before?.agent === agent && before.matcher === matcher) return;
    try {
      await this.#agents.tag({ as: agent, path, kind: "match", matcher, uid: 0 });
    } catch (error) {
      const id = cgroupIdOf(`${this.#interception.cgroupRoot}${path}`);
      // born tagged, since the daemon's own unit fits the matcher: without this the daemon would be its own agent
      if (id !== undefined && error instanceof UserError && error.code === "TAG_OWN") this.#interception.untag(id);
      if (id !== undefined) this.#warnings.tell(`Cannot guard ${path} as ${agent}`, error);
    }
  }

  /** Born tagged and removed before this round came to it: such would fill the kernel's map, and then nothing is born tagged. */
  #endDead(inKernel: ReadonlyMap<bigint, number>): void {
    const kept = new Set(this.#agents.list().map(({ cgroupId }) => cgroupId));
    const others = [...inKernel.keys()].filter((id) => !kept.has(id));
    const alive = others.length === 0 ? undefined : cgroupIdsBelow(this.#interception.cgroupRoot);
    if (alive !== undefined) this.#interception.untagAll(others.filter((id) => !alive.has(id)));
  }

  /** Born under a rule that is gone by now, perhaps while no daemon ran. */
  #endStray(path: string, inKernel: ReadonlyMap<bigint, number>): void {
    if (inKernel.size === 0) return;
    const id = cgroupIdOf(`${this.#interception.cgroupRoot}${path}`);
    if (id !== undefined && inKernel.has(id)) this.#interception.untag(id);
  }

  async #judgeContainer(place: ContainerPlace, bundle: string | undefined): Promise<Matched | undefined> {
    const facts = await this.#containers.factsOf(place, bundle);
    if (facts !== undefined) return matchContainer(this.#settings, facts);
    throw new UserError(
      "CONTAINER_STATE",
      `Cannot find what ${place.runtime} says of container ${place.id.slice(0, 12)}`,
      `Its state is not where ${place.runtime}'s settings put it; see docs/containers.md`,
    );
  }

  #warnOfUnknownUsers(settings: readonly Matching[]): void {
    for (const matcher of settings.flatMap(({ match }) => match)) {
      if (matcher.kind !== "user" || /^[0-9]+$/.test(matcher.name) || this.#uidOf(matcher.name) !== undefined) continue;
      const remedy = "Mend the name, or make the user and then: sudo sallyport reload";
      this.#log.warn(`This host knows no user ${matcher.name}, so its matcher matches nothing`, { remedy });
    }
  }

  #tagAt(path: string): Tag | undefined {
    return this.#agents.at(`${this.#interception.cgroupRoot}${path}`);
  }

  #below(tag: Tag): string {
    const path = tag.cgroup.slice(this.#interception.cgroupRoot.length);
    return placeOf(path)?.cgroup ?? path;
  }

  #isInForce({ agent, matcher }: Tag): boolean {
    return this.#settings.some(
      ({ name, match }) => name === agent && match.some((one) => describeMatcher(one) === matcher),
    );
  }
}

function remembering(uidOf: UidOf): UidOf {
  const known = new Map<string, number | undefined>();
  return (name) => {
    if (!known.has(name)) known.set(name, uidOf(name));
    return known.get(name);
  };
}
