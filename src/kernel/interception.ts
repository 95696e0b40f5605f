/**
 * The kernel side as one object: programs attached, listeners open, tags and destinations set.
 * Holds the only `Interceptor`. Decides nothing: who is an agent and what is registered it is told.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { type Accepted, type Destination, Interceptor, type KernelEvent, listenIn, netnsCookie } from "ebpf-loader";
import { UserError } from "../base/errors.ts";

export interface InterceptionOptions {
  readonly runDir: string;
  /** Of the listeners on 127.0.0.1 and ::1; outside ip_local_port_range. */
  readonly port: number;
  /** The cgroup2 mount; found in /proc/mounts when absent. */
  readonly cgroupRoot?: string;
  /** Programs not to attach: control runs of tests only. */
  readonly without?: readonly string[];
}

/** Connections that may wait for accept; beyond it a client retries its SYN. */
const BACKLOG = 4096;

export class Interception {
  readonly cgroupRoot: string;
  readonly port: number;
  readonly adopted: boolean;
  readonly #interceptor: Interceptor;
  readonly #stops: { close(): void }[] = [];

  /** Attaches, or adopts what a former daemon left. Throws LoaderError or UserError. */
  constructor(options: InterceptionOptions) {
    this.cgroupRoot = options.cgroupRoot ?? findCgroupRoot();
    this.port = options.port;
    this.#interceptor = new Interceptor({
      cgroupRoot: this.cgroupRoot,
      pinDir: pinDirOf(options.runDir),
      ...(options.without === undefined ? {} : { without: options.without }),
    });
    this.adopted = this.#interceptor.adopted;
  }

  /** Opens the listeners, then tells connect4/6 of them: a client is never sent to a port that nobody owns. */
  listen(onConnection: (accepted: Accepted) => void): void {
    for (const address of loopbackAddresses()) {
      const fd = listenIn(null, address, this.port, BACKLOG);
      this.#stops.push(this.#interceptor.accept(fd, onConnection));
    }
    this.#interceptor.setListener(this.port, netnsCookie());
  }

  watch(onEvent: (event: KernelEvent) => void): void {
    this.#stops.push(this.#interceptor.events(onEvent));
  }

  /** Returns the cgroup's id. `path` is the host path of the folder. */
  tag(path: string, slot: number): bigint {
    return this.#interceptor.tag(path, slot);
  }

  untag(cgroupId: bigint): boolean {
    return this.#interceptor.untag(cgroupId);
  }

  tags(): readonly { cgroupId: bigint; agent: number }[] {
    return this.#interceptor.tags();
  }

  setDestinations(all: readonly Destination[]): void {
    this.#interceptor.setDestinations(all);
  }

  sweepOrigins(ageMs: number): number {
    return this.#interceptor.sweepOrigins(ageMs);
  }

  /** Since the programs were first attached. */
  counters(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      Object.entries(this.#interceptor.counters()).map(([name, count]) => [name, Number(count)]),
    );
  }

  /** Lets go of every handle; pins stay, so tagged agents stay guarded and get ECONNREFUSED. */
  close(): void {
    for (const stop of this.#stops.splice(0)) stop.close();
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

function loopbackAddresses(): readonly string[] {
  return existsSync("/proc/net/if_inet6") && readFileSync("/proc/net/if_inet6", "utf8").includes(" lo")
    ? ["127.0.0.1", "::1"]
    : ["127.0.0.1"];
}
