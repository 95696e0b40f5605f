/** Held actions as the API shows them and takes answers to them. Plain values, no behaviour. */
import type { Caller } from "./ports.ts";

/** What a caller may see and answer: root all of it, members of a rule's groups what that rule holds. */
export interface ApprovalPorts {
  /** Those that wait and those under way, oldest first; `all`: also those that ended, newest first, at most `limit`. */
  list(query: { readonly all: boolean; readonly limit: number }, caller: Caller): Promise<readonly ApprovalListing[]>;
  show(id: string, caller: Caller): Promise<ApprovalListing | undefined>;
  /** Throws APPROVAL_UNKNOWN, APPROVAL_ENDED, APPROVAL_NOT_PERMITTED, APPROVAL_DIGEST, APPROVAL_SCOPE, APPROVAL_TWICE. */
  approve(id: string, answer: ApprovalAnswer, caller: Caller): Promise<ApprovalListing>;
  deny(id: string, answer: Omit<ApprovalAnswer, "forMs">, caller: Caller): Promise<ApprovalListing>;
  /** What is listed now, then every change, until the returned function is called. */
  watch(caller: Caller, onChange: (change: ApprovalChange) => void): () => void;
}

export interface ApprovalAnswer {
  /** The same shape passes again for so long. */
  readonly forMs?: number;
  readonly comment?: string;
  /** What the caller has seen, or its first 12 characters; what has another digest is not answered. */
  readonly digest?: string;
}

export interface ApprovalChange {
  readonly kind: "approval";
  readonly approval: ApprovalListing;
}

/** A held action. Texts and parameters are as recorded: detectors ran over them. */
export interface ApprovalListing {
  readonly id: string;
  readonly state: "waiting" | "approved" | "running" | "executed" | "denied" | "expired" | "abandoned" | "unknown";
  readonly sessionId: string;
  readonly agent: string;
  readonly connection: string;
  readonly protocol: string;
  /** As what the session was let in: "connect to orders". */
  readonly entrance?: string;
  /** All of them are answered together. */
  readonly statements: readonly {
    readonly text: string;
    readonly parameters: readonly (string | null)[];
    readonly actions: readonly string[];
  }[];
  readonly tables: readonly {
    readonly name: string;
    readonly access: string;
    readonly labels: readonly string[];
    readonly columnLabels: readonly string[];
  }[];
  readonly pid: number;
  readonly user: string;
  readonly executable: string;
  /** From the process that connected up to the agent's first. */
  readonly processes: readonly { readonly pid: number; readonly comm: string; readonly executable: string }[];
  readonly rules: readonly string[];
  readonly message: string;
  readonly digest: string;
  readonly openedMs: number;
  readonly expiresMs: number;
  readonly endedMs?: number;
  /** Of each rule: "2 of sre or dba". */
  readonly approvers: readonly string[];
  /** What is missing; absent: nothing. */
  readonly missing?: string;
  readonly answers: readonly ApprovalVote[];
  readonly denied?: ApprovalVote;
  /** For how long an approval may stand at most; 0: once. */
  readonly reuseMs: number;
  readonly standsUntilMs?: number;
  /** The one whose approval stood, where nobody was asked. */
  readonly reuses?: string;
  /** Rows, or why they are not known; absent while that is being asked. */
  readonly estimate?: string;
  readonly reason?: string;
  readonly result?: string;
  /** Why the caller may not answer; absent: they may. */
  readonly barred?: string;
  /** Earlier ones of the same shape, newest first; only where one is shown by itself. */
  readonly similar?: readonly SimilarApproval[];
}

export interface ApprovalVote {
  /** As people read it: "ada (sre)", "Ada Lovelace [corp:ada] (corp:sre)". */
  readonly name: string;
  /** "corp:ada", "unix:2001" */
  readonly account: string;
  readonly atMs: number;
  readonly forMs?: number;
  readonly comment?: string;
  /** By which it was given in others' places. */
  readonly delegations?: readonly string[];
  /** False: what it was given by has ended meanwhile, so that it is as if it had not been given. Absent: it counts. */
  readonly counts?: boolean;
}

export interface SimilarApproval {
  readonly id: string;
  readonly agent: string;
  readonly openedMs: number;
  readonly state: ApprovalListing["state"];
  readonly by: readonly string[];
  readonly result?: string;
}
