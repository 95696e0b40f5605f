/** A host in small: recorder, trail and checkpoints in a folder of the test's own, to be tampered with. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Journal } from "../../src/audit/journal.ts";
import { SEGMENT_AGE_MS } from "../../src/base/limits.ts";
import { Checkpointer } from "../../src/evidence/checkpointer.ts";
import type { EvidenceFinding } from "../../src/evidence/finding.ts";
import { hostKey, publicPart, readPublicKey } from "../../src/evidence/host-key.ts";
import { newestCheckpoint } from "../../src/evidence/newest.ts";
import { type Verification, type VerifyOptions, verifyEvidence } from "../../src/evidence/verify.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import { createRecorder, type Recorder, type RecorderOptions } from "../../src/recorder/recorder.ts";
import { openStore } from "../../src/store/store.ts";
import { allow, answer, ask, DAY, NOON, start, summary } from "../recorder/kit.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

export interface Host {
  readonly state: string;
  readonly events: string;
  readonly recordings: string;
  readonly day: string;
  readonly clock: ReturnType<typeof handClock>;
  readonly recorder: Recorder;
  readonly checkpointer: Checkpointer;
  readonly publicKey: string;
  tell(event: Omit<AuditEvent, "atMs" | "message">): void;
  /** A whole session of `statements`, each in a segment of its own where `isLong`. */
  session(id: string, statements: number, length?: "short" | "long"): Promise<void>;
  /** The daemon dies and another one begins on the same folders. */
  restart(options?: Partial<RecorderOptions>): Promise<Host>;
  verify(options?: Partial<VerifyOptions>): Promise<{ findings: EvidenceFinding[]; verification: Verification }>;
}

/** `trailBytes`: a file of the trail is closed at this size. */
type HostOptions = Partial<RecorderOptions> & { readonly trailBytes?: number };

export async function host(t: TestContext, options: HostOptions = {}): Promise<Host> {
  const state = join(folder(t), "state");
  const store = await openStore(state, quietLog());
  t.after(() => store.close());
  return life(t, state, store.sessions, randomBytes(32), handClock(NOON), options);
}

async function life(
  t: TestContext,
  state: string,
  index: RecorderOptions["index"],
  seed: Uint8Array,
  clock: Host["clock"],
  { trailBytes, ...options }: HostOptions,
): Promise<Host> {
  const events = join(state, "events");
  const recordings = join(state, "recordings");
  const key = hostKey(seed);
  const publicKey = publicPart(key);
  const journal = Journal.open({ dir: events, ...(trailBytes === undefined ? {} : { fileBytes: trailBytes }) });
  const last = newestCheckpoint(events);
  t.after(() => journal.close());
  const scrub = (text: string) => text;
  const recorder = await createRecorder({ dir: recordings, clock, scrub, index, log: quietLog(), ...options });
  await recorder.recoverOpen(last?.atMs ?? 0);
  const trail = {
    head: () => journal.head,
    emit: (event: AuditEvent) => journal.append([event]),
    flush: async () => {},
    lost: 0,
  };
  const checkpointer = new Checkpointer({ clock, key, recorder, trail, last });
  const tell: Host["tell"] = (event) => journal.append([{ atMs: clock.nowMs(), message: event.kind, ...event }]);
  return {
    ...{ state, events, recordings, day: join(recordings, DAY), clock, recorder, checkpointer, publicKey, tell },
    async session(id, statements, length = "short") {
      const recording = recorder.open({ ...start(id), startedAtMs: clock.nowMs() });
      tell({ kind: "session.start", sessionId: id });
      for (let at = 1; at <= statements; at++) {
        if (length === "long") clock.advance(SEGMENT_AGE_MS + 1);
        recording.asked(at, [ask(`SELECT ${at} FROM ${id}`)], allow);
        recording.flush();
        recording.answered(answer(at));
      }
      await recording.end({ ...summary, endedAtMs: clock.nowMs() });
      tell({ kind: "session.end", sessionId: id });
    },
    restart: async (more = {}) => {
      journal.close();
      return life(t, state, index, seed, clock, { ...options, ...more });
    },
    async verify(more = {}) {
      const about = { events, recordings, publicKey: readPublicKey(publicKey) };
      const reading = verifyEvidence({ ...about, ...more });
      const findings: EvidenceFinding[] = [];
      let step = await reading.next();
      for (; !step.done; step = await reading.next()) findings.push(step.value);
      return { findings, verification: step.value };
    },
  };
}
