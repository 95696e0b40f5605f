/**
 * The Unix sockets that agents may reach, and from which mount namespaces: in one of its own making an agent decides what a
 * path leads to. What `run` starts with privileges has a namespace that only the launcher made, so its doors stay open.
 */
import { type BigIntStats, closeSync, existsSync, fstatSync, openSync, statSync } from "node:fs";
import { RUN_MOUNTS_HELD_MAX } from "../base/limits.ts";
import type { RunBounds } from "../control/runs.ts";

export interface DoorKernel {
  setDoors(all: readonly string[], mountNamespaces: readonly bigint[]): boolean;
}

export class Doors {
  readonly #kernel: DoorKernel;
  readonly #procRoot: string;
  /** Cgroup path to the namespace, held open: a number that is in use cannot pass to another namespace. */
  readonly #held = new Map<string, number>();
  #paths: readonly string[] = [];
  #judged = false;

  constructor(kernel: DoorKernel, procRoot = "/proc") {
    this.#kernel = kernel;
    this.#procRoot = procRoot;
  }

  /** In force at once. */
  open(paths: readonly string[]): void {
    this.#paths = paths;
    this.#apply();
  }

  /** Without a kernel that judges, either all of a command's Unix sockets are open, or none. */
  get unixSockets(): RunBounds["unixSockets"] {
    return this.#judged || this.#paths.length > 0 ? "judged" : "denied";
  }

  /** Doors for a waiting launcher, as long as its cgroup lives. Only where none but real root could make its namespace. */
  admit(pid: number, cgroup: string): void {
    if (this.#held.size >= RUN_MOUNTS_HELD_MAX) return; // its doors stay shut
    try {
      if (!this.#isSame(pid, "user") || this.#isSame(pid, "mnt")) return;
      this.#held.set(cgroup, openSync(`${this.#procRoot}/${pid}/ns/mnt`, "r"));
    } catch {
      return; // it is gone
    }
    this.#apply();
  }

  /** Once a second: forgets the namespaces of runs that have ended. */
  tend(): void {
    const ended = [...this.#held].filter(([cgroup]) => !existsSync(cgroup));
    if (ended.length === 0) return;
    for (const [cgroup] of ended) this.#held.delete(cgroup);
    this.#apply(); // before the numbers are free
    for (const [, fd] of ended) closeSync(fd);
  }

  close(): void {
    for (const fd of this.#held.values()) closeSync(fd);
    this.#held.clear();
  }

  #apply(): void {
    const own = this.#namespaceOf("self", "mnt").ino;
    const runs = [...this.#held.values()].map((fd) => fstatSync(fd, { bigint: true }).ino);
    this.#judged = this.#kernel.setDoors(this.#paths, [own, ...runs]);
  }

  #isSame(pid: number, kind: "user" | "mnt"): boolean {
    return this.#namespaceOf(pid, kind).ino === this.#namespaceOf("self", kind).ino;
  }

  #namespaceOf(pid: number | "self", kind: "user" | "mnt"): BigIntStats {
    return statSync(`${this.#procRoot}/${pid}/ns/${kind}`, { bigint: true });
  }
}
