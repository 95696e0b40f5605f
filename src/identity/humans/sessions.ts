/**
 * Sessions of humans who have signed in: short, kept alive by use, refreshed at their issuer, ended by anybody who may.
 * A session is known by the hash of its secret; the issuer's refresh token is sealed under the secret itself.
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { codeOf, UserError } from "../../base/errors.ts";
import {
  HUMAN_SESSIONS_EACH_MAX,
  HUMAN_SESSIONS_MAX,
  HUMAN_UNREFRESHED_MS,
  HUMAN_USED_EVERY_MS,
  ISSUER_ASK_EVERY_MS,
} from "../../base/limits.ts";
import { userFields } from "../../model/event.ts";
import { type Human, issuedAccount, type Login } from "../../model/human.ts";
import type { HumanRecordStore } from "../../store/human-records.ts";
import type { SignedIn } from "./login-client.ts";
import { hashOf, newSecret, seal, unseal } from "./secrets.ts";

export interface HumanSession {
  readonly id: string;
  readonly hash: string;
  readonly account: string;
  /** Issuer and subject: the account's name may be somebody else's later. */
  readonly issued: string;
  readonly login: string;
  /** The user who signed in with it, and who alone may show its secret; absent: it was begun over the network, and counts there. */
  readonly uid?: number;
  readonly beganMs: number;
  readonly usedMs: number;
  /** When its issuer last said that it goes on. */
  readonly refreshedMs: number;
  readonly endsMs: number;
  /** The refresh token; absent: the issuer gave none. */
  readonly sealed?: string;
  /** Until then its human has broken the glass; `id` of that. */
  readonly glass?: { readonly id: string; readonly untilMs: number };
}

export interface SessionParts {
  readonly store: HumanRecordStore;
  readonly clock: Clock;
  /** A login by its name; undefined: the settings do not name it any more. */
  readonly loginOf: (name: string) => Login | undefined;
  /** What is known of the human of a session; undefined: no more. */
  readonly find: (session: Pick<HumanSession, "account" | "issued">) => Human | undefined;
  readonly refresh: (login: string, refreshToken: string, before: Human) => Promise<SignedIn>;
  readonly met: (human: Human) => Promise<void>;
  /** One has ended by itself; "disowned": who answers for its human does so no more. */
  readonly ended: (session: HumanSession, why: string, how: "over" | "disowned") => void;
}

export class HumanSessions {
  readonly #parts: SessionParts;
  readonly #byHash = new Map<string, HumanSession>();
  readonly #refreshing = new Map<string, Promise<HumanSession>>();
  readonly #keptMs = new Map<string, number>();
  /** When an issuer did not answer for it. */
  readonly #triedMs = new Map<string, number>();

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  async restore(): Promise<void> {
    for (const [, session] of await this.#parts.store.all<HumanSession>("session")) {
      this.#byHash.set(session.hash, session);
    }
  }

