/**
 * Group commit: what was appended to many files survives a loss of power after one round of syncs for all that wait.
 * While a round runs, the next one gathers. Writes nothing.
 */
import type { Segment } from "./segment.ts";

export interface Commits {
  /** Resolves when what was appended to `segment` before this call is on the disk. Rejects with errno errors. */
  sync(segment: Segment): Promise<void>;
}

/** `tell` hears how much of a file is on the disk: for tests of a loss of power. */
export function createCommits(tell: (file: string, bytes: number) => void = () => {}): Commits {
  /** What the next round syncs; as many as there are open recordings at most. */
  let gathering = new Map<Segment, Promise<void>>();
  let running: Promise<unknown> = Promise.resolve();

  /** From here on others wait for the round after this one. */
  function begin(): void {
    const round = gathering;
    gathering = new Map();
    running = Promise.allSettled(round.values());
  }

  return {
    sync(segment) {
      const waiting = gathering.get(segment);
      if (waiting !== undefined) return waiting;
      const round = gathering;
      const synced = running.then(() => {
        if (gathering === round) begin();
        const { size } = segment;
        return segment.sync().then(() => tell(segment.file, size));
      });
      round.set(segment, synced);
      return synced;
    },
  };
}
