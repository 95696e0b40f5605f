/** The kernel's side of `doctor`: features, mounts, the listener's port, what agents may do to each other. */
import { statSync } from "node:fs";
import { probe } from "ebpf-loader";
import { messageOf } from "../../base/errors.ts";
import type { DoctorCheck } from "../../control/ports.ts";

/** What checks read of a host; tests give tables. */
export interface Host {
  /** Undefined: not there, or not ours to read. */
  read(file: string): string | undefined;
  exists(file: string): boolean;
}

export function kernelChecks(host: Host, port: number): DoctorCheck[] {
  const mount = mountOf(host, "cgroup2");
  return [
    ...cgroupChecks(mount),
    ...(mount === undefined ? [] : features(mount.path)),
    bpffsCheck(host),
    portCheck(host, port),
    ptraceCheck(host),
    userNamespaceCheck(host),
  ];
}

export interface Mount {
  readonly path: string;
  readonly options: readonly string[];
}

/** The first of its type. Source: proc(5), /proc/mounts. */
function mountOf(host: Host, type: string): Mount | undefined {
  for (const line of (host.read("/proc/mounts") ?? "").split("\n")) {
    const [, path, of, options = ""] = line.split(" ");
    if (of === type && path !== undefined) return { path, options: options.split(",") };
  }
  return undefined;
}

export function cgroupChecks(mount: Mount | undefined, rootId = inodeOf(mount?.path)): DoctorCheck[] {
  const name = "cgroup v2";
  if (mount === undefined) {
    const remedy = "Mount it: mount -t cgroup2 none /sys/fs/cgroup/unified, or start the kernel with cgroup v2";
    return [{ name, verdict: "failed", found: "not mounted", remedy }];
  }
  const { path, options } = mount;
  const mounted: DoctorCheck = options.includes("ro")
    ? { name, verdict: "failed", found: `${path}, read-only`, remedy: `mount -o remount,rw ${path}` }
    : rootId !== 1n
      ? {
          ...{ name, verdict: "failed", found: `${path}, not the host's root` },
          remedy: "Run the daemon on the host, or in a container with the host's cgroup namespace",
        }
      : { name, verdict: "ok", found: path, remedy: "" };
  const delegation: DoctorCheck = options.includes("nsdelegate")
    ? { name: "cgroup delegation", verdict: "ok", found: "cgroup namespaces are borders (nsdelegate)", remedy: "" }
    : {
        name: "cgroup delegation",
        verdict: "warning",
        found: "cgroup namespaces are no borders",
        remedy: `Root in a container could move its processes out of its cgroup: mount -o remount,nsdelegate ${path}`,
      };
  return [mounted, delegation];
}

/** The host's root has inode 1; a cgroup namespace shows another one as its root. */
function inodeOf(path: string | undefined): bigint | undefined {
  try {
    return path === undefined ? undefined : statSync(path, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}

function features(cgroupRoot: string): DoctorCheck[] {
  try {
    return probe(cgroupRoot).map(({ feature, ok, needs, found, remedy }) =>
      ok
        ? { name: feature, verdict: "ok", found, remedy: "" }
        : { name: feature, verdict: "failed", found: `${found}, needs ${needs}`, remedy },
    );
  } catch (error) {
    const remedy = "remedy" in (error as object) ? String((error as { remedy: unknown }).remedy) : "";
    return [{ name: "kernel", verdict: "failed", found: messageOf(error), remedy }];
  }
}

function bpffsCheck(host: Host): DoctorCheck {
  const name = "bpffs";
  const mount = mountOf(host, "bpf");
  if (mount?.path === "/sys/fs/bpf") return { name, verdict: "ok", found: mount.path, remedy: "" };
  const found = mount === undefined ? "not mounted" : `only at ${mount.path}`;
  return { name, verdict: "warning", found, remedy: "`sallyport up` mounts it; else: mount -t bpf bpf /sys/fs/bpf" };
}

/** A port of that range could be some process's own by chance. */
export function portCheck(host: Host, port: number): DoctorCheck {
  const name = "listener port";
  const [low = 0, high = 0] = (host.read("/proc/sys/net/ipv4/ip_local_port_range") ?? "")
    .trim()
    .split(/\s+/)
    .map(Number);
  const range = `${low} to ${high} are for outgoing connections`;
  if (port < low || port > high) return { name, verdict: "ok", found: `${port}; ${range}`, remedy: "" };
  const reserved = (host.read("/proc/sys/net/ipv4/ip_local_reserved_ports") ?? "").trim();
  if (isReserved(reserved, port)) return { name, verdict: "ok", found: `${port}, reserved; ${range}`, remedy: "" };
  const remedy = `Choose a port outside with interception.port, or: sysctl net.ipv4.ip_local_reserved_ports=${port}`;
  return { name, verdict: "failed", found: `${port}, but ${range}`, remedy };
}

/** Source: ip-sysctl, ip_local_reserved_ports: "8080,9148-9200". */
function isReserved(list: string, port: number): boolean {
  return list.split(",").some((item) => {
    const [first, last = first] = item.split("-").map(Number);
    return first !== undefined && last !== undefined && item !== "" && port >= first && port <= last;
  });
}

/** Source: kernel documentation, admin-guide/LSM/Yama. */
function ptraceCheck(host: Host): DoctorCheck {
  const name = "ptrace";
  const scope = host.read("/proc/sys/kernel/yama/ptrace_scope")?.trim();
  if (scope !== undefined && scope !== "0") return { name, verdict: "ok", found: `ptrace_scope ${scope}`, remedy: "" };
  return {
    name,
    verdict: "warning",
    found: scope === undefined ? "no Yama: any process may trace those of its own user" : "ptrace_scope 0",
    remedy:
      "An agent could act through an unguarded process of its user: sysctl kernel.yama.ptrace_scope=1, or users of their own for agents",
  };
}

function userNamespaceCheck(host: Host): DoctorCheck {
  const name = "user namespaces";
  const max = host.read("/proc/sys/user/max_user_namespaces")?.trim() ?? "0";
  const unprivileged = host.read("/proc/sys/kernel/unprivileged_userns_clone")?.trim() ?? "1";
  const found = max === "0" ? "off" : unprivileged === "0" ? "for root only" : "for everybody";
  const more =
    found === "for everybody" ? ": agents may make network namespaces; nothing is reachable from these unguarded" : "";
  return { name, verdict: "ok", found: `${found}${more}`, remedy: "" };
}
