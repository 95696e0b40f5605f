/**
 * Turns a parsed and type-checked CEL condition into closures and runs them over facts. Parsing and
 * types are the library's work; evaluation is ours because a decision needs three things that the
 * library's evaluator does not have: a budget of steps, `matches` in linear time, and speed.
 * tests/policy/differential.test.ts holds it against two other evaluators.
 *
 * The language is CEL without double, uint, bytes, null, timestamps, type values and dyn. Integers
 * outside of ±(2^53 - 1) are an overflow, which is an error, which denies.
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { RE2JS } from "re2js";
import type { Fact } from "../model/operation.ts";
import { isObject } from "./facts.ts";
import {
  BudgetError,
  bool,
  contains,
  EvaluationError,
  equal,
  field,
  int,
  list,
  nonZero,
  order,
  present,
  type Scope,
  safe,
  spend,
  spendText,
  sum,
  text,
} from "./values.ts";

export type Closure = (scope: Scope) => Fact;

/** Where a root name is found. */
export type Roots = ReadonlyMap<string, "subject" | "action" | "time">;

/** Something that conditions do not offer; `node` says where. Thrown at load. */
export class UnsupportedError extends Error {
  readonly start: number;
  readonly end: number;

  constructor(message: string, node: ASTNode) {
    super(message);
    this.start = node.range.start;
    this.end = node.range.end;
  }
}

export function compile(node: ASTNode, roots: Roots, locals: readonly string[] = []): Closure {
  const sub = (child: ASTNode) => compile(child, roots, locals);
  switch (node.op) {
    case "value":
      return constant(node.args, node);
    case "id": {
      const depth = locals.lastIndexOf(node.args);
      if (depth >= 0) return ({ locals }) => present(locals[depth], node.args);
      const root = roots.get(node.args);
      if (root === undefined) throw new UnsupportedError(`Unknown variable: ${node.args}`, node);
      return rootOf(root, node.args);
    }
    case ".": {
      const [of, name] = node.args;
      const depth = of.op === "id" ? locals.lastIndexOf(of.args) : -1;
      return depth >= 0 && !(name in Object.prototype) ? ofLocal(depth, name) : select(sub(of), name);
    }
    case "[]":
      return index(sub(node.args[0]), sub(node.args[1]));
    case "list": {
      const items = node.args.map(sub);
      if (node.args.every((item) => item.op === "value")) {
        const fixed = items.map((item) => item(NOTHING));
        return () => fixed;
      }
      return (scope) => items.map((item) => item(scope));
    }
    case "map": {
      const entries = node.args.map(([key, value]) => [sub(key), sub(value)] as const);
      return (scope) => {
        const made: Record<string, Fact> = Object.create(null);
        for (const [key, value] of entries) {
          const name = text(key(scope));
          if (Object.hasOwn(made, name)) throw new EvaluationError("repeated key in a map");
          made[name] = value(scope);
        }
        return made;
      };
    }
    case "!_": {
      const of = sub(node.args);
      return (scope) => !bool(of(scope));
    }
    case "-_": {
      const of = sub(node.args);
      return (scope) => safe(-int(of(scope)));
    }
    case "&&":
      return both(sub(node.args[0]), sub(node.args[1]), false);
    case "||":
      return both(sub(node.args[0]), sub(node.args[1]), true);
    case "?:": {
      const [when, then, otherwise] = [sub(node.args[0]), sub(node.args[1]), sub(node.args[2])];
      return (scope) => (bool(when(scope)) ? then(scope) : otherwise(scope));
    }
    case "==":
    case "!=":
    case "in":
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
      refuseChain(node.op, node.args[0], node.args[1], node);
      if (node.op === "==" || node.op === "!=" || node.op === "in") {
        const quick = withLiteral(node.op, node.args[0], node.args[1], sub);
        if (quick !== undefined) return quick;
      }
      return binary(node.op, sub(node.args[0]), sub(node.args[1]));
    case "call":
      return call(node.args[0], node.args[1], node, sub);
    case "rcall": {
      const [method, receiver, args] = node.args;
      if (method in MACROS) return macro(method as keyof typeof MACROS, receiver, args, node, roots, locals);
      return methodCall(method, receiver, args, node, sub);
    }
    default:
      throw new UnsupportedError(`"${node.op}" is not available in conditions`, node);
  }
}

