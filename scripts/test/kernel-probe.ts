/** Decides once whether this kernel has cgroup BPF. Where it has, a skipped kernel test is a failure. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

export interface KernelProbe {
  readonly hasCgroupBpf: boolean;
  readonly why: string;
}

/** Asks the addon; bpftool where the addon does not load, so that a broken addon cannot excuse itself. */
export async function probeKernel(): Promise<KernelProbe> {
  try {
    const { probe } = await import("ebpf-loader");
    const missing = probe(cgroup2Mount()).filter((feature) => !feature.ok);
    if (missing.length === 0) return { hasCgroupBpf: true, why: "the addon's probe found every feature" };
    return { hasCgroupBpf: false, why: missing.map(({ feature, found }) => `${feature}: ${found}`).join("; ") };
  } catch {
    return askBpftool();
  }
}

async function askBpftool(): Promise<KernelProbe> {
  try {
    const { stdout } = await promisify(execFile)("bpftool", ["feature", "probe", "kernel"], { timeout: 60_000 });
    const hasCgroupBpf = stdout.includes("eBPF program_type cgroup_sock_addr is available");
    return { hasCgroupBpf, why: `bpftool says cgroup_sock_addr is ${hasCgroupBpf ? "" : "not "}available` };
  } catch (error) {
    return { hasCgroupBpf: false, why: `neither the addon nor bpftool could ask: ${String(error)}` };
  }
}

function cgroup2Mount(): string {
  const line = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .find((entry) => entry.split(" ")[2] === "cgroup2");
  return line?.split(" ")[1] ?? "/sys/fs/cgroup";
}
