/**
 * Answers asks: deny over hold over allow, default deny, and any error denies. The only file that mints permits.
 * Does no I/O and reads the clock only for rules that read time.
 */

import type { Clock } from "../base/clock.ts";
import type { Approval, Decision, Refusal, RuleName } from "../model/decision.ts";
import type { Agent } from "../model/identity.ts";
import { countsAnswers, type Limited } from "../model/limit.ts";
import type { ColumnFacts, MaskStyle } from "../model/mask.ts";
import type { Asked, Facts, Operation } from "../model/operation.ts";
import type { Origin } from "../model/origin.ts";
import { mintPermit, mintStandingPermit, type Permit, type StandingPermit } from "../model/permit.ts";
import { type AskedLimit, fullOf, limitsOf, type Refused, refusalOf, shadowsOf } from "./combined.ts";
import { misfit, REVEAL, type SubjectConnection, subjectFacts, timeFacts } from "./facts.ts";
import { Ledger, type Room } from "./ledger.ts";
import { STYLES } from "./outcomes.ts";
import { type Revealed, type Reveals, revealsFor } from "./reveals.ts";
import type { Covering, RuleIndex } from "./rule.ts";
import { type Answer, joinTerms, judgeOperation, matchRule, type Ruling } from "./ruling.ts";

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
  /** What limits have counted. Absent: nothing yet. */
  readonly room?: Room;
  /** Which of our own masks these texts, or data that is written, carry ("hash"); undefined: none. Absent: nobody looks. */
  readonly maskIn?: (asked: Asked, bytes: Uint8Array) => string | undefined;
  /** How often a ruling was known; counted up here. Absent: nobody looks. */
  readonly rulings?: RulingCounts;
  /** A rule in shadow would have masked a column more strictly. */
  readonly shadowMask?: (rule: RuleName, style: MaskStyle) => void;
}

/** Since the start, over all sessions. */
export interface RulingCounts {
  hits: number;
  misses: number;
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
  /** The same for what was let in before and goes on: limits have counted it already, and nothing is minted. */
  again(asked: readonly Asked[]): Exclude<Decision, { kind: "allow" }> | undefined;
  /**
   * What can be said of all that asks the same as `asked`, until the policy changes. Undefined: nothing, for it is held or
   * refused, its answer is counted, what is revealed reads the time, or a rule in shadow would say something else.
   */
  standing(asked: Asked): Standing | undefined;
  /** How to mask a column's value ("" for the column itself) or what a detector found in it. Undefined: shown. */
  reveal(column: Pick<ColumnFacts, "schema" | "table" | "name" | "labels">, detector: string): MaskStyle | undefined;
  /** The version of the policy. */
  readonly policy: string;
}

export type Standing = {
  readonly rules: readonly RuleName[];
  readonly policy: string;
} & (
  | { readonly kind: "permitted"; readonly permit: StandingPermit }
  /** It is allowed now, and may not be the next time: its statements are counted, or a rule reads the time. */
  | { readonly kind: "asked" }
);

export function createJudge(index: RuleIndex, policy: string, subject: Subject): Judge {
  return new PolicyJudge(index, policy, subject);
}

interface Counted {
  readonly rules: readonly RuleName[];
  readonly limits: readonly Limited[];
}

type Held = Extract<Answer, { kind: "hold" }>;

class PolicyJudge implements Judge {
  readonly policy: string;
  readonly #index: RuleIndex;
  readonly #subject: Subject;
  readonly #facts: Facts;
  readonly #room: Room;
  /** By action, without the rules that can never match in this session. */
  readonly #covering = new Map<string, Covering>();
  /** By identity: operations are frozen and shared where their facts are equal. */
  readonly #decided = new WeakMap<Operation, Ruling>();
  readonly #reveals: Reveals;
  readonly #revealReadsTime: boolean;
  readonly #limitsAlone = new WeakMap<Ruling, readonly AskedLimit[]>();
  /** Limits of rows and bytes that something of this session came under, by their rules. */
  readonly #carried = new Map<RuleName, AskedLimit>();

