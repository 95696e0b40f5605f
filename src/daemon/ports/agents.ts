/** What the API may ask about agents: tags by any name, quarantine, observation, and who there is. */
import { messageOf, UserError } from "../../base/errors.ts";
import { OBSERVE_MS_MAX, PIDS_LISTED_MAX } from "../../base/limits.ts";
import type {
  AgentListing,
  AgentPorts,
  AgentStateListing,
  Caller,
  IdentityListing,
  Quarantined,
  Revoked,
  Swept,
  Tagged,
} from "../../control/ports.ts";
import { type Doer, userFields } from "../../model/event.ts";
import type { Tag, TaggedIdentity } from "../../store/tags.ts";
import { endSockets, openConnections, treeOf } from "../flows.ts";
import { accountsOf, doerOf } from "./callers.ts";
import { grantsInForce } from "./grants.ts";
import { refuseUnknownAgent } from "./known.ts";
import type { PortParts } from "./parts.ts";
import { pathOfTarget } from "./targets.ts";

export function agentPorts(parts: PortParts): AgentPorts {
  const { agents, states, interception, containers } = parts;
  const world = { cgroupRoot: interception.cgroupRoot, containers };
  const slotFor = async (agent: string) => {
    await refuseUnknownAgent(agent, parts);
    return agents.list().find((tag) => tag.agent === agent)?.slot ?? (await agents.slotOf(agent));
  };
  return {
    list: async () => agents.list().map((tag) => agentListing(tag, parts)),
    tag: async ({ agent, target, connections, token }, caller): Promise<Tagged> => {
      const path = await pathOfTarget(target, world);
      const was = agents.isTagged(path.slice(world.cgroupRoot.length));
      const identity = token === undefined ? {} : { identity: await parts.identify(token, agent, caller) };
      const startedBy = accountsOf(caller, parts.loginUidOf);
      const tag = await agents.tag({ as: agent, path, kind: "tag", uid: caller.uid, startedBy, ...identity });
      const listing = agentListing(tag, parts); // as it was found: a reset may end the process
      // what a guard of ours has seen from its beginning needs no sweep
      const swept = was ? NOTHING_SWEPT : sweep(tag.cgroup, connections);
      tellSwept(parts, tag, swept);
      return { ...listing, swept };
    },
    untag: async (target, caller) => {
      const path = await pathOfTarget(target, world);
      const tag = agents.list().find(({ cgroup }) => cgroup === path);
      if (tag === undefined) return undefined;
      const listing = agentListing(tag, parts);
      await agents.untag(tag.cgroupId, doerOf(caller));
      return listing;
    },
    quarantine: async (agent, reason, caller) => quarantine(agent, await slotFor(agent), reason, caller, parts),
    release: async (agent, caller) => {
      if (await states.release(agent, await slotFor(agent), doerOf(caller))) return stateListing(agent, parts);
      const remedy = "See: sallyport agents";
      throw new UserError("AGENT_NOT_QUARANTINED", `Cannot release ${agent}: it is not quarantined`, remedy);
    },
    revoke: async (agent, reason, caller) => revoke(agent, await slotFor(agent), { ...doerOf(caller), reason }, parts),
    reinstate: async (agent, caller) => {
      await slotFor(agent);
      if (await states.reinstate(agent, doerOf(caller))) return stateListing(agent, parts);
      const remedy = "See: sallyport agents";
      throw new UserError("AGENT_NOT_REVOKED", `Cannot reinstate ${agent}: it is not revoked`, remedy);
    },
    observe: async (agent, untilMs, caller) => {
      const slot = await slotFor(agent);
      const nowMs = parts.clock.nowMs();
      if (!(untilMs > nowMs && untilMs <= nowMs + OBSERVE_MS_MAX)) {
        const remedy = "Name an end in the future, at most 30 days from now";
        throw new UserError("OBSERVE_TIME", `Cannot observe ${agent} until ${dated(untilMs)}`, remedy);
      }
      await states.observe(agent, slot, { ...doerOf(caller), untilMs });
      return stateListing(agent, parts);
    },
    endObservation: async (agent, caller) => {
      await slotFor(agent);
      if (!(await states.endObservation(agent, doerOf(caller)))) {
        const remedy = "See: sallyport agents";
        throw new UserError("AGENT_NOT_OBSERVED", `Cannot end the observation of ${agent}: it is not observed`, remedy);
      }
      parts.sessions.recheck();
      return stateListing(agent, parts);
    },
  };
}

