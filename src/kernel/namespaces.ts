/**
 * Listeners in every network namespace in which agents live: opened before the kernel is told of them, closed once no
 * agent is left there, so that no namespace is kept alive by us. Until one has its listeners, what its agents dial is
 * refused. Enters no namespace for a process that is not tagged, and brings no interface up: a namespace whose lo is
 * down, or that was given no network at all, stays closed.
 */
import { closeSync } from "node:fs";
import { type Interceptor, netnsCookie } from "ebpf-loader";
import { codeOf, messageOf } from "../base/errors.ts";
import {
  NAMESPACE_GRACE_MS,
  NAMESPACE_RETRY_MS,
  NAMESPACES_MAX,
  NAMESPACES_PER_TAG_MAX,
  THREADS_LOOKED_AT_MAX,
} from "../base/limits.ts";
import { Inherited } from "./inherited.ts";
import {
  cookieOf,
  type Handlers,
  isAddressMissing,
  Listeners,
  type NamedDescriptor,
  openDescriptors,
} from "./listeners.ts";
import {
  hasNetwork,
  type NamespaceId,
  namespaceIdOf,
  openNamespace,
  type Place,
  processes,
  threadsOf,
} from "./netns.ts";
import type { QueryCounts } from "./queries.ts";
import type { KernelTag, TaggedCgroups } from "./tagged.ts";

/** Why a namespace has no listeners. All but "gone" and "untagged" are tried again while the process lives. */
export type NamespaceRefusal =
  | "gone"
  | "untagged"
  /** No route leaves it, as under `--network none`: who was given no network gets none from us. */
  | "no-network"
  | "loopback-down"
  | "port-owned"
  | "too-many"
  | "failed";

export type Prepared =
  | { readonly kind: "ready"; readonly cookie: bigint }
  | { readonly kind: "refused"; readonly reason: NamespaceRefusal; readonly message: string };

/** What became of a namespace: told once for each change. */
export interface NamespaceTold {
  readonly kind: "ready" | "refused" | "closed";
  readonly message: string;
  /** Slot of the agent that lives there. */
  readonly agent: number;
}

export interface NamespaceParts {
  readonly interceptor: Pick<Interceptor, "accept" | "datagramOrigin" | "listeners" | "setListener">;
  readonly port: number;
  readonly tagged: Pick<TaggedCgroups, "tagOf" | "knownTagOf" | "refresh">;
  readonly inherited: readonly NamedDescriptor[];
  readonly handlers: Handlers;
  readonly tell: (told: NamespaceTold) => void;
  /** Milliseconds that only grow. */
  readonly nowMs: () => number;
  /** NAMESPACES_MAX and NAMESPACES_PER_TAG_MAX when absent. */
  readonly limits?: { readonly all: number; readonly perTag: number };
}

/** One of another namespace than ours. */
interface Guarded {
  readonly fd: number; // of the namespace itself: keeps the id its own
  readonly tag: KernelTag;
  readonly listeners: Listeners;
  /** An agent that lives there, as far as we saw. */
  witness: Place;
  emptySinceMs: number | undefined;
}

export class Namespaces {
  readonly #parts: NamespaceParts;
  readonly #inherited: Inherited;
  readonly #startedMs: number;
  readonly #own: { readonly id: NamespaceId | undefined; readonly listeners: Listeners };
  readonly #guarded = new Map<NamespaceId, Guarded>();
  /** Refused for a reason that may pass, and told. */
  readonly #refused = new Map<NamespaceId, { readonly place: Place; readonly reason: NamespaceRefusal }>();
  readonly #tried = new Map<bigint, number>();
  #searchedMs = 0;
  #isSearchDue = false;
  readonly queries: QueryCounts = { unknown: 0, refused: 0 };

  /** Opens those of the daemon's own namespace and of every other in which agents live. Throws LoaderError for the first. */
  constructor(parts: NamespaceParts) {
    this.#parts = parts;
    this.#inherited = new Inherited(parts.inherited);
    this.#startedMs = parts.nowMs();
    this.#own = { id: namespaceIdOf("/proc/self"), listeners: this.#open(null, netnsCookie(), "/proc/self") };
    this.#search();
    this.#forgetDead();
  }

  /** Returns when an agent's connects from its namespace arrive, or why they will be refused. Nothing is waited for. */
  prepare(pid: number): Prepared {
    return this.#prepare(`/proc/${pid}`);
  }

  /** One answer for each namespace among these processes. */
  prepareAll(pids: Iterable<number>): Prepared[] {
    const seen = new Set<NamespaceId>();
    const answers: Prepared[] = [];
    for (const pid of pids) {
      const id = namespaceIdOf(`/proc/${pid}`);
      if (id === undefined || seen.has(id)) continue;
      const answer = this.prepare(pid);
      if (answer.kind === "ready" || (answer.reason !== "gone" && answer.reason !== "untagged")) seen.add(id);
      answers.push(answer);
    }
    return answers;
  }

