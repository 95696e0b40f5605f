/**
 * Who is an agent: names and groups from the settings, cgroups from tags. Keeps store and kernel in step:
 * the row is written before the kernel guards, so a crash in between leaves something that can be ended.
 */
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { STARTERS_MAX, TAGS_MAX, TOKENS_BOUND_MAX } from "../base/limits.ts";
import { bootNs } from "../kernel/boot-clock.ts";
import { cgroupIdOf, cgroupOf, isPopulated, removeCgroup, resolveCgroup } from "../kernel/cgroups.ts";
import type { Interception } from "../kernel/interception.ts";
import { type AuditEvent, type Doer, identityFields, userFields } from "../model/event.ts";
import type { Agent, Identity } from "../model/identity.ts";
import type { Issuer } from "../model/issuer.ts";
import type { Matcher } from "../model/matcher.ts";
import type { Tag, TagStore } from "../store/tags.ts";
import type { TokenStore } from "../store/tokens.ts";
import { Lasting } from "./lasting.ts";

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
  readonly uid: number | undefined;
  /** See Tag. */
  readonly startedBy?: readonly string[];
  /** What a verified token says. It counts for this cgroup only. */
  readonly identity?: Identity;
}

export class Agents {
  readonly #interception: Interception;
  readonly #store: TagStore;
  readonly #clock: Clock;
  readonly #emit: (event: AuditEvent) => void;
  readonly #ownCgroup: () => string | undefined;
  readonly #tokens: TokenStore;
  readonly #lasting: Lasting;
  readonly #isRevoked: (agent: string) => boolean;
  readonly #identityOver: (cgroupId: bigint, why: string) => void;
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
    readonly tokens: TokenStore;
    /** By name: what matchers make that agent may do nothing. */
    readonly isRevoked: (agent: string) => boolean;
    /** Called once, when the identity of a cgroup ends or is revoked: what was let in by it has to end. */
    readonly identityOver: (cgroupId: bigint, why: string) => void;
    readonly bootNs?: () => bigint;
  }) {
    this.#interception = parts.interception;
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#emit = parts.emit;
    this.#ownCgroup = parts.ownCgroup ?? (() => cgroupOf(process.pid));
    this.#tokens = parts.tokens;
    this.#isRevoked = parts.isRevoked;
    this.#identityOver = parts.identityOver;
    this.#lasting = new Lasting({
      clock: parts.clock,
      bootNs: parts.bootNs ?? bootNs,
      isPopulated: (cgroup) => isPopulated(cgroup) === true,
    });
  }

  /** `issuers`: whose identities go on; those of others end with the next `endIdentities`. */
  configure(settings: readonly AgentSettings[], issuers: readonly Pick<Issuer, "name" | "url">[] = []): void {
    this.#settings = new Map(settings.map((agent) => [agent.name, agent]));
    this.#lasting.keepIssuers(issuers);
  }

  /** Takes up what a former daemon protected. Cgroups that are gone, or whose id is another's now, are ended. */
  async restore(): Promise<void> {
    for (const tag of await this.#store.all()) {
      this.#remember(tag);
      this.#lasting.begin(tag, "found");
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

  /** Of one tagged cgroup: with what its identity says, while that lasts. */
  agentOf(slot: number, cgroupId: bigint): Agent | undefined {
    const agent = this.bySlot(slot);
    const tag = this.#tags.get(cgroupId);
    const own = tag?.slot === slot ? tag : undefined;
    const identity = own === undefined ? undefined : this.#lasting.stateOf(own);
    if (agent !== undefined && this.isRevoked(own ?? { agent: agent.name, kind: "match" })) {
      return {
        ...agent,
        ...(identity === undefined ? {} : { identity: { ...identity, state: "over" } }),
        revoked: true,
      };
    }
    if (agent === undefined || identity === undefined) return agent;
    if (identity.state === "over" || tag?.identity === undefined) return { ...agent, identity };
    const groups = [...new Set([...agent.groups, ...tag.identity.groups])];
    return { ...agent, groups, claims: { ...agent.claims, ...tag.identity.claims }, identity };
  }

  /**
   * Who makes a connection that comes now. Undefined where the tag that it was made under has ended meanwhile, or is another
   * agent's: nothing is known any more of the identity that was over, or of the revocation. What was born a moment ago has no tag.
   */
  arriving(slot: number, cgroupId: bigint): Agent | undefined {
    const bornAs = () => this.#interception.tags().find((one) => one.cgroupId === cgroupId)?.agent;
    const guardedAs = this.#tags.get(cgroupId)?.slot ?? bornAs();
    return guardedAs === slot ? this.agentOf(slot, cgroupId) : undefined;
  }

  /** What a matcher found stays what it is until its agent is reinstated; what a person made, until it is made anew. */
  isRevoked({ agent, kind, revoked }: Pick<Tag, "agent" | "kind" | "revoked">): boolean {
    return revoked === true || (kind === "match" && this.#isRevoked(agent));
  }

  byId(cgroupId: bigint): Tag | undefined {
    return this.#tags.get(cgroupId);
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

  /** By folder or by cgroup id; `by` is whose doing it is. False when it was not tagged. */
  untag(which: string | bigint, by: Doer = { uid: 0 }): Promise<boolean> {
    return this.#inTurn(() => this.#untag(which, by));
  }

  /** Ends the identities that are over; their agents stay guarded and may do nothing. Called several times a second. */
  async endIdentities(): Promise<void> {
    for (const tag of this.list()) {
      const why = this.#lasting.whyOver(tag);
      if (why !== undefined) await this.#inTurn(() => this.#endIdentity(tag, why));
    }
  }

  /**
   * Takes back what an agent's tags may do; its cgroups stay guarded as nobody. Returns how many there are. In force whatever the
   * store throws, and then until the daemon ends.
   */
  revoke(agent: string, why: string): Promise<number> {
    return this.#inTurn(async () => {
      const own = this.list().filter((tag) => tag.agent === agent);
      const made = own.filter(({ kind }) => kind !== "match").map((tag): Tag => ({ ...tag, revoked: true }));
      for (const tag of made) this.#remember(tag);
      for (const { cgroupId } of own) this.#identityOver(cgroupId, why);
      await this.#store.putAll(made);
      return own.length;
    });
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
    const { as: agent, kind, uid, runId, matcher = "", container = "", startedBy = [] } = request;
    if (before?.revoked === true) throw revokedRefused(path, before.agent);
    if (before?.identity !== undefined) {
      if (before.agent === agent && before.identity.token === request.identity?.token) return before;
      throw identityRefused(path, before.identity.issuer);
    }
    const isSame = before?.kind === "match" && before.agent === agent && before.matcher === matcher;
    if (isSame && kind === "match") return before; // found twice, by the hook and by the watcher
    const slot = await this.slotOf(agent);
    const createdMs = this.#clock.nowMs();
    const { identity } = request;
    const found = { cgroupId, cgroup: path, agent, slot, kind, runId, matcher, container };
    // whoever tagged it before has started what lives in it
    const starters = [...new Set([...(before?.startedBy ?? []), ...startedBy])].slice(-STARTERS_MAX);
    const made: Tag = { ...found, uid, createdMs, startedBy: starters };
    const tag: Tag = identity === undefined ? made : { ...made, identity };
    if (identity !== undefined) await this.#bind(identity, request);
    try {
      await this.#store.put(tag);
    } catch (error) {
      await this.#release(identity);
      throw error;
    }
    this.#remember(tag);
    this.#lasting.begin(tag, "made");
    try {
      this.#interception.tag(path, slot);
    } catch (error) {
      this.#lasting.end(cgroupId);
      await this.#release(identity);
      if (before === undefined) await this.#forget(tag);
      else await this.#keep(before); // guarded as before: a tag that failed must not end another
      throw error;
    }
    await this.#interception.prepareCgroup(path);
    this.#say("agent.tag", tag, `${path} is guarded as ${agent}`);
    return tag;
  }

  async #untag(which: string | bigint, by: Doer): Promise<boolean> {
    const tag =
      typeof which === "bigint"
        ? this.#tags.get(which)
        : this.list().find(({ cgroup }) => cgroup === which || cgroup === `${this.#interception.cgroupRoot}${which}`);
    if (tag === undefined) return false;
    await this.#forget(tag);
    if (tag.identity !== undefined && tag.identity.over === undefined)
      this.#identityOver(tag.cgroupId, "its identity has ended with its tag");
    this.#say("agent.untag", tag, `${tag.cgroup} is not guarded any more`, by);
    return true;
  }

  /** What was let in ends before anything is written: the disk may be full. */
  async #endIdentity(tag: Tag, over: string): Promise<void> {
    const { cgroupId, identity } = tag;
    if (identity === undefined || this.#tags.get(cgroupId) !== tag) return; // it was ended or replaced meanwhile
    const ended: Tag = { ...tag, identity: { ...identity, over } };
    this.#remember(ended);
    this.#identityOver(cgroupId, over);
    this.#say("agent.identity.expired", tag, `${tag.agent} in ${tag.cgroup} may do nothing more: ${over}`);
    await this.#store.put(ended);
  }

  /** Throws TOKEN_REPLAYED, TOKENS_FULL. */
  async #bind({ token, tokenEndsMs }: Identity, { as: agent, uid }: TagRequest): Promise<void> {
    const outcome = await this.#tokens.keep(token, tokenEndsMs, this.#clock.nowMs(), TOKENS_BOUND_MAX);
    if (outcome === "kept") return;
    const refusal = outcome === "full" ? tokensFull() : tokenReplayed();
    const { code, message } = refusal;
    this.#emit({
      atMs: this.#clock.nowMs(),
      kind: "agent.identity.refused",
      agent,
      message,
      fields: { code, ...userFields(uid) },
    });
    throw refusal;
  }

  async #release(identity: Identity | undefined): Promise<void> {
    if (identity !== undefined) await this.#tokens.forget(identity.token);
  }

  async #forget(tag: Tag): Promise<void> {
    this.#interception.untag(tag.cgroupId);
    this.#lasting.end(tag.cgroupId);
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

  #say(kind: string, tag: Tag, message: string, by: Doer = userFields(tag.uid)): void {
    const { cgroup, matcher, container } = tag;
    const found = { ...(matcher === "" ? {} : { matcher }), ...(container === "" ? {} : { container }) };
    const how = { way: tag.kind, ...(tag.runId === undefined ? {} : { run: tag.runId }) };
    const settings = this.#settings.get(tag.agent);
    const { identity } = tag;
    const who = identityFields({
      groups: [...new Set([...(settings?.groups ?? []), ...(identity?.groups ?? [])])],
      claims: { ...settings?.claims, ...identity?.claims },
      ...(identity === undefined ? {} : { identity }),
    });
    const starters = tag.startedBy.length === 0 ? {} : { startedBy: tag.startedBy.join(" ") };
    const fields = { cgroup, cgroupId: tag.cgroupId.toString(), ...by, ...found, ...how, ...starters, ...who };
    this.#emit({ atMs: this.#clock.nowMs(), kind, agent: tag.agent, message, fields });
  }
}

function identityRefused(path: string, issuer: string): UserError {
  const message = `Cannot tag ${path} anew: it has an identity by issuer ${issuer}, which must end first`;
  return new UserError("AGENT_IDENTITY", message, `End it: sallyport untag --cgroup ${path}`);
}

function revokedRefused(path: string, agent: string): UserError {
  const message = `Cannot tag ${path} anew: ${agent} was revoked in it, and that tag must end first`;
  return new UserError("AGENT_REVOKED", message, `End it: sallyport untag --cgroup ${path}`);
}

function tokensFull(): UserError {
  const message = `Cannot use the token: ${TOKENS_BOUND_MAX} others that were shown have not expired yet`;
  return new UserError("TOKENS_FULL", message, "Let issuers give tokens that live for minutes, not for days");
}

function tokenReplayed(): UserError {
  const remedy = "Get a new one: a token counts for the first agent that shows it, and for no other";
  return new UserError("TOKEN_REPLAYED", "Cannot use the token: it was shown before", remedy);
}
