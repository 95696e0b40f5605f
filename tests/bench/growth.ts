/**
 * How cost grows: CPU of the daemon for one statement, row or byte, over what there may be much of. One daemon, one
 * client, one axis after the other; along an axis the runs are interleaved.
 */
import type { Postgres } from "../kit/postgres.ts";
import { measureDecisions, policyOfSize } from "./decisions.ts";
import { Driven } from "./driven.ts";
import type { Series } from "./plot.ts";
import { cpuOf, cpuSince, memoryOf } from "./proc.ts";
import { median } from "./statistics.ts";
import { POLICY, type Sallyport, startSallyport, UNSEARCHED } from "./subjects.ts";
import { type Effort, WIDTHS } from "./tables.ts";

export interface Curve {
  /** Of the plot's file. */
  readonly name: string;
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
  /** Raw, by series and x, one a round. */
  readonly runs: Readonly<Record<string, readonly number[]>>;
  readonly note?: string;
}

interface Point {
  readonly series: string;
  readonly x: number;
  run(): Promise<number>;
}

const RUN_SECONDS = 0.5;
const RULES = [1, 10, 100, 1_000];
const TEXTS = [1, 100, 1_000, 10_000, 1_000_000];
const CONNECTIONS = [1, 10, 100, 1_000];
const ROWS = [1, 10, 100, 10_000];
const STATEMENT = "SELECT abalance FROM pgbench_accounts WHERE aid = 1";
const BUSY = 16;
/** Samples of each kind of decision. */
const DECISIONS = 10_000;
const FIRST_RULE = "  - { name: all, on: [connect, sql.read, sql.session], allow: {} }";

export async function measureGrowth(server: Postgres, rounds: number, effort: Effort): Promise<readonly Curve[]> {
  const guard = await startSallyport(server);
  try {
    return [
      await byRules(guard, rounds),
      await byTexts(guard, rounds),
      await byConnections(guard, rounds),
      await byRows(guard, rounds, effort),
      await byWidth(guard, rounds),
    ];
  } finally {
    await guard.stop();
  }
}

async function byRules(guard: Sallyport, rounds: number): Promise<Curve> {
  const points = (client: Driven) =>
    RULES.map((x) => ({
      series: "statement, as a whole",
      x,
      run: async () => {
        await guard.judge(policyOfSize(x, "all actions", FIRST_RULE));
        // What a new policy costs once is not what a statement costs.
        await client.run({ sql: STATEMENT, seconds: 0, inFlight: BUSY });
        return perStatement(guard, client, STATEMENT);
      },
    }));
  const curve = await along(guard, rounds, BUSY, points);
  await guard.judge(POLICY);
  const sizes = (["all actions", "one action"] as const).flatMap((on) => RULES.map((rules) => [rules, on] as const));
  const anew = (await measureDecisions(sizes, DECISIONS)).filter(({ how }) => how === "judged anew");
  const decisions = (["all actions", "one action"] as const).map((on) => ({
    name: `decision, on ${on}`,
    points: anew.filter((one) => one.on === on).map(({ rules, p50Us }) => ({ x: rules, y: p50Us })),
  }));
  return {
    ...{ name: "rules", title: "CPU of a statement, by rules of the policy", x: "rules", y: "µs" },
    ...{ runs: curve.runs, series: [...curve.series, ...decisions] },
  };
}

async function byTexts(guard: Sallyport, rounds: number): Promise<Curve> {
  const kinds = {
    "differ in a literal": "SELECT abalance FROM pgbench_accounts WHERE aid = #",
    "differ in a name": "SELECT abalance AS a# FROM pgbench_accounts WHERE aid = 1",
  };
  const points = (client: Driven) =>
    TEXTS.flatMap((x) =>
      Object.entries(kinds).map(([series, sql]) => ({
        series,
        x,
        run: () => perStatement(guard, client, sql, x),
      })),
    );
  const curve = await along(guard, rounds, BUSY, points);
  const megabytes = (memoryOf(guard.pid).rssBytes / 1e6).toFixed(0);
  return {
    ...{ name: "texts", title: "CPU of a statement, by texts that it is drawn from", x: "texts", y: "µs" },
    ...curve,
    note: `Resident memory of the daemon after all of them: ${megabytes} MB.`,
  };
}

/** They are opened once, so that the runs of one number follow each other. */
async function byConnections(guard: Sallyport, rounds: number): Promise<Curve> {
  const client = new Driven(guard);
  try {
    const own: Collected = new Map();
    for (const x of CONNECTIONS) {
      await client.open(x);
      await client.run({ sql: STATEMENT, seconds: 0, inFlight: x });
      const run = () => perStatement(guard, client, STATEMENT);
      await collect(own, rounds, [{ series: "statement", x, run }]);
    }
    const title = `CPU of a statement, by connections that ask in turn, at most ${BUSY} at once`;
    return { name: "connections", title, x: "connections", y: "µs", ...curveOf(own) };
  } finally {
    await client.close();
  }
}

