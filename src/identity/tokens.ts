/**
 * Tokens that say who an agent is: each is verified by its issuer's keys and judged by its issuer's settings. Whether it
 * was shown before is for who binds it (identity/agents.ts). Never shows a token or a claim's value, keeps neither.
 */

import { createHash } from "node:crypto";
import { errors, type JWTPayload, jwtVerify } from "jose";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Identity } from "../model/identity.ts";
import type { Issuer } from "../model/issuer.ts";
import { type AskIssuer, askIssuer } from "./ask-issuer.ts";
import { IssuerKeys } from "./issuer-keys.ts";
import { checked, checkMatch, claimsRefused, factsOf, groupsOf } from "./token-claims.ts";
import { algorithmRefused, readTokenForm, type TokenForm } from "./token-form.ts";

/** Seconds; what is later is no time that an issuer means (the year 5138). */
const EXPIRY_MAX_S = 1e11;

export class Tokens {
  readonly #world: { readonly clock: Clock; readonly log: Log; readonly ask: AskIssuer };
  /** Entries of one issuer share them. */
  readonly #keys = new Map<string, IssuerKeys>();
  #issuers: readonly Issuer[] = [];

  constructor(world: { readonly clock: Clock; readonly log: Log; readonly ask?: AskIssuer }) {
    this.#world = { ask: askIssuer, ...world };
  }

  /** Keys that were fetched stay for issuers that stay. */
  configure(issuers: readonly Issuer[]): void {
    this.#issuers = issuers;
    const places = new Set(issuers.map(placeOf));
    for (const place of this.#keys.keys()) if (!places.has(place)) this.#keys.delete(place);
  }

  /** Who shows this token as `agent`. Throws a UserError with one of the codes TOKEN_… and ISSUER_… */
  async identify(token: string, agent: string): Promise<Identity> {
    const form = readTokenForm(token);
    const own = this.#issuers.filter(({ url }) => url === form.issuer);
    if (own.length === 0) throw issuerRefused();
    const fitting = own.filter(({ agents }) => agents === undefined || agents.includes(agent));
    if (fitting.length === 0) {
      const message = `Cannot use the token for agent ${agent}: its issuer may not make that agent`;
      throw new UserError(
        "TOKEN_AGENT",
        message,
        "Name another agent with --as, or add it to agents of the issuer in the settings",
      );
    }
    const failures: unknown[] = [];
    for (const issuer of fitting) {
      try {
        return await this.#identifyBy(issuer, token, form);
      } catch (error) {
        failures.push(error);
      }
    }
    throw failures[0];
  }

  async #identifyBy(issuer: Issuer, token: string, form: TokenForm): Promise<Identity> {
    if (!issuer.algorithms.includes(form.algorithm)) throw algorithmRefused();
    const nowMs = this.#world.clock.nowMs();
    const claims = await this.#verify(issuer, token, nowMs);
    checkMatch(claims, issuer);
    const tokenEndsMs = Math.ceil((claims.exp ?? 0) * 1_000);
    const lastsMs = nowMs + issuer.forMs;
    const endsMs = issuer.until === "token" ? Math.min(lastsMs, tokenEndsMs) : lastsMs;
    if (endsMs <= nowMs) throw expired(); // within the skew, but there would be nothing left of it
    return {
      ...{ issuer: issuer.name, issuerUrl: issuer.url, subject: checked(claims.sub, "sub") },
      ...{ groups: groupsOf(claims, issuer), claims: factsOf(claims, issuer) },
      ...{ token: tokenId(form, claims), tokenEndsMs: tokenEndsMs + issuer.clockSkewMs, endsMs },
    };
  }

  async #verify(issuer: Issuer, token: string, nowMs: number): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, this.#keysOf(issuer).find, {
        ...{ issuer: issuer.url, audience: issuer.audience, algorithms: [...issuer.algorithms] },
        ...{ clockTolerance: issuer.clockSkewMs / 1_000, currentDate: new Date(nowMs), requiredClaims: ["exp", "sub"] },
      });
      checkTimes(payload, nowMs + issuer.clockSkewMs);
      // It counts for who has that key, and nobody shows us one (RFC 7800); or it tells of something (RFC 8417).
      if (Object.hasOwn(payload, "cnf")) throw claimsRefused("it is bound to a key (cnf)");
      if (Object.hasOwn(payload, "events")) throw claimsRefused("it tells of events and not of who somebody is");
      return payload;
    } catch (error) {
      throw error instanceof UserError ? error : refusalOf(error);
    }
  }

  #keysOf(issuer: Issuer): IssuerKeys {
    const place = placeOf(issuer);
    const keys = this.#keys.get(place) ?? new IssuerKeys(issuer, this.#world);
    this.#keys.set(place, keys);
    return keys;
  }
}

function placeOf({ url, ca = "" }: Issuer): string {
  return `${url} ${ca}`;
}

/** The library leaves `iat` alone, and takes any number. */
function checkTimes({ exp = 0, iat }: JWTPayload, latestMs: number): void {
  if (!(exp > 0 && exp < EXPIRY_MAX_S)) throw claimsRefused("its claim exp is no time");
  if (iat === undefined) return;
  if (typeof iat !== "number") throw claimsRefused("its claim iat is no time");
  if (iat * 1_000 > latestMs) throw notYet();
}

/** The same for every way of writing one token. */
function tokenId({ issuer, digest }: TokenForm, { jti }: JWTPayload): string {
  const own = jti === undefined ? ["digest", digest] : ["jti", checked(jti, "jti")];
  return createHash("sha256")
    .update(JSON.stringify([issuer, ...own]))
    .digest("base64url");
}

/** Without the cause: it carries the claims. */
function refusalOf(error: unknown): UserError {
  if (error instanceof errors.JWTExpired) return expired();
  if (error instanceof errors.JOSEAlgNotAllowed) return algorithmRefused();
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (claim === "aud") {
      const remedy = "Ask the issuer for a token with the audience that the settings name";
      return new UserError("TOKEN_AUDIENCE", "Cannot use the token: it is meant for somebody else", remedy);
    }
    if (claim === "iss") return issuerRefused();
    if (claim === "nbf" && reason === "check_failed") return notYet();
    const known = ["exp", "nbf", "sub"].find((name) => name === claim) ?? "";
    return claimsRefused(`its claim ${known} is missing or of the wrong type`);
  }
  const remedy = "Give the token as its issuer signed it, unchanged";
  return new UserError("TOKEN_SIGNATURE", "Cannot use the token: its signature is not its issuer's", remedy);
}

function issuerRefused(): UserError {
  const remedy = "Add its issuer to identity.issuers in the settings, spelled as in the token's iss";
  return new UserError("TOKEN_ISSUER", "Cannot use the token: the settings do not name its issuer", remedy);
}

function expired(): UserError {
  return new UserError("TOKEN_EXPIRED", "Cannot use the token: it has expired", "Get a new one, and show it at once");
}

function notYet(): UserError {
  const remedy = "Compare this host's clock with the issuer's, or allow more clockSkew (up to 5m)";
  return new UserError("TOKEN_NOT_YET", "Cannot use the token: its time has not come", remedy);
}
