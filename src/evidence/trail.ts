/**
 * The audit trail as evidence: its lines against each other, its checkpoints against the host's key, and what it knows
 * of recordings. Reads only.
 */
import type { KeyObject } from "node:crypto";
import { type Head, type JournalEvent, NO_HASH } from "../audit/lines.ts";
import { verifyJournal } from "../audit/verify.ts";
import type { Finding } from "../audit/verify-lines.ts";
import { TRAIL_HASHES_MAX } from "../base/limits.ts";
import {
  CHECKPOINT_KIND,
  type Checkpoint,
  checkpointIn,
  FIRST_PREVIOUS,
  identityOf,
  isSignedBy,
  keyIdOf,
  rootsIn,
} from "./checkpoint.ts";
import type { EvidenceFinding } from "./finding.ts";
import { type SignedRoot, signedRoot } from "./signed-root.ts";

export interface TrailKnowledge {
  readonly lines: number;
  readonly checkpoints: number;
  readonly last: Checkpoint | undefined;
  readonly roots: ReadonlyMap<string, SignedRoot>;
  /** Sessions of which the trail tells that they began. */
  readonly started: ReadonlySet<string>;
  /** Sessions whose recording was deleted in order: their tombstones are signed. */
  readonly deleted: ReadonlySet<string>;
  /** Sessions of which the trail tells that the disk did not take all of their recording. */
  readonly gaps: ReadonlySet<string>;
}

export interface TrailOptions {
  readonly dir: string;
  readonly publicKey: KeyObject;
  /** A checkpoint as somebody outside of this host got it. */
  readonly anchor?: Checkpoint;
}

const BEGINNING: Head = { seq: 0, hash: NO_HASH };
/** Tombstones of recordings, as retention writes them. */
const DELETED_KIND = "recording.delete";
const HELD_KIND = "recording.hold";
const UNHELD_KIND = "recording.unhold";
const GAP_KIND = "recording.gap";
/** Of a session that ended because it could not be recorded. */
const UNRECORDED_CODE = "RECORDING_FAILED";

/** Every finding; what it returns at the end is what the trail knows. Throws errno errors. */
export async function* verifyTrail({
  dir,
  publicKey,
  anchor,
}: TrailOptions): AsyncGenerator<EvidenceFinding, TrailKnowledge> {
  const reading = new Reading(publicKey, anchor);
  // nothing removes a trail's beginning in order: where it does not begin with the first event, somebody did
  const journal = verifyJournal(dir, { before: BEGINNING, each: (event, hash) => reading.take(event, hash) });
  let step = await journal.next();
  for (; !step.done; step = await journal.next()) {
    yield findingOf(step.value);
    yield* reading.takeFindings();
  }
  yield* reading.takeFindings();
  yield* reading.end(step.value.head);
  return reading.knowledge(step.value.lines);
}

class Reading {
  readonly #publicKey: KeyObject;
  readonly #keyId: string;
  readonly #anchor: Checkpoint | undefined;
  readonly #roots = new Map<string, SignedRoot>();
  readonly #started = new Set<string>();
  readonly #deleted = new Set<string>();
  /** Tombstones that no checkpoint has signed yet: anybody could have written them. */
  #unsigned: { readonly sessionId: string; readonly seq: number }[] = [];
  readonly #gaps = new Set<string>();
  /** Sessions under legal hold. */
  readonly #held = new Set<string>();
  #findings: EvidenceFinding[] = [];
  /** Of the lines since the one that the last checkpoint names. */
  readonly #hashes = new Map<number, string>();
  /** Of the first line that is kept; those before it were removed in order. */
  #first: number | undefined;
  #last: Checkpoint | undefined;
  /** Its number in the trail. */
  #lastSeq = 0;
  #checkpoints = 0;
  #isAnchored = false;

  constructor(publicKey: KeyObject, anchor: Checkpoint | undefined) {
    this.#publicKey = publicKey;
    this.#keyId = keyIdOf(publicKey);
    this.#anchor = anchor;
  }

