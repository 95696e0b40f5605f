/** What the API may ask about grants: which there are, given by hand, ended by hand. */
import type { GrantedConnections } from "../model/grant.ts";
import type { Caller } from "./ports.ts";

export interface GrantPorts {
  /** Those of the settings as each cgroup has them, then those that people gave; `all`: also what is over. At most API_LIST_MAX. */
  list(query: { readonly all: boolean }): Promise<GrantList>;
  /** Throws AGENT_UNKNOWN, CONNECTION_UNKNOWN, GRANTS_OFF, GRANT_TIME, GRANTS_FULL. */
  give(request: GrantRequest, caller: Caller): Promise<GrantListing>;
  /** Of those that were given. Undefined: none stands by that id. */
  end(id: string, reason: string, caller: Caller): Promise<GrantListing | undefined>;
}

export interface GrantRequest {
  readonly agent: string;
  readonly connections: GrantedConnections;
  readonly forMs: number;
  /** "" without one. */
  readonly reason: string;
}

export interface GrantList {
  /** Whether agents need grants at all; else rules alone decide. */
  readonly asked: boolean;
  readonly grants: readonly GrantListing[];
}

export interface GrantListing {
  /** Its name in the settings, or its id. */
  readonly id: string;
  readonly source: "settings" | "given";
  readonly agent: string;
  readonly connections: GrantedConnections;
  /** `idle`: nothing is tagged as that agent. */
  readonly state: "in force" | "over" | "idle";
  /** Why it is over, as the end of "its grant ID …". */
  readonly why?: string;
  /** Of the settings: the tagged cgroup that has it. */
  readonly cgroup?: string;
  readonly sinceMs?: number;
  readonly endsMs?: number;
  /** Of one that was given: by whom, absent: by somebody over the network; and why. */
  readonly uid?: number;
  readonly reason?: string;
}

/** What one tagged cgroup may reach at this moment. */
export type HeldGrant = Required<Pick<GrantListing, "id" | "connections" | "endsMs">>;
