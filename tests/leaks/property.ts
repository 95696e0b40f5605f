/**
 * Random statements over labelled columns: each is run directly, to know whether it would have given a value away, and as
 * an agent, where no piece of one may arrive, and nothing that differs between the two sets of values.
 */
import { type Answer, answerOf, comparable, failures, refusedBy, sighting } from "./answer.ts";
import { canaries, SETS } from "./canaries.ts";
import { type Composed, compose } from "./compose/statements.ts";
import { finder } from "./needles.ts";
import type { Talk, TalkReport } from "./speaker.ts";
import { stepsOf } from "./trial.ts";
import { type LeakWorld, sharedOf, speakAsAgent, speakDirect, type Version } from "./world.ts";

export interface PropertyReport {
  readonly seed: number;
  readonly count: number;
  /** Gave a value away directly. */
  readonly telling: number;
  /** Could not be run by the server itself. */
  readonly broken: number;
  /** Of the telling ones: run as agent with nothing to be seen, or refused. */
  readonly masked: number;
  readonly refused: number;
  /** Of those that tell nothing directly: refused all the same. */
  readonly refusedHarmless: number;
  readonly leaks: readonly Leak[];
  /** Failed as agent and not directly. */
  readonly failed: readonly Leak[];
}

export interface Leak {
  readonly number: number;
  readonly composed: Composed;
  /** Pieces that arrived; none: the answer differs between the sets of values; SQLSTATEs of a failure. */
  readonly what: readonly string[];
}

export interface PropertyOptions {
  readonly version: Version;
  readonly seed: number;
  /** First number and how many. */
  readonly from: number;
  readonly count: number;
  /** Statements in which names collide. */
  readonly collide?: boolean;
  readonly tell: (line: string) => void;
}

const BATCH = 100;
const CHANCE_MAX = 4;
const FINDERS = { a: finder(canaries("a")), b: finder(canaries("b")) } as const;

export async function runProperty(world: LeakWorld, options: PropertyOptions): Promise<PropertyReport> {
  const { seed, from, count, collide = false } = options;
  const tally = { telling: 0, broken: 0, masked: 0, refused: 0, refusedHarmless: 0 };
  const leaks: Leak[] = [];
  const failed: Leak[] = [];
  for (let at = from; at < from + count; at += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, from + count - at) }, (_, more) => at + more);
    const all = numbers.map((number) => ({ number, composed: compose(seed, number, collide) }));
    const answers = await answersTo(
      world,
      options.version,
      all.map(({ composed }) => composed),
    );
    for (const [index, one] of all.entries()) {
      const { directA, directB, agentA, agentB } = answers[index] ?? missing();
      const tells = comparable(directA) !== comparable(directB);
      const rules = refusedBy(agentA);
      const pieces = [
        ...(sighting(agentA, agentB, FINDERS.a)?.pieces ?? []),
        ...(sighting(agentB, agentA, FINDERS.b)?.pieces ?? []),
      ];
      const isApart = comparable(agentA) !== comparable(agentB);
      // Four digits come by chance in what is encoded from clean columns; then both sets bring the same answer.
      const isSeen = pieces.some((piece) => piece.length > CHANCE_MAX);
      if (failures(directA).some((code) => BROKEN.has(code))) tally.broken++;
      if (tells) tally.telling++;
      if (isSeen || isApart) leaks.push({ ...one, what: pieces });
      else if (rules.length > 0) tally[tells ? "refused" : "refusedHarmless"]++;
      else if (tells) tally.masked++;
      const unexpected = failures(agentA).filter((code) => !failures(directA).includes(code));
      if (rules.length === 0 && (unexpected.length > 0 || agentA.closed)) failed.push({ ...one, what: unexpected });
    }
    options.tell(`${at + numbers.length - from} of ${count} random statements`);
  }
  return { seed, count, ...tally, leaks, failed };
}

/** A generator's mistakes: syntax, names and types. */
const BROKEN = new Set([
  "42601",
  "42703",
  "42883",
  "42804",
  "42P01",
  "42P10",
  "42803",
  "42846",
  "42725",
  "42702",
  "42P18",
]);

interface Answers {
  readonly directA: Answer;
  readonly directB: Answer;
  readonly agentA: Answer;
  readonly agentB: Answer;
}

async function answersTo(world: LeakWorld, version: Version, list: readonly Composed[]): Promise<readonly Answers[]> {
  const talks = await Promise.all(
    list.flatMap(({ sql, form }) =>
      SETS.map(async (set): Promise<Talk> => ({ database: sharedOf(set), steps: await stepsOf(sql, form) })),
    ),
  );
  const direct = await speakDirect(world, version, talks);
  const agent = await speakAsAgent(world, version, talks);
  return list.map((_, at) => ({
    directA: heard(direct[at * 2]),
    directB: heard(direct[at * 2 + 1]),
    agentA: heard(agent[at * 2]),
    agentB: heard(agent[at * 2 + 1]),
  }));
}

function heard(report: TalkReport | undefined): Answer {
  if (report === undefined) return missing();
  return answerOf(Buffer.concat(report.bytes.map((one) => Buffer.from(one, "base64"))), report.closed);
}

function missing(): never {
  throw new Error("Cannot judge a statement: it has no answer");
}
