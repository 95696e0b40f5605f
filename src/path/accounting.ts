/**
 * What one session's decisions and answers mean for limits and for rules in shadow: counts, tells, and stops the
 * session where more of an answer must not follow. Judges nothing: the judge asks `usage` for room by itself.
 */
import type { Decision, ShadowEffect } from "../model/decision.ts";
import type { AuditEvent } from "../model/event.ts";
import type { Ledger, SessionUsage } from "../policy/ledger.ts";
import type { Told } from "./told.ts";

export interface AccountingWorld {
  readonly ledger: Ledger;
  readonly agent: string;
  readonly connection: string;
  readonly emitShadow: (effect: ShadowEffect, decision: Decision["kind"]) => void;
  /** Whether what limits refuse passes all the same. */
  readonly isObserved: () => boolean;
  /** Ends the session with its protocol's farewell. */
  readonly stop: (reason: string) => void;
}

export class Accounting {
  readonly usage: SessionUsage;
  readonly #world: AccountingWorld;

  constructor(world: AccountingWorld) {
    this.#world = world;
    this.usage = world.ledger.session(world.agent, world.connection);
  }

  /** It is recorded; allowed, it goes to the backend next. */
  decided(askId: number, decision: Decision): void {
    if (decision.kind === "allow") this.usage.begin(askId, decision.limits);
    for (const effect of decision.shadow ?? []) {
      this.#world.ledger.noteShadow(effect.rule, effect.would);
      this.#world.emitShadow(effect, decision.kind);
    }
  }

  progress(askId: number, rows: number, bytes: number): void {
    this.#stopIf(this.usage.progress(askId, rows, bytes));
  }

  answered(askId: number, rows: number, bytes: number): void {
    this.#stopIf(this.usage.answered(askId, rows, bytes));
  }

  #stopIf(reason: string | undefined): void {
    if (reason !== undefined && !this.#world.isObserved()) this.#world.stop(reason);
  }
}

export function shadowEvent(told: Told, decision: Decision["kind"], { rule, would }: ShadowEffect): AuditEvent {
  const message = `Decided: ${decision}. With rule ${rule}, which is in shadow, it would be: ${would}`;
  return told.event("action.shadow", message, { rules: rule, would, decision });
}
