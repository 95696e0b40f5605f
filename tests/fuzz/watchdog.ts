/** Ends what does not end by itself, in the same thread: V8 breaks off even an endless loop. */
import { Script } from "node:vm";
import { FuzzFault } from "./fault.ts";

const RUN = Symbol.for("sallyport.fuzz.run");
const SCRIPT = new Script('globalThis[Symbol.for("sallyport.fuzz.run")]()');

export interface Patience {
  /** By the clock: then it is broken off. */
  readonly wallMs: number;
  /** By the processor: what was broken off and had used as much has hung; else the machine was busy with others. */
  readonly cpuMs: number;
}

/** Runs `run`. Throws FuzzFault "hang", or StarvedError when nothing can be said. */
export function within({ wallMs, cpuMs }: Patience, run: () => void): void {
  const holder = globalThis as { [RUN]?: () => void };
  const outer = holder[RUN];
  const before = process.threadCpuUsage();
  holder[RUN] = run;
  try {
    SCRIPT.runInThisContext({ timeout: wallMs });
  } catch (error) {
    if ((error as { readonly code?: string }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    const { user, system } = process.threadCpuUsage(before);
    const usedMs = (user + system) / 1000;
    if (usedMs < cpuMs) throw new StarvedError(`Cannot tell whether it hangs: it had ${usedMs} ms`);
    throw new FuzzFault("hang", `One event was not handled within ${cpuMs} ms`);
  } finally {
    if (outer === undefined) delete holder[RUN];
    else holder[RUN] = outer;
  }
}

/** The machine had no time for this process. */
export class StarvedError extends Error {}
