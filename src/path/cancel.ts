/** What a client's request to cancel does: the backend of the session that it names is told, if that is the agent's own. */
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { CANCELS_MAX } from "../base/limits.ts";
import type { AuditEvent } from "../model/event.ts";
import type { Agent } from "../model/identity.ts";
import type { Cancellable, Sessions } from "./sessions.ts";
import { cancelUpstream } from "./upstream.ts";

interface CancelParts {
  readonly clock: Clock;
  readonly sessions: Sessions;
  readonly emit: (event: AuditEvent) => void;
}

/** How many are under way, by what they cancel. */
const cancelling = new WeakMap<Cancellable, number>();

/** An agent may cancel only what a session of its own runs. Never rejects. */
export async function cancelFor(parts: CancelParts, agent: Agent, key: Uint8Array): Promise<void> {
  const found = parts.sessions.findCancel(key);
  const message = found?.backend.protocol.cancelMessage?.(found.cancel);
  if (found === undefined || message === undefined || found.agent.slot !== agent.slot) return;
  // What waits for a human never reached the backend.
  if (parts.sessions.cancelHeld(found.sessionId, "canceling statement due to user request")) return;
  const running = cancelling.get(found) ?? 0;
  if (running >= CANCELS_MAX) return; // the server has been told, and does not hang up
  cancelling.set(found, running + 1);
  try {
    await cancelUpstream(found.backend, message);
  } catch (error) {
    const about = { atMs: parts.clock.nowMs(), agent: agent.name, sessionId: found.sessionId };
    parts.emit({ ...about, kind: "cancel.failed", message: `A cancel did not reach its backend: ${messageOf(error)}` });
  } finally {
    cancelling.set(found, (cancelling.get(found) ?? 1) - 1);
  }
}
