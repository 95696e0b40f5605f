/**
 * Reads the settings: text in, plain values out, or one error that names every line to mend. Reads no file
 * (secrets and CA files stay paths) and never shows a value, since a secret may stand in the wrong place.
 */
import { dirname, resolve } from "node:path";
import { SETTINGS_BYTES_MAX } from "./base/limits.ts";
import { formatAddress } from "./config/address.ts";
import { type RawApi, readApi } from "./config/api.ts";
import { compileCheck } from "./config/check.ts";
import { parseSettingsDocument, type SettingsDocument } from "./config/document.ts";
import { readDoors } from "./config/doors.ts";
import { type EgressSettings, type RawEgress, readEgress } from "./config/egress.ts";
import { type RawEvents, readEvents } from "./config/events.ts";
import { namesIn, type RawGrant, readGrants } from "./config/grants.ts";
import { type HumanSettings, type RawLogin, type RawPerson, readHumans } from "./config/humans.ts";
import { type IdentitySettings, type RawIdentity, readIdentity } from "./config/identity.ts";
import { checkMatchers, type RawMatcher, readMatchers } from "./config/match.ts";
import {
  type ConnectionSettings,
  checkDistinct,
  type ProtocolTraits,
  type RawConnection,
  readConnection,
  record,
} from "./config/meaning.ts";
import { type RawNotify, readNotify } from "./config/notify.ts";
import { type Finding, formatPath, SettingsError } from "./config/problems.ts";
import { type RawRecording, type RecordingSettings, readRecording } from "./config/recording.ts";
import { addedConnectionSchema, settingsSchema } from "./config/schema.ts";
import { type NameServer, readListen, readServers } from "./config/servers.ts";
import type { ApiListener } from "./model/api-listener.ts";
import type { RelayMode } from "./model/form.ts";
import type { GrantTerms } from "./model/grant.ts";
import type { RoleGroups } from "./model/human.ts";
import type { Matcher } from "./model/matcher.ts";
import type { NotifySettings } from "./model/notify.ts";
import type { EventSettings } from "./model/sink.ts";

export type { ConnectionSettings, CredentialReference, ProtocolTraits } from "./config/meaning.ts";

/** Outside the default ip_local_port_range (32768 to 60999), so that no client is given it by chance. */
export const LISTENER_PORT_DEFAULT = 61_917;

export interface Settings {
  /** Where they came from, as it was given. */
  readonly file: string;
  readonly agents: readonly AgentSettings[];
  /** Whose tokens say who an agent is. */
  readonly identity: IdentitySettings;
  /** Who signs in where, and what that gives. */
  readonly humans: HumanSettings;
  readonly connections: readonly ConnectionSettings[];
  /** Undefined: agents need none. */
  readonly grants: readonly GrantTerms[] | undefined;
  /** Connections that grants name and `connections` does not: added by command, or mistyped. */
  readonly grantedElsewhere: readonly PlacedName[];
  readonly egress: EgressSettings;
  /** Empty: those of the host's resolv.conf. */
  readonly names: { readonly servers: readonly NameServer[] };
  /** Paths of Unix sockets in the form that the kernel compares: "/run/x.sock", "/run/x/*", "@name". */
  readonly sockets: { readonly allow: readonly string[] };
  /** The policies folder, absolute; undefined when the settings name none. */
  readonly policies?: string;
  readonly recording: RecordingSettings;
  /** What is told of operations, and where events go. */
  readonly events: EventSettings;
  /** Undefined: the API is served over its Unix socket alone. */
  readonly api: ApiListener | undefined;
  /** Whom held actions are told to, and who answers from there. */
  readonly notify: NotifySettings;
  /** Undefined: metrics are told over the API alone. */
  readonly metrics: { readonly listen: NameServer | undefined };
  readonly interception: { readonly port: number; readonly cgroupRoot?: string; readonly relay: RelayMode };
}

export interface AgentSettings {
  readonly name: string;
  readonly groups: readonly string[];
  readonly claims: Readonly<Record<string, string>>;
  /** Any of them makes a cgroup this agent. */
  readonly match: readonly Matcher[];
}

export interface PlacedName {
  readonly name: string;
  readonly line: number;
  readonly column: number;
}

interface RawSettings {
  readonly agents?: readonly RawAgent[];
  readonly identity?: RawIdentity & { readonly logins?: readonly RawLogin[] };
  readonly roles?: RoleGroups;
  readonly humans?: readonly RawPerson[];
  readonly connections?: readonly RawConnection[];
  readonly grants?: readonly RawGrant[];
  readonly egress?: RawEgress;
  readonly names?: { readonly servers?: readonly string[] };
  readonly sockets?: { readonly allow?: readonly string[] };
  readonly policies?: string;
  readonly recording?: RawRecording;
  readonly events?: RawEvents;
  readonly api?: RawApi;
  readonly notify?: RawNotify;
  readonly metrics?: { readonly listen: string };
  readonly interception?: { readonly port?: number; readonly cgroupRoot?: string; readonly relay?: RelayMode };
}

interface RawAgent {
  readonly name: string;
  readonly groups?: readonly string[];
  readonly claims?: Readonly<Record<string, string>>;
  readonly match?: RawMatcher | readonly RawMatcher[];
}

const checkSettings = compileCheck(settingsSchema);
const checkConnection = compileCheck(addedConnectionSchema);

/**
 * Reads one settings file. `file` names it in errors and is what relative paths in it start from. With `protocols`,
 * a connection's protocol must be one of them and bring the credential that it needs.
 * Throws SettingsError (SETTINGS_INVALID).
 */
