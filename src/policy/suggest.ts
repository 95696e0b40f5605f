/**
 * From recorded traffic the smallest rules under which it passes and nothing else: one for each agent, connection, action,
 * set of things in a list (tables) and set of flags (WHERE), narrowed by the facts that the actions tell by. A draft for a person, not for the daemon. Knows no protocol.
 */
import { SUGGESTED_RULES_MAX, SUGGESTED_VALUES_MAX } from "../base/limits.ts";
import type { ActionDeclaration, Fact, Facts, FactType } from "../model/operation.ts";
import { isObject, OWN_ACTIONS } from "./facts.ts";
import { isHousekeeping, type RecordedAsk } from "./recorded.ts";

export interface Suggestion {
  /** A policy file. */
  readonly text: string;
  readonly rules: number;
  /** Asks that it was made from. */
  readonly asks: number;
  /** Of the agents that were asked for, those that were denied or forbidden: they are not in it. */
  readonly left: number;
}

export async function suggest(
  asks: AsyncIterable<RecordedAsk>,
  catalogue: readonly ActionDeclaration[],
): Promise<Suggestion> {
  const declared = new Map([...OWN_ACTIONS, ...catalogue].map((action) => [action.name, action]));
  const groups = new Map<string, Group>();
  let [count, left] = [0, 0];
  for await (const ask of asks) {
    if (isHousekeeping(ask)) continue;
    const isHeld = ask.decision === "hold" && ask.wasLetGo !== true;
    const passed = (ask.decision !== "deny" && !isHeld) || ask.wasObserved;
    const isForbidden = ask.asked.some(({ operation }) => operation.forbidden !== undefined);
    if (!passed || isForbidden || ask.isPartial) {
      left++;
      continue;
    }
    count++;
    for (const { name, facts } of ask.asked.flatMap(({ operation }) => operation.actions)) {
      const declaration = declared.get(name);
      if (declaration === undefined) continue;
      const details = detailsOf(declaration);
      for (const detail of details) detail.note(facts);
      // what is left of a group's facts are sets of which any member will do
      const apart = details.map((detail) => detail.apart());
      const key = JSON.stringify([ask.agent.name, ask.connection.name, name, ...apart]);
      const group = groups.get(key) ?? {
        ...{ agent: ask.agent.name, connection: ask.connection.name, action: name, seen: 0 },
        facts: details,
      };
      group.seen++;
      for (const detail of group.facts) detail.note(facts);
      groups.set(key, group);
    }
  }
  const drafts = merged(joined([...groups.values()]));
  return { text: fileOf(drafts, count, left), rules: drafts.length, asks: count, left };
}

interface Group {
  readonly agent: string;
  readonly connection: string;
  readonly action: string;
  seen: number;
  readonly facts: readonly Detail[];
}

interface Draft {
  readonly agents: readonly string[];
  readonly connection: string;
  readonly actions: readonly string[];
  readonly conditions: readonly string[];
  readonly notes: readonly string[];
  readonly seen: number;
}

/** Groups that differ in one text only become one, with all of its values: no pair is made that was not seen. */
function joined(groups: readonly Group[]): readonly Group[] {
  const texts = Math.max(0, ...groups.map(({ facts }) => facts.length));
  let made = groups;
  for (let at = 0; at < texts; at++) {
    const byOthers = new Map<string, Group>();
    for (const group of made) {
      const { agent, connection, action, facts } = group;
      const others = facts.map((detail, index) => (index === at && detail.isText ? "" : detail.conditions()));
      const key = JSON.stringify([agent, connection, action, others]);
      const known = byOthers.get(key);
      if (known === undefined) byOthers.set(key, group);
      else {
        known.seen += group.seen;
        known.facts[at]?.addTexts(group.facts[at]?.texts ?? []);
      }
    }
    made = [...byOthers.values()];
  }
  return made;
}

/** Groups that differ in their action, or in their agent, only are one rule. */
function merged(groups: readonly Group[]): readonly Draft[] {
  const drafts = new Map<string, Draft>();
  for (const { agent, connection, action, facts, seen } of groups) {
    const conditions = facts.flatMap((detail) => detail.conditions());
    const notes = facts.flatMap((detail) => detail.remark() ?? []);
    const own: Draft = { agents: [agent], connection, actions: [action], conditions, notes, seen };
    fold(drafts, JSON.stringify([agent, connection, conditions]), own, action === "connect");
  }
  const byAgents = new Map<string, Draft>();
  for (const draft of drafts.values()) {
    fold(byAgents, JSON.stringify([draft.connection, draft.actions, draft.conditions]), draft, false);
  }
  return [...byAgents.values()].toSorted(
    (one, other) =>
      Number(other.actions.includes("connect")) - Number(one.actions.includes("connect")) ||
      one.connection.localeCompare(other.connection) ||
      (one.actions[0] ?? "").localeCompare(other.actions[0] ?? ""),
  );
}

