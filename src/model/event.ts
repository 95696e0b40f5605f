/** One line for the audit trail and the SIEM. Fields hold names and numbers, never row values or secrets. */
import type { Agent } from "./identity.ts";

export type EventFields = Readonly<Record<string, string | number | boolean>>;

export interface AuditEvent {
  readonly atMs: number;
  /** One of EVENT_KINDS in audit/kinds.ts, which says what each tells. */
  readonly kind: string;
  readonly agent?: string;
  readonly sessionId?: string;
  readonly connection?: string;
  /** One sentence for a person. */
  readonly message: string;
  readonly fields?: EventFields;
}

/** Who an agent is beyond its name: its groups in one text, and each claim (of a CI job, say) by its name. */
export function identityFields({ groups, claims }: Pick<Agent, "groups" | "claims">): EventFields {
  const named = Object.entries(claims).map(([name, value]) => [`claim.${name}`, value] as const);
  return { ...(groups.length > 0 ? { groups: groups.join(" ") } : {}), ...Object.fromEntries(named) };
}
