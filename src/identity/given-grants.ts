/** Grants that people gave at run time, by an agent's name: kept over restarts, ended on time. Ends no session. */
import { randomBytes } from "node:crypto";
import { UserError } from "../base/errors.ts";
import { GRANT_GIVEN_MS_MAX, GRANTS_ENDED_KEPT_MAX, GRANTS_GIVEN_MAX } from "../base/limits.ts";
import type { GrantedConnections } from "../model/grant.ts";
import type { GivenGrant, GrantEnd, GrantStore } from "../store/grants.ts";
import { type Deadline, deadlineAt, isPast, type Now } from "./deadline.ts";
import { type Holding, OVER } from "./holding.ts";

/** What a person asks for. */
export interface Gift {
  readonly agent: string;
  readonly connections: GrantedConnections;
  readonly forMs: number;
  /** Undefined: somebody over the network. */
  readonly uid: number | undefined;
  /** "" without one. */
  readonly reason: string;
}

interface Given {
  readonly grant: GivenGrant;
  readonly deadline: Deadline;
}

export class GivenGrants {
  readonly #store: GrantStore;
  /** Which boot of the host this is. */
  readonly #bootId: string;
  /** Oldest first. */
  readonly #given = new Map<string, Given>();
  /** Those whose end is not written yet: after a restart they would stand again. */
  readonly #unwritten = new Set<string>();

  constructor(store: GrantStore, bootId: string) {
    this.#store = store;
    this.#bootId = bootId;
  }

  /** In another boot only the wall clock is left: then one lasts no longer than its whole time once more. */
  async restore(now: Now): Promise<void> {
    for (const grant of await this.#store.all()) {
      const { givenMs, endsMs, boot } = grant;
      const atMost = deadlineAt(Math.min(endsMs, now.nowMs + endsMs - givenMs), now);
      const endsNs = boot.id === this.#bootId ? boot.endsNs : atMost.endsNs;
      this.#given.set(grant.id, { grant, deadline: { endsMs, endsNs } });
    }
  }

  /** Also those that have ended, as long as they are remembered. Oldest first. */
  all(now: Now): readonly Holding[] {
    return [...this.#given.values()].map((given) => holdingOf(given, now));
  }

  heldBy(agent: string, now: Now): readonly Holding[] {
    return [...this.#given.values()].filter(({ grant }) => grant.agent === agent).map((given) => holdingOf(given, now));
  }

  /** Kept before it counts. Throws GRANT_TIME, GRANTS_FULL and what the store throws. */
  async give(gift: Gift, now: Now): Promise<Holding> {
    this.#refuse(gift);
    const { forMs, ...what } = gift;
    const deadline = deadlineAt(now.nowMs + forMs, now);
    const boot = { id: this.#bootId, endsNs: deadline.endsNs };
    const grant = { id: this.#newId(), ...what, givenMs: now.nowMs, endsMs: deadline.endsMs, boot };
    await this.#store.put(grant);
    this.#given.set(grant.id, { grant, deadline });
    return holdingOf({ grant, deadline }, now);
  }

  /**
   * Ends those that stand and are chosen; `keep` writes that down, since what they let in has to end first. What it could not
   * write is written by the next one that can.
   */
  end(
    isChosen: (holding: Holding) => boolean,
    how: Omit<GrantEnd, "atMs">,
    now: Now,
  ): { readonly ended: readonly Holding[]; keep(): Promise<void> } {
    const chosen = [...this.#given.values()].filter(
      (given) => given.grant.ended === undefined && isChosen(holdingOf(given, now)),
    );
    const ended = chosen.map(({ grant, deadline }): Given => {
      return { grant: { ...grant, ended: { atMs: now.nowMs, ...how } }, deadline };
    });
    for (const given of ended) {
      this.#given.set(given.grant.id, given);
      this.#unwritten.add(given.grant.id);
    }
    const keep = async () => {
      await this.#writeEnds();
      await this.#forgetOldest();
    };
    return { ended: ended.map((given) => holdingOf(given, now)), keep };
  }

  async #writeEnds(): Promise<void> {
    for (const id of this.#unwritten) {
      const given = this.#given.get(id);
      if (given !== undefined) await this.#store.put(given.grant);
      this.#unwritten.delete(id);
    }
  }

  async #forgetOldest(): Promise<void> {
    const ended = [...this.#given.values()].filter(({ grant }) => grant.ended !== undefined);
    for (const { grant } of ended.slice(0, Math.max(0, ended.length - GRANTS_ENDED_KEPT_MAX))) {
      this.#given.delete(grant.id);
      await this.#store.forget(grant.id);
    }
  }

  #refuse({ agent, forMs }: Gift): void {
    if (!(forMs >= 1_000 && forMs <= GRANT_GIVEN_MS_MAX)) {
      const remedy = "Name a time from 1s to 30d; what lasts longer belongs into the settings";
      throw new UserError("GRANT_TIME", `Cannot give ${agent} a grant for that time`, remedy);
    }
    const standing = [...this.#given.values()].filter(({ grant }) => grant.ended === undefined);
    if (standing.length < GRANTS_GIVEN_MAX) return;
    const message = `Cannot give ${agent} a grant: ${GRANTS_GIVEN_MAX} stand already`;
    throw new UserError(
      "GRANTS_FULL",
      message,
      "End some with `sallyport grants end`, or write them into the settings",
    );
  }

  /** Short enough to read out; nothing depends on nobody's knowing it. */
  #newId(): string {
    for (;;) {
      const id = randomBytes(5).toString("hex");
      if (!this.#given.has(id)) return id;
    }
  }
}

function holdingOf({ grant, deadline }: Given, now: Now): Holding {
  const { id, agent, connections, givenMs, endsMs, ended } = grant;
  const over = ended?.why ?? (isPast(deadline, now) ? OVER.expired : undefined);
  return { grant: id, agent, connections, sinceMs: givenMs, endsMs, over, given: grant };
}
