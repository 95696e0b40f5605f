/** Facts from backends, kept for a moment and shared by sessions; the same question is never asked twice at once. */
import type { Clock } from "../base/clock.ts";
import { codeOf, ProtocolError } from "../base/errors.ts";
import { CATALOG_AGE_MS, ESTIMATES_MAX, SESSIONS_MAX } from "../base/limits.ts";
import type { Connection } from "../model/connection.ts";
import type { Asked } from "../model/operation.ts";
import type { LookAnswer, LookQuestion } from "../model/session.ts";
import { type Backend, type CredentialSource, lookUp } from "./upstream.ts";

interface Known {
  readonly answer: LookAnswer;
  readonly atMs: number;
}

/** A session's way to ask. */
export interface Looking {
  /** What is known and young. */
  known(question: LookQuestion): LookAnswer | undefined;
  /** The same at once, else a promise; a question that says `fresh` is always asked anew. */
  look(question: LookQuestion): LookAnswer | Promise<LookAnswer>;
}

export class Lookups {
  readonly #clock: Clock;
  readonly #credentialOf: CredentialSource;
  readonly #known = new Map<string, Known>();
  readonly #running = new Map<string, Promise<LookAnswer>>();
  readonly #names = new WeakMap<Connection, string>();
  /** When the question of an answer was asked. */
  readonly #asked = new WeakMap<object, number>();
  readonly #superseded: () => void;
  #estimating = 0;

  /** `superseded`: an answer that could still be believed is not the newest any more. */
  constructor(clock: Clock, credentialOf: CredentialSource, superseded: () => void = () => {}) {
    this.#superseded = superseded;
    this.#clock = clock;
    this.#credentialOf = credentialOf;
  }

  /** Questions that a session asks again are the same object, so that their key is made once. */
  of(backend: Backend, sessionLogin: unknown): Looking {
    const { lookup, lookupLogin } = backend.protocol;
    if (lookup === undefined || lookupLogin === undefined) {
      throw new ProtocolError("LOOKUP_NONE", `Cannot look up facts: ${backend.protocol.name} has no lookup`);
    }
    const request = lookupLogin(sessionLogin);
    const where = JSON.stringify([this.#nameOf(backend.connection), backend.address, backend.port, request]);
    const keys = new WeakMap<object, string>();
    const keyOf = (question: LookQuestion) => {
      let key = keys.get(question as object);
      if (key === undefined) {
        key = where + JSON.stringify({ ...(question as object), fresh: undefined });
        keys.set(question as object, key);
      }
      return key;
    };
    const known = (question: LookQuestion) => (isFresh(question) ? undefined : this.#young(keyOf(question)));
    const look = (question: LookQuestion) => {
      const found = known(question);
      if (found !== undefined) return found;
      const key = keyOf(question);
      const running = isFresh(question) ? undefined : this.#running.get(key);
      return running ?? this.#ask(key, () => lookUp(backend, request, lookup(question), this.#credentialOf));
    };
    return { known, look };
  }

  /** How long an answer that was given may still be believed, in milliseconds. */
  believedMs(answer: LookAnswer): number {
    const atMs = this.#asked.get(answer as object) ?? Number.NEGATIVE_INFINITY;
    return atMs + CATALOG_AGE_MS - this.#clock.nowMs();
  }

  /** In words, how many rows this would touch, or why that is not known. Asked anew each time, a few at once. Never rejects. */
  async estimate(backend: Backend, sessionLogin: unknown, asked: readonly Asked[]): Promise<string> {
    const { estimate, lookup, lookupLogin } = backend.protocol;
    if (estimate === undefined || lookup === undefined || lookupLogin === undefined) {
      return "not known: the protocol has no estimates";
    }
    if (sessionLogin === undefined) return "not known: it is not logged in yet";
    const found = estimate(asked);
    if ("unknown" in found) return `not known: ${found.unknown}`;
    if (this.#estimating >= ESTIMATES_MAX) return "not known: too many are asked for at once";
    this.#estimating++;
    try {
      return String(await lookUp(backend, lookupLogin(sessionLogin), lookup(found.question), this.#credentialOf));
    } catch (error) {
      return `not known: ${codeOf(error)}`;
    } finally {
      this.#estimating--;
    }
  }

  /** All of it: two of one name may differ after a change of the settings. */
  #nameOf(connection: Connection): string {
    let name = this.#names.get(connection);
    if (name === undefined) {
      name = JSON.stringify(connection);
      this.#names.set(connection, name);
    }
    return name;
  }

  #young(key: string): LookAnswer | undefined {
    const known = this.#known.get(key);
    return known !== undefined && this.#clock.nowMs() - known.atMs < CATALOG_AGE_MS ? known.answer : undefined;
  }

  #ask(key: string, ask: () => Promise<LookAnswer>): Promise<LookAnswer> {
    const atMs = this.#clock.nowMs(); // of the question: the answer may already be older than its arrival
    const asked = ask()
      .then((answer) => {
        if (typeof answer === "object" && answer !== null) this.#asked.set(answer, atMs);
        this.#keep(key, { answer, atMs });
        return answer;
      })
      .finally(() => {
        if (this.#running.get(key) === asked) this.#running.delete(key);
      });
    this.#running.set(key, asked);
    return asked;
  }

  #keep(key: string, known: Known): void {
    if ((this.#known.get(key)?.atMs ?? 0) > known.atMs) return; // a later question was answered sooner
    const isEarly = this.#young(key) !== undefined;
    const oldest = this.#clock.nowMs() - CATALOG_AGE_MS;
    for (const [other, { atMs }] of this.#known) if (atMs < oldest) this.#known.delete(other); // of no use any more
    if (this.#known.size >= SESSIONS_MAX) this.#known.clear();
    this.#known.set(key, known);
    if (isEarly) this.#superseded();
  }
}

function isFresh(question: LookQuestion): boolean {
  return (question as { readonly fresh?: true }).fresh === true;
}
