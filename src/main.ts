/** Builds every part and joins them; the only file that knows all folders. Decides nothing by itself. */
import { EventEmitter } from "node:events";
import { hostname } from "node:os";
import { join } from "node:path";
import { type Accepted, NAMES_CONNECTION } from "ebpf-loader";
import { createAudit } from "./audit/audit.ts";
import type { Clock } from "./base/clock.ts";
import { codeOf, messageOf, UserError } from "./base/errors.ts";
import {
  GRANTS_EVERY_MS,
  HUMANS_EVERY_MS,
  IDENTITY_EVERY_MS,
  ORIGIN_AGE_MS,
  RELAYS_EVERY_MS,
  RESOLVE_EVERY_MS,
  RETENTION_EVERY_MS,
  USERS_EVERY_MS,
} from "./base/limits.ts";
import type { Log } from "./base/log.ts";
import { outputOf } from "./config/recording.ts";
import { Containers } from "./containers/containers.ts";
import { runtimeFolders } from "./containers/folders.ts";
import { refuseSecondDaemon, startControlServer } from "./control/api/server.ts";
import { MetricsEndpoint } from "./control/doors/metrics.ts";
import type { DaemonOptions, RunningDaemon } from "./control/ports.ts";
import type { RunBounds } from "./control/runs.ts";
import { readDoor } from "./daemon/api-door.ts";
import { areAlike, type Configuration, loadConfiguration, usualSettingsFile } from "./daemon/configuration.ts";
import { namedSettings, resolveDestinations } from "./daemon/destinations.ts";
import { Doors } from "./daemon/doors.ts";
import { endClosed, treeOf } from "./daemon/flows.ts";
import { identifier } from "./daemon/identifier.ts";
import { auditKernelEvent, isRefusal, Refusals } from "./daemon/kernel-events.ts";
import { Life } from "./daemon/life.ts";
import { makeFolder } from "./daemon/make-folder.ts";
import { type MeteredParts, metricsText } from "./daemon/metrics.ts";
import { createNotify, notifySecrets } from "./daemon/notify.ts";
import { ownSecrets } from "./daemon/own-secrets.ts";
import { accountsOf } from "./daemon/ports/callers.ts";
import { reloadResult } from "./daemon/ports/daemon.ts";
import { createPorts } from "./daemon/ports.ts";
import { openRecordings } from "./daemon/recording.ts";
import { refuseWhileRunning, removeEverything } from "./daemon/removal.ts";
import { Retention } from "./daemon/retention.ts";
import { Runs, secretFiles } from "./daemon/runs.ts";
import { ServiceManager } from "./daemon/service.ts";
import { Sightings } from "./daemon/sightings.ts";
import { Tagging } from "./daemon/tagging.ts";
import { holdFaults } from "./daemon/test-faults.ts";
import { trustEnvironment } from "./daemon/trust.ts";
import { VERSION } from "./daemon/version.ts";
import { voteNow } from "./daemon/vote-now.ts";
import { LiveHolds } from "./holds/holds.ts";
import { Agents } from "./identity/agents.ts";
import { Grants } from "./identity/grants.ts";
import { createGroupsOf } from "./identity/groups.ts";
import { Humans } from "./identity/humans/humans.ts";
import { AgentStates } from "./identity/states.ts";
import { Tokens } from "./identity/tokens.ts";
import { createUidOf, uidNow } from "./identity/users.ts";
import { bootId, bootNs } from "./kernel/boot-clock.ts";
import { cgroupOf } from "./kernel/cgroups.ts";
import { createResolver } from "./kernel/destinations.ts";
import { Interception } from "./kernel/interception.ts";
import { loginUidOf } from "./kernel/login-uid.ts";
import { Relays } from "./kernel/relays.ts";
import { createMasker } from "./masking/mask.ts";
import { Metrics } from "./metrics/metrics.ts";
import { ProcessMeter } from "./metrics/process.ts";
import type { Connection } from "./model/connection.ts";
import type { AuditEvent, EventFields } from "./model/event.ts";
import { issuedAccount, unixAccount } from "./model/human.ts";
import type { SecretRef } from "./model/sink.ts";
import { createNames } from "./names/names.ts";
import type { PathParts } from "./path/connection.ts";
import { createListener } from "./path/listener.ts";
import { Lookups } from "./path/lookups.ts";
import { createUsers } from "./path/origin.ts";
import { Sessions } from "./path/sessions.ts";
import { Ledger } from "./policy/ledger.ts";
import { protocols } from "./protocols/index.ts";
import { openSearch } from "./search/search.ts";
import { lockState } from "./store/lock.ts";
import { openStore } from "./store/store.ts";
import type { Tag } from "./store/tags.ts";
import { openAuthority } from "./vault/authority.ts";
import { readReference } from "./vault/references.ts";
import { createVault } from "./vault/vault.ts";

