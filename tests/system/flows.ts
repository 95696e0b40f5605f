/** Flows that no protocol judges: a server that streams and listens, and agents' programs in cgroups of the test's own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { findCgroupRoot } from "../../src/kernel/interception.ts";

const CLIENT = fileURLToPath(new URL("../kit/clients/flow-client.mjs", import.meta.url));
const now = () => performance.timeOrigin + performance.now();

export interface Streamer {
  readonly port: number;
  /** When the server last heard a byte from a client, by the client's first byte's kind: milliseconds since the epoch. */
  readonly lastHeardMs: { tcp: number; udp: number };
  close(): void;
}

/** TCP and UDP on one port of `host`: a byte to every client each millisecond; whatever comes is noted. */
export async function startStreamer(host: string): Promise<Streamer> {
  const lastHeardMs = { tcp: 0, udp: 0 };
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    const timer = setInterval(() => socket.write("y"), 1);
    socket.on("data", () => {
      lastHeardMs.tcp = now();
    });
    socket
      .on("error", () => {})
      .on("close", () => {
        clearInterval(timer);
        sockets.delete(socket);
      });
  }).listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const udp = createSocket("udp4");
  udp.on("message", (_bytes, from) => {
    lastHeardMs.udp = now();
    udp.send("y", from.port, from.address, () => {});
  });
  await new Promise<void>((resolve) => udp.bind(port, host, resolve));
  return {
    ...{ port, lastHeardMs },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      udp.close();
    },
  };
}

export interface FlowEnd {
  readonly lastMs: number;
  /** errno, "closed", "asked" (it went on until the test ended it). */
  readonly why: string;
}

export function flowCommand(kind: "tcp" | "udp", host: string, port: number): readonly string[] {
  return [process.execPath, CLIENT, kind, host, String(port)];
}

export class Flow {
  readonly #child: ChildProcess;
  readonly #ended: Promise<FlowEnd>;
  readonly #opened: Promise<void>;

  /** Of a program that runs `flowCommand`. */
  constructor(child: ChildProcess) {
    const { stdout } = child;
    if (stdout === null) throw new Error("Cannot hear a flow's program without its stdout");
    this.#child = child;
    const opened = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<FlowEnd>();
    createInterface({ input: stdout }).on("line", (line) => {
      if (line === "open") return opened.resolve();
      const end = JSON.parse(line) as FlowEnd;
      ended.resolve(end);
      opened.reject(new Error(`The flow ended before it was open: ${end.why}`));
    });
    child.once("exit", (code) => ended.reject(new Error(`The flow's program ended with ${code}`)));
    this.#opened = opened.promise;
    this.#ended = ended.promise;
    this.#opened.catch(() => {});
    this.#ended.catch(() => {});
  }

  /** In a cgroup of the host (its folder), within a named network namespace or the host's own. */
  static in(cgroup: string, kind: "tcp" | "udp", host: string, port: number, netns?: string): Flow {
    const inside = netns === undefined ? "" : `ip netns exec ${netns} `;
    const script = `echo $$ > "$0/cgroup.procs" && exec ${inside}"$@"`;
    const argv = ["-c", script, cgroup, ...flowCommand(kind, host, port)];
    return new Flow(spawn("bash", argv, { stdio: ["pipe", "pipe", "inherit"] }));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when something came back; rejects when the flow ended instead. */
  opened(): Promise<void> {
    return this.#opened;
  }

  ended(): Promise<FlowEnd> {
    return this.#ended;
  }

  /** Ends it, if it still goes on. */
  async stop(): Promise<FlowEnd> {
    const gone = this.#child.exitCode !== null ? Promise.resolve() : once(this.#child, "exit");
    this.#child.stdin?.end();
    const end = await this.#ended;
    await gone;
    return end;
  }
}

/** A cgroup at the root of the tree. `remove` ends whoever still lives in it. */
export function makeCgroup(name: string): { readonly path: string; remove(): Promise<void> } {
  const path = join(findCgroupRoot(), `${name}-${process.pid}`);
  mkdirSync(path);
  return {
    path,
    remove: async () => {
      writeFileSync(join(path, "cgroup.kill"), "1");
      for (const end = Date.now() + 5_000; ; await wait(5)) {
        try {
          return rmdirSync(path);
        } catch (error) {
          if (Date.now() > end) throw error; // who was killed leaves a moment later
        }
      }
    },
  };
}

export interface LinkedNamespace {
  readonly name: string;
  /** Of the host, as it is reached from inside. */
  readonly hostAddress: string;
  remove(): void;
}

/** A network namespace with a link to the host and nothing else. */
export function makeLinkedNamespace(): LinkedNamespace {
  const mark = process.pid % 10_000;
  const [name, outer, inner] = [`flows-${mark}`, `fo${mark}`, `fi${mark}`];
  const [hostAddress, own] = [`10.97.${mark % 250}.1`, `10.97.${mark % 250}.2`];
  const ip = (...argv: readonly string[]) => execFileSync("ip", argv, { stdio: ["ignore", "pipe", "pipe"] });
  ip("netns", "add", name);
  ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", name);
  ip("address", "add", `${hostAddress}/24`, "dev", outer);
  ip("link", "set", outer, "up");
  for (const words of [
    ["link", "set", "lo", "up"],
    ["address", "add", `${own}/24`, "dev", inner],
    ["link", "set", inner, "up"],
  ]) {
    ip("-n", name, ...words);
  }
  return { name, hostAddress, remove: () => void ip("netns", "del", name) };
}
