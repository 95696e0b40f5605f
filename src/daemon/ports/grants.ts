/** What the API may ask about grants. */
import { API_LIST_MAX } from "../../base/limits.ts";
import type { GrantListing, GrantPorts, HeldGrant } from "../../control/grant-ports.ts";
import type { Holding } from "../../identity/holding.ts";
import { userFields } from "../../model/event.ts";
import type { Tag } from "../../store/tags.ts";
import { doerOf } from "./callers.ts";
import { refuseUnknownAgent, refuseUnknownConnection } from "./known.ts";
import type { PortParts } from "./parts.ts";

export function grantPorts(parts: PortParts): GrantPorts {
  const { grants } = parts;
  return {
    list: async ({ all }) => {
      const held = [...grants.ofSettings(), ...grants.given()].filter(({ over }) => all || over === undefined);
      const shown = [...held.map(listingOf), ...idle(parts)].slice(0, API_LIST_MAX);
      return { asked: grants.terms !== undefined, grants: shown };
    },
    give: async ({ agent, connections, forMs, reason }, caller) => {
      await refuseUnknownAgent(agent, parts);
      refuseUnknownConnection(connections, parts);
      return listingOf(await grants.give({ agent, connections, forMs, uid: caller.uid, reason }, doerOf(caller)));
    },
    end: async (id, reason, caller) => {
      const ended = await grants.end(id, { ...doerOf(caller), reason });
      return ended === undefined ? undefined : listingOf(ended);
    },
  };
}

/** Undefined where agents need none. */
export function grantsInForce(tag: Tag, { grants }: Pick<PortParts, "grants">): readonly HeldGrant[] | undefined {
  if (grants.terms === undefined) return undefined;
  const inForce = grants.heldBy(tag).filter(({ over }) => over === undefined);
  return inForce.map(({ grant: id, connections, endsMs }) => ({ id, connections, endsMs }));
}

/** What the settings grant to agents that nothing is tagged as. */
function idle({ grants, agents }: PortParts): GrantListing[] {
  const tagged = new Set(agents.list().map(({ agent }) => agent));
  return (grants.terms ?? []).flatMap(({ name: id, agents: names, connections }) =>
    names.flatMap((agent): GrantListing[] =>
      tagged.has(agent) ? [] : [{ id, source: "settings", agent, connections, state: "idle" }],
    ),
  );
}

function listingOf({ grant, agent, connections, sinceMs, endsMs, over, tag, given }: Holding): GrantListing {
  return {
    ...{ id: grant, source: given === undefined ? "settings" : "given", agent, connections },
    ...(over === undefined ? { state: "in force" } : { state: "over", why: over }),
    ...(tag === undefined ? {} : { cgroup: tag.cgroup }),
    ...{ sinceMs, endsMs },
    ...(given === undefined ? {} : { ...userFields(given.uid), reason: given.reason }),
  };
}
