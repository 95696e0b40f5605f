/**
 * Runs attacks: directly, where each must give a canary away, and as an agent, where no piece of one may arrive. Each is
 * run over both sets of values; an answer to the agent that differs between them tells of a value, too.
 */
import pg from "pg";
import { capture } from "../kit/daemon.ts";
import { statementsOf } from "../system/world.ts";
import { type Answer, answerOf, comparable, failures, outputOf, type Place, refusedBy, sighting } from "./answer.ts";
import { type Attack, FORMS, type Form, type Step } from "./attack.ts";
import type { Placed } from "./attacks.ts";
import { canaries, SETS, type SetName } from "./canaries.ts";
import { finder } from "./needles.ts";
import type { Talk, TalkReport } from "./speaker.ts";
import {
  dropDatabase,
  type LeakWorld,
  makeDatabase,
  sharedOf,
  speakAsAgent,
  speakDirect,
  type Version,
} from "./world.ts";

export interface Trial extends Placed {
  /** Where the canary stood in the direct answer; "apart": the answer differs between the sets of values; undefined: nowhere. */
  readonly control: Place | "apart" | undefined;
  /** What the control's errors were, for a person who mends the attack. */
  readonly controlErrors: readonly string[];
  readonly outcomes: readonly Outcome[];
}

export interface Outcome {
  readonly way: Way;
  readonly kind: "masked" | "refused" | "leaked" | "apart" | "failed";
  /** Rules that refused, pieces that leaked, the server's SQLSTATEs. */
  readonly what: readonly string[];
}

/** How it was said; "own": in the attack's own messages or by its command. */
export type Way = Form | "own";

const FINDERS = { a: finder(canaries("a")), b: finder(canaries("b")) } as const;

export interface TrialOptions {
  readonly version: Version;
  /** One way for each attack instead of all, in turn. */
  readonly oneWay: boolean;
  readonly tell: (line: string) => void;
}

/** Attacks with a database of their own that are there at once. */
const BATCH = 20;
const SHARED_BATCH = 120;

export async function runTrials(
  world: LeakWorld,
  placed: readonly Placed[],
  options: TrialOptions,
): Promise<readonly Trial[]> {
  const stages = [...new Set(placed.map(({ attack }) => stageOf(attack)))];
  const jobs = placed.map((one, at) => ({
    ...one,
    at,
    stage: `stage_${lettersOf(stages.indexOf(stageOf(one.attack)))}`,
  }));
  const trials: (Trial | undefined)[] = placed.map(() => undefined);
  const own = jobs.filter(({ attack }) => needsOwn(attack)).sort((a, b) => a.stage.localeCompare(b.stage));
  const shared = jobs.filter(({ attack }) => !needsOwn(attack));
  for (const batch of [...batches(shared, SHARED_BATCH), ...batches(own, BATCH)]) {
    const done = await runBatch(world, batch, options);
    for (const [index, { at }] of batch.entries()) trials[at] = done[index];
    options.tell(`${trials.filter((trial) => trial !== undefined).length} of ${placed.length} attacks`);
  }
  return trials.flatMap((trial) => trial ?? []);
}

interface Job extends Placed {
  readonly at: number;
  /** Attacks of one stage that change nothing share a database. */
  readonly stage: string;
}

function stageOf({ before, neighbour }: Attack): string {
  return JSON.stringify([before, neighbour]);
}

function needsOwn({ before, changes, neighbour }: Attack): boolean {
  return changes === true || before !== undefined || neighbour !== undefined;
}

function batches<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, at) => list.slice(at * size, (at + 1) * size));
}

/** One saying of an attack. */
interface Run {
  readonly job: Job;
  readonly guarded: boolean;
  readonly way: Way;
  readonly set: SetName;
  readonly database: string;
}

