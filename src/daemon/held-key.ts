/** Whether a data key may go: what is under legal hold has to stay readable. Reads heads of recordings alone. */
import { join } from "node:path";
import { UserError } from "../base/errors.ts";
import { findDay, readBeginning, segmentName } from "../recorder/files.ts";
import { readHead } from "../recorder/segment.ts";
import type { LegalHold } from "../store/legal-holds.ts";

/** `dir`: the folder of recordings. Throws DATA_KEY_HELD; also where a head that is held cannot be read. */
export async function refuseHeldKey(id: string, holds: readonly LegalHold[], dir: string): Promise<void> {
  for (const { sessionId } of holds) {
    if ((await keyOf(sessionId, dir)) !== id) continue;
    throw new UserError(
      "DATA_KEY_HELD",
      `Cannot destroy the data key ${id}: ${sessionId} is sealed with it, and under legal hold`,
      `End the hold first: sallyport sessions unhold ${sessionId}`,
    );
  }
}

/** A session is sealed with one key from its beginning to its end. undefined: there is no recording any more. */
async function keyOf(sessionId: string, dir: string): Promise<string | undefined> {
  const day = await findDay(dir, sessionId).catch(() => undefined);
  if (day === undefined) return undefined;
  const beginning = await readBeginning(join(dir, day, segmentName(sessionId, 1)));
  return beginning && readHead(beginning.bytes).keyId;
}
