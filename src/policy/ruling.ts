/**
 * What the rules say of one operation: deny over hold over allow, default deny, any error denies; and beside it what
 * rules in shadow would change and which limits it counts towards. Pure; mints nothing.
 */
import type { Refusal, RuleName, ShadowEffect } from "../model/decision.ts";
import type { HoldTerms } from "../model/hold.ts";
import type { LimitTerms } from "../model/limit.ts";
import type { Facts, Operation } from "../model/operation.ts";
import { type RuleVerdict, sayDenied, sayHeld, sayMisfit, sayNotAllowed } from "./explain.ts";
import { misfit, REVEAL } from "./facts.ts";
import type { Outcome } from "./outcomes.ts";
import type { Covering, Rule } from "./rule.ts";

export type Answer =
  | { readonly kind: "allow"; readonly rules: readonly RuleName[] }
  | ({ readonly kind: "hold"; readonly terms: HoldTerms } & Refusal)
  | ({ readonly kind: "deny" } & Refusal)
  /** Whatever the rules say. */
  | ({ readonly kind: "forbid" } & Refusal);

export interface Ruling {
  readonly answer: Answer;
  readonly limits: readonly CoveringLimit[];
  /** What the answer would be with one more rule in force, where it would be another kind. */
  readonly shadows: readonly ShadowEffect[];
  /** It puts values into the backend. */
  readonly writes: boolean;
}

export interface CoveringLimit {
  readonly terms: LimitTerms;
  readonly message: string | undefined;
  readonly isShadow: boolean;
}

type Matched = boolean | { readonly message: string };

export function matchRule({ condition }: Rule, subject: Facts, action: Facts, time: Facts): Matched {
  return condition === undefined || condition.test(subject, action, time);
}

export function judgeOperation(
  operation: Operation,
  coveringOf: (action: string) => Covering | undefined,
  subject: Facts,
  time: Facts,
): Ruling {
  const { forbidden, actions } = operation;
  if (forbidden !== undefined) return forbid(forbidden.rule, forbidden.message);
  const found = new Findings();
  let writes = false;
  for (const action of actions) {
    const entry = coveringOf(action.name);
    const wrong = entry === undefined ? undefined : misfit(action.facts, entry.declaration.facts);
    if (entry === undefined || wrong !== undefined || action.name === REVEAL) {
      return forbid("built-in:facts", sayMisfit(action.name, wrong));
    }
    writes ||= entry.declaration.writes === true;
    found.begin(action.name);
    for (const rule of entry.rules) {
      const matched = matchRule(rule, subject, action.facts, time);
      if (matched !== false) found.add(rule, matched);
    }
  }
  return { answer: found.answer(), limits: found.limits(), shadows: found.shadows(), writes };
}

function forbid(rule: RuleName, message: string): Ruling {
  return { answer: { kind: "forbid", rules: [rule], message }, limits: NONE, shadows: NONE, writes: false };
}

const NONE: readonly never[] = Object.freeze([]);

class Findings {
  readonly #allowing: RuleName[] = [];
  readonly #denying: RuleVerdict[] = [];
  readonly #holding: HoldingRule[] = [];
  readonly #limits = new Map<RuleName, CoveringLimit>();
  /** By their place in the operation: two of one name are allowed each by itself. */
  readonly #unallowed = new Map<number, string>();
  /** Matching rules in shadow, and for which actions. */
  #shadows: Map<RuleName, Shadow> | undefined;
  #action = -1;

  begin(action: string): void {
    this.#unallowed.set(++this.#action, action);
  }

  add(rule: Rule, matched: Exclude<Matched, false>): void {
    const { name, outcome, isShadow } = rule;
    const failure = matched === true ? undefined : matched.message;
    if (outcome.kind === "limit" && failure === undefined) {
      const { message, kind: _, ...terms } = outcome;
      this.#limits.set(name, { terms: { rule: name, ...terms }, message, isShadow });
    } else if (isShadow) {
      this.#shadows ??= new Map();
      const known = this.#shadows.get(name) ?? { rule, failed: false, actions: [] };
      known.actions.push(this.#action);
      known.failed ||= failure !== undefined;
      this.#shadows.set(name, known);
    } else if (failure !== undefined) {
      this.#denying.push({ rule: name, message: undefined, failure });
    } else if (outcome.kind === "deny") {
      this.#denying.push({ rule: name, message: outcome.message, failure });
    } else if (outcome.kind === "allow") {
      this.#allowing.push(name);
      this.#unallowed.delete(this.#action);
    } else if (outcome.kind === "hold") {
      this.#holding.push({ name, outcome });
      this.#unallowed.delete(this.#action);
    }
  }

  answer(): Answer {
    const denying = this.#denying;
    if (denying.length > 0) return { kind: "deny", rules: namesOf(denying), message: sayDenied(denying) };
    if (this.#unallowed.size > 0)
      return { kind: "deny", rules: [], message: sayNotAllowed([...new Set(this.#unallowed.values())]) };
    if (this.#holding.length > 0) return heldBy(this.#holding);
    return { kind: "allow", rules: [...new Set(this.#allowing)] };
  }

  limits(): readonly CoveringLimit[] {
    return this.#limits.size === 0 ? NONE : [...this.#limits.values()];
  }

  shadows(): readonly ShadowEffect[] {
    if (this.#shadows === undefined) return NONE;
    const now = this.#kindWith(undefined);
    return [...this.#shadows.values()].flatMap((shadow) => {
      const would = this.#kindWith(shadow);
      return would === now ? [] : [{ rule: shadow.rule.name, would }];
    });
  }

  #kindWith(shadow: Shadow | undefined): ShadowEffect["would"] {
    const kind = shadow?.failed === true ? "deny" : shadow?.rule.outcome.kind;
    if (this.#denying.length > 0 || kind === "deny") return "deny";
    const lifts = kind === "allow" || kind === "hold" ? (shadow?.actions ?? []) : [];
    if ([...this.#unallowed.keys()].some((action) => !lifts.includes(action))) return "deny";
    return this.#holding.length > 0 || kind === "hold" ? "hold" : "allow";
  }
}

interface Shadow {
  readonly rule: Rule;
  failed: boolean;
  readonly actions: number[];
}

function namesOf(verdicts: readonly RuleVerdict[]): RuleName[] {
  return [...new Set(verdicts.map(({ rule }) => rule))];
}

interface HoldingRule {
  readonly name: RuleName;
  readonly outcome: Extract<Outcome, { kind: "hold" }>;
}

function heldBy(holding: readonly HoldingRule[]): Extract<Answer, { kind: "hold" }> {
  const verdicts = holding.map(({ name, outcome }) => ({ rule: name, message: outcome.message, failure: undefined }));
  const terms = holding.map(({ name, outcome: { approvers, each, quorum, escalate, expiresMs, reuseMs } }) => {
    const later = escalate === undefined ? {} : { escalate };
    return { demands: [{ rule: name, approvers, each, quorum, ...later }], expiresMs, reuseMs };
  });
  return { kind: "hold", rules: namesOf(verdicts), message: sayHeld(verdicts), terms: joinTerms(terms) };
}

/** All demands count, each once; of times the shortest. */
export function joinTerms(terms: readonly HoldTerms[]): HoldTerms {
  const demands = new Map(terms.flatMap(({ demands: own }) => own.map((demand) => [demand.rule, demand])));
  return {
    demands: [...demands.values()],
    expiresMs: Math.min(...terms.map(({ expiresMs }) => expiresMs)),
    reuseMs: Math.min(...terms.map(({ reuseMs }) => reuseMs)),
  };
}
