/** One grant as one agent has it at one moment, and why it may not count. */
import type { EventFields } from "../model/event.ts";
import type { GrantedConnections } from "../model/grant.ts";
import type { GivenGrant } from "../store/grants.ts";
import type { Tag } from "../store/tags.ts";

export interface Holding {
  /** Its name in the settings, or the id of one that was given. */
  readonly grant: string;
  readonly agent: string;
  readonly connections: GrantedConnections;
  readonly sinceMs: number;
  readonly endsMs: number;
  /** Why it is not in force, as the end of "its grant NAME …"; undefined: it is. */
  readonly over: string | undefined;
  /** Of a grant of the settings: the cgroup that has it. */
  readonly tag?: Tag;
  readonly given?: GivenGrant;
}

export const OVER = {
  expired: "has ended",
  removed: "has ended: it is not in the settings any more",
  /** May change again. */
  unmet: "does not count: its condition is not met",
  identity: "has ended with its agent's identity",
  byPerson: "was ended by a person",
  revoked: "was revoked with its agent",
} as const;

export function grantFields({ grant, connections, endsMs }: Omit<Holding, "over" | "sinceMs">): EventFields {
  const until = new Date(endsMs).toISOString();
  return { grant, connections: connectionWords(connections), until };
}

export function connectionWords(connections: GrantedConnections): string {
  return connections === "*" ? "every connection" : connections.join(" ");
}
