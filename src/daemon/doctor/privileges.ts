/** Whether this process may do what the daemon does, capability by capability. Source: capabilities(7). */
import type { DoctorCheck } from "../../control/ports.ts";
import type { Host } from "./kernel.ts";

interface Need {
  readonly bit: number;
  readonly name: string;
  readonly for: string;
  readonly without: "failed" | "warning";
}

/** The same that systemd/sallyport.service keeps. */
const NEEDS: readonly Need[] = [
  { bit: 39, name: "CAP_BPF", for: "to load programs and make maps", without: "failed" },
  { bit: 38, name: "CAP_PERFMON", for: "to trace with typed pointers", without: "failed" },
  { bit: 12, name: "CAP_NET_ADMIN", for: "to attach to cgroups and to end sockets", without: "failed" },
  { bit: 21, name: "CAP_SYS_ADMIN", for: "to listen in the network namespaces of agents", without: "failed" },
  {
    bit: 19,
    name: "CAP_SYS_PTRACE",
    for: "to see the namespaces and programs of other users' agents",
    without: "failed",
  },
  {
    bit: 2,
    name: "CAP_DAC_READ_SEARCH",
    for: "to read settings, secrets and container state of others",
    without: "warning",
  },
];

export function privilegeChecks(host: Host, uid: number): DoctorCheck[] {
  const root: DoctorCheck =
    uid === 0
      ? { name: "privileges", verdict: "ok", found: "root", remedy: "" }
      : { name: "privileges", verdict: "failed", found: `uid ${uid}`, remedy: "Run it with sudo" };
  const text = /^CapEff:\s+([0-9a-f]+)$/m.exec(host.read("/proc/self/status") ?? "")?.[1];
  const effective = BigInt(`0x${text ?? "0"}`);
  return [root, ...NEEDS.map((need) => capability(need, effective))];
}

function capability({ bit, name, for: purpose, without }: Need, effective: bigint): DoctorCheck {
  if (((effective >> BigInt(bit)) & 1n) === 1n) return { name, verdict: "ok", found: purpose, remedy: "" };
  const remedy = "Run it as root of the host; in a container or a unit, add this capability";
  return { name, verdict: without, found: `missing: ${purpose}`, remedy };
}
