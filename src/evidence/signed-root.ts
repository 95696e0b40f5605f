/** What checkpoints said of one recording, and which of it has to hold. Pure. */
import type { Root } from "../recorder/recorder.ts";

/** The newest signed word on one recording. */
export interface SignedRoot extends Root {
  /** Of the checkpoint. */
  readonly number: number;
  readonly signedMs: number;
  /**
   * What was signed before a crash. A recording that the daemon itself writes on has the newest root's hash over all of
   * it; one that was found after a crash may have been anything until then.
   */
  readonly before: readonly SignedRoot[];
}

/** `older`: what the checkpoints before this one came to. */
export function signedRoot(older: SignedRoot | undefined, root: Root, number: number, signedMs: number): SignedRoot {
  const before = older === undefined ? [] : isVouched(older, root) ? older.before : [...older.before, older];
  return { ...root, number, signedMs, before };
}

function isVouched(older: Root, root: Root): boolean {
  return root.state !== "interrupted" || (older.segment === root.segment && older.hash === root.hash);
}
