/** What one session tells the audit trail: each event with whose session it is, where it came from, and the policy in force. */
import { codeOf, messageOf } from "../base/errors.ts";
import type { Connection } from "../model/connection.ts";
import type { Refusal } from "../model/decision.ts";
import { type AuditEvent, type EventFields, identityFields } from "../model/event.ts";
import type { Agent } from "../model/identity.ts";
import type { Asked } from "../model/operation.ts";
import type { Origin } from "../model/origin.ts";

export interface ToldSession {
  readonly sessionId: string;
  readonly agent: Agent;
  readonly origin: Origin;
  readonly connection: Connection;
  /** The version of the policy in force. */
  readonly policy: () => string;
  readonly nowMs: () => number;
}

export class Told {
  readonly #session: ToldSession;
  readonly #fields: EventFields;

  constructor(session: ToldSession) {
    this.#session = session;
    const { agent, origin, connection } = session;
    this.#fields = { ...identityFields(agent), ...originFields(origin), protocol: connection.protocol };
  }

  get about(): Pick<AuditEvent, "atMs" | "agent" | "connection" | "sessionId"> {
    const { sessionId, agent, connection, nowMs } = this.#session;
    return { atMs: nowMs(), agent: agent.name, connection: connection.name, sessionId };
  }

  event(kind: string, message: string, fields: EventFields = {}): AuditEvent {
    return { ...this.about, kind, message, fields: { ...fields, ...this.#fields, policy: this.#session.policy() } };
  }

  refusal(answer: "allow" | "deny", { rules, message }: Refusal, asked: readonly Asked[]): AuditEvent {
    const fields = { rules: rules.join(" "), actions: actionsOf(asked) };
    if (answer === "deny") return this.event("action.deny", message, fields);
    return this.event("action.observed", `It was forwarded, but would be denied: ${message}`, fields);
  }

  allowed(rules: readonly string[], asked: readonly Asked[]): AuditEvent {
    return this.event("action.allow", "An operation was allowed", {
      rules: rules.join(" "),
      actions: actionsOf(asked),
    });
  }

  /** The agent is told less than this. */
  loginFailure(error: unknown): AuditEvent {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return this.event("upstream.failed", messageOf(cause), { code: codeOf(error) });
  }
}

function originFields(origin: Origin): EventFields {
  const { pid, uid, user, comm, executable, cgroup, cgroupId, netnsCookie, ...place } = origin;
  const { sourceAddress, sourcePort, address, port } = place;
  return {
    ...{ pid, uid, user, comm, executable, cgroup, cgroupId: cgroupId.toString(), netns: netnsCookie.toString() },
    ...{ sourceAddress, sourcePort, address, port },
  };
}

function actionsOf(asked: readonly Asked[]): string {
  return [...new Set(asked.flatMap(({ operation }) => operation.actions.map(({ name }) => name)))].join(" ");
}
