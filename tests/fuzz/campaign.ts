/** Fuzzes until so many mutated messages were given to machines: seed by seed, watched, with memory measured. */
import { setImmediate } from "node:timers/promises";
import { prepareAnalysis } from "../../src/protocols/postgres/actions.ts";
import { Counts } from "./counts.ts";
import { runEpisode } from "./episode.ts";
import { FuzzFault } from "./fault.ts";
import { type MachineName, runMachine } from "./machines.ts";
import { heapBytes } from "./memory.ts";
import { type Reproduction, replay, shortened, writeReproduction } from "./reproduction.ts";
import { HANDLE_MS_MAX, type MakeSession, type Move, realSession } from "./setting.ts";
import type { Trial } from "./trial.ts";
import { type Patience, StarvedError, within } from "./watchdog.ts";

export interface CampaignOptions {
  readonly messages: number;
  readonly seed: number;
  /** Where reproductions go. */
  readonly folder: string;
  readonly make?: MakeSession;
  /** What one session may take of the processor before it counts as hanging. */
  readonly hangMs?: number;
  /** Ends when so many kinds of faults were found. */
  readonly foundMax?: number;
  /** Plays of one reproduction, to make it shorter. */
  readonly tries?: number;
  readonly tell?: (line: string) => void;
}

export interface Found {
  readonly seed: number;
  readonly fault: FuzzFault;
  /** Of its reproduction. */
  readonly path: string;
  times: number;
}

export interface Memory {
  readonly messages: number;
  readonly rssBytes: number;
  /** Of V8 and of buffers, after a collection. */
  readonly heapBytes: number;
}

export interface Report {
  readonly counts: Counts;
  readonly found: readonly Found[];
  readonly seconds: number;
  /** After the first part of the run, and at its end. */
  readonly memory: readonly Memory[];
}

const BATCH = 16;
/** By the clock, before a batch is looked through for one that hangs; then each has so many times as much. */
const BATCH_WALL_MS = 20_000;
const PATIENT = 10;
/** After so many kinds of faults there is no point in going on. */
const FOUND_MAX = 20;
/** Caches of the process fill up first; from then on memory stays. */
const WARM_UP = 0.1;
export const HEAP_GROWTH_MAX = 48 * 1024 * 1024;
export const RSS_GROWTH_MAX = 192 * 1024 * 1024;
const TELL_EVERY_MS = 10_000;
/** Of seeds: one login and one lookup among so many sessions. */
const MACHINE_EVERY = 12;

export async function campaign(options: CampaignOptions): Promise<Report> {
  const { messages, seed, make = realSession, foundMax = FOUND_MAX, tell = () => {} } = options;
  await prepareAnalysis();
  Error.stackTraceLimit = 0; // most of a fuzzer's errors are meant to be
  const counts = new Counts();
  const found: Found[] = [];
  const memory: Memory[] = [];
  const startMs = performance.now();
  let toldMs = startMs;
  for (let next = seed; counts.mutated < messages && found.length < foundMax; next += BATCH) {
    runBatch(next, counts, found, options, make);
    if (memory.length === 0 && counts.mutated >= messages * WARM_UP) memory.push(await measured(counts));
    await prepareAnalysis(); // an instance of the parser that was given up is replaced
    await setImmediate();
    if (performance.now() - toldMs < TELL_EVERY_MS) continue;
    toldMs = performance.now();
    tell(
      `${counts.mutated} messages, ${found.length} faults, ${Math.round(counts.mutated / ((toldMs - startMs) / 1000))}/s`,
    );
  }
  memory.push(await measured(counts));
  const grown = growthOf(memory);
  if (grown !== undefined) found.push({ seed, fault: new FuzzFault("memory", grown), path: "", times: 1 });
  return { counts, found, seconds: (performance.now() - startMs) / 1000, memory };
}

function runBatch(from: number, counts: Counts, found: Found[], options: CampaignOptions, make: MakeSession): void {
  const { hangMs = HANDLE_MS_MAX, foundMax = FOUND_MAX } = options;
  const quick = { wallMs: Math.min(BATCH_WALL_MS, BATCH * hangMs), cpuMs: Number.POSITIVE_INFINITY };
  const isEnough = () => found.length >= foundMax;
  let at = from;
  try {
    within(quick, () => {
      for (; at < from + BATCH && !isEnough(); at++) tryOne(at, counts, found, options, make);
    });
    return;
  } catch (error) {
    if (!(error instanceof StarvedError) && !(error instanceof FuzzFault)) throw error;
  }
  // The rest again, each by itself: one that hangs is found, and the others are not lost.
  for (; at < from + BATCH && !isEnough(); at++) {
    try {
      within(patient(hangMs), () => tryOne(at, counts, found, options, make));
    } catch (error) {
      if (error instanceof FuzzFault) note(at, error, found, options, make);
      else if (!(error instanceof StarvedError)) throw error;
    }
  }
}

