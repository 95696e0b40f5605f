/** `identity.issuers` of the settings as plain values: whose tokens are taken, and what for. Reads no file, asks no issuer. */
import { dirname, resolve } from "node:path";
import { durationMs } from "../base/duration.ts";
import { CLOCK_SKEW_MS_MAX, IDENTITY_MS_MAX } from "../base/limits.ts";
import type { Issuer } from "../model/issuer.ts";
import { checkDistinct, invalid, record } from "./meaning.ts";
import { type Finding, formatPath, type Path } from "./problems.ts";

export interface RawIssuer {
  readonly name: string;
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms?: readonly string[];
  readonly clockSkew?: string;
  readonly until?: Issuer["until"];
  readonly for?: string;
  readonly groups?: string | { readonly claim: string; readonly names: Readonly<Record<string, readonly string[]>> };
  readonly claims?: readonly string[];
  readonly match?: Readonly<Record<string, string>>;
  readonly agents?: readonly string[];
  readonly ca?: string;
}

export interface IssuerSettings {
  /** Its `ca` is never set: whoever reads `caFile` adds it. */
  readonly issuer: Issuer;
  readonly caFile?: string;
}

type Report = (finding: Finding) => void;

const ALGORITHMS_DEFAULT = ["RS256", "ES256", "PS256", "EdDSA"] as const;
const CLOCK_SKEW_DEFAULT_MS = 60_000;
const FOR_MIN_MS = 1_000;

/** `agents`: the names in the settings; without any, every name is an agent's. */
export function readIssuers(
  issuers: readonly RawIssuer[],
  agents: readonly string[],
  file: string,
  report: Report,
): readonly IssuerSettings[] {
  checkDistinct(
    issuers.map(({ name }, index) => ({ key: name, path: ["identity", "issuers", index, "name"] })),
    (first) => `is taken by ${formatPath(first.slice(0, 3))}`,
    report,
  );
  return issuers.map((raw, index) => readIssuer(raw, index, agents, file, report));
}

function readIssuer(
  raw: RawIssuer,
  index: number,
  known: readonly string[],
  file: string,
  report: Report,
): IssuerSettings {
  const path: Path = ["identity", "issuers", index];
  const { name, audience, algorithms = ALGORITHMS_DEFAULT, until = "cgroup", claims = [], match = {}, agents } = raw;
  if (!URL.canParse(raw.issuer)) report(invalid([...path, "issuer"], "value", "is not a URL"));
  for (const [at, agent] of (agents ?? []).entries()) {
    if (known.length === 0 || known.includes(agent)) continue;
    report(invalid([...path, "agents", at], "value", "is no agent of the settings; add it to agents, or take it out"));
  }
  const issuer: Issuer = {
    ...{ name, url: raw.issuer, audience, algorithms, until, agents },
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
    groups: groupsOf(raw.groups),
    claims,
    match: record(Object.entries(match)),
  };
  return { issuer, ...(raw.ca === undefined ? {} : { caFile: resolve(dirname(file), raw.ca) }) };
}

export function groupsOf(raw: RawIssuer["groups"]): Issuer["groups"] {
  if (raw === undefined) return undefined;
  if (typeof raw === "string") return { claim: raw };
  return { claim: raw.claim, names: record(Object.entries(raw.names)) };
}

function bounded(
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
