/** The newest checkpoint of a trail, from its end: a start must not read gigabytes. Checks nothing. */
import { journalFiles, linesOf } from "../audit/journal-files.ts";
import { readLine } from "../audit/lines.ts";
import { CHECKPOINT_KIND, type Checkpoint, checkpointIn } from "./checkpoint.ts";

/** Throws errno errors; undefined where there is none. */
export function newestCheckpoint(events: string): Checkpoint | undefined {
  for (const { path } of journalFiles(events).toReversed()) {
    let newest: Checkpoint | undefined;
    for (const { bytes, state } of linesOf(path)) {
      if (state !== "whole" || !Buffer.from(bytes).includes(CHECKPOINT_KIND)) continue;
      const event = readLine(bytes);
      newest = (event && checkpointIn(event)) ?? newest;
    }
    if (newest !== undefined) return newest;
  }
  return undefined;
}
