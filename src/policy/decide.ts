/**
 * Answers asks: deny over allow, default deny, and any error denies. The only file that mints permits.
 * Does no I/O and reads the clock only for rules that read time.
 */

import type { Clock } from "../base/clock.ts";
import { REVEALS_KEPT_MAX } from "../base/limits.ts";
import type { Decision, Refusal, RuleName } from "../model/decision.ts";
import type { Agent } from "../model/identity.ts";
import type { ColumnFacts, MaskStyle } from "../model/mask.ts";
import type { ActionDeclaration, Asked, Facts, Operation } from "../model/operation.ts";
import type { Origin } from "../model/origin.ts";
import { mintPermit } from "../model/permit.ts";
import type { Condition } from "./condition.ts";
import { type RuleVerdict, sayDenied, sayMisfit, sayNotAllowed } from "./explain.ts";
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
  | ({ readonly kind: "deny" } & Refusal)
  /** Whatever the rules say. */
  | ({ readonly kind: "forbid" } & Refusal);

type Refused = Exclude<Outcomes, { kind: "allow" }>;

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
    const policy = this.policy;
    const [only] = asked;
    if (only === undefined) return { kind: "deny", rules: ["built-in:nothing"], message: "Nothing was asked", policy };
    if (asked.length === 1) {
      const outcome = this.#outcome(only.operation);
      return outcome.kind === "allow" ? this.#allow(id, outcome.rules, bytes) : this.#refuse(id, [outcome], bytes);
    }
    const rules = new Set<RuleName>();
    const refused: Refused[] = [];
    for (const { operation } of asked) {
      const outcome = this.#outcome(operation);
      if (outcome.kind !== "allow") refused.push(outcome);
      else for (const rule of outcome.rules) rules.add(rule);
    }
    return refused.length > 0 ? this.#refuse(id, refused, bytes) : this.#allow(id, [...rules], bytes);
  }

  #refuse(id: number, refused: readonly Refused[], bytes: Uint8Array): Decision {
    const policy = this.policy;
    const [first] = refused;
    const rules = [...new Set(refused.flatMap((outcome) => outcome.rules))];
    const refusal: Refusal = { rules, message: first?.message ?? "" };
    const { isObserved, sessionId } = this.#subject;
    if (isObserved?.() !== true || refused.some(({ kind }) => kind === "forbid")) {
      return { kind: "deny", ...refusal, policy };
    }
    return { kind: "allow", permit: mintPermit(sessionId, id, bytes), rules: [], policy, observed: refusal };
  }

  #allow(id: number, rules: readonly RuleName[], bytes: Uint8Array): Decision {
    return { kind: "allow", permit: mintPermit(this.#subject.sessionId, id, bytes), rules, policy: this.policy };
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
        }
      }
      if (!allowed) unallowed.push(action.name);
    }
    if (denying.length > 0) return { kind: "deny", rules: namesOf(denying), message: sayDenied(denying) };
    if (unallowed.length > 0) return { kind: "deny", rules: [], message: sayNotAllowed([...new Set(unallowed)]) };
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

/** The less revealing of two styles. */
function stricter(left: MaskStyle | undefined, right: MaskStyle): MaskStyle {
  return left === undefined || STYLES.indexOf(right) < STYLES.indexOf(left) ? right : left;
}
