/** What a fuzzed session is given and where it lives, as plain data; and how a session is made. */
import type { SessionWorld } from "../../src/model/protocol.ts";
import type { Session } from "../../src/model/session.ts";
import { analyse } from "../../src/protocols/postgres/actions.ts";
import type { UnreadBudget } from "../../src/protocols/postgres/codec.ts";
import { PostgresSession } from "../../src/protocols/postgres/session.ts";
import type { World } from "./worlds.ts";

/** What is given to a session, as plain data: a reproduction is a list of these. */
export type Move =
  | { readonly kind: "client" | "server"; readonly bytes: Buffer }
  /** So many bytes of what the model of the server has said. */
  | { readonly kind: "deliver"; readonly count: number }
  /** What was decided or found late arrives now. */
  | { readonly kind: "settle" }
  /** From now on another policy is in force. */
  | { readonly kind: "policy" }
  | { readonly kind: "stop" | "drain" | "end-client" | "end-server" };

/** What does not change within a trial. */
export interface Setting {
  readonly world: World;
  readonly seed: number;
  /** `model`: what the server says follows from what it is sent; `script`: it is in the moves. */
  readonly server: "model" | "script";
  /** Of the asks that are allowed by policy, denied all the same; of all verdicts, and of all facts, late. */
  readonly denied: number;
  readonly late: number;
  /** Of the model's answers that are errors, and of its messages with another before them. */
  readonly failing: number;
  readonly chatty: number;
  /** Of the logins, refused; of the facts, none or of another version. */
  readonly unlucky: number;
}

export type MakeSession = (world: SessionWorld, budget: UnreadBudget) => Session;

export const realSession: MakeSession = (world, budget) => new PostgresSession(world, analyse, budget);

/** One event may take no longer. */
export const HANDLE_MS_MAX = 2_000;
