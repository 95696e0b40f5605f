/**
 * Whether trail and recordings of a state folder are as they were written. Reads only, also a copied folder on another
 * machine: it needs the host's public key and no other secret.
 */
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { findDay, listDays } from "../recorder/files.ts";
import type { RecordEntry } from "../recorder/format.ts";
import type { SessionKeys } from "../recorder/seal.ts";
import { createTally } from "../recorder/tally.ts";
import type { EvidenceFinding } from "./finding.ts";
import { foreignRows, type IndexRows, rowFinding } from "./index-rows.ts";
import { isOfOlderFormat, type StoredSession, storedIn, verifySession } from "./recordings.ts";
import { type TrailKnowledge, type TrailOptions, verifyTrail } from "./trail.ts";

export interface VerifyOptions extends Omit<TrailOptions, "dir"> {
  /** `<state>/events` and `<state>/recordings`. */
  readonly events: string;
  readonly recordings: string;
  /** Only this session's recording. */
  readonly sessionId?: string;
  /** Of the daemon that asks; nothing is live in a copy. */
  readonly isLive?: (sessionId: string) => boolean;
  readonly keys?: SessionKeys;
  /** Signs what there is: called right before the trail is read, so that little is newer. */
  readonly checkpoint?: () => Promise<void>;
  /** The database's index of sessions, where it is to be looked at as well; its rows are all there. */
  readonly index?: IndexRows;
  /** Hears how far it has come, now and then. */
  readonly progress?: (seen: Pick<Verification, "sessions" | "records">) => void;
}

/** How far it came. */
export interface Verification {
  readonly events: number;
  readonly checkpoints: number;
  /** Number and time of the newest checkpoint. */
  readonly last: { readonly number: number; readonly atMs: number } | undefined;
  readonly sessions: number;
  readonly records: number;
  readonly bytes: number;
  readonly tampered: number;
  readonly unproved: number;
}

/** Every finding as it is found, and at the end how much was looked at. Throws errno errors. */
export async function* verifyEvidence(options: VerifyOptions): AsyncGenerator<EvidenceFinding, Verification> {
  const counts = { sessions: 0, records: 0, bytes: 0, tampered: 0, unproved: 0 };
  const counted = (finding: EvidenceFinding): EvidenceFinding => {
    counts[finding.verdict] += 1;
    return finding;
  };
  // listed before the trail is read: what begins meanwhile would be in the one and not in the other
  const listed: StoredSession[] = [];
  for (const day of await listDays(options.recordings)) {
    listed.push(...(await storedIn(join(options.recordings, day))).values());
  }
  await options.checkpoint?.();
  const trail = verifyTrail({ ...options, dir: options.events });
  let step = await trail.next();
  for (; !step.done; step = await trail.next()) yield counted(step.value);
  const known = step.value;
  for (const session of listed) {
    if (options.sessionId !== undefined && session.sessionId !== options.sessionId) continue;
    if (known.deleted.has(session.sessionId)) {
      yield* leftFindings(session, known, options, counted);
      continue;
    }
    const verdict = yield* sessionFindings(session, known, options, counted);
    counts.sessions += 1;
    counts.records += verdict.records;
    counts.bytes += verdict.bytes;
    options.progress?.(counts);
  }
  const stored = new Set(listed.map(({ sessionId }) => sessionId));
  for await (const finding of removedIn(known, stored, options)) yield counted(finding);
  if (options.index !== undefined && options.sessionId === undefined) {
    const isStored = (id: string) => stored.has(id) || (options.isLive?.(id) ?? false);
    for await (const finding of foreignRows(options.index, known, isStored)) yield counted(finding);
  }
  const { last } = known;
  return {
    ...{ events: known.lines, checkpoints: known.checkpoints, ...counts },
    last: last === undefined ? undefined : { number: last.number, atMs: last.atMs },
  };
}

