/**
 * The keys of one issuer: found through its discovery document and nowhere else, kept for a while, fetched anew when a
 * token names one that is not known. Verifies nothing. Source: OpenID Connect Discovery 1.0, section 4.
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import type { Clock } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import { ISSUER_ASK_EVERY_MS, ISSUER_KEYS_FRESH_MS, ISSUER_KEYS_KEPT_MS, ISSUER_KEYS_MAX } from "../base/limits.ts";
import { type Log, Warnings } from "../base/log.ts";
import type { Issuer } from "../model/issuer.ts";
import type { AskIssuer } from "./ask-issuer.ts";

type Key = Awaited<ReturnType<JWTVerifyGetKey>>;

interface Kept {
  readonly find: JWTVerifyGetKey;
  readonly atMs: number;
}

export class IssuerKeys {
  readonly #issuer: Pick<Issuer, "name" | "url" | "ca">;
  readonly #clock: Clock;
  readonly #ask: AskIssuer;
  readonly #warnings: Warnings;
  #kept: Kept | undefined;
  #asking: Promise<void> | undefined;
  #asked: { readonly atMs: number; readonly failure: UserError | undefined } | undefined;

  constructor(issuer: Pick<Issuer, "name" | "url" | "ca">, world: { clock: Clock; ask: AskIssuer; log: Log }) {
    this.#issuer = issuer;
    this.#clock = world.clock;
    this.#ask = world.ask;
    this.#warnings = new Warnings(world.log);
  }

  /** The key that a token names. Throws TOKEN_KEY, ISSUER_UNREACHABLE, ISSUER_INVALID. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const kept = await this.#current();
    const key = await this.#among(kept, header, token);
    if (key !== undefined) return key;
    const renewed = await this.#renewed(kept);
    const newer = renewed === undefined ? undefined : await this.#among(renewed, header, token);
    if (newer !== undefined) return newer;
    throw this.#keyRefused("it is signed with a key that the issuer does not have");
  };

  /** Undefined: there is none of that name. */
  async #among({ find }: Kept, ...named: Parameters<JWTVerifyGetKey>): Promise<Key | undefined> {
    try {
      return await find(...named);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      if (error instanceof errors.JWKSMultipleMatchingKeys) throw this.#keyRefused("it does not say by which key");
      throw this.#invalid("its key cannot be used");
    }
  }

  /** Keys not older than they may be; while the issuer does not answer, for longer. */
  async #current(): Promise<Kept> {
    if (this.#kept !== undefined && this.#isYounger(this.#kept.atMs, ISSUER_KEYS_FRESH_MS)) return this.#kept;
    const failure = await this.#fetched();
    if (this.#kept !== undefined && this.#isYounger(this.#kept.atMs, ISSUER_KEYS_KEPT_MS)) {
      if (failure !== undefined) this.#warnings.tell("Tokens are verified with the keys of before", failure);
      return this.#kept;
    }
    throw failure ?? this.#invalid("its keys were fetched at a time that is not now");
  }

  /** Other keys than `before`, which the issuer gives when it is asked again; undefined: it has no others. */
  async #renewed(before: Kept): Promise<Kept | undefined> {
    const failure = this.#kept === before ? await this.#fetched() : undefined; // else another token has asked meanwhile
    if (failure !== undefined) throw failure; // the key may be a new one: that is not known
    return this.#kept === before ? undefined : this.#kept;
  }

  /** Asks, unless that was done a moment ago; one question at a time. Returns why there was no answer. */
  async #fetched(): Promise<UserError | undefined> {
    if (this.#asked === undefined || !this.#isYounger(this.#asked.atMs, ISSUER_ASK_EVERY_MS)) {
      this.#asking ??= this.#fetch().finally(() => {
        this.#asking = undefined;
      });
    }
    await this.#asking;
    return this.#asked?.failure;
  }

  async #fetch(): Promise<void> {
    const atMs = this.#clock.nowMs();
    try {
      this.#kept = { find: createLocalJWKSet(await this.#keySet()), atMs };
      this.#asked = { atMs, failure: undefined };
    } catch (error) {
      this.#asked = { atMs, failure: error instanceof UserError ? error : this.#invalid(messageOf(error)) };
    }
  }

  async #keySet(): Promise<JSONWebKeySet> {
    const { url } = this.#issuer;
    const discovery = await this.#json(`${url.replace(/\/$/, "")}/.well-known/openid-configuration`);
    if (discovery["issuer"] !== url) throw this.#invalid("its discovery document is another issuer's");
    const { jwks_uri: place } = discovery;
    if (typeof place !== "string" || !URL.canParse(place) || new URL(place).protocol !== "https:") {
      throw this.#invalid("its discovery document names no https place for its keys (jwks_uri)");
    }
    const { keys } = await this.#json(place);
    if (!Array.isArray(keys) || keys.length > ISSUER_KEYS_MAX) {
      throw this.#invalid(`its key set is no list of at most ${ISSUER_KEYS_MAX} keys`);
    }
    return { keys };
  }

  async #json(url: string): Promise<Readonly<Record<string, unknown>>> {
    const text = await this.#ask(url, this.#issuer.ca).catch((cause: unknown) => {
      const remedy = "Look whether this host reaches it and trusts its certificate (ca); then show the token again";
      const message = `Cannot verify the token: issuer ${this.#issuer.name} cannot be asked: ${messageOf(cause)}`;
      throw new UserError("ISSUER_UNREACHABLE", message, remedy);
    });
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw this.#invalid("it answered with something that is not JSON");
    }
    if (typeof value !== "object" || value === null) throw this.#invalid("it answered with no object");
    return value as Record<string, unknown>;
  }

  /** A clock that was set makes nothing young. */
  #isYounger(atMs: number, ms: number): boolean {
    return Math.abs(this.#clock.nowMs() - atMs) < ms;
  }

  #keyRefused(why: string): UserError {
    const message = `Cannot use the token: ${why}`;
    return new UserError(
      "TOKEN_KEY",
      message,
      `Get a new token from issuer ${this.#issuer.name}, and show it once more`,
    );
  }

  #invalid(why: string): UserError {
    const message = `Cannot verify the token by issuer ${this.#issuer.name}: ${why}`;
    return new UserError(
      "ISSUER_INVALID",
      message,
      "Compare identity.issuers in the settings with what the issuer says",
    );
  }
}
