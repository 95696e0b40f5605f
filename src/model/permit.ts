/**
 * Proof of an allow. A permit owns the bytes that were judged: whoever holds it can send exactly
 * those, once, in the session that asked. Only `policy/decide.ts` may import `mintPermit` (linted),
 * and the driver redeems it at run time, so a cast object is worth nothing.
 */
const MINTED = new WeakMap<Permit, Grant>();

interface Grant {
  readonly sessionId: string;
  readonly askId: number;
  readonly bytes: Uint8Array;
}

export class Permit {
  /** Keeps the class nominal: an object literal cannot be typed as a Permit. */
  readonly #nominal = true;

  static is(value: unknown): value is Permit {
    return typeof value === "object" && value !== null && #nominal in value;
  }
}

/** Only for `policy/decide.ts`. `bytes` may be a view: it must stay unchanged until the permit is redeemed. */
export function mintPermit(sessionId: string, askId: number, bytes: Uint8Array): Permit {
  const permit = new Permit();
  MINTED.set(permit, { sessionId, askId, bytes });
  return permit;
}

/** Consumes a permit and returns its bytes. Throws if it was forged, used before, or belongs to another session or ask. */
export function redeemPermit(permit: Permit, sessionId: string, askId: number): Uint8Array {
  const grant = MINTED.get(permit);
  if (grant === undefined) throw new Error("Cannot redeem a permit that was forged or already used");
  if (grant.sessionId !== sessionId || grant.askId !== askId) {
    throw new Error("Cannot redeem a permit of another session or action");
  }
  MINTED.delete(permit);
  return grant.bytes;
}
