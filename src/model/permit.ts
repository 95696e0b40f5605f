/**
 * Proof of an allow. A permit owns the bytes that were judged: whoever holds it can send exactly
 * those, once, in the session that asked. Only `policy/decide.ts` may import `mintPermit` (linted),
 * and the driver redeems it at run time, so a cast object, a copy or a proxy is worth nothing.
 */

import type { Operation } from "./operation.ts";

// Set once, by the class itself: nobody else reaches its private state.
let mint: (sessionId: string, askId: number, bytes: Uint8Array) => Permit;
let redeem: (permit: Permit, sessionId: string, askId: number) => Uint8Array;
let mintStanding: (sessionId: string, operation: Operation) => StandingPermit;
let demand: (permit: StandingPermit, sessionId: string, operation: Operation) => void;

export class Permit {
  readonly #sessionId: string;
  readonly #askId: number;
  /** Undefined once it was redeemed. */
  #bytes: Uint8Array | undefined;

  private constructor(sessionId: string, askId: number, bytes: Uint8Array) {
    this.#sessionId = sessionId;
    this.#askId = askId;
    this.#bytes = bytes;
  }

  static {
    mint = (sessionId, askId, bytes) => new Permit(sessionId, askId, bytes);
    redeem = (permit, sessionId, askId) => {
      if (!(#bytes in permit) || permit.#bytes === undefined) {
        throw new Error("Cannot redeem a permit that was forged or already used");
      }
      if (permit.#sessionId !== sessionId || permit.#askId !== askId) {
        throw new Error("Cannot redeem a permit of another session or action");
      }
      const bytes = permit.#bytes;
      permit.#bytes = undefined;
      return bytes;
    };
  }
}

/**
 * Proof that a session may do one operation until it is taken back: nothing in the rules that allow it can change while
 * the policy, the facts and the session's agent stay as they are. It owns no bytes: whoever relays compares with a form.
 */
export class StandingPermit {
  readonly #sessionId: string;
  readonly #operation: Operation;

  private constructor(sessionId: string, operation: Operation) {
    this.#sessionId = sessionId;
    this.#operation = operation;
  }

  static {
    mintStanding = (sessionId, operation) => new StandingPermit(sessionId, operation);
    demand = (permit, sessionId, operation) => {
      if (#sessionId in permit && permit.#sessionId === sessionId && permit.#operation === operation) return;
      throw new Error("Cannot relay by a standing permit that was forged, or is another session's or operation's");
    };
  }
}

/** Only for `policy/decide.ts`. `bytes` may be a view: it must stay unchanged until the permit is redeemed. */
export function mintPermit(sessionId: string, askId: number, bytes: Uint8Array): Permit {
  return mint(sessionId, askId, bytes);
}

/** Consumes a permit and returns its bytes. Throws if it was forged, used before, or belongs to another session or ask. */
export function redeemPermit(permit: Permit, sessionId: string, askId: number): Uint8Array {
  return redeem(permit, sessionId, askId);
}

/** Only for `policy/decide.ts`. */
export function mintStandingPermit(sessionId: string, operation: Operation): StandingPermit {
  return mintStanding(sessionId, operation);
}

/** Throws if it was forged, or belongs to another session or operation. */
export function demandStandingPermit(permit: StandingPermit, sessionId: string, operation: Operation): void {
  demand(permit, sessionId, operation);
}
