/**
 * A stand for kernel tests: its own cgroups, pins and listeners, python as the unmodified agent.
 * Everything is removed at the end of the test, also when it fails. Uses no fixed port.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync, writeSync } from "node:fs";
import { release } from "node:os";
import type { TestContext } from "node:test";
import { test } from "node:test";
import {
  type Accepted,
  type Destination,
  Interceptor,
  type KernelEvent,
  type LoaderError,
  listenIn,
  removePinned,
} from "ebpf-loader";

export const CGROUP_ROOT = existsSync("/sys/fs/cgroup/unified/cgroup.procs")
  ? "/sys/fs/cgroup/unified"
  : "/sys/fs/cgroup";
const PINS = "/sys/fs/bpf";
const WAIT_MS = 5_000;
const TEST_MS = 60_000;

/** Below ip_local_port_range, so that no client is given the port by chance. */
const PORTS = { from: 20_000, to: 32_000 };

/** What a client that is gone already makes of a write. */
const HUNG_UP = new Set(["EPIPE", "ECONNRESET"]);

const unable =
  process.getuid?.() !== 0 ? "needs root" : existsSync(`${CGROUP_ROOT}/cgroup.procs`) ? undefined : "needs cgroup2";

const [major = 0, minor = 0] = release().split(".").map(Number);
/** Linux can judge Unix sockets from 6.7 on. */
export const KERNEL_HAS_DOORS = major > 6 || (major === 6 && minor >= 7);

/** A test that needs the kernel. Where there is none it is skipped, with the reason. */
export function kernelTest(name: string, body: (t: TestContext) => Promise<void> | void): void {
  test(name, { timeout: TEST_MS, ...(unable === undefined ? {} : { skip: unable }) }, body);
}

const undoings = new WeakMap<Owner, (() => Promise<void> | void)[]>();

/** Whoever runs `after` bodies at its end: a test, or a script. */
export type Owner = Pick<TestContext, "after">;

/** Undoes a step at the end, last step first; every step is undone, whatever the others throw. */
export function undo(t: Owner, step: () => Promise<void> | void): void {
  const steps = undoings.get(t);
  if (steps !== undefined) {
    steps.push(step);
    return;
  }
  const first = [step];
  undoings.set(t, first);
  t.after(async () => {
    const errors: unknown[] = [];
    for (const one of first.reverse())
      try {
        await one();
      } catch (error) {
        errors.push(error);
      }
    if (errors.length > 0) throw new AggregateError(errors, "Cannot clean up");
  });
}

let stands = 0;

/** A name that no other run on this host uses. */
export function uniqueName(): string {
  stands += 1;
  return `sallyport-test-${process.pid}-${stands}`;
}

/** A cgroup below the root, or below another; removed with all its processes at the end. */
export function makeCgroup(t: Owner, path: string): string {
  mkdirSync(path);
  undo(t, async () => {
    if (!existsSync(path)) return;
    writeFileSync(`${path}/cgroup.kill`, "1");
    const deadline = Date.now() + WAIT_MS;
    while (readFileSync(`${path}/cgroup.procs`, "utf8") !== "" && Date.now() < deadline)
      await new Promise((resolve) => setImmediate(resolve));
    rmdirSync(path);
  });
  return path;
}

export interface Listener {
  readonly port: number;
  readonly fds: readonly number[];
}

/** Listens on 127.0.0.1 and ::1 with one port number. */
export function listenOnLoopback(): Listener {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    const fds: number[] = [];
    try {
      for (const address of ["127.0.0.1", "::1"]) fds.push(listenIn(null, address, port, 4096));
      return { port, fds };
    } catch (error) {
      for (const fd of fds) closeSync(fd);
      if ((error as LoaderError).code !== "PORT_IN_USE") throw error;
    }
  }
  throw new Error("Cannot find a free port: 100 attempts failed");
}

export interface StandOptions {
  readonly without?: readonly string[];
  readonly destinations?: readonly Destination[];
}

/** What a python step came to. */
export type Outcome = { readonly value: unknown } | { readonly errno: string; readonly ms: number };

export class Stand {
  readonly accepted: Accepted[] = [];
  readonly events: KernelEvent[] = [];
  readonly name = uniqueName();
  readonly pinDir = `${PINS}/${this.name}`;
  readonly agent = 1 + Math.floor(Math.random() * 1_000_000);
  readonly cgroup: string;
  readonly tagId: bigint;
  readonly listener: Listener;
  readonly interceptor: Interceptor;
  #waiting: (() => void)[] = [];
  #closed = false;
  #closers: { close(): void }[] = [];

