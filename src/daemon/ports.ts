/** What the API may ask of the daemon, bound to the parts that know. Translates; decides nothing. */

import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { peerOf } from "ebpf-loader";
import type { Clock } from "../base/clock.ts";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import { formatAddress } from "../config/address.ts";
import { readAddedConnection } from "../config.ts";
import type {
  AgentListing,
  Caller,
  ConnectionListing,
  ConnectionTest,
  ControlPorts,
  PolicyStatus,
  ReloadResult,
  SessionListing,
  TagTarget,
} from "../control/ports.ts";
import type { Agents } from "../identity/agents.ts";
import { cgroupOf, processesOf } from "../kernel/cgroups.ts";
import type { Interception } from "../kernel/interception.ts";
import type { Connection } from "../model/connection.ts";
import type { AuditEvent } from "../model/event.ts";
import type { Sessions } from "../path/sessions.ts";
import { type CredentialSource, logIn } from "../path/upstream.ts";
import { PolicyError } from "../policy/problem.ts";
import { protocols } from "../protocols/index.ts";
import { readRecording } from "../recorder/read.ts";
import type { SessionRow, SessionStore } from "../store/sessions.ts";
import type { Tag } from "../store/tags.ts";
import type { Authority } from "../vault/authority.ts";
import { describeReference } from "../vault/references.ts";
import type { Vault } from "../vault/vault.ts";
import { type Configuration, compilePolicy } from "./configuration.ts";
import { doctorReport } from "./doctor.ts";
import { entriesOf } from "./entries.ts";
import type { Runs } from "./runs.ts";
import { trustEnvironment } from "./trust.ts";

export interface PortParts {
  readonly stateDir: string;
  readonly runDir: string;
  readonly configFile: string | undefined;
  readonly recordings: string;
  readonly startedMs: number;
  readonly clock: Clock;
  readonly configuration: () => Configuration;
  readonly loadedMs: () => number;
  readonly agents: Agents;
  readonly sessions: Sessions;
  readonly index: SessionStore;
  readonly interception: Interception;
  readonly vault: Vault;
  readonly credentialOf: CredentialSource;
  readonly authority: Authority;
  readonly runs: Runs;
  readonly emit: (event: AuditEvent) => void;
  readonly watchEvents: ControlPorts["watchEvents"];
  readonly reload: () => Promise<void>;
  readonly shutdown: (remove: boolean) => Promise<readonly string[]>;
  readonly leave: () => void;
}

