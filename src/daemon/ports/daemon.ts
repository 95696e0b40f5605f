/** What the API may ask of the daemon itself: status, reload, the end. */
import type { DaemonPorts, ReloadResult } from "../../control/ports.ts";
import { doctorReport, goingOf } from "../doctor.ts";
import { VERSION } from "../version.ts";
import { stateListing } from "./agents.ts";
import { type PortParts, tell } from "./parts.ts";
import { policyStatus } from "./policy.ts";

export function daemonPorts(parts: PortParts): DaemonPorts {
  return {
    status: async () => ({
      version: VERSION,
      pid: process.pid,
      startedMs: parts.startedMs,
      stateDir: parts.stateDir,
      runDir: parts.runDir,
      ...(parts.configFile === undefined ? {} : { settingsFile: parts.configFile }),
      listenerPort: parts.interception.port,
      agents: parts.agents.list().length,
      connections: parts.configuration().connections.length,
      openSessions: parts.sessions.list().length,
      waiting: parts.holds.waiting,
      policy: policyStatus(parts),
      counters: { ...parts.interception.counters(), observed: parts.sightings.observed, ...parts.names.counters() },
      states: parts.states.list().map(({ agent }) => stateListing(agent, parts)),
    }),
    doctor: () => {
      const { stateDir, runDir, configFile, configuration, interception } = parts;
      const going = { ...goingOf(configFile, configuration().settings), port: interception.port }; // --port may say another
      return doctorReport({ stateDir, runDir, going });
    },
    reload: async (caller) => {
      await parts.reload();
      tell(parts, "settings.reload", "A reload was asked for", caller);
      return reloadResult(parts);
    },
    shutdown: async ({ remove }, caller) => {
      const message = remove ? "The daemon was asked to stop and remove itself" : "The daemon was asked to stop";
      tell(parts, "daemon.stop", message, caller);
      return { removed: await parts.shutdown(remove) };
    },
    leave: parts.leave,
  };
}

export function reloadResult(parts: PortParts): ReloadResult {
  const { connections, settings } = parts.configuration();
  return { connections: connections.length, agents: settings.agents.length, policy: policyStatus(parts) };
}
