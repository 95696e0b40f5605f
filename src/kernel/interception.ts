/**
 * The kernel side as one object: programs attached, listeners open in every namespace with agents, tags and
 * destinations set. Holds the only `Interceptor`. Decides nothing: who is an agent and what is registered it is told.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, realpathSync } from "node:fs";
import { type Birth, type Destination, Interceptor, type KernelEvent } from "ebpf-loader";
import { UserError } from "../base/errors.ts";
import { PULSE_EVERY_MS, SILENCE_HELD_MS, SILENCE_MAX_MS } from "../base/limits.ts";
import { cgroupsIn, processesOf } from "./cgroups.ts";
import type { Handlers, NamedDescriptor } from "./listeners.ts";
import { Namespaces, type NamespaceTold, type Prepared } from "./namespaces.ts";
import { TaggedCgroups } from "./tagged.ts";

export interface InterceptionOptions {
  readonly runDir: string;
  /** Of the listeners on 127.0.0.1 and ::1; outside ip_local_port_range. */
  readonly port: number;
  /** The cgroup2 mount; found in /proc/mounts when absent. */
  readonly cgroupRoot?: string;
  /** Programs not to attach: control runs of tests only. */
  readonly without?: readonly string[];
  /** What a service manager kept open since the last life; see listenersToKeep(). */
  readonly inherited?: readonly NamedDescriptor[];
  /** Who holds the listeners while we do not: with a manager clients wait for the next one, else they are refused sooner. */
  readonly holder?: "manager" | "nobody";
}

export class Interception {
  readonly cgroupRoot: string;
  readonly port: number;
  readonly adopted: boolean;
  readonly #interceptor: Interceptor;
  readonly #tagged: TaggedCgroups;
  readonly #inherited: readonly NamedDescriptor[];
  readonly #pulseMs: number;
  readonly #stops: { close(): void }[] = [];
  #namespaces: Namespaces | undefined;

  /** Attaches, or adopts what a former daemon left. Throws LoaderError or UserError. */
  constructor(options: InterceptionOptions) {
    this.cgroupRoot = options.cgroupRoot ?? findCgroupRoot();
    this.port = options.port;
    const interceptor = new Interceptor({
      cgroupRoot: this.cgroupRoot,
      pinDir: pinDirOf(options.runDir),
      ...(options.without === undefined ? {} : { without: options.without }),
    });
    this.#interceptor = interceptor;
    this.adopted = interceptor.adopted;
    this.#inherited = options.inherited ?? [];
    this.#pulseMs = options.holder === "manager" ? SILENCE_HELD_MS : SILENCE_MAX_MS;
    this.#tagged = new TaggedCgroups(this.cgroupRoot, () => interceptor.tags());
  }

