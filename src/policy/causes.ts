/** Why a condition was not true: its smallest parts that were false or failed, each with the facts that it read. */
import type { ASTNode } from "@marcbachmann/cel-js";
import { CONDITION_STEPS_MAX } from "../base/limits.ts";
import type { Fact, Facts } from "../model/operation.ts";
import { conjunctsOf, disjunctsOf, pathsIn, sourceOf } from "./ast.ts";
import type { Condition } from "./condition.ts";
import { compile, type Roots } from "./evaluate.ts";
import { isObject } from "./facts.ts";
import { EvaluationError } from "./values.ts";

export interface Cause {
  /** As it stands in the rule. */
  readonly text: string;
  /** Why it failed; absent: it was false. */
  readonly failure?: string;
  /** Facts that it read, by path; those that are missing are left out. */
  readonly facts: Readonly<Record<string, Fact>>;
}

interface Scene {
  readonly roots: Roots;
  readonly subject: Facts;
  readonly action: Facts;
  readonly time: Facts;
}

/** Empty where the condition is true. */
export function causesOf({ ast, roots }: Condition, subject: Facts, action: Facts, time: Facts): readonly Cause[] {
  return causesIn(ast, { roots, subject, action, time });
}

function causesIn(node: ASTNode, scene: Scene): readonly Cause[] {
  const value = tested(node, scene);
  if (value === true) return [];
  if (node.op === "&&") return conjunctsOf(node).flatMap((part) => causesIn(part, scene));
  if (node.op === "||") return disjunctsOf(node).flatMap((part) => causesIn(part, scene));
  const facts = factsOf(node, scene);
  return [{ text: sourceOf(node), ...(value === false ? {} : { failure: value }), facts }];
}

/** A text says why it failed. */
function tested(node: ASTNode, { roots, subject, action, time }: Scene): boolean | string {
  try {
    const value = compile(node, roots)({ subject, action, time, locals: [], steps: CONDITION_STEPS_MAX });
    return typeof value === "boolean" ? value : "it is not true or false";
  } catch (error) {
    return error instanceof EvaluationError ? error.message : "of an internal error";
  }
}

function factsOf(node: ASTNode, scene: Scene): Record<string, Fact> {
  const found: Record<string, Fact> = {};
  for (const path of pathsIn(node)) {
    const [first = "", ...rest] = path.split(".");
    const root = scene.roots.get(first);
    if (root === undefined) continue; // a macro's variable
    let value: Fact | undefined = scene[root][first];
    for (const name of rest) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    if (value !== undefined) found[path] = value;
  }
  return found;
}
