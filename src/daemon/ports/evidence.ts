/** What the API may ask about evidence, bound to trail, recordings and keys of this daemon. */
import { hostname } from "node:os";
import { join } from "node:path";
import { codeOf, UserError } from "../../base/errors.ts";
import { EVIDENCE_TOLD_MAX } from "../../base/limits.ts";
import type { EvidenceLine, EvidencePorts } from "../../control/evidence-ports.ts";
import { bundle } from "../../evidence/bundle.ts";
import { checkpointEvent, keyIdOf } from "../../evidence/checkpoint.ts";
import { readPublicKey } from "../../evidence/host-key.ts";
import type { VerifyOptions } from "../../evidence/verify.ts";
import type { SessionRow, SessionStore } from "../../store/sessions.ts";
import { entriesOf } from "../entries.ts";
import { anchorIn, EXPORTS, evidenceLines } from "../evidence.ts";
import { refuseHeldKey } from "../held-key.ts";
import { type PortParts, tell } from "./parts.ts";

export function evidencePorts(parts: PortParts): EvidencePorts {
  const { stateDir, recordings, sessions, index, checkpointer, dataKeys, clock, emit } = parts;
  const { events, publicKey } = parts.evidence;
  return {
    async verify({ session, anchor }) {
      const beganMs = clock.nowMs();
      await index.flush();
      if (session !== undefined && (await index.get(session)) === undefined) throw unknownSession(session);
      const live = new Set(sessions.list().map(({ sessionId }) => sessionId)); // before the checkpoint: who leaves meanwhile is on both sides of it
      const options: VerifyOptions = {
        ...{ events, recordings, publicKey: readPublicKey(publicKey), keys: parts.sessionKeys },
        checkpoint: () => checkpointer.checkpoint(),
        index: { get: (id) => index.get(id), each: () => rowsBefore(index, beganMs) },
        isLive: (id) => live.has(id) || sessions.list().some(({ sessionId }) => sessionId === id),
        ...(session === undefined ? {} : { sessionId: session }),
        ...(anchor === undefined ? {} : { anchor: anchorIn(anchor) }),
      };
      return parts.retention.keeping(told(evidenceLines(options)));
    },
    key: async () => ({ id: keyIdOf(readPublicKey(publicKey)), publicKey }),
    async checkpoint() {
      await checkpointer.checkpoint();
      return checkpointer.last === undefined ? undefined : checkpointEvent(checkpointer.last);
    },
    async bundle(sessionId) {
      await index.flush();
      const row = await index.get(sessionId);
      if (row === undefined) return undefined;
      await checkpointer.checkpoint();
      const { startedMs, state } = row;
      return bundle({
        ...{ sessionId, startedMs, state, recordings, events, publicKey },
        ...{ host: hostname(), nowMs: clock.nowMs(), keys: parts.sessionKeys, scratch: join(stateDir, EXPORTS) },
        keyIds: dataKeys.list().map(({ id }) => id),
        read: (entries) => entriesOf(entries, startedMs, state),
      });
    },
    dataKeys: async () => dataKeys.list(),
    async destroyDataKey(id, reason, caller) {
      await refuseHeldKey(id, await parts.retention.listHolds(), recordings);
      const told = () => tell(parts, "recording.key.destroy", `The data key ${id} was destroyed: ${reason}`, caller);
      await dataKeys.destroy(id, reason).catch((error: unknown) => {
        if (codeOf(error) === "DATA_KEY_LEFT") told(); // nobody reads with it any more
        throw error;
      });
      told();
    },
  };

  /** What was tampered with goes into the trail itself, up to a number of findings. */
  async function* told(lines: AsyncIterable<EvidenceLine>): AsyncGenerator<EvidenceLine> {
    let findings = 0;
    for await (const line of lines) {
      if (line.kind === "finding" && line.verdict === "tampered" && findings++ < EVIDENCE_TOLD_MAX) {
        const { what, where, message } = line;
        emit({
          atMs: clock.nowMs(),
          kind: "evidence.tamper",
          message: `${where}: ${message}`,
          fields: { what, where },
        });
      }
      yield line;
    }
  }
}

/** What begins while it is verified is not in the trail as it was read. */
async function* rowsBefore(index: SessionStore, beganMs: number): AsyncGenerator<SessionRow> {
  for await (const row of index.each()) if (row.startedMs < beganMs) yield row;
}

function unknownSession(id: string): UserError {
  const message = `Cannot verify session ${JSON.stringify(id)}: there is none of that id`;
  return new UserError("SESSION_UNKNOWN", message, "List them: sallyport sessions");
}
