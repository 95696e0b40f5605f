/** Verification without a daemon: of a state folder, of a copy of one, of a bundle. Reads; changes nothing. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { UserError } from "../base/errors.ts";
import type { EvidenceLine, OfflineVerification } from "../control/evidence-ports.ts";
import { verifyBundle as check, checkpointOf, type Manifest } from "../evidence/bundle.ts";
import type { Checkpoint } from "../evidence/checkpoint.ts";
import type { EvidenceFinding } from "../evidence/finding.ts";
import { readPublicKey } from "../evidence/host-key.ts";
import { type Verification, type VerifyOptions, verifyEvidence } from "../evidence/verify.ts";
import type { ReadEntry } from "../recorder/read.ts";
import type { SessionState } from "../store/sessions.ts";
import { entriesOf } from "./entries.ts";

/** Of the state folder: where exports are put together. What a daemon that died left in it is removed at the next start. */
export const EXPORTS = "exports";
const PROGRESS_EVERY_MS = 1_000;

export async function* verifyOffline(asked: OfflineVerification): AsyncGenerator<EvidenceLine> {
  const { stateDir, publicKey, session, anchor } = asked;
  const [events, recordings] = [join(stateDir, "events"), join(stateDir, "recordings")];
  if (!existsSync(events)) {
    const message = `Cannot verify ${stateDir}: it has no folder "events"`;
    throw new UserError("STATE_UNREADABLE", message, "Name a state folder, or a copy of one");
  }
  yield* evidenceLines({
    ...{ events, recordings, publicKey: readPublicKey(publicKey) },
    ...(session === undefined ? {} : { sessionId: session }),
    ...(anchor === undefined ? {} : { anchor: anchorIn(anchor) }),
  });
}

export async function* verifyBundle(asked: {
  readonly file: string;
  readonly publicKey: string;
  readonly scratch: string;
  readonly session?: string;
  readonly anchor?: string;
}): AsyncGenerator<EvidenceLine> {
  const { session, anchor, ...rest } = asked;
  if (anchor !== undefined) anchorIn(anchor);
  const { findings, records, newest } = await check({
    ...{ ...rest, read },
    ...(session === undefined ? {} : { sessionId: session }),
    ...(anchor === undefined ? {} : { anchor: anchor.trim().split("\n").at(-1) ?? "" }),
  });
  for (const finding of findings) yield lineOf(finding);
  const of = (verdict: EvidenceFinding["verdict"]) => findings.filter((finding) => finding.verdict === verdict).length;
  yield {
    ...{ kind: "summary", events: 0, checkpoints: newest === undefined ? 0 : 1, sessions: 1, records },
    ...(newest === undefined ? {} : { last: newest }),
    ...{ tampered: of("tampered"), unproved: of("unproved") },
  };
}

/** Verifies, with a sign of life at least every PROGRESS_EVERY_MS: whoever waits does not give up. */
export async function* evidenceLines(options: VerifyOptions): AsyncGenerator<EvidenceLine> {
  let seen = { sessions: 0, records: 0 };
  const reading = verifyEvidence({
    ...options,
    progress: ({ sessions, records }) => {
      seen = { sessions, records };
    },
  });
  for (;;) {
    const next = reading.next();
    let step: Awaited<typeof next> | undefined;
    while (step === undefined) {
      step = await Promise.race([next, wait(PROGRESS_EVERY_MS, undefined, { ref: false })]);
      if (step === undefined) yield { kind: "progress", ...seen };
    }
    if (step.done === true) {
      yield summaryOf(step.value);
      return;
    }
    yield lineOf(step.value);
  }
}

function summaryOf({ last, ...counts }: Verification): EvidenceLine {
  return { kind: "summary", ...counts, ...(last === undefined ? {} : { last }) };
}

/** `text`: the line of a sink, or of `audit checkpoint`. Throws CHECKPOINT_UNREADABLE. */
export function anchorIn(text: string): Checkpoint {
  const checkpoint = checkpointOf(text.trim().split("\n").at(-1) ?? "");
  if (checkpoint !== undefined) return checkpoint;
  throw new UserError(
    "CHECKPOINT_UNREADABLE",
    "Cannot use the checkpoint: it is no event of the kind evidence.checkpoint",
    "Give the line as a sink in the native format got it, or as `sallyport audit checkpoint` printed it",
  );
}

function read(entries: AsyncIterable<ReadEntry>, { startedMs, state }: Manifest): AsyncIterable<unknown> {
  return entriesOf(entries, startedMs, state as SessionState);
}

function lineOf({ verdict, kind, where, message }: EvidenceFinding): EvidenceLine {
  return { kind: "finding", verdict, what: kind, where, message };
}