function fold(drafts: Map<string, Draft>, key: string, own: Draft, alone: boolean): void {
  const known = alone ? undefined : drafts.get(key);
  drafts.set(alone ? `${key} ${own.actions.join()}` : key, {
    ...own,
    agents: [...new Set([...(known?.agents ?? []), ...own.agents])].sort(),
    actions: [...new Set([...(known?.actions ?? []), ...own.actions])].sort(),
    seen: own.seen + (known?.seen ?? 0),
  });
}

function fileOf(drafts: readonly Draft[], asks: number, left: number): string {
  const head = [
    `# Suggested from ${asks} recorded operations. Read it before you use it: it allows what was done, not what should be.`,
    ...(left === 0 ? [] : [`# ${left} more were denied or cannot be judged again, and are not in it.`]),
    "# It masks nothing and holds nothing: keep your rules on reveal, and those that deny and hold.",
    ...(drafts.length > SUGGESTED_RULES_MAX ? [`# Only the first ${SUGGESTED_RULES_MAX} rules are shown.`] : []),
    "rules:",
  ];
  const names = new Set<string>();
  const rules = drafts.slice(0, SUGGESTED_RULES_MAX).map((draft) => ruleOf(draft, names));
  return `${[...head, ...rules].join("\n")}${rules.length === 0 ? " []" : ""}\n`;
}

function ruleOf({ agents, connection, actions, conditions, notes, seen }: Draft, names: Set<string>): string {
  const who = agents.length === 1 ? (agents[0] ?? "") : "agents";
  const name = unique(slug(`${who}-${connection}-${actions.join("-")}`), names);
  const all = [oneOf("agent.name", agents), `connection.name == ${literal(connection)}`, ...conditions];
  const on = actions.length === 1 ? actions[0] : `[${actions.join(", ")}]`;
  return [
    `  # seen ${seen} ${seen === 1 ? "time" : "times"}`,
    ...notes.map((note) => `  # ${note}`),
    `  - name: ${name}`,
    `    on: ${on}`,
    "    when: >-",
    ...all.map((condition, at) => `      ${at === 0 ? "" : "&& "}${condition}`),
    "    allow: {}",
  ].join("\n");
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 56);
}

function unique(name: string, names: Set<string>): string {
  let chosen = name === "" ? "rule" : name;
  for (let count = 2; names.has(chosen); count++) chosen = `${name}-${count}`;
  names.add(chosen);
  return chosen;
}