function patient(hangMs: number): Patience {
  return { wallMs: hangMs * PATIENT, cpuMs: hangMs };
}

function tryOne(seed: number, counts: Counts, found: Found[], options: CampaignOptions, make: MakeSession): void {
  try {
    const trial = runSeed(seed, counts, make);
    if (trial === undefined || trial.maxHandleMs <= HANDLE_MS_MAX) return;
    // Again, by the processor's time: the machine may have been busy with something else.
    const before = process.threadCpuUsage();
    runSeed(seed, new Counts(), make);
    const { user, system } = process.threadCpuUsage(before);
    if ((user + system) / 1000 > HANDLE_MS_MAX) {
      throw new FuzzFault("hang", `One event took ${Math.round(trial.maxHandleMs)} ms`);
    }
  } catch (error) {
    if (!(error instanceof FuzzFault)) throw error;
    note(seed, error, found, options, make);
  }
}

function machineAt(seed: number): MachineName | undefined {
  const place = seed % MACHINE_EVERY;
  return place === 0 ? "login" : place === 1 ? "lookup" : undefined;
}

function runSeed(seed: number, counts: Counts, make: MakeSession): Trial | undefined {
  const machine = machineAt(seed);
  if (machine === undefined) return runEpisode(seed, { make, counts });
  runMachine(machine, seed, { counts });
  return undefined;
}

/** Notes a fault; the first of its kind with a reproduction. */
function note(seed: number, fault: FuzzFault, found: Found[], options: CampaignOptions, make: MakeSession): void {
  const words = wordsOf(fault);
  const known = found.find((own) => wordsOf(own.fault) === words);
  if (known !== undefined) {
    known.times++;
    return;
  }
  const traced = traceOf(seed, make, options.hangMs);
  const isAlone = fault.kind === "hang" || replay(traced, make)?.kind === fault.kind;
  const reproduction = isAlone ? shortened(traced, fault, make, options.tries) : traced;
  const about = `seed ${seed}, ${fault.kind}: ${fault.message}${isAlone ? "" : " (not when it is played alone)"}`;
  const path = writeReproduction(options.folder, `${fault.kind}-${seed}`, reproduction, about);
  found.push({ seed, fault, path, times: 1 });
}

function wordsOf({ kind, message }: FuzzFault): string {
  return `${kind} ${message.replace(/[0-9a-f]{4,}|\d+/g, "#").slice(0, 80)}`;
}

/** The same again, with every move noted. */
function traceOf(seed: number, make: MakeSession, hangMs = HANDLE_MS_MAX): Reproduction {
  const machine = machineAt(seed);
  const moves: Move[] = [];
  let session: Trial | undefined;
  let variant = "";
  try {
    within(patient(hangMs), () => {
      if (machine === undefined) {
        const trace = (trial: Trial, move: Move) => {
          session = trial;
          moves.push(move);
        };
        runEpisode(seed, { make, counts: new Counts(), trace });
      } else {
        const trace = (own: string, bytes: Buffer) => {
          variant = own;
          moves.push({ kind: "server", bytes });
        };
        runMachine(machine, seed, { counts: new Counts(), trace });
      }
    });
  } catch (error) {
    if (!(error instanceof FuzzFault) && !(error instanceof StarvedError)) throw error;
  }
  if (machine !== undefined) return { kind: machine, variant, moves };
  if (session === undefined) throw new Error(`Cannot trace seed ${seed}: it makes no move`);
  return { kind: "session", setting: session.setting, moves };
}

async function measured(counts: Counts): Promise<Memory> {
  const heap = await heapBytes();
  return { messages: counts.mutated, rssBytes: process.memoryUsage.rss(), heapBytes: heap };
}

function growthOf(memory: readonly Memory[]): string | undefined {
  const [first, last] = [memory[0], memory.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const heap = last.heapBytes - first.heapBytes;
  const rss = last.rssBytes - first.rssBytes;
  if (heap > HEAP_GROWTH_MAX) return `${heap} bytes of heap were kept between the first part and the end`;
  return rss > RSS_GROWTH_MAX ? `The process grew by ${rss} bytes between the first part and the end` : undefined;
}