async function byRows(guard: Sallyport, rounds: number, { rows }: Effort): Promise<Curve> {
  const kinds = {
    "nothing masked": [UNSEARCHED, "SELECT id, name, city FROM people"],
    "two columns masked": [UNSEARCHED, "SELECT id, name, ssn, email FROM people"],
    "searched by detectors": [POLICY, "SELECT subject, body FROM notes"],
  } as const;
  const points = (client: Driven) =>
    Object.entries(kinds).flatMap(([series, [policy, sql]]) =>
      [...ROWS, rows].map((x) => ({ series, x, run: () => perRow(guard, client, policy, `${sql} LIMIT ${x}`) })),
    );
  const curve = await along(guard, rounds, 1, points);
  return { name: "rows", title: "CPU of a row, by rows of its answer", x: "rows of the answer", y: "µs", ...curve };
}

async function byWidth(guard: Sallyport, rounds: number): Promise<Curve> {
  const kinds = { "nothing masked": UNSEARCHED, "searched by detectors": POLICY };
  const points = (client: Driven) =>
    Object.entries(kinds).flatMap(([series, policy]) =>
      WIDTHS.map((x) => ({ series, x, run: () => perRow(guard, client, policy, `SELECT body FROM wide_${x}`) })),
    );
  const curve = await along(guard, rounds, 1, points);
  return { name: "width", title: "CPU of a row, by its width", x: "bytes of its one text", y: "µs", ...curve };
}

async function perRow(guard: Sallyport, client: Driven, policy: string, sql: string): Promise<number> {
  await guard.judge(policy);
  return per(guard, client, { sql, inFlight: 1 }, "rows");
}

function perStatement(guard: Sallyport, client: Driven, sql: string, texts?: number): Promise<number> {
  const order = { sql, inFlight: BUSY, ...(texts === undefined ? {} : { texts }) };
  return per(guard, client, order, "statements");
}

/** Microseconds of the daemon's CPU. */
async function per(
  guard: Sallyport,
  client: Driven,
  order: { readonly sql: string; readonly texts?: number; readonly inFlight: number },
  what: "statements" | "rows",
): Promise<number> {
  const before = cpuOf(guard.pid);
  const ran = await client.run({ ...order, seconds: RUN_SECONDS });
  const { userUs, systemUs } = cpuSince(before, guard.pid);
  if (ran[what] === 0) throw new Error(`Cannot measure ${order.sql}: no ${what}: ${ran.start}`);
  return (userUs + systemUs) / ran[what];
}

/** By series, then x. */
type Collected = Map<string, Map<number, number[]>>;

async function along(guard: Sallyport, rounds: number, connections: number, points: (client: Driven) => Point[]) {
  const client = new Driven(guard);
  try {
    await client.open(connections);
    const own: Collected = new Map();
    await collect(own, rounds, points(client));
    return curveOf(own);
  } finally {
    await client.close();
  }
}

async function collect(own: Collected, rounds: number, points: readonly Point[]): Promise<void> {
  // What code and memory cost while they are new is no part of a slope: a hundred texts would look dearer than a thousand.
  for (const { run } of points) await run();
  for (let round = 0; round < rounds; round++) {
    for (const { series, x, run } of points) {
      const line = own.get(series) ?? new Map<number, number[]>();
      own.set(series, line);
      const value = await run();
      line.set(x, [...(line.get(x) ?? []), value]);
      console.error(
        `round ${round + 1}/${rounds}  ${series.padEnd(24)} ${String(x).padStart(9)}  ${value.toFixed(2)} µs`,
      );
    }
  }
}

function curveOf(own: Collected): Pick<Curve, "series" | "runs"> {
  const lines = [...own].map(([name, line]) => ({ name, line: [...line].sort(([one], [other]) => one - other) }));
  return {
    series: lines.map(({ name, line }) => ({
      name,
      points: line.map(([x, runs]) => ({ x, y: median(runs) ?? 0 })),
    })),
    runs: Object.fromEntries(lines.flatMap(({ name, line }) => line.map(([x, runs]) => [`${name}, ${x}`, runs]))),
  };
}

/** A picture and its numbers for each. */
export function sectionOf(curves: readonly Curve[]): string {
  return curves
    .map(({ name, title, x, series, note, y }) => {
      const xs = [...new Set(series.flatMap(({ points }) => points.map((point) => point.x)))].sort((a, b) => a - b);
      const lines = series.map((one) => {
        const values = xs.map((at) => shown(one.points.find((point) => point.x === at)?.y));
        return `| ${one.name}, ${y} | ${values.join(" | ")} |`;
      });
      const head = `| ${x} | ${xs.map((at) => at.toLocaleString("en")).join(" | ")} |`;
      const table = [head, `|---|${xs.map(() => "--:|").join("")}`, ...lines].join("\n");
      return [`![${title}](plots/${name}.svg)`, table, ...(note === undefined ? [] : [note])].join("\n\n");
    })
    .join("\n\n");
}

function shown(value: number | undefined): string {
  if (value === undefined) return "";
  return value < 10 ? String(Number(value.toPrecision(2))) : value.toFixed(0);
}