  constructor(index: RuleIndex, policy: string, subject: Subject) {
    const { sessionId, agent, origin, connection, clock, room } = subject;
    this.policy = policy;
    this.#index = index;
    this.#subject = subject;
    this.#facts = subjectFacts(sessionId, agent, origin, connection);
    this.#room = room ?? new Ledger(clock).session(agent.name, connection.name);
    this.#reveals = revealsFor(index);
    this.#revealReadsTime = this.#coveringOf(REVEAL)?.readsTime ?? false;
  }

  decide(id: number, asked: readonly Asked[], bytes: Uint8Array): Decision {
    return this.#decide(id, asked, bytes, undefined);
  }

  lift(id: number, asked: readonly Asked[], bytes: Uint8Array, approval: Approval): Decision {
    return this.#decide(id, asked, bytes, approval);
  }

  again(asked: readonly Asked[]): Exclude<Decision, { kind: "allow" }> | undefined {
    const judged = asked.map((one) => ({ asked: one, ruling: this.#rule(one.operation) }));
    const decision = this.#decideAll(0, judged, NO_BYTES, undefined, UNLIMITED);
    return decision.kind === "allow" ? undefined : decision;
  }

  standing(asked: Asked): Standing | undefined {
    const { operation, continues, isData, prepared } = asked;
    if (continues === true || isData === true || prepared === true || this.#revealReadsTime) return undefined;
    const ruling = this.#rule(operation);
    const { answer, limits, shadows } = ruling;
    if (answer.kind !== "allow" || !Object.isFrozen(operation) || shadows.length > 0) return undefined;
    if (limits.some(countsAnswers)) return undefined;
    const said = { rules: answer.rules, policy: this.policy };
    const isKept = this.#decided.get(operation) === ruling;
    if (!isKept || limits.length > 0) return { ...said, kind: "asked" };
    return { ...said, kind: "permitted", permit: mintStandingPermit(this.#subject.sessionId, operation) };
  }

  #decide(id: number, asked: readonly Asked[], bytes: Uint8Array, approval: Approval | undefined): Decision {
    const policy = this.policy;
    const [only] = asked;
    if (only === undefined) return { kind: "deny", rules: ["built-in:nothing"], message: "Nothing was asked", policy };
    if (asked.length === 1) {
      const ruling = this.#rule(only.operation);
      const { limits, shadows, writes } = ruling;
      const answer = answerTo(only, ruling);
      if (!writes && only.isData !== true && only.continues !== true && limits.length === 0 && shadows.length === 0) {
        if (answer.kind === "allow") return this.#allow(id, answer.rules, bytes, undefined, undefined);
        if (answer.kind === "hold") return this.#hold(id, [answer], bytes, approval, undefined);
        return this.#refuse(id, [answer], bytes);
      }
      const counted = approval === undefined ? this.#countedOnly(only, ruling) : undefined;
      if (counted !== undefined) return this.#allow(id, counted.rules, bytes, undefined, counted.limits);
    }
    return this.#decideAll(
      id,
      asked.map((one) => ({ asked: one, ruling: this.#rule(one.operation) })),
      bytes,
      approval,
      this.#room,
    );
  }

  /** Of what differs from the simplest in that its statements are counted, and that has room. */
  #countedOnly({ isData, continues, prepared }: Asked, ruling: Ruling): Counted | undefined {
    const { answer, limits, shadows, writes } = ruling;
    const isPlain = isData !== true && continues !== true && prepared !== true && !writes;
    if (!isPlain || answer.kind !== "allow" || shadows.length > 0) return undefined;
    let own = this.#limitsAlone.get(ruling);
    if (own === undefined) {
      own = limitsOf([ruling]);
      this.#limitsAlone.set(ruling, own);
    }
    const isRoomy = limits.every(({ terms }) => this.#room.refusal(terms, 1) === undefined);
    return isRoomy && !own.some(countsAnswers) ? { rules: answer.rules, limits: own } : undefined;
  }

  #decideAll(
    id: number,
    judged: readonly { readonly asked: Asked; readonly ruling: Ruling }[],
    bytes: Uint8Array,
    approval: Approval | undefined,
    room: Room,
  ): Decision {
    const rules = new Set<RuleName>();
    const refused: Refused[] = [];
    const held: Held[] = [];
    for (const { asked, ruling } of judged) {
      const { writes } = ruling;
      const answer = answerTo(asked, ruling);
      if (answer.kind === "hold") held.push(answer);
      else if (answer.kind !== "allow") refused.push(answer);
      else for (const rule of answer.rules) rules.add(rule);
      const mask = writes || asked.isData === true ? this.#subject.maskIn?.(asked, bytes) : undefined;
      if (mask !== undefined) refused.push(writtenBack(mask));
    }
    // What is made ready only is counted when it runs.
    const counted = judged.filter(({ asked }) => asked.prepared !== true);
    const own = limitsOf(counted.map(({ ruling }) => ruling));
    const limits = counted.some(({ asked }) => asked.continues === true) ? this.#withCarried(own) : own;
    const full = fullOf(limits, room);
    refused.push(...full.refusals);
    const shadow = [...full.shadows, ...shadowsOf(judged.map(({ ruling }) => ruling))];
    const kind = refused.length > 0 ? "deny" : held.length > 0 ? "hold" : "allow";
    if (kind !== "deny" || this.#isObserved()) this.#carry(own);
    const decision =
      kind === "deny"
        ? this.#refuse(id, refused, bytes, limits)
        : kind === "hold"
          ? this.#hold(id, held, bytes, approval, limits)
          : this.#allow(id, [...rules], bytes, undefined, limits);
    const changing = shadow.filter(({ would }) => would !== kind);
    return changing.length === 0 ? decision : { ...decision, shadow: changing };
  }

  /** What goes on may be any of what this session was let do. */
  #carry(limits: readonly AskedLimit[]): void {
    for (const limit of limits) {
      if (countsAnswers(limit)) this.#carried.set(limit.terms.rule, { ...limit, operations: 0 });
    }
  }

  #withCarried(own: readonly AskedLimit[]): readonly AskedLimit[] {
    const rules = new Set(own.map(({ terms }) => terms.rule));
    return [...own, ...[...this.#carried.values()].filter(({ terms }) => !rules.has(terms.rule))];
  }

  #refuse(id: number, refused: readonly Refused[], bytes: Uint8Array, limits?: readonly Limited[]): Decision {
    const policy = this.policy;
    const refusal = refusalOf(refused);
    if (!this.#isObserved() || refused.some(({ kind }) => kind === "forbid")) {
      return { kind: "deny", ...refusal, policy };
    }
    return this.#observed(id, bytes, refusal, limits);
  }

  #hold(
    id: number,
    held: readonly Held[],
    bytes: Uint8Array,
    approval: Approval | undefined,
    limits: readonly Limited[] | undefined,
  ): Decision {
    const refusal = refusalOf(held);
    if (approval !== undefined) return this.#allow(id, refusal.rules, bytes, approval, limits);
    if (this.#isObserved()) return this.#observed(id, bytes, refusal, limits);
    return { kind: "hold", ...refusal, terms: joinTerms(held.map(({ terms }) => terms)), policy: this.policy };
  }

  #observed(id: number, bytes: Uint8Array, observed: Refusal, limits: readonly Limited[] | undefined): Decision {
    return { ...this.#allow(id, [], bytes, undefined, limits), observed };
  }

  #isObserved(): boolean {
    return this.#subject.isObserved?.() === true;
  }

  #permit(id: number, bytes: Uint8Array): Permit {
    return mintPermit(this.#subject.sessionId, id, bytes);
  }

  #allow(
    id: number,
    rules: readonly RuleName[],
    bytes: Uint8Array,
    approval: Approval | undefined,
    limits: readonly Limited[] | undefined,
  ): Extract<Decision, { kind: "allow" }> {
    const allowed = { kind: "allow", permit: this.#permit(id, bytes), rules, policy: this.policy } as const;
    const counted = limits === undefined || limits.length === 0 ? allowed : { ...allowed, limits };
    return approval === undefined ? counted : { ...counted, approval };
  }

  reveal(column: Pick<ColumnFacts, "schema" | "table" | "name" | "labels">, detector: string): MaskStyle | undefined {
    const { style, shadows } = this.#reveal(column, detector);
    for (const shadow of shadows) this.#subject.shadowMask?.(shadow.rule, shadow.style);
    return style;
  }

  #reveal(column: Pick<ColumnFacts, "schema" | "table" | "name" | "labels">, detector: string): Revealed {
    const find = () => {
      const { schema, table, name, labels } = column;
      return this.#styleOf({ column: { schema, table, name, labels }, detector });
    };
    return this.#revealReadsTime ? find() : this.#reveals.of(column, detector, find);
  }

  #styleOf(facts: Facts): Revealed {
    const entry = this.#coveringOf(REVEAL);
    const nothing: Revealed = { style: "null", shadows: [] };
    if (entry === undefined || misfit(facts, entry.declaration.facts) !== undefined) return nothing;
    const time = this.#time(this.#revealReadsTime);
    let least: MaskStyle | undefined;
    const shadows: { rule: RuleName; style: MaskStyle }[] = [];
    for (const rule of entry.rules) {
      const matched = matchRule(rule, this.#facts, facts, time);
      if (matched === false) continue;
      const style = matched === true && rule.outcome.kind === "mask" ? rule.outcome.style : "null";
      if (rule.isShadow) shadows.push({ rule: rule.name, style });
      else least = stricter(least, style);
    }
    return { style: least, shadows: shadows.filter(({ style }) => stricter(least, style) !== least) };
  }

  #rule(operation: Operation): Ruling {
    const kept = this.#decided.get(operation);
    const { rulings } = this.#subject;
    if (kept !== undefined) {
      if (rulings !== undefined) rulings.hits++;
      return kept;
    }
    if (rulings !== undefined) rulings.misses++;
    const timed = operation.actions.some(({ name }) => this.#coveringOf(name)?.readsTime === true);
    const ruling = judgeOperation(operation, (name) => this.#coveringOf(name), this.#facts, this.#time(timed));
    // One that can still change is judged anew each time.
    if (!timed && Object.isFrozen(operation)) this.#decided.set(operation, ruling);
    return ruling;
  }

  #coveringOf(action: string): Covering | undefined {
    const kept = this.#covering.get(action);
    if (kept !== undefined) return kept;
    const all = this.#index.get(action);
    if (all === undefined) return undefined;
    const rules = all.rules.filter(({ condition }) => condition?.excludes(this.#facts) !== true);
    const readsTime = rules.some(({ condition }) => condition?.readsTime === true);
    const covering = { declaration: all.declaration, rules, readsTime };
    this.#covering.set(action, covering);
    return covering;
  }

  #time(read: boolean): Facts {
    return read ? timeFacts(this.#subject.clock.nowMs()) : NO_TIME;
  }
}

const NO_BYTES = new Uint8Array();
const UNLIMITED: Room = { refusal: () => undefined };

/** For rules that do not read it. */
const NO_TIME: Facts = {};

/** What is made ready only may be held later, when it is asked for to be run. */
function answerTo({ prepared }: Asked, { answer }: Ruling): Answer {
  return prepared === true && answer.kind === "hold" ? { kind: "allow", rules: answer.rules } : answer;
}

function writtenBack(mask: string): Refused {
  const message = `A value to be written carries a mask of Sallyport (${mask}): it would replace what the mask hides`;
  return { kind: "forbid", rules: ["built-in:masked-value"], message };
}

/** The less revealing of two styles. */
function stricter(left: MaskStyle | undefined, right: MaskStyle): MaskStyle {
  return left === undefined || STYLES.indexOf(right) < STYLES.indexOf(left) ? right : left;
}
