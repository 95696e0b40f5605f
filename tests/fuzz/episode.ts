/**
 * One fuzzed session from a seed: a client that says recorded conversations, a server that answers as the recorded one
 * did, and between them and the session whatever the seed changes: bytes, order, timing, verdicts, facts.
 */
import { LABEL_ATTACKS, WHOLE_TABLE_AND_DDL } from "../kit/attacks.ts";
import { client, server } from "../kit/wire.ts";
import { type Answers, answersOf, parseOf } from "./answers.ts";
import { type Conversation, framesOf, readCorpus } from "./corpus.ts";
import type { Counts } from "./counts.ts";
import { drawMutation } from "./mutations.ts";
import { Random } from "./random.ts";
import { Storm } from "./storm.ts";
import { type MakeSession, type Move, type Setting, Trial } from "./trial.ts";
import { WORLDS } from "./worlds.ts";

/** One message on its way, and what was done to it. */
interface Item {
  readonly bytes: Buffer;
  readonly mutation: string | undefined;
  /** Goes in a read of its own: nothing may come right behind it. */
  readonly alone?: true;
  /** The client waits for answers before it goes on. */
  readonly endsTurn?: boolean;
}

const CONVERSATIONS = readCorpus("simple", "secret", "errors", "extended", "binary", "copy");
const ANSWERS: Answers = answersOf(CONVERSATIONS);
const TURNS = CONVERSATIONS.map(turnsOf);
const CLIENT_FRAMES = CONVERSATIONS.flatMap(({ messages }) =>
  messages.filter(({ from }) => from === "client").map(({ bytes }) => bytes),
);
const SERVER_FRAMES = distinct([
  ...CONVERSATIONS.flatMap(({ messages }) =>
    messages.filter(({ from }) => from === "server").map(({ bytes }) => bytes),
  ),
  server.copyBoth(),
  server.copyIn(3),
  server.copyOut(2, 1),
  server.parameter("standard_conforming_strings", "off"),
  server.parameter("client_encoding", "SJIS"),
  server.authenticationOk(),
  server.keyData(Buffer.alloc(8)),
  server.error({ S: "FATAL", V: "FATAL", C: "57P01", M: "terminating connection" }),
  server.suspended(),
]);
/** What a server may say at any time. */
const ASIDES = SERVER_FRAMES.filter(([type]) => type === 0x4e || type === 0x41);
const TEXTS = [...ANSWERS.keys(), ...WHOLE_TABLE_AND_DDL.map(({ sql }) => sql), ...LABEL_ATTACKS.map(({ sql }) => sql)];
const NAMES = ["", "a", "b", "c", "p", "q", "x", "sallyport.refused"];
const ROUGH_RATES = [0.05, 0.2, 0.5, 1];
const GENTLE_RATES = [0.2, 0.5, 0.8, 1];
const STARTUP = client.startup({ user: "agent", database: "shop" });
const STEPS_MAX = 400;

/** Ways into a session; the last ones do not lead in. */
const DOORS: readonly (readonly Buffer[])[] = [
  [client.sslRequest(), STARTUP],
  [client.gssRequest(), STARTUP],
  [client.gssRequest(), client.sslRequest(), STARTUP],
  [client.startup({ user: "agent", database: "shop", "_pq_.option": "1" }, 0x0003_0002)],
  [client.startup({ user: "agent", application_name: "fuzz", client_encoding: "UTF8" })],
  [client.startup({ user: "agent", replication: "database" })],
  [client.startup({ user: "agent", options: "-c role=postgres" })],
  [client.cancelRequest(Buffer.alloc(8, 1)), STARTUP],
  [client.cancelRequest(Buffer.alloc(36, 1))],
  [Buffer.of(0x16, 3, 1, 0, 4), STARTUP],
  [client.query("SELECT 1"), STARTUP],
];

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

export function answers(): Answers {
  return ANSWERS;
}

