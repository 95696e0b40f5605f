/** The kernel's clock since boot, sleep included: the one by which BPF programs end an observation. */
import { readFileSync } from "node:fs";

/** CLOCK_BOOTTIME in nanoseconds, to a hundredth of a second. Source: proc(5), /proc/uptime. */
export function bootNs(): bigint {
  const seconds = /^(\d+)\.(\d\d)/.exec(readFileSync("/proc/uptime", "utf8"));
  if (seconds === null) throw new Error("Cannot read the time since boot from /proc/uptime");
  return BigInt(seconds[1] ?? 0) * 1_000_000_000n + BigInt(seconds[2] ?? 0) * 10_000_000n;
}

/** Another one after every start of the host, by which one boot's times are told from another's. Source: random(4). */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
