/** What the daemon and the index say to each other. Plain values, copied between them. */
import type { SearchAnswer, SearchLag, SearchRequest } from "../model/search.ts";

/** Handed to the index's process when it starts. */
export interface WorkerOptions {
  /** `<state>/search.db` */
  readonly file: string;
  /** `<state>/sallyport.db`, of which it reads sessions and events. */
  readonly store: string;
  readonly recordings: string;
}

export type ToWorker =
  | { readonly kind: "search"; readonly id: number; readonly request: SearchRequest }
  /** Everything recorded so far is in the index when it answers, as far as time allows. */
  | { readonly kind: "reindex"; readonly id: number }
  | { readonly kind: "forget"; readonly id: number; readonly sessions: readonly string[] }
  /** Sessions of long ago are in the store again. */
  | { readonly kind: "look-again"; readonly id: number }
  | { readonly kind: "close" };

export type FromWorker =
  | { readonly kind: "answer"; readonly id: number; readonly answer: SearchAnswer | undefined }
  | {
      readonly kind: "failed";
      readonly id: number;
      readonly code: string;
      readonly message: string;
      readonly remedy: string;
      readonly exitCode: 1 | 2 | 3 | 4;
    }
  | { readonly kind: "lag"; readonly lag: SearchLag }
  | { readonly kind: "warn"; readonly message: string; readonly fields: Readonly<Record<string, string>> };
