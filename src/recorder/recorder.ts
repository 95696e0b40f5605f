/**
 * Sessions become files: opens recordings, writes what lies idle in them, and after a crash brings the
 * index up to what the files say. A recording is never changed afterwards, not even by recovery.
 */
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { ARCHIVE_BYTES_MIN, LISTED_ROWS_MAX, RECORD_IDLE_MS, ROOTS_WAITING_MAX } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { QuotedIn } from "../model/protocol.ts";
import { createCommits } from "../store/commits.ts";
import { preparePrivateFolder } from "../store/database.ts";
import type { WriteBytes } from "../store/segment.ts";
import type { SessionStore } from "../store/sessions.ts";
import { createArchive } from "./archive.ts";
import { hexOf } from "./block.ts";
import { Chain } from "./chain.ts";
import { dayOf, listDays, listSessions, segmentName } from "./files.ts";
import type { RecordingStart } from "./format.ts";
import { OpenRecording, type RecordingWorld } from "./open-recording.ts";
import { createPrepare, type Scrub, type StandAlone } from "./prepare.ts";
import { type ReadBlockOf, readRecording } from "./read.ts";
import type { Recording } from "./recording.ts";
import { createSealing, type SessionKeys, sessionKey } from "./seal.ts";
import { createTally } from "./tally.ts";

export type { Recording } from "./recording.ts";

/** What was noted and is in no file yet. */
export interface RecorderLag {
  readonly bytes: number;
  /** Age of the oldest of it; 0 where there is nothing. */
  readonly ageMs: number;
}

export interface Recorder {
  /** Makes the session's file and writes its start. Throws UserError RECORDING_FAILED: refuse the client. */
  open(start: RecordingStart, quotedIn?: QuotedIn): Recording;
  /**
   * To be called at the start of the daemon, before the first session: sessions that no daemon ended become
   * `interrupted`, and files that the index has not heard of are indexed. What ended since `signedMs`, the time of the
   * newest checkpoint, is given to the next one as it is found.
   */
  recoverOpen(signedMs: number): Promise<{ readonly interrupted: number; readonly indexed: number }>;
  /** Builds the whole index anew; sessions that run are left as they are. Returns the number of sessions. */
  reindex(): Promise<number>;
  /** At this moment, over all open recordings. */
  lag(): RecorderLag;
  /**
   * What recordings came to since the last call: the head of each segment that was closed, and of each recording
   * that grew. For a checkpoint, which keeps it; who cannot keep it gives it back.
   */
  takeRoots(): readonly Root[];
  giveBack(roots: readonly Root[]): void;
  /** Segments that are closed and not compressed yet. */
  readonly uncompressed: number;
  /** Writes what waits in open recordings; does not end them. */
  close(): Promise<void>;
}

/** A chain's head at one instant: whoever knows it knows of every change, cut and addition before it. */
export interface Root {
  readonly sessionId: string;
  readonly segment: number;
  /** Of the last record. */
  readonly sequence: number;
  /** Of the last block, in hex. */
  readonly hash: string;
  /** `open`: more may follow in this segment. `interrupted`: as it was found after the daemon died; nothing follows. */
  readonly state: "open" | "closed" | "interrupted";
}

export interface RecorderOptions {
  /** `<state>/recordings`. */
  readonly dir: string;
  readonly clock: Clock;
  readonly scrub: Scrub;
  /** Absent: every text is searched. */
  readonly standAlone?: StandAlone;
  readonly index: SessionStore;
  readonly log: Log;
  /** How bytes reach the disk; for tests of a failing one. */
  readonly writeBytes?: WriteBytes;
  /** `write` (unless told): a decision survives the death of the process. `fsync`: also a loss of power. */
  readonly durability?: () => "write" | "fsync";
  /** See Recording; `deny` unless told. */
  readonly whenFull?: () => "deny" | "continue";
  /** The data key for sessions that begin now; undefined: they are not sealed. */
  readonly dataKey?: () => { readonly id: string; readonly secret: Uint8Array } | undefined;
  readonly keys?: SessionKeys;
  readonly tell?: RecordingWorld["tell"];
  readonly faults?: RecorderFaults;
}

