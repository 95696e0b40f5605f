/**
 * Ways in which tests make a daemon die at a chosen instant, by variables of its environment. Without them nothing of
 * this does anything.
 */
import { appendFileSync } from "node:fs";
import type { RecorderFaults } from "../recorder/recorder.ts";

/** Ends the daemon as a crash would, once a held action has reached the state of that name. */
export function holdFaults(environment: NodeJS.ProcessEnv): { kept?: (state: string) => void } {
  const state = environment["SALLYPORT_TEST_KILL_WHEN_HOLD_IS"];
  if (state === undefined) return {};
  return { kept: (reached) => void (reached === state && die()) };
}

/**
 * Ends it once decisions were kept for so many times, before what they allow is forwarded; writes down how much of each
 * recording the disk has, one "BYTES FILE" a line.
 */
export function recorderFaults(environment: NodeJS.ProcessEnv): { faults?: RecorderFaults } {
  const times = Number(environment["SALLYPORT_TEST_KILL_AFTER_KEPT"]);
  const journal = environment["SALLYPORT_TEST_SYNCED"];
  let left = times;
  const kept = () => {
    left -= 1;
    if (left === 0) die();
  };
  const synced = (file: string, bytes: number) => appendFileSync(journal ?? "", `${bytes} ${file}\n`);
  const faults = { ...(times > 0 ? { kept } : {}), ...(journal === undefined ? {} : { synced }) };
  return Object.keys(faults).length === 0 ? {} : { faults };
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}
