/**
 * From the text of policy files to a policy. All problems are told at once; a policy with a problem
 * does not load, so nothing is ever skipped. Reads no files.
 */
import { createHash } from "node:crypto";
import { POLICY_RULES_MAX } from "../base/limits.ts";
import type { ActionDeclaration, Asked } from "../model/operation.ts";
import { type Checker, type Condition, ConditionError, compileCondition, createChecker } from "./condition.ts";
import { createJudge, type Judge, type Subject } from "./decide.ts";
import { type Explanation, explainAsk } from "./explanation.ts";
import { OWN_ACTIONS, REVEAL, SUBJECT_FACTS, TIME_FACTS } from "./facts.ts";
import { type KnownNames, lint } from "./lint.ts";
import { didYouMean } from "./nearest.ts";
import type { Outcome } from "./outcomes.ts";
import { PolicyError, type Problem } from "./problem.ts";
import type { Rule, RuleIndex } from "./rule.ts";
import { offsetIn, problemAt, type RuleText, readRules } from "./schema.ts";

export interface PolicyFile {
  /** As it is told in problems; need not be a path. */
  readonly name: string;
  readonly text: string;
}

export interface RuleSummary {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly on: readonly string[];
  readonly outcome: Outcome["kind"];
  readonly shadow: boolean;
}

export interface Policy {
  /** 12 hex digits of the SHA-256 of the files. */
  readonly version: string;
  readonly rules: readonly RuleSummary[];
  readonly warnings: readonly Problem[];
  /** Whether a condition reads time: then one judge may answer differently later. */
  readonly readsTime: boolean;
  /** Whether there is a limit of that name in force. */
  isLimit(rule: string): boolean;
  /** Detectors that conditions of its reveal rules name; "*" where one asks for whatever was found. */
  readonly detectors: readonly string[];
  judge(subject: Subject): Judge;
  /** The decision on an ask with every rule that covers it and why it matched or not. */
  explain(subject: Subject, asked: readonly Asked[]): Explanation;
}

/**
 * Throws PolicyError. `catalogue`: what the protocols declare; `connect` and `reveal` are policy's own.
 * No files, or files without rules, are a policy that denies everything.
 */
export function loadPolicy(
  files: readonly PolicyFile[],
  catalogue: readonly ActionDeclaration[],
  known: KnownNames,
): Policy {
  const actions = declare(catalogue);
  const problems: Problem[] = [];
  const texts = files.flatMap((file) => readRules(file.name, file.text, problems));
  checkNames(texts, problems);

  const checkers = new Map<string, Checker>();
  const rules: Rule[] = [];
  for (const [order, text] of texts.slice(0, POLICY_RULES_MAX).entries()) {
    const rule = buildRule(text, order, actions, checkers, problems);
    if (rule !== undefined) rules.push(rule);
  }
  if (problems.length > 0) throw new PolicyError(problems);

  const version = hash(files);
  const index = indexRules(rules, actions);
  const limits = new Set(rules.flatMap(({ name, outcome }) => (outcome.kind === "limit" ? [name] : [])));
  const places = new Map(texts.map(({ name, place }) => [name, { file: place.file, line: place.at(0).line }]));
  return {
    version,
    rules: texts.map(summary),
    warnings: lint(texts, rules, files, known, actions),
    readsTime: rules.some(({ condition }) => condition?.readsTime === true),
    isLimit: (rule) => limits.has(rule),
    detectors: [...new Set(texts.flatMap(detectorsIn))],
    judge: (subject) => createJudge(index, version, subject),
    explain: (subject, asked) => explainAsk(index, places, version, subject, asked),
  };
}

