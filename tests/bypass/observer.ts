/** One running sink.py: starts it in a network namespace, hears what reached it, gives it orders. Judges nothing. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const PYTHON = "/usr/bin/python3";
const PROGRAM = join(import.meta.dirname, "sink.py");

export interface ObserverConfig {
  readonly tcp?: readonly (readonly [string, number])[];
  readonly udp?: readonly (readonly [string, number] | readonly [string, number, number])[];
  readonly mptcp?: readonly (readonly [string, number])[];
  readonly proxies?: readonly (readonly [string, number])[];
  readonly relays?: readonly (readonly [string, number, string, number])[];
  readonly unix?: readonly (readonly [string, "stream" | "dgram" | "seqpacket"])[];
  readonly netlink?: number;
  /** Captures every frame, but those from or to these addresses. */
  readonly capture?: readonly string[];
  readonly spools?: readonly string[];
  readonly zones?: Readonly<Record<string, string>>;
  readonly secret?: string;
}

interface Line {
  readonly up?: true;
  readonly ready?: true;
  readonly saw?: string;
  readonly at?: string;
  readonly barrier?: number;
  readonly lacks?: string;
  readonly fault?: string;
  readonly error?: string;
}

export class Observer {
  readonly #child: ChildProcess;
  readonly #seen = new Map<string, Set<string>>();
  readonly #barriers = new Map<number, () => void>();
  readonly #up = Promise.withResolvers<void>();
  readonly #ready = Promise.withResolvers<void>();
  readonly troubles: string[] = [];
  #lastBarrier = 0;

  /** In a new network namespace, or in ours. It dies with us. */
  constructor(where: "new-namespace" | "our-namespace") {
    const prefix = where === "new-namespace" ? ["unshare", "--net"] : [];
    this.#child = spawn("setpriv", ["--pdeathsig", "KILL", ...prefix, PYTHON, "-I", PROGRAM], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    const { stdin, stdout, stderr } = this.#child;
    stdin?.on("error", () => {}); // its end is told by "exit"
    stderr?.setEncoding("utf8").on("data", (text: string) => this.troubles.push(text));
    if (stdout !== null) createInterface({ input: stdout }).on("line", (line) => this.#hear(JSON.parse(line) as Line));
    this.#child.once("exit", (code) => {
      const error = new Error(`A sink ended with ${code}: ${this.troubles.join("")}`);
      this.#up.reject(error);
      this.#ready.reject(error);
      for (const done of this.#barriers.values()) done();
    });
    this.#ready.promise.catch(() => {});
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when its namespace exists, so that links can be given to it. */
  up(): Promise<void> {
    return this.#up.promise;
  }

  /** Opens everything; resolves when all of it listens. */
  async open(config: ObserverConfig): Promise<void> {
    this.#order({ zones: {}, secret: "", ...config });
    await this.#ready.promise;
  }

  act(order: object): void {
    this.#order(order);
  }

  /** Where that token was seen so far. */
  saw(token: string): readonly string[] {
    return [...(this.#seen.get(token) ?? [])];
  }

  /** Everything that reached it before this call is known afterwards. */
  async barrier(): Promise<void> {
    if (this.#child.exitCode !== null) throw new Error(`A sink is gone: ${this.troubles.join("")}`);
    const id = ++this.#lastBarrier;
    const passed = new Promise<void>((resolve) => this.#barriers.set(id, resolve));
    this.#order({ do: "barrier", id });
    await passed;
    this.#barriers.delete(id);
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  #order(order: object): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  #hear({ up, ready, saw, at = "", barrier, lacks, fault, error }: Line): void {
    if (up) this.#up.resolve();
    if (ready) this.#ready.resolve();
    if (saw !== undefined) this.#seen.set(saw, (this.#seen.get(saw) ?? new Set()).add(at));
    if (barrier !== undefined) this.#barriers.get(barrier)?.();
    if (lacks !== undefined) this.troubles.push(`lacks ${lacks}: ${error ?? ""}`);
    if (fault !== undefined) this.troubles.push(fault);
  }
}
