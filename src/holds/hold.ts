/** A held action as the data path sees it: what opens it, what waits for it. Plain values and narrow interfaces. */
import type { Approval, HeldEnd, HoldDecision } from "../model/decision.ts";
import type { Agent } from "../model/identity.ts";
import type { Asked } from "../model/operation.ts";
import type { Origin } from "../model/origin.ts";
import type { QuotedIn, ShapeOf } from "../model/protocol.ts";

export interface HoldRequest {
  readonly sessionId: string;
  readonly askId: number;
  readonly agent: Agent;
  readonly origin: Origin;
  readonly connection: { readonly name: string; readonly protocol: string };
  /** All of it is approved together, or nothing. */
  readonly asked: readonly Asked[];
  /** Exactly what would be forwarded; for the digest alone. */
  readonly bytes: Uint8Array;
  readonly decision: HoldDecision;
  /** Of each text what stays equal where only literals differ; undefined: it cannot be approved but once. */
  readonly shapeOf: ShapeOf;
  /** The parts of a text that are not code; see Protocol. */
  readonly quotedIn?: QuotedIn;
  /** As what the session was let in ("connect to orders"): text and actions of its first ask. */
  readonly entrance?: Asked;
  /** How many rows the backend expects to be touched, or why that is not known. Absent: nobody can say. */
  readonly estimate?: () => Promise<string>;
}

/** Whoever opened it waits for this. */
export interface Hold {
  readonly id: string;
  /** One sentence for the client, once it is kept that it waits; "" where nobody is waited for. Never rejects. */
  readonly notice: Promise<string>;
  /** Never rejects: what fails is denied. */
  readonly answer: Promise<HoldAnswer>;
  /** Nobody waits for it any more: it will not be forwarded. Nothing happens once `answer` has resolved. */
  abandon(reason: string): void;
  /** It was approved and, all the same, will not be forwarded. */
  withdraw(reason: string): void;
  /** It was approved and forwarded, and this came of it; undefined: the session ended before that was known. */
  finished(result: string | undefined): void;
}

export type HoldAnswer =
  /** Kept as under way before this is told: from here on it counts as executed, or unknown. */
  | { readonly kind: "approved"; readonly approval: Approval }
  | { readonly kind: "refused"; readonly end: HeldEnd; readonly message: string };

export interface Holds {
  open(request: HoldRequest): Hold;
}
