/**
 * What holds for an agent by its name, beyond its tags: quarantined, revoked, observed. Keeps store and kernel in step. A
 * quarantine is the kernel's first and the store's second, since every moment counts and the kernel's side is pinned;
 * an observation is the store's first; the kernel knows of no revocation. Ends no session: whoever calls does.
 */
import type { Clock } from "../base/clock.ts";
import { OBSERVE_MS_MAX } from "../base/limits.ts";
import { type AuditEvent, type Doer, userFields } from "../model/event.ts";
import type { AgentState, AgentStateStore, Order } from "../store/agent-states.ts";

/** The part of the kernel's face that is needed. Slots are those of `TagStore.slotOf`. */
export interface StateKernel {
  quarantine(slot: number, state: "on" | "off"): void;
  observe(slot: number, untilBootNs: bigint): void;
}

export interface AgentStatesParts {
  readonly kernel: StateKernel;
  readonly store: AgentStateStore;
  readonly slotOf: (agent: string) => Promise<number>;
  readonly clock: Clock;
  /** CLOCK_BOOTTIME in nanoseconds, by which the kernel ends an observation. */
  readonly bootNs: () => bigint;
  readonly emit: (event: AuditEvent) => void;
}

interface Held extends AgentState {
  readonly slot: number;
  /** 0n: not observed. A wall clock that is set back prolongs nothing. */
  readonly untilBootNs: bigint;
}