/** A name too many costs a search, one too few would leave a finding uncounted: whatever is quoted may be one. */
function detectorsIn({ on, when, shadow }: RuleText): readonly string[] {
  if (shadow || when === undefined || !on.some(({ text }) => text === REVEAL)) return [];
  if (!/\bdetector\b/.test(when.text)) return [];
  const quoted = [...when.text.matchAll(/(["'])(.*?)\1/g)].map((match) => match[2] ?? "").filter((name) => name !== "");
  return quoted.length === 0 ? ["*"] : quoted;
}

/** By name. A declaration that takes a name of policy's own is a defect of the protocol, not of the files. */
function declare(catalogue: readonly ActionDeclaration[]): ReadonlyMap<string, ActionDeclaration> {
  const actions = new Map<string, ActionDeclaration>();
  for (const action of [...OWN_ACTIONS, ...catalogue]) {
    if (actions.has(action.name)) throw new Error(`Cannot declare the action ${action.name}: it is declared twice`);
    for (const fact of Object.keys(action.facts)) {
      if (Object.hasOwn(SUBJECT_FACTS, fact) || Object.hasOwn(TIME_FACTS, fact)) {
        throw new Error(`Cannot declare the fact ${fact} of ${action.name}: every action has it`);
      }
    }
    actions.set(action.name, action);
  }
  return actions;
}

function checkNames(texts: readonly RuleText[], problems: Problem[]): void {
  const places = new Map<string, RuleText>();
  for (const text of texts) {
    const first = places.get(text.name);
    if (first === undefined) places.set(text.name, text);
    else {
      const { line } = first.place.at(0);
      problems.push(
        problemAt(
          text,
          text.place,
          0,
          `The name is taken by ${first.place.file}:${line}.`,
          "Names are told in refusals.",
        ),
      );
    }
  }
  const tooMany = texts[POLICY_RULES_MAX];
  if (tooMany !== undefined) {
    problems.push(problemAt(tooMany, tooMany.place, 0, `There are more than ${POLICY_RULES_MAX} rules.`));
  }
}

function buildRule(
  text: RuleText,
  order: number,
  actions: ReadonlyMap<string, ActionDeclaration>,
  checkers: Map<string, Checker>,
  problems: Problem[],
): Rule | undefined {
  const before = problems.length;
  const covered = new Map<string, ActionDeclaration>();
  for (const on of text.on) {
    const found = [...actions.values()].filter(({ name }) => covers(on.text, name));
    if (found.length === 0) {
      const near = didYouMean(on.text, actions.keys());
      const remedy = near === "" ? `Actions are ${[...actions.keys()].join(", ")}.` : near.trim();
      problems.push(problemAt(text, on.place, 0, `There is no action "${on.text}".`, remedy));
    }
    for (const action of found) covered.set(action.name, action);
  }
  checkOutcome(text, covered, problems);
  if (problems.length > before) return undefined;

  const condition = buildCondition(text, covered, checkers, problems);
  if (problems.length > before) return undefined;
  const { name, outcome, shadow } = text;
  return { name, order, covers: new Set(covered.keys()), outcome, isShadow: shadow, condition };
}

function covers(on: string, action: string): boolean {
  return action === on || action.startsWith(`${on}.`);
}

function checkOutcome(text: RuleText, covered: ReadonlyMap<string, unknown>, problems: Problem[]): void {
  const { kind } = text.outcome;
  const revealing = covered.has(REVEAL);
  if (revealing && kind !== "mask") {
    const remedy = "Values are shown unless a rule masks them: write a narrower mask rule.";
    problems.push(problemAt(text, text.outcomePlace, 0, `"${kind}" has no meaning on ${REVEAL}.`, remedy));
  }
  if (kind === "mask" && [...covered.keys()].some((name) => name !== REVEAL)) {
    problems.push(problemAt(text, text.outcomePlace, 0, `"mask" is only for "on: ${REVEAL}".`, "Split the rule."));
  }
}

function buildCondition(
  text: RuleText,
  covered: ReadonlyMap<string, ActionDeclaration>,
  checkers: Map<string, Checker>,
  problems: Problem[],
): Condition | undefined {
  if (text.when === undefined) return undefined;
  const chosen = [...covered.values()].map((action) => {
    const checker = checkers.get(action.name) ?? createChecker(action);
    checkers.set(action.name, checker);
    return checker;
  });
  try {
    return compileCondition(text.when.text, chosen);
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    problems.push(problemAt(text, text.when.place, offsetIn(text.when, error.at), error.message, error.remedy));
    return undefined;
  }
}

function indexRules(rules: readonly Rule[], actions: ReadonlyMap<string, ActionDeclaration>): RuleIndex {
  const index = new Map<string, { declaration: ActionDeclaration; rules: readonly Rule[]; readsTime: boolean }>();
  for (const declaration of actions.values()) {
    const covering = rules.filter((rule) => rule.covers.has(declaration.name));
    const readsTime = covering.some(({ condition }) => condition?.readsTime === true);
    index.set(declaration.name, { declaration, rules: covering, readsTime });
  }
  return index;
}

function summary(text: RuleText): RuleSummary {
  const { line } = text.place.at(0);
  const on = text.on.map((action) => action.text);
  return { name: text.name, file: text.place.file, line, on, outcome: text.outcome.kind, shadow: text.shadow };
}

function hash(files: readonly PolicyFile[]): string {
  const sum = createHash("sha256");
  for (const { name, text } of files) sum.update(JSON.stringify([name, text]));
  return sum.digest("hex").slice(0, 12);
}
