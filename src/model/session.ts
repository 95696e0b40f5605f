/**
 * A protocol session as a pure machine: events in, commands out. It has no socket, no clock and no
 * secret; client bytes reach the server only as a redeemed permit.
 *
 * Bytes in events are views that are valid during `handle` only: a session copies what it keeps, and may
 * mask the server's bytes where they stand.
 * Bytes in commands are used before the next event of the same session is given.
 */
import type { Verdict } from "./decision.ts";
import type { Form, Relayed } from "./form.ts";
import type { Asked } from "./operation.ts";
import type { Permit } from "./permit.ts";

export interface Session {
  handle(event: SessionEvent): readonly SessionCommand[];
}

export type SessionEvent =
  /** Once, first: the client is there and has not spoken. */
  | { readonly kind: "start" }
  | { readonly kind: "client"; readonly bytes: Uint8Array }
  /** `room`: so many bytes of the same memory stand before them and may be written over, as the bytes themselves. */
  | { readonly kind: "server"; readonly bytes: Uint8Array; readonly room?: number }
  | { readonly kind: "verdict"; readonly id: number; readonly decision: Verdict }
  /** The verdict of ask `id` waits for a human. `notice`: one sentence for the client, where its protocol has a place. */
  | { readonly kind: "held"; readonly id: number; readonly notice: string }
  | { readonly kind: "facts"; readonly id: number; readonly answer: LookAnswer }
  /** The client side is encrypted now. */
  | { readonly kind: "secured" }
  /** The upstream login is done; `greeting` is what the login machine learned (protocol's own shape). */
  | { readonly kind: "loggedIn"; readonly greeting: unknown }
  | { readonly kind: "loginFailed"; readonly code: string; readonly message: string }
  /**
   * Say the protocol's farewell and close: a grant ended, the policy changed, the daemon goes down. "unrecorded": what
   * happens cannot be recorded, so that nothing may.
   */
  | { readonly kind: "stop"; readonly reason: string; readonly fault?: "unrecorded" }
  /**
   * The daemon is about to go: end with the protocol's farewell as soon as that cuts nothing short, which is between
   * operations and outside of transactions. Clients log in to ask something: one that has not yet asked is waited for,
   * unless `fresh` is "end". May come again. A protocol that cannot tell goes on until it is stopped.
   */
  | { readonly kind: "drain"; readonly reason: string; readonly fresh: "wait" | "end" }
  | { readonly kind: "ended"; readonly side: Side }
  /** Policy or settings may be others now: what was worked out from them for later is forgotten. */
  | { readonly kind: "changed" }
  /** It was at rest, and somebody carried groups of its forms past it. */
  | ({ readonly kind: "relayed" } & Relayed);

export type Side = "client" | "server";

export type SessionCommand =
  | { readonly kind: "toClient"; readonly bytes: Uint8Array }
  /** Hands over exactly what would be sent. The session waits for the verdict of `id`. */
  | { readonly kind: "ask"; readonly id: number; readonly asked: readonly Asked[]; readonly bytes: Uint8Array }
  /** Sends the bytes that were asked for under `id`. */
  | { readonly kind: "forward"; readonly id: number; readonly permit: Permit }
  /** Dial, verify and log in; the permit is that of `connect` and owns no bytes. `request` is the protocol's own shape. */
  | { readonly kind: "login"; readonly id: number; readonly permit: Permit; readonly request: unknown }
  /** Facts from the backend, over a login of our own. The session waits. */
  | { readonly kind: "look"; readonly id: number; readonly question: LookQuestion }
  /** TLS towards the client, after everything queued was sent. `unread`: bytes of the handshake already read. */
  | { readonly kind: "secure"; readonly side: "client"; readonly unread: Uint8Array; readonly alpn?: string }
  /** That side's peer will hear no more from us, but may still speak (TCP half-close). */
  | { readonly kind: "shut"; readonly side: Side }
  | { readonly kind: "note"; readonly entry: AnswerEntry }
  /** Rows of an answer as the client gets them, where the settings keep them; before the note of the same ask. */
  | { readonly kind: "output"; readonly entry: OutputEntry }
  /** So much of the answer to ask `id` has passed so far, and more of it follows. */
  | { readonly kind: "progress"; readonly id: number; readonly rows: number; readonly bytes: number }
  /**
   * Nothing is under way, and groups of these forms may go past the session until the next event: their ids follow
   * `lastId`. `facts`: what was looked up that all of them depend on.
   */
  | { readonly kind: "rest"; readonly lastId: number; readonly forms: readonly Form[]; readonly facts?: LookAnswer }
  /** Another session's running operation shall be cancelled (its key as the client showed it). */
  | { readonly kind: "cancel"; readonly key: Uint8Array }
  /** Flush what was sent, then end both sides. `fault` is set when a peer broke the protocol. */
  | { readonly kind: "close"; readonly reason: string; readonly fault?: string };

/** Protocol's own; the lookup machine of the same folder understands it. */
export type LookQuestion = unknown;
export type LookAnswer = unknown;

/** What came of an operation; `askId` names the ask it answers. Written with the next batch at the latest. */
export interface AnswerEntry {
  readonly askId: number;
  readonly rows: number;
  readonly bytes: number;
  readonly masks: readonly MaskTally[];
  /** What labels and detectors say that the rules showed all the same. */
  readonly shown?: readonly MaskTally[];
  /** The protocol's success text ("SELECT 5"), or "". */
  readonly outcome: string;
  /** SQLSTATE or the like, and its message without values; undefined when it went well. */
  readonly error?: { readonly code: string; readonly message: string };
}

export interface MaskTally {
  readonly column: string;
  /** "label:pii", "label:pii,payment" of a column with several, or "detector:payment-card". */
  readonly by: string;
  readonly count: number;
}

/** Of one answer, what a recording keeps of its rows: after masking, never before. */
export interface OutputEntry {
  readonly askId: number;
  /** Names of what each row has; on the first entry of each result only, else empty. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly OutputValue[])[];
  /** Rows follow that are not kept. */
  readonly truncated: boolean;
}

/** null: NULL or its like. `hex`: bytes that are no text (binary format, another encoding). */
export type OutputValue = string | null | { readonly hex: string };

/** How much of each answer's rows a recording keeps. */
export interface OutputCaps {
  readonly rows: number;
  readonly bytes: number;
}