const COMPARISONS: readonly string[] = ["==", "!=", "in", "<", "<=", ">", ">="];

/**
 * `a == b in c` is `(a == b) in c` by the CEL grammar and `a == (b in c)` for the library's parser, so
 * neither is taken: a rule must not mean something else than its author read elsewhere.
 */
function refuseChain(op: string, left: ASTNode, right: ASTNode, node: ASTNode): void {
  if (!COMPARISONS.includes(op)) return;
  const between = node.input.slice(left.range.end, right.range.start);
  const loose =
    (COMPARISONS.includes(left.op) && !between.includes(")")) ||
    (COMPARISONS.includes(right.op) && !between.includes("("));
  if (loose) throw new UnsupportedError("Comparisons side by side need parentheses", node);
}

/** For constants, which read nothing. */
const NOTHING: Scope = { subject: {}, action: {}, time: {}, locals: [], steps: 0 };

function constant(value: unknown, node: ASTNode): Closure {
  if (typeof value === "string" || typeof value === "boolean") return () => value;
  if (typeof value === "bigint") {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new UnsupportedError("This integer is above 2^53 - 1", node);
    return () => number;
  }
  const kind = value === null ? "null" : typeof value === "number" ? "double" : "uint or bytes";
  throw new UnsupportedError(`Conditions have no ${kind} literals`, node);
}

/** As `select`, of a macro's variable: one call less for each item of a list. */
function ofLocal(depth: number, name: string): Closure {
  return ({ locals }) => {
    const value = locals[depth];
    if (!isObject(value)) throw new EvaluationError(`no such key: ${name}`);
    return present(value[name], name);
  };
}

/** As `select`. */
function rootOf(root: "subject" | "action" | "time", name: string): Closure {
  if (name in Object.prototype) return (scope) => field(scope[root], name);
  return (scope) => present(scope[root][name], name);
}

/** Most conditions compare a fact with a text that stands in them: the same as `equal` and `contains`, without their cases. */
function withLiteral(
  op: "==" | "!=" | "in",
  left: ASTNode,
  right: ASTNode,
  sub: (node: ASTNode) => Closure,
): Closure | undefined {
  if (op === "in") {
    if (left.op !== "value" || typeof left.args !== "string") return undefined;
    const literal = left.args;
    const of = sub(right);
    return (scope) => {
      const members = of(scope);
      if (!Array.isArray(members)) return contains(literal, members, scope);
      for (let at = 0; at < members.length; at++) {
        spend(scope, 1);
        if (typeof members[at] !== "string") throw new EvaluationError("compared values of different types");
        if (members[at] === literal) return true;
      }
      return false;
    };
  }
  if (right.op !== "value" || typeof right.args !== "string") return undefined;
  const literal = right.args;
  const of = sub(left);
  const wanted = op === "==";
  return (scope) => {
    const value = of(scope);
    spend(scope, 1);
    if (typeof value !== "string") throw new EvaluationError("compared values of different types");
    return (value === literal) === wanted;
  };
}

/** Names that every object inherits are looked up with care; for others a plain read is the same and faster. */
function select(of: Closure, name: string): Closure {
  if (name in Object.prototype) return (scope) => field(of(scope), name);
  return (scope) => {
    const value = of(scope);
    if (!isObject(value)) throw new EvaluationError(`no such key: ${name}`);
    return present(value[name], name);
  };
}

function index(of: Closure, at: Closure): Closure {
  return (scope) => {
    const value = of(scope);
    const key = at(scope);
    if (Array.isArray(value)) {
      const item: Fact | undefined = value[int(key)];
      if (item === undefined) throw new EvaluationError("index out of range");
      return item;
    }
    const name = text(key);
    if (!isObject(value) || !Object.hasOwn(value, name)) throw new EvaluationError("no such key");
    return present(value[name], "[]");
  };
}

