/** What the verified claims of somebody who signs in make of a human, as the login's settings say. Shows no value. */
import { createHash } from "node:crypto";
import { UserError } from "../../base/errors.ts";
import { HUMAN_GROUPS_MAX } from "../../base/limits.ts";
import type { Human, Login } from "../../model/human.ts";
import { type Claims, checked } from "../token-claims.ts";

/** As groups in the settings are written: others could not be meant by a rule. */
const GROUP = /^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$/;

/** `sub`: what the issuer calls them for good. Throws LOGIN_CLAIMS, TOKEN_CLAIMS. */
export function humanOf(claims: Claims, sub: unknown, login: Login): Human {
  const { kind, name, url, subject, displayName } = login;
  const id = checked(claims[subject], subject);
  // Whoever may choose their own address at the issuer could choose somebody else's.
  const isChosen = kind === "oidc" && subject === "email" && claims["email_verified"] !== true;
  if (isChosen) throw claimsRefused("its email is not verified");
  const shown = claims[displayName];
  return {
    ...{ account: `${name}:${id}`, login: name, issuer: url, sub: checked(sub, "sub") },
    name: typeof shown === "string" && shown !== "" ? checked(shown, displayName) : id,
    groups: groupsOf(claims, login),
  };
}

/** Each as "login:group", and under the plain names that the settings give it. */
function groupsOf(claims: Claims, { name, groups: taken }: Login): readonly string[] {
  if (taken === undefined || !Object.hasOwn(claims, taken.claim)) return [];
  const value = claims[taken.claim];
  const said = (Array.isArray(value) ? value : [value]).filter((one) => typeof one === "string");
  if (said.length > HUMAN_GROUPS_MAX) throw claimsRefused(`it has more than ${HUMAN_GROUPS_MAX} groups`);
  const { names = {} } = taken;
  const own = said.filter((group) => GROUP.test(group)).map((group) => `${name}:${group}`);
  const mapped = said.flatMap((group) => (Object.hasOwn(names, group) ? (names[group] ?? []) : []));
  return [...new Set([...own, ...mapped])];
}

/**
 * Whether an ID token was given together with this access token. One that says nothing of it passes.
 * Source: OpenID Connect Core 1.0, section 3.1.3.6.
 */
export function isFor(accessToken: string, algorithm: string, claims: Claims): boolean {
  const { at_hash: said } = claims;
  if (said === undefined) return true;
  const bits = /(256|384|512)$/.exec(algorithm)?.[1] ?? "512"; // EdDSA by Ed25519 hashes with SHA-512
  const hash = createHash(`sha${bits}`).update(accessToken, "ascii").digest();
  return said === hash.subarray(0, hash.length / 2).toString("base64url");
}

export function claimsRefused(why: string): UserError {
  const remedy = "Compare the login in identity.logins with what its issuer says of people";
  return new UserError("LOGIN_CLAIMS", `Cannot sign in: ${why}`, remedy);
}
