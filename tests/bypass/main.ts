/**
 * `npm run bypass`: see options.ts. Runs itself again in a network and a mount namespace of its own, so that nothing of
 * the machine's network or of /run is touched; there, one row after the other.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { attempt } from "./attempt.ts";
import { documentOf } from "./document.ts";
import { must } from "./network.ts";
import { HELP, type Options, readOptions, UsageError } from "./options.ts";
import { PLACES, type Place, type Row, type Vector, type Verdict } from "./vector.ts";
import { TOPICS } from "./vectors.ts";
import { judge } from "./verdict.ts";
import { makeWorld, type World } from "./world.ts";

const INSIDE = "SALLYPORT_BYPASS_INSIDE";
const LIMITS = join(import.meta.dirname, "../../SECURITY.md");
const DOCUMENT = join(import.meta.dirname, "../../docs/bypass.md");

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = readOptions(args);
    if (options.help) return say(HELP);
    if (options.list) return list();
    if (process.env[INSIDE] === undefined) return await runInside(args);
    return await runAll(options);
  } catch (error) {
    console.error(error instanceof UsageError ? `${error.message}\nusage: npm run bypass -- --help` : error);
    return error instanceof UsageError ? 2 : 1;
  }
}

function say(text: string): number {
  console.log(text);
  return 0;
}

function list(): number {
  for (const { title, vectors } of TOPICS) {
    console.log(title);
    for (const { name, what, places = PLACES } of vectors) {
      console.log(`  ${name.padEnd(32)} ${what} [${places.join(" ")}]`);
    }
  }
  return say(`${TOPICS.flatMap(({ vectors }) => vectors).length} vectors`);
}

/** Signals of the terminal reach both of us; a supervisor's reach only us. */
function runInside(args: readonly string[]): Promise<number> {
  const again = [process.execPath, ...process.execArgv, import.meta.filename, ...args];
  const child = spawn("unshare", ["--net", "--mount", "--propagation", "private", "--", ...again], {
    stdio: "inherit",
    env: { ...process.env, [INSIDE]: "1" },
  });
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

interface Job {
  readonly topic: string;
  readonly vector: Vector;
  readonly place: Place;
}

async function runAll(options: Options): Promise<number> {
  await coverRun();
  const jobs = jobsOf(options);
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => abort.abort());
  const rows: Row[] = [];
  const guard = options.against === undefined ? "sallyport" : "another";
  const world = await makeWorld({
    guard,
    places: [...new Set(jobs.map(({ place }) => place))],
    tell: (line) => console.error(`making ${line}`),
  });
  const startedMs = performance.now();
  let done = 0;
  const work = async (own: readonly Job[]) => {
    for (const job of own) {
      if (abort.signal.aborted) return;
      const row = await runRow(world, job, options, abort.signal);
      rows.push(row);
      const count = `${++done}/${jobs.length}`.padStart(7);
      console.error(`${count} ${job.place.padEnd(9)} ${job.vector.name.padEnd(32)} ${wordsOf(row.verdict)}`);
    }
  };
  try {
    const calm = jobs.filter(({ vector }) => vector.disturbs === undefined);
    await Promise.all(LANES.map((lane) => work(calm.filter(({ place }) => lane.includes(place)))));
    await work(jobs.filter(({ vector }) => vector.disturbs));
  } finally {
    await world.stop();
  }
  if (abort.signal.aborted) return 130;
  const inOrder = jobs.flatMap(({ vector, place }) =>
    rows.filter((row) => row.vector === vector && row.place === place),
  );
  return finish(inOrder, options, performance.now() - startedMs);
}

/** Side by side, each one row after the other; places that share a neighbour to write into share a lane. */
const LANES: readonly (readonly Place[])[] = [
  ["root", "child"],
  ["user", "container"],
];

/** What is made in /run from here on, only the suite and its attacks see. */
async function coverRun(): Promise<void> {
  await must("mount", ["-t", "tmpfs", "tmpfs", "/mnt"]);
  for (const name of ["upper", "work"]) mkdirSync(`/mnt/${name}`);
  await must("mount", [
    "-t",
    "overlay",
    "overlay",
    "-o",
    "lowerdir=/run,upperdir=/mnt/upper,workdir=/mnt/work",
    "/run",
  ]);
}

function jobsOf({ only, places, quick, against }: Options): readonly Job[] {
  const all = TOPICS.flatMap(({ title, vectors }) => vectors.map((vector) => ({ topic: title, vector })))
    .filter(({ topic, vector }) => only.size === 0 || only.has(topic) || only.has(vector.name))
    .filter(({ vector: { start } }) => against === undefined || start === undefined || start === "terminal");
  return all.flatMap(({ topic, vector }, at) => {
    const own = places.filter((place) => vector.places?.includes(place) ?? true);
    return (quick ? [quickPlace(vector, own, at)] : own).flatMap((place) =>
      place === undefined ? [] : [{ topic, vector, place }],
    );
  });
}

/** What takes a right is tried where that right is. */
function quickPlace(vector: Vector, own: readonly Place[], at: number): Place | undefined {
  const [first] = own;
  return vector.capability !== undefined || at % 2 === 0 || !own.includes("user") ? first : "user";
}

async function runRow(
  world: World,
  { topic, vector, place }: Job,
  options: Options,
  signal: AbortSignal,
): Promise<Row> {
  const startedMs = performance.now();
  const { against } = options;
  const row = (verdict: Verdict): Row => ({ topic, vector, place, verdict, ms: performance.now() - startedMs });
  if (place === "container" && world.withoutContainers !== undefined) {
    return row({ kind: "not-possible", why: world.withoutContainers });
  }
  const control = await attempt({ world, vector, place, guard: undefined, signal });
  const guard = against === undefined ? SALLYPORT_GUARD : ({ kind: "another", words: against } as const);
  const guarded = control.seen.length === 0 ? undefined : await attempt({ world, vector, place, guard, signal });
  const limits = readFileSync(LIMITS, "utf8");
  return row(judge({ vector, place, control, guarded, guard: guard.kind, limits }));
}

const SALLYPORT_GUARD = { kind: "sallyport" } as const;

function wordsOf(verdict: Verdict): string {
  switch (verdict.kind) {
    case "closed":
      return `closed: ${verdict.mechanism}`;
    case "stated":
      return `stated: ${verdict.limit}`;
    case "open":
      return `OPEN: ${verdict.why}`;
    case "not-possible":
      return `not possible here: ${verdict.why}`;
  }
}

function finish(rows: readonly Row[], options: Options, tookMs: number): number {
  const count = (kind: Verdict["kind"]) => rows.filter(({ verdict }) => verdict.kind === kind).length;
  if (options.json !== undefined) {
    const plain = rows.map(({ topic, vector, place, verdict, ms }) => ({
      topic,
      vector: vector.name,
      place,
      ...verdict,
      ms,
    }));
    writeFileSync(options.json, `${JSON.stringify(plain, null, 1)}\n`);
  }
  const table = documentOf(rows, { against: options.against?.join(" "), tookMs });
  if (options.write) {
    mkdirSync(dirname(DOCUMENT), { recursive: true });
    writeFileSync(DOCUMENT, table);
  } else {
    console.log(table);
  }
  for (const { vector, place, verdict } of rows) {
    if (verdict.kind === "open") console.log(`open: ${vector.name} (${place}): ${verdict.why}`);
  }
  console.log(`\n${count("not-possible")} not possible here, in ${(tookMs / 1000).toFixed(0)} s`);
  console.log(`${count("closed")} closed, ${count("stated")} stated, ${count("open")} open`);
  return count("open") > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
