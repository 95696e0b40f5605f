/**
 * A recording as somebody looks at it: from a place in it, and on while the session runs. Reads the segments that are
 * needed, one at a time, and lets the daemon's other work through between records. Never writes.
 */
import { setImmediate as breathe, setTimeout as wait } from "node:timers/promises";
import { FOLLOW_EVERY_MS, FOLLOW_REST, REPLAY_RECORDS_AT_ONCE } from "../base/limits.ts";
import type { ReplayFrom, SessionEntry } from "../control/ports.ts";
import { listSegments, type ReadEntry, readRecording } from "../recorder/read.ts";
import type { SessionKeys } from "../recorder/seal.ts";
import type { SessionRow } from "../store/sessions.ts";
import { entriesOf } from "./entries.ts";

export interface ReplayWorld {
  readonly recordings: string;
  readonly keys: SessionKeys;
  /** The session as the index knows it now. */
  readonly rowOf: (id: string) => Promise<SessionRow | undefined>;
}

/** `follow`: until the session ends or the signal does. */
export async function* replay(
  world: ReplayWorld,
  row: SessionRow,
  from: ReplayFrom | undefined,
  follow: AbortSignal | undefined,
): AsyncGenerator<SessionEntry> {
  const segment = from === undefined ? 1 : await segmentOf(world, row, from);
  const read =
    follow === undefined
      ? readRecording(world.recordings, row.id, { day: dayOf(row), keys: world.keys, fromSegment: segment })
      : followed(world, row, segment, follow);
  let isBegun = false;
  for await (const entry of entriesOf(breathing(read), row.startedMs, row.state)) {
    // Once begun it goes on, also where a clock was set back.
    isBegun ||= from === undefined || (from.kind === "entry" ? entry.number >= from.number : entry.offsetMs >= from.ms);
    if (isBegun) yield entry;
  }
}

/** The last that began before the place: its head alone says so. */
async function segmentOf({ recordings }: ReplayWorld, row: SessionRow, from: ReplayFrom): Promise<number> {
  const segments = await listSegments(recordings, row.id, dayOf(row));
  const before = segments.filter(({ firstSequence, openedMs }) =>
    from.kind === "entry" ? firstSequence <= from.number : openedMs <= row.startedMs + from.ms,
  );
  return before.at(-1)?.segment ?? 1;
}

/** What is written while the session runs, and its end. What is torn may be half of a write. */
async function* followed(
  { recordings, keys, rowOf }: ReplayWorld,
  row: SessionRow,
  fromSegment: number,
  signal: AbortSignal,
): AsyncGenerator<ReadEntry> {
  let segment = fromSegment;
  let last = 0;
  while (!signal.aborted) {
    const beganMs = performance.now();
    const state = (await rowOf(row.id))?.state ?? "interrupted";
    const segments = await listSegments(recordings, row.id, dayOf(row));
    for await (const entry of readRecording(recordings, row.id, { day: dayOf(row), keys, fromSegment: segment })) {
      if (signal.aborted) return;
      if ("sequence" in entry) {
        if (entry.sequence <= last) continue;
        last = entry.sequence;
      } else if (state === "open" && (entry.kind !== "missing" || entry.fromSequence <= last)) continue;
      yield entry;
    }
    if (state !== "open") return;
    segment = segments.filter(({ firstSequence }) => firstSequence <= last).at(-1)?.segment ?? segment;
    // Reading again what is in the segment already must not become the daemon's work.
    const restMs = Math.max(FOLLOW_EVERY_MS, (performance.now() - beganMs) * FOLLOW_REST);
    await wait(restMs, undefined, { signal }).catch(() => undefined);
  }
}

async function* breathing(entries: AsyncIterable<ReadEntry>): AsyncGenerator<ReadEntry> {
  let records = 0;
  for await (const entry of entries) {
    records += 1;
    if (records % REPLAY_RECORDS_AT_ONCE === 0) await breathe();
    yield entry;
  }
}

function dayOf({ file }: SessionRow): string {
  return file.slice(0, "YYYY-MM-DD".length);
}