/** For tests of crashes and of lost power only. */
export interface RecorderFaults {
  /** Decisions are kept; what they allow is not forwarded yet. */
  readonly kept?: () => void;
  /** So much of a file is on the disk. */
  readonly synced?: (file: string, bytes: number) => void;
}

export async function createRecorder(options: RecorderOptions): Promise<Recorder> {
  const { dir, clock, scrub, index, log } = options;
  preparePrivateFolder(dir);
  const live = new Map<string, OpenRecording>();
  const archive = createArchive(log);
  const commits = createCommits(options.faults?.synced);
  let roots: Root[] = [];
  const awake = new Set<OpenRecording>();
  let timer: NodeJS.Timeout | undefined;

  function visit(): void {
    timer = undefined;
    const waiting = [...awake];
    awake.clear();
    for (const recording of waiting) recording.idle();
  }

  const prepare = createPrepare(scrub, options.standAlone);
  const worldOf = (): RecordingWorld => ({
    ...{ clock, log, index, scrub, prepare },
    isSettled: options.durability?.() === "fsync",
    kept: options.faults?.kept ?? (() => {}),
    whenFull: options.whenFull?.() ?? "deny",
    tell: options.tell ?? ((session, kind, message) => log.warn(message, { session, kind })),
    wake(recording) {
      awake.add(recording);
      timer ??= setTimeout(visit, RECORD_IDLE_MS).unref();
    },
    ended(recording) {
      awake.delete(recording);
      live.delete(recording.sessionId);
    },
  });

  function addRoot(root: Root): void {
    if (roots.length < ROOTS_WAITING_MAX) roots.push(root);
    else log.error("Too many recordings wait for a checkpoint", { session: root.sessionId });
  }

  function chainOf(sessionId: string, day: string, isSettled: boolean): Chain {
    const key = options.dataKey?.();
    return new Chain({
      sessionId,
      fileOf: (segment) => join(dir, day, segmentName(sessionId, segment)),
      sealing: key === undefined ? undefined : createSealing(key.id, sessionKey(key.secret, sessionId)),
      commits: isSettled ? commits : undefined,
      writeBytes: options.writeBytes,
      closed: ({ file, size, segment, sequence, hash, isSealed }) => {
        addRoot({ sessionId, segment, sequence, hash: hexOf(hash), state: "closed" });
        if (!isSealed && size >= ARCHIVE_BYTES_MIN) archive.add(file);
      },
    });
  }

  /** Reads one recording into the index; what was not signed by `signedMs` is to be. */
  async function indexOne(
    sessionId: string,
    day: string,
    signedMs: number,
  ): Promise<"ended" | "interrupted" | undefined> {
    const tally = createTally(join(day, segmentName(sessionId, 1)));
    let head: Root | undefined;
    const keys = options.keys ?? (() => undefined);
    const onBlock = (block: ReadBlockOf) => {
      head = { sessionId, ...block, state: "interrupted" };
    };
    for await (const entry of readRecording(dir, sessionId, { day, keys, onBlock })) {
      if (entry.kind === "damaged")
        log.warn("A recording ends early", { file: entry.file, offset: entry.offset, why: entry.why });
      tally.add(entry);
    }
    const session = tally.session();
    if (session === undefined) return undefined;
    if (head !== undefined && (session.endedMs ?? 0) >= signedMs) addRoot(head);
    index.put(session);
    await index.flush();
    return session.state === "ended" ? "ended" : "interrupted";
  }

  return {
    open(start, quotedIn) {
      const day = dayOf(start.startedAtMs);
      const indexFile = join(day, segmentName(start.sessionId, 1));
      const world = worldOf();
      const chain = chainOf(start.sessionId, day, world.isSettled);
      const recording = new OpenRecording(world, start, { chain, indexFile }, quotedIn);
      live.set(start.sessionId, recording);
      return recording;
    },

    async recoverOpen(signedMs) {
      let interrupted = 0;
      let indexed = 0;
      const seen = new Set<string>();
      for (;;) {
        const open = await index.list({ state: "open", limit: LISTED_ROWS_MAX });
        const left = open.filter(({ id }) => !live.has(id) && !seen.has(id));
        if (left.length === 0) break;
        for (const row of left) {
          seen.add(row.id);
          const day = dayIn(row.file);
          const state = await indexOne(row.id, day, 0).catch((error: unknown) => {
            log.error("Cannot recover a recording", { session: row.id, error: String(error) });
            return undefined;
          });
          // No file, or none that can be read: the row alone is left to say that there was a session.
          if (state === undefined) index.put({ ...row, state: "interrupted", endedMs: row.endedMs ?? row.startedMs });
          if (state !== "ended") interrupted += 1;
          indexed += 1;
        }
        await index.flush();
      }
      // Sessions whose row never reached the index started at most a moment before the last that did.
      const newest = (await index.list({ limit: 1 }))[0];
      const since = newest === undefined ? "" : dayOf(newest.startedMs - DAY_MS);
      for (const day of await listDays(dir)) {
        if (day < since) break;
        for (const id of await listSessions(dir, day)) {
          if (live.has(id) || (await index.get(id)) !== undefined) continue;
          const state = await indexOne(id, day, signedMs).catch(reportSkip(log, id));
          if (state === "interrupted") interrupted += 1;
          if (state !== undefined) indexed += 1;
        }
      }
      for (const { id, file } of await index.list({ state: "ended", endedSinceMs: signedMs, limit: LISTED_ROWS_MAX })) {
        if (!seen.has(id)) await indexOne(id, dayIn(file), signedMs).catch(reportSkip(log, id));
      }
      return { interrupted, indexed };
    },

    async reindex() {
      let sessions = 0;
      await index.flush();
      for (const day of await listDays(dir)) {
        for (const id of await listSessions(dir, day)) {
          if (live.has(id)) continue;
          // A row whose recording cannot be read (damaged, of a format before, its key destroyed) is all there is of it.
          if ((await indexOne(id, day, SIGNED).catch(reportSkip(log, id))) !== undefined) sessions += 1;
        }
      }
      return sessions;
    },

    lag() {
      let bytes = 0;
      let sinceMs: number | undefined;
      for (const { waiting } of awake) {
        if (waiting === undefined) continue;
        bytes += waiting.bytes;
        sinceMs = Math.min(sinceMs ?? waiting.sinceMs, waiting.sinceMs);
      }
      return { bytes, ageMs: sinceMs === undefined ? 0 : Math.max(0, clock.nowMs() - sinceMs) };
    },

    takeRoots() {
      for (const [sessionId, recording] of live) {
        const head = recording.takeHead();
        if (head !== undefined) addRoot({ sessionId, ...head, hash: hexOf(head.hash), state: "open" });
      }
      const taken = roots;
      roots = [];
      return taken;
    },

    giveBack(taken) {
      roots = [...taken, ...roots].slice(0, ROOTS_WAITING_MAX);
    },

    get uncompressed() {
      return archive.waiting;
    },

    async close() {
      clearTimeout(timer);
      visit();
      clearTimeout(timer);
      timer = undefined;
      await archive.settled();
      await index.flush();
    },
  };
}

const DAY_MS = 86_400_000;
/** An index that is built anew gives nothing to sign: what was changed meanwhile would be signed with the rest. */
const SIGNED = Number.POSITIVE_INFINITY;

function dayIn(file: string): string {
  return file.slice(0, "YYYY-MM-DD".length);
}

/** One recording that cannot be read keeps no other from being indexed. */
function reportSkip(log: Log, sessionId: string): (error: unknown) => undefined {
  return (error) => {
    const code = error instanceof UserError ? error.code : "INTERNAL";
    log.error("Cannot index a recording", { session: sessionId, code, error: String(error) });
    return undefined;
  };
}
