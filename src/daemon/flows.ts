/**
 * The open sockets of a tagged cgroup: which there are, and their end. Asks the kernel by cgroup and by network
 * namespace; what it finds by descriptors is for counting only. Knows no agents.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { destroySockets, type Reach } from "ebpf-loader";
import { PROCESSES_LOOKED_AT_MAX } from "../base/limits.ts";
import { cgroupIdOf, cgroupsIn, processesOf } from "../kernel/cgroups.ts";
import { namespaceIdOf } from "../kernel/netns.ts";

export interface Ended {
  readonly destroyed: number;
  /** The kernel would not, or they were made in another cgroup and brought along. */
  readonly unable: number;
}

/** A cgroup and all below it. */
export interface Tree {
  readonly cgroupIds: readonly bigint[];
  readonly pids: readonly number[];
  /** One process for each network namespace, by the namespace's inode number. */
  readonly namespaces: ReadonlyMap<number, number>;
}

/** At most PROCESSES_LOOKED_AT_MAX processes. */
export function treeOf(cgroup: string): Tree {
  const folders = cgroupsIn(cgroup);
  const pids = folders.flatMap(processesOf).slice(0, PROCESSES_LOOKED_AT_MAX);
  const namespaces = new Map<number, number>();
  for (const pid of pids) {
    const id = namespaceOf(pid);
    if (id !== undefined && !namespaces.has(id)) namespaces.set(id, pid);
  }
  return { cgroupIds: folders.flatMap((folder) => cgroupIdOf(folder) ?? []), pids, namespaces };
}

export function endSockets(tree: Tree, which: "connected" | "all"): Ended {
  const { destroyed, unable } = endIn(tree, which);
  return { destroyed, unable: Math.max(unable, openConnections(tree.pids)) };
}

/** Direct flows to what settings closed. What goes by the daemon's listeners is no direct flow. */
export function endClosed(tree: Tree, { gone, kept }: Closed, listenerPort: number): Ended {
  const ours = (["tcp", "udp"] as const).flatMap((protocol) => [
    { address: "127.0.0.1", prefix: 32, port: listenerPort, protocol },
    { address: "::1", prefix: 128, port: listenerPort, protocol },
  ]);
  return endIn(tree, "connected", { gone, kept: [...kept, ...ours] });
}

interface Closed {
  readonly gone: readonly Reach[];
  readonly kept: readonly Reach[];
}

/** In every namespace in which one of its processes lives, and in ours: a process may have left with its socket open. */
function endIn({ cgroupIds, namespaces }: Tree, which: "connected" | "all", only?: Closed): Ended {
  let destroyed = 0;
  let unable = 0;
  const own = namespaceOf(process.pid);
  const places = [null, ...[...namespaces].flatMap(([id, pid]) => (id === own ? [] : [`/proc/${pid}/ns/net`]))];
  for (const place of places) {
    const ended = destroyIn(place, cgroupIds, which, only);
    destroyed += ended.destroyed;
    unable += ended.unable;
  }
  return { destroyed, unable };
}

/** A namespace that ends meanwhile takes its sockets with it. */
function destroyIn(
  place: string | null,
  cgroupIds: readonly bigint[],
  which: "connected" | "all",
  only: Closed | undefined,
): Ended {
  try {
    return destroySockets(place, cgroupIds, which, only);
  } catch (error) {
    if (place !== null && !isThere(place)) return { destroyed: 0, unable: 0 };
    throw error;
  }
}

/** Connected TCP and UDP sockets that these processes hold. */
export function openConnections(pids: readonly number[]): number {
  const held = new Set(pids.flatMap(socketsOf));
  const tables = new Map<number, ReadonlySet<string>>();
  for (const pid of pids) {
    const namespace = namespaceOf(pid);
    if (namespace !== undefined && !tables.has(namespace)) tables.set(namespace, connectedIn(pid));
  }
  let count = 0;
  for (const inode of held) {
    if ([...tables.values()].some((table) => table.has(inode))) count += 1;
  }
  return count;
}

/** Inode numbers as text. Source: proc(5), /proc/PID/fd. */
function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // closed meanwhile
      }
    });
  } catch {
    return [];
  }
}

/** Of the process's namespace, by inode number. Source: proc(5), /proc/PID/net/tcp; state 0A is LISTEN, UDP's 07 unconnected. */
function connectedIn(pid: number): ReadonlySet<string> {
  const inodes = new Set<string>();
  for (const [file, idle] of [
    ["tcp", "0A"],
    ["tcp6", "0A"],
    ["udp", "07"],
    ["udp6", "07"],
  ]) {
    for (const line of linesOf(`/proc/${pid}/net/${file}`).slice(1)) {
      const fields = line.trim().split(/\s+/);
      const [state, inode] = [fields[3], fields[9]];
      if (state !== undefined && state !== idle && inode !== undefined && inode !== "0") inodes.add(inode);
    }
  }
  return inodes;
}

/** The inode number of its network namespace. */
function namespaceOf(pid: number): number | undefined {
  const id = namespaceIdOf(`/proc/${pid}`)?.split(":")[1];
  return id === undefined ? undefined : Number(id);
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}

function isThere(place: string): boolean {
  try {
    readlinkSync(place);
    return true;
  } catch {
    return false;
  }
}
