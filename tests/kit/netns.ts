/** Network namespaces for tests, with a network to nowhere: a veth pair whose host end goes when the namespace does. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";

const GONE_WAIT_MS = 10_000;
let made = 0;

export interface NetNamespace {
  readonly name: string;
  /** For nsenter and setns. */
  readonly path: string;
  /** Runs a command inside; its output. */
  inside(...argv: readonly string[]): string;
  /** A route that leaves it, by a device that is up. */
  connect(): void;
  /** Takes the name away: the namespace itself stays while somebody uses it. */
  unname(): void;
  /** Whether the kernel still has it: it takes the veth pair along. */
  isThere(): boolean;
  /** Until it is gone; rejects when something keeps it. */
  gone(): Promise<void>;
  remove(): void;
}

export function makeNetNamespace(options: {
  readonly lo: "up" | "down";
  readonly network: "some" | "none";
}): NetNamespace {
  const at = ++made;
  const name = `sallyport-${process.pid}-${at}`;
  const [outer, inner] = [`sp${process.pid}o${at}`, `sp${process.pid}i${at}`];
  const path = `/run/netns/${name}`;
  const ip = (...argv: readonly string[]) =>
    execFileSync("ip", argv, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const inside = (...argv: readonly string[]) =>
    execFileSync("nsenter", [`--net=${path}`, ...argv], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const isThere = () => existsSync(`/sys/class/net/${outer}`);
  const unname = () => {
    if (existsSync(path)) ip("netns", "del", name);
  };
  ip("netns", "add", name);
  const namespace: NetNamespace = {
    ...{ name, path, inside, isThere, unname },
    connect: () => {
      inside("ip", "address", "add", "10.99.0.1/24", "dev", inner);
      inside("ip", "link", "set", inner, "up");
    },
    gone: async () => {
      const deadline = Date.now() + GONE_WAIT_MS;
      while (isThere()) {
        if (Date.now() > deadline) throw new Error(`Something keeps the namespace ${name}`);
        await wait(20); // the kernel takes it down on a thread of its own and tells nobody
      }
    },
    remove: () => {
      unname();
      try {
        ip("link", "del", outer);
      } catch (error) {
        if (isThere()) throw error; // else the namespace has taken it along
      }
    },
  };
  ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", name);
  ip("link", "set", outer, "up");
  if (options.lo === "up") inside("ip", "link", "set", "lo", "up");
  if (options.network === "some") namespace.connect();
  return namespace;
}
