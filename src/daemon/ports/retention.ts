/** What the API may ask about how long recordings are kept, bound to the retention of this daemon. */
import type { RetentionPorts } from "../../control/retention-ports.ts";
import { userFields } from "../../model/event.ts";
import { type PortParts, tell } from "./parts.ts";

export function retentionPorts(parts: PortParts): RetentionPorts {
  const { retention, clock } = parts;
  return {
    plan: () => retention.plan(),
    async run(caller) {
      const gone = await retention.run();
      tell(parts, "recording.retention", `Retention was asked for: ${gone.length} recordings went`, caller);
      return gone;
    },
    holds: async () => (await retention.listHolds()).map(({ uid, ...hold }) => ({ ...hold, ...userFields(uid) })),
    async hold(sessionId, reason, caller) {
      const { account: human, name: humanName } = caller.acting?.human ?? {};
      const by = human === undefined || humanName === undefined ? {} : { human, humanName };
      await retention.hold({ sessionId, reason, uid: caller.uid, ...by, sinceMs: clock.nowMs() });
      tell(parts, "recording.hold", `The recording of ${sessionId} is kept: ${reason}`, caller, { sessionId });
    },
    async unhold(sessionId, caller) {
      await retention.unhold(sessionId);
      const message = `The recording of ${sessionId} is no longer kept against the settings`;
      tell(parts, "recording.unhold", message, caller, { sessionId });
    },
  };
}
