/** Refuses names that nothing has, before anything is done with them. */
import { UserError } from "../../base/errors.ts";
import type { GrantedConnections } from "../../model/grant.ts";
import type { PortParts } from "./parts.ts";

/** Whoever the settings name, whoever is tagged, and whoever ever was. */
export async function refuseUnknownAgent(
  agent: string,
  { agents, configuration, agentNames }: PortParts,
): Promise<void> {
  if (agents.list().some((tag) => tag.agent === agent)) return;
  if (configuration().settings.agents.some(({ name }) => name === agent)) return;
  if ((await agentNames()).includes(agent)) return;
  throw new UserError(
    "AGENT_UNKNOWN",
    `Cannot find agent ${agent}: the settings do not name it and nothing was ever tagged as it`,
    "See: sallyport agents",
  );
}

/** Of both sources. Throws CONNECTION_UNKNOWN. */
export function refuseUnknownConnection(named: GrantedConnections, { configuration }: PortParts): void {
  const known = new Set(configuration().connections.map(({ name }) => name));
  const unknown = named === "*" ? undefined : named.find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw new UserError(
    "CONNECTION_UNKNOWN",
    `Cannot give a grant for connection ${unknown}: there is none`,
    "See: sallyport connections",
  );
}