async function* sessionFindings(
  session: StoredSession,
  known: TrailKnowledge,
  { isLive = () => false, keys, index }: VerifyOptions,
  counted: (finding: EvidenceFinding) => EvidenceFinding,
) {
  const { sessionId } = session;
  const root = known.roots.get(sessionId);
  if (root === undefined && !known.started.has(sessionId) && (await isOfOlderFormat(session))) {
    const message =
      "an earlier version wrote it, when nothing was signed: that nothing was changed in it cannot be proved";
    yield counted({ verdict: "unproved", kind: "unsigned", where: sessionId, message });
    return { records: 0, bytes: 0 };
  }
  if (root === undefined && !known.started.has(sessionId) && !isLive(sessionId)) {
    const message = "the audit trail knows of no such session";
    yield counted({ verdict: "tampered", kind: "unknown", where: sessionId, message });
  }
  if (root?.state === "interrupted" && root.before.length === 0 && !known.started.has(sessionId)) {
    const message =
      "a daemon found it when it began, and signed it as it lay there: nothing else tells of such a session";
    yield counted({ verdict: "unproved", kind: "unknown", where: sessionId, message });
  }
  const tally = createTally("");
  const each = (entry: RecordEntry) => tally.add(entry);
  const evidence = { root, isLive: isLive(sessionId), each, ...(keys === undefined ? {} : { keys }) };
  const findings = verifySession(session, evidence);
  let isWhole = !evidence.isLive;
  let step = await findings.next();
  for (; !step.done; step = await findings.next()) {
    isWhole &&= step.value.verdict !== "tampered";
    yield counted(step.value);
  }
  const recorded = isWhole ? tally.session() : undefined; // undefined, too, where its data key is not at hand
  if (index !== undefined && recorded !== undefined) {
    const finding = await rowFinding(index, recorded);
    if (finding !== undefined && !isLive(sessionId)) yield counted(finding);
  }
  await turn();
  return step.value;
}

/** Of a recording that has its tombstone: a crash may have left all of it, or its beginning. More is somebody's work. */
async function* leftFindings(
  session: StoredSession,
  { roots }: TrailKnowledge,
  { keys }: VerifyOptions,
  counted: (finding: EvidenceFinding) => EvidenceFinding,
) {
  const { sessionId } = session;
  const evidence = { root: roots.get(sessionId), isLive: false, ...(keys === undefined ? {} : { keys }) };
  let worst: EvidenceFinding | undefined;
  for await (const finding of verifySession(session, evidence)) {
    const isWork = finding.verdict === "tampered" && !LEFT_BY_CRASH.has(finding.kind);
    if (isWork || worst === undefined) worst = finding;
    if (isWork) break;
  }
  if (worst !== undefined) {
    const verdict = LEFT_BY_CRASH.has(worst.kind) ? "unproved" : worst.verdict;
    const message = `it was deleted in order, and what is here is not what was signed: ${worst.message}`;
    yield counted({ verdict, kind: worst.kind, where: sessionId, message });
  }
  await turn();
}

/** Files are deleted from the last to the first. */
const LEFT_BY_CRASH: ReadonlySet<EvidenceFinding["kind"]> = new Set(["removed", "truncated"]);

/** Sessions that the trail knows and that are not there, though nobody deleted them in order. */
async function* removedIn(
  known: TrailKnowledge,
  stored: ReadonlySet<string>,
  { sessionId: only, recordings }: VerifyOptions,
): AsyncGenerator<EvidenceFinding, void> {
  for (const sessionId of new Set([...known.started, ...known.roots.keys()])) {
    if (stored.has(sessionId) || known.deleted.has(sessionId)) continue;
    if (only !== undefined && only !== sessionId) continue;
    if (await isThere(recordings, sessionId)) continue; // it began after they were listed
    const signed = known.roots.get(sessionId);
    if (signed !== undefined) {
      const message = `its recording is gone: ${signed.sequence} records of it were signed, and nobody deleted it in order`;
      yield { verdict: "tampered", kind: "removed", where: sessionId, message };
    } else if (!known.gaps.has(sessionId)) {
      // with the gap, the disk did not take it, and the trail says so
      const message =
        "it began, and its recording is not there: the host died before a checkpoint had it, or it was removed";
      yield { verdict: "unproved", kind: "removed", where: sessionId, message };
    }
  }
}

async function isThere(recordings: string, sessionId: string): Promise<boolean> {
  return findDay(recordings, sessionId).then(
    () => true,
    () => false,
  );
}