/** `&&` (absorbing false) and `||` (absorbing true): an error on one side is forgiven where the other decides. */
function both(left: Closure, right: Closure, absorbing: boolean): Closure {
  return (scope) => {
    let first: boolean;
    try {
      first = bool(left(scope));
    } catch (error) {
      if (error instanceof BudgetError) throw error;
      if (bool(right(scope)) === absorbing) return absorbing;
      throw error;
    }
    return first === absorbing ? absorbing : bool(right(scope));
  };
}

type BinaryName = "==" | "!=" | "in" | "<" | "<=" | ">" | ">=" | "+" | "-" | "*" | "/" | "%";

function binary(op: BinaryName, left: Closure, right: Closure): Closure {
  switch (op) {
    case "==":
      return (scope) => equal(left(scope), right(scope), scope);
    case "!=":
      return (scope) => !equal(left(scope), right(scope), scope);
    case "in":
      return (scope) => contains(left(scope), right(scope), scope);
    case "<":
      return (scope) => order(left(scope), right(scope), scope) < 0;
    case "<=":
      return (scope) => order(left(scope), right(scope), scope) <= 0;
    case ">":
      return (scope) => order(left(scope), right(scope), scope) > 0;
    case ">=":
      return (scope) => order(left(scope), right(scope), scope) >= 0;
    case "+":
      return (scope) => sum(left(scope), right(scope), scope);
    case "-":
      return (scope) => safe(int(left(scope)) - int(right(scope)));
    case "*":
      return (scope) => safe(int(left(scope)) * int(right(scope)));
    case "/":
      return (scope) => safe(Math.trunc(int(left(scope)) / nonZero(right(scope))));
    case "%":
      return (scope) => safe(int(left(scope)) % nonZero(right(scope)));
  }
}

function call(name: string, args: readonly ASTNode[], node: ASTNode, sub: (node: ASTNode) => Closure): Closure {
  const [first] = args;
  if (first !== undefined && args.length === 1) {
    if (name === "has") return has(first, sub);
    if (name === "size") return size(sub(first));
    if (name === "string") return toText(sub(first));
    if (name === "int") return toInt(sub(first));
  }
  throw new UnsupportedError(`Function ${name}() with ${args.length} arguments is not available in conditions`, node);
}

function has(node: ASTNode, sub: (node: ASTNode) => Closure): Closure {
  if (node.op !== ".") throw new UnsupportedError("has() wants a field", node);
  const of = sub(node.args[0]);
  const name = node.args[1];
  return (scope) => {
    const value = of(scope);
    if (!isObject(value)) throw new EvaluationError(`no such key: ${name}`);
    return Object.hasOwn(value, name);
  };
}

/** Of text: code points. */
function size(of: Closure): Closure {
  return (scope) => {
    const value = of(scope);
    if (typeof value === "string") {
      let count = 0;
      for (const _ of spendText(scope, value)) count++;
      return count;
    }
    if (Array.isArray(value)) return value.length;
    if (isObject(value)) return Object.keys(value).length;
    throw new EvaluationError("size() needs text, a list or a map");
  };
}

function toText(of: Closure): Closure {
  return (scope) => {
    const value = of(scope);
    if (typeof value === "object") throw new EvaluationError("string() needs text, an integer or a bool");
    return String(value);
  };
}

function toInt(of: Closure): Closure {
  return (scope) => {
    const value = of(scope);
    if (typeof value === "string" && !/^-?\d{1,16}$/.test(value)) throw new EvaluationError("int() needs digits");
    return safe(typeof value === "string" ? Number(value) : int(value));
  };
}

type TextTest = (value: string, argument: string) => boolean;
const TEXT_TESTS: Readonly<Record<string, TextTest>> = {
  contains: (value, argument) => value.includes(argument),
  startsWith: (value, argument) => value.startsWith(argument),
  endsWith: (value, argument) => value.endsWith(argument),
};

