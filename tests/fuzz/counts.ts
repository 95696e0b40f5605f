/** What was fuzzed: how many messages of which side, what was done to them, and how sessions ended. */
import type { Trial } from "./trial.ts";

export class Counts {
  /** Changed or out of their turn, given to a machine that was still open. These are what "N messages" means. */
  mutated = 0;
  /** As recorded. */
  unchanged = 0;
  sessions = 0;
  forwards = 0;
  denials = 0;
  maxHandleMs = 0;
  readonly bySide = { client: 0, server: 0 };
  readonly byMutation = new Map<string, number>();
  readonly byWorld = new Map<string, number>();
  readonly byMachine = new Map<string, number>();
  readonly byEnd = new Map<string, number>();

  begin(trial: Trial): void {
    this.sessions++;
    add(this.byWorld, trial.setting.world.name, 1);
  }

  end(trial: Trial): void {
    this.forwards += trial.forwards;
    this.denials += trial.denials;
    this.maxHandleMs = Math.max(this.maxHandleMs, trial.maxHandleMs);
    add(this.byEnd, trial.isClosed ? trial.fault || wordsOf(trial.reason) : "still open", 1);
  }

  /** Of a session that was not drawn by a seed. */
  endurance({ maxHandleMs, forwards }: Trial): void {
    this.sessions++;
    this.forwards += forwards;
    this.maxHandleMs = Math.max(this.maxHandleMs, maxHandleMs);
  }

  machine(name: string): void {
    add(this.byMachine, name, 1);
  }

  /** Messages as they were recorded. */
  plain(_side: "client" | "server", count: number): void {
    this.unchanged += count;
  }

  items(side: "client" | "server", items: readonly { readonly mutation: string | undefined }[]): void {
    for (const { mutation } of items) {
      if (mutation === undefined) {
        this.unchanged++;
        continue;
      }
      this.mutated++;
      this.bySide[side]++;
      add(this.byMutation, mutation, 1);
    }
  }
}

/** Without what the peers said. */
function wordsOf(reason: string): string {
  return reason.replace(/".*"/s, "…");
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}
