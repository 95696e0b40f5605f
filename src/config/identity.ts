/** `identity` of the settings as plain values: whose tokens and SAML responses are taken, and what for. Reads no file. */
import { dirname, resolve } from "node:path";
import { durationMs } from "../base/duration.ts";
import { CLOCK_SKEW_MS_MAX, IDENTITY_MS_MAX } from "../base/limits.ts";
import type { Issuer, SamlProvider, TokenTerms } from "../model/issuer.ts";
import { checkDistinct, invalid, record } from "./meaning.ts";
import { type Finding, formatPath, type Path } from "./problems.ts";

export interface RawIdentity {
  readonly issuers?: readonly RawIssuer[];
  readonly saml?: readonly RawProvider[];
}

interface RawTerms {
  readonly name: string;
  readonly audience: string;
  readonly clockSkew?: string;
  readonly until?: TokenTerms["until"];
  readonly for?: string;
  readonly match?: Readonly<Record<string, string>>;
  readonly agents?: readonly string[];
}

export type RawGroups<Key extends string> =
  | string
  | ({ readonly [key in Key]: string } & { readonly names: Readonly<Record<string, readonly string[]>> });

interface RawIssuer extends RawTerms {
  readonly issuer: string;
  readonly algorithms?: readonly string[];
  readonly groups?: RawGroups<"claim">;
  readonly claims?: readonly string[];
  readonly ca?: string;
}

interface RawProvider extends RawTerms {
  readonly entityId: string;
  readonly certificates: readonly string[];
  readonly recipient?: string;
  readonly groups?: RawGroups<"attribute">;
  readonly claims?: Readonly<Record<string, string>>;
}

export interface IssuerSettings {
  /** Its `ca` is never set: whoever reads `caFile` adds it. */
  readonly issuer: Issuer;
  readonly caFile?: string;
}

export interface SamlSettings {
  /** Its `certificates` are empty: whoever reads the files adds them. */
  readonly provider: SamlProvider;
  readonly certificateFiles: readonly string[];
}

export interface IdentitySettings {
  readonly issuers: readonly IssuerSettings[];
  readonly saml: readonly SamlSettings[];
}

type Report = (finding: Finding) => void;

const ALGORITHMS_DEFAULT = ["RS256", "ES256", "PS256", "EdDSA"] as const;
export const CLOCK_SKEW_DEFAULT_MS = 60_000;
const FOR_MIN_MS = 1_000;

/** `agents`: the names in the settings; without any, every name is an agent's. */
export function readIdentity(
  { issuers = [], saml = [] }: RawIdentity,
  agents: readonly string[],
  file: string,
  report: Report,
): IdentitySettings {
  const named = (list: "issuers" | "saml", entries: readonly RawTerms[]) =>
    entries.map(({ name }, index) => ({ key: name, path: ["identity", list, index, "name"] }));
  checkDistinct(
    [...named("issuers", issuers), ...named("saml", saml)],
    (first) => `is taken by ${formatPath(first.slice(0, 3))}`,
    report,
  );
  return {
    issuers: issuers.map((raw, index) => readIssuer(raw, ["identity", "issuers", index], agents, file, report)),
    saml: saml.map((raw, index) => readProvider(raw, ["identity", "saml", index], agents, file, report)),
  };
}

function readIssuer(
  raw: RawIssuer,
  path: Path,
  agents: readonly string[],
  file: string,
  report: Report,
): IssuerSettings {
  if (!URL.canParse(raw.issuer)) report(invalid([...path, "issuer"], "value", "is not a URL"));
  const { algorithms = ALGORITHMS_DEFAULT, claims = [] } = raw;
  const issuer: Issuer = {
    ...{ ...readTerms(raw, path, agents, report), url: raw.issuer, algorithms, claims },
    groups: groupsOf(raw.groups, "claim"),
  };
  return { issuer, ...(raw.ca === undefined ? {} : { caFile: resolve(dirname(file), raw.ca) }) };
}

function readProvider(
  raw: RawProvider,
  path: Path,
  agents: readonly string[],
  file: string,
  report: Report,
): SamlSettings {
  const { entityId, recipient } = raw;
  const provider: SamlProvider = {
    ...{ ...readTerms(raw, path, agents, report), url: entityId, recipient, certificates: [] },
    groups: groupsOf(raw.groups, "attribute"),
    claims: record(Object.entries(raw.claims ?? {})),
  };
  return { provider, certificateFiles: raw.certificates.map((path) => resolve(dirname(file), path)) };
}

function readTerms(
  raw: RawTerms,
  path: Path,
  known: readonly string[],
  report: Report,
): Omit<TokenTerms, "url" | "groups"> {
  const { name, audience, until = "cgroup", match = {}, agents } = raw;
  checkAgents(agents ?? [], known, [...path, "agents"], report);
  return {
    ...{ name, audience, until, agents, match: record(Object.entries(match)) },
    clockSkewMs: bounded(
      raw.clockSkew,
      CLOCK_SKEW_DEFAULT_MS,
      0,
      CLOCK_SKEW_MS_MAX,
      "5m",
      [...path, "clockSkew"],
      report,
    ),
    forMs: bounded(raw.for, IDENTITY_MS_MAX, FOR_MIN_MS, IDENTITY_MS_MAX, "12h", [...path, "for"], report),
  };
}

export function groupsOf<Key extends string>(raw: RawGroups<Key> | undefined, key: Key): TokenTerms["groups"] {
  if (raw === undefined) return undefined;
  return typeof raw === "string" ? { claim: raw } : { claim: raw[key], names: record(Object.entries(raw.names)) };
}

/** Without names in the settings every name is an agent's. */
export function checkAgents(agents: readonly string[], known: readonly string[], path: Path, report: Report): void {
  for (const [at, agent] of agents.entries()) {
    if (known.length === 0 || known.includes(agent)) continue;
    report(invalid([...path, at], "value", "is no agent of the settings; add it to agents, or take it out"));
  }
}

/** A time as people write it; `maxWords` says the longest. */
export function bounded(
  text: string | undefined,
  byDefault: number,
  min: number,
  max: number,
  maxWords: string,
  path: Path,
  report: Report,
): number {
  const ms = text === undefined ? byDefault : durationMs(text);
  if (ms !== undefined && ms >= min && ms <= max) return ms;
  report(invalid(path, "value", `must be a time from ${min / 1_000}s to ${maxWords}`));
  return byDefault;
}
