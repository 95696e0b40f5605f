/**
 * Answers asks: deny over hold over allow, default deny, and any error denies. The only file that mints permits.
 * Does no I/O and reads the clock only for rules that read time.
 */

import type { Clock } from "../base/clock.ts";
import { REVEALS_KEPT_MAX } from "../base/limits.ts";
import type { Approval, Decision, Refusal, RuleName } from "../model/decision.ts";
import type { HoldTerms } from "../model/hold.ts";
import type { Agent } from "../model/identity.ts";
import type { ColumnFacts, MaskStyle } from "../model/mask.ts";
import type { ActionDeclaration, Asked, Facts, Operation } from "../model/operation.ts";
import type { Origin } from "../model/origin.ts";
import { mintPermit, type Permit } from "../model/permit.ts";
import type { Condition } from "./condition.ts";
import { type RuleVerdict, sayDenied, sayHeld, sayMisfit, sayNotAllowed } from "./explain.ts";
import { misfit, REVEAL, type SubjectConnection, subjectFacts, timeFacts } from "./facts.ts";
import type { Outcome } from "./schema.ts";

/** Who asks, over which connection. Facts are taken once, when the judge is made. */
export interface Subject {
  readonly sessionId: string;
  readonly agent: Agent;
  readonly origin: Origin;
  readonly connection: SubjectConnection;
  readonly clock: Clock;
  /**
   * Whether the agent is observed at this moment: what rules would deny is then allowed and says so. What the analysis
   * forbids stays denied, and masks stay on: observing is no way to read what policy hides. Absent: never.
   */
  readonly isObserved?: () => boolean;
}

/** One policy applied to one session. */
export interface Judge {
  /**
   * All of `asked` must be allowed; then one permit is minted that owns `bytes`.
   * An ask of nothing is denied; housekeeping is an operation without actions.
   */
  decide(id: number, asked: readonly Asked[], bytes: Uint8Array): Decision;
  /**
   * The same for what was held and is approved by now: a hold is an allow then, all else stays as it is. The caller
   * vouches that `asked` and `bytes` are what was approved, under this policy.
   */
  lift(id: number, asked: readonly Asked[], bytes: Uint8Array, approval: Approval): Decision;
  /** How to mask a column's value ("" for the column itself) or what a detector found in it. Undefined: shown. */
  reveal(column: Pick<ColumnFacts, "schema" | "table" | "name" | "labels">, detector: string): MaskStyle | undefined;
  /** The version of the policy. */
  readonly policy: string;
}

export interface Rule {
  readonly name: RuleName;
  /** Declared actions. */
  readonly covers: ReadonlySet<string>;
  readonly outcome: Outcome;
  /** Undefined: always. */
  readonly condition: Condition | undefined;
}

/** Every declared action with the rules that cover it, in the order of the files. */
export type RuleIndex = ReadonlyMap<
  string,
  {
    readonly declaration: ActionDeclaration;
    readonly rules: readonly Rule[];
    /** Whether a condition among them reads time: then answers are not kept. */
    readonly readsTime: boolean;
  }
>;

/** From the least revealing to the most. */
const STYLES: readonly MaskStyle[] = ["null", "redact", "hash", "partial"];

export function createJudge(index: RuleIndex, policy: string, subject: Subject): Judge {
  return new PolicyJudge(index, policy, subject);
}

/** Of one operation, before permits. */
type Outcomes =
  | { readonly kind: "allow"; readonly rules: readonly RuleName[] }
  | ({ readonly kind: "hold"; readonly terms: HoldTerms } & Refusal)
  | ({ readonly kind: "deny" } & Refusal)
  /** Whatever the rules say. */
  | ({ readonly kind: "forbid" } & Refusal);

type Refused = Exclude<Outcomes, { kind: "allow" | "hold" }>;
type Held = Extract<Outcomes, { kind: "hold" }>;

class PolicyJudge implements Judge {
  readonly policy: string;
  readonly #index: RuleIndex;
  readonly #subject: Subject;
  readonly #facts: Facts;
  /** By identity: operations are frozen and shared where their facts are equal. */
  readonly #decided = new WeakMap<Operation, Outcomes>();
  /** Undefined is an answer too, kept as "". */
  readonly #revealed = new Map<string, MaskStyle | "">();
  readonly #revealReadsTime: boolean;

  constructor(index: RuleIndex, policy: string, subject: Subject) {
    this.policy = policy;
    this.#index = index;
    this.#subject = subject;
    this.#facts = subjectFacts(subject.sessionId, subject.agent, subject.origin, subject.connection);
    this.#revealReadsTime = index.get(REVEAL)?.readsTime ?? false;
  }

