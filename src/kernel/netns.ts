/** What /proc says of network namespaces and who lives in them. Enters none and changes nothing. Source: namespaces(7). */
import { fstatSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";

/** A task by its folder in /proc: "/proc/12" or "/proc/12/task/13", since each thread may live in another namespace. */
export type Place = string;

/** Device and inode of a namespace; another one can have them once this one is gone. */
export type NamespaceId = string;

/** Undefined once the task is gone. */
export function namespaceIdOf(place: Place): NamespaceId | undefined {
  try {
    return idOf(statSync(`${place}/ns/net`, { bigint: true }));
  } catch {
    return undefined;
  }
}

/** As long as the descriptor is open, the namespace lives, and its id is its own. */
export function openNamespace(place: Place): { readonly fd: number; readonly id: NamespaceId } | undefined {
  try {
    const fd = openSync(`${place}/ns/net`, "r");
    return { fd, id: idOf(fstatSync(fd, { bigint: true })) };
  } catch {
    return undefined;
  }
}

/** Whether a packet could leave it: some route goes by a device other than lo. Tunnels that nobody set up have none. */
export function hasNetwork(place: Place): boolean {
  const routes = linesOf(`${place}/net/route`).slice(1);
  const routes6 = linesOf(`${place}/net/ipv6_route`);
  const devices = [...routes.map((line) => line.split("\t")[0]), ...routes6.map((line) => line.split(/\s+/).at(-1))];
  return devices.some((device) => device !== undefined && device !== "" && device !== "lo");
}

/** The local port of a socket of ours in the namespace of `place`; undefined when it is none of these there. */
export function portOf(fd: number, place: Place): number | undefined {
  let inode: string;
  try {
    inode = fstatSync(fd).ino.toString();
  } catch {
    return undefined;
  }
  for (const table of ["tcp", "tcp6", "udp", "udp6"]) {
    for (const line of linesOf(`${place}/net/${table}`)) {
      const [, local = "", ...rest] = line.trim().split(/\s+/);
      if (rest[7] === inode) return Number.parseInt(local.split(":")[1] ?? "", 16);
    }
  }
  return undefined;
}

/** Every process of the host, in no order. */
export function processes(): Place[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => `/proc/${name}`);
}

/** Threads of a process, at most `max`. */
export function threadsOf(pid: number, max: number): Place[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .slice(0, max)
      .map((name) => `/proc/${pid}/task/${name}`);
  } catch {
    return [];
  }
}

function idOf({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): NamespaceId {
  return `${dev}:${ino}`;
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean);
  } catch {
    return []; // the task is gone, or IPv6 is off
  }
}
