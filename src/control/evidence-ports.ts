/** What the control side asks about evidence: is it as it was written, and the same for a stranger. */
import type { Caller } from "./ports.ts";

export interface EvidencePorts {
  /**
   * Looks at the whole trail and at all recordings, or at one of them, after a fresh checkpoint. `anchor`: a checkpoint
   * as somebody outside got it. Throws SESSION_UNKNOWN, CHECKPOINT_UNREADABLE.
   */
  verify(asked: VerifyAsked): Promise<AsyncIterable<EvidenceLine>>;
  /** The public part of the key that signs checkpoints. */
  key(): Promise<HostKeyListing>;
  /** Makes one where something is newer than the last; the newest one, as the line that sinks get. */
  checkpoint(): Promise<object | undefined>;
  /** One session and what proves it, as a tar file. Undefined when there is none. */
  bundle(sessionId: string): Promise<AsyncIterable<Uint8Array> | undefined>;
  dataKeys(): Promise<readonly DataKeyListing[]>;
  /** What was sealed with it can never be read again. Throws DATA_KEY_UNKNOWN, DATA_KEY_HELD, DATA_KEY_LEFT. */
  destroyDataKey(id: string, reason: string, caller: Caller): Promise<void>;
}

export interface VerifyAsked {
  readonly session?: string;
  /** The line of a sink. */
  readonly anchor?: string;
}

/** Findings as they are found, a sign of life where there is none for a while, then one summary. */
export type EvidenceLine =
  | { readonly kind: "progress"; readonly sessions: number; readonly records: number }
  | {
      readonly kind: "finding";
      /** `tampered`: it is not as it was written. `unproved`: no signature covers it. */
      readonly verdict: "tampered" | "unproved";
      /** changed, missing, reordered, inserted, truncated, removed, renamed, unknown, signature, rolled-back, unsigned. */
      readonly what: string;
      /** A session's id, "trail", or a checkpoint. */
      readonly where: string;
      readonly message: string;
    }
  | ({ readonly kind: "summary" } & EvidenceSummary);

export interface EvidenceSummary {
  readonly events: number;
  readonly checkpoints: number;
  /** The newest checkpoint. */
  readonly last?: { readonly number: number; readonly atMs: number };
  readonly sessions: number;
  readonly records: number;
  readonly tampered: number;
  readonly unproved: number;
}

export interface HostKeyListing {
  /** As checkpoints name it. */
  readonly id: string;
  /** Ed25519 in PEM. */
  readonly publicKey: string;
}

export interface DataKeyListing {
  readonly id: string;
  readonly createdMs: number;
  readonly isCurrent: boolean;
  readonly destroyedMs?: number;
  readonly reason?: string;
}

/** Without a daemon. */
export interface OfflineVerification {
  /** A state folder, or a copy of one. */
  readonly stateDir: string;
  /** PEM. */
  readonly publicKey: string;
  readonly session?: string;
  readonly anchor?: string;
}
