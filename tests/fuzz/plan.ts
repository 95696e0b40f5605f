/** What kind of session a seed describes, before anything is said in it. */
import type { Random } from "./random.ts";
import type { Setting } from "./setting.ts";
import { WORLDS } from "./worlds.ts";

const ROUGH_RATES = [0.05, 0.2, 0.5, 1];
const GENTLE_RATES = [0.2, 0.5, 0.8, 1];

export interface Plan {
  readonly setting: Setting;
  /** Of the client's and of the server's messages: how many are changed. */
  readonly clientRate: number;
  readonly serverRate: number;
  /** Mostly changes that a session survives, so that it takes many. */
  readonly isGentle: boolean;
  /** The client's messages are composed, rather than recorded ones changed. */
  readonly isStorm: boolean;
  /** Reads end anywhere. */
  readonly isSplit: boolean;
  /** The client does not wait for answers. */
  readonly isHasty: boolean;
}

export function planOf(random: Random, seed: number): Plan {
  const mode = random.below(13);
  const isStorm = mode >= 10;
  const lies = mode >= 4 && !isStorm;
  const isGentle = random.chance(0.6);
  const rates = isGentle ? GENTLE_RATES : ROUGH_RATES;
  const setting: Setting = {
    world: random.pick(WORLDS),
    seed,
    server: lies ? "script" : "model",
    denied: random.pick([0, 0, 0.05, 0.3]),
    late: random.pick([0, 0, 0.2, 1]),
    failing: random.pick([0, 0, 0.05, 0.3]),
    chatty: random.pick([0, 0.1]),
    unlucky: random.pick([0, 0, 0.3]),
  };
  return {
    setting,
    clientRate: lies && mode < 8 ? random.pick([0, 0, 0.02]) : random.pick(rates),
    serverRate: lies ? random.pick(rates) : 0,
    isGentle,
    isStorm,
    isSplit: random.chance(0.3),
    isHasty: random.chance(0.3),
  };
}
