/** Parsed conditions as trees: their parts, the facts they read, and a spelling that is equal for equal conditions. */
import type { ASTNode } from "@marcbachmann/cel-js";

export function* nodesOf(node: ASTNode): Generator<ASTNode> {
  yield node;
  for (const child of childrenOf(node)) yield* nodesOf(child);
}

function childrenOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case "value":
    case "id":
      return [];
    case ".":
    case ".?":
      return [node.args[0]];
    case "call":
      return node.args[1];
    case "rcall":
      return [node.args[1], ...node.args[2]];
    case "map":
      return node.args.flat();
    case "list":
      return node.args;
    case "!_":
    case "-_":
      return [node.args];
    default:
      return node.args;
  }
}

/** "a.b.c"; undefined: it is no plain path. */
export function pathOf(node: ASTNode): string | undefined {
  if (node.op === "id") return node.args;
  if (node.op !== ".") return undefined;
  const of = pathOf(node.args[0]);
  return of === undefined ? undefined : `${of}.${node.args[1]}`;
}

/** The text of a node as its author wrote it. */
export function sourceOf({ input, range }: ASTNode): string {
  return input.slice(range.start, range.end);
}

/** `a && b && c` as its parts; anything else is one. */
export function conjunctsOf(node: ASTNode): readonly ASTNode[] {
  return node.op === "&&" ? node.args.flatMap(conjunctsOf) : [node];
}

export function disjunctsOf(node: ASTNode): readonly ASTNode[] {
  return node.op === "||" ? node.args.flatMap(disjunctsOf) : [node];
}

/** The same for nodes that differ in blanks, brackets and quotes only. */
export function spelled(node: ASTNode): string {
  return JSON.stringify(plain(node));
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return { int: value.toString() };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null && "op" in value && "args" in value) {
    return [value.op, plain(value.args)];
  }
  return typeof value === "object" && value !== null ? String(value) : value;
}

/** The longest plain paths that a node reads, of facts and of macros' variables ("statement.where.present", "t.labels"). */
export function pathsIn(node: ASTNode): ReadonlySet<string> {
  const found = new Set<string>();
  const walk = (one: ASTNode) => {
    const path = pathOf(one);
    if (path !== undefined) found.add(path);
    else for (const child of childrenOf(one)) walk(child);
  };
  walk(node);
  return found;
}