// biome-ignore-start lint/performance/noBarrelFile: what the command line does without a daemon; it loads this one module
export { doctorReport } from "./daemon/doctor.ts";
export { verifyBundle, verifyOffline } from "./daemon/evidence.ts";
export { checkPolicyFiles } from "./daemon/policy-check.ts";
export { explainOffline, testPolicies } from "./daemon/policy-tools.ts";
export { removeEverything } from "./daemon/removal.ts";

// biome-ignore-end lint/performance/noBarrelFile: as above

/** Starts all of it, or throws one UserError, LoaderError or PolicyError and leaves nothing running. */
export async function startDaemon(options: DaemonOptions): Promise<RunningDaemon> {
  const { stateDir, runDir, log } = options;
  const configFile = options.configFile ?? usualSettingsFile();
  const clock: Clock = { nowMs: () => Date.now() };
  const startedMs = clock.nowMs();
  const life = new Life();
  try {
    const service = new ServiceManager(process.env, log);
    makeFolder(runDir, 0o755);
    if (service.apiSocket === undefined) await refuseSecondDaemon(join(runDir, "api.sock"));
    makeFolder(stateDir, 0o700);
    const lock = await lockState(stateDir);
    life.atEnd(() => lock.release());

    // what is kept between lives
    const store = await openStore(stateDir, log);
    life.atEnd(() => store.close());
    const environmentOf = (name: string) => process.env[name];
    const readSecret = async (reference: SecretRef) => readReference(reference, environmentOf);
    const world = { readSecret, nowMs: clock.nowMs, hostName: hostname(), version: VERSION };
    const audit = createAudit({ store: store.events, stateDir, world, log, clock });
    life.atEnd(() => audit.close());
    const watchers = new EventEmitter<{ event: [AuditEvent] }>({ captureRejections: false });
    watchers.setMaxListeners(0);
    let states: AgentStates | undefined;
    const metrics = new Metrics((rule) => inForce().policy.isLimit(rule));
    const processMeter = new ProcessMeter();
    life.atEnd(() => processMeter.close());
    const emit = (event: AuditEvent): void => {
      const marked = states?.mark(event) ?? event;
      metrics.event(event.kind);
      audit.emit(marked);
      watchers.emit("event", marked);
    };
    const say = (kind: string, message: string, fields: EventFields = {}) =>
      emit({ atMs: clock.nowMs(), kind, message, fields });

    // what we go by
    let configuration: Configuration | undefined;
    let loadedMs = startedMs;
    const inForce = (): Configuration => {
      if (configuration === undefined) throw new Error("Cannot go by settings that are not loaded yet");
      return configuration;
    };
    const vault = await createVault({
      stateDir,
      secrets: store.secrets,
      references: () => configuration?.references ?? new Map(),
      environment: environmentOf,
      clock,
    });
    configuration = loadConfiguration(configFile, await vault.list());
    audit.prepare(configuration.settings.events)();
    const tryCredentials = async ({ references }: Configuration) => {
      for (const name of references.keys()) {
        const problem = await vault.credential(name).then(wiped, (error: unknown) => error);
        if (problem !== undefined) tellUnreadable(name, problem, log);
      }
    };
    await tryCredentials(configuration);
    const authority = await openAuthority({ dir: join(stateDir, "ca"), publicDir: join(runDir, "trust"), clock });
    const masker = createMasker(vault.derivedKey("mask"));
    const ledger = new Ledger(clock);
    const { scrub } = masker;
    const settings = () => inForce().settings.recording;
    const recordings = await openRecordings({ stateDir, clock, log, life, store, vault, audit, scrub, settings, emit });
    const { recorder } = recordings;
    const search = openSearch({ stateDir, recordings: recordings.recordings, log });
    life.atEnd(() => search.close());
    const retention = new Retention({
      ...{ clock, dir: recordings.recordings, index: store.sessions, holds: store.legalHolds, emit },
      rules: () => inForce().settings.recording.retention,
      labelsOf: (name) => inForce().connections.find((connection) => connection.name === name)?.labels,
      flush: () => audit.flush(),
      trail: audit,
      checkpoint: () => recordings.checkpointer.checkpoint(),
      forget: (sessions) => search.forget(sessions),
    });
    for (const protocol of protocols) await protocol.prepare();

    // the kernel
    const { interception: kernelSettings } = inForce().settings;
    const port = options.port ?? kernelSettings.port;
    const { cgroupRoot } = kernelSettings;
    const { inherited, holder } = service;
    const root = cgroupRoot === undefined ? {} : { cgroupRoot };
    const interception = new Interception({ runDir, port, inherited, holder, ...root });
    life.atEnd(() => interception.close());
    const sessions = new Sessions();
    const relays = new Relays(() => inForce().settings.interception.relay);
    life.atEnd(() => relays.close());
    // what may not be told is not to be done; a relay asks nobody
    const tendRelays = async () => {
      if (audit.accepting() !== true) relays.giveAllBack("full");
    };
    life.every(RELAYS_EVERY_MS, tendRelays, log);
    const agents = new Agents({
      ...{ interception, store: store.tags, tokens: store.tokens, clock, emit },
      isRevoked: (agent) => states?.isRevoked(agent) ?? true,
      identityOver: (cgroupId, why) => sessions.expel(({ origin }) => origin.tagCgroupId === cgroupId, why),
    });
    const groupsOf = createGroupsOf(clock);
    const humans = new Humans({
      ...{ clock, store: store.humans, readSecret, emit, loginUidOf, groupsOf, bootNs, bootId: bootId() },
      users: { first: (user) => createUidOf()(user), now: uidNow },
      withdraw: (isTheirs, reason) => holds.withdraw(isTheirs, reason),
      withdrawLent: (delegation, reason) => holds.withdrawLent(delegation, reason),
    });
    life.atEnd(() => humans.close());
    configureHumans(humans, inForce());
    await humans.restore();
    const tokens = new Tokens({ clock, log });
    tokens.configure(inForce().issuers, inForce().providers);
    const slotOf = (name: string) => agents.slotOf(name);
    states = new AgentStates({ kernel: interception, store: store.agentStates, slotOf, clock, bootNs, emit });
    await states.restore();
    for (const warning of states.warnings()) log.warn(warning);
    const heldStates = states;
    agents.configure(inForce().settings.agents, [...inForce().issuers, ...inForce().providers]);
    await agents.restore();
    const names = createNames({
      clock,
      setDestinations: (all) => interception.setDestinations(all),
      agentOf: (slot) => agents.bySlot(slot),
      isObserved: (slot) => heldStates.isObserved(agents.bySlot(slot)?.name ?? ""),
      isQuarantined: (slot) => heldStates.isQuarantined(agents.bySlot(slot)?.name ?? ""),
      servers: () => inForce().settings.names.servers,
      emit,
    });
    life.atEnd(() => names.close());
    const resolve = createResolver(clock, names.resolve);
    const plan = async () => {
      const going = inForce();
      const planned = await resolveDestinations(going, resolve, log);
      if (inForce() === going) names.adopt(namedSettings(going), planned); // else a reload has set newer ones
    };
    await plan();
    const containers = new Containers({
      cgroupRoot: interception.cgroupRoot,
      folders: () => runtimeFolders(process.env),
    });
    const tagging = new Tagging({ agents, interception, containers, stateDir, log });
    life.atEnd(() => tagging.close());
    await tagging.apply(inForce().settings.agents);
    const doors = new Doors(interception);
    life.atEnd(() => doors.close());
    doors.open(inForce().settings.sockets.allow);

    const grants = new Grants({
      ...{ clock, bootNs, bootId: bootId(), store: store.grants, emit, agents },
      isBorn: (cgroupId) => interception.tags().some((tag) => tag.cgroupId === cgroupId),
      flows: () => sessions.list().filter((session) => session.hasEntered()), // the others will be asked
    });
    grants.configure(inForce().settings.grants);
    await grants.restore();

    // the data path
    const { delegations } = humans;
    const judging = { humansOf: humans.people.humansOf, standing: delegations.loan };
    const lentTo = (accounts: readonly string[]) => delegations.lentTo(accounts);
    const known = { humans, humansOf: judging.humansOf, groupsOf, lentTo, uidOf: uidNow };
    const holds = new LiveHolds({
      ...{ clock, store: store.holds, log, emit, scrub, key: vault.derivedKey("hold"), ...judging },
      lookAt: (ids) => delegations.look(ids),
      taggedBy: (cgroupId) => startersOf(agents.list().find((tag) => tag.cgroupId === cgroupId)),
      voteNow: (vote) => voteNow(vote, { ...known, people: inForce().settings.humans.people }),
      loginUidOf,
      isInside: (pid, cgroupId) => isProcessIn(pid, cgroupId, agents, interception.cgroupRoot),
      ...holdFaults(process.env),
    });
    await holds.recover();
    delegations.watch((group) => holds.retell(group));
    life.atEnd(() => holds.close());
    life.atEnd(() => sessions.drain("the daemon is going down"));
    life.atEnd(() => holds.abandonAll("the daemon is going down; send it again"));
    const notify = createNotify({
      ...{ clock, log, emit, readSecret, holds, ...known, ...judging },
      people: () => inForce().settings.humans.people,
      settings: () => inForce().settings.notify,
    });
    life.atLeave(() => notify.close());
    notify.notifier.prepare(inForce().settings.notify)();
    const environment = trustEnvironment(authority);
    const admit = (pid: number, cgroup: string) => doors.admit(pid, cgroup);
    const bounds = (): RunBounds => {
      const { references, settings } = inForce();
      const kept = [runDir, configFile, settings.policies].flatMap((path) => (path === undefined ? [] : [path]));
      const ours = [...ownSecrets(settings), ...notifySecrets(settings.notify)];
      const hidden = [stateDir, ...secretFiles(references), ...ours];
      return { unixSockets: doors.unixSockets, hidden, fixed: kept };
    };
    const identify = identifier(tokens, clock, emit);
    const runs = new Runs({
      agents,
      identify,
      sessions,
      cgroupRoot: interception.cgroupRoot,
      environment,
      bounds,
      admit,
      accountsOf: (caller) => accountsOf(caller, loginUidOf),
    });
    const credentialOf: PathParts["credentialOf"] = (connection) => vault.credential(connection);
    const byName = new Map(protocols.map((protocol) => [protocol.name, protocol]));
    const refusals = new Refusals(clock);
    const emitRefusal = (event: AuditEvent) => {
      if (refusals.judge(event.agent ?? "")) emit(event);
    };
    const path: PathParts = {
      clock,
      arriving: (slot, cgroupId) => agents.arriving(slot, cgroupId),
      agentOf: (slot, cgroupId) => agents.agentOf(slot, cgroupId),
      ungranted: (agent, cgroupId, connection) => grants.refusal(agent, cgroupId, connection),
      isQuarantined: (agent) => heldStates.isQuarantined(agent),
      isObserved: (agent) => heldStates.isObserved(agent),
      connectionOf: (number) => inForce().byNumber.get(number),
      protocolOf: (name) => byName.get(name),
      userOf: createUsers(),
      policy: () => inForce().policy,
      masker,
      ledger,
      recorder,
      credentialOf,
      leafFor: (names) => authority.leafFor(names),
      emit: (event) => (event.kind === "connection.refused" ? emitRefusal(event) : emit(event)),
      accepting: () => audit.accepting(),
      toldDecisions: () => inForce().settings.events.decisions,
      ended: (origin, event) => runs.count(origin.tagCgroupId, event),
      sessions,
      lookups: new Lookups(clock, credentialOf, () => relays.giveAllBack("superseded")),
      holds,
      meter: metrics,
      outputOf: (connection) => outputOf(inForce().settings.recording, connection),
      relays,
    };
    const sightings = new Sightings();
    interception.watch((event) => {
      sightings.note(event, clock.nowMs());
      if (event.kind === "born") tagging.born();
      if (!isRefusal(event)) return;
      const told = auditKernelEvent(event, agents, clock);
      emitRefusal(told);
      if (!event.observed) runs.count(event.cgroupId, told);
    });
    const guard = createListener(path, log);
    const onConnection = (accepted: Accepted) =>
      accepted.origin?.connection === NAMES_CONNECTION ? names.onConnection(accepted) : guard(accepted);
    interception.listen({ onConnection, onQuery: names.onQuery }, ({ kind, message, agent: slot }) => {
      const agent = agents.bySlot(slot)?.name;
      emit({ atMs: clock.nowMs(), kind: `namespace.${kind}`, message, ...(agent === undefined ? {} : { agent }) });
    });

    // the controls
    const reloadOnce = async () => {
      try {
        const next = loadConfiguration(configFile, await vault.list());
        const planned = await resolveDestinations(next, resolve, log);
        const adoptSinks = audit.prepare(next.settings.events);
        const adoptTargets = notify.notifier.prepare(next.settings.notify);
        await endpoint.change(next.settings.metrics.listen);
        await api.tls.change(await readDoor(next.settings.api, readSecret));
        await notify.door.change(next.settings.notify.listen);
        // from here on nothing waits, and what can fail comes first: all of it is in force, or none
        const closed = names.adopt(namedSettings(next), planned);
        if (!areAlike(inForce(), next)) holds.endStanding();
        const before = inForce().policy.version;
        configuration = next;
        loadedMs = clock.nowMs();
        tellWarnings(next, log);
        adoptSinks();
        adoptTargets();
        ledger.keepShadows(new Set(next.policy.rules.flatMap(({ name, shadow }) => (shadow ? [name] : []))));
        doors.open(next.settings.sockets.allow);
        agents.configure(next.settings.agents, [...next.issuers, ...next.providers]);
        tokens.configure(next.issuers, next.providers);
        grants.configure(next.settings.grants);
        configureHumans(humans, next);
        const defined = new Map(next.connections.map((connection) => [connection.name, JSON.stringify(connection)]));
        sessions.stop(({ connection }) => !defined.has(connection.name), "its connection was removed");
        const isOld = (connection: Connection) => defined.get(connection.name) !== JSON.stringify(connection);
        sessions.stop(({ connection }) => isOld(connection), "its connection was changed in the settings");
        sessions.recheck();
        await tagging.apply(next.settings.agents);
        await tryCredentials(next);
        if (closed.gone.length > 0) {
          let ended = 0;
          for (const { cgroup } of agents.list())
            ended += endClosed(treeOf(cgroup), closed, interception.port).destroyed;
          say("egress.removed", `${closed.gone.length} destinations are closed, and ${ended} flows to them ended`);
        }
        const policy = next.policy.version;
        say("settings.load", `Settings and policy ${policy} are in force`, { policy });
        if (policy !== before) say("policy.change", `Policy ${policy} replaces ${before}`, { policy, before });
      } catch (error) {
        // told by the error that came first
        await endpoint.change(inForce().settings.metrics.listen).catch(() => {});
        await notify.door.change(inForce().settings.notify.listen).catch(() => {});
        await readDoor(inForce().settings.api, readSecret)
          .then((door) => api.tls.change(door))
          .catch(() => {});
        const policy = inForce().policy.version;
        say("settings.rejected", `What was in force stays: ${messageOf(error)}`, { policy });
        throw error;
      }
    };
    let reloading: Promise<void> = Promise.resolve();
    const reload = () => {
      service.reloading();
      const done = () => service.ready(`Guarding with policy ${inForce().policy.version.slice(0, 12)}`);
      reloading = reloading
        .catch(() => {})
        .then(reloadOnce)
        .finally(done); // in order: the last one reads the newest files
      return reloading;
    };
    const parts: MeteredParts = {
      ...{ metrics, audit, protocols, process: processMeter, retention, ...recordings },
      outbox: () => new Map(audit.sinks().map(({ name, behind }) => [name, behind.events])),
      ...{ stateDir, runDir, configFile, startedMs, clock, agents, sessions, interception, names, vault },
      ...{ credentialOf, authority, runs, identify, emit, reload, sightings, containers, tagging, holds, grants },
      ...{ humans, loginUidOf, lentTo, uidOf: uidNow },
      states: heldStates,
      agentNames: () => store.agentStates.names(),
      configuration: inForce,
      loadedMs: () => loadedMs,
      ...{ ledger, search, scrub, flushEvents: () => audit.flush() },
      index: store.sessions,
      userOf: path.userOf,
      ...{ groupsOf, notifier: notify.notifier },
      watchEvents: (onEvent) => {
        watchers.on("event", onEvent);
        return () => watchers.off("event", onEvent);
      },
      shutdown: async (remove) => {
        if (remove) refuseWhileRunning(agents.list().flatMap(({ kind, cgroup }) => (kind === "run" ? [cgroup] : [])));
        await life.end();
        return remove ? removeEverything({ stateDir, runDir }) : [];
      },
      leave: () => life.leave(),
      metricsText: () => metricsText(parts),
    };
    const endpoint = new MetricsEndpoint(parts.metricsText, log);
    life.atLeave(() => endpoint.close());
    await endpoint.change(inForce().settings.metrics.listen);
    await notify.door.change(inForce().settings.notify.listen);
    const door = service.apiSocket === undefined ? {} : { listenFd: service.apiSocket };
    const socketPath = join(runDir, "api.sock");
    const api = await startControlServer({
      ...{ socketPath, ports: createPorts(parts), clock, log, answers: notify.door },
      ...door,
    });
    life.atLeave(() => api.close());
    await api.tls.change(await readDoor(inForce().settings.api, readSecret));
    life.atLeave(service.beat());
    const hold = async () => service.hold(interception.listenersToKeep());
    life.every(1_000, hold, log);
    life.atEnd(() => {
      service.stopping("Sessions finish what they are at");
      interception.stopListening(); // before the drain: what comes from now on waits for the next daemon
    });
    life.every(1_000, () => tend(interception, agents), log);
    life.every(HUMANS_EVERY_MS, () => humans.sweep(), log);
    life.every(USERS_EVERY_MS, () => humans.people.renumber(), log);
    life.every(IDENTITY_EVERY_MS, () => agents.endIdentities(), log);
    life.every(GRANTS_EVERY_MS, () => grants.review(), log);
    life.every(1_000, async () => doors.tend(), log);
    life.every(1_000, async () => refusals.expire().forEach(emit), log);
    life.every(1_000, async () => notify.tend(), log);
    life.every(
      1_000,
      async () => {
        if ((await heldStates.expire()).length > 0) sessions.recheck(); // what only observing let in ends
      },
      log,
    );
    life.every(RETENTION_EVERY_MS, async () => void (await retention.run()), log);
    life.every(RESOLVE_EVERY_MS, plan, log);
    const { policy } = inForce();
    tellWarnings(inForce(), log);
    await hold();
    service.ready(`Guarding with policy ${policy.version.slice(0, 12)}`);
    say("daemon.start", `Guarding with policy ${policy.version}`, { policy: policy.version });
    log.info("ready", { runDir, port, policy: policy.version, adopted: interception.adopted });
    return {
      stopped: life.left,
      stop: async () => {
        if (life.isEnding) sessions.hurry(); // asked for the second time
        await life.end();
        life.leave();
        await life.left;
      },
      reload: async () => {
        await reload();
        return reloadResult(parts);
      },
    };
  } catch (error) {
    await life.end();
    life.leave();
    throw error;
  }
}

