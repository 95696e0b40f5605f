/**
 * Test files of policies (`*.test.yaml`): who asks for what, and what must be answered. YAML to cases, each with its
 * place; every problem is told. Runs nothing: trial.ts does.
 */
import { isMap, isScalar, isSeq } from "yaml";
import { POLICY_CASES_MAX } from "../base/limits.ts";
import type { Connection, DataLabels } from "../model/connection.ts";
import type { ActionDeclaration, Fact, Facts, FactType } from "../model/operation.ts";
import { isObject, misfit } from "./facts.ts";
import { STYLES } from "./outcomes.ts";
import type { Problem } from "./problem.ts";
import { type Entries, type Entry, type Place, startOf, YamlReader } from "./reader.ts";

export interface CaseFile {
  /** Names of rule files beside it; undefined: the one of the same name. */
  readonly policies: readonly string[] | undefined;
  /** Of protocols that this version does not speak. */
  readonly actions: readonly ActionDeclaration[];
  readonly connections: ReadonlyMap<string, TestedConnection>;
  readonly agents: ReadonlyMap<string, { readonly groups: readonly string[]; readonly claims: Record<string, string> }>;
  readonly cases: readonly Case[];
}

export type TestedConnection = Pick<Connection, "name" | "protocol" | "labels" | "data">;

export interface Case {
  readonly name: string;
  readonly place: Place;
  readonly agent: string;
  readonly connection: string;
  readonly asks: AskedFor;
  readonly atMs: number;
  readonly user: string;
  readonly executable: string;
  readonly expect: string;
  /** Exactly these, in any order; undefined: whichever. */
  readonly rules: readonly string[] | undefined;
  /** A part of what the agent is told. */
  readonly message: string | undefined;
}

export type AskedFor =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly action: string; readonly facts: Facts };

export const TEST_FILE = /\.test\.ya?ml$/;
/** "shown" to "null" are of `reveal`. */
export const EXPECTATIONS = ["allow", "deny", "hold", "shown", ...STYLES];
const FILE_KEYS = ["policies", "actions", "connections", "agents", "cases"];
const WHO = ["agent", "connection", "user", "executable", "at"];
const CASE_KEYS = ["name", ...WHO, "text", "action", "facts", "expect", "rules", "message"];
const CONNECTION = { protocol: "string", labels: { map: "string" }, data: "tables" } as const;
const TABLE = { labels: { list: "string" }, columns: { map: { list: "string" } } } as const;
const AGENT = { groups: { list: "string" }, claims: { map: "string" } } as const;
const NO_CASES: CaseFile = {
  ...{ policies: undefined, actions: [], connections: new Map(), agents: new Map(), cases: [] },
};
/** Wednesday. */
const USUAL_TIME = "2025-01-15T12:00:00Z";

/** Appends to `problems`. */
export function readCases(file: string, text: string, problems: Problem[]): CaseFile {
  const reader = new YamlReader(file, text, problems);
  const contents = reader.contents();
  if (contents === undefined && reader.problemCount > 0) return NO_CASES;
  const entries = reader.entries(contents ?? null, "", "The file", FILE_KEYS);
  if (entries === undefined) return NO_CASES;
  const found = entries.get("cases")?.value;
  if (!isSeq(found)) reader.say(startOf(found), "", 'The file has no list of "cases".', 'Begin with "cases:".');
  const items = isSeq(found) ? found.items : [];
  if (items.length > POLICY_CASES_MAX) reader.say(0, "", `There are more than ${POLICY_CASES_MAX} cases.`, "Split it.");
  return {
    policies: entries.has("policies") ? textsOf(reader, entries.get("policies"), "", "policies") : undefined,
    actions: actionsIn(reader, entries.get("actions")),
    connections: namedIn(reader, entries.get("connections"), CONNECTION, (name, plain) => ({
      name,
      protocol: String(plain["protocol"] ?? "postgres"),
      labels: (plain["labels"] ?? {}) as Record<string, string>,
      data: dataOf(plain["data"]),
    })),
    agents: namedIn(reader, entries.get("agents"), AGENT, (_name, plain) => ({
      groups: (plain["groups"] ?? []) as readonly string[],
      claims: (plain["claims"] ?? {}) as Record<string, string>,
    })),
    cases: items.slice(0, POLICY_CASES_MAX).flatMap((item) => readCase(reader, item) ?? []),
  };
}