  /** The secret is told once. Throws HUMAN_SESSIONS_FULL. */
  async begin(
    { human, refreshToken, endsMs = Number.POSITIVE_INFINITY }: SignedIn,
    uid: number | undefined,
  ): Promise<{ readonly secret: string; readonly session: HumanSession }> {
    const own = this.list().filter(({ account }) => account === human.account);
    if (own.length >= HUMAN_SESSIONS_EACH_MAX || this.#byHash.size >= HUMAN_SESSIONS_MAX) throw full();
    const nowMs = this.#parts.clock.nowMs();
    const secret = newSecret("session");
    const session: HumanSession = {
      ...{ id: randomBytes(6).toString("hex"), hash: hashOf(secret), account: human.account, login: human.login },
      ...userFields(uid),
      issued: issuedAccount(human.issuer, human.sub),
      ...{ beganMs: nowMs, usedMs: nowMs, refreshedMs: nowMs },
      endsMs: Math.min(nowMs + (this.#parts.loginOf(human.login)?.lastsMs ?? 0), endsMs),
      ...(refreshToken === undefined ? {} : { sealed: seal(refreshToken, secret) }),
    };
    await this.#put(session);
    return { secret, session };
  }

  /** Undefined: this user has none of that secret. Throws HUMAN_SESSION_OVER, LOGIN_UNREACHABLE. */
  async use(
    secret: string,
    uid: number | undefined,
  ): Promise<{ readonly session: HumanSession; readonly human: Human } | undefined> {
    const session = this.#byHash.get(hashOf(secret));
    if (session === undefined || session.uid !== uid) return undefined;
    await this.#endIfOver(session);
    const refreshed = await this.#refreshed(session, secret);
    const human = this.#parts.find(refreshed);
    if (human === undefined) {
      await this.#over(refreshed, "its human is not known any more");
      throw over();
    }
    const nowMs = this.#parts.clock.nowMs();
    const used = { ...(this.#byHash.get(refreshed.hash) ?? refreshed), usedMs: nowMs };
    if (!this.#byHash.has(used.hash)) throw over(); // it was ended meanwhile
    this.#byHash.set(used.hash, used);
    if (nowMs - (this.#keptMs.get(used.id) ?? 0) >= HUMAN_USED_EVERY_MS) await this.#put(used);
    return { session: used, human };
  }

  list(): readonly HumanSession[] {
    return [...this.#byHash.values()];
  }

  find(id: string): HumanSession | undefined {
    return this.list().find((session) => session.id === id);
  }

  /** Its human breaks the glass, or it is whole again. */
  async setGlass(id: string, glass: HumanSession["glass"]): Promise<void> {
    const session = this.find(id);
    if (session === undefined) throw over();
    const { glass: _before, ...rest } = session;
    await this.#put(glass === undefined ? rest : { ...rest, glass });
  }

  /** False: it has ended already. */
  async end(id: string): Promise<boolean> {
    const session = this.find(id);
    if (session === undefined) return false;
    this.#byHash.delete(session.hash); // before anything is written: the disk may be full
    this.#keptMs.delete(id);
    this.#triedMs.delete(id);
    await this.#parts.store.remove("session", id);
    return true;
  }

  /** Ends those that are over. */
  async sweep(): Promise<void> {
    for (const session of this.list()) {
      const why = this.#whyOver(session);
      if (why !== undefined) await this.#over(session, why);
    }
  }

  async #endIfOver(session: HumanSession): Promise<void> {
    const why = this.#whyOver(session);
    if (why === undefined) return;
    await this.#over(session, why);
    throw over();
  }

  #whyOver({ login, usedMs, endsMs, beganMs }: HumanSession): string | undefined {
    const nowMs = this.#parts.clock.nowMs();
    const settings = this.#parts.loginOf(login);
    if (settings === undefined) return "its login is not in the settings any more";
    if (nowMs - usedMs >= settings.idleMs) return "it was not used";
    if (nowMs >= endsMs) return "its time is up";
    return nowMs < beganMs - HUMAN_USED_EVERY_MS ? "the clock was set back" : undefined;
  }

  async #over(session: HumanSession, why: string, how: "over" | "disowned" = "over"): Promise<void> {
    if (await this.end(session.id)) this.#parts.ended(session, why, how);
  }

  /** Where the issuer gave a refresh token, it is asked as often as an unused session would end. */
  #refreshed(session: HumanSession, secret: string): Promise<HumanSession> {
    const idleMs = this.#parts.loginOf(session.login)?.idleMs ?? 0;
    const nowMs = this.#parts.clock.nowMs();
    const ageMs = nowMs - session.refreshedMs;
    if (session.sealed === undefined || ageMs < idleMs) return Promise.resolve(session);
    const wasTried = nowMs - (this.#triedMs.get(session.id) ?? 0) < ISSUER_ASK_EVERY_MS;
    if (wasTried && ageMs < HUMAN_UNREFRESHED_MS) return Promise.resolve(session);
    const going = this.#refreshing.get(session.id) ?? this.#refresh(session, session.sealed, secret);
    this.#refreshing.set(session.id, going);
    return going.finally(() => this.#refreshing.delete(session.id));
  }

  async #refresh(session: HumanSession, sealed: string, secret: string): Promise<HumanSession> {
    const before = this.#parts.find(session);
    if (before === undefined) return session; // told by `use`
    try {
      const { human, refreshToken = "" } = await this.#parts.refresh(session.login, unseal(sealed, secret), before);
      await this.#parts.met(human);
      const current = this.#byHash.get(session.hash) ?? session;
      const next = { ...current, refreshedMs: this.#parts.clock.nowMs(), sealed: seal(refreshToken, secret) };
      if (this.#byHash.has(session.hash)) await this.#put(next);
      return next;
    } catch (error) {
      const nowMs = this.#parts.clock.nowMs();
      if (codeOf(error) === "LOGIN_UNREACHABLE") {
        this.#triedMs.set(session.id, nowMs);
        if (nowMs - session.refreshedMs < HUMAN_UNREFRESHED_MS) return session;
        throw error;
      }
      await this.#over(session, "its issuer gives no more of it", "disowned");
      throw over();
    }
  }

  async #put(session: HumanSession): Promise<void> {
    this.#byHash.set(session.hash, session); // first: one that is ended meanwhile must not come back
    this.#keptMs.set(session.id, this.#parts.clock.nowMs());
    await this.#parts.store.put("session", session.id, session);
  }
}

export function over(): UserError {
  const remedy = "Sign in again: sallyport login; or go on as the user of this host: sallyport logout";
  return new UserError("HUMAN_SESSION_OVER", "Cannot go on as the human who signed in: the session is over", remedy, {
    exitCode: 4,
  });
}

function full(): UserError {
  const message = `Cannot sign in: this human has ${HUMAN_SESSIONS_EACH_MAX} sessions, or the daemon ${HUMAN_SESSIONS_MAX}`;
  return new UserError("HUMAN_SESSIONS_FULL", message, "End some: sallyport logout, or sallyport humans revoke NAME");
}
