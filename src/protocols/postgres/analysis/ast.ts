/**
 * Reading raw parse trees as libpg-query writes them: `{ "NodeType": { field: … } }`, where zero, false,
 * empty and absent are all left out, and a field of a fixed type holds the body without its type.
 */

export type Ast = Readonly<Record<string, unknown>>;

export interface TypedNode {
  readonly type: string;
  readonly body: Ast;
}

export function isAst(value: unknown): value is Ast {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The type and body of a wrapped node; undefined for a bare body. */
export function typed(value: unknown): TypedNode | undefined {
  if (!isAst(value)) return undefined;
  for (const key in value) {
    const first = key.charCodeAt(0);
    const body = value[key];
    return first >= 65 && first <= 90 && isAst(body) ? { type: key, body } : undefined;
  }
  return undefined;
}

/** The body of a wrapped node of that type. */
export function as(value: unknown, type: string): Ast | undefined {
  if (!isAst(value)) return undefined;
  const body = value[type];
  return isAst(body) ? body : undefined;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The names in a list of String nodes. */
export function names(value: unknown): readonly string[] {
  return list(value).flatMap((item) => {
    const string = as(item, "String");
    return string === undefined ? [] : [text(string["sval"])];
  });
}
