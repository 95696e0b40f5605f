/** Tokens as they are shown over the API: who shows one, and an event for each that is not taken. Verifies nothing itself. */
import type { Clock } from "../base/clock.ts";
import { codeOf, messageOf } from "../base/errors.ts";
import type { Tokens } from "../identity/tokens.ts";
import { type AuditEvent, processFields } from "../model/event.ts";
import type { RunParts } from "./runs.ts";

export function identifier(
  tokens: Pick<Tokens, "identify">,
  clock: Clock,
  emit: (event: AuditEvent) => void,
): RunParts["identify"] {
  return async (token, agent, caller) => {
    try {
      return await tokens.identify(token, agent);
    } catch (error) {
      const fields = { code: codeOf(error), ...processFields(caller) };
      emit({ atMs: clock.nowMs(), kind: "agent.identity.refused", agent, message: messageOf(error), fields });
      throw error;
    }
  };
}
