/**
 * How long the index rests after a piece of work: longer while the daemon itself is busy, so that what is indexed
 * costs those nothing who wait for a database. Reads what the kernel says of the first thread of the daemon, its parent.
 */
import { readFileSync } from "node:fs";

/** Of the time that it works, so much longer it rests: while the daemon is at leisure, and while it is busy. */
const REST = 2;
const REST_BUSY = 40;
const REST_MS_MAX = 10_000;
/** Of one core: from here on the daemon is busy. */
const BUSY_SHARE = 0.3;
/** Of proc_pid_stat(5): clock ticks of 1/100 s, as Linux has them on every machine that Node runs on. */
const TICK_MS = 10;

/** A function that says how long to rest after `workedMs` of work. */
export function createPace(
  busyMs = () => firstThreadMs(),
  nowMs = () => performance.now(),
): (workedMs: number) => number {
  let before = { busy: busyMs(), at: nowMs() };
  return (workedMs) => {
    const now = { busy: busyMs(), at: nowMs() };
    const share = (now.busy - before.busy) / Math.max(1, now.at - before.at);
    before = now;
    return Math.min(REST_MS_MAX, workedMs * (share > BUSY_SHARE ? REST_BUSY : REST));
  };
}

/** What the daemon's first thread, which has the process's own number, has computed so far. */
export function firstThreadMs(pid = process.ppid): number {
  const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from the third on
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