function configureHumans(humans: Humans, { logins, settings }: Configuration): void {
  const { roles, people } = settings.humans;
  humans.configure({ logins, roles, people });
}

/** Also whom the token that an agent has shown is about: humans may have tokens of the same issuer. */
function startersOf(tag: Tag | undefined): readonly string[] {
  if (tag === undefined) return [];
  const { uid, startedBy, identity } = tag;
  const about = identity === undefined ? [] : [issuedAccount(identity.issuerUrl, identity.subject)];
  return [...(uid === 0 || uid === undefined ? [] : [unixAccount(uid)]), ...startedBy, ...about];
}

/** The cgroup of a tag and all below it. */
function isProcessIn(pid: number, cgroupId: bigint, agents: Agents, cgroupRoot: string): boolean {
  const tag = agents.list().find((one) => one.cgroupId === cgroupId);
  return tag !== undefined && `${cgroupRoot}${cgroupOf(pid) ?? ""}/`.startsWith(`${tag.cgroup}/`);
}

function wiped(credential: { wipe(): void }): undefined {
  credential.wipe();
}

function tellWarnings({ warnings }: Configuration, log: Log): void {
  for (const { file, line, message, remedy } of warnings)
    log.warn(`${message} ${remedy}`.trim(), file === "" ? {} : { file, line });
}

/** A warning, not the end: other connections work, and the secret may come before the first login. */
function tellUnreadable(connection: string, problem: unknown, log: Log): void {
  const remedy = problem instanceof UserError ? problem.remedy : "";
  log.warn(`Logins to ${connection} will fail: ${messageOf(problem)}`, { code: codeOf(problem), remedy });
}

async function tend(interception: Interception, agents: Agents): Promise<void> {
  interception.sweepOrigins(ORIGIN_AGE_MS);
  interception.tend();
  await agents.sweep();
}