async function runBatch(world: LeakWorld, jobs: readonly Job[], options: TrialOptions): Promise<readonly Trial[]> {
  const runs = jobs.flatMap((job) => runsOf(job, options.oneWay));
  const server = world.server(options.version);
  const databases = new Map<string, Run>();
  for (const run of runs) if (needsOwn(run.job.attack)) databases.set(run.database, run);
  const neighbours: pg.Client[] = [];
  try {
    for (const [name, run] of databases) {
      await makeDatabase(server, name, run.set);
      const { before, neighbour, meanwhile = [] } = run.job.attack;
      if (before !== undefined) await server.query(await filled(before, world, run, options.version), name);
      if (neighbour !== undefined) {
        const client = new pg.Client({
          host: server.socketFolder,
          port: server.port,
          database: name,
          user: "postgres",
        });
        neighbours.push(client);
        await client.connect();
        await client.query(await filled(neighbour, world, run, options.version));
        // Goes on while the attack does; that it could not says the control.
        doneInTurn(client, meanwhile).catch(() => {});
      }
    }
    const answers = new Map<Run, Answer>();
    for (const guarded of [false, true]) {
      const own = runs.filter((run) => run.guarded === guarded);
      for (const [run, answer] of await say(world, own, guarded, options.version)) answers.set(run, answer);
    }
    return jobs.map((job) => judged(job, runs, answers));
  } finally {
    for (const client of neighbours) await client.end();
    for (const name of databases.keys()) await dropDatabase(server, name).catch(() => {});
  }
}

async function doneInTurn(client: pg.Client, list: readonly string[]): Promise<void> {
  for (const sql of list) await client.query(sql);
}

function runsOf(job: Job, oneWay: boolean): readonly Run[] {
  const { attack, at } = job;
  const ways: readonly Way[] = attack.sql === undefined ? ["own"] : (attack.forms ?? FORMS);
  const [first = "simple"] = ways;
  const tried = oneWay ? [ways[at % ways.length] ?? first] : ways;
  return SETS.flatMap((set) => [runOf(job, false, first, set), ...tried.map((way) => runOf(job, true, way, set))]);
}

/** A number without digits, which an answer that tells the name would show as a piece of a value. */
function lettersOf(number: number): string {
  return [...`${number}`].map((digit) => "abcdefghij"[Number(digit)]).join("");
}

/** Where it changes something, each run has a database of its own; else all of one set and stage share one. */
function runOf(job: Job, guarded: boolean, way: Way, set: SetName): Run {
  const { attack, at } = job;
  const name = `leak_${attack.changes === true ? lettersOf(at) : job.stage}_${set}`;
  const database = !needsOwn(attack)
    ? sharedOf(set)
    : attack.changes === true
      ? `${name}_${guarded ? way : "direct"}`
      : name;
  return { job, guarded, way, set, database };
}

async function say(
  world: LeakWorld,
  runs: readonly Run[],
  guarded: boolean,
  version: Version,
): Promise<readonly (readonly [Run, Answer])[]> {
  const spoken = runs.filter(({ job }) => job.attack.command === undefined);
  const talks = await Promise.all(spoken.map((run) => talkOf(world, run, version)));
  const reports = await (guarded ? speakAsAgent : speakDirect)(world, version, talks);
  const answers: [Run, Answer][] = spoken.map((run, at) => [run, heard(reports[at])]);
  for (const run of runs) {
    const { command, input = "" } = run.job.attack;
    if (command === undefined) continue;
    const words = await Promise.all(command.map((word) => filled(word, world, run, version)));
    const [file = "", ...args] = words;
    const { stdout, stderr } = await (guarded
      ? world.daemon.run("ci", words, { input })
      : capture(file, args, { input }));
    answers.push([run, outputOf(`${stdout}${stderr.replace(/^sallyport: .*\n/gm, "")}`)]);
  }
  return answers;
}

function heard(report: TalkReport | undefined): Answer {
  const bytes = (report?.bytes ?? []).map((one) => Buffer.from(one, "base64"));
  return answerOf(Buffer.concat(bytes), report?.closed ?? true);
}

