/**
 * What is likely not meant in a policy that loads: names that nothing knows, conditions that are always or never true,
 * rules that cannot matter, pairs that contradict each other. Warnings keep nothing from loading; each has its place.
 */
import type { ActionDeclaration, FactType } from "../model/operation.ts";
import type { Condition } from "./condition.ts";
import { CONNECT } from "./facts.ts";
import { didYouMean } from "./nearest.ts";
import { STYLES } from "./outcomes.ts";
import type { Problem } from "./problem.ts";
import type { Placed } from "./reader.ts";
import type { Rule } from "./rule.ts";
import { offsetIn, problemAt, type RuleText } from "./schema.ts";

/** Names that conditions compare with. What is not among them gives a warning, never an error. */
export interface KnownNames {
  readonly labels: readonly string[];
  readonly detectors: readonly string[];
  readonly connections: readonly string[];
}

/** `texts` and `rules` belong together, one by one. */
export function lint(
  texts: readonly RuleText[],
  rules: readonly Rule[],
  files: readonly { readonly name: string }[],
  known: KnownNames,
  actions: ReadonlyMap<string, ActionDeclaration>,
): readonly Problem[] {
  const warnings: Problem[] = [];
  const matching: Rule[] = [];
  for (const [at, rule] of rules.entries()) {
    const text = texts[at];
    if (text === undefined) continue;
    if (rule.condition !== undefined && text.when !== undefined) {
      const facts = [...rule.covers].map((action) => actions.get(action)?.facts ?? {});
      warnCondition(text, text.when, rule.condition, known, facts, warnings);
    }
    if (rule.condition?.always !== false && !rule.isShadow) matching.push(rule);
  }
  const byName = new Map(texts.map((text) => [text.name, text]));
  const byPart = rulesByPart(matching);
  const allowed = new Set(matching.flatMap((rule) => (isAllowing(rule) ? [...rule.covers] : [])));
  for (const rule of matching) {
    const text = byName.get(rule.name);
    const idle = idlenessOf(rule, byPart, allowed);
    if (text !== undefined && idle !== undefined)
      warnings.push(problemAt(text, text.place, 0, idle.message, idle.remedy));
  }
  if (!matching.some((rule) => rule.outcome.kind === "allow" && rule.covers.has(CONNECT))) {
    warnings.push(unreachable(files[0]?.name ?? ""));
  }
  return warnings.sort((one, other) => order(files, one) - order(files, other) || one.line - other.line);
}

function order(files: readonly { readonly name: string }[], { file }: Problem): number {
  return files.findIndex(({ name }) => name === file);
}

function warnCondition(
  text: RuleText,
  when: Placed,
  condition: Condition,
  known: KnownNames,
  facts: readonly Readonly<Record<string, FactType>>[],
  warnings: Problem[],
): void {
  if (condition.always !== undefined) {
    const message = condition.always ? "The condition is always true." : "The condition is never true.";
    warnings.push(problemAt(text, when.place, 0, message, condition.always ? 'Leave "when" out.' : "Remove the rule."));
  }
  for (const { path, literal, at } of condition.comparisons) {
    // keys of a map are no labels of data, whatever the map is called
    const kind = facts.some((declared) => isMapAt(path, declared)) ? undefined : kindOf(path);
    if (kind === undefined || literal === "" || known[kind].includes(literal)) continue;
    const remedy = didYouMean(literal, known[kind]).trim();
    const what = `Nothing knows the ${kind.slice(0, -1)} "${literal}".`;
    warnings.push(problemAt(text, when.place, offsetIn(when, at), what, remedy));
  }
}

function kindOf(path: string): keyof KnownNames | undefined {
  if (path === "detector") return "detectors";
  if (path === "connection.name") return "connections";
  if (path === "connection.labels") return undefined;
  return /\.(labels|columnLabels)$/.test(path) ? "labels" : undefined;
}

function isMapAt(path: string, facts: Readonly<Record<string, FactType>>): boolean {
  const [first = "", ...rest] = path.split(".");
  let type = facts[first];
  for (const name of rest) type = typeof type === "object" && "fields" in type ? type.fields[name] : undefined;
  return typeof type === "object" && "map" in type;
}

/**
 * Rules by action and by one part of their condition: what matches wherever another does has no part that the other has
 * not, so that ten thousand rules are not compared each with each.
 */
type ByPart = ReadonlyMap<string, ReadonlyMap<string, readonly Rule[]>>;
/** Of rules without a condition. */
const ALWAYS = "";

function rulesByPart(rules: readonly Rule[]): ByPart {
  const byAction = new Map<string, Map<string, Rule[]>>();
  for (const rule of rules) {
    const part = tellingPart(rule);
    for (const action of rule.covers) {
      const byPart = byAction.get(action) ?? new Map<string, Rule[]>();
      byAction.set(action, byPart);
      const others = byPart.get(part);
      if (others === undefined) byPart.set(part, [rule]);
      else others.push(rule);
    }
  }
  return byAction;
}

