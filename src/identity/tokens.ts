/**
 * Tokens that say who an agent is, JWTs and SAML responses: each is verified by its issuer's keys and judged by its issuer's
 * settings. Whether it was shown before is for who binds it (identity/agents.ts). Never shows a token or a claim's value,
 * keeps neither.
 */
import { errors, type JWTPayload, jwtVerify } from "jose";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Identity } from "../model/identity.ts";
import type { Issuer, SamlProvider, TokenTerms } from "../model/issuer.ts";
import { type AskIssuer, askIssuer } from "./ask-issuer.ts";
import { IssuerKeys } from "./issuer-keys.ts";
import { checked } from "./token-claims.ts";
import { algorithmRefused, readTokenForm, type TokenForm } from "./token-form.ts";
import { identityOf } from "./token-identity.ts";
import {
  agentRefused,
  audienceRefused,
  claimsRefused,
  expired,
  issuerRefused,
  notYet,
  signatureRefused,
} from "./token-refusals.ts";

/** Seconds; what is later is no time that an issuer means (the year 5138). */
const EXPIRY_MAX_S = 1e11;

export class Tokens {
  readonly #world: { readonly clock: Clock; readonly log: Log; readonly ask: AskIssuer };
  /** Entries of one issuer share them. */
  readonly #keys = new Map<string, IssuerKeys>();
  #issuers: readonly Issuer[] = [];
  #providers: readonly SamlProvider[] = [];

  constructor(world: { readonly clock: Clock; readonly log: Log; readonly ask?: AskIssuer }) {
    this.#world = { ask: askIssuer, ...world };
  }

  /** Keys that were fetched stay for issuers that stay. */
  configure(issuers: readonly Issuer[], providers: readonly SamlProvider[] = []): void {
    this.#issuers = issuers;
    this.#providers = providers;
    const places = new Set(issuers.map(placeOf));
    for (const place of this.#keys.keys()) if (!places.has(place)) this.#keys.delete(place);
  }

  /** Who shows this token as `agent`. Throws a UserError with one of the codes TOKEN_… and ISSUER_… */
  async identify(token: string, agent: string): Promise<Identity> {
    if (this.#providers.length > 0 && !token.includes(".")) return this.#identifyBySaml(token, agent);
    const form = readTokenForm(token);
    return firstOf(takersOf(this.#issuers, form.issuer, agent), (issuer) => this.#identifyBy(issuer, token, form));
  }

  /** A JWT has dots, and base64 has none. */
  async #identifyBySaml(response: string, agent: string): Promise<Identity> {
    // 25 MiB with their libraries, of which a daemon that nobody shows such a token has nothing
    const { readSamlForm } = await import("./saml-form.ts");
    const { identifyBySaml } = await import("./saml.ts");
    const form = readSamlForm(response);
    const takers = takersOf(this.#providers, form.issuer, agent);
    return firstOf(takers, (provider) => identifyBySaml(provider, form, this.#world.clock.nowMs()));
  }

  async #identifyBy(issuer: Issuer, token: string, form: TokenForm): Promise<Identity> {
    if (!issuer.algorithms.includes(form.algorithm)) throw algorithmRefused();
    const nowMs = this.#world.clock.nowMs();
    const claims = await this.#verify(issuer, token, nowMs);
    const facts = issuer.claims.map((name) => [name, name] as const);
    const endsMs = Math.ceil((claims.exp ?? 0) * 1_000);
    return identityOf(issuer, facts, { claims, subject: ["sub", claims.sub], id: idOf(form, claims), endsMs }, nowMs);
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

/** Entries of the token's issuer that may make this agent, one at least. Throws TOKEN_ISSUER, TOKEN_AGENT. */
function takersOf<Taker extends TokenTerms>(all: readonly Taker[], url: string, agent: string): readonly Taker[] {
  const own = all.filter((taker) => taker.url === url);
  if (own.length === 0) throw issuerRefused();
  const fitting = own.filter(({ agents }) => agents === undefined || agents.includes(agent));
  if (fitting.length === 0) throw agentRefused(agent);
  return fitting;
}

/** By the first that takes it; where none does, what the first said. */
async function firstOf<Taker>(
  takers: readonly Taker[],
  identify: (taker: Taker) => Promise<Identity>,
): Promise<Identity> {
  const failures: unknown[] = [];
  for (const taker of takers) {
    try {
      return await identify(taker);
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
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
function idOf({ digest }: TokenForm, { jti }: JWTPayload): readonly string[] {
  return jti === undefined ? ["digest", digest] : ["jti", checked(jti, "jti")];
}

/** Without the cause: it carries the claims. */
function refusalOf(error: unknown): UserError {
  if (error instanceof errors.JWTExpired) return expired();
  if (error instanceof errors.JOSEAlgNotAllowed) return algorithmRefused();
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (claim === "aud") return audienceRefused();
    if (claim === "iss") return issuerRefused();
    if (claim === "nbf" && reason === "check_failed") return notYet();
    const known = ["exp", "nbf", "sub"].find((name) => name === claim) ?? "";
    return claimsRefused(`its claim ${known} is missing or of the wrong type`);
  }
  return signatureRefused();
}
