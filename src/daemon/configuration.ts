/**
 * What the daemon goes by at this moment: settings, connections made by command, and the policy. Replaced as
 * a whole by `load`, or not at all: a bad file leaves the running one in place.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import { POLICY_FILES_MAX, SETTINGS_BYTES_MAX } from "../base/limits.ts";
import {
  type ConnectionSettings,
  type CredentialReference as NamedReference,
  readAddedConnection,
  readSettings,
  type Settings,
} from "../config.ts";
import { readCertificate } from "../identity/certificates.ts";
import { connectionNumber } from "../kernel/destinations.ts";
import { DETECTOR_NAMES } from "../masking/detectors.ts";
import type { Connection } from "../model/connection.ts";
import type { Login } from "../model/human.ts";
import type { Issuer, SamlProvider } from "../model/issuer.ts";
import { TEST_FILE } from "../policy/cases.ts";
import { loadPolicy, type Policy, type PolicyFile } from "../policy/load.ts";
import { didYouMean } from "../policy/nearest.ts";
import type { Problem } from "../policy/problem.ts";
import { protocols } from "../protocols/index.ts";
import type { CredentialReference } from "../vault/references.ts";

export interface Configuration {
  readonly settings: Settings;
  readonly connections: readonly Connection[];
  readonly byNumber: ReadonlyMap<number, Connection>;
  readonly policy: Policy;
  readonly references: ReadonlyMap<string, CredentialReference>;
  readonly issuers: readonly Issuer[];
  readonly providers: readonly SamlProvider[];
  readonly logins: readonly Login[];
  /** What is in force and likely not meant. */
  readonly warnings: readonly Problem[];
}

/** A connection that was made by command, as the vault kept it. */
export interface AddedConnection {
  readonly name: string;
  /** JSON of an entry of `connections`, without its credential. */
  readonly settings: string;
}

const NO_SETTINGS = "{}\n";
const SETTINGS_FILE = "/etc/sallyport/sallyport.yaml";

/** Of a daemon that was not told another; undefined where there is none. */
export function usualSettingsFile(): string | undefined {
  return existsSync(SETTINGS_FILE) ? SETTINGS_FILE : undefined;
}

/** Reads everything anew. Throws UserError (settings, files) or PolicyError; nothing is changed by a throw. */
export function loadConfiguration(configFile: string | undefined, added: readonly AddedConnection[]): Configuration {
  const { settings, connections } = loadSettings(configFile, added);
  const policy = compilePolicy(settings.policies === undefined ? [] : readPolicyFolder(settings.policies), connections);
  return {
    settings,
    connections,
    byNumber: numbered(connections),
    policy,
    warnings: [...policy.warnings, ...grantWarnings(settings, connections)],
    issuers: settings.identity.issuers.map(({ issuer, caFile }) => ({ ...issuer, ...rootsOf(caFile) })),
    providers: settings.identity.saml.map(({ provider, certificateFiles }) => ({
      ...provider,
      certificates: certificatesOf(certificateFiles),
    })),
    logins: settings.humans.logins.map((one) =>
      "certificateFiles" in one
        ? { ...one.login, certificates: certificatesOf(one.certificateFiles) }
        : { ...one.login, ...rootsOf(one.caFile) },
    ),
    references: new Map(
      settings.connections.flatMap(({ connection, credential }) =>
        credential === undefined ? [] : [[connection.name, vaultReference(credential)]],
      ),
    ),
  };
}

/** Settings and the connections of both sources. Throws UserError. */
export function loadSettings(configFile: string | undefined, added: readonly AddedConnection[]) {
  const text = configFile === undefined ? NO_SETTINGS : readText(configFile, "SETTINGS_UNREADABLE");
  const settings = readSettings(text, configFile ?? "(built-in settings)", protocols);
  const fromVault = added.map(({ name, settings: kept }) =>
    readAddedConnection(JSON.parse(kept), `connection ${name}`, protocols),
  );
  return { settings, connections: [...settings.connections, ...fromVault].map(withRoots) };
}

/** `*.yaml` and `*.yml`; files of tests lie beside them. */
export function isRuleFile(name: string): boolean {
  return /\.ya?ml$/.test(name) && !TEST_FILE.test(name);
}

