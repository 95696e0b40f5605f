/**
 * What the schema cannot say: addresses, names that must differ, and what would hand a login to a rogue server.
 * Takes data of the schema's shape; gives findings and plain values. Reads no file.
 */
import { dirname, resolve } from "node:path";
import type { Address } from "../model/address.ts";
import type { Connection, DataLabels, UpstreamTls } from "../model/connection.ts";
import { nearest } from "../policy/nearest.ts";
import { AddressError, isOneHost, parseAddress } from "./address.ts";
import type { Finding, Path } from "./problems.ts";

export interface RawConnection {
  readonly name: string;
  readonly protocol: string;
  readonly addresses: readonly string[];
  readonly credential?: { readonly user: string; readonly password?: Readonly<Record<string, string>> };
  readonly tls?: { readonly mode?: UpstreamTls["mode"]; readonly name?: string; readonly ca?: string };
  readonly labels?: Readonly<Record<string, string>>;
  readonly data?: Readonly<
    Record<string, { labels?: readonly string[]; columns?: Readonly<Record<string, readonly string[]>> }>
  >;
}

/** Where the vault reads a secret at each login. */
export type SecretReference =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "env"; readonly name: string }
  | { readonly kind: "systemd"; readonly name: string };

export interface CredentialReference {
  readonly user: string;
  /** Absent for logins without one. */
  readonly password?: SecretReference;
}

export interface ConnectionSettings {
  /** Its `tls.ca` is never set: whoever reads `caFile` adds it. */
  readonly connection: Connection;
  readonly caFile?: string;
  readonly credential?: CredentialReference;
}

/** What the settings must know of a protocol. */
export interface ProtocolTraits {
  readonly name: string;
  readonly needsCredential: boolean;
}

/** Where a connection was read. `file` is what relative paths in it start from. */
export type Source =
  | { readonly kind: "settings"; readonly file: string; readonly protocols: readonly ProtocolTraits[] | undefined }
  /** Its credential is in the vault; its `tls.ca` is PEM text. */
  | { readonly kind: "vault"; readonly protocols: readonly ProtocolTraits[] | undefined };

/** One connection as plain values; what is wrong with it goes to `report`. */
export function readConnection(
  raw: RawConnection,
  path: Path,
  source: Source,
  report: (finding: Finding) => void,
): ConnectionSettings {
  const read = (text: string) => parseAddress(text, "numbers");
  const addresses = readAddresses(raw.addresses, [...path, "addresses"], read, report);
  const { mode = "verify-full", name, ca } = raw.tls ?? {};
  const tls: UpstreamTls = {
    mode,
    ...(name === undefined ? {} : { name: name.toLowerCase() }),
    ...(ca === undefined || source.kind === "settings" ? {} : { ca }),
  };
  if (source.kind === "vault" || raw.credential !== undefined) checkSteering(addresses, tls, path, report);
  checkProtocol(raw, path, source, report);
  checkTls(raw.tls ?? {}, mode, [...path, "tls"], report);
  return {
    connection: {
      name: raw.name,
      protocol: raw.protocol,
      addresses: addresses.filter((address) => address !== undefined),
      labels: record(Object.entries(raw.labels ?? {})),
      tls,
      data: readData(raw.data ?? {}),
    },
    ...(ca === undefined || source.kind === "vault" ? {} : { caFile: resolve(dirname(source.file), ca) }),
    ...(raw.credential === undefined || source.kind === "vault"
      ? {}
      : { credential: readCredential(raw.credential, source.file) }),
  };
}

/** One entry per text, so that indexes stay; undefined where the text is wrong and was reported. */
export function readAddresses<T>(
  texts: readonly string[],
  path: Path,
  read: (text: string) => T,
  report: (finding: Finding) => void,
): (T | undefined)[] {
  return texts.map((text, index) => {
    try {
      return read(text);
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      report(invalid([...path, index], "value", error.message));
      return undefined;
    }
  });
}

/** Names that occur twice, at their second place. */
export function checkDistinct(
  entries: readonly { readonly key: string; readonly path: Path }[],
  message: (first: Path) => string,
  report: (finding: Finding) => void,
): void {
  const seen = new Map<string, Path>();
  for (const { key, path } of entries) {
    const first = seen.get(key);
    if (first === undefined) seen.set(key, path);
    else report(invalid(path, "value", message(first)));
  }
}

export function invalid(path: Path, at: Finding["at"], message: string): Finding {
  return { path, at, message };
}

/** Without a prototype, so that a column called "constructor" finds nothing. */
export function record<T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> {
  const target: Record<string, T> = Object.create(null);
  for (const [key, value] of entries) target[key] = value;
  return target;
}

/** Behind a network the agent chooses the host: only a verified, stated name tells the real server from a rogue one. */
function checkSteering(
  addresses: readonly (Address | undefined)[],
  tls: UpstreamTls,
  path: Path,
  report: (finding: Finding) => void,
): void {
  const wide = addresses.findIndex((address) => address !== undefined && !isOneHost(address));
  if (wide === -1 || (tls.mode === "verify-full" && tls.name !== undefined)) return;
  const message =
    'is more than one host, so a rogue server in it would be given the login; set tls.mode "verify-full" and tls.name, or list single hosts';
  report(invalid([...path, "addresses", wide], "value", message));
}

function checkProtocol(raw: RawConnection, path: Path, source: Source, report: (finding: Finding) => void): void {
  const { protocols } = source;
  if (protocols === undefined) return;
  const found = protocols.find(({ name }) => name === raw.protocol);
  if (found === undefined) {
    const names = protocols.map(({ name }) => name);
    const meant = nearest(raw.protocol, names);
    const help = meant === undefined ? `known: ${names.join(", ")}` : `did you mean "${meant}"?`;
    report(invalid([...path, "protocol"], "value", `is not a known protocol; ${help}`));
  } else if (found.needsCredential && source.kind === "settings" && raw.credential === undefined) {
    const message = `lacks the key "credential", which protocol ${found.name} needs`;
    report(invalid(path, "value", `${message} (or add it with \`sallyport connections add\`)`));
  }
}

/** What is written and would not be used is a misunderstanding about safety. */
function checkTls(
  raw: NonNullable<RawConnection["tls"]>,
  mode: UpstreamTls["mode"],
  path: Path,
  report: (finding: Finding) => void,
): void {
  for (const key of ["name", "ca"] as const) {
    if (raw[key] === undefined || mode === "verify-full") continue;
    report(
      invalid([...path, key], "key", `means nothing with mode "${mode}", which verifies nothing; take one of them out`),
    );
  }
}

function readCredential(raw: NonNullable<RawConnection["credential"]>, file: string): CredentialReference {
  const { user, password } = raw;
  if (password === undefined) return { user };
  const { file: path, env, systemd } = password;
  if (path !== undefined) return { user, password: { kind: "file", path: resolve(dirname(file), path) } };
  if (env !== undefined) return { user, password: { kind: "env", name: env } };
  return { user, password: { kind: "systemd", name: systemd ?? "" } };
}

function readData(raw: NonNullable<RawConnection["data"]>): DataLabels {
  return record(
    Object.entries(raw).map(([table, { labels = [], columns = {} }]) => [
      table,
      { labels, columns: record(Object.entries(columns)) },
    ]),
  );
}