function methodCall(
  name: string,
  receiver: ASTNode,
  args: readonly ASTNode[],
  node: ASTNode,
  sub: (node: ASTNode) => Closure,
): Closure {
  const of = sub(receiver);
  const [first] = args;
  if (first === undefined) {
    if (name === "size") return size(of);
    // ASCII only, as the name says; the rest of Unicode stays as it is.
    if (name === "lowerAscii") return ascii(of, /[A-Z]/g, 32);
    if (name === "upperAscii") return ascii(of, /[a-z]/g, -32);
  } else if (args.length === 1) {
    if (name === "matches") return matches(of, first);
    const test = Object.hasOwn(TEXT_TESTS, name) ? TEXT_TESTS[name] : undefined;
    if (test !== undefined) {
      const argument = sub(first);
      return (scope) => test(spendText(scope, text(of(scope))), text(argument(scope)));
    }
  }
  throw new UnsupportedError(`Method .${name}() with ${args.length} arguments is not available in conditions`, node);
}

function ascii(of: Closure, letters: RegExp, shift: number): Closure {
  return (scope) =>
    spendText(scope, text(of(scope))).replace(letters, (letter) => String.fromCharCode(letter.charCodeAt(0) + shift));
}

/** RE2: linear in the text whatever the pattern. The pattern is a literal, so it is compiled once, at load. */
function matches(of: Closure, pattern: ASTNode): Closure {
  if (pattern.op !== "value" || typeof pattern.args !== "string") {
    throw new UnsupportedError("The pattern of matches() must be a literal", pattern);
  }
  let expression: RE2JS;
  try {
    expression = RE2JS.compile(pattern.args);
  } catch {
    throw new UnsupportedError(
      "The pattern of matches() is not RE2 syntax (no look-around, no back-references)",
      pattern,
    );
  }
  return (scope) => expression.test(spendText(scope, text(of(scope))));
}

const MACROS = { all: 2, exists: 2, exists_one: 2, filter: 2, map: 3 } as const;

function macro(
  name: keyof typeof MACROS,
  receiver: ASTNode,
  args: readonly ASTNode[],
  node: ASTNode,
  roots: Roots,
  locals: readonly string[],
): Closure {
  const [variable, first, second] = args;
  if (variable?.op !== "id" || first === undefined || args.length > MACROS[name]) {
    throw new UnsupportedError(`.${name}() wants a variable and a predicate`, node);
  }
  const of = compile(receiver, roots, locals);
  const inner = [...locals, variable.args];
  const body = compile(second ?? first, roots, inner);
  const predicate = second === undefined ? undefined : compile(first, roots, inner);
  const depth = locals.length;
  const each = (scope: Scope, item: Fact) => {
    spend(scope, 1);
    scope.locals[depth] = item;
  };
  const items = (scope: Scope) => {
    const value = of(scope);
    if (Array.isArray(value)) return value;
    return isObject(value) ? Object.keys(value) : list(value);
  };

  switch (name) {
    case "all":
      return quantifier(items, each, body, false);
    case "exists":
      return quantifier(items, each, body, true);
    case "exists_one":
      return (scope) => {
        let count = 0;
        for (const item of items(scope)) {
          each(scope, item);
          if (bool(body(scope))) count++;
        }
        return count === 1;
      };
    case "filter":
      return (scope) =>
        items(scope).filter((item) => {
          each(scope, item);
          return bool(body(scope));
        });
    case "map":
      return (scope) => {
        const made: Fact[] = [];
        for (const item of items(scope)) {
          each(scope, item);
          if (predicate !== undefined && !bool(predicate(scope))) continue;
          made.push(body(scope));
        }
        return made;
      };
  }
}

/** `all` stops at false, `exists` at true; an error counts only where no item decides. */
function quantifier(
  items: (scope: Scope) => readonly Fact[],
  each: (scope: Scope, item: Fact) => void,
  predicate: Closure,
  deciding: boolean,
): Closure {
  return (scope) => {
    let failed: unknown;
    const all = items(scope);
    for (let at = 0; at < all.length; at++) {
      each(scope, all[at] as Fact);
      try {
        if (bool(predicate(scope)) === deciding) return deciding;
      } catch (error) {
        if (error instanceof BudgetError) throw error;
        failed ??= error;
      }
    }
    if (failed !== undefined) throw failed;
    return !deciding;
  };
}
