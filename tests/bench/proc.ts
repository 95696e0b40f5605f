/** What the kernel says of one process: time on processors, and memory. Reads /proc, and writes no more than `clear_refs`. */
import { readFileSync, writeFileSync } from "node:fs";

/** Since the process began, or between two looks. */
export interface Cpu {
  readonly userUs: number;
  readonly systemUs: number;
  /** Of both, what the main thread used: JavaScript and the short way. The rest is the runtime's helpers. */
  readonly mainUs: number;
}

export interface Memory {
  readonly rssBytes: number;
  /** Highest since the process began, or since `forgetPeak`. */
  readonly peakBytes: number;
}

/** A tick of /proc/PID/stat: USER_HZ is 100 on every architecture that Node runs on. */
const TICK_US = 10_000;

/** Of all threads, also of those that have ended. Throws when there is no such process. */
export function cpuOf(pid: number): Cpu {
  const { userUs, systemUs } = timesIn(`/proc/${pid}/stat`);
  const main = timesIn(`/proc/${pid}/task/${pid}/stat`);
  return { userUs, systemUs, mainUs: main.userUs + main.systemUs };
}

export function cpuSince(before: Cpu, pid: number): Cpu {
  const now = cpuOf(pid);
  return {
    userUs: now.userUs - before.userUs,
    systemUs: now.systemUs - before.systemUs,
    mainUs: now.mainUs - before.mainUs,
  };
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
  return { rssBytes: bytes("VmRSS"), peakBytes: bytes("VmHWM") };
}

/** Source: proc(5), "/proc/pid/clear_refs": 5 sets VmHWM to VmRSS. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Source: proc(5), "/proc/pid/stat": utime and stime are fields 14 and 15; the name in field 2 may hold anything but ends at the last ")". */
function timesIn(file: string): { readonly userUs: number; readonly systemUs: number } {
  const text = readFileSync(file, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { userUs: Number(fields[11]) * TICK_US, systemUs: Number(fields[12]) * TICK_US };
}