export class AgentStates {
  readonly #parts: AgentStatesParts;
  readonly #held = new Map<string, Held>();
  /** Rows are written in the order in which they were asked for. */
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: AgentStatesParts) {
    this.#parts = parts;
  }

  /** Takes up what a former daemon was told, before anything is listened to. What is over by now is ended. */
  async restore(): Promise<void> {
    for (const state of await this.#parts.store.all()) {
      const slot = await this.#parts.slotOf(state.agent);
      if (state.quarantine !== undefined) this.#parts.kernel.quarantine(slot, "on");
      const untilBootNs = state.observation === undefined ? 0n : this.#bootNsAt(state.observation.untilMs);
      this.#parts.kernel.observe(slot, untilBootNs);
      this.#held.set(state.agent, { ...state, slot, untilBootNs });
    }
    await this.expire();
  }

  list(): readonly AgentState[] {
    return [...this.#held.values()];
  }

  /** For every start: nobody shall forget who is not stopped, or who is. */
  warnings(): string[] {
    return this.list().flatMap(({ agent, quarantine, revocation, observation }) => {
      if (quarantine !== undefined) return [`${agent} is quarantined: everything of it is denied`];
      const revoked = revocation === undefined ? [] : [`${agent} is revoked: what matchers make it may do nothing`];
      if (observation === undefined) return revoked;
      const until = new Date(observation.untilMs).toISOString();
      return [...revoked, `${agent} is observed until ${until}: nothing that rules deny is stopped`];
    });
  }

  of(agent: string): AgentState | undefined {
    return this.#held.get(agent);
  }

  isQuarantined(agent: string): boolean {
    return this.#held.get(agent)?.quarantine !== undefined;
  }

  isRevoked(agent: string): boolean {
    return this.#held.get(agent)?.revocation !== undefined;
  }

  /** Asked for every operation. Quarantine wins. */
  isObserved(agent: string): boolean {
    const held = this.#held.get(agent);
    if (held?.observation === undefined || held.quarantine !== undefined) return false;
    return this.#parts.clock.nowMs() < held.observation.untilMs;
  }

  /** Every event of an observed agent says so. */
  mark(event: AuditEvent): AuditEvent {
    if (event.agent === undefined || !this.isObserved(event.agent)) return event;
    return { ...event, fields: { ...event.fields, observed: true } };
  }

  /**
   * In force when it returns; the promise is for its row. A second one keeps the first one's time, and its reason
   * unless it has one of its own.
   */
  quarantine(agent: string, slot: number, by: Doer & { readonly reason: string }): Promise<void> {
    this.#parts.kernel.quarantine(slot, "on");
    const quarantine = this.#ordered(by, this.#held.get(agent)?.quarantine);
    const stored = this.#hold({ ...this.#heldOf(agent, slot), quarantine });
    this.#say("agent.quarantine", agent, `${agent} is quarantined${whyOf(quarantine)}`, doerOf(by));
    return stored;
  }

  /** As `quarantine`, for what matchers make this agent: it may do nothing until the agent is reinstated. */
  revoke(agent: string, slot: number, by: Doer & { readonly reason: string }): Promise<void> {
    const revocation = this.#ordered(by, this.#held.get(agent)?.revocation);
    const stored = this.#hold({ ...this.#heldOf(agent, slot), revocation });
    this.#say("agent.revoked", agent, `${agent} is revoked${whyOf(revocation)}`, doerOf(by));
    return stored;
  }

  /** False when it was not revoked. */
  async reinstate(agent: string, by: Doer): Promise<boolean> {
    const held = this.#held.get(agent);
    if (held?.revocation === undefined) return false;
    await this.#hold({ ...held, revocation: undefined });
    this.#say("agent.reinstated", agent, `What matchers make ${agent} is that agent again`, by);
    return true;
  }

  /** False when it was not quarantined; the kernel is told all the same, in case a daemon died in between. */
  async release(agent: string, slot: number, by: Doer): Promise<boolean> {
    const held = this.#held.get(agent);
    const was = held?.quarantine !== undefined;
    if (was) await this.#hold({ ...held, quarantine: undefined });
    this.#parts.kernel.quarantine(slot, "off");
    if (was) this.#say("agent.release", agent, `${agent} is not quarantined any more`, by);
    return was;
  }

  /** Until `untilMs`, at most OBSERVE_MS_MAX from now, which the caller has checked. Replaces an earlier end. */
  async observe(agent: string, slot: number, by: Doer & { readonly untilMs: number }): Promise<void> {
    const { uid, untilMs } = by;
    const untilBootNs = this.#bootNsAt(untilMs);
    await this.#hold({ ...this.#heldOf(agent, slot), observation: { untilMs, uid }, untilBootNs });
    this.#parts.kernel.observe(slot, untilBootNs);
    const until = new Date(untilMs).toISOString();
    this.#say(
      "agent.observe.start",
      agent,
      `${agent} is observed until ${until}: nothing that rules deny is stopped`,
      doerOf(by),
    );
  }

  /** False when it was not observed. */
  async endObservation(agent: string, by: Doer): Promise<boolean> {
    const held = this.#held.get(agent);
    if (held?.observation === undefined) return false;
    this.#parts.kernel.observe(held.slot, 0n);
    this.#say("agent.observe.end", agent, `${agent} is not observed any more`, by);
    await this.#hold({ ...held, observation: undefined, untilBootNs: 0n });
    return true;
  }

  /** Ends the observations that are over, by either clock. Returns whose; called once a second. */
  async expire(): Promise<readonly string[]> {
    const bootNs = this.#parts.bootNs();
    const nowMs = this.#parts.clock.nowMs();
    const over = [...this.#held.values()].filter(
      ({ observation, untilBootNs }) =>
        observation !== undefined && (observation.untilMs <= nowMs || untilBootNs <= bootNs),
    );
    for (const { agent, observation } of over) await this.endObservation(agent, userFields(observation?.uid));
    return over.map(({ agent }) => agent);
  }

  #heldOf(agent: string, slot: number): Held {
    const nothing = { quarantine: undefined, revocation: undefined, observation: undefined };
    return this.#held.get(agent) ?? { agent, slot, ...nothing, untilBootNs: 0n };
  }

  #ordered({ uid, reason }: Doer & { readonly reason: string }, before: Order | undefined): Order {
    const sinceMs = before?.sinceMs ?? this.#parts.clock.nowMs();
    return { sinceMs, uid, reason: reason === "" ? (before?.reason ?? "") : reason };
  }

  #hold(held: Held): Promise<void> {
    const { agent, quarantine, revocation, observation } = held;
    if (quarantine === undefined && revocation === undefined && observation === undefined) this.#held.delete(agent);
    else this.#held.set(agent, held);
    const written = this.#writing.then(() => this.#parts.store.put({ agent, quarantine, revocation, observation }));
    this.#writing = written.catch(() => {}); // told to whoever asked
    return written;
  }

  #bootNsAt(atMs: number): bigint {
    const leftMs = Math.min(OBSERVE_MS_MAX, Math.max(0, atMs - this.#parts.clock.nowMs()));
    return leftMs === 0 ? 0n : this.#parts.bootNs() + BigInt(Math.round(leftMs)) * 1_000_000n;
  }

  #say(kind: string, agent: string, message: string, by: Doer): void {
    this.#parts.emit({ atMs: this.#parts.clock.nowMs(), kind, agent, message, fields: by });
  }
}

function doerOf({ reason: _reason, untilMs: _until, ...doer }: Doer): Doer {
  return doer;
}

function whyOf({ reason }: Order): string {
  return reason === "" ? "" : `: ${reason}`;
}
