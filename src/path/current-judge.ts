/** One session's judge, by the policy of the moment, and how it lets a column be shown. */
import type { Clock } from "../base/clock.ts";
import { strictest } from "../masking/replace.ts";
import type { Connection } from "../model/connection.ts";
import type { Agent } from "../model/identity.ts";
import type { ColumnFacts, MaskStyle } from "../model/mask.ts";
import type { Origin } from "../model/origin.ts";
import type { Judge, Subject } from "../policy/decide.ts";
import type { Policy } from "../policy/load.ts";

export interface JudgeParts {
  readonly clock: Clock;
  readonly agentOf: (slot: number, cgroupId: bigint) => Agent | undefined;
  readonly isObserved: (agent: string) => boolean;
  readonly policy: () => Policy;
}

/** The judge of the policy in force: a reload gives running sessions a new one. */
export class CurrentJudge {
  readonly #make: () => Judge;
  readonly #policy: () => Policy;
  #for: Policy;
  #judge: Judge;

  constructor(
    parts: JudgeParts,
    sessionId: string,
    agent: Agent,
    origin: Origin,
    connection: Connection,
    more: Pick<Subject, "room" | "maskIn" | "shadowMask" | "rulings">,
  ) {
    this.#policy = parts.policy;
    this.#make = () => {
      const now = parts.agentOf(agent.slot, origin.tagCgroupId) ?? agent; // its groups may have changed with the settings
      const isObserved = () => parts.isObserved(agent.name);
      return this.#for.judge({ sessionId, agent: now, origin, connection, clock: parts.clock, isObserved, ...more });
    };
    this.#for = parts.policy();
    this.#judge = this.#make();
  }

  get current(): Judge {
    const policy = this.#policy();
    if (policy !== this.#for) {
      this.#for = policy;
      this.#judge = this.#make();
    }
    return this.#judge;
  }
}

/** The strictest that policy asks for any column that the value depends on. */
export function styleOf(column: ColumnFacts, detector: string, judge: Judge): MaskStyle | undefined {
  const { sources } = column;
  const style =
    sources === undefined
      ? judge.reveal(column, detector)
      : sources.map((source) => judge.reveal(source, detector)).reduce(strictest, undefined);
  // A part of a made value, or equal hashes of parts, could tell a part of the column that the column's own mask hides.
  return column.isMade === true && detector === "" && style !== undefined ? strictest(style, "redact") : style;
}
