/**
 * Many connections from two network namespaces with equal and ever reused source ports. Each tells over its own bytes
 * who dialled what; the accept side compares that with the origin that the kernel side gives.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, readdirSync, readFileSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Accepted, type Destination, Interceptor, listenIn, netnsCookie, removePinned } from "ebpf-loader";
import { CGROUP_ROOT, makeCgroup, type Owner, registered, undo, uniqueName } from "../native/kit.ts";

export interface StormOptions {
  /** In all; split evenly between namespaces and clients. */
  readonly connections: number;
  /** One of so many is reset by its client at once, without waiting for an answer; 0: none. */
  readonly hasty?: number;
  /** Programs not to attach, for the control run. */
  readonly without?: readonly string[];
  /** Source ports of each client; with 1 and `hasty` 1, each connection has the address of the one reset before it. */
  readonly ports?: number;
  /** The accept side does nothing for so long, again and again, so that its queue is never empty. */
  readonly stallMs?: number;
  /** How long a client's bytes may take. */
  readonly waitMs?: number;
}

export interface Usage {
  readonly rssBytes: number;
  readonly descriptors: number;
  /** Entries of the map of origins. */
  readonly origins: number;
}

export interface StormReport {
  readonly connections: number;
  readonly seconds: number;
  /** Origins that were right in every field. */
  readonly right: number;
  /** Accepted, but another's origin in any field. */
  readonly wrong: number;
  /** Dialled, but never accepted with an origin. */
  readonly lost: number;
  /** By errno, of the clients. */
  readonly failed: Readonly<Record<string, number>>;
  /** Distinct source ports, each used in both namespaces. */
  readonly sourcePorts: number;
  readonly before: Usage;
  readonly after: Usage;
  readonly counters: Readonly<Record<string, number>>;
}

/** Memory of the accepting process may differ by this between two moments of the same load. */
const RSS_NOISE_BYTES = 16 * 1024 * 1024;

/** What is wrong with a run, in words; nothing is the aim. */
export function faultsOf({ connections, right, wrong, lost, failed, before, after }: StormReport): string[] {
  const grown = after.rssBytes - before.rssBytes;
  return [
    right !== connections && `${right} of ${connections} origins are right`,
    wrong > 0 && `${wrong} origins are wrong`,
    lost > 0 && `${lost} connections are lost`,
    ...Object.entries(failed).map(([errno, count]) => `${count} calls failed with ${errno}`),
    after.origins !== before.origins && `the map of origins went from ${before.origins} to ${after.origins} entries`,
    after.descriptors !== before.descriptors && `descriptors went from ${before.descriptors} to ${after.descriptors}`,
    grown > RSS_NOISE_BYTES && `memory grew by ${grown} bytes`,
  ].filter((fault) => fault !== false);
}

const SPACES = 2;
const CLIENTS_PER_SPACE = 2;
const PORTS_PER_CLIENT_MAX = 32;
const PORT_FROM = 33_000;
const TOKEN_BYTES = 16;
const CLIENT = join(import.meta.dirname, "client.c");
/** Listeners' port: every namespace has one of its own. */
const LISTENER_PORT = 21_234;
const DESTINATIONS: readonly Destination[] = [
  ...["192.0.2.10", "192.0.2.11", "198.51.100.1", "127.0.0.53"].flatMap((address, at) => [
    registered(address, 5432, 10 + at),
    registered(address, 6432, 20 + at),
  ]),
  ...["2001:db8::10", "2001:db8::11"].map((address, at) => registered(address, 5432, 30 + at)),
];

interface Space {
  readonly path: string;
  readonly cookie: bigint;
  readonly cgroup: string;
  readonly tagId: bigint;
  readonly agent: number;
}