  decide(id: number, asked: readonly Asked[], bytes: Uint8Array): Decision {
    return this.#decide(id, asked, bytes, undefined);
  }

  lift(id: number, asked: readonly Asked[], bytes: Uint8Array, approval: Approval): Decision {
    return this.#decide(id, asked, bytes, approval);
  }

  #decide(id: number, asked: readonly Asked[], bytes: Uint8Array, approval: Approval | undefined): Decision {
    const policy = this.policy;
    const [only] = asked;
    if (only === undefined) return { kind: "deny", rules: ["built-in:nothing"], message: "Nothing was asked", policy };
    if (asked.length === 1) {
      const outcome = this.#outcomeOf(only);
      if (outcome.kind === "allow") return this.#allow(id, outcome.rules, bytes, undefined);
      if (outcome.kind === "hold") return this.#hold(id, [outcome], bytes, approval);
      return this.#refuse(id, [outcome], bytes);
    }
    const rules = new Set<RuleName>();
    const refused: Refused[] = [];
    const held: Held[] = [];
    for (const one of asked) {
      const outcome = this.#outcomeOf(one);
      if (outcome.kind === "hold") held.push(outcome);
      else if (outcome.kind !== "allow") refused.push(outcome);
      else for (const rule of outcome.rules) rules.add(rule);
    }
    if (refused.length > 0) return this.#refuse(id, refused, bytes);
    if (held.length > 0) return this.#hold(id, held, bytes, approval);
    return this.#allow(id, [...rules], bytes, undefined);
  }

  #outcomeOf({ operation, prepared }: Asked): Outcomes {
    const outcome = this.#outcome(operation);
    return prepared === true && outcome.kind === "hold" ? { kind: "allow", rules: outcome.rules } : outcome;
  }

  #refuse(id: number, refused: readonly Refused[], bytes: Uint8Array): Decision {
    const policy = this.policy;
    const refusal = refusalOf(refused);
    if (!this.#isObserved() || refused.some(({ kind }) => kind === "forbid")) {
      return { kind: "deny", ...refusal, policy };
    }
    return { kind: "allow", permit: this.#permit(id, bytes), rules: [], policy, observed: refusal };
  }

  #hold(id: number, held: readonly Held[], bytes: Uint8Array, approval: Approval | undefined): Decision {
    const policy = this.policy;
    const refusal = refusalOf(held);
    if (approval !== undefined) return this.#allow(id, refusal.rules, bytes, approval);
    if (this.#isObserved()) {
      return { kind: "allow", permit: this.#permit(id, bytes), rules: [], policy, observed: refusal };
    }
    return { kind: "hold", ...refusal, terms: joinTerms(held.map(({ terms }) => terms)), policy };
  }

  #isObserved(): boolean {
    return this.#subject.isObserved?.() === true;
  }

  #permit(id: number, bytes: Uint8Array): Permit {
    return mintPermit(this.#subject.sessionId, id, bytes);
  }

  #allow(id: number, rules: readonly RuleName[], bytes: Uint8Array, approval: Approval | undefined): Decision {
    const allowed = { kind: "allow", permit: this.#permit(id, bytes), rules, policy: this.policy } as const;
    return approval === undefined ? allowed : { ...allowed, approval };
  }

  reveal(column: Pick<ColumnFacts, "schema" | "table" | "name" | "labels">, detector: string): MaskStyle | undefined {
    const { schema, table, name, labels } = column;
    if (this.#revealReadsTime) return this.#styleOf({ column: { schema, table, name, labels }, detector });
    const key = JSON.stringify([schema, table, name, detector, ...labels]);
    const kept = this.#revealed.get(key);
    if (kept !== undefined) return kept === "" ? undefined : kept;
    const style = this.#styleOf({ column: { schema, table, name, labels }, detector });
    // A full cache starts anew: cheaper than order, and one answer costs microseconds.
    if (this.#revealed.size >= REVEALS_KEPT_MAX) this.#revealed.clear();
    this.#revealed.set(key, style ?? "");
    return style;
  }

  #styleOf(facts: Facts): MaskStyle | undefined {
    const entry = this.#index.get(REVEAL);
    if (entry === undefined || misfit(facts, entry.declaration.facts) !== undefined) return "null";
    const time = this.#time(this.#revealReadsTime);
    let least: MaskStyle | undefined;
    for (const { condition, outcome } of entry.rules) {
      const matched = condition === undefined || condition.test(this.#facts, facts, time);
      if (matched === false) continue;
      if (matched !== true || outcome.kind !== "mask") return "null";
      least = stricter(least, outcome.style);
    }
    return least;
  }

  #outcome(operation: Operation): Outcomes {
    const kept = this.#decided.get(operation);
    if (kept !== undefined) return kept;
    const timed = operation.actions.some(({ name }) => this.#index.get(name)?.readsTime === true);
    const outcome = this.#judge(operation, this.#time(timed));
    // One that can still change is judged anew each time.
    if (!timed && Object.isFrozen(operation)) this.#decided.set(operation, outcome);
    return outcome;
  }

  #judge(operation: Operation, time: Facts): Outcomes {
    const { forbidden, actions } = operation;
    if (forbidden !== undefined) return { kind: "forbid", rules: [forbidden.rule], message: forbidden.message };
    // The session exists because `connect` was allowed, and that permits housekeeping.
    const allowing: RuleName[] = [];
    const denying: RuleVerdict[] = [];
    const holding: HoldingRule[] = [];
    const unallowed: string[] = [];
    for (const action of actions) {
      const entry = this.#index.get(action.name);
      const wrong = entry === undefined ? undefined : misfit(action.facts, entry.declaration.facts);
      if (entry === undefined || wrong !== undefined || action.name === REVEAL) {
        return { kind: "forbid", rules: ["built-in:facts"], message: sayMisfit(action.name, wrong) };
      }
      let allowed = false;
      for (const { name, condition, outcome } of entry.rules) {
        const matched = condition === undefined || condition.test(this.#facts, action.facts, time);
        if (matched === false) continue;
        if (matched !== true) {
          denying.push({ rule: name, message: undefined, failure: matched.message });
        } else if (outcome.kind === "deny") {
          denying.push({ rule: name, message: outcome.message, failure: undefined });
        } else if (outcome.kind === "allow") {
          allowed = true;
          allowing.push(name);
        } else if (outcome.kind === "hold") {
          allowed = true;
          holding.push({ name, outcome });
        }
      }
      if (!allowed) unallowed.push(action.name);
    }
    if (denying.length > 0) return { kind: "deny", rules: namesOf(denying), message: sayDenied(denying) };
    if (unallowed.length > 0) return { kind: "deny", rules: [], message: sayNotAllowed([...new Set(unallowed)]) };
    if (holding.length > 0) return heldBy(holding);
    return { kind: "allow", rules: [...new Set(allowing)] };
  }

  #time(read: boolean): Facts {
    return read ? timeFacts(this.#subject.clock.nowMs()) : NO_TIME;
  }
}

/** For rules that do not read it. */
const NO_TIME: Facts = {};

function namesOf(verdicts: readonly RuleVerdict[]): RuleName[] {
  return [...new Set(verdicts.map(({ rule }) => rule))];
}

interface HoldingRule {
  readonly name: RuleName;
  readonly outcome: Extract<Outcome, { kind: "hold" }>;
}

function heldBy(holding: readonly HoldingRule[]): Held {
  const verdicts = holding.map(({ name, outcome }) => ({ rule: name, message: outcome.message, failure: undefined }));
  const terms = holding.map(({ name, outcome: { approvers, each, quorum, expiresMs, reuseMs } }) => {
    return { demands: [{ rule: name, approvers, each, quorum }], expiresMs, reuseMs };
  });
  return { kind: "hold", rules: namesOf(verdicts), message: sayHeld(verdicts), terms: joinTerms(terms) };
}

/** All demands count, each once; of times the shortest. */
function joinTerms(terms: readonly HoldTerms[]): HoldTerms {
  const demands = new Map(terms.flatMap(({ demands: own }) => own.map((demand) => [demand.rule, demand])));
  return {
    demands: [...demands.values()],
    expiresMs: Math.min(...terms.map(({ expiresMs }) => expiresMs)),
    reuseMs: Math.min(...terms.map(({ reuseMs }) => reuseMs)),
  };
}

/** The first message; every rule. */
function refusalOf(outcomes: readonly Refusal[]): Refusal {
  return { rules: [...new Set(outcomes.flatMap(({ rules }) => rules))], message: outcomes[0]?.message ?? "" };
}

/** The less revealing of two styles. */
function stricter(left: MaskStyle | undefined, right: MaskStyle): MaskStyle {
  return left === undefined || STYLES.indexOf(right) < STYLES.indexOf(left) ? right : left;
}
