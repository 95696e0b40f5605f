/** What the control side asks about how long recordings are kept. */
import type { Caller } from "./ports.ts";

export interface RetentionPorts {
  /** What would go now, oldest first. */
  plan(): Promise<readonly DeletionListing[]>;
  /** Deletes it, and tells what went. */
  run(caller: Caller): Promise<readonly DeletionListing[]>;
  holds(): Promise<readonly LegalHoldListing[]>;
  /** Its recording is kept whatever the settings say. Throws SESSION_UNKNOWN. */
  hold(sessionId: string, reason: string, caller: Caller): Promise<void>;
  /** Throws SESSION_UNKNOWN. */
  unhold(sessionId: string, caller: Caller): Promise<void>;
}

export interface DeletionListing {
  readonly id: string;
  readonly agent: string;
  readonly connection: string;
  readonly endedMs: number;
  readonly bytes: number;
  readonly why: "age" | "size";
  /** Place of the rule in the settings, from 0. */
  readonly rule: number;
}

export interface LegalHoldListing {
  readonly sessionId: string;
  readonly reason: string;
  /** Absent: somebody over the network. */
  readonly uid?: number;
  /** Account and name of the human who gave it; absent: a user of the host without a session. */
  readonly human?: string;
  readonly humanName?: string;
  readonly sinceMs: number;
}
