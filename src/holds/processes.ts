/** From one process up to the first of its agent, as /proc tells it now. Reads only. Source: proc(5). */
import { readFileSync, readlinkSync } from "node:fs";
import { PROCESS_TREE_MAX } from "../base/limits.ts";

export interface SeenProcess {
  readonly pid: number;
  readonly comm: string;
  /** "" where it may not be seen or the process is gone. */
  readonly executable: string;
}

/** `isInside` says whether a process is part of the agent; the walk ends with the first that is not. At most PROCESS_TREE_MAX. */
export function processesFrom(pid: number, isInside: (pid: number) => boolean): readonly SeenProcess[] {
  const seen: SeenProcess[] = [];
  for (let at = pid; at > 1 && seen.length < PROCESS_TREE_MAX && isInside(at); ) {
    const status = statusOf(at);
    if (status === undefined) break;
    const executable = executableOf(at);
    seen.push({ pid: at, comm: /^Name:\t(.*)$/m.exec(status)?.[1] ?? "", executable });
    at = Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1] ?? 0);
  }
  return seen;
}

function statusOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return undefined;
  }
}

function executableOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
}