/**
 * In this order, and nothing is waited for before the last step: the kernel (new flows and packets), sessions, what
 * is left of the agent's sockets; then the row.
 */
async function quarantine(
  agent: string,
  slot: number,
  reason: string,
  caller: Caller,
  parts: PortParts,
): Promise<Quarantined> {
  const stored = parts.states.quarantine(agent, slot, { ...doerOf(caller), reason });
  const sessions = parts.sessions.cut((session) => session.agent.slot === slot, "the agent is quarantined");
  await new Promise(setImmediate); // in which the sessions' farewells leave and their own resets follow
  let destroyed = 0;
  let unable = 0;
  try {
    for (const tag of parts.agents.list().filter((other) => other.slot === slot)) {
      const ended = endSockets(treeOf(tag.cgroup), "all");
      destroyed += ended.destroyed;
      unable += ended.unable;
    }
  } finally {
    await stored;
  }
  return { ...stateListing(agent, parts), sessions, destroyed, unable };
}

/** What matchers find first, then what is tagged and what was let in with it, then what was given; each row behind its deed. */
async function revoke(
  agent: string,
  slot: number,
  by: Doer & { readonly reason: string },
  parts: PortParts,
): Promise<Revoked> {
  const { agents, sessions, grants, states } = parts;
  const open = sessions.list().filter((session) => session.agent.slot === slot).length;
  const stored = states.revoke(agent, slot, by);
  const revoked = agents.revoke(agent, REVOKED);
  const ended = revoked
    .catch(() => undefined) // a full disk keeps nothing else from ending
    .then(() => {
      // also those whose tag has gone
      const isOver = (cgroupId: bigint) => agents.agentOf(slot, cgroupId)?.revoked === true;
      sessions.expel((one) => one.agent.slot === slot && isOver(one.origin.tagCgroupId), REVOKED);
      return grants.endAll(agent, by);
    });
  const [state, tags, given] = await Promise.allSettled([stored, revoked, ended]);
  if (state.status === "fulfilled" && tags.status === "fulfilled" && given.status === "fulfilled")
    return { ...stateListing(agent, parts), tags: tags.value, sessions: open, grants: given.value };
  throw unkept(agent, [
    ["what matchers make it", state],
    ["its tags", tags],
    ["the ends of its given grants", given],
  ]);
}

/** All of it is in force, and a restart would undo what is not kept: whoever asked has to know. */
function unkept(agent: string, parts: readonly (readonly [string, PromiseSettledResult<unknown>])[]): UserError {
  const failed = parts.flatMap(([what, { status }]) => (status === "rejected" ? [what] : []));
  const [cause] = parts.flatMap(([, one]) => (one.status === "rejected" ? [one.reason as unknown] : []));
  const message = `${agent} is revoked, but not for the next start of the daemon: ${failed.join(", ")} could not be kept (${messageOf(cause)})`;
  const remedy = `Make room on the disk of the state folder, then again: sallyport agents revoke ${agent}`;
  return new UserError("AGENT_REVOCATION_UNKEPT", message, remedy, { cause });
}

const REVOKED = "its agent was revoked";

const NOTHING_SWEPT: Swept = { destroyed: 0, unable: 0, kept: 0 };

