/** The identity that a verified token makes by its issuer's settings. Verifies nothing. */
import { createHash } from "node:crypto";
import { CLOCK_SKEW_MS_MAX } from "../base/limits.ts";
import type { Identity } from "../model/identity.ts";
import type { TokenTerms } from "../model/issuer.ts";
import { type Claims, checked, checkMatch, factsOf, groupsOf } from "./token-claims.ts";
import { expired } from "./token-refusals.ts";

export interface Verified {
  readonly claims: Claims;
  /** Its subject, and the name of the claim that says so. */
  readonly subject: readonly [claim: string, value: unknown];
  /** The same for every way of writing one token, and for no other of its issuer. */
  readonly id: readonly string[];
  readonly endsMs: number;
  /** When the identity ends at the latest, where the token says so. */
  readonly sessionEndsMs?: number;
}

/** `facts`: names of facts, and the claims that they come from. Throws TOKEN_MATCH, TOKEN_CLAIMS, TOKEN_EXPIRED. */
export function identityOf(
  terms: TokenTerms,
  facts: readonly (readonly [fact: string, claim: string])[],
  { claims, subject: [claim, value], id, endsMs: tokenEndsMs, sessionEndsMs = Number.POSITIVE_INFINITY }: Verified,
  nowMs: number,
): Identity {
  checkMatch(claims, terms);
  const lastsMs = Math.min(nowMs + terms.forMs, sessionEndsMs);
  const endsMs = terms.until === "token" ? Math.min(lastsMs, tokenEndsMs) : lastsMs;
  if (endsMs <= nowMs) throw expired(); // within the skew, but there would be nothing left of it
  return {
    ...{ issuer: terms.name, issuerUrl: terms.url, subject: checked(value, claim) },
    ...{ groups: groupsOf(claims, terms), claims: factsOf(claims, facts) },
    ...{ token: hashOf([terms.url, ...id]), tokenEndsMs: tokenEndsMs + CLOCK_SKEW_MS_MAX, endsMs },
  };
}

function hashOf(id: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(id)).digest("base64url");
}