  constructor(t: Owner, options: StandOptions = {}) {
    this.cgroup = makeCgroup(t, `${CGROUP_ROOT}/${this.name}`);
    this.listener = listenOnLoopback();
    this.interceptor = new Interceptor({
      cgroupRoot: CGROUP_ROOT,
      pinDir: this.pinDir,
      without: options.without ?? [],
    });
    undo(t, () => this.close());
    this.tagId = this.interceptor.tag(this.cgroup, this.agent);
    this.interceptor.setListener(this.listener.port);
    this.interceptor.setDestinations(options.destinations ?? []);
    this.#closers.push(
      this.interceptor.events((event) => {
        this.events.push(event);
        for (const wake of this.#waiting.splice(0)) wake();
      }),
    );
    for (const fd of this.listener.fds) this.#closers.push(this.interceptor.accept(fd, (one) => this.answer(one)));
  }

  /** Tells the client where the kernel says it was going, and hangs up. */
  private answer(accepted: Accepted): void {
    this.accepted.push(accepted);
    const { origin } = accepted;
    try {
      writeSync(
        accepted.fd,
        origin === undefined ? "no origin" : `${origin.address} ${origin.port} ${origin.connection}`,
      );
    } catch (error) {
      if (!HUNG_UP.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    } finally {
      closeSync(accepted.fd);
    }
  }

  /** The first event that matches, waiting for it if need be. */
  async event(match: Partial<KernelEvent>): Promise<KernelEvent> {
    const matches = (event: KernelEvent) =>
      Object.entries(match).every(([key, value]) => event[key as keyof KernelEvent] === value);
    const deadline = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const found = this.events.find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve, reject) => {
        this.#waiting.push(resolve);
        deadline.addEventListener("abort", () =>
          reject(new Error(`No event ${JSON.stringify(match)} among ${this.events.length}`)),
        );
      });
    }
  }

  /** Runs python in the tagged cgroup; see python() below. */
  agentRuns(code: string): Promise<Outcome[]> {
    return python(code, this.cgroup);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const closer of this.#closers.splice(0)) closer.close();
    for (const fd of this.listener.fds) closeSync(fd);
    this.interceptor.close();
    removePinned(this.pinDir);
  }
}

const PRELUDE = `
import errno, json, os, socket, struct, sys, time
results = []
def step(body):
    started = time.monotonic()
    try:
        results.append({"value": body()})
    except OSError as e:
        name = errno.errorcode.get(e.errno, type(e).__name__)
        results.append({"errno": name, "ms": (time.monotonic() - started) * 1000})
    return results[-1]
def read(s):
    data = b""
    while True:
        part = s.recv(4096)
        if not part: return data.decode()
        data += part
def dial(host, port, family=socket.AF_INET, timeout=5):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(timeout)
        s.connect((host, port))
        return read(s)
def dials(host, port, family=socket.AF_INET, timeout=5):
    return step(lambda: dial(host, port, family, timeout))
def sends(host, port, family=socket.AF_INET):
    def body():
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            return s.sendto(b"x", (host, port))
    return step(body)
`;

/** Runs python in a cgroup (or where this test runs). Its steps, in order, are what comes back. */
export async function python(code: string, cgroup?: string): Promise<Outcome[]> {
  const script = `${PRELUDE}\n${code}\nprint(json.dumps(results))`;
  const enter = cgroup === undefined ? "" : 'echo $$ > "$0/cgroup.procs" && ';
  const child = spawn("sh", ["-c", `${enter}exec /usr/bin/python3 -I -c "$1"`, cgroup ?? "sh", script], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 30_000,
  });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`python ended with ${status}: ${err}`);
  return JSON.parse(out.trim().split("\n").at(-1) ?? "[]") as Outcome[];
}

/** A registered backend: TCP to this address is intercepted. */
export function registered(address: string, port: number, connection = 1): Destination {
  const prefix = address.includes(":") ? 128 : 32;
  return { address, prefix, port, protocol: "tcp", action: "intercept", reason: "registered", connection };
}

/** An egress rule for exactly this address. */
export function allowed(address: string, port: number, protocol: "tcp" | "udp" = "tcp"): Destination {
  const prefix = address.includes(":") ? 128 : 32;
  return { address, prefix, port, protocol, action: "allow", reason: "egress-rule", connection: 0 };
}