async function talkOf(world: LeakWorld, run: Run, version: Version): Promise<Talk> {
  const { sql, steps = [], startup } = run.job.attack;
  const said = sql === undefined ? steps : await stepsOf(await filled(sql, world, run, version), run.way);
  return { database: run.database, steps: said, ...(startup === undefined ? {} : { startup }) };
}

/** The simple form takes all at once; the others take one statement after the other. */
export async function stepsOf(sql: string, way: Way): Promise<readonly Step[]> {
  if (way === "simple" || way === "own") return [{ messages: [["query", sql]] }];
  const statements = (await statementsOf(sql)).filter((statement) => statement !== "");
  return statements.map((statement) => ({
    messages: [
      ["parse", "", statement],
      ["bind", "", "", way === "binary"],
      ["describe", "P", ""],
      ["execute", "", 0],
      ["sync"],
    ],
  }));
}

/** In place of words like @database@. */
async function filled(text: string, world: LeakWorld, run: Run, version: Version): Promise<string> {
  if (!/@\w+@/.test(text)) return text;
  const { socketFolder: host, port, query } = world.server(version);
  const { database, guarded } = run;
  const values: Record<string, string> = {
    host,
    port: `${port}`,
    database,
    file: `${host}/${database}`,
    slot: database,
    ssn: canaries(run.set)[3]?.text ?? "",
    url: guarded ? world.url(version, database) : `postgresql:///${database}?host=${host}&port=${port}&user=postgres`,
  };
  if (text.includes("@toast@")) {
    const [row] = await query(
      "SELECT reltoastrelid::regclass AS name FROM pg_class WHERE relname = 'customers'",
      database,
    );
    values["toast"] = String(row?.["name"]);
  }
  return text.replaceAll(/@(\w+)@/g, (word, name: string) => values[name] ?? word);
}

function judged(job: Job, runs: readonly Run[], answers: ReadonlyMap<Run, Answer>): Trial {
  const own = runs.filter((run) => run.job === job);
  const answer = (guarded: boolean, way: Way, set: SetName): Answer => {
    const run = own.find((one) => one.guarded === guarded && one.way === way && one.set === set);
    const found = run === undefined ? undefined : answers.get(run);
    if (found === undefined) throw new Error(`Cannot judge ${job.attack.name}: it was not said`);
    return found;
  };
  const [direct] = own.filter(({ guarded }) => !guarded);
  const way = direct?.way ?? "own";
  const control = answer(false, way, "a");
  const other = answer(false, way, "b");
  const isRestless = job.attack.restless === true;
  const isApart = !isRestless && comparable(control) !== comparable(other);
  const ways = [...new Set(own.filter(({ guarded }) => guarded).map((run) => run.way))];
  return {
    group: job.group,
    attack: job.attack,
    control: sighting(control, isRestless ? undefined : other, FINDERS.a)?.place ?? (isApart ? "apart" : undefined),
    controlErrors: control.errors.map(({ C, M }) => `${C} ${M}`),
    outcomes: ways.map((one) => outcomeOf(job.attack, one, control, answer(true, one, "a"), answer(true, one, "b"))),
  };
}

function outcomeOf({ restless }: Attack, way: Way, control: Answer, a: Answer, b: Answer): Outcome {
  const isRestless = restless === true;
  const pieces = [
    ...(sighting(a, isRestless ? undefined : b, FINDERS.a)?.pieces ?? []),
    ...(sighting(b, isRestless ? undefined : a, FINDERS.b)?.pieces ?? []),
  ];
  if (pieces.length > 0) return { way, kind: "leaked", what: pieces };
  if (!isRestless && comparable(a) !== comparable(b)) return { way, kind: "apart", what: [] };
  const rules = refusedBy(a);
  if (rules.length > 0) return { way, kind: "refused", what: rules };
  const expected = failures(control);
  const others = failures(a).filter((code) => !expected.includes(code));
  if (others.length > 0) return { way, kind: "failed", what: others };
  if (a.closed && !control.closed) return { way, kind: "failed", what: ["the connection ended"] };
  return { way, kind: "masked", what: [] };
}
