/** From what a recording keeps of an operation to the facts that search knows. Reads JSON that may be of any protocol. */
import { TOO_LONG_BY } from "../model/mask.ts";
import type { AnswerEntry, MaskTally } from "../model/session.ts";
import type { ActionEntry, DecisionEntry, StartEntry } from "../recorder/format.ts";
import type { Facet, Finding } from "./row.ts";

/** The longest value that is kept: names are shorter. */
const VALUE_MAX = 255;

export function facetsOfStart({ sessionId, agent, groups, claims, connection, protocol, origin }: StartEntry): Facet[] {
  return bounded([
    ["session", sessionId],
    ["agent", agent],
    ["connection", connection],
    ["protocol", protocol],
    ["pid", String(origin.pid)],
    ["uid", String(origin.uid)],
    ["user", origin.user],
    ["exe", origin.executable],
    ...groups.map((group): Facet => ["group", group]),
    ...Object.entries(claims).map(([name, value]): Facet => [`claim.${name}`, value]),
  ]);
}

/** Of one action's facts; what is not there, or not as expected, gives nothing. */
export function facetsOfAction({ name, facts }: ActionEntry["actions"][number]): Facet[] {
  const found: Facet[] = [["action", name]];
  const statement = facts === "" ? undefined : recordOf(recordOf(JSON.parse(facts))?.["statement"]);
  if (statement === undefined) return found;
  if (typeof statement["kind"] === "string") found.push(["statement", statement["kind"]]);
  for (const table of listOf(statement["tables"])) {
    const { schema, name: own } = recordOf(table) ?? {};
    if (typeof own !== "string") continue;
    // Without a schema it is any table of that name.
    found.push(["table", own], ["table", `${typeof schema === "string" && schema !== "" ? schema : ANY}.${own}`]);
  }
  for (const [term, key] of [
    ["column", "columns"],
    ["function", "functions"],
    ["oracle", "oracles"],
  ] as const) {
    for (const value of listOf(statement[key])) if (typeof value === "string") found.push([term, value]);
  }
  return bounded(found);
}

/** Stands for the schema of a table that the statement names without one. */
export const ANY = "?";

export function facetsOfDecision({ decision, rules, hold, observed }: DecisionEntry): Facet[] {
  return bounded([
    ["decision", decision],
    ...(observed === undefined ? [] : ([["decision", "observed"]] satisfies Facet[])),
    ...[...rules, ...(observed?.rules ?? [])].map((rule): Facet => ["rule", rule]),
    // It was held, whatever came of it.
    ...(hold === undefined
      ? []
      : ([
          ["hold", hold.id],
          ["decision", "hold"],
        ] satisfies Facet[])),
    ...(hold?.by ?? []).flatMap((by): Facet[] => [
      ["approver", by],
      ["approver", by.split(" ")[0] ?? by],
    ]),
  ]);
}

export function facetsOfAnswer({ error }: AnswerEntry): Facet[] {
  return error === undefined ? [] : [["error", error.code]];
}

/** One tally for each label or detector that it names. */
export function findingsOf(tallies: readonly MaskTally[], fate: "masked" | "shown"): Finding[] {
  return tallies.flatMap(({ column, by, count }) => {
    const counts = { masked: fate === "masked" ? count : 0, shown: fate === "shown" ? count : 0 };
    return namesIn(by).map((one) => ({ column, by: one, ...counts }));
  });
}

export function facetsOfFinding({ column, by, masked, shown }: Finding): Facet[] {
  const at = by.indexOf(":");
  const named: Facet[] = at < 0 ? [] : [[by.slice(0, at), by.slice(at + 1)]];
  const own = column.slice(column.lastIndexOf(".") + 1);
  const value: Facet[] = [
    ...(masked > 0 ? ([["value", "masked"]] satisfies Facet[]) : []),
    ...(shown > 0 ? ([["value", "shown"]] satisfies Facet[]) : []),
  ];
  return bounded([...named, ["column", column], ["column", own], ...value]);
}

/** "label:a,b" and "detector:a,b" name two each. What was too long to be searched is found as a detector's, beside whichever is asked for. */
function namesIn(by: string): readonly string[] {
  if (by === TOO_LONG_BY) return [`detector:${by}`];
  const at = by.indexOf(":");
  if (at < 0) return [by];
  const term = by.slice(0, at);
  return by
    .slice(at + 1)
    .split(",")
    .map((name) => `${term}:${name}`);
}

function bounded(facets: readonly Facet[]): Facet[] {
  return facets.filter(([, value]) => value !== "").map(([term, value]) => [term, value.slice(0, VALUE_MAX)]);
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