  take(event: JournalEvent, hash: string): void {
    const { kind, sessionId, seq } = event;
    this.#first ??= seq;
    if (kind === CHECKPOINT_KIND) this.#checkpoint(event);
    else if (sessionId !== undefined) {
      if (kind === "session.start") this.#started.add(sessionId);
      if (kind === HELD_KIND) this.#held.add(sessionId);
      if (kind === UNHELD_KIND) this.#held.delete(sessionId);
      if (kind === DELETED_KIND) this.#delete(sessionId, seq);
      if (kind === GAP_KIND || event.fields?.["code"] === UNRECORDED_CODE) this.#gaps.add(sessionId);
    }
    this.#hashes.set(seq, hash);
    for (const oldest of this.#hashes.keys()) {
      if (this.#hashes.size <= TRAIL_HASHES_MAX) break;
      this.#hashes.delete(oldest);
    }
  }

  /** Whoever takes a hold out of the database has the daemon itself delete what was held, and sign that. */
  #delete(sessionId: string, seq: number): void {
    this.#unsigned.push({ sessionId, seq });
    if (!this.#held.has(sessionId)) return;
    const message = `event ${seq}: its recording was deleted under legal hold, which nobody had ended in order`;
    this.#findings.push({ verdict: "tampered", kind: "removed", where: sessionId, message });
  }

  takeFindings(): readonly EvidenceFinding[] {
    const taken = this.#findings;
    this.#findings = [];
    return taken;
  }

  *end(head: Head | undefined): Generator<EvidenceFinding, void> {
    const anchor = this.#anchor;
    if (anchor !== undefined && !this.#isAnchored) {
      const why = `checkpoint ${anchor.number}, which was given, is not in this trail: the host was set back, or its end was cut off`;
      yield { verdict: "tampered", kind: "rolled-back", where: "trail", message: why };
    }
    if (this.#last === undefined) {
      const message = "there is no checkpoint of this host's key yet: nothing is proved";
      yield { verdict: "unproved", kind: "unsigned", where: "trail", message };
    } else if (head !== undefined && head.seq > this.#lastSeq) {
      const message = `events ${this.#lastSeq + 1} to ${head.seq} are newer than the last checkpoint`;
      yield { verdict: "unproved", kind: "unsigned", where: "trail", message };
    }
  }

  knowledge(lines: number): TrailKnowledge {
    return {
      ...{ lines, checkpoints: this.#checkpoints, last: this.#last },
      ...{ roots: this.#roots, started: this.#started, deleted: this.#deleted, gaps: this.#gaps },
    };
  }

  #checkpoint(event: JournalEvent): void {
    const checkpoint = checkpointIn(event);
    const where = `event ${event.seq}`;
    if (checkpoint === undefined) {
      this.#blame("signature", where, "it is no checkpoint that can be read");
      return;
    }
    const { number } = checkpoint;
    const named = `checkpoint ${number}`;
    if (checkpoint.key !== this.#keyId || !isSignedBy(checkpoint, this.#publicKey)) {
      const isOther = checkpoint.key !== this.#keyId;
      this.#blame(
        "signature",
        named,
        isOther ? `another key signed it, ${checkpoint.key}` : "its signature is not right",
      );
      return;
    }
    if (!this.#isOver(checkpoint)) {
      this.#blame("changed", named, `it was signed over another trail up to event ${checkpoint.seq}`);
    }
    if (!this.#isNext(checkpoint)) {
      const last = this.#last?.number ?? 0;
      this.#blame("missing", named, `it does not follow checkpoint ${last}: some between are gone`);
    }
    if (this.#anchor !== undefined && identityOf(this.#anchor) === identityOf(checkpoint)) this.#isAnchored = true;
    this.#last = checkpoint;
    this.#lastSeq = event.seq;
    this.#checkpoints += 1;
    for (const { sessionId, seq } of this.#unsigned) if (seq <= checkpoint.seq) this.#deleted.add(sessionId);
    this.#unsigned = this.#unsigned.filter(({ seq }) => seq > checkpoint.seq);
    for (const seq of this.#hashes.keys()) {
      if (seq >= checkpoint.seq) break;
      this.#hashes.delete(seq);
    }
    for (const root of rootsIn(checkpoint)) {
      this.#roots.set(root.sessionId, signedRoot(this.#roots.get(root.sessionId), root, number, event.atMs));
    }
  }

  #isOver({ seq, hash }: Checkpoint): boolean {
    if (seq < (this.#first ?? 1)) return seq > 0 || hash === NO_HASH; // what it names was removed in order, or never was
    return this.#hashes.get(seq) === hash;
  }

  #isNext({ number, previous }: Checkpoint): boolean {
    if (this.#last !== undefined) return previous === identityOf(this.#last);
    return number === 1 ? previous === FIRST_PREVIOUS : (this.#first ?? 1) > 1;
  }

  #blame(kind: EvidenceFinding["kind"], where: string, message: string): void {
    this.#findings.push({ verdict: "tampered", kind, where, message });
  }
}

function findingOf({ kind, file, line, seq, reason }: Finding): EvidenceFinding {
  const place = line === 0 ? file : `${file}, line ${line}`;
  const message = `${place}, event ${seq}: ${reason}`;
  return { verdict: "tampered", kind: kind === "missing-file" ? "removed" : kind, where: "trail", message };
}
