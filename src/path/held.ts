/** What a session holds: opened here, and lifted by the judge of the moment in which it is approved. */
import type { Hold, HoldRequest, Holds } from "../holds/hold.ts";
import type { HeldEnd, Verdict } from "../model/decision.ts";
import type { AnswerEntry } from "../model/session.ts";
import type { Judge } from "../policy/decide.ts";
import type { HeldAsk } from "./driver.ts";

const CHANGED = "the policy has changed while it waited; send it again";

/** The holds of one session: a session asks for one thing at a time, and what was let go runs until it is answered. */
export class HeldAsks {
  readonly #holds: Holds;
  readonly #judge: () => Judge;
  readonly #accepting: () => true | string;
  /** Approved and forwarded, not answered yet, by their asks. */
  readonly #running = new Map<number, Hold>();
  /** Of what waits now. */
  #waiting: HoldRequest | undefined;
  /** So far. */
  count = 0;

  /** `accepting`: whether the audit trail has room; else nothing is let go. */
  constructor(holds: Holds, judge: () => Judge, accepting: () => true | string) {
    this.#holds = holds;
    this.#judge = judge;
    this.#accepting = accepting;
  }

  /** Approved, the judge of that moment lifts it, if the policy is still the one that held it. */
  open(request: HoldRequest): HeldAsk {
    const { askId, asked, bytes, decision } = request;
    const hold = this.#holds.open(request);
    this.count++;
    this.#waiting = request;
    const refused = (end: HeldEnd, message: string): Verdict => {
      return { kind: "deny", rules: decision.rules, message, policy: decision.policy, held: end };
    };
    const withdraw = (reason: string): Verdict => {
      hold.withdraw(reason);
      this.#running.delete(askId);
      return refused({ hold: hold.id, state: "abandoned", by: [] }, reason);
    };
    const verdict = hold.answer.then((answer): Verdict => {
      this.#waiting = undefined;
      if (answer.kind === "refused") return refused(answer.end, answer.message);
      const judge = this.#judge();
      if (judge.policy !== decision.policy) return withdraw(CHANGED);
      const room = this.#accepting();
      if (room !== true) return withdraw(`nothing may be done that cannot be told: ${room}`);
      const lifted = judge.lift(askId, asked, bytes, answer.approval);
      if (lifted.kind !== "allow") return withdraw("it is not allowed any more; send it again");
      this.#running.set(askId, hold);
      return lifted;
    });
    const { id, notice } = hold;
    return { id, notice, verdict, abandon: (reason) => hold.abandon(reason), withdraw };
  }

  /** Why what waits should be given up, if the policy in force would not hold it as it was held. */
  get outdated(): string | undefined {
    if (this.#waiting === undefined) return undefined;
    const { asked, decision } = this.#waiting;
    const judge = this.#judge();
    if (judge.policy !== decision.policy) return CHANGED;
    return judge.again(asked)?.kind === "deny" ? "it is not allowed any more" : undefined;
  }

  answered({ askId, outcome, error }: AnswerEntry): void {
    this.#running.get(askId)?.finished(error === undefined ? outcome : `failed: ${error.code}`);
    this.#running.delete(askId);
  }

  /** A login is not answered as statements are. */
  loggedIn(result: string): void {
    for (const hold of this.#running.values()) hold.finished(result);
    this.#running.clear();
  }

  /** The session has ended: whatever runs, nobody hears of it. */
  end(): void {
    for (const hold of this.#running.values()) hold.finished(undefined);
  }
}
