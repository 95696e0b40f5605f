/**
 * What guarding costs per flow, and what it costs those who are not guarded. Each value is a ratio (or a difference) of
 * the flows of one round, interleaved; the median over the rounds is judged. Writes raw numbers for the report.
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
import type { Verdict } from "./aims.ts";

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

interface Effort {
  /** Of one run. */
  readonly connects: number;
  readonly mebibytes: number;
}

interface Flow {
  readonly perSecond: number;
  /** Of calls that nothing disturbed; p50 changes by half from flow to flow. */
  readonly p10Ns: number;
  readonly p50Ns: number;
}

/** Some 2 s a round: each is one, other, other, one, so that what drifts meanwhile falls on both. All is removed again. */
export async function measureCost(rounds: number, effort: Effort): Promise<Cost[]> {
  const stand = await Stand.open();
  try {
    const runs = new Map<string, readonly number[]>([
      ["redirected connect, first byte back", await stand.redirect(rounds, effort)],
      ["bystander's connects", await stand.bystander(rounds, ["connect", effort.connects])],
      ["bystander's bulk", await stand.bystander(rounds, ["bulk", effort.mebibytes])],
      ["directly allowed bulk", await stand.allowed(rounds, effort)],
    ]);
    return AIMS.map(({ name, atMost }) => {
      const own = runs.get(name) ?? [];
      const unit = atMost === undefined ? "ratio" : "us";
      const against = unit === "us" ? "more than a plain relay" : "of without";
      return { name, against, unit, runs: own, median: median(own) };
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
    const sorted = [...runs].sort((one, other) => one - other);
    const quarter = (share: number) => show(sorted[Math.floor((sorted.length - 1) * share)] ?? 0);
    return `| ${name} | ${show(middle)} ${against} | ${quarter(0.25)} to ${quarter(0.75)} | ${runs.length} |`;
  });
  return ["| flow | median | middle half | rounds |", "|---|--:|--:|--:|", ...lines].join("\n");
}

/** The server, a tagged cgroup, a relay process, and the programs, which come and go. */
class Stand {
  readonly #folder = mkdtempSync(join(tmpdir(), "sallyport-cost-"));
  readonly #program = join(this.#folder, "flows");
  readonly #cgroupRoot = findCgroupRoot();
  readonly #cgroup = join(this.#cgroupRoot, `sallyport-cost-${process.pid}`);
  readonly #children: ChildProcess[] = [];
  readonly #pins = `/sys/fs/bpf/sallyport-cost-${process.pid}`;
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

  /** The same relay with and without the redirect in front: microseconds more. */
  async redirect(rounds: number, { connects }: Effort): Promise<readonly number[]> {
    const file = join(import.meta.dirname, "redirected-relay.ts");
    const places = [this.#cgroup, String(this.#port), this.#pins, this.#cgroupRoot, String(await freePort())];
    const child = await this.#start(process.execPath, [file, ...places]);
    try {
      const plain = () => this.#flow("echo", Number(child.firstLine), connects);
      const redirected = () => this.#flow("echo", this.#port, connects, this.#cgroup);
      const pairs = await alternate(rounds, plain, () => twice(redirected));
      return pairs.map(([one, other]) => (meanOf(other, "p50Ns") - meanOf(one, "p50Ns")) / 1000);
    } finally {
      child.process.kill();
      await once(child.process, "exit");
      removePinned(this.#pins);
    }
  }

  /** An untagged flow, with the programs attached, of what it is without them. */
  async bystander(rounds: number, [mode, count]: readonly [string, number]): Promise<readonly number[]> {
    const flow = () => this.#flow(mode, this.#port, count);
    // The first after programs came or went pays for their coming and going.
    const settled = () => flow().then(flow);
    const pairs = await alternate(rounds, settled, () => this.#attached(() => twice(settled)));
    if (mode === "connect") return pairs.map(([one, other]) => meanOf(one, "p10Ns") / meanOf(other, "p10Ns"));
    return pairs.map(([one, other]) => meanOf(other, "perSecond") / meanOf(one, "perSecond"));
  }

  /** A tagged flow that an egress rule allows, of an untagged one. */
  allowed(rounds: number, { mebibytes }: Effort): Promise<readonly number[]> {
    return this.#attached(async () => {
      const bulk = (cgroup?: string) => () => this.#flow("bulk", this.#port, mebibytes, cgroup);
      const pairs = await alternate(rounds, bulk(), () => twice(bulk(this.#cgroup)));
      return pairs.map(([one, other]) => meanOf(other, "perSecond") / meanOf(one, "perSecond"));
    });
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    removePinned(this.#pins);
    rmdirSync(this.#cgroup);
    rmSync(this.#folder, { recursive: true });
  }

  async #attached<T>(body: () => Promise<T>): Promise<T> {
    const interceptor = new Interceptor({ cgroupRoot: this.#cgroupRoot, pinDir: this.#pins });
    try {
      const row = { address: "127.0.0.1", prefix: 32, port: this.#port, protocol: "tcp" } as const;
      const allow: Destination = { ...row, action: "allow", reason: "egress-rule", connection: 0 };
      interceptor.setDestinations([allow]);
      interceptor.setListener(await freePort(), netnsCookie());
      interceptor.tag(this.#cgroup, 1);
      return await body();
    } finally {
      interceptor.close();
      removePinned(this.#pins);
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

async function alternate(rounds: number, one: () => Promise<Flow>, others: () => Promise<readonly Flow[]>) {
  const pairs: [readonly Flow[], readonly Flow[]][] = [];
  for (let round = 0; round < rounds; round++) {
    const first = await one();
    const between = await others();
    pairs.push([[first, await one()], between]);
  }
  return pairs;
}

async function twice(flow: () => Promise<Flow>): Promise<readonly Flow[]> {
  return [await flow(), await flow()];
}

function meanOf(flows: readonly Flow[], field: keyof Flow): number {
  return flows.reduce((sum, flow) => sum + flow[field], 0) / flows.length;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
