/**
 * What a session has asked for and may therefore forward, decided by the real judge and, by chance, denied all the same.
 * Trusts nothing of a forward: not its number, not its permit, not its bytes.
 */
import type { Verdict } from "../../src/model/decision.ts";
import type { Asked } from "../../src/model/operation.ts";
import { type Permit, redeemPermit } from "../../src/model/permit.ts";
import { FuzzFault } from "./fault.ts";
import { share } from "./random.ts";
import type { Setting } from "./setting.ts";
import { judgeOf, SESSION_ID } from "./worlds.ts";

/** Allowed and not forwarded yet. */
interface Ask {
  readonly asked: readonly Asked[];
  /** A copy from the moment of the ask. */
  readonly bytes: Buffer;
}

export class Asks {
  readonly #setting: Setting;
  readonly #open = new Map<number, Ask>();
  #last = 0;
  forwards = 0;
  denials = 0;

  constructor(setting: Setting) {
    this.#setting = setting;
  }

  /** A permit of an allow owns `bytes` as they are, a view or not. */
  decide(
    id: number,
    asked: readonly Asked[],
    bytes: Uint8Array,
    now: { readonly policy: number; readonly isLoggedIn: boolean },
  ): Verdict {
    if (id <= this.#last) throw new FuzzFault("unjudged", `Ask ${id} was asked after ask ${this.#last}`);
    this.#last = id;
    const { world, seed, denied } = this.#setting;
    const decision = judgeOf(world, now.policy).decide(id, asked, bytes);
    if (decision.kind === "allow") {
      // Without its housekeeping a session ends, so that is denied more rarely.
      const isHousekeeping = asked.every(({ operation }) => operation.actions.length === 0);
      const isLucky = share(seed, 12, id) >= (isHousekeeping || !now.isLoggedIn ? denied / 10 : denied);
      if (isLucky) {
        this.#open.set(id, { asked, bytes: Buffer.from(bytes) });
        return decision;
      }
    }
    this.denials++;
    if (decision.kind === "deny") return decision;
    return { kind: "deny", rules: ["fuzz"], message: "no", policy: decision.policy };
  }

  /** What may be sent for this ask, once. Throws FuzzFault. */
  redeem(id: number, permit: Permit): { readonly asked: readonly Asked[]; readonly bytes: Uint8Array } {
    const ask = this.#open.get(id);
    if (ask === undefined) throw unjudged(id, "is forwarded, but nothing is allowed for it any more");
    this.#open.delete(id);
    if (ask.asked.some(({ operation }) => operation.forbidden !== undefined)) throw unjudged(id, "is forbidden");
    let bytes: Uint8Array;
    try {
      bytes = redeemPermit(permit, SESSION_ID, id);
    } catch (error) {
      throw unjudged(id, String(error));
    }
    if (!ask.bytes.equals(bytes)) throw unjudged(id, "was forwarded with other bytes");
    this.forwards++;
    return { asked: ask.asked, bytes };
  }
}

function unjudged(id: number, why: string): FuzzFault {
  return new FuzzFault("unjudged", `Ask ${id} ${why}`);
}
