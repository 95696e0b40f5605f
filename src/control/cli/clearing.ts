/** What a command has half made goes again when it fails, and when a person ends it: nobody takes a part for the whole. */
import { rmSync } from "node:fs";

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs `work`; unless that succeeds, `path` is removed. After a signal the process ends by it, as it would have without. */
export async function clearingAway<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  const clear = () => rmSync(path, { recursive: true, force: true });
  const leave = (signal: NodeJS.Signals) => {
    clear();
    for (const name of ENDING) process.off(name, leave);
    process.kill(process.pid, signal);
  };
  for (const name of ENDING) process.on(name, leave);
  try {
    return await work();
  } catch (error) {
    clear();
    throw error;
  } finally {
    for (const name of ENDING) process.off(name, leave);
  }
}
