/** Completes what the kernel remembered with what /proc says of the process, as far as it still runs. */
import { readFileSync, readlinkSync } from "node:fs";
import type { Origin as KernelOrigin } from "ebpf-loader";
import { cgroupOf } from "../kernel/cgroups.ts";
import type { Origin } from "../model/origin.ts";

/** `users` answers a uid with a name, or with "" where there is none. */
export function completeOrigin(kernel: KernelOrigin, users: (uid: number) => string): Origin {
  return {
    address: kernel.address,
    port: kernel.port,
    sourceAddress: kernel.sourceAddress,
    sourcePort: kernel.sourcePort,
    netnsCookie: kernel.netnsCookie,
    cgroupId: kernel.cgroupId,
    cgroup: cgroupOf(kernel.pid) ?? "",
    tagCgroupId: kernel.tagCgroupId,
    pid: kernel.pid,
    uid: kernel.uid,
    user: users(kernel.uid),
    comm: kernel.comm,
    executable: executableOf(kernel.pid),
  };
}

/** A reader of passwd(5) that keeps what it found; at most 10,000 users. */
export function createUsers(file = "/etc/passwd"): (uid: number) => string {
  const known = new Map<number, string>();
  return (uid) => {
    if (!known.has(uid) && known.size < 10_000) known.set(uid, findUser(file, uid));
    return known.get(uid) ?? "";
  };
}

function findUser(file: string, uid: number): string {
  try {
    const line = readFileSync(file, "utf8")
      .split("\n")
      .find((row) => row.split(":")[2] === String(uid));
    return line?.split(":")[0] ?? "";
  } catch {
    return "";
  }
}

function executableOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
}