function readCase(reader: YamlReader, item: unknown): Case | undefined {
  const before = reader.problemCount;
  const entries = reader.entries(item, "", "A case", CASE_KEYS);
  if (entries === undefined) return undefined;
  const start = startOf(item);
  const text = (key: string) => reader.scalar(entries.get(key), "", key)?.text;
  const asks = askedFor(reader, entries, start);
  const expect = text("expect") ?? "";
  if (!EXPECTATIONS.includes(expect)) {
    const at = entries.get("expect")?.start ?? start;
    reader.say(at, "", 'A case needs "expect".', `It is one of ${EXPECTATIONS.join(", ")}.`);
  }
  const atMs = Date.parse(text("at") ?? USUAL_TIME);
  if (Number.isNaN(atMs)) {
    reader.say(entries.get("at")?.start ?? start, "", '"at" is no time.', `Write it like ${USUAL_TIME}.`);
  }
  const rules = entries.has("rules") ? textsOf(reader, entries.get("rules"), "", "rules") : undefined;
  const about = asks === undefined ? "" : asks.kind === "text" ? asks.text : asks.action;
  const name = text("name") ?? about;
  const made = {
    ...{ name, place: reader.place(start), agent: text("agent") ?? "agent", connection: text("connection") ?? "" },
    ...{
      user: text("user") ?? "",
      executable: text("executable") ?? "",
      atMs,
      expect,
      rules,
      message: text("message"),
    },
  };
  return reader.problemCount > before || asks === undefined ? undefined : { ...made, asks };
}

function askedFor(reader: YamlReader, entries: Entries, start: number): AskedFor | undefined {
  const text = reader.scalar(entries.get("text"), "", "text")?.text;
  const action = reader.scalar(entries.get("action"), "", "action")?.text;
  if ((text === undefined) === (action === undefined)) {
    reader.say(start, "", 'A case asks for one thing: "text", or "action" with its "facts".');
    return undefined;
  }
  if (text !== undefined) return { kind: "text", text };
  const facts = entries.get("facts");
  const plain = facts === undefined ? {} : plainOf(facts.value);
  if (plain === undefined || !isObject(plain)) {
    reader.say(facts?.start ?? start, "", '"facts" must be a map of facts.');
    return undefined;
  }
  return { kind: "action", action: action ?? "", facts: plain };
}

/** Null, floats and the like are no facts: undefined. */
function plainOf(node: unknown): Fact | undefined {
  if (isScalar(node)) {
    const { value } = node;
    return typeof value === "string" || typeof value === "boolean" || Number.isSafeInteger(value)
      ? (value as Fact)
      : undefined;
  }
  if (isSeq(node)) {
    const items = node.items.map(plainOf);
    return items.includes(undefined) ? undefined : (items as Fact[]);
  }
  if (!isMap(node)) return undefined;
  const made: Record<string, Fact> = {};
  for (const { key, value } of node.items) {
    const fact = plainOf(value);
    if (!isScalar(key) || fact === undefined) return undefined;
    made[String(key.value)] = fact;
  }
  return made;
}

function textsOf(reader: YamlReader, pair: Entry | undefined, rule: string, key: string): readonly string[] {
  const { value, start } = pair ?? { value: undefined, start: 0 };
  if (isSeq(value)) {
    return value.items.flatMap((item) => reader.scalar({ value: item, start }, rule, key)?.text ?? []);
  }
  const one = reader.scalar(pair, rule, key);
  return one === undefined ? [] : [one.text];
}

