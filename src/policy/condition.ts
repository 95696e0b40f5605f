/**
 * One condition of a rule: parsed and type-checked by the CEL library against the facts of every
 * action that its rule covers, then compiled. Never runs the library's own evaluator.
 */
import { type ASTNode, Environment, ParseError, TypeError as TypeFault } from "@marcbachmann/cel-js";
import { messageOf } from "../base/errors.ts";
import { CONDITION_STEPS_MAX } from "../base/limits.ts";
import type { ActionDeclaration, Facts, FactType } from "../model/operation.ts";
import { conjunctsOf, nodesOf, pathOf, spelled } from "./ast.ts";
import { type Closure, compile, type Roots, UnsupportedError } from "./evaluate.ts";
import { SUBJECT_FACTS, TIME_FACTS } from "./facts.ts";
import { didYouMean } from "./nearest.ts";
import { alwaysOf } from "./truth.ts";
import { BudgetError, EvaluationError } from "./values.ts";

export interface Condition {
  /** Answers of a condition that reads time are not kept. */
  readonly readsTime: boolean;
  /** Whether another subject may get another answer. A variable of its own counts as well. */
  readonly readsSubject: boolean;
  /** What it says for every fact there can be, where that is plain: it reads none. */
  readonly always: boolean | undefined;
  readonly comparisons: readonly Comparison[];
  /** Its parts between `&&`, spelled alike where they are alike. */
  readonly conjuncts: ReadonlySet<string>;
  /** Parsed and checked. */
  readonly ast: ASTNode;
  readonly roots: Roots;
  /**
   * Whether it can never be true for this subject, whatever is asked: a part between `&&` that reads nothing else is false.
   * `false && error` is false (CEL specification, "Logical Operators"), so that no error is hidden by it.
   */
  excludes(subject: Facts): boolean;
  /** True or false, or why it failed. */
  test(subject: Facts, action: Facts, time: Facts): boolean | EvaluationError;
}

/** A literal that is compared with a fact, e.g. "pii" with the path "column.labels". For warnings only. */
export interface Comparison {
  /** Names joined with dots; a macro's variable keeps its own name ("t.labels"). */
  readonly path: string;
  readonly literal: string;
  readonly at: number;
}

/** `at` is an offset into the condition's text. */
export class ConditionError extends Error {
  readonly at: number;
  readonly remedy: string;

  constructor(message: string, at: number, remedy = "") {
    super(message);
    this.at = at;
    this.remedy = remedy;
  }
}

/** A condition is read by people: longer ones are several rules. */
const CONDITION_LENGTH_MAX = 10_000;
const LIMITS = { maxAstNodes: 2_000, maxDepth: 50, maxListElements: 1_000 };

/** Type-checks against one action's facts. Made once per action: an environment costs about a millisecond. */
export interface Checker {
  readonly action: ActionDeclaration;
  readonly environment: Environment;
}

export function createChecker(action: ActionDeclaration): Checker {
  const environment = new Environment({ limits: LIMITS });
  const types = new Map<string, string>();
  for (const facts of [SUBJECT_FACTS, TIME_FACTS, action.facts]) {
    for (const [name, type] of Object.entries(facts)) {
      environment.registerVariable(name, celType(environment, type, types));
    }
  }
  return { action, environment };
}

/** Throws ConditionError. `checkers`: one for every action that the rule covers, at least one. */
export function compileCondition(text: string, checkers: readonly Checker[]): Condition {
  if (text.length > CONDITION_LENGTH_MAX) {
    throw new ConditionError(`The condition is longer than ${CONDITION_LENGTH_MAX} characters.`, 0);
  }
  for (const checker of checkers) check(text, checker, checkers.length > 1);
  const ast = parse(text, checkers);
  const traits = readTraits(ast);
  const roots = rootsOf(checkers);
  const run = compileAst(ast, roots);
  const fixed = conjunctsOf(ast).filter((part) => readsSubjectOnly(part, roots));
  const tests = fixed.map((part) => compileAst(part, roots));
  return {
    ast,
    roots,
    conjuncts: new Set(conjunctsOf(ast).map(spelled)),
    readsTime: traits.names.has("time"),
    readsSubject: [...traits.names].some((name) => (roots.get(name) ?? "subject") === "subject"),
    comparisons: traits.comparisons,
    always: traits.names.size === 0 ? constantOf(run) : alwaysOf(ast),
    excludes: (subject) => tests.some((test) => evaluate(test, subject, NO_FACTS, NO_FACTS) === false),
    test: (subject, action, time) => evaluate(run, subject, action, time),
  };
}

const NO_FACTS: Facts = {};

function readsSubjectOnly(node: ASTNode, roots: Roots): boolean {
  for (const one of nodesOf(node)) {
    if (one.op === "id" && (roots.get(one.args) ?? "subject") !== "subject") return false;
  }
  return true;
}

function evaluate(run: Closure, subject: Facts, action: Facts, time: Facts): boolean | EvaluationError {
  try {
    const answer = run({ subject, action, time, locals: [], steps: CONDITION_STEPS_MAX });
    return typeof answer === "boolean" ? answer : new EvaluationError("it is not true or false");
  } catch (error) {
    if (error instanceof EvaluationError) return error;
    // The stack overflowed or the like: not understood, hence failed. The message could hold anything.
    return new BudgetError("of an internal error");
  }
}

function constantOf(run: Closure): boolean | undefined {
  const answer = evaluate(run, {}, {}, {});
  return typeof answer === "boolean" ? answer : undefined;
}

