/** Who is being served right now: to list, to stop from the side, and to find what a cancel key means. */
import {
  DRAIN_FRESH_WAIT_MS,
  DRAIN_WAIT_MS,
  FAREWELL_WAIT_MS,
  SESSIONS_MAX,
  SESSIONS_PER_AGENT_MAX,
} from "../base/limits.ts";
import type { Connection } from "../model/connection.ts";
import type { Agent } from "../model/identity.ts";
import type { Origin } from "../model/origin.ts";
import type { Backend } from "./upstream.ts";

export interface LiveSession {
  readonly sessionId: string;
  readonly agent: Agent;
  readonly connection: Connection;
  readonly origin: Origin;
  /** Whether it has asked for its connection, and was not without a grant for that. */
  hasEntered(): boolean;
  stop(reason: string): void;
  /** Ends it once that cuts nothing short; "end" includes what was let in and has not asked anything yet. */
  drain(reason: string, fresh: "wait" | "end"): void;
  /** As `stop`, of what lost its right: what its backend still runs is cancelled, and a client that does not listen is cut off. */
  expel(reason: string): void;
  /** Ends it at once, without waiting for anybody; what its backend still runs is cancelled. */
  cut(reason: string): void;
  /** By a fault of our own, whose cause the agent is not told. */
  fail(error: unknown): void;
  /** Asks the policy in force for the session's `connect` again; denied, the session ends. */
  recheck(): void;
  /** Its client does not want any more what waits for a human. False: nothing does. */
  cancelHeld(reason: string): boolean;
}

export interface Cancellable {
  readonly sessionId: string;
  readonly agent: Agent;
  readonly backend: Backend;
  readonly cancel: Uint8Array;
}

export class Sessions {
  readonly #live = new Map<string, LiveSession>();
  readonly #byAgent = new Map<number, number>();
  readonly #cancels = new Map<string, Cancellable>();
  readonly #waiting = new Set<() => void>();
  #hurry: () => void = () => {};

  get full(): boolean {
    return this.#live.size >= SESSIONS_MAX;
  }

  /** Whether this agent may not open another one, for its own number or for everybody's. */
  isFullFor(agent: Agent): boolean {
    return this.full || (this.#byAgent.get(agent.slot) ?? 0) >= SESSIONS_PER_AGENT_MAX;
  }

  list(): readonly LiveSession[] {
    return [...this.#live.values()];
  }

  add(session: LiveSession): void {
    this.#live.set(session.sessionId, session);
    this.#count(session.agent, 1);
  }

  remove(sessionId: string, cancelKey: Uint8Array | undefined): void {
    const session = this.#live.get(sessionId);
    this.#live.delete(sessionId);
    if (session !== undefined) this.#count(session.agent, -1);
    if (cancelKey !== undefined) this.#forget(sessionId, cancelKey);
    for (const waiting of [...this.#waiting]) waiting();
  }

  /** After a change of policy: what is no longer allowed ends. One that cannot be asked about ends, too, and keeps no other from it. */
  recheck(): void {
    for (const session of this.list()) {
      try {
        session.recheck();
      } catch (error) {
        session.fail(error);
      }
    }
  }

  /** A key of few bytes may, once in a long time, have come to another session meanwhile. */
  #forget(sessionId: string, cancelKey: Uint8Array): void {
    const key = hex(cancelKey);
    if (this.#cancels.get(key)?.sessionId === sessionId) this.#cancels.delete(key);
  }

  cancelHeld(sessionId: string, reason: string): boolean {
    return this.#live.get(sessionId)?.cancelHeld(reason) ?? false;
  }

  #count({ slot }: Agent, by: number): void {
    const count = (this.#byAgent.get(slot) ?? 0) + by;
    if (count > 0) this.#byAgent.set(slot, count);
    else this.#byAgent.delete(slot);
  }

  /** Ends every session for which `which` holds; returns how many. */
  stop(which: (session: LiveSession) => boolean, reason: string): number {
    const chosen = this.list().filter(which);
    for (const session of chosen) session.stop(reason);
    return chosen.length;
  }

  /** As `stop`, of those that lost their right. */
  expel(which: (session: LiveSession) => boolean, reason: string): number {
    const chosen = this.list().filter(which);
    for (const session of chosen) session.expel(reason);
    return chosen.length;
  }

  /** As `stop`, but nobody is waited for: both sides are reset. */
  cut(which: (session: LiveSession) => boolean, reason: string): number {
    const chosen = this.list().filter(which);
    for (const session of chosen) session.cut(reason);
    return chosen.length;
  }

  /** Resolves when no session is left for which `which` holds, or after `waitMs`. */
  settled(which: (session: LiveSession) => boolean, waitMs: number): Promise<void> {
    const done = () => !this.list().some(which);
    if (done()) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(finish, waitMs);
      const waiting = () => {
        if (done()) finish();
      };
      this.#waiting.add(waiting);
      const forget = () => this.#waiting.delete(waiting);
      function finish() {
        clearTimeout(timer);
        forget();
        resolve();
      }
    });
  }

  /**
   * Lets every session finish what it is at; what still runs at the deadline is ended. Resolves when all have left.
   * Whoever calls this accepts nothing more.
   */
  async drain(reason: string): Promise<void> {
    const hurried = new Promise<void>((resolve) => {
      this.#hurry = resolve;
    });
    for (const session of this.list()) session.drain(reason, "wait");
    await Promise.race([hurried, this.settled(() => true, DRAIN_FRESH_WAIT_MS)]);
    for (const session of this.list()) session.drain(reason, "end");
    await Promise.race([hurried, this.settled(() => true, DRAIN_WAIT_MS - DRAIN_FRESH_WAIT_MS)]);
    await this.end(reason);
  }

  /** A drain that waits, waits no more. */
  hurry(): void {
    this.#hurry();
  }

  /** Ends all of them with their farewell; resolves when they have left. */
  async end(reason: string): Promise<void> {
    this.stop(() => true, reason);
    await this.settled(() => true, FAREWELL_WAIT_MS * 2);
  }

  rememberCancel(key: Uint8Array, sessionId: string, agent: Agent, backend: Backend, cancel: Uint8Array): void {
    if (!this.#live.has(sessionId)) return; // its login came too late; nobody would forget the key
    this.#cancels.set(hex(key), { sessionId, agent, backend, cancel });
  }

  findCancel(key: Uint8Array): Cancellable | undefined {
    return this.#cancels.get(hex(key));
  }
}

function hex(key: Uint8Array): string {
  return Buffer.from(key).toString("hex");
}
