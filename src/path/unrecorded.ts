/**
 * Opens the recording of a session, or something in its place that takes nothing: the session is made all the same, so
 * that its client is refused in its own protocol and by a stable code. Nothing is ever forwarded without a recording.
 */
import { UserError } from "../base/errors.ts";
import type { QuotedIn } from "../model/protocol.ts";
import type { RecordingStart } from "../recorder/format.ts";
import type { Recorder, Recording } from "../recorder/recorder.ts";

export function openRecording(recorder: Recorder, start: RecordingStart, quotedIn: QuotedIn | undefined): Recording {
  try {
    return recorder.open(start, quotedIn);
  } catch (error) {
    if (!(error instanceof UserError)) throw error; // our own fault
    return refusing(error);
  }
}

/** Its session ends at its first decision, and is in the audit trail alone. */
function refusing(error: UserError): Recording {
  const refuse = (): never => {
    throw error;
  };
  return {
    counts: { statements: 0, denied: 0, masked: 0, rows: 0 },
    asked: refuse,
    decided: refuse,
    answered: refuse,
    output: refuse,
    looking: () => {},
    flush: refuse,
    settle: refuse,
    standing: refuse,
    lend: () => undefined,
    take: refuse,
    end: async () => {},
  };
}