/** Names come from agents: whatever is not plain is spelled as CEL's escapes, so that a file stays one of lines. */
function literal(text: string): string {
  return JSON.stringify(text).replace(/[^\x20-\x7e]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

function oneOf(path: string, values: Iterable<string>): string {
  const all = [...values].toSorted();
  const [only] = all;
  return all.length === 1 && only !== undefined
    ? `${path} == ${literal(only)}`
    : `${path} in [${all.map(literal).join(", ")}]`;
}

/** What was seen of one fact, or of one kind of thing in a list. */
class Detail {
  readonly path: readonly string[];
  /** Names below the items of a list; empty: the items are texts. Undefined: it is no list. */
  readonly #fields: readonly string[] | undefined;
  readonly #texts = new Set<string>();
  readonly #flags = new Set<boolean>();
  readonly #sizes = new Set<number>();

  constructor(path: readonly string[], fields: readonly string[] | undefined) {
    this.path = path;
    this.#fields = fields;
  }

  note(facts: Facts): void {
    let value: Fact | undefined = facts;
    for (const name of this.path) value = value !== undefined && isObject(value) ? value[name] : undefined;
    if (this.#texts.size > SUGGESTED_VALUES_MAX) return;
    if (typeof value === "boolean") this.#flags.add(value);
    else if (typeof value === "string") this.#texts.add(value);
    else if (Array.isArray(value) && this.#fields !== undefined) {
      this.#sizes.add(value.length);
      for (const item of value) this.#texts.add(this.#fields.length === 0 ? String(item) : this.#tuple(item));
    }
  }

  #tuple(item: Fact): string {
    return JSON.stringify(this.#fields?.map((field) => (isObject(item) ? String(item[field] ?? "") : "")));
  }

  /**
   * What keeps statements apart: a flag, a text, and things that stand together in a list, since `a` and `b` each by itself are
   * not both at once. Lists of texts and of one thing are gathered: any of them will do.
   */
  apart(): unknown {
    if (this.isText) return [...this.#texts];
    const isAlone = [...this.#sizes].every((size) => size <= 1);
    const isOfTexts = this.#fields === undefined || this.#fields.length === 0;
    return [[...this.#flags], isOfTexts ? [] : [...this.#sizes], isOfTexts || isAlone ? [] : [...this.#texts].sort()];
  }

  get isText(): boolean {
    return this.#fields === undefined && this.#flags.size === 0;
  }

  get texts(): Iterable<string> {
    return this.#texts;
  }

  addTexts(texts: Iterable<string>): void {
    for (const text of texts) this.#texts.add(text);
  }

  /** None: everything was seen, or too much. */
  conditions(): readonly string[] {
    const path = this.path.join(".");
    const [flag] = this.#flags;
    if (flag !== undefined) return this.#flags.size > 1 ? [] : [`${flag ? "" : "!"}${path}`];
    if (this.#texts.size > SUGGESTED_VALUES_MAX) return this.#size(path);
    if (this.#fields === undefined) return this.#texts.size === 0 ? [] : [oneOf(path, this.#texts)];
    if (this.#texts.size === 0) return [`size(${path}) == 0`];
    if (this.#fields.length === 0) return [`${path}.all(x, ${oneOf("x", this.#texts)})`];
    return [`${path}.all(x, ${this.#tuples(this.#fields)})`, ...this.#size(path)];
  }

  /** A group has lists of one length only. */
  #size(path: string): readonly string[] {
    const [size] = this.#sizes;
    const isOfTexts = this.#fields === undefined || this.#fields.length === 0;
    return isOfTexts || size === undefined ? [] : [`size(${path}) == ${size}`];
  }

  /** What is equal in all of them is said once. */
  #tuples(fields: readonly string[]): string {
    const rows = [...this.#texts].map((text) => JSON.parse(text) as readonly string[]);
    const varying = fields.filter((_, at) => rows.some((row) => row[at] !== rows[0]?.[at]));
    const fixed = fields.flatMap((field, at) =>
      varying.includes(field) ? [] : [oneOf(`x.${field}`, [rows[0]?.[at] ?? ""])],
    );
    if (varying.length === 0) return fixed.join(" && ");
    const places = varying.map((field) => fields.indexOf(field));
    const [only] = varying;
    const choice =
      varying.length === 1
        ? oneOf(`x.${only}`, new Set(rows.map((row) => row[places[0] ?? 0] ?? "")))
        : `[${varying.map((field) => `x.${field}`).join(", ")}] in [${rows
            .map((row) => `[${places.map((at) => literal(row[at] ?? "")).join(", ")}]`)
            .toSorted()
            .join(", ")}]`;
    return [...fixed, choice].join(" && ");
  }

  /** What a reader has to know. */
  remark(): string | undefined {
    if (this.#texts.size <= SUGGESTED_VALUES_MAX) return undefined;
    return `${this.path.join(".")} had more than ${SUGGESTED_VALUES_MAX} values: it is not narrowed by them`;
  }
}

/** One for each fact by which the action tells what it is; fields of one list together. */
function detailsOf({ facts, tellsBy }: ActionDeclaration): readonly Detail[] {
  const chosen = tellsBy ?? Object.keys(facts).flatMap((name) => pathsOf(name, facts[name]));
  const details = new Map<string, Detail>();
  for (const path of chosen) {
    const names = path.split(".");
    const list = listIn(names, facts);
    if (list === undefined) details.set(path, new Detail(names, undefined));
    else {
      const at = list.join(".");
      const fields = chosen.filter((one) => one.startsWith(`${at}.`)).map((one) => one.slice(at.length + 1));
      details.set(at, new Detail(list, fields));
    }
  }
  return [...details.values()];
}

/** The path up to the list that `names` leads into. */
function listIn(names: readonly string[], facts: Readonly<Record<string, FactType>>): readonly string[] | undefined {
  let type: FactType | undefined = facts[names[0] ?? ""];
  for (let at = 1; type !== undefined; at++) {
    if (typeof type === "object" && "list" in type) return names.slice(0, at);
    type = typeof type === "object" && "fields" in type ? type.fields[names[at] ?? ""] : undefined;
  }
  return undefined;
}

function pathsOf(path: string, type: FactType | undefined): readonly string[] {
  if (type === undefined || type === "int") return [];
  if (typeof type === "string") return [path];
  if ("list" in type) return typeof type.list === "string" ? [path] : pathsOf(path, type.list);
  if ("map" in type) return [];
  return Object.entries(type.fields).flatMap(([name, inner]) => pathsOf(`${path}.${name}`, inner));
}
