/** The part of ports.ts that is about policies: what may be asked of one, recorded or drafted. */
import type { Explanation } from "../policy/explanation.ts";
import type { Problem } from "../policy/problem.ts";
import type { Change, ReplaySummary } from "../policy/replay.ts";
import type { Suggestion } from "../policy/suggest.ts";
import type { CaseResult } from "../policy/trial.ts";

export interface PolicyPorts {
  /** Texts are checked only; the running policy stays. */
  check(files: readonly PolicyFile[]): Promise<PolicyCheck>;
  status(): Promise<PolicyStatus>;
  /** Throws CONNECTION_UNKNOWN, PROTOCOL_WITHOUT_TEXTS. */
  explain(request: ExplainRequest): Promise<Explanation>;
  /** Under the policy of now. Throws SESSION_UNKNOWN, ENTRY_UNKNOWN, ENTRY_PARTIAL. */
  explainRecorded(entry: { readonly session: string; readonly number: number }): Promise<Explanation>;
  /** Each change as it is found, and the summary last. Throws POLICY_INVALID. */
  replay(files: readonly PolicyFile[], query: RecordedQuery): Promise<AsyncIterable<Change | ReplaySummary>>;
  suggest(query: RecordedQuery): Promise<Suggestion>;
}

/** Somebody types something in. */
export interface ExplainRequest {
  readonly agent: string;
  readonly connection: string;
  readonly text: string;
  readonly user?: string;
  readonly executable?: string;
  /** Now, unless it is said. */
  readonly atMs?: number;
}

/** Which recordings are read. */
export interface RecordedQuery {
  readonly agent?: string;
  readonly sinceMs?: number;
  /** The newest so many. */
  readonly sessions?: number;
}

export interface PolicyTestResult {
  readonly results: readonly CaseResult[];
  /** In how many cases each rule matched. */
  readonly coverage: readonly {
    readonly rule: string;
    readonly file: string;
    readonly line: number;
    readonly cases: number;
  }[];
  /** Pairs of the settings that cases let through, though no grant of the settings lets the agent reach the connection. */
  readonly ungranted: readonly { readonly agent: string; readonly connection: string }[];
}

export interface PolicyFile {
  readonly path: string;
  readonly text: string;
}

export interface PolicyCheck {
  readonly rules: number;
  /** Empty: the policy can be loaded. */
  readonly problems: readonly Problem[];
  /** What does not keep it from being loaded and is likely not meant. */
  readonly warnings: readonly Problem[];
}

export interface PolicyStatus {
  /** The policy's version: its hash. */
  readonly hash: string;
  readonly rules: number;
  readonly files: readonly string[];
  readonly loadedMs: number;
  /** Rules that are tried: what each would have done since the daemon started, and how often. */
  readonly shadow: readonly { readonly rule: string; readonly would: Readonly<Record<string, number>> }[];
}
