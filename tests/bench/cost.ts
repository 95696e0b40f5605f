/**
 * What guarding costs per flow, and what it costs those who are not guarded. Each value is a ratio (or a difference) of
 * two flows of one round, interleaved; the median over the rounds is judged. Writes raw numbers for the report.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Destination, Interceptor, netnsCookie, removePinned } from "ebpf-loader";
import { findCgroupRoot } from "../../src/kernel/interception.ts";
import { capture } from "../kit/daemon.ts";
import { freePort } from "../kit/free-port.ts";
import type { Verdict } from "./report.ts";

export interface Cost {
  readonly name: string;
  /** "of without Sallyport", "us more than the plain relay" … */
  readonly against: string;
  readonly unit: "ratio" | "us";
  readonly runs: readonly number[];
  readonly median: number;
}

interface CostAim {
  readonly name: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

const AIMS: readonly CostAim[] = [
  { name: "redirected connect, first byte back", atMost: 20 },
  { name: "bystander's connects", atLeast: 0.98 },
  { name: "bystander's bulk", atLeast: 0.98 },
  { name: "directly allowed bulk", atLeast: 0.98 },
];

interface Flow {
  readonly perSecond: number;
  readonly p50Ns: number;
}

/** A few seconds a round. Everything it makes is removed again. */
export async function measureCost(rounds: number, effort: { connects: number; mebibytes: number }): Promise<Cost[]> {
  const stand = await Stand.open();
  try {
    const values = new Map(AIMS.map(({ name }) => [name, [] as number[]]));
    const note = (name: string, value: number) => values.get(name)?.push(value);
    for (let round = 0; round < rounds; round++) {
      const turn = round % 2 === 0 ? "first" : "last"; // who begins changes: caches and clocks warm for both
      await stand.relays(effort.connects, turn, note);
      await stand.bystanders(effort, turn, note);
    }
    return AIMS.map(({ name, atMost }) => {
      const runs = values.get(name) ?? [];
      const unit = atMost === undefined ? "ratio" : "us";
      return {
        name,
        against: unit === "us" ? "more than a plain relay" : "of without",
        unit,
        runs,
        median: median(runs),
      };
    });
  } finally {
    await stand.close();
  }
}

export function judgeCost(costs: readonly Cost[]): readonly Verdict[] {
  return AIMS.map(({ name, atLeast, atMost }) => {
    const cost = costs.find((other) => other.name === name);
    if (cost === undefined || cost.runs.length === 0) return { outcome: "not measured", text: name };
    const met = (atLeast === undefined || cost.median >= atLeast) && (atMost === undefined || cost.median <= atMost);
    const aim = atLeast === undefined ? `at most ${atMost} us` : `at least ${atLeast}`;
    const found = cost.unit === "us" ? `${cost.median.toFixed(1)} us` : cost.median.toFixed(3);
    return { outcome: met ? "met" : "short", text: `${name}: ${found} ${cost.against}, aim ${aim}` };
  });
}

export function tableOfCosts(costs: readonly Cost[]): string {
  const lines = costs.map(({ name, median: middle, unit, against, runs }) => {
    const show = (value: number) => (unit === "us" ? `${value.toFixed(1)} us` : value.toFixed(3));
    return `| ${name} | ${show(middle)} ${against} | ${runs.map(show).join(", ")} |`;
  });
  return ["| flow | median | runs |", "|---|--:|---|", ...lines].join("\n");
}

type Note = (name: string, value: number) => void;

/** The server, a tagged cgroup, a relay process, and the programs, which come and go. */
class Stand {
  readonly #folder = mkdtempSync(join(tmpdir(), "sallyport-cost-"));
  readonly #program = join(this.#folder, "flows");
  readonly #cgroupRoot = findCgroupRoot();
  readonly #cgroup = join(this.#cgroupRoot, `sallyport-cost-${process.pid}`);
  readonly #children: ChildProcess[] = [];
  readonly #pins = [1, 2].map((number) => `/sys/fs/bpf/sallyport-cost-${process.pid}-${number}`);
  #port = 0;

