/** `grants` of the settings as plain values, with their conditions compiled. Knows no connection: some are added by command. */
import { GRANT_MS_MAX, IDENTITY_MS_MAX } from "../base/limits.ts";
import type { GrantCondition, GrantedConnections, GrantTerms } from "../model/grant.ts";
import { ConditionError } from "../policy/condition.ts";
import { compileGrantCondition } from "../policy/grant-condition.ts";
import { bounded, checkAgents } from "./identity.ts";
import { checkDistinct, invalid } from "./meaning.ts";
import { type Finding, formatPath, type Path } from "./problems.ts";

export interface RawGrant {
  readonly name: string;
  readonly agents: readonly string[];
  readonly connections: GrantedConnections;
  readonly when?: string;
  readonly for?: string;
  readonly until?: string;
}

type Report = (finding: Finding) => void;

const FOR_MIN_MS = 1_000;

/** `agents`: the names in the settings; without any, every name is an agent's. */
export function readGrants(raws: readonly RawGrant[], agents: readonly string[], report: Report): GrantTerms[] {
  checkDistinct(
    raws.map(({ name }, index) => ({ key: name, path: ["grants", index, "name"] })),
    (first) => `is taken by ${formatPath(first.slice(0, 2))}`,
    report,
  );
  return raws.map((raw, index) => readGrant(raw, ["grants", index], agents, report));
}

/** Every connection that is named, with its place. */
export function namesIn(raws: readonly RawGrant[]): readonly { readonly name: string; readonly path: Path }[] {
  return raws.flatMap(({ connections }, index) =>
    connections === "*" ? [] : connections.map((name, at) => ({ name, path: ["grants", index, "connections", at] })),
  );
}

function readGrant(raw: RawGrant, path: Path, known: readonly string[], report: Report): GrantTerms {
  const { name, agents, connections } = raw;
  checkAgents(agents, known, [...path, "agents"], report);
  return {
    ...{ name, agents, connections },
    condition: raw.when === undefined ? undefined : readCondition(raw.when, [...path, "when"], report),
    forMs: bounded(raw.for, IDENTITY_MS_MAX, FOR_MIN_MS, GRANT_MS_MAX, "365d", [...path, "for"], report),
    untilMs: raw.until === undefined ? undefined : readMoment(raw.until, [...path, "until"], report),
  };
}

function readCondition(text: string, path: Path, report: Report): GrantCondition | undefined {
  try {
    return compileGrantCondition(text);
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    const remedy = error.remedy === "" ? "" : ` ${error.remedy}`;
    report(invalid(path, "value", `is not usable at character ${error.at + 1}: ${error.message}${remedy}`));
    return undefined;
  }
}

/** Days that no month has are refused: Date.parse takes the 30th of February for the 2nd of March. */
function readMoment(text: string, path: Path, report: Report): number | undefined {
  const [day = ""] = text.split("T");
  const [atMs, dayMs] = [Date.parse(text), Date.parse(`${day}T00:00:00Z`)];
  if (!Number.isNaN(atMs) && new Date(dayMs).toISOString().startsWith(day)) return atMs;
  report(invalid(path, "value", "is no moment that there is"));
  return undefined;
}
