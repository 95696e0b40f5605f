/** Puts a waiting attack into the cgroup where its place or its start wants it, and tags that cgroup where that is the guard. */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupOf } from "../../src/kernel/cgroups.ts";
import type { Attempt } from "./attempt.ts";
import type { Place, Vector } from "./vector.ts";
import { agentOf } from "./world.ts";

/** Whether the attack says its id first and goes on when told. */
export function waits(vector: Vector, place: Place): boolean {
  return place === "child" || isTaggedByUs(vector);
}

/** The guard is `sallyport tag` on the attack's cgroup, not `sallyport run`. */
export function isTaggedByUs({ start }: Vector): boolean {
  return start === "before-tag" || start === "delegated";
}

export class Settling {
  readonly #attempt: Attempt;
  readonly #child: ChildProcess;
  #made: string | undefined;
  #where: string | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(attempt: Attempt, child: ChildProcess) {
    this.#attempt = attempt;
    this.#child = child;
  }

  /** The waiting process has said its id. */
  arrived(pid: number): void {
    const { vector, world, place, guard } = this.#attempt;
    const own = guard === undefined || isTaggedByUs(vector) ? undefined : cgroupOf(pid);
    if (vector.start === "delegated") {
      this.#where = world.delegated.from;
    } else {
      const parent = own === undefined || own === "/" ? `/sallyport-bypass-${process.pid}/${place}` : own;
      this.#made = join(world.cgroupRoot, parent, "deeper");
      this.#where = this.#made;
      mkdirSync(this.#made, { recursive: true });
    }
    writeFileSync(join(this.#where, "cgroup.procs"), String(pid));
    if (vector.start === "delegated") this.tag();
    else this.#go();
  }

  /** Tags the cgroup in a guarded run; a control run only goes on. */
  tag(): void {
    this.#work = this.#tag().catch((error: unknown) => void this.#child.emit("error", error));
  }

  /** Ends the tag and removes what was made. */
  async end(): Promise<void> {
    await this.#work;
    const { guard, vector, world } = this.#attempt;
    if (guard !== undefined && isTaggedByUs(vector) && this.#where !== undefined) {
      await world.daemon?.cli(["untag", "--cgroup", this.#where]);
    }
    if (this.#made !== undefined) await removeCgroup(this.#made);
  }

  async #tag(): Promise<void> {
    const { guard, world, place } = this.#attempt;
    if (guard !== undefined && this.#where !== undefined) {
      await world.daemon?.json(["tag", "--as", agentOf(place), "--cgroup", this.#where]);
    }
    this.#go();
  }

  #go(): void {
    this.#child.stdin?.write("go\n");
  }
}

/** Its last process may still be being reaped: half a second at most. */
async function removeCgroup(path: string): Promise<void> {
  for (let round = 0; round < 50; round++) {
    try {
      rmdirSync(path);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
