/**
 * Who is an agent: names and groups from the settings, cgroups from tags. Keeps store and kernel in step:
 * the row is written before the kernel guards, so a crash in between leaves something that can be ended.
 */
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { TAGS_MAX } from "../base/limits.ts";
import { cgroupIdOf, cgroupOf, isPopulated, removeCgroup, resolveCgroup } from "../kernel/cgroups.ts";
import type { Interception } from "../kernel/interception.ts";
import { type AuditEvent, identityFields } from "../model/event.ts";
import type { Agent } from "../model/identity.ts";
import type { Matcher } from "../model/matcher.ts";
import type { Tag, TagStore } from "../store/tags.ts";

export interface AgentSettings {
  readonly name: string;
  readonly groups: readonly string[];
  readonly claims: Readonly<Record<string, string>>;
  /** What makes a cgroup this agent by itself. */
  readonly match: readonly Matcher[];
}

export interface TagRequest {
  readonly as: string;
  /** The folder, below the mount. */
  readonly path: string;
  readonly kind: Tag["kind"];
  readonly runId?: string;
  /** Of kind "match": what matched, in words, and the container's id where it is one. */
  readonly matcher?: string;
  readonly container?: string;
  readonly uid: number;
}

export class Agents {
  readonly #interception: Interception;
  readonly #store: TagStore;
  readonly #clock: Clock;
  readonly #emit: (event: AuditEvent) => void;
  readonly #ownCgroup: () => string | undefined;
  readonly #tags = new Map<bigint, Tag>();
  readonly #byPath = new Map<string, bigint>();
  /** Slots are never given to another name, so what was known once stays true. */
  readonly #names = new Map<number, string>();
  /** One change at a time: a hook and the watcher may find the same container. */
  #changing: Promise<unknown> = Promise.resolve();
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
      this.#remember(tag);
      if (cgroupIdOf(tag.cgroup) === tag.cgroupId) this.#interception.tag(tag.cgroup, tag.slot);
      else await this.#forget(tag);
    }
  }

  /** The agent's number for the kernel, from now on known to `bySlot`: the kernel tags by itself what is born. */
  async slotOf(name: string): Promise<number> {
    const slot = await this.#store.slotOf(name);
    this.#names.set(slot, name);
    return slot;
  }

  /** Undefined for a slot that the kernel knows and we do not: the connection is closed. */
  bySlot(slot: number): Agent | undefined {
    const name = this.#names.get(slot);
    if (name === undefined) return undefined;
    const settings = this.#settings.get(name);
    return { slot, name, groups: settings?.groups ?? [], claims: settings?.claims ?? {} };
  }

  list(): readonly Tag[] {
    return [...this.#tags.values()];
  }

  /** What is tagged at this host path itself. */
  at(path: string): Tag | undefined {
    const id = this.#byPath.get(path);
    return id === undefined || cgroupIdOf(path) !== id ? undefined : this.#tags.get(id);
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

  /** Whether a process in this cgroup (v2 path, "/a/b") is an agent; what was born a moment ago is, too. */
  isTagged(cgroup: string): boolean {
    const { cgroupRoot } = this.#interception;
    const path = `${cgroupRoot}${cgroup}/`;
    if (this.list().some((tag) => path.startsWith(`${tag.cgroup}/`))) return true;
    const inKernel = new Set(this.#interception.tags().map(({ cgroupId }) => cgroupId));
    const parts = cgroup.split("/").filter(Boolean);
    return parts.some((_part, last) => {
      const id = cgroupIdOf(join(cgroupRoot, ...parts.slice(0, last + 1)));
      return id !== undefined && inKernel.has(id);
    });
  }

  /** Whether the daemon itself lives in this folder or below it. */
  isOwn(path: string): boolean {
    return `${this.#interception.cgroupRoot}${this.#ownCgroup() ?? "/"}/`.startsWith(`${path}/`);
  }

  /** Throws AGENT_UNKNOWN, CGROUP_UNKNOWN, TAG_OWN, TAG_FULL, LoaderError; then nothing has changed. */
  tag(request: TagRequest): Promise<Tag> {
    return this.#inTurn(() => this.#tag(request));
  }

  /** By folder or by cgroup id; `uid` is whose doing it is. False when it was not tagged. */
  untag(which: string | bigint, uid = 0): Promise<boolean> {
    return this.#inTurn(() => this.#untag(which, uid));
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

  async #tag(request: TagRequest): Promise<Tag> {
    this.check(request.as);
    const path = resolveCgroup(this.#interception.cgroupRoot, request.path);
    if (this.isOwn(path)) {
      throw new UserError("TAG_OWN", `Cannot tag ${path}: the daemon itself lives in it`, "Tag a cgroup beside it");
    }
    const cgroupId = cgroupIdOf(path);
    if (cgroupId === undefined) {
      throw new UserError("CGROUP_UNKNOWN", `Cannot tag ${path}: it is gone`, "Look where the process is now");
    }
    const before = this.#tags.get(cgroupId);
    if (before === undefined && this.#tags.size >= TAGS_MAX) {
      const message = `Cannot tag ${path}: ${TAGS_MAX} cgroups are tagged, and more are not possible`;
      throw new UserError("TAG_FULL", message, "End some with `sallyport untag`, or tag a cgroup above them all");
    }
    const { as: agent, kind, uid, runId, matcher = "", container = "" } = request;
    const isSame = before?.kind === "match" && before.agent === agent && before.matcher === matcher;
    if (isSame && kind === "match") return before; // found twice, by the hook and by the watcher
    const slot = await this.slotOf(agent);
    const createdMs = this.#clock.nowMs();
    const tag: Tag = { cgroupId, cgroup: path, agent, slot, kind, runId, matcher, container, uid, createdMs };
    await this.#store.put(tag);
    this.#remember(tag);
    try {
      this.#interception.tag(path, slot);
    } catch (error) {
      if (before === undefined) await this.#forget(tag);
      else await this.#keep(before); // guarded as before: a tag that failed must not end another
      throw error;
    }
    await this.#interception.prepareCgroup(path);
    this.#say("agent.tag", tag, `${path} is guarded as ${agent}`);
    return tag;
  }

  async #untag(which: string | bigint, uid: number): Promise<boolean> {
    const tag =
      typeof which === "bigint"
        ? this.#tags.get(which)
        : this.list().find(({ cgroup }) => cgroup === which || cgroup === `${this.#interception.cgroupRoot}${which}`);
    if (tag === undefined) return false;
    await this.#forget(tag);
    this.#say("agent.untag", { ...tag, uid }, `${tag.cgroup} is not guarded any more`);
    return true;
  }

  async #forget(tag: Tag): Promise<void> {
    this.#interception.untag(tag.cgroupId);
    this.#tags.delete(tag.cgroupId);
    if (this.#byPath.get(tag.cgroup) === tag.cgroupId) this.#byPath.delete(tag.cgroup);
    await this.#store.remove(tag.cgroupId);
  }

  async #keep(tag: Tag): Promise<void> {
    this.#remember(tag);
    await this.#store.put(tag);
  }

  #remember(tag: Tag): void {
    this.#tags.set(tag.cgroupId, tag);
    this.#byPath.set(tag.cgroup, tag.cgroupId);
    this.#names.set(tag.slot, tag.agent);
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(change, change);
    this.#changing = done.catch(() => undefined);
    return done;
  }

  #say(kind: string, tag: Tag, message: string): void {
    const { cgroup, uid, matcher, container } = tag;
    const found = { ...(matcher === "" ? {} : { matcher }), ...(container === "" ? {} : { container }) };
    const how = { way: tag.kind, ...(tag.runId === undefined ? {} : { run: tag.runId }) };
    const settings = this.#settings.get(tag.agent);
    const who = settings === undefined ? {} : identityFields(settings);
    const fields = { cgroup, cgroupId: tag.cgroupId.toString(), uid, ...found, ...how, ...who };
    this.#emit({ atMs: this.#clock.nowMs(), kind, agent: tag.agent, message, fields });
  }
}