/** Policy files of a folder in the order of their names. */
export function readPolicyFolder(folder: string): PolicyFile[] {
  let names: string[];
  try {
    names = readdirSync(folder).filter(isRuleFile).sort();
  } catch (cause) {
    throw unreadable("POLICY_UNREADABLE", folder, cause);
  }
  if (names.length > POLICY_FILES_MAX) {
    throw new UserError(
      "POLICY_FILES",
      `Cannot load ${names.length} policy files from ${folder}`,
      `Join them: at most ${POLICY_FILES_MAX}`,
    );
  }
  return names.map((name) => ({ name: join(folder, name), text: readText(join(folder, name), "POLICY_UNREADABLE") }));
}

export function compilePolicy(files: readonly PolicyFile[], connections: readonly Connection[]): Policy {
  const tables = connections.flatMap(({ data }) => Object.values(data));
  const labels = tables.flatMap((table) => [...table.labels, ...Object.values(table.columns).flat()]);
  return loadPolicy(
    files,
    protocols.flatMap(({ actions }) => actions),
    {
      labels: [...new Set(labels)],
      detectors: DETECTOR_NAMES,
      connections: connections.map(({ name }) => name),
    },
  );
}

/** As of a rule: a grant for a connection that nobody knows gives nothing, and its agents may wonder why. */
export function grantWarnings(
  { file, grantedElsewhere }: Settings,
  connections: readonly Connection[],
): readonly Problem[] {
  const known = connections.map(({ name }) => name);
  const missing = grantedElsewhere.filter(({ name }) => !known.includes(name));
  return missing.map(({ name, line, column }) => {
    const message = `A grant names the connection "${name}", which nothing knows.`;
    const remedy = `${didYouMean(name, known)} Or add it: sallyport connections add ${name}`.trim();
    return { file, line, column, rule: "", message, remedy };
  });
}

/** Whether they have the same policy and connections: what was approved under one is the same under the other. */
export function areAlike(one: Configuration, other: Configuration): boolean {
  const said = ({ policy, connections }: Configuration) => JSON.stringify([policy.version, connections]);
  return said(one) === said(other);
}

function numbered(connections: readonly Connection[]): Map<number, Connection> {
  const byNumber = new Map<number, Connection>();
  for (const connection of connections) {
    const number = connectionNumber(connection.name);
    const other = byNumber.get(number);
    if (other !== undefined) {
      throw new UserError(
        "CONNECTION_NAMES",
        `Cannot use the connection names ${other.name} and ${connection.name} together`,
        other.name === connection.name
          ? "Names must differ: rename or remove one"
          : "Rename one of them: their numbers in the kernel collide",
      );
    }
    byNumber.set(number, connection);
  }
  return byNumber;
}

/** Roots are read when settings are: a broken file is found then, not at the first login. */
function withRoots({ connection, caFile }: ConnectionSettings): Connection {
  return { ...connection, tls: { ...connection.tls, ...rootsOf(caFile) } };
}

function rootsOf(caFile: string | undefined): { readonly ca?: string } {
  return caFile === undefined ? {} : { ca: readText(caFile, "CA_UNREADABLE") };
}

function certificatesOf(files: readonly string[]): readonly string[] {
  return files.map((file) => readCertificate(readText(file, "CERTIFICATE_UNREADABLE"), file));
}

function vaultReference({ user, password }: NamedReference): CredentialReference {
  switch (password?.kind) {
    case undefined:
      return { user };
    case "file":
      return { user, password: { file: password.path } };
    case "env":
      return { user, password: { env: password.name } };
    case "systemd":
      return { user, password: { systemd: password.name } };
  }
}

function readText(file: string, code: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw unreadable(code, file, cause);
  }
  if (bytes.length > SETTINGS_BYTES_MAX) {
    throw new UserError(code, `Cannot read ${file}: it is larger than ${SETTINGS_BYTES_MAX} bytes`, "Split it");
  }
  return bytes.toString("utf8");
}

function unreadable(code: string, path: string, cause: unknown): UserError {
  const remedy =
    codeOf(cause) === "ENOENT" ? "Check the path, or create it" : "Check its owner and mode; the daemon runs as root";
  return new UserError(code, `Cannot read ${path}: ${messageOf(cause)}`, remedy, { cause });
}