export function createPorts(parts: PortParts): ControlPorts {
  const { agents, vault, authority } = parts;
  const say = (kind: string, message: string, caller: Caller) =>
    parts.emit({ atMs: parts.clock.nowMs(), kind, message, fields: { uid: caller.uid, pid: caller.pid } });
  return {
    peer: (socket) => peer(socket, agents),
    runs: parts.runs,
    agents: {
      list: async () => agents.list().map((tag) => agentListing(tag, parts)),
      tag: async ({ agent, target }, caller) => {
        const path = targetPath(target, parts.interception.cgroupRoot);
        const tag = await agents.tag({ as: agent, path, kind: "tag", uid: caller.uid });
        return agentListing(tag, parts);
      },
      untag: async (target) => {
        const path = targetPath(target, parts.interception.cgroupRoot);
        const tag = agents.list().find(({ cgroup }) => cgroup === path);
        if (tag === undefined) return undefined;
        const listing = agentListing(tag, parts);
        await agents.untag(tag.cgroupId);
        return listing;
      },
    },
    connections: {
      list: () => listConnections(parts),
      add: async ({ user = "", password, ...request }, caller) => {
        const settings = JSON.stringify(request);
        readAddedConnection(request, `connection ${request.name}`, protocols);
        if (password === undefined) {
          throw new UserError(
            "SECRET_EMPTY",
            `Cannot add ${request.name} without a password`,
            "Give one with --password-file or --password-stdin; connections that need none are listed in the settings",
          );
        }
        try {
          await vault.add({ name: request.name, user, settings, secret: password });
        } finally {
          password.fill(0);
        }
        try {
          await parts.reload();
        } catch (error) {
          await vault.remove(request.name); // else no later start could load it
          throw error;
        }
        say("credential.add", `Connection ${request.name} was added`, caller);
        const added = (await listConnections(parts)).find(({ name }) => name === request.name);
        if (added === undefined) throw new Error("Cannot find the connection that was just added");
        return added;
      },
      rotate: async (name, password, caller) => {
        try {
          await vault.rotate(name, password);
        } finally {
          password.fill(0);
        }
        say("credential.rotate", `The credential of ${name} was rotated`, caller);
      },
      remove: async (name, caller) => {
        await vault.remove(name);
        say("credential.remove", `Connection ${name} was removed`, caller);
        await parts.reload();
      },
      test: (name) => testConnection(name, parts),
    },
    sessions: {
      list: async (query) => (await readIndex(parts).list(query)).map(sessionListing),
      show: async (id) => {
        const row = await readIndex(parts).get(id);
        return row === undefined ? undefined : sessionListing(row);
      },
      entries: async (id) => {
        const row = await readIndex(parts).get(id);
        return row === undefined ? undefined : entriesOf(readRecording(parts.recordings, id), row.startedMs, row.state);
      },
    },
    policy: {
      check: async (files) => {
        const named = files.map(({ path, text }) => ({ name: path, text }));
        return checkPolicy(named, parts.configuration().connections);
      },
      status: async () => policyStatus(parts),
    },
    trust: {
      export: async () => {
        const { caPem, caFile, bundleFile } = authority;
        return { certificate: caPem, bundleFile, environment: trustEnvironment(caFile, bundleFile) };
      },
    },
    daemon: {
      status: async () => ({
        version: VERSION,
        pid: process.pid,
        startedMs: parts.startedMs,
        stateDir: parts.stateDir,
        runDir: parts.runDir,
        ...(parts.configFile === undefined ? {} : { settingsFile: parts.configFile }),
        listenerPort: parts.interception.port,
        agents: agents.list().length,
        connections: parts.configuration().connections.length,
        openSessions: parts.sessions.list().length,
        policy: policyStatus(parts),
        counters: parts.interception.counters(),
      }),
      doctor: () => doctorReport(),
      reload: async (caller) => {
        await parts.reload();
        say("settings.reload", "A reload was asked for", caller);
        return reloadResult(parts);
      },
      shutdown: async ({ remove }, caller) => {
        say(
          "daemon.stop",
          remove ? "The daemon was asked to stop and remove itself" : "The daemon was asked to stop",
          caller,
        );
        return { removed: await parts.shutdown(remove) };
      },
      leave: parts.leave,
    },
    watchEvents: parts.watchEvents,
  };
}

export function reloadResult(parts: PortParts): ReloadResult {
  const { connections, settings } = parts.configuration();
  return { connections: connections.length, agents: settings.agents.length, policy: policyStatus(parts) };
}

/** Compiles without putting into force. */
export function checkPolicy(files: readonly { name: string; text: string }[], connections: readonly Connection[]) {
  try {
    const { rules, warnings } = compilePolicy(files, connections);
    return { rules: rules.length, problems: [], warnings };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return { rules: 0, problems: error.problems, warnings: [] };
  }
}

const VERSION = (
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }
).version;

/** A process that is gone has no cgroup and is refused by whoever asks. */
function peer(socket: Socket, agents: Agents) {
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd;
  if (fd === undefined || fd < 0) return undefined;
  const found = peerOf(fd);
  return { ...found, tagged: found.cgroup === null || agents.isTagged(found.cgroup) };
}

function agentListing(tag: Tag, parts: PortParts): AgentListing {
  return {
    agent: tag.agent,
    groups: parts.agents.groupsOf(tag.agent),
    cgroup: tag.cgroup,
    kind: tag.kind,
    ...(tag.runId === undefined ? {} : { runId: tag.runId }),
    uid: tag.uid,
    processes: processesOf(tag.cgroup).length,
    sessions: parts.sessions.list().filter(({ origin }) => origin.tagCgroupId === tag.cgroupId).length,
    sinceMs: tag.createdMs,
  };
}