/** The longest, which the fewest rules share. */
function tellingPart({ condition }: Rule): string {
  if (condition === undefined || condition.always === true) return ALWAYS;
  return [...condition.conjuncts].reduce((one, other) => (other.length > one.length ? other : one), "");
}

/** The first that `does` among those on an action that may match wherever the rule does. */
function firstThat(does: (other: Rule) => boolean, rule: Rule, action: string, byPart: ByPart): Rule | undefined {
  for (const part of [ALWAYS, ...(rule.condition?.conjuncts ?? [])]) {
    const other = byPart
      .get(action)
      ?.get(part)
      ?.find((one) => one !== rule && does(one));
    if (other !== undefined) return other;
  }
  return undefined;
}

interface Idle {
  readonly message: string;
  readonly remedy: string;
}

/** Why a rule can never matter. */
function idlenessOf(rule: Rule, byPart: ByPart, allowed: ReadonlySet<string>): Idle | undefined {
  const beaten = everywhere(rule, byPart, (other) => beats(other, rule));
  if (beaten !== undefined) {
    const [first] = beaten;
    const verb = first?.outcome.kind === "hold" ? "holds" : "denies";
    const names = beaten.map(({ name }) => name).join(", ");
    if (beaten.length === 1 && first !== undefined && isEqual(first, rule)) {
      return {
        message: `It contradicts rule ${names}, which ${verb} exactly this and wins.`,
        remedy: "Keep one of them, or narrow one.",
      };
    }
    return {
      message: `It never has an effect: ${names} ${verb} all of it.`,
      remedy: "Remove it, or narrow the other.",
    };
  }
  const repeated = everywhere(rule, byPart, (other) => repeats(other, rule));
  if (repeated !== undefined) {
    const names = repeated.map(({ name }) => name).join(", ");
    return { message: `It never has an effect: ${names} says as much already.`, remedy: "Remove one of them." };
  }
  if (rule.outcome.kind === "limit" && ![...rule.covers].some((action) => allowed.has(action))) {
    return { message: "It limits what no rule allows.", remedy: "A limit allows nothing by itself: add an allow." };
  }
  return undefined;
}

/** For each action that the rule covers one other that `does`; undefined: not for all of them. */
function everywhere(rule: Rule, byPart: ByPart, does: (other: Rule) => boolean): readonly Rule[] | undefined {
  const found = new Set<Rule>();
  for (const action of rule.covers) {
    // one that was found already tells the shortest story
    const other = [...found].find((one) => one.covers.has(action)) ?? firstThat(does, rule, action, byPart);
    if (other === undefined) return undefined;
    found.add(other);
  }
  return [...found];
}

function isAllowing({ outcome }: Rule): boolean {
  return outcome.kind === "allow" || outcome.kind === "hold";
}

/** Whether `other` decides wherever `rule` matches, so that nothing depends on `rule`. */
function beats(other: Rule, rule: Rule): boolean {
  const [winner, loser] = [other.outcome.kind, rule.outcome.kind];
  const stronger =
    (winner === "deny" && (loser === "allow" || loser === "hold" || loser === "limit")) ||
    (winner === "hold" && loser === "allow");
  return stronger && matchesWherever(other, rule);
}

function repeats(other: Rule, rule: Rule): boolean {
  const [known, own] = [other.outcome, rule.outcome];
  const same =
    (known.kind === "allow" && own.kind === "allow") ||
    (known.kind === "mask" && own.kind === "mask" && STYLES.indexOf(known.style) <= STYLES.indexOf(own.style)) ||
    (known.kind === "deny" && own.kind === "deny" && (own.message === undefined || own.message === known.message));
  if (!same || !matchesWherever(other, rule)) return false;
  // of two that are equal the later one is told
  return !isEqual(other, rule) || JSON.stringify(known) !== JSON.stringify(own) || rule.order > other.order;
}

/** Whether each part of the other's condition is one of this rule's: then it matches wherever this one does. */
function matchesWherever({ condition }: Rule, rule: Rule): boolean {
  if (condition === undefined || condition.always === true) return true;
  const own = rule.condition?.conjuncts;
  return own !== undefined && [...condition.conjuncts].every((part) => own.has(part));
}

function isEqual(other: Rule, rule: Rule): boolean {
  return (
    matchesWherever(rule, other) &&
    other.covers.size === rule.covers.size &&
    [...rule.covers].every((one) => other.covers.has(one))
  );
}

function unreachable(file: string): Problem {
  return {
    file,
    line: 1,
    column: 1,
    rule: "",
    message: `No rule allows "${CONNECT}", so no connection can be reached.`,
    remedy: `Add a rule with "on: ${CONNECT}" and "allow: {}".`,
  };
}