  static async open(): Promise<Stand> {
    const stand = new Stand();
    try {
      await stand.#prepare();
      return stand;
    } catch (error) {
      await stand.close();
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    mkdirSync(this.#cgroup);
    execFileSync("cc", ["-O2", "-o", this.#program, join(import.meta.dirname, "flows.c")]);
    this.#port = await freePort();
    await this.#start(this.#program, ["serve", String(this.#port)]);
  }

  /** The same relay with and without the redirect in front. */
  async relays(connects: number, turn: "first" | "last", note: Note): Promise<void> {
    const file = join(import.meta.dirname, "redirected-relay.ts");
    const args = [
      file,
      this.#cgroup,
      String(this.#port),
      this.#pins[0] ?? "",
      this.#cgroupRoot,
      String(await freePort()),
    ];
    const child = await this.#start(process.execPath, args);
    try {
      const plain = Number(child.firstLine);
      const run = {
        plain: () => this.#flow("echo", plain, connects),
        redirected: () => this.#flow("echo", this.#port, connects, this.#cgroup),
      };
      const [plainFlow, redirectedFlow] = await inTurn(turn, run.plain, run.redirected);
      note("redirected connect, first byte back", (redirectedFlow.p50Ns - plainFlow.p50Ns) / 1000);
    } finally {
      child.process.kill();
      await once(child.process, "exit");
      removePinned(this.#pins[0] ?? "");
    }
  }

  /** With the programs attached and without; and a tagged flow that an egress rule allows against an untagged one. */
  async bystanders(effort: { connects: number; mebibytes: number }, turn: "first" | "last", note: Note): Promise<void> {
    const measure = async () => ({
      connects: await this.#flow("connect", this.#port, effort.connects),
      bulk: await this.#flow("bulk", this.#port, effort.mebibytes),
    });
    const attached = () => this.#attached(measure);
    const [without, withPrograms] = await inTurn(turn, measure, attached);
    note("bystander's connects", withPrograms.connects.perSecond / without.connects.perSecond);
    note("bystander's bulk", withPrograms.bulk.perSecond / without.bulk.perSecond);
    await this.#attached(async () => {
      const bulk = (cgroup?: string) => () => this.#flow("bulk", this.#port, effort.mebibytes, cgroup);
      const [untagged, tagged] = await inTurn(turn, bulk(), bulk(this.#cgroup));
      note("directly allowed bulk", tagged.perSecond / untagged.perSecond);
    });
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    for (const pins of this.#pins) removePinned(pins);
    rmdirSync(this.#cgroup);
    rmSync(this.#folder, { recursive: true });
  }

  async #attached<T>(body: () => Promise<T>): Promise<T> {
    const pinDir = this.#pins[1] ?? "";
    const interceptor = new Interceptor({ cgroupRoot: this.#cgroupRoot, pinDir });
    try {
      const row = { address: "127.0.0.1", prefix: 32, port: this.#port, protocol: "tcp" } as const;
      const allow: Destination = { ...row, action: "allow", reason: "egress-rule", connection: 0 };
      interceptor.setDestinations([allow]);
      interceptor.setListener(await freePort(), netnsCookie());
      interceptor.tag(this.#cgroup, 1);
      return await body();
    } finally {
      interceptor.close();
      removePinned(pinDir);
    }
  }

  /** One run of the C client, in a cgroup when one is named. */
  async #flow(mode: string, port: number, count: number, cgroup?: string): Promise<Flow> {
    const words = [this.#program, mode, "127.0.0.1", String(port), String(count)];
    const enter = `echo $$ > ${cgroup}/cgroup.procs; exec "$@"`;
    const [file = "", ...args] = cgroup === undefined ? words : ["sh", "-c", enter, "sh", ...words];
    const { code, stdout, stderr } = await capture(file, args, { timeoutMs: 60_000 });
    if (code !== 0) throw new Error(`Cannot measure ${mode}: ${stderr}`);
    return JSON.parse(stdout) as Flow;
  }

  async #start(file: string, args: readonly string[]): Promise<{ process: ChildProcess; firstLine: string }> {
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#children.push(child);
    const ended = once(child, "exit").then(() => {
      throw new Error(`${file} ended before it was ready`);
    });
    ended.catch(() => {});
    const [line] = (await Promise.race([once(child.stdout, "data"), ended])) as [Buffer];
    return { process: child, firstLine: line.toString().trim() };
  }
}

async function inTurn<T>(turn: "first" | "last", one: () => Promise<T>, other: () => Promise<T>): Promise<[T, T]> {
  if (turn === "first") return [await one(), await other()];
  const second = await other();
  return [await one(), second];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