export async function storm(t: Owner, options: StormOptions): Promise<StormReport> {
  const { connections, hasty = 0, ports = PORTS_PER_CLIENT_MAX, stallMs = 0, waitMs = 20_000 } = options;
  const client = compile(t);
  const name = uniqueName();
  const pinDir = `/sys/fs/bpf/${name}`;
  const interceptor = new Interceptor({ cgroupRoot: CGROUP_ROOT, pinDir, without: options.without ?? [] });
  undo(t, () => {
    interceptor.close();
    removePinned(pinDir);
  });
  interceptor.setDestinations(DESTINATIONS);
  const tally = new Tally(waitMs, stallMs);
  const spaces: Space[] = [];
  for (let at = 0; at < SPACES; at++) spaces.push(await openSpace(t, interceptor, `${name}-${at}`, at + 1, tally));
  const events = interceptor.events(() => {});
  undo(t, () => events.close());

  const run = async (count: number) => {
    const each = Math.floor(count / (SPACES * CLIENTS_PER_SPACE));
    const clients = spaces.flatMap((space, at) =>
      Array.from({ length: CLIENTS_PER_SPACE }, (_, lane) => {
        const range = [PORT_FROM + lane * PORTS_PER_CLIENT_MAX, ports];
        const targets = DESTINATIONS.flatMap(({ address, port }) => [address, port]);
        return startClient(space, [client, at, each, ...range, hasty, ...targets], (pid) =>
          tally.expect(pid, space, each),
        );
      }),
    );
    return { dialled: each * clients.length, outcomes: await Promise.all(clients) };
  };
  const usage = (): Usage => ({
    rssBytes: rssBytes(),
    descriptors: readdirSync("/proc/self/fd").length,
    origins: Number(/(\d+) elements?/.exec(dumpOrigins(pinDir))?.[1] ?? 0),
  });

  await run(Math.min(20_000, connections)); // what only the first connections cost: code, buffers, pages
  await tally.settled();
  tally.reset();
  const before = usage();
  const startedMs = performance.now();
  const { dialled, outcomes } = await run(connections);
  await tally.settled();
  const seconds = (performance.now() - startedMs) / 1_000;
  const failed: Record<string, number> = {};
  for (const { errors } of outcomes) {
    for (const [errno, count] of errors) failed[errno] = (failed[errno] ?? 0) + count;
  }
  return {
    ...{ connections: dialled, seconds, right: tally.right, wrong: tally.wrong, lost: tally.lost(), failed },
    ...{ sourcePorts: CLIENTS_PER_SPACE * ports, before, after: usage() },
    counters: Object.fromEntries(Object.entries(interceptor.counters()).map(([key, count]) => [key, Number(count)])),
  };
}