interface Plan {
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

function planOf(random: Random, seed: number): Plan {
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

class Episode {
  readonly #random: Random;
  readonly #plan: Plan;
  readonly #trial: Trial;
  readonly #counts: Counts;
  readonly #trace: EpisodeOptions["trace"];
  readonly #client: Item[];
  /** What a lying server says and nobody has read. */
  readonly #lies: Item[] = [];
  #next = 0;

  constructor(random: Random, plan: Plan, trial: Trial, counts: Counts, trace: EpisodeOptions["trace"]) {
    this.#random = random;
    this.#plan = plan;
    this.#trial = trial;
    this.#counts = counts;
    this.#trace = trace;
    this.#client = this.#script();
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
    if (this.#plan.setting.server === "script") this.#lie();
    const hasSaid = this.#plan.setting.server === "model" ? trial.said.length > 0 : this.#lies.length > 0;
    const mayWait = this.#next < this.#client.length && this.#plan.isHasty && random.chance(0.5);
    if (hasSaid && !mayWait) {
      if (this.#plan.setting.server === "model") this.#deliver();
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

  /** In one read, or in pieces that begin and end anywhere. */
  #send(kind: "client" | "server", items: readonly Item[]): void {
    const bytes = items.length === 1 ? (items[0] as Item).bytes : Buffer.concat(items.map((item) => item.bytes));
    this.#counts.items(kind, items);
    if (!this.#plan.isSplit) {
      if (bytes.length > 0) this.#give({ kind, bytes });
      return;
    }
    const longest = bytes.length > 2_000 ? 2_000 : this.#random.pick([1, 7, 40, 200]);
    for (let at = 0; at < bytes.length && !this.#trial.isClosed; ) {
      const end = Math.min(bytes.length, at + this.#random.between(1, Math.max(longest, bytes.length >> 5)));
      this.#give({ kind, bytes: bytes.subarray(at, end) });
      at = end;
    }
  }

  #script(): Item[] {
    const random = this.#random;
    const rate = this.#plan.clientRate;
    const door = random.chance(0.93) ? [STARTUP] : random.pick(DOORS);
    const items: Item[] = [];
    for (const bytes of door) items.push({ ...this.#changed(bytes, rate / 8), alone: true });
    if (this.#plan.isStorm) return [...items, ...this.#storm()];
    for (let left = random.between(1, 4); left > 0; left--) {
      for (const turn of random.pick(TURNS)) {
        for (const [at, bytes] of turn.entries()) {
          for (const item of this.#asClient(bytes, rate)) items.push({ ...item, endsTurn: at === turn.length - 1 });
        }
      }
    }
    if (random.chance(0.1)) items.push({ bytes: client.terminate(), mutation: undefined });
    return this.#reordered(items, rate);
  }

  #storm(): Item[] {
    const random = this.#random;
    const storm = new Storm(random);
    const waits = random.pick([0.2, 0.6, 1]);
    const items: Item[] = [];
    for (let left = random.between(5, 30); left > 0; left--) {
      const messages = storm.next();
      for (const [at, bytes] of messages.entries()) {
        items.push({ bytes, mutation: "composed", endsTurn: at === messages.length - 1 && random.chance(waits) });
      }
    }
    return [...items, { bytes: client.sync(), mutation: undefined, endsTurn: true }];
  }

  #asClient(bytes: Buffer, rate: number): readonly Item[] {
    const random = this.#random;
    if (!random.chance(rate)) return [{ bytes, mutation: undefined }];
    const draw = random.below(this.#plan.isGentle ? 40 : 100);
    if (draw < 4) return [];
    if (draw < 10)
      return [
        { bytes, mutation: undefined },
        { bytes, mutation: "sent twice" },
      ];
    if (draw < 18)
      return [
        { bytes, mutation: undefined },
        { bytes: random.pick(CLIENT_FRAMES), mutation: "another's in between" },
      ];
    if (draw < 20 && !this.#plan.isGentle)
      return [{ bytes: random.pick(SERVER_FRAMES), mutation: "of the other side" }];
    if (draw < 30) return [{ bytes: exchanged(random, bytes), mutation: "text or name exchanged" }];
    if (draw < 31)
      return [
        { bytes: STARTUP, mutation: "another's in between" },
        { bytes, mutation: undefined },
      ];
    return [this.#changed(bytes, 1)];
  }

  /** Takes what the model has said, and makes something else of it. */
  #lie(): void {
    const random = this.#random;
    const rate = this.#plan.serverRate;
    for (const bytes of this.#trial.said.splice(0)) {
      if (!random.chance(rate)) {
        this.#lies.push({ bytes, mutation: undefined });
        continue;
      }
      const draw = random.below(100);
      if (this.#plan.isGentle) {
        if (draw < 20) this.#lies.push({ bytes: random.pick(ASIDES), mutation: "another's in between" });
        this.#lies.push(this.#changed(bytes, 1));
      } else if (draw < 5) continue;
      else if (draw < 12) this.#lies.push({ bytes, mutation: undefined }, { bytes, mutation: "sent twice" });
      else if (draw < 20)
        this.#lies.push(
          { bytes: random.pick(SERVER_FRAMES), mutation: "another's in between" },
          { bytes, mutation: undefined },
        );
      else if (draw < 22) this.#lies.push({ bytes: random.pick(CLIENT_FRAMES), mutation: "of the other side" });
      else if (draw < 26 && this.#lies.length > 0) {
        const at = random.below(this.#lies.length);
        this.#lies.splice(at, 0, { bytes, mutation: "out of order" });
      } else this.#lies.push(this.#changed(bytes, 1));
    }
    if (random.chance(rate / 20)) this.#lies.push({ bytes: random.pick(SERVER_FRAMES), mutation: "unasked" });
  }

  #changed(bytes: Buffer, rate: number): Item {
    if (!this.#random.chance(rate)) return { bytes, mutation: undefined };
    const mutation = drawMutation(this.#random, this.#plan.isGentle);
    return { bytes: mutation.change(this.#random, bytes), mutation: mutation.name };
  }

  #reordered(items: Item[], rate: number): Item[] {
    const random = this.#random;
    for (let at = 2; at < items.length; at++) {
      if (!random.chance(rate / 20)) continue;
      const other = random.between(1, items.length - 1);
      const [one, two] = [items[at] as Item, items[other] as Item];
      items[other] = { ...one, mutation: one.mutation ?? "out of order" };
      items[at] = { ...two, mutation: two.mutation ?? "out of order" };
    }
    return items;
  }
}

/** The client's messages between answers of the server. */
function turnsOf({ messages }: Conversation): readonly (readonly Buffer[])[] {
  const turns: Buffer[][] = [];
  let last: "client" | "server" = "server";
  for (const { from, bytes } of messages) {
    if (from === "client") {
      if (last === "server") turns.push([]);
      turns.at(-1)?.push(...framesOf(bytes));
    }
    last = from;
  }
  return turns;
}

/** A message of the same type about something else: another statement, another name. */
function exchanged(random: Random, bytes: Buffer): Buffer {
  switch (String.fromCharCode(bytes[0] ?? 0)) {
    case "Q":
      return client.query(random.pick(TEXTS));
    case "P":
      return client.parse(random.chance(0.5) ? parseOf(bytes).name : random.pick(NAMES), random.pick(TEXTS));
    case "B":
      return client.bind(random.pick(NAMES), random.pick(NAMES), {
        results: random.pick([[], [0], [1]]),
        values: random.pick([[], ["1"]]),
      });
    case "D":
      return client.describe(random.pick(["S", "P"]), random.pick(NAMES));
    case "C":
      return client.close(random.pick(["S", "P"]), random.pick(NAMES));
    case "E":
      return client.execute(random.pick(NAMES), random.pick([0, 1, 2]));
    case "d":
      return client.copyData(random.pick(["", "\n", "\\.\n", "a\tb\n", "\0"]));
    default:
      return random.pick(CLIENT_FRAMES);
  }
}

function distinct(frames: readonly Buffer[]): readonly Buffer[] {
  return [...new Map(frames.map((frame) => [frame.toString("latin1"), frame])).values()];
}
