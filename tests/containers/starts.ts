/**
 * `npm run containers`: container starts whose first instruction dials a sink that must never see it. With the OCI
 * hook: none leaks, and the registered address works at once. Without: how long a container runs unguarded. The last
 * line is the result; exits 1 on a leak or a refusal with the hook. SALLYPORT_STARTS says how many (1,000).
 */
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { Daemon } from "../kit/daemon.ts";
import { Podman } from "../kit/podman.ts";
import { type Postgres, startPostgres } from "../kit/postgres.ts";

/** At once; the machine of the project has two cores. */
const LANES = 2;
const POLICY = "rules: [{ name: reach-all, on: connect, allow: {} }, { name: all-sql, on: sql, allow: {} }]";
const LABELLED = { labels: ["team=ci"] } as const;
const EPERM = 1;

interface First {
  /** errno; 0 is a connection. */
  readonly sink: number;
  readonly leaks: number;
  readonly openUs: number;
  readonly registered: number;
  readonly answer: string;
}

export interface StartsReport {
  readonly starts: number;
  /** Connections that the sink saw. */
  readonly leaks: number;
  /** Starts whose registered connection did not work at once, or whose dial to the sink ended otherwise than by a refusal. */
  readonly refusals: number;
  /** Starts that failed altogether. */
  readonly failed: number;
  /** From a container's start by podman to its end. */
  readonly startMs: readonly number[];
  /** From a container's first instruction until the sink was last reached; 0 where it never was. */
  readonly openUs: readonly number[];
}

/** A real podman, daemon and server, with and without the hook in the daemon's favour. */
export class Starts {
  readonly #podman: Podman;
  readonly #postgres: Postgres;
  readonly #daemon: Daemon;
  readonly #sink = createServer((socket) => {
    this.#leaks++;
    socket.on("error", () => {}).end();
  });
  #leaks = 0;

  private constructor(podman: Podman, postgres: Postgres, daemon: Daemon) {
    this.#podman = podman;
    this.#postgres = postgres;
    this.#daemon = daemon;
  }

  static async prepare(): Promise<Starts> {
    const podman = await Podman.start();
    const password = "not-for-agents-5519";
    const postgres = await startPostgres({ version: 15, password, addresses: ["127.0.0.1", podman.address] });
    process.env["CONTAINERS_STORAGE_CONF"] = podman.storageSettings; // where the daemon finds this podman's state
    const daemon = await Daemon.start({
      settings: `
agents: [{ name: ci, match: { container: { label: "team=ci" } } }]
connections:
  - name: orders
    protocol: postgres
    addresses: ["${podman.address}:${postgres.port}"]
    credential: { user: postgres, password: { file: FOLDER/secrets/orders } }
    tls: { mode: disable }
`,
      policies: { "open.yaml": POLICY },
      secrets: { orders: password },
    });
    const starts = new Starts(podman, postgres, daemon);
    starts.#sink.listen(0, podman.address);
    await once(starts.#sink, "listening");
    await starts.#hooks("install", "--runtime", "podman", "--state", daemon.stateDir);
    return starts;
  }

  /** "hook": one dial each. "watcher": dials until it is refused. "control": as "hook", of containers that no matcher knows. */
  async run(how: "hook" | "watcher" | "control", count: number): Promise<StartsReport> {
    this.#leaks = 0;
    const { port } = this.#sink.address() as { port: number };
    const words = ["/first", this.#podman.address, String(port), String(this.#postgres.port)];
    if (how === "watcher") words.push("until");
    const options = {
      ...(how === "control" ? {} : LABELLED),
      ...(how === "watcher" ? { hooks: "none" as const } : {}),
    };
    const firsts: (First | undefined)[] = [];
    const startMs: number[] = [];
    let left = count;
    const lane = async () => {
      while (left-- > 0) {
        const startedMs = performance.now();
        const { code, stdout, stderr } = await this.#podman.run(options, words);
        startMs.push(performance.now() - startedMs);
        if (code !== 0) console.error(stderr);
        firsts.push(code === 0 ? (JSON.parse(stdout) as First) : undefined);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    const done = firsts.filter((first) => first !== undefined);
    return {
      starts: count,
      leaks: this.#leaks,
      refusals: done.filter(({ sink, registered, answer }) => sink !== EPERM || registered !== 0 || answer !== "S")
        .length,
      failed: count - done.length,
      startMs,
      openUs: done.map(({ openUs }) => openUs),
    };
  }

  async stop(): Promise<void> {
    await this.#hooks("remove");
    await this.#daemon.stop();
    this.#sink.close();
    await this.#postgres.stop();
    await this.#podman.stop();
    delete process.env["CONTAINERS_STORAGE_CONF"];
  }

  async #hooks(act: string, ...more: readonly string[]): Promise<void> {
    const places = ["--library", join(this.#podman.folder, "library"), "--hooks-folder", this.#podman.hooksFolder];
    const { code, stderr } = await this.#daemon.cli(["hooks", act, ...places, ...more]);
    if (code !== 0) throw new Error(stderr);
  }
}

if (import.meta.main) {
  const count = Number(process.env["SALLYPORT_STARTS"] ?? 1_000);
  const starts = await Starts.prepare();
  try {
    const control = await starts.run("control", Math.min(count, 20));
    console.log(`control, no matcher: ${control.leaks} of ${control.starts} first instructions reached the sink`);
    const hook = await starts.run("hook", count);
    console.log(
      `with the hook: a start takes ${round(at(hook.startMs, 0.5))} ms (p50), ${round(at(hook.startMs, 0.99))} ms (p99)`,
    );
    const watcher = await starts.run("watcher", Math.max(1, Math.round(count / 5)));
    const open = watcher.openUs.map((us) => us / 1_000);
    const late = watcher.openUs.filter((us) => us > 0).length;
    console.log(
      `without the hook: ${late} of ${watcher.starts} containers ran unguarded at first, for ` +
        `${round(at(open, 0.5))} ms (p50), ${round(at(open, 0.99))} ms (p99), ${round(at(open, 1))} ms (longest); ` +
        `${watcher.refusals} were refused their first registered connection`,
    );
    const bad = hook.leaks + hook.refusals + hook.failed;
    if (bad > 0 || control.leaks !== control.starts) process.exitCode = 1;
    console.log(
      `${hook.starts} container starts with the hook: ${hook.leaks} leaks, ${hook.refusals} refusals, ${hook.failed} failed starts`,
    );
  } finally {
    await starts.stop();
  }
}

function at(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
