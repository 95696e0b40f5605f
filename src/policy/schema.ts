/**
 * The shape of a policy file: YAML text to rules, each part with its place. Says every problem it
 * finds and skips nothing silently. Does not know which actions exist nor what conditions mean.
 */
import { isMap, isScalar, isSeq } from "yaml";
import { OUTCOMES, type Outcome, readOutcome } from "./outcomes.ts";
import type { Problem } from "./problem.ts";
import { type Entries, type Entry, type Place, type Placed, startOf, YamlReader } from "./reader.ts";

export interface RuleText {
  readonly name: string;
  readonly on: readonly Placed[];
  readonly when: Placed | undefined;
  readonly outcome: Outcome;
  /** It is counted and told, and never applied. */
  readonly shadow: boolean;
  readonly place: Place;
  readonly outcomePlace: Place;
}

export const RULE_NAME = /^[a-z0-9-]{1,64}$/;
const FILE_KEYS = ["rules"];
export const RULE_KEYS = ["name", "on", "when", "shadow", ...OUTCOMES];
/** Words of POLICY that a later version understands. Skipping one would allow what it forbids. */
const LATER = ["token", "tokenize", "tokens", "rewrite"];

/** Appends to `problems`; the rules are those that have none. */
export function readRules(file: string, text: string, problems: Problem[]): RuleText[] {
  const reader = new YamlReader(file, text, problems);
  const contents = reader.contents();
  if (contents === undefined) return [];
  const entries = reader.entries(contents, "", "The file", FILE_KEYS);
  if (entries === undefined) return [];
  const rules = entries.get("rules")?.value;
  if (rules === undefined) {
    if (problems.length === 0) reader.say(0, "", 'The file has no "rules".', 'Begin with "rules:".');
    return [];
  }
  return rulesIn(reader, rules);
}

/** Of a list that stands somewhere in a file; null is an empty one. */
export function rulesIn(reader: YamlReader, rules: unknown): RuleText[] {
  if (isScalar(rules) && rules.value === null) return [];
  if (!isSeq(rules)) {
    reader.say(startOf(rules), "", '"rules" must be a list.');
    return [];
  }
  return rules.items.flatMap((item) => readRule(reader, item) ?? []);
}

function readRule(reader: YamlReader, item: unknown): RuleText | undefined {
  const before = reader.problemCount;
  const named = isMap(item) ? item.get("name") : undefined;
  const rule = typeof named === "string" ? named : "";
  const entries = reader.entries(item, rule, "A rule", RULE_KEYS, { later: LATER });
  if (entries === undefined) return undefined;

  const start = startOf(item);
  const hasUnknown = reader.problemCount > before;
  const name = reader.scalar(entries.get("name"), rule, "name");
  if (!entries.has("name")) reader.say(start, rule, 'The rule has no "name".', "Give it one: it is told in refusals.");
  else if (name !== undefined && !RULE_NAME.test(name.text)) {
    reader.say(name.place.offset, rule, "A name has 1 to 64 of the characters a-z, 0-9 and -.");
  }
  const on = readOn(reader, entries.get("on"), rule, start);
  const when = reader.scalar(entries.get("when"), rule, "when", "Put the condition in quotes.");
  const shadow = readShadow(reader, entries.get("shadow"), rule);
  const outcome = readOnlyOutcome(reader, entries, rule, hasUnknown ? undefined : start);
  if (reader.problemCount > before || name === undefined || outcome === undefined) return undefined;
  return { name: name.text, on, when, shadow, ...outcome, place: reader.place(start) };
}

function readOn(reader: YamlReader, pair: Entry | undefined, rule: string, start: number): Placed[] {
  if (pair === undefined) {
    reader.say(start, rule, 'The rule has no "on".', "Name the actions that it is about.");
    return [];
  }
  if (!isSeq(pair.value)) {
    const one = reader.scalar(pair, rule, "on");
    return one === undefined ? [] : [one];
  }
  if (pair.value.items.length === 0) reader.say(startOf(pair.value), rule, '"on" is empty.');
  return pair.value.items.flatMap((value) => reader.scalar({ value, start: pair.start }, rule, "on") ?? []);
}

function readShadow(reader: YamlReader, pair: Entry | undefined, rule: string): boolean {
  if (pair === undefined) return false;
  const value = isScalar(pair.value) ? pair.value.value : undefined;
  if (typeof value === "boolean") return value;
  reader.say(pair.start, rule, '"shadow" must be true or false.');
  return false;
}

/** `start`: where to say that there is none; undefined: what is unknown about the rule may be its outcome. */
function readOnlyOutcome(reader: YamlReader, entries: Entries, rule: string, start: number | undefined) {
  const given = OUTCOMES.filter((key) => entries.has(key));
  const [kind] = given;
  const pair = kind === undefined ? undefined : entries.get(kind);
  if (kind === undefined || pair === undefined) {
    const all = "allow: {}, deny: {…}, hold: {…}, limit: {…} or mask: {…}";
    if (start !== undefined) reader.say(start, rule, "The rule has no outcome.", `Add one of ${all}.`);
    return undefined;
  }
  if (given.length > 1) {
    const message = `The rule has ${given.length} outcomes (${given.join(", ")}).`;
    reader.say(pair.start, rule, message, "Make a rule of each.");
    return undefined;
  }
  const outcome = readOutcome(reader, kind, pair, rule);
  return outcome === undefined ? undefined : { outcome, outcomePlace: reader.place(pair.start) };
}

/** `offset`: from `place` on. */
export function problemAt(text: RuleText, place: Place, offset: number, message: string, remedy = ""): Problem {
  return { file: place.file, ...place.at(offset), rule: text.name, message, remedy };
}

export function offsetIn(placed: Placed, offset: number): number {
  return placed.verbatim ? offset : 0;
}