  /** The kernel refused a connect for want of a listener there; the next one shall work. Any thread may be the caller. */
  missed(pid: number, cookie: bigint): void {
    const nowMs = this.#parts.nowMs();
    const lastMs = this.#tried.get(cookie);
    if (lastMs !== undefined && nowMs - lastMs < NAMESPACE_RETRY_MS) return;
    if (this.#tried.size >= NAMESPACES_MAX) this.#tried.clear();
    this.#tried.set(cookie, nowMs);
    const seen = new Set<NamespaceId>();
    for (const place of [`/proc/${pid}`, ...threadsOf(pid, THREADS_LOOKED_AT_MAX)]) {
      const id = namespaceIdOf(place);
      if (id === undefined || seen.has(id)) continue;
      seen.add(id);
      const answer = this.#prepare(place);
      if (answer.kind === "ready" && answer.cookie === cookie) return;
    }
    // it may have ended already, and others live there; looking at all processes takes longer, so not for each call
    if (nowMs - this.#searchedMs >= NAMESPACE_RETRY_MS) this.#search();
    else this.#isSearchDue = true;
  }

  /** Once a second: closes what no agent lives in any more, and tries again what was refused. */
  tend(): void {
    const nowMs = this.#parts.nowMs();
    if (this.#guarded.size > 0) this.#parts.tagged.refresh();
    const lost = new Map([...this.#guarded].filter(([id, { witness }]) => !this.#livesIn(witness, id)));
    for (const id of this.#guarded.keys()) if (!lost.has(id)) this.#seen(id);
    if (lost.size > 0) this.#findWitnesses(lost);
    for (const [id, guarded] of lost) {
      guarded.emptySinceMs ??= nowMs;
      if (nowMs - guarded.emptySinceMs >= NAMESPACE_GRACE_MS) this.#close(id, guarded);
    }
    for (const [id, { place }] of [...this.#refused]) {
      if (namespaceIdOf(place) === id) this.#prepare(place);
      else this.#refused.delete(id);
    }
    if (this.#isSearchDue) this.#search();
    if (nowMs - this.#startedMs >= NAMESPACE_GRACE_MS) {
      for (const cookie of this.#inherited.closeRest()) this.#parts.interceptor.setListener(0, cookie);
    }
  }

  /** How many there are, without our own. */
  get size(): number {
    return this.#guarded.size;
  }

  named(): NamedDescriptor[] {
    const others = [...this.#guarded.values()].flatMap(({ listeners }) => listeners.named(`-${listeners.cookie}`));
    return [...this.#own.listeners.named(""), ...others];
  }

  /** The kernel is told nothing: without us, connects are refused by the port, or wait where somebody keeps it open. */
  close(): void {
    this.#own.listeners.close();
    for (const { fd, listeners } of this.#guarded.values()) {
      listeners.close();
      closeSync(fd);
    }
    this.#guarded.clear();
    this.#inherited.closeRest();
  }

  /** Every namespace in which some agent lives, by looking at all processes. */
  #search(): void {
    this.#searchedMs = this.#parts.nowMs();
    this.#isSearchDue = false;
    this.#parts.tagged.refresh();
    const seen = new Set([this.#own.id, ...this.#guarded.keys(), ...this.#refused.keys()]);
    for (const place of processes()) {
      const id = namespaceIdOf(place);
      if (id === undefined || seen.has(id) || this.#parts.tagged.knownTagOf(place) === undefined) continue;
      seen.add(id);
      this.#prepare(place);
    }
  }

  #prepare(place: Place): Prepared {
    const id = namespaceIdOf(place);
    if (id === undefined) return refusal("gone", `Cannot guard the namespace of ${place}: the process is gone`);
    const guarded = this.#guarded.get(id);
    if (guarded !== undefined) return { kind: "ready", cookie: guarded.listeners.cookie };
    if (id === this.#own.id) return { kind: "ready", cookie: this.#own.listeners.cookie };
    const opened = openNamespace(place);
    if (opened === undefined) return refusal("gone", `Cannot guard the namespace of ${place}: the process is gone`);
    const answer = this.#guard(opened, place);
    if (answer.kind === "refused") {
      closeSync(opened.fd);
      this.#remember(opened.id, place, answer.reason, answer.message);
    } else this.#refused.delete(opened.id);
    return answer;
  }

  #guard({ fd, id }: { readonly fd: number; readonly id: NamespaceId }, place: Place): Prepared {
    const { tagged, port, tell } = this.#parts;
    const tag = tagged.tagOf(place);
    const closed = !hasNetwork(place);
    // the process id may be another's since the namespace was opened: then what was read is not of this namespace
    if (namespaceIdOf(place) !== id) return refusal("gone", `Cannot guard the namespace of ${place}: it has left`);
    const cannot = `Cannot guard the network namespace of ${place}`;
    if (tag === undefined) return refusal("untagged", `${cannot}: the process is no agent`);
    if (closed) return refusal("no-network", `${cannot}: it was given no network, and gets none from us`);
    const ofTag = [...this.#guarded.values()].filter((other) => other.tag.cgroupId === tag.cgroupId).length;
    const { all, perTag } = this.#parts.limits ?? { all: NAMESPACES_MAX, perTag: NAMESPACES_PER_TAG_MAX };
    if (this.#guarded.size >= all || ofTag >= perTag) {
      return refusal("too-many", `${cannot}: ${perTag} of one tag or ${all} in all have listeners already`);
    }
    const netns = `/proc/self/fd/${fd}`;
    try {
      const listeners = this.#open(netns, cookieOf(netns), place);
      this.#guarded.set(id, { fd, tag, listeners, witness: place, emptySinceMs: undefined });
      tell({ kind: "ready", agent: tag.agent, message: `The network namespace of ${place} has listeners` });
      return { kind: "ready", cookie: listeners.cookie };
    } catch (error) {
      const owned = codeOf(error) === "PORT_IN_USE";
      if (owned) return refusal("port-owned", `${cannot}: another process there holds port ${port}`);
      if (isAddressMissing(error)) return refusal("loopback-down", `${cannot}: its lo is down (ip link set lo up)`);
      return refusal("failed", `${cannot}: ${messageOf(error)}`);
    }
  }

  /** The kernel is told last: no client is sent to a port that nobody owns. */
  #open(netns: string | null, cookie: bigint, place: Place): Listeners {
    const { interceptor, port, handlers } = this.#parts;
    const descriptors = openDescriptors(netns, port, this.#inherited.take(cookie, port, place));
    const listeners = new Listeners({ interceptor, cookie, descriptors, counts: this.queries }, handlers);
    try {
      interceptor.setListener(port, cookie);
    } catch (error) {
      listeners.close();
      throw error;
    }
    return listeners;
  }

  #remember(id: NamespaceId, place: Place, reason: NamespaceRefusal, message: string): void {
    if (reason === "gone" || reason === "untagged") return;
    const before = this.#refused.get(id)?.reason;
    if (before === undefined && this.#refused.size >= NAMESPACES_MAX) return;
    this.#refused.set(id, { place, reason });
    if (before === reason) return;
    const agent = this.#parts.tagged.knownTagOf(place)?.agent ?? 0;
    this.#parts.tell({ kind: "refused", message, agent });
  }

  #livesIn(place: Place, id: NamespaceId): boolean {
    return namespaceIdOf(place) === id && this.#parts.tagged.knownTagOf(place) !== undefined;
  }

  /** Takes those out of `lost` in which an agent is found. Of threads, only those of the last witness are looked at. */
  #findWitnesses(lost: Map<NamespaceId, Guarded>): void {
    const threads = [...lost.values()].flatMap(({ witness }) => {
      const pid = /^\/proc\/(\d+)\/task\//.exec(witness)?.[1];
      return pid === undefined ? [] : threadsOf(Number(pid), THREADS_LOOKED_AT_MAX);
    });
    for (const place of [...processes(), ...threads]) {
      const id = namespaceIdOf(place);
      const guarded = id === undefined ? undefined : lost.get(id);
      if (id === undefined || guarded === undefined || !this.#livesIn(place, id)) continue;
      guarded.witness = place;
      this.#seen(id);
      lost.delete(id);
    }
  }

  /** What a daemon that was killed had told: nobody listens there any more, and a cookie is never given twice. */
  #forgetDead(): void {
    const ours = [this.#own.listeners, ...[...this.#guarded.values()].map(({ listeners }) => listeners)];
    const known = new Set([...ours.map(({ cookie }) => cookie), ...this.#inherited.cookies()]);
    for (const { netnsCookie: cookie } of this.#parts.interceptor.listeners()) {
      if (!known.has(cookie)) this.#parts.interceptor.setListener(0, cookie);
    }
  }

  #seen(id: NamespaceId): void {
    const guarded = this.#guarded.get(id);
    if (guarded !== undefined) guarded.emptySinceMs = undefined;
  }

  #close(id: NamespaceId, { fd, listeners, tag }: Guarded): void {
    this.#parts.interceptor.setListener(0, listeners.cookie);
    this.#guarded.delete(id);
    listeners.close();
    closeSync(fd);
    const message = "No agent is left in a network namespace: its listeners are closed";
    this.#parts.tell({ kind: "closed", message, agent: tag.agent });
  }
}

function refusal(reason: NamespaceRefusal, message: string): Prepared {
  return { kind: "refused", reason, message };
}
