/** Broken glass: who became admin for a while, and why; kept until somebody else has looked at it. Gives no roles itself. */
import { randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { UserError } from "../../base/errors.ts";
import {
  BREAK_GLASS_EACH_MAX,
  BREAK_GLASS_KEPT_MAX,
  BREAK_GLASS_MS,
  BREAK_GLASS_WAITING_MAX,
} from "../../base/limits.ts";
import { type Human, type HumansOf, haveCommon } from "../../model/human.ts";
import type { HumanRecordStore } from "../../store/human-records.ts";

export interface BrokenGlass {
  readonly id: string;
  readonly account: string;
  readonly name: string;
  readonly reason: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly review?: { readonly by: string; readonly atMs: number; readonly comment: string };
}

/** Who reviews: all accounts by which they are known or act. */
export interface Reviewer {
  readonly name: string;
  readonly accounts: readonly string[];
}

export class Glass {
  readonly #store: HumanRecordStore;
  readonly #clock: Clock;
  readonly #humansOf: HumansOf;
  readonly #all = new Map<string, BrokenGlass>();

  constructor(parts: { readonly store: HumanRecordStore; readonly clock: Clock; readonly humansOf: HumansOf }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#humansOf = parts.humansOf;
  }

  async restore(): Promise<void> {
    for (const [id, broken] of await this.#store.all<BrokenGlass>("break-glass")) this.#all.set(id, broken);
  }

  /** Throws BREAK_GLASS_FULL. */
  async break({ account, name }: Human, reason: string): Promise<BrokenGlass> {
    const waiting = this.list().filter(({ review }) => review === undefined);
    const own = waiting.filter((one) => one.account === account).length;
    if (own >= BREAK_GLASS_EACH_MAX || waiting.length >= BREAK_GLASS_WAITING_MAX) {
      const message = `Cannot break the glass: ${own} of your times wait for a review, and ${waiting.length} of all`;
      throw new UserError("BREAK_GLASS_FULL", message, "Review those first: sallyport break-glass list");
    }
    const sinceMs = this.#clock.nowMs();
    const id = randomBytes(6).toString("hex");
    const broken: BrokenGlass = { id, account, name, reason, sinceMs, untilMs: sinceMs + BREAK_GLASS_MS };
    await this.#put(broken);
    return broken;
  }

  /** Newest first. */
  list(): readonly BrokenGlass[] {
    return [...this.#all.values()].toSorted((a, b) => b.sinceMs - a.sinceMs);
  }

  /** Throws BREAK_GLASS_UNKNOWN, BREAK_GLASS_REVIEWED, BREAK_GLASS_OWN. */
  async review(id: string, comment: string, { name, accounts }: Reviewer): Promise<BrokenGlass> {
    const broken = this.#all.get(id);
    const seeAll = "See them: sallyport break-glass list --all";
    if (broken === undefined)
      throw new UserError("BREAK_GLASS_UNKNOWN", `Cannot find ${id}: no glass was broken by that id`, seeAll);
    if (broken.review !== undefined) {
      throw new UserError("BREAK_GLASS_REVIEWED", `Cannot review ${id}: ${broken.review.by} has`, seeAll);
    }
    if (haveCommon(this.#humansOf([broken.account]), this.#humansOf(accounts))) {
      const message = `Cannot review ${id}: it is your own`;
      throw new UserError("BREAK_GLASS_OWN", message, "Ask somebody else to look at it", { exitCode: 4 });
    }
    const reviewed = { ...broken, review: { by: name, atMs: this.#clock.nowMs(), comment } };
    await this.#put(reviewed);
    return reviewed;
  }

  /** Of those that were reviewed, the newest are kept. */
  async #put(broken: BrokenGlass): Promise<void> {
    await this.#store.put("break-glass", broken.id, broken);
    this.#all.set(broken.id, broken);
    const reviewed = this.list().filter(({ review }) => review !== undefined);
    for (const { id } of reviewed.slice(BREAK_GLASS_KEPT_MAX)) {
      this.#all.delete(id);
      await this.#store.remove("break-glass", id);
    }
  }
}