/** After the tag, so that no connection is made between the two. */
function sweep(cgroup: string, connections: "end" | "report"): Swept {
  const tree = treeOf(cgroup);
  if (connections === "report") return { ...NOTHING_SWEPT, kept: openConnections(tree.pids) };
  return { ...NOTHING_SWEPT, ...endSockets(tree, "connected") };
}

function tellSwept({ clock, emit }: PortParts, { agent, cgroup, uid }: Tag, swept: Swept): void {
  const { destroyed, unable, kept } = swept;
  if (destroyed + unable + kept === 0) return;
  const message = `Connections from before the tag of ${cgroup}: ${destroyed} ended, ${unable} could not be, ${kept} left`;
  const fields = { ...userFields(uid), cgroup, destroyed, unable, kept };
  emit({ atMs: clock.nowMs(), kind: "agent.sweep", agent, message, fields });
}

/** For a command that is about to start. Throws AGENT_QUARANTINED. */
export function refuseQuarantined(agent: string, { states }: Pick<PortParts, "states">): void {
  const quarantine = states.of(agent)?.quarantine;
  if (quarantine === undefined) return;
  const why = quarantine.reason === "" ? "" : `: ${quarantine.reason}`;
  throw new UserError(
    "AGENT_QUARANTINED",
    `Cannot start a command as ${agent}: the agent is quarantined since ${dated(quarantine.sinceMs)}${why}`,
    `When that is over: sudo sallyport release ${agent}`,
    { exitCode: 4 },
  );
}

export function stateListing(agent: string, { states }: Pick<PortParts, "states">): AgentStateListing {
  const { quarantine, revocation, observation } = states.of(agent) ?? {};
  const observed = states.isObserved(agent);
  return {
    agent,
    state: quarantine !== undefined ? "quarantined" : observed ? "observed" : "enforced",
    ...(quarantine === undefined ? {} : { quarantinedMs: quarantine.sinceMs, reason: quarantine.reason }),
    ...(observation === undefined ? {} : { observedUntilMs: observation.untilMs }),
    ...(revocation === undefined ? {} : { revokedMs: revocation.sinceMs, revokeReason: revocation.reason }),
  };
}

function agentListing(tag: Tag, parts: PortParts): AgentListing {
  const { pids, namespaces } = treeOf(tag.cgroup);
  const sessions = parts.sessions.list().filter(({ origin }) => origin.tagCgroupId === tag.cgroupId);
  const agent = parts.agents.agentOf(tag.slot, tag.cgroupId);
  const grants = grantsInForce(tag, parts);
  const lastSeenMs = sessions.length > 0 ? parts.clock.nowMs() : parts.sightings.lastMs(tag.slot);
  return {
    ...stateListing(tag.agent, parts),
    groups: agent?.groups ?? [],
    cgroup: tag.cgroup,
    kind: tag.kind,
    matcher: tag.matcher,
    ...(tag.container === "" ? {} : { container: tag.container }),
    ...(tag.runId === undefined ? {} : { runId: tag.runId }),
    ...userFields(tag.uid),
    processes: pids.length,
    pids: pids.slice(0, PIDS_LISTED_MAX),
    namespaces: [...namespaces.keys()],
    sessions: sessions.length,
    sinceMs: tag.createdMs,
    ...(lastSeenMs === undefined ? {} : { lastSeenMs }),
    ...(tag.identity === undefined
      ? {}
      : { identity: identityListing(tag.identity, agent?.identity?.state ?? "over") }),
    ...(parts.agents.isRevoked(tag) ? { revoked: true as const } : {}),
    ...(grants === undefined ? {} : { grants }),
  };
}

function identityListing(identity: TaggedIdentity, state: IdentityListing["state"]): IdentityListing {
  const { issuer, subject, groups, claims, endsMs, over } = identity;
  return { state, ...(over === undefined ? {} : { reason: over }), issuer, subject, groups, claims, endsMs };
}

function dated(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime()) ? String(atMs) : date.toISOString();
}
