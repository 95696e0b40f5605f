/** What a session waits for, and how it names its own housekeeping. Plain values. */
import { housekeeping } from "./refuse.ts";
import type { Group } from "./requests.ts";
import type { Startup } from "./startup.ts";
import type { Step } from "./steps.ts";

export type Phase = "opening" | "securing" | "connecting" | "ready" | "closed";

/** What an unanswered ask is for. */
export type Waiting =
  | { readonly kind: "connect"; readonly startup: Startup }
  | { readonly kind: "group"; readonly group: Group }
  /** The failing statement in place of a refused group. */
  | { readonly kind: "refusal"; readonly steps: readonly Step[] }
  | { readonly kind: "copy"; readonly ends: "open" | "done" }
  | { readonly kind: "sync"; readonly step: Step }
  | { readonly kind: "terminate" };

/** What facts are awaited for. */
export type Looking = "greeting" | "requests" | "rows";

export const COPY_ASKED = housekeeping("CopyData").map((asked) => Object.freeze({ ...asked, isData: true as const }));
export const SYNC_ASKED = housekeeping("Sync");
export const TERMINATE_ASKED = housekeeping("Terminate");
export const REFUSED_ASKED = housekeeping("(a statement that fails, in place of the refused one)");
