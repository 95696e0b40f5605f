/**
 * Who is an agent: names and groups from the settings, cgroups from tags. Keeps store and kernel in step:
 * the row is written before the kernel guards, so a crash in between leaves something that can be ended.
 */
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { TAGS_MAX } from "../base/limits.ts";
import { cgroupIdOf, cgroupOf, isPopulated, removeCgroup, resolveCgroup } from "../kernel/cgroups.ts";
import type { Interception } from "../kernel/interception.ts";
import type { AuditEvent } from "../model/event.ts";
import type { Agent } from "../model/identity.ts";
import type { Tag, TagStore } from "../store/tags.ts";

export interface AgentSettings {
  readonly name: string;
  readonly groups: readonly string[];
  readonly claims: Readonly<Record<string, string>>;
}

export interface TagRequest {
  readonly as: string;
  /** The folder, below the mount. */
  readonly path: string;
  readonly kind: Tag["kind"];
  readonly runId?: string;
  readonly uid: number;
}

export class Agents {
  readonly #interception: Interception;
  readonly #store: TagStore;
  readonly #clock: Clock;
  readonly #emit: (event: AuditEvent) => void;
  readonly #ownCgroup: () => string | undefined;
  readonly #tags = new Map<bigint, Tag>();
  #settings = new Map<string, AgentSettings>();

  constructor(parts: {
    readonly interception: Interception;
    readonly store: TagStore;
    readonly clock: Clock;
    readonly emit: (event: AuditEvent) => void;
    /** Of the daemon, as a v2 path. */
    readonly ownCgroup?: () => string | undefined;
  }) {
    this.#interception = parts.interception;
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#emit = parts.emit;
    this.#ownCgroup = parts.ownCgroup ?? (() => cgroupOf(process.pid));
  }

  configure(settings: readonly AgentSettings[]): void {
    this.#settings = new Map(settings.map((agent) => [agent.name, agent]));
  }

  /** Takes up what a former daemon protected. Cgroups that are gone, or whose id is another's now, are ended. */
  async restore(): Promise<void> {
    for (const tag of await this.#store.all()) {
      this.#tags.set(tag.cgroupId, tag);
      if (cgroupIdOf(tag.cgroup) === tag.cgroupId) this.#interception.tag(tag.cgroup, tag.slot);
      else await this.#forget(tag);
    }
  }

  /** Undefined for a slot that the kernel knows and we do not: the connection is closed. */
  bySlot(slot: number): Agent | undefined {
    for (const tag of this.#tags.values()) {
      if (tag.slot === slot) return this.#agent(tag);
    }
    return undefined;
  }

  list(): readonly Tag[] {
    return [...this.#tags.values()];
  }

  /** Names in the settings are all there are; settings without any name take every name. Throws AGENT_UNKNOWN. */
  check(name: string): void {
    if (this.#settings.size === 0 || this.#settings.has(name)) return;
    throw new UserError(
      "AGENT_UNKNOWN",
      `Cannot act as agent ${name}: the settings do not name it`,
      `Add it to agents in the settings, or use one of: ${[...this.#settings.keys()].slice(0, 20).join(", ")}`,
    );
  }

  groupsOf(name: string): readonly string[] {
    return this.#settings.get(name)?.groups ?? [];
  }

  /** Whether a process in this cgroup (v2 path, "/a/b") is an agent. */
  isTagged(cgroup: string): boolean {
    const path = `${this.#interception.cgroupRoot}${cgroup}/`;
    return this.list().some((tag) => path.startsWith(`${tag.cgroup}/`));
  }

  async tag(request: TagRequest): Promise<Tag> {
    this.check(request.as);
    const path = resolveCgroup(this.#interception.cgroupRoot, request.path);
    const own = `${this.#interception.cgroupRoot}${this.#ownCgroup() ?? "/"}/`;
    if (own.startsWith(`${path}/`)) {
      throw new UserError("TAG_OWN", `Cannot tag ${path}: the daemon itself lives in it`, "Tag a cgroup beside it");
    }
    const cgroupId = cgroupIdOf(path);
    if (cgroupId === undefined || this.#tags.size >= TAGS_MAX) {
      throw new UserError(
        "TAG_FAILED",
        `Cannot tag ${path}: it is gone, or ${TAGS_MAX} cgroups are tagged`,
        "End some: untag",
      );
    }
    const slot = await this.#store.slotOf(request.as);
    const { as: agent, kind, uid } = request;
    const createdMs = this.#clock.nowMs();
    const tag: Tag = { cgroupId, cgroup: path, agent, slot, kind, runId: request.runId, uid, createdMs };
    const before = this.#tags.get(cgroupId);
    await this.#store.put(tag);
    this.#tags.set(cgroupId, tag);
    try {
      this.#interception.tag(path, slot);
    } catch (error) {
      if (before === undefined) await this.#forget(tag);
      else await this.#keep(before); // guarded as before: a tag that failed must not end another
      throw error;
    }
    this.#say("agent.tag", tag, `${path} is guarded as ${agent}`);
    return tag;
  }

  /** By folder or by cgroup id. False when it was not tagged. */
  async untag(which: string | bigint): Promise<boolean> {
    const tag =
      typeof which === "bigint"
        ? this.#tags.get(which)
        : this.list().find(({ cgroup }) => cgroup === which || cgroup === `${this.#interception.cgroupRoot}${which}`);
    if (tag === undefined) return false;
    await this.#forget(tag);
    this.#say("agent.untag", tag, `${tag.cgroup} is not guarded any more`);
    return true;
  }

  /** Ends tags whose cgroup is gone, and runs in which nobody lives any more. Called once a second. */
  async sweep(): Promise<void> {
    for (const tag of this.list()) {
      const gone = cgroupIdOf(tag.cgroup) !== tag.cgroupId; // or another one took its path
      if (gone || (tag.kind === "run" && !isPopulated(tag.cgroup))) {
        await this.untag(tag.cgroupId);
        if (tag.kind === "run" && !gone) removeCgroup(tag.cgroup);
      }
    }
  }

  async #forget(tag: Tag): Promise<void> {
    this.#interception.untag(tag.cgroupId);
    this.#tags.delete(tag.cgroupId);
    await this.#store.remove(tag.cgroupId);
  }

  async #keep(tag: Tag): Promise<void> {
    this.#tags.set(tag.cgroupId, tag);
    await this.#store.put(tag);
  }

  #agent(tag: Tag): Agent {
    const settings = this.#settings.get(tag.agent);
    return { slot: tag.slot, name: tag.agent, groups: settings?.groups ?? [], claims: settings?.claims ?? {} };
  }

  #say(kind: string, tag: Tag, message: string): void {
    const fields = { cgroup: tag.cgroup, cgroupId: tag.cgroupId.toString(), uid: tag.uid };
    this.#emit({ atMs: this.#clock.nowMs(), kind, agent: tag.agent, message, fields });
  }
}
