/** One line for the audit trail and the SIEM. Fields hold names and numbers, never row values or secrets. */
import type { Agent, AgentIdentity } from "./identity.ts";

export type EventFields = Readonly<Record<string, string | number | boolean>>;

/** Whose doing something is: the user of the process, where one of this host asked, and the human where one acts. */
export type Doer = EventFields & { readonly uid?: number };

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

/** The user of a process; nothing where none of this host asked. */
export function userFields(uid: number | undefined): { readonly uid?: number } {
  return uid === undefined ? {} : { uid };
}

/** User and number of a process; nothing where none of this host asked. */
export function processFields(process: { readonly uid: number | undefined; readonly pid: number | undefined }) {
  const { uid, pid } = process;
  return { ...userFields(uid), ...(pid === undefined ? {} : { pid }) };
}

type Who = Pick<Agent, "groups" | "claims"> & { readonly identity?: Pick<AgentIdentity, "issuer" | "subject"> };

/** Who an agent is beyond its name: its groups in one text, each claim (of a CI job, say) by its name, and who says so. */
export function identityFields({ groups, claims, identity }: Who): EventFields {
  const named = Object.entries(claims).map(([name, value]) => [`claim.${name}`, value] as const);
  const by = identity === undefined ? {} : { issuer: identity.issuer, subject: identity.subject };
  return { ...(groups.length > 0 ? { groups: groups.join(" ") } : {}), ...by, ...Object.fromEntries(named) };
}
