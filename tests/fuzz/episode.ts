/**
 * One fuzzed session from a seed: a client that says recorded conversations, a server that answers as the recorded one
 * did, and between them and the session whatever the seed changes: bytes, order, timing, verdicts, facts.
 */
import type { Counts } from "./counts.ts";
import { ANSWERS } from "./material.ts";
import { type Plan, planOf } from "./plan.ts";
import { Random } from "./random.ts";
import type { MakeSession, Move } from "./setting.ts";
import { addLies, addUnasked, clientSpeech, type Item } from "./speech.ts";
import { Trial } from "./trial.ts";

const STEPS_MAX = 400;

export interface EpisodeOptions {
  readonly make: MakeSession;
  readonly counts: Counts;
  /** Notes every move, for a reproduction. */
  readonly trace?: (trial: Trial, move: Move) => void;
}

/** Runs the session that `seed` describes. Throws FuzzFault. */
export function runEpisode(seed: number, { make, counts, trace }: EpisodeOptions): Trial {
  const random = new Random(seed);
  const plan = planOf(random, seed);
  const trial = new Trial(plan.setting, ANSWERS, make);
  const episode = new Episode(random, plan, trial, counts, trace);
  counts.begin(trial);
  episode.run();
  counts.end(trial);
  return trial;
}

class Episode {
  readonly #random: Random;
  readonly #plan: Plan;
  readonly #trial: Trial;
  readonly #counts: Counts;
  readonly #trace: EpisodeOptions["trace"];
  readonly #client: readonly Item[];
  /** What a lying server says and nobody has read. */
  readonly #lies: Item[] = [];
  #next = 0;

  constructor(random: Random, plan: Plan, trial: Trial, counts: Counts, trace: EpisodeOptions["trace"]) {
    this.#random = random;
    this.#plan = plan;
    this.#trial = trial;
    this.#counts = counts;
    this.#trace = trace;
    this.#client = clientSpeech(random, plan);
  }

  run(): void {
    for (let step = 0; step < STEPS_MAX && !this.#trial.isClosed; step++) if (!this.#step()) break;
    if (!this.#trial.isClosed) this.#trial.finish();
  }

  /** False: nothing is left to do. */
  #step(): boolean {
    const random = this.#random;
    const trial = this.#trial;
    if (random.chance(0.01)) this.#give(this.#incident());
    if (trial.isUnsettled && random.chance(0.5)) {
      this.#give({ kind: "settle" });
      return true;
    }
    const isHonest = this.#plan.setting.server === "model";
    if (!isHonest) this.#lie();
    const hasSaid = isHonest ? trial.said.length > 0 : this.#lies.length > 0;
    const mayWait = this.#next < this.#client.length && this.#plan.isHasty && random.chance(0.5);
    if (hasSaid && !mayWait) {
      if (isHonest) this.#deliver();
      else this.#send("server", this.#lies.splice(0, random.chance(0.8) ? this.#lies.length : random.between(1, 4)));
      return true;
    }
    const turn = this.#nextTurn();
    if (turn.length > 0) this.#send("client", turn);
    else if (!trial.isUnsettled) return false;
    else this.#give({ kind: "settle" });
    return true;
  }

  #incident(): Move {
    const random = this.#random;
    if (random.chance(0.7)) return { kind: "policy" };
    return { kind: random.pick(["stop", "drain", "drain", "end-client", "end-server"] as const) };
  }

  #give(move: Move): void {
    this.#trace?.(this.#trial, move);
    this.#trial.give(move);
  }

  #deliver(): void {
    const { said } = this.#trial;
    const count = this.#plan.isSplit ? this.#random.between(1, 60) : this.#random.chance(0.9) ? 1 << 20 : 20;
    const before = said.length;
    this.#give({ kind: "deliver", count });
    this.#counts.plain("server", before - said.length);
  }

  /** Up to the end of the client's turn, or some of it. */
  #nextTurn(): readonly Item[] {
    const from = this.#next;
    while (this.#next < this.#client.length) {
      const item = this.#client[this.#next++] as Item;
      if (item.alone || item.endsTurn || this.#client[this.#next]?.alone || this.#random.chance(0.05)) break;
    }
    return this.#client.slice(from, this.#next);
  }

  /** Takes what the model has said, and makes something else of it. */
  #lie(): void {
    for (const bytes of this.#trial.said.splice(0)) addLies(this.#random, this.#plan, bytes, this.#lies);
    addUnasked(this.#random, this.#plan, this.#lies);
  }

  /** In one read, or in pieces that begin and end anywhere. */
  #send(kind: "client" | "server", items: readonly Item[]): void {
    const bytes = items.length === 1 ? (items[0] as Item).bytes : Buffer.concat(items.map((item) => item.bytes));
    const longest = bytes.length > 2_000 ? 2_000 : this.#random.pick([1, 7, 40, 200]);
    const pieceMax = this.#plan.isSplit ? Math.max(longest, bytes.length >> 5) : bytes.length;
    const pieceMin = this.#plan.isSplit ? 1 : bytes.length;
    let begun = 0;
    for (let at = 0, next = 0; at < bytes.length && !this.#trial.isClosed; ) {
      const end = Math.min(bytes.length, at + this.#random.between(pieceMin, pieceMax));
      this.#give({ kind, bytes: bytes.subarray(at, end) });
      at = end;
      const first = next;
      while (next < items.length && begun < end) begun += items[next++]?.bytes.length ?? 0;
      this.#counts.items(kind, items.slice(first, next));
    }
  }
}