export function readSettings(text: string, file: string, protocols?: readonly ProtocolTraits[]): Settings {
  if (Buffer.byteLength(text) > SETTINGS_BYTES_MAX) {
    const message = `is larger than ${SETTINGS_BYTES_MAX} bytes`;
    throw new SettingsError(file, [{ file, line: 1, column: 1, key: "", message }]);
  }
  const document = parseSettingsDocument(text, file);
  const shape = checkSettings(document.data);
  if (shape.length > 0) throw located(file, document, shape);
  const findings: Finding[] = [];
  const raw = document.data as RawSettings;
  const settings = convert(raw, file, protocols, (finding) => findings.push(finding));
  if (findings.length > 0) throw located(file, document, findings);
  const own = new Set(settings.connections.map(({ connection }) => connection.name));
  const elsewhere = namesIn(raw.grants ?? []).filter(({ name }) => !own.has(name));
  return {
    ...settings,
    grantedElsewhere: elsewhere.map(({ name, path }) => ({ name, ...document.placeOf(path, "value") })),
  };
}

/**
 * Checks one connection that did not come from the settings file, by the same rules. `value` has the shape of an
 * entry of `connections`, but no credential (the vault has it) and PEM text as `tls.ca`; `origin` names it in errors.
 * Throws SettingsError.
 */
export function readAddedConnection(
  value: unknown,
  origin: string,
  protocols?: readonly ProtocolTraits[],
): ConnectionSettings {
  const findings = checkConnection(value);
  if (findings.length > 0) throw located(origin, undefined, findings);
  const report = (finding: Finding) => findings.push(finding);
  const connection = readConnection(value as RawConnection, [], { kind: "vault", protocols }, report);
  if (findings.length > 0) throw located(origin, undefined, findings);
  return connection;
}

function convert(
  raw: RawSettings,
  file: string,
  protocols: readonly ProtocolTraits[] | undefined,
  report: (finding: Finding) => void,
): Omit<Settings, "grantedElsewhere"> {
  const agents = (raw.agents ?? []).map((agent, index) => readAgent(agent, index, report));
  const connections = (raw.connections ?? []).map((connection, index) =>
    readConnection(connection, ["connections", index], { kind: "settings", file, protocols }, report),
  );
  checkNames("agents", agents, report);
  checkNames(
    "connections",
    connections.map(({ connection }) => connection),
    report,
  );
  checkOverlap(connections, report);
  checkMatchers(
    agents.map(({ match }) => match),
    report,
  );
  const names = agents.map(({ name }) => name);
  const { logins = [] } = raw.identity ?? {};
  const { saml: agentsSaml = [] } = raw.identity ?? {};
  const said = { logins, agentsSaml, roles: raw.roles ?? {}, humans: raw.humans ?? [] };
  const humans = readHumans(said, file, report);
  const api = readApi(raw.api, file, logins.length > 0, report);
  return {
    file,
    agents,
    identity: readIdentity(raw.identity ?? {}, names, file, report),
    humans,
    connections,
    grants: raw.grants === undefined ? undefined : readGrants(raw.grants, names, report),
    egress: readEgress(raw.egress ?? {}, report),
    names: { servers: readServers(raw.names?.servers ?? [], report) },
    sockets: { allow: readDoors(raw.sockets?.allow ?? [], report) },
    recording: readRecording(raw.recording ?? {}, report),
    ...(raw.policies === undefined ? {} : { policies: resolve(dirname(file), raw.policies) }),
    events: readEvents(raw.events ?? {}, file, report),
    api,
    notify: readNotify(raw.notify ?? {}, { people: humans.people, api }, file, report),
    metrics: { listen: readListen(raw.metrics?.listen, ["metrics", "listen"], report) },
    interception: {
      port: raw.interception?.port ?? LISTENER_PORT_DEFAULT,
      relay: raw.interception?.relay ?? "auto",
      ...(raw.interception?.cgroupRoot === undefined ? {} : { cgroupRoot: raw.interception.cgroupRoot }),
    },
  };
}

function readAgent(raw: RawAgent, index: number, report: (finding: Finding) => void): AgentSettings {
  const { name, groups = [], claims = {} } = raw;
  const match = readMatchers(raw.match, ["agents", index, "match"], report);
  return { name, groups, claims: record(Object.entries(claims)), match };
}

function checkNames(list: string, named: readonly { name: string }[], report: (finding: Finding) => void): void {
  checkDistinct(
    named.map(({ name }, index) => ({ key: name, path: [list, index, "name"] })),
    (first) => `is taken by ${formatPath(first.slice(0, 2))}`,
    report,
  );
}

/** The same address twice would leave it to chance which credential is used. A narrower network wins over a wider one. */
function checkOverlap(connections: readonly ConnectionSettings[], report: (finding: Finding) => void): void {
  const entries = connections.flatMap(({ connection }, index) =>
    [...new Set(connection.addresses.map(formatAddress))].map((key) => ({
      key,
      path: ["connections", index, "addresses"],
    })),
  );
  checkDistinct(entries, (first) => `has an address that ${formatPath(first.slice(0, 2))} has too`, report);
}

function located(file: string, document: SettingsDocument | undefined, findings: readonly Finding[]): SettingsError {
  return new SettingsError(
    file,
    findings.map(({ path, at, message }) => {
      const place = document?.placeOf(path, at) ?? { line: 0, column: 0 };
      return { file, ...place, key: formatPath(path), message };
    }),
  );
}
