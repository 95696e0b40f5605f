/**
 * One session's short way: while nothing is under way, groups of forms that the session knows go past it, each under a
 * standing permit of the judge of that moment and recorded like any other. Whatever else comes brings the flow back.
 */
import { isDeepStrictEqual } from "node:util";
import { RELAY_NEEDED_MAX, RELAY_SHORT } from "../base/limits.ts";
import type { Flow, Lender, RelayPermit, Relays, RelayTotals } from "../kernel/relays.ts";
import { AT_SIGN, AWS_HEAD, GITHUB_HEAD, gate, JWT_HEAD, PEM_HEAD } from "../masking/gate.ts";
import { isWordlessAround } from "../masking/lone.ts";
import { mayHoldMark } from "../masking/marks.ts";
import type { Masker } from "../masking/mask.ts";
import type { SessionMeter } from "../metrics/meter.ts";
import type { Decision, RuleName } from "../model/decision.ts";
import type { Form, Relayed } from "../model/form.ts";
import { demandStandingPermit, redeemPermit } from "../model/permit.ts";
import type { QuotedIn } from "../model/protocol.ts";
import type { LookAnswer, SessionCommand } from "../model/session.ts";
import type { Judge } from "../policy/decide.ts";
import type { Recording } from "../recorder/recorder.ts";
import type { Wire } from "./wire.ts";

export interface RelayParts {
  readonly relays: Relays;
  readonly sessionId: string;
  readonly recording: Recording;
  readonly judge: () => Judge;
  readonly masker: Masker;
  readonly meter: SessionMeter;
  readonly quotedIn?: QuotedIn;
  /** Whether something else wants to hear of every operation, or nothing new may be done. */
  readonly mayRelay: () => boolean;
  /** How long such facts may still be believed. */
  readonly believedMs: (facts: LookAnswer) => number;
  /** It is allowed, and goes to the backend. */
  readonly decided: (askId: number, decision: Decision) => void;
}

type Rest = Extract<SessionCommand, { kind: "rest" }>;

/** What came back with the flow. */
export interface TakenBack {
  readonly relayed: Relayed;
  readonly fromClient: Uint8Array;
  readonly fromServer: Uint8Array;
  readonly toClient: Uint8Array;
  readonly toServer: Uint8Array;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

interface Standing {
  readonly form: Form;
  readonly permit: RelayPermit;
  readonly policy: string;
  readonly rules: readonly RuleName[];
  readonly isStatement: boolean;
}

const NOTHING_METERED = { asked: [], rows: 0, took: [] };

export class SessionRelay {
  readonly #parts: RelayParts;
  /** Of each form; undefined: the judge stands by nothing for it. */
  readonly #standing = new WeakMap<Form, Standing | undefined>();
  #flow: { readonly flow: Flow; readonly standing: readonly Standing[] } | undefined;
  /** Rests since the flow came back, and how many there have to be: coming and going costs more than it saves. */
  #rests = 0;
  #needed = 1;
  /** How many forms there were when it was lent last. */
  #forms = 0;
  /** Of the flow, when it was last looked at. */
  #asks = 0;
  #metered: Pick<RelayTotals, "asked" | "rows" | "took"> = NOTHING_METERED;
  #giveBack: () => void = () => {};

  constructor(parts: RelayParts) {
    this.#parts = parts;
  }

  get isLent(): boolean {
    return this.#flow !== undefined;
  }

  get bytesIn(): number {
    return this.#flow?.flow.totals.bytesIn ?? 0;
  }

  get bytesOut(): number {
    return this.#flow?.flow.totals.bytesOut ?? 0;
  }

