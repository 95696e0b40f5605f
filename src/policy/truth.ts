/**
 * Conditions that are always or never true, as far as their form tells: something compared with itself, a part and its
 * opposite side by side, one fact that must be two things at once. Whoever is not sure here says nothing.
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { conjunctsOf, disjunctsOf, pathOf, spelled } from "./ast.ts";

/** Undefined: it depends, or the form does not tell. */
export function alwaysOf(node: ASTNode): boolean | undefined {
  switch (node.op) {
    case "value":
      return typeof node.args === "boolean" ? node.args : undefined;
    case "!_":
      return opposite(alwaysOf(node.args));
    case "&&":
      return allOf(conjunctsOf(node));
    case "||":
      return anyOf(disjunctsOf(node));
    case "==":
      return isSame(node.args) ? true : undefined;
    case "!=":
      return isSame(node.args) ? false : undefined;
    case "in": {
      const [, list] = node.args;
      return list.op === "list" && list.args.length === 0 ? false : undefined;
    }
    default:
      return undefined;
  }
}

function allOf(parts: readonly ASTNode[]): boolean | undefined {
  const known = parts.map(alwaysOf);
  if (known.includes(false) || hasOpposites(parts) || isTornBetween(parts)) return false;
  return known.every((one) => one === true) ? true : undefined;
}

function anyOf(parts: readonly ASTNode[]): boolean | undefined {
  const known = parts.map(alwaysOf);
  if (known.includes(true) || hasOpposites(parts)) return true;
  return known.every((one) => one === false) ? false : undefined;
}

function opposite(always: boolean | undefined): boolean | undefined {
  return always === undefined ? undefined : !always;
}

/** Only of paths: what may fail is not always equal to itself. */
function isSame([left, right]: readonly [ASTNode, ASTNode]): boolean {
  return pathOf(left) !== undefined && pathOf(left) === pathOf(right);
}

/** `p` and `!p`, or `a == b` and `a != b`. */
function hasOpposites(parts: readonly ASTNode[]): boolean {
  const spellings = new Set(parts.map(spelled));
  return parts.some((part) => {
    if (part.op === "!_") return spellings.has(spelled(part.args));
    return part.op === "!=" && spellings.has(spelled({ ...part, op: "==" } as unknown as ASTNode));
  });
}

/** `a == "x" && a == "y"`, also as `a in ["x"] && a in ["y"]`. */
function isTornBetween(parts: readonly ASTNode[]): boolean {
  const allowed = new Map<string, ReadonlySet<string>>();
  for (const part of parts) {
    const found = choicesOf(part);
    if (found === undefined) continue;
    const before = allowed.get(found.path);
    const both = before === undefined ? found.choices : new Set([...before].filter((one) => found.choices.has(one)));
    if (both.size === 0) return true;
    allowed.set(found.path, both);
  }
  return false;
}

function choicesOf(node: ASTNode): { readonly path: string; readonly choices: ReadonlySet<string> } | undefined {
  if (node.op !== "==" && node.op !== "in") return undefined;
  const [left, right] = node.args;
  const path = pathOf(left);
  const values = node.op === "in" && right.op === "list" ? right.args : node.op === "==" ? [right] : [];
  if (path === undefined || values.length === 0 || !values.every(({ op }) => op === "value")) return undefined;
  return { path, choices: new Set(values.map(spelled)) };
}