function rootsOf(checkers: readonly Checker[]): Roots {
  const roots = new Map<string, "subject" | "action" | "time">();
  for (const { action } of checkers) for (const name of Object.keys(action.facts)) roots.set(name, "action");
  for (const name of Object.keys(SUBJECT_FACTS)) roots.set(name, "subject");
  for (const name of Object.keys(TIME_FACTS)) roots.set(name, "time");
  return roots;
}

function compileAst(ast: ASTNode, roots: Roots): Closure {
  try {
    return compile(ast, roots);
  } catch (error) {
    if (error instanceof UnsupportedError) throw new ConditionError(`${error.message}.`, error.start);
    throw new ConditionError(`The condition cannot be used: ${messageOf(error)}`, 0);
  }
}

function parse(text: string, checkers: readonly Checker[]): ASTNode {
  const [checker] = checkers;
  if (checker === undefined) throw new ConditionError("The rule covers no action.", 0);
  return checker.environment.parse(text).ast;
}

function check(text: string, checker: Checker, many: boolean): void {
  const first = checkText(text, checker, many);
  // The library accepts has() on fields that do not exist; comparing the same field with itself does not pass.
  for (const { start, end, of } of findHas(first)) {
    const strict = `${text.slice(0, start)}(${of}==${of})${text.slice(end)}`;
    try {
      checkText(strict, checker, many);
    } catch (error) {
      throw error instanceof ConditionError ? new ConditionError(error.message, start, error.remedy) : error;
    }
  }
}

function checkText(text: string, checker: Checker, many: boolean): ASTNode {
  const where = many ? ` (for ${checker.action.name})` : "";
  try {
    const parsed = checker.environment.parse(text);
    const result = parsed.check();
    if (!result.valid) throw result.error;
    if (result.type !== "bool") {
      throw new ConditionError(`The condition must be true or false, but is of type ${result.type}${where}.`, 0);
    }
    return parsed.ast;
  } catch (error) {
    if (error instanceof ConditionError) throw error;
    if (!(error instanceof ParseError || error instanceof TypeFault)) {
      throw new ConditionError(`The condition cannot be read: ${messageOf(error)}`, 0);
    }
    const summary = error.summary.replace(/\.$/, "");
    throw new ConditionError(`${summary}${where}.`, error.range?.start ?? 0, remedyFor(error, checker));
  }
}

function remedyFor(error: ParseError | TypeFault, { action }: Checker): string {
  const variable = /^Unknown variable: (\S+)$/.exec(error.summary)?.[1];
  const names = [...Object.keys(SUBJECT_FACTS), ...Object.keys(TIME_FACTS), ...Object.keys(action.facts)];
  if (variable !== undefined) {
    return didYouMean(variable, names).trim() || `${action.name} has the facts ${names.join(", ")}.`;
  }
  const key = /^No such key: (\S+)$/.exec(error.summary)?.[1];
  if (key !== undefined) {
    const fields = new Set<string>();
    for (const facts of [SUBJECT_FACTS, TIME_FACTS, action.facts]) {
      for (const type of Object.values(facts)) addFields(type, fields);
    }
    return didYouMean(key, fields).trim();
  }
  return "";
}

function addFields(type: FactType, fields: Set<string>): void {
  if (typeof type === "string") return;
  if ("list" in type) addFields(type.list, fields);
  else if ("map" in type) addFields(type.map, fields);
  else {
    for (const [name, inner] of Object.entries(type.fields)) {
      fields.add(name);
      addFields(inner, fields);
    }
  }
}

/** Registers the objects inside of `type`. Equal names with unequal fields get names of their own. */
function celType(environment: Environment, type: FactType, types: Map<string, string>): string {
  if (typeof type === "string") return type;
  if ("list" in type) return `list<${celType(environment, type.list, types)}>`;
  if ("map" in type) return `map<string, ${celType(environment, type.map, types)}>`;
  const key = JSON.stringify(type);
  const known = types.get(key);
  if (known !== undefined) return known;
  const fields: Record<string, string> = {};
  for (const [name, inner] of Object.entries(type.fields)) fields[name] = celType(environment, inner, types);
  const taken = new Set(types.values());
  let name = type.object;
  for (let count = 2; taken.has(name); count++) name = `${type.object}${count}`;
  types.set(key, name);
  environment.registerType(name, { fields });
  return name;
}

interface Traits {
  /** Every identifier, also those of macro variables: a variable called "time" costs a cache, no more. */
  readonly names: Set<string>;
  readonly comparisons: Comparison[];
}

function readTraits(ast: ASTNode): Traits {
  const traits: Traits = { names: new Set(), comparisons: [] };
  for (const node of nodesOf(ast)) {
    if (node.op === "id") traits.names.add(node.args);
    if (node.op === "in" || node.op === "==" || node.op === "!=") {
      const [left, right] = node.args;
      compare(left, right, traits);
      compare(right, left, traits);
    }
  }
  return traits;
}

function compare(fact: ASTNode, literals: ASTNode, { comparisons }: Traits): void {
  const path = pathOf(fact);
  if (path === undefined) return;
  for (const literal of literals.op === "list" ? literals.args : [literals]) {
    if (literal.op === "value" && typeof literal.args === "string") {
      comparisons.push({ path, literal: literal.args, at: literal.range.start });
    }
  }
}

function findHas(ast: ASTNode): { start: number; end: number; of: string }[] {
  const found: { start: number; end: number; of: string }[] = [];
  for (const node of nodesOf(ast)) {
    if (node.op !== "call" || node.args[0] !== "has") continue;
    const [of] = node.args[1];
    if (of === undefined) continue;
    const { start, end } = node.range;
    found.push({ start, end, of: node.input.slice(of.range.start, of.range.end) });
  }
  return found.sort((left, right) => left.start - right.start);
}
