/** Whether grants let an agent reach a connection, for the policy tools: rules are asked only after that. Gives nothing. */
import type { Settings } from "../config.ts";
import type { Holding } from "../identity/holding.ts";
import { heldWhenTagged } from "../identity/settings-grants.ts";
import { covers } from "../model/grant.ts";
import type { Agent } from "../model/identity.ts";
import type { CaseFile } from "../policy/cases.ts";
import type { ExplainedGrant } from "../policy/explanation.ts";

interface Asking {
  readonly agent: Agent;
  readonly connection: string;
  readonly atMs: number;
}

/** `given`: what people gave, where a daemon knows that. Undefined: the settings ask for no grants. */
export function explainedGrant(
  { grants }: Pick<Settings, "grants">,
  given: readonly Holding[] | undefined,
  { agent, connection, atMs }: Asking,
): ExplainedGrant | undefined {
  if (grants === undefined) return undefined;
  const held = [...heldWhenTagged(grants, agent, atMs), ...(given ?? []).filter((one) => one.agent === agent.name)];
  const own = held.filter(({ connections }) => covers(connections, connection));
  return {
    by: own.flatMap(({ grant, over }) => (over === undefined ? [grant] : [])),
    not: own.flatMap(({ grant, over }) => (over === undefined ? [] : [`${grant} ${over}`])),
    known: given === undefined ? "settings" : "all",
  };
}

/** Pairs of the settings that cases let through, and that no grant of the settings does. */
export function ungranted(
  { cases, agents }: CaseFile,
  settings: Pick<Settings, "grants" | "agents" | "connections">,
): readonly { readonly agent: string; readonly connection: string }[] {
  const isKnown = new Set(settings.connections.map(({ connection }) => connection.name));
  const found = cases.filter(({ expect, agent: name, connection, atMs }) => {
    const own = settings.agents.find((one) => one.name === name);
    if (expect === "deny" || own === undefined || !isKnown.has(connection)) return false;
    const { groups, claims } = agents.get(name) ?? own;
    const asking = { agent: { slot: 0, name, groups, claims }, connection, atMs };
    return explainedGrant(settings, undefined, asking)?.by.length === 0;
  });
  const pairs = found.map(({ agent, connection }) => [`${agent} ${connection}`, { agent, connection }] as const);
  return [...new Map(pairs).values()];
}
