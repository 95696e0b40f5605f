/** API tokens of humans: by hash, with an end, and never with more roles than their human has when one is shown. */
import { randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { UserError } from "../../base/errors.ts";
import { API_TOKEN_MS_MAX, API_TOKENS_EACH_MAX, API_TOKENS_MAX, HUMAN_USED_EVERY_MS } from "../../base/limits.ts";
import { type Human, issuedAccount } from "../../model/human.ts";
import type { Role } from "../../model/role.ts";
import type { HumanRecordStore } from "../../store/human-records.ts";
import { hashOf, newSecret } from "./secrets.ts";

export interface ApiToken {
  readonly id: string;
  readonly hash: string;
  readonly account: string;
  /** Issuer and subject: the account's name may be somebody else's later. */
  readonly issued: string;
  /** As its human calls it. */
  readonly name: string;
  /** At most these. */
  readonly roles: readonly Role[];
  readonly madeMs: number;
  readonly endsMs: number;
  /** Absent: never. */
  readonly usedMs?: number;
}

export interface NewApiToken {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly forMs: number;
}

export class ApiTokens {
  readonly #store: HumanRecordStore;
  readonly #clock: Clock;
  readonly #byHash = new Map<string, ApiToken>();

  constructor(parts: { readonly store: HumanRecordStore; readonly clock: Clock }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
  }

  async restore(): Promise<void> {
    for (const [, token] of await this.#store.all<ApiToken>("token")) this.#byHash.set(token.hash, token);
  }

  /** The secret is told once. `may`: the roles of who asks. Throws API_TOKEN_ROLES, API_TOKEN_END, API_TOKENS_FULL. */
  async make(
    { name, roles, forMs }: NewApiToken,
    { account, issuer, sub }: Human,
    may: ReadonlySet<Role>,
  ): Promise<{ readonly secret: string; readonly token: ApiToken }> {
    const beyond = roles.filter((role) => role === "break-glass" || !may.has(role));
    if (beyond.length > 0) {
      const message = `Cannot make a token with the role ${beyond.join(", ")}: it is not yours to give`;
      throw new UserError("API_TOKEN_ROLES", message, "See yours: sallyport whoami", { exitCode: 4 });
    }
    if (!(forMs > 0 && forMs <= API_TOKEN_MS_MAX)) {
      const most = `${API_TOKEN_MS_MAX / 86_400_000} days`;
      throw new UserError("API_TOKEN_END", `Cannot make a token that lives longer than ${most}`, "Name an earlier end");
    }
    await this.sweep();
    const own = this.list().filter((token) => token.account === account).length;
    if (own >= API_TOKENS_EACH_MAX || this.#byHash.size >= API_TOKENS_MAX) {
      const message = `Cannot make a token: you have ${API_TOKENS_EACH_MAX}, or there are ${API_TOKENS_MAX} of all`;
      throw new UserError("API_TOKENS_FULL", message, "Revoke those that nobody needs: sallyport tokens revoke ID");
    }
    const madeMs = this.#clock.nowMs();
    const secret = newSecret("token");
    const id = randomBytes(6).toString("hex");
    const token: ApiToken = {
      ...{ id, hash: hashOf(secret), account, issued: issuedAccount(issuer, sub), name },
      ...{ roles: [...new Set(roles)], madeMs, endsMs: madeMs + forMs },
    };
    await this.#store.put("token", id, token);
    this.#byHash.set(token.hash, token);
    return { secret, token };
  }

  /** Undefined: there is none of that secret, or its time is up. */
  async use(secret: string): Promise<ApiToken | undefined> {
    const token = this.#byHash.get(hashOf(secret));
    const nowMs = this.#clock.nowMs();
    if (token === undefined || nowMs >= token.endsMs) return undefined;
    if (nowMs - (token.usedMs ?? 0) < HUMAN_USED_EVERY_MS) return token;
    const used = { ...token, usedMs: nowMs };
    this.#byHash.set(token.hash, used);
    await this.#store.put("token", token.id, used);
    return used;
  }

  list(): readonly ApiToken[] {
    return [...this.#byHash.values()];
  }

  find(id: string): ApiToken | undefined {
    return this.list().find((token) => token.id === id);
  }

  async revoke(id: string): Promise<void> {
    const token = this.find(id);
    if (token === undefined) return;
    this.#byHash.delete(token.hash);
    await this.#store.remove("token", id);
  }

  /** Those whose time is up are forgotten. */
  async sweep(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    for (const { id, endsMs } of this.list()) if (nowMs >= endsMs) await this.revoke(id);
  }
}
