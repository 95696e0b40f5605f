/**
 * A held action as people see it and as it is kept: plain JSON. Detectors ran over every text in it; nothing here
 * can be forwarded.
 */
import type { Demand } from "../model/hold.ts";
import type { HoldRow } from "../store/holds.ts";
import type { Person } from "./entitled.ts";
import type { SeenProcess } from "./processes.ts";

/**
 * waiting - approved - running - executed; or denied, expired, abandoned instead. `approved` is kept before anything
 * else happens, `running` before it is forwarded. `unknown`: it was forwarded, and nobody heard what came of it.
 */
export type HoldState =
  | "waiting"
  | "approved"
  | "running"
  | "executed"
  | "denied"
  | "expired"
  | "abandoned"
  | "unknown";

export interface HoldRecord {
  readonly id: string;
  readonly sessionId: string;
  readonly agent: string;
  readonly connection: string;
  readonly protocol: string;
  /** "connect to orders": the database is the client's to choose. */
  readonly entrance?: string;
  /** All of them are approved, or none. */
  readonly statements: readonly HeldStatement[];
  readonly tables: readonly HeldTable[];
  readonly origin: HeldOrigin;
  readonly rules: readonly string[];
  /** The rules' own words. */
  readonly message: string;
  readonly policy: string;
  readonly demands: readonly Demand[];
  /** Of actions, texts, parameters, agent, connection and policy; hexadecimal. */
  readonly digest: string;
  /** Equal where only literals and parameters differ; "": it has no shape. */
  readonly shape: string;
  /** Equal for all that a reviewer would call the same statement; "": likewise. */
  readonly likeness: string;
  /** For how long an approval may stand at most; 0: once. */
  readonly reuseMs: number;
  readonly openedMs: number;
  readonly expiresMs: number;
  readonly state: HoldState;
  /** Those who approved so far, in their order. */
  readonly votes: readonly Vote[];
  /** Who denied it. */
  readonly denied?: Vote;
  /** The hold whose approval stood, where nobody was asked. */
  readonly reuses?: string;
  /** Until when the same shape passes again. */
  readonly standsUntilMs?: number;
  /** Rows, or why they are not known; absent while that is being asked. */
  readonly estimate?: string;
  /** Why it was denied, abandoned or is unknown. */
  readonly reason?: string;
  /** What came of it: "DELETE 5", "failed: 23503". */
  readonly result?: string;
  readonly endedMs?: number;
}

export interface HeldStatement {
  readonly text: string;
  readonly parameters: readonly (string | null)[];
  readonly actions: readonly string[];
}

export interface HeldTable {
  readonly name: string;
  readonly access: string;
  readonly labels: readonly string[];
  readonly columnLabels: readonly string[];
}

export interface HeldOrigin {
  readonly pid: number;
  readonly uid: number;
  readonly user: string;
  readonly executable: string;
  /** From the one that connected up to the agent's first. */
  readonly processes: readonly SeenProcess[];
  /** Accounts of who may never answer: whose processes these are, and who made them an agent. Without root. */
  readonly startedBy: readonly string[];
}

export interface Vote {
  /** Absent: no process of this host answered. */
  readonly uid?: number;
  /** "ada (sre)", "root", "Ada Lovelace [corp:ada] (corp:sre)" */
  readonly name: string;
  /** By which they are known. */
  readonly accounts: readonly string[];
  /** Of the session or API token by which it was given; absent: none was shown. */
  readonly by?: string;
  readonly reach: Person["reach"];
  /** Those of the demanded groups that count, by their own right. */
  readonly groups: readonly string[];
  /** Those that they answer for in others' places, as long as these delegations stand. */
  readonly lent?: readonly { readonly delegation: string; readonly group: string }[];
  readonly atMs: number;
  readonly forMs?: number;
  readonly comment?: string;
}

export function rowOf(record: HoldRecord): HoldRow {
  const { id, state, likeness, openedMs } = record;
  return { id, state, likeness, openedMs, document: JSON.stringify(record) };
}

export function recordOf({ document }: HoldRow): HoldRecord {
  return JSON.parse(document) as HoldRecord;
}