function targetPath(target: TagTarget, cgroupRoot: string): string {
  if (target.kind === "cgroup") return target.path.startsWith(cgroupRoot) ? target.path : `${cgroupRoot}${target.path}`;
  const cgroup = cgroupOf(target.pid);
  if (cgroup === undefined) {
    throw new UserError("PROCESS_UNKNOWN", `Cannot find process ${target.pid}`, "Check the number: ps -e");
  }
  return `${cgroupRoot}${cgroup}`;
}

async function listConnections({ configuration, vault }: PortParts): Promise<ConnectionListing[]> {
  const { connections, references } = configuration();
  const sealed = new Map((await vault.list()).map((entry) => [entry.name, entry]));
  return connections.map((connection) => {
    const reference = references.get(connection.name);
    const entry = sealed.get(connection.name);
    const user = reference?.user ?? entry?.user;
    const secret = reference?.password === undefined ? "none" : describeReference(reference.password);
    return {
      name: connection.name,
      protocol: connection.protocol,
      addresses: connection.addresses.map(formatAddress),
      labels: connection.labels,
      tls: connection.tls.mode,
      source: entry === undefined ? "settings" : "vault",
      ...(user === undefined || user === "" ? {} : { user }),
      credential: entry === undefined ? secret : "sealed",
    };
  });
}

/** Dials the first address that stands for one host, and logs in as a session would. */
async function testConnection(name: string, parts: PortParts): Promise<ConnectionTest> {
  const connection = parts.configuration().connections.find((other) => other.name === name);
  const protocol = protocols.find((other) => other.name === connection?.protocol);
  if (connection === undefined || protocol === undefined) {
    throw new UserError("CONNECTION_UNKNOWN", `Cannot find connection ${name}`, "See: sallyport connections");
  }
  const address = connection.addresses.find(({ kind }) => kind !== "any");
  const host = address?.kind === "name" ? address.host : address?.kind === "network" ? address.address : "";
  try {
    const request = protocol.lookupLogin?.(undefined);
    const login = await logIn(
      { connection, protocol, address: host, port: address?.port ?? 0 },
      request,
      parts.credentialOf,
    );
    login.wire.destroy();
    return { ok: true, steps: [{ name: "login", ok: true, detail: `${host} port ${address?.port}` }] };
  } catch (error) {
    const code = codeOf(error);
    const step = code === "UPSTREAM_UNREACHABLE" ? "dial" : code.startsWith("UPSTREAM_TLS") ? "tls" : "login";
    const cause = error instanceof Error && error.cause instanceof UserError ? error.cause : undefined;
    const detail = cause === undefined ? messageOf(error) : `${cause.message}. ${cause.remedy}`;
    return { ok: false, steps: [{ name: step, ok: false, detail: `${code}: ${detail}` }] };
  }
}

/** The index is written behind the data path; whoever asks gets what is true now. */
function readIndex({ index }: PortParts) {
  return {
    list: async (query: { readonly limit: number; readonly agent?: string }) => {
      await index.flush();
      return index.list(query);
    },
    get: async (id: string) => {
      await index.flush();
      return index.get(id);
    },
  };
}

function sessionListing(row: SessionRow): SessionListing {
  const { id, agent, connection, protocol, user, executable, state, statements, denied, masked, rows } = row;
  return {
    ...{ id, agent, connection, protocol, user, executable, state, statements, denied, masked, rows },
    address: `${row.address}:${row.port}`,
    startedMs: row.startedMs,
    ...(row.endedMs === undefined ? {} : { endedMs: row.endedMs }),
  };
}

function policyStatus({ configuration, loadedMs }: PortParts): PolicyStatus {
  const { policy } = configuration();
  const files = [...new Set(policy.rules.map(({ file }) => file))];
  return { hash: policy.version, rules: policy.rules.length, files, loadedMs: loadedMs() };
}
