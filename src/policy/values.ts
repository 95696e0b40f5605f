/**
 * Values of conditions and what can be done with two of them. Every operation checks its types again,
 * though the type checker did, and pays for its work from the budget of the evaluation.
 */
import type { Fact, Facts } from "../model/operation.ts";
import { isObject } from "./facts.ts";

/** What one evaluation sees. `steps` is what it may still spend. */
export interface Scope {
  readonly subject: Facts;
  readonly action: Facts;
  readonly time: Facts;
  /** Values of the variables of macros, by nesting depth. */
  readonly locals: Fact[];
  steps: number;
}

/** A condition failed on these facts. Messages name parts of the condition, never facts. */
export class EvaluationError extends Error {
  override readonly name: string = "EvaluationError";
}

/** Not absorbed by `||`, `&&`, `all` and `exists` as other errors are (CEL specification, "Logical Operators"). */
export class BudgetError extends EvaluationError {
  override readonly name = "BudgetError";
}

/** Bytes of text that one step pays for. */
const TEXT_PER_STEP = 64;

export function spend(scope: Scope, steps: number): void {
  scope.steps -= steps;
  if (scope.steps < 0) throw new BudgetError("it took too many steps");
}

export function spendText(scope: Scope, value: string): string {
  spend(scope, 1 + Math.floor(value.length / TEXT_PER_STEP));
  return value;
}

export function equal(left: Fact, right: Fact, scope: Scope): boolean {
  spend(scope, 1);
  if (typeof left !== typeof right) throw new EvaluationError("compared values of different types");
  if (typeof left !== "object") return left === right;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right)) throw new EvaluationError("compared a list with a map");
    return left.length === right.length && left.every((item, at) => equal(item, right[at], scope));
  }
  if (isObject(left) && isObject(right)) {
    const keys = Object.keys(left);
    if (keys.length !== Object.keys(right).length) return false;
    return keys.every((key) => Object.hasOwn(right, key) && equal(field(left, key), field(right, key), scope));
  }
  return left === right;
}

export function contains(item: Fact, of: Fact, scope: Scope): boolean {
  if (Array.isArray(of)) {
    for (const member of of) if (equal(item, member, scope)) return true;
    return false;
  }
  if (isObject(of)) return Object.hasOwn(of, text(item));
  throw new EvaluationError('"in" needs a list or a map');
}

/** Below, equal or above zero. Text is ordered by code point, false is before true. */
export function order(left: Fact, right: Fact, scope: Scope): number {
  spend(scope, 1);
  if (typeof left === "string") return orderText(left, text(right));
  if (typeof left === "boolean") return Number(left) - Number(bool(right));
  return int(left) - int(right);
}

function orderText(left: string, right: string): number {
  for (let at = 0; ; ) {
    const a = left.codePointAt(at);
    const b = right.codePointAt(at);
    if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
    if (a !== b) return a - b;
    at += a > 0xffff ? 2 : 1;
  }
}

export function sum(left: Fact, right: Fact, scope: Scope): Fact {
  if (typeof left === "string") return spendText(scope, left + text(right));
  if (Array.isArray(left)) {
    const more = list(right);
    spend(scope, left.length + more.length);
    return [...left, ...more];
  }
  return safe(int(left) + int(right));
}

export function bool(value: Fact): boolean {
  if (typeof value !== "boolean") throw new EvaluationError("needs a bool");
  return value;
}

export function int(value: Fact): number {
  if (typeof value !== "number") throw new EvaluationError("needs an integer");
  return value;
}

export function text(value: Fact): string {
  if (typeof value !== "string") throw new EvaluationError("needs text");
  return value;
}

export function list(value: Fact): readonly Fact[] {
  if (!Array.isArray(value)) throw new EvaluationError("needs a list or a map");
  return value;
}

export function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new EvaluationError("integer overflow");
  // -0 would be another value to string() than 0.
  return value === 0 ? 0 : value;
}

export function nonZero(value: Fact): number {
  const number = int(value);
  if (number === 0) throw new EvaluationError("division by zero");
  return number;
}
export function field(of: Fact, name: string): Fact {
  if (!isObject(of) || !Object.hasOwn(of, name)) throw new EvaluationError(`no such key: ${name}`);
  return present(of[name], name);
}

export function present(value: Fact | undefined, name: string): Fact {
  if (value === undefined || value === null) throw new EvaluationError(`no such key: ${name}`);
  return value;
}
