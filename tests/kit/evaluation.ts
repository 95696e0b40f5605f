/**
 * The same question asked twice: of the analysis and the judges that a daemon keeps for its life, and of new ones that
 * have seen nothing. What is kept must never answer otherwise.
 */
import { createMasker } from "../../src/masking/mask.ts";
import type { DataLabels } from "../../src/model/connection.ts";
import type { Agent } from "../../src/model/identity.ts";
import type { Asked } from "../../src/model/operation.ts";
import type { Origin } from "../../src/model/origin.ts";
import { maskWritten } from "../../src/path/write-back.ts";
import type { Judge, Subject } from "../../src/policy/decide.ts";
import type { SubjectConnection } from "../../src/policy/facts.ts";
import type { Policy } from "../../src/policy/load.ts";
import { Analyser } from "../../src/protocols/postgres/analysis/analyse.ts";
import type { CatalogFacts } from "../../src/protocols/postgres/catalog.ts";
import { postgres } from "../../src/protocols/postgres/index.ts";
import { policyOf, SAMPLE_AGENT, SAMPLE_ORIGIN } from "./policy.ts";

export const MASK_KEY = new Uint8Array(32).fill(7);
const masker = createMasker(MASK_KEY);

/** What may differ between two questions with the same text. */
export interface Question {
  readonly text: string;
  readonly policy: string;
  readonly session?: string;
  readonly agent?: Partial<Agent>;
  readonly origin?: Partial<Origin>;
  readonly connection?: Partial<SubjectConnection>;
  readonly data?: DataLabels;
  readonly catalog?: CatalogFacts;
  readonly parameters?: readonly (string | null)[];
  readonly atMs?: number;
  readonly isObserved?: boolean;
}

export const NO_DATA: DataLabels = {};
const DAY_MS = Date.UTC(2025, 0, 15, 12);

/** A daemon's life: policies, one analysis, and a judge for each session and policy. */
export class Kept {
  readonly #policies = new Map<string, Policy>();
  readonly #judges = new Map<string, { judge: Judge; now: { ms: number; observed: boolean } }>();
  readonly #analyser = new Analyser();

  async prepare(): Promise<this> {
    await Promise.all([this.#analyser.prepare(), postgres.prepare()]);
    return this;
  }

  ask(question: Question): string {
    const policy = this.#policies.get(question.policy) ?? compiled(question.policy);
    this.#policies.set(question.policy, policy);
    const { session, agent, origin, connection } = question;
    const key = JSON.stringify([question.policy, session, agent, origin, connection], (_, value) =>
      typeof value === "bigint" ? String(value) : value,
    );
    let kept = this.#judges.get(key);
    if (kept === undefined) {
      const now = { ms: 0, observed: false };
      kept = { judge: policy.judge(subjectOf(question, now)), now };
      this.#judges.set(key, kept);
    }
    kept.now.ms = question.atMs ?? DAY_MS;
    kept.now.observed = question.isObserved ?? false;
    return answer(kept.judge, asked(this.#analyser, question));
  }
}

/** Nothing is known from before. */
export class Fresh {
  /** Without room for a single analysis. */
  readonly #analyser = new Analyser(0);

  async prepare(): Promise<this> {
    await this.#analyser.prepare();
    return this;
  }

  ask(question: Question): string {
    const now = { ms: question.atMs ?? DAY_MS, observed: question.isObserved ?? false };
    return answer(compiled(question.policy).judge(subjectOf(question, now)), asked(this.#analyser, question));
  }
}

function compiled(text: string): Policy {
  return policyOf(text, postgres.actions);
}

function subjectOf(question: Question, now: { ms: number; observed: boolean }): Subject {
  return {
    sessionId: question.session ?? "s1",
    agent: { ...SAMPLE_AGENT, ...question.agent },
    origin: { ...SAMPLE_ORIGIN, ...question.origin },
    connection: { name: "orders", protocol: "postgres", labels: {}, ...question.connection },
    clock: { nowMs: () => now.ms },
    isObserved: () => now.observed,
    maskIn: (one, bytes) => maskWritten(one, bytes, postgres, masker),
  };
}

function asked(analyser: Analyser, { text, data = NO_DATA, catalog, parameters }: Question): readonly Asked[] {
  return analyser
    .analyse(text, { data, catalog })
    .statements.map(({ operation, text: own }) =>
      parameters === undefined ? { operation, text: own } : { operation, text: own, parameters },
    );
}

function answer(judge: Judge, asks: readonly Asked[]): string {
  const decision = judge.decide(1, asks, new Uint8Array());
  const observed = decision.kind === "allow" && decision.observed !== undefined;
  const rules = observed ? (decision.observed?.rules ?? []) : decision.rules;
  return [observed ? "observed" : decision.kind, ...rules].join(" ");
}
