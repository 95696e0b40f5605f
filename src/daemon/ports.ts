/** What the API may ask of the daemon, bound to the parts that know; each group has a file in ports/. Decides nothing. */
import type { Socket } from "node:net";
import { peerOf } from "ebpf-loader";
import { SEARCH_QUERY_MAX } from "../base/limits.ts";
import type { ControlPorts } from "../control/ports.ts";
import type { Agents } from "../identity/agents.ts";
import { agentPorts, refuseQuarantined } from "./ports/agents.ts";
import { approvalPorts } from "./ports/approvals.ts";
import { callerNow } from "./ports/callers.ts";
import { connectionPorts } from "./ports/connections.ts";
import { daemonPorts } from "./ports/daemon.ts";
import { delegationPorts } from "./ports/delegations.ts";
import { evidencePorts } from "./ports/evidence.ts";
import { grantPorts } from "./ports/grants.ts";
import { authenticator, humanPorts } from "./ports/humans.ts";
import { notifyPorts } from "./ports/notify.ts";
import { type PortParts, tell } from "./ports/parts.ts";
import { policyPorts } from "./ports/policy.ts";
import { retentionPorts } from "./ports/retention.ts";
import { sessionPorts } from "./ports/sessions.ts";
import { trustEnvironment } from "./trust.ts";

export function createPorts(parts: PortParts): ControlPorts {
  const { agents, authority, runs } = parts;
  return {
    peer: (socket) => peer(socket, agents),
    authenticate: authenticator(parts),
    acts: async (caller) => caller.acting && parts.humans.acts(caller.acting.human, caller),
    callerNow: (caller) => callerNow(caller, parts.humans),
    runs: {
      environment: async (agent) => {
        refuseQuarantined(agent, parts);
        return runs.environment(agent);
      },
      create: async (request, caller) => {
        refuseQuarantined(request.agent, parts); // again: it may have come since
        return runs.create(request, caller);
      },
      summary: (id, caller) => runs.summary(id, caller),
    },
    agents: agentPorts(parts),
    approvals: approvalPorts(parts),
    delegations: delegationPorts(parts),
    grants: grantPorts(parts),
    notify: notifyPorts(parts),
    connections: connectionPorts(parts),
    sessions: sessionPorts(parts),
    evidence: evidencePorts(parts),
    retention: retentionPorts(parts),
    humans: humanPorts(parts),
    search: {
      search: async (request, caller) => {
        const query = parts.scrub(request.query).slice(0, SEARCH_QUERY_MAX);
        tell(parts, "recording.search", "Recordings and events were searched", caller, { fields: { query } });
        await Promise.all([parts.index.flush(), parts.flushEvents()]); // both are written behind the data path
        return parts.search.search(request);
      },
      reindex: () => parts.search.reindex(),
    },
    policy: policyPorts(parts),
    trust: {
      export: async () => {
        const { caPem, bundleFile } = authority;
        return { certificate: caPem, bundleFile, environment: trustEnvironment(authority) };
      },
    },
    daemon: daemonPorts(parts),
    hooks: { oci: (state) => parts.tagging.takeHookCall(state) },
    emit: parts.emit,
    watchEvents: parts.watchEvents,
    sinks: async () => parts.audit.sinks(),
    metrics: parts.metricsText,
  };
}

/** A process that is gone has no cgroup and is refused by whoever asks. */
function peer(socket: Socket, agents: Agents) {
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd;
  if (fd === undefined || fd < 0) return undefined;
  const found = peerOf(fd);
  return { ...found, tagged: found.cgroup === null || agents.isTagged(found.cgroup) };
}
