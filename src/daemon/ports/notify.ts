/** What the API may ask about who is told of held actions, bound to the notifier of this daemon. */
import type { NotifyPorts } from "../../control/notify-ports.ts";
import { type PortParts, tell } from "./parts.ts";

export function notifyPorts(parts: PortParts): NotifyPorts {
  const { notifier } = parts;
  return {
    list: async () => notifier.status(),
    async test(name, caller) {
      const problem = await notifier.test(name);
      const how = problem === undefined ? "was taken" : "was not taken";
      tell(parts, "notify.test", `A test message to ${name} ${how}`, caller);
      return problem === undefined ? { ok: true, detail: "taken" } : { ok: false, detail: problem };
    },
  };
}