  /** `giveBack`: called when the flow has to be taken. False: the session goes its own way. Throws errno errors. */
  lend(client: Wire, server: Wire, { forms, lastId, facts }: Rest, giveBack: () => void): boolean {
    const { mode } = this.#parts.relays;
    this.#forms = Math.min(this.#forms, forms.length);
    const isNews = forms.length > this.#forms; // what it came back for is known now
    const isTime = ++this.#rests >= this.#needed || isNews || mode === "always";
    if (!isTime || mode === "off" || !this.#parts.mayRelay()) return false;
    const standing = forms.flatMap((form) => this.#standingOf(form) ?? []);
    if (standing.length === 0) return false;
    const believedMs = facts === undefined ? Number.POSITIVE_INFINITY : this.#parts.believedMs(facts);
    if (believedMs <= 0) return false;
    const from = client.lend();
    const to = from === undefined ? undefined : server.lend();
    if (from === undefined || to === undefined) return false;
    const { recording, relays } = this.#parts;
    const tail = recording.lend({
      tail: () => this.#lent.flow.tail,
      counts: () => this.#counts,
      settle: () => this.#settle(),
    });
    if (tail === undefined) return false;
    const forMs = Math.floor(Math.min(tail.forMs, believedMs));
    const permits = standing.map(({ permit }) => permit);
    const loan = { client: from, server: to, tail, lastAskId: lastId, forMs, permits };
    const lender: Lender = {
      giveBack,
      vouch: (at, text) => this.#vouch(standing[at]?.form, text),
      decide: (at, askId, group) => this.#decide(standing[at], askId, group),
    };
    let flow: Flow;
    try {
      flow = relays.lend(loan, lender);
    } catch (error) {
      recording.take({ tail: { ...tail, isBroken: false }, statements: 0, rows: 0, answers: [] });
      throw error;
    }
    this.#flow = { flow, standing };
    this.#forms = forms.length;
    if (isNews) this.#needed = 1;
    this.#giveBack = giveBack;
    this.#asks = 0;
    this.#metered = NOTHING_METERED;
    return true;
  }

  take(): TakenBack {
    const { flow, standing } = this.#lent;
    const counts = this.#counts;
    const { tail, totals, inFlight, answers, passing, status, wasIdle, left, ...bytes } = flow.take();
    this.#flow = undefined;
    this.#rests = 0;
    this.#needed = totals.asks < RELAY_SHORT ? Math.min(RELAY_NEEDED_MAX, this.#needed * 2) : 1;
    const { recording } = this.#parts;
    recording.take({ tail, ...counts, answers: answers.map((answer) => ({ ...answer, masks: [] })) });
    const rows = answers.reduce((sum, answer) => sum + answer.rows, totals.rows);
    this.#meter(standing, { ...totals, rows });
    return {
      relayed: {
        asks: totals.asks,
        passing,
        status,
        wasIdle,
        left: left === undefined ? undefined : formAt(standing, left),
        inFlight: inFlight.map(({ permit, isComplete, outcome, ...one }) => ({
          ...one,
          form: formAt(standing, permit),
          outcome: isComplete ? outcome : undefined,
        })),
      },
      ...bytes,
      bytesIn: totals.bytesIn,
      bytesOut: totals.bytesOut,
    };
  }

  get #lent() {
    if (this.#flow === undefined) throw new Error("Cannot take back what was not lent");
    return this.#flow;
  }

  get #counts() {
    const { flow, standing } = this.#lent;
    const { asked, rows } = flow.totals;
    const statements = asked.reduce((sum, count, at) => sum + (standing[at]?.isStatement === true ? count : 0), 0);
    return { statements, rows };
  }

  /** Now and then: what waits is written, metrics follow, and what lies idle comes back. */
  #settle(): void {
    const { flow, standing } = this.#lent;
    flow.settle();
    const { totals } = flow;
    this.#meter(standing, totals);
    if (totals.asks === this.#asks) this.#giveBack();
    else this.#asks = totals.asks;
  }

  /** What is new in `totals`. */
  #meter(standing: readonly Standing[], totals: RelayTotals): void {
    const { asked, rows, took } = this.#metered;
    this.#metered = totals;
    const news = standing.map(({ rules }, at) => ({ rules, count: (totals.asked[at] ?? 0) - (asked[at] ?? 0) }));
    this.#parts.meter.relayed({
      asked: news.filter(({ count }) => count > 0),
      rows: totals.rows - rows,
      took: totals.took.map((count, power) => count - (took[power] ?? 0)),
    });
  }

  #standingOf(form: Form): Standing | undefined {
    const judge = this.#parts.judge();
    const known = this.#standing.get(form);
    if (known?.policy === judge.policy) return known;
    const made = this.#make(form, judge);
    this.#standing.set(form, made);
    return made;
  }

  #make(form: Form, judge: Judge): Standing | undefined {
    const { asked, isTextOpen, request, answer, hasRows, leaves } = form;
    const { sessionId, recording, relays } = this.#parts;
    const standing = judge.standing(asked);
    if (standing === undefined || (isTextOpen && isSuspicious(asked.text))) return undefined;
    if (standing.kind === "permitted") demandStandingPermit(standing.permit, sessionId, asked.operation);
    const { rules, policy } = standing;
    const { text, action, decision, isStatement } = recording.standing(asked, rules, policy);
    const isWordless = isTextOpen && isWordlessAround(textsOf(form));
    const shown = isTextOpen ? "" : text;
    const how = { hasRows, leaves, isWordless, isAsked: standing.kind === "asked" };
    const permit = relays.permit({ request, answer, text: shown, action, decision, ...how });
    return { form, permit, policy, rules, isStatement };
  }

  /** Only an answer that is recorded as the form's always are is given here; for any other the session asks again. */
  #decide(standing: Standing | undefined, askId: number, group: Uint8Array): boolean {
    const { judge, sessionId, mayRelay, decided, meter } = this.#parts;
    if (standing === undefined || !mayRelay()) return false;
    const { rules, policy, form } = standing;
    const beganMs = performance.now();
    const decision = judge().decide(askId, [form.asked], group);
    const tookMs = performance.now() - beganMs;
    if (decision.kind !== "allow" || decision.policy !== policy) return false;
    if (decision.rules !== rules && !isDeepStrictEqual(decision.rules, rules)) return false;
    if (decision.observed !== undefined || decision.shadow !== undefined || decision.approval !== undefined)
      return false;
    redeemPermit(decision.permit, sessionId, askId);
    meter.took("judge", tookMs);
    decided(askId, decision);
    return true;
  }

  /** Of what only a closer look can tell: that detectors find nothing in it, and that it carries no mask of ours. */
  #vouch(form: Form | undefined, text: string): boolean {
    if (form === undefined) return false;
    const { masker, quotedIn } = this.#parts;
    if (form.isTextOpen) return masker.scrub(text, quotedIn) === text;
    return masker.scrub(text) === text && masker.markIn(text) === undefined;
  }
}

/** What stands around the open places of a Query. */
function textsOf({ request }: Form): readonly string[] {
  const parts = request[0]?.parts ?? [];
  return parts.flatMap((part) =>
    typeof part === "string" ? [] : [Buffer.from(part).toString("latin1").replace("\0", "")],
  );
}

/** Digits are what differs from text to text: the relay looks at them each time, and at nothing else. */
const BESIDE_DIGITS = AT_SIGN | JWT_HEAD | PEM_HEAD | AWS_HEAD | GITHUB_HEAD;

function isSuspicious(text: string): boolean {
  return gate(Buffer.from(text), BESIDE_DIGITS, "none") !== 0 || mayHoldMark(text) || text.includes("\\");
}

function formAt(standing: readonly Standing[], at: number): Form {
  const found = standing[at];
  if (found === undefined) throw new Error("Cannot go on after a relay: it names a permit that it does not have");
  return found.form;
}
