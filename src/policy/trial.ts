/** Runs the cases of a test file against a policy: what each got and should have got, and which rules were exercised. */
import type { Agent } from "../model/identity.ts";
import type { ActionDeclaration, Asked, Fact, Facts, FactType } from "../model/operation.ts";
import type { Origin } from "../model/origin.ts";
import type { AskedFor, Case, CaseFile, TestedConnection } from "./cases.ts";
import type { Subject } from "./decide.ts";
import { isObject, OWN_ACTIONS, REVEAL } from "./facts.ts";
import type { Policy } from "./load.ts";
import { nearest } from "./nearest.ts";

/** What a text would ask for; undefined: the connection's protocol has no texts, or there is none of that name. */
export type Analyse = (text: string, connection: TestedConnection) => readonly Asked[] | undefined;

export interface CaseResult {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly passed: boolean;
  /** What was wrong; "" when it passed. */
  readonly problem: string;
}

export interface Trial {
  readonly results: readonly CaseResult[];
  /** In how many cases each rule matched. */
  readonly coverage: ReadonlyMap<string, number>;
}

export function runCases(
  policy: Policy,
  catalogue: readonly ActionDeclaration[],
  file: CaseFile,
  analyse: Analyse,
): Trial {
  const coverage = new Map(policy.rules.map(({ name }) => [name, 0]));
  const actions = new Map([...OWN_ACTIONS, ...catalogue, ...file.actions].map((action) => [action.name, action]));
  const results = file.cases.map((one) => {
    const problem = runCase(policy, actions, file, one, analyse, coverage);
    return { name: one.name, file: one.place.file, line: one.place.at(0).line, passed: problem === "", problem };
  });
  return { results, coverage };
}

/** "" or what was wrong. */
function runCase(
  policy: Policy,
  actions: ReadonlyMap<string, ActionDeclaration>,
  file: CaseFile,
  one: Case,
  analyse: Analyse,
  coverage: Map<string, number>,
): string {
  const connection = file.connections.get(one.connection) ?? {
    ...{ name: one.connection, protocol: "postgres", labels: {}, data: {} },
  };
  const asked = askedOf(one.asks, connection, actions, analyse);
  if (typeof asked === "string") return asked;
  const subject = subjectOf(file, one, connection);
  const explained = policy.explain(subject, asked);
  const matched = new Set<string>();
  for (const { rules } of explained.operations.flatMap((operation) => operation.actions)) {
    for (const rule of rules) if (rule.matched || rule.failure !== undefined) matched.add(rule.name);
  }
  for (const rule of matched) coverage.set(rule, (coverage.get(rule) ?? 0) + 1);
  const revealed = asked.flatMap(({ operation }) => operation.actions).find(({ name }) => name === REVEAL);
  if (revealed !== undefined) return judgeReveal(policy, subject, revealed.facts, one, matched);
  return compare(one, explained.decision, explained.rules, explained.message);
}

function compare(one: Case, got: string, rules: readonly string[], message: string): string {
  const by = rules.length === 0 ? "no rule" : rules.join(", ");
  if (got !== one.expect) return `expected ${one.expect}, got ${got} by ${by}${message === "" ? "" : `: ${message}`}`;
  const wanted = one.rules;
  if (wanted !== undefined && (wanted.length !== rules.length || !wanted.every((rule) => rules.includes(rule)))) {
    return `expected the rules [${wanted.join(", ")}], got [${rules.join(", ")}]`;
  }
  if (one.message !== undefined && !message.includes(one.message)) {
    return `expected a message with "${one.message}", got "${message}"`;
  }
  return "";
}

function judgeReveal(
  policy: Policy,
  subject: Subject,
  { column, detector }: Facts,
  one: Case,
  matched: ReadonlySet<string>,
): string {
  const { schema, table, name, labels } = column as { schema: string; table: string; name: string; labels: string[] };
  const style = policy.judge(subject).reveal({ schema, table, name, labels }, String(detector)) ?? "shown";
  return compare(one, style, [...matched], "");
}

/** Undeclared actions and facts are told as a text. */
function askedOf(
  asks: AskedFor,
  connection: TestedConnection,
  actions: ReadonlyMap<string, ActionDeclaration>,
  analyse: Analyse,
): readonly Asked[] | string {
  if (asks.kind === "text") {
    return analyse(asks.text, connection) ?? `the protocol ${connection.protocol} has no texts to type in`;
  }
  const declared = actions.get(asks.action);
  if (declared === undefined) {
    const near = nearest(asks.action, actions.keys());
    return `there is no action "${asks.action}"${near === undefined ? "" : `; did you mean "${near}"?`}`;
  }
  const unknown: string[] = [];
  const facts = completed(asks.facts, { object: "", fields: declared.facts }, "", unknown) as Facts;
  if (unknown.length > 0) return `${asks.action} has no fact ${unknown.join(", ")}, or one of another type`;
  return [{ operation: { actions: [{ name: asks.action, facts }] }, text: asks.action }];
}

/** Facts that a case leaves out are empty. */
function completed(fact: Fact | undefined, type: FactType, path: string, unknown: string[]): Fact {
  const wrong = (fallback: Fact): Fact => {
    if (fact !== undefined) unknown.push(path);
    return fallback;
  };
  if (type === "string") return typeof fact === "string" ? fact : wrong("");
  if (type === "bool") return typeof fact === "boolean" ? fact : wrong(false);
  if (type === "int") return typeof fact === "number" ? fact : wrong(0);
  if ("list" in type) {
    return Array.isArray(fact)
      ? fact.map((item, at) => completed(item, type.list, `${path}[${at}]`, unknown))
      : wrong([]);
  }
  const given = isObject(fact) ? fact : wrong({});
  const entries = Object.entries(given as { readonly [name: string]: Fact });
  const below = (name: string) => (path === "" ? name : `${path}.${name}`);
  if ("map" in type) {
    return Object.fromEntries(entries.map(([key, value]) => [key, completed(value, type.map, below(key), unknown)]));
  }
  for (const [name] of entries) if (!Object.hasOwn(type.fields, name)) unknown.push(below(name));
  const own = given as { readonly [name: string]: Fact };
  return Object.fromEntries(
    Object.entries(type.fields).map(([name, inner]) => [name, completed(own[name], inner, below(name), unknown)]),
  );
}

function subjectOf(file: CaseFile, one: Case, connection: TestedConnection): Subject {
  const { groups = [], claims = {} } = file.agents.get(one.agent) ?? {};
  const agent: Agent = { slot: 1, name: one.agent, groups, claims };
  return {
    sessionId: "test",
    agent,
    origin: { ...NOWHERE, user: one.user, executable: one.executable },
    connection,
    clock: { nowMs: () => one.atMs },
  };
}

/** An origin of which nothing is known. */
export const NOWHERE: Origin = {
  ...{ address: "", port: 0, sourceAddress: "", sourcePort: 0, netnsCookie: 0n, cgroupId: 0n, tagCgroupId: 0n },
  ...{ cgroup: "", pid: 0, uid: 0, user: "", comm: "", executable: "" },
};