function namedIn<T>(
  reader: YamlReader,
  pair: Entry | undefined,
  types: Readonly<Record<string, FactType | "tables">>,
  make: (name: string, plain: { readonly [key: string]: Fact }) => T,
): ReadonlyMap<string, T> {
  const made = new Map<string, T>();
  if (pair === undefined) return made;
  for (const [name, entry] of entriesOf(reader, pair)) {
    const known = reader.entries(entry.value, "", `"${name}"`, Object.keys(types));
    const plain = plainOf(entry.value);
    if (known === undefined || plain === undefined || !isObject(plain)) continue;
    const wrong = wrongIn(plain, types);
    if (wrong === undefined) made.set(name, make(name, plain));
    else
      reader.say(known.get(wrong.split(/[.[]/)[0] ?? "")?.start ?? entry.start, "", `"${wrong}" is of another type.`);
  }
  return made;
}

/** The path of what is there and of another type. */
function wrongIn(
  plain: { readonly [key: string]: Fact },
  types: Readonly<Record<string, FactType | "tables">>,
): string | undefined {
  for (const [key, type] of Object.entries(types)) {
    const value = plain[key];
    if (value === undefined) continue;
    if (type !== "tables") {
      const wrong = misfit(plain, { [key]: type });
      if (wrong !== undefined) return wrong;
      continue;
    }
    if (!isObject(value)) return key;
    for (const [name, table] of Object.entries(value)) {
      const wrong = isObject(table) ? wrongIn(table, TABLE) : "";
      if (wrong !== undefined) return `${key}.${name}${wrong === "" ? "" : `.${wrong}`}`;
    }
  }
  return undefined;
}

/** Whatever the keys are. */
function entriesOf(reader: YamlReader, { value, start }: Entry): readonly (readonly [string, Entry])[] {
  if (!isMap(value)) {
    reader.say(start, "", "This must be a map.");
    return [];
  }
  return value.items.flatMap(({ key, value: inner }) =>
    isScalar(key) ? [[String(key.value), { value: inner, start: startOf(key) }] as const] : [],
  );
}

function dataOf(data: Fact | undefined): DataLabels {
  if (data === undefined || !isObject(data)) return {};
  return Object.fromEntries(
    Object.entries(data).map(([name, table]) => {
      const { labels = [], columns = {} } = isObject(table) ? table : {};
      return [name, { labels, columns } as unknown as DataLabels[string]];
    }),
  );
}

/** `kubernetes.exec: { pod: { name: string, labels: { map: string } }, command: [string] }` */
function actionsIn(reader: YamlReader, pair: Entry | undefined): readonly ActionDeclaration[] {
  if (pair === undefined) return [];
  return entriesOf(reader, pair).map(([name, entry]) => ({
    name,
    about: "declared by a test",
    facts: Object.fromEntries(
      entriesOf(reader, entry).map(([fact, type]) => [fact, typeOf(reader, fact, type)] as const),
    ),
  }));
}

function typeOf(reader: YamlReader, name: string, { value, start }: Entry): FactType {
  if (isScalar(value) && (value.value === "string" || value.value === "int" || value.value === "bool")) {
    return value.value;
  }
  if (isSeq(value) && value.items.length === 1) {
    return { list: typeOf(reader, name, { value: value.items[0], start: startOf(value) }) };
  }
  if (isMap(value)) {
    const fields = entriesOf(reader, { value, start });
    const [only] = fields;
    if (fields.length === 1 && only?.[0] === "map") return { map: typeOf(reader, name, only[1]) };
    return {
      object: name,
      fields: Object.fromEntries(fields.map(([field, type]) => [field, typeOf(reader, field, type)] as const)),
    };
  }
  reader.say(
    start,
    "",
    `"${name}" is of no type.`,
    "Types are string, int, bool, [TYPE], { map: TYPE }, { field: TYPE }.",
  );
  return "string";
}
