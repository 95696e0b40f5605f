/**
 * Which connections an agent may reach, how long and under which condition. A grant opens nothing by itself: rules judge
 * every action all the same.
 */
import type { Agent } from "./identity.ts";

/** Names, or all there are. */
export type GrantedConnections = readonly string[] | "*";

/** As the settings describe it. */
export interface GrantTerms {
  readonly name: string;
  /** Names of the agents that have it. */
  readonly agents: readonly string[];
  readonly connections: GrantedConnections;
  /** Undefined: whoever is one of the agents has it. */
  readonly condition: GrantCondition | undefined;
  /** From the moment in which a cgroup was tagged. */
  readonly forMs: number;
  /** At the latest, for everybody. */
  readonly untilMs: number | undefined;
}

export interface GrantCondition {
  /** What cannot be told, because a fact is missing or the like, does not hold. */
  holds(agent: Agent, nowMs: number): boolean;
}

export function covers(connections: GrantedConnections, name: string): boolean {
  return connections === "*" || connections.includes(name);
}
