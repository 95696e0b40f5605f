/** When an agent was last heard of, and how much of it was only observed. One number an agent; forgets at a restart. */
import type { KernelEvent } from "ebpf-loader";

export class Sightings {
  readonly #lastMs = new Map<number, number>();
  /** Refusals that the kernel reported and did not carry out. */
  observed = 0;

  note(event: Pick<KernelEvent, "agent" | "observed">, atMs: number): void {
    if (event.agent !== 0) this.#lastMs.set(event.agent, atMs);
    if (event.observed) this.observed += 1;
  }

  /** Undefined: not since the daemon started. */
  lastMs(slot: number): number | undefined {
    return this.#lastMs.get(slot);
  }
}