/** A namespace with nothing but lo, a tagged cgroup for its clients, and listeners that tell `tally`. */
async function openSpace(
  t: Owner,
  interceptor: Interceptor,
  name: string,
  agent: number,
  tally: Tally,
): Promise<Space> {
  const holder = spawn("unshare", ["--net", "sh", "-c", "ip link set lo up && echo up && exec cat"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  undo(t, () => void holder.kill());
  await once(holder.stdout, "data");
  const path = `/proc/${holder.pid}/ns/net`;
  const cgroup = makeCgroup(t, `${CGROUP_ROOT}/${name}`);
  const fds = ["127.0.0.1", "::1"].map((address) => listenIn(path, address, LISTENER_PORT, 4_096));
  const loops = fds.map((fd) => interceptor.accept(fd, (accepted) => tally.take(accepted)));
  undo(t, () => {
    for (const loop of loops) loop.close();
    for (const fd of fds) closeSync(fd);
  });
  const cookie = netnsCookie(fds[0]);
  const tagId = interceptor.tag(cgroup, agent);
  interceptor.setListener(LISTENER_PORT, cookie);
  return { path, cookie, cgroup, tagId, agent };
}

async function startClient(
  { path, cgroup }: Space,
  [file, ...args]: readonly (string | number)[],
  onStart: (pid: number) => void,
): Promise<{ readonly errors: readonly (readonly [string, number])[] }> {
  const enter = 'echo $$ > "$1/cgroup.procs" && shift && exec nsenter "$@"';
  const command = [`--net=${path}`, String(file), ...args.map(String)];
  const child = spawn("sh", ["-c", enter, "sh", cgroup, ...command], { stdio: ["ignore", "pipe", "inherit"] });
  if (child.pid === undefined) throw new Error("Cannot start a client");
  onStart(child.pid); // exec keeps it
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`A client ended with ${code}`);
  const [, ...errors] = out.trim().split(" ");
  return { errors: errors.map((pair) => [`errno ${pair.split("=")[0]}`, Number(pair.split("=")[1])] as const) };
}

/** Compares what connections say of themselves with their origins. */
class Tally {
  right = 0;
  wrong = 0;
  readonly #waitMs: number;
  readonly #stallMs: number;
  #stalledMs = 0;
  readonly #clients = new Map<number, { readonly space: Space; readonly seen: Uint8Array }>();
  #waiting: { readonly accepted: Accepted; readonly untilMs: number }[] = [];
  #woken = false;
  readonly #bytes = Buffer.alloc(TOKEN_BYTES);

  constructor(waitMs: number, stallMs: number) {
    this.#waitMs = waitMs;
    this.#stallMs = stallMs;
  }

  expect(pid: number, space: Space, count: number): void {
    this.#clients.set(pid, { space, seen: new Uint8Array(count) });
  }

  take(accepted: Accepted): void {
    if (this.#stallMs > 0 && performance.now() - this.#stalledMs > 2 * this.#stallMs) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, this.#stallMs);
      this.#stalledMs = performance.now();
    }
    this.#waiting.push({ accepted, untilMs: performance.now() + this.#waitMs });
    this.#wake();
  }

  /** Of those who were expected, how many never came with an origin of their own. */
  lost(): number {
    let lost = 0;
    for (const { seen } of this.#clients.values()) lost += seen.reduce((sum, mark) => sum + (mark === 0 ? 1 : 0), 0);
    return lost;
  }

  reset(): void {
    this.#clients.clear();
    this.right = 0;
    this.wrong = 0;
  }

  /** Until every connection that was accepted has been looked at, and the queues are empty. */
  async settled(): Promise<void> {
    for (let quiet = 0; quiet < 100; quiet = this.#waiting.length === 0 ? quiet + 1 : 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #wake(): void {
    if (this.#woken) return;
    this.#woken = true;
    setImmediate(() => {
      this.#woken = false;
      const left = this.#waiting.filter((one) => !this.#look(one.accepted, one.untilMs));
      this.#waiting = left;
      if (left.length > 0) this.#wake();
    });
  }

  /** False while its bytes are still to come. */
  #look(accepted: Accepted, untilMs: number): boolean {
    const { fd } = accepted;
    try {
      if (readSync(fd, this.#bytes, 0, TOKEN_BYTES, null) === TOKEN_BYTES) {
        this.#compare(accepted);
        if (this.#bytes.readUInt8(13) === 0) writeSync(fd, "k");
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN" && performance.now() < untilMs) return false;
      if (code !== "EAGAIN" && code !== "ECONNRESET" && code !== "EPIPE") throw error;
    }
    closeSync(fd);
    return true;
  }

  #compare({ origin, sourcePort }: Accepted): void {
    const bytes = this.#bytes;
    const client = this.#clients.get(bytes.readUInt32LE(4));
    const number = bytes.readUInt32LE(0);
    const dialled = DESTINATIONS[bytes.readUInt16LE(10)];
    if (client === undefined || dialled === undefined || origin === undefined) return; // counted as lost
    const { space, seen } = client;
    const isRight =
      origin.address === dialled.address &&
      origin.port === dialled.port &&
      origin.connection === dialled.connection &&
      origin.pid === bytes.readUInt32LE(4) &&
      origin.sourcePort === bytes.readUInt16LE(8) &&
      sourcePort === origin.sourcePort &&
      origin.netnsCookie === space.cookie &&
      origin.tagCgroupId === space.tagId &&
      origin.agent === space.agent &&
      seen[number] === 0; // once
    if (isRight) this.right += 1;
    else this.wrong += 1;
    seen[number] = 1;
  }
}

function compile(t: Owner): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-storm-"));
  undo(t, () => rmSync(folder, { recursive: true, force: true }));
  execFileSync("cc", ["-O2", "-Wall", "-Werror", "-o", join(folder, "client"), CLIENT], { stdio: "inherit" });
  return join(folder, "client");
}

function dumpOrigins(pinDir: string): string {
  return execFileSync("bpftool", ["map", "dump", "pinned", `${pinDir}/maps/origins`], {
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
  });
}

function rssBytes(): number {
  globalThis.gc?.();
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0) * 1024;
}