  /**
   * Opens the listeners of every namespace in which agents live, then tells connect4/6 of them: a client is never sent
   * to a port that nobody owns. `tell` hears what becomes of namespaces other than our own.
   */
  listen(handlers: Handlers, tell: (told: NamespaceTold) => void = () => {}): void {
    this.#namespaces = new Namespaces({
      ...{ interceptor: this.#interceptor, port: this.port, tagged: this.#tagged, inherited: this.#inherited },
      ...{ handlers, tell, nowMs: () => performance.now() },
    });
    const pulse = () => this.#interceptor.pulse(this.#pulseMs);
    pulse();
    const timer = setInterval(pulse, PULSE_EVERY_MS);
    this.#stops.push({ close: () => clearInterval(timer) });
  }

  /** Every record of the kernel. A connect that found no listener in its namespace makes it get one for the next. */
  watch(onEvent: (event: KernelEvent) => void): void {
    const hear = (event: KernelEvent) => {
      if (event.reason === "no-listener") this.#namespaces?.missed(event.pid, event.netnsCookie);
      onEvent(event);
    };
    this.#stops.push(this.#interceptor.events(hear));
  }

  /** Listeners in the namespace of an agent's process, before its first connect. Idempotent; nothing is waited for. */
  prepare(pid: number): Prepared | undefined {
    return this.#namespaces?.prepare(pid);
  }

  /** The same for every process of a tagged cgroup (its host path) and of those below it; one answer per namespace. */
  prepareCgroup(path: string): readonly Prepared[] {
    const pids = cgroupsIn(path).flatMap(processesOf);
    return this.#namespaces?.prepareAll(pids) ?? [];
  }

  /** Once a second. */
  tend(): void {
    this.#namespaces?.tend();
  }

  /** For a service manager's descriptor store; changes with every namespace. Those of a closed one must be given up. */
  listenersToKeep(): readonly NamedDescriptor[] {
    return this.#namespaces?.named() ?? [];
  }

  /** Accepts no more. Where a service manager holds the listeners, what comes waits for the next daemon. */
  stopListening(): void {
    this.#namespaces?.close();
    this.#namespaces = undefined;
  }

  /** Returns the cgroup's id. `path` is the host path of the folder. */
  tag(path: string, slot: number): bigint {
    return this.#interceptor.tag(path, slot);
  }

  untag(cgroupId: bigint): boolean {
    const was = this.#interceptor.untag(cgroupId);
    this.#tagged.refresh();
    return was;
  }

  /** Those of cgroups that are gone: any number at once. */
  untagAll(cgroupIds: readonly bigint[]): void {
    for (const cgroupId of cgroupIds) this.#interceptor.untag(cgroupId);
    if (cgroupIds.length > 0) this.#tagged.refresh();
  }

  tags(): readonly { cgroupId: bigint; agent: number }[] {
    return this.#interceptor.tags();
  }

  setDestinations(all: readonly Destination[]): void {
    this.#interceptor.setDestinations(all);
  }

  /** Cgroups that are tagged in the moment they are made. */
  setBirths(all: readonly Birth[]): void {
    this.#interceptor.setBirths(all);
  }

  /** Unix sockets that agents may reach. False where the kernel cannot judge them. */
  setDoors(all: readonly string[], mountNamespaces: readonly bigint[]): boolean {
    return this.#interceptor.setDoors(all, mountNamespaces);
  }

  /** Denies everything new of that slot, or lifts it. */
  quarantine(slot: number, state: "on" | "off"): void {
    this.#interceptor.quarantine(slot, state === "on");
  }

  /** Until that moment of CLOCK_BOOTTIME, in nanoseconds, what would be refused is marked only. 0n ends it now. */
  observe(slot: number, untilBootNs: bigint): void {
    this.#interceptor.observe(slot, untilBootNs);
  }

  sweepOrigins(ageMs: number): number {
    return this.#interceptor.sweepOrigins(ageMs);
  }

  /** Since the programs were first attached; those of namespaces and queries since this daemon began. */
  counters(): Readonly<Record<string, number>> {
    const kernel = Object.entries(this.#interceptor.counters()).map(([name, count]) => [name, Number(count)]);
    const { size = 0, queries = { unknown: 0, refused: 0 } } = this.#namespaces ?? {};
    const ours = { namespaces: size, queriesUnknown: queries.unknown, queriesRefused: queries.refused };
    return { ...Object.fromEntries(kernel), ...ours };
  }

  /** Lets go of every handle; pins stay, so tagged agents stay guarded and get ECONNREFUSED. */
  close(): void {
    for (const stop of this.#stops.splice(0)) stop.close();
    this.stopListening();
    this.#interceptor.close();
  }
}

/** One folder on bpffs for each run folder, so that several daemons (a checkout, tests) do not meet. */
export function pinDirOf(runDir: string): string {
  if (runDir === "/run/sallyport") return "/sys/fs/bpf/sallyport";
  mkdirSync(runDir, { recursive: true });
  const mark = createHash("sha256").update(realpathSync(runDir)).digest("hex").slice(0, 12);
  return `/sys/fs/bpf/sallyport-${mark}`;
}

/** Source: cgroups(7); hybrid hosts mount cgroup2 at /sys/fs/cgroup/unified. */
export function findCgroupRoot(): string {
  for (const line of readFileSync("/proc/mounts", "utf8").split("\n")) {
    const [, path, type] = line.split(" ");
    if (type === "cgroup2" && path !== undefined) return path;
  }
  throw new UserError(
    "CGROUP2_MISSING",
    "Cannot find a cgroup v2 hierarchy: /proc/mounts lists none",
    "Mount one: mount -t cgroup2 none /sys/fs/cgroup/unified",
  );
}
