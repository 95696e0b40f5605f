/**
 * Constants in conditions. Texts that differ in literals only may share one judgement, so whatever is decided by a
 * literal's value says so here: `Literals` is how a value is read. Bounds are the exception, as truth.ts looks for rows
 * that lie beyond any bound; NULL, TRUE and FALSE are words of the statement and no literals.
 */
import { type Ast, as, isAst, names, text } from "./ast.ts";

/** Casts around one constant. */
const STEPS_MAX = 16;

export class Literals {
  /** Something was decided by a literal's value: with others the answer could be another one. */
  matter = false;
  /** What was found out of nodes: without, what looks through a wrapping looks through those inside of it again and again. */
  readonly #texts = new WeakMap<object, { readonly text: string | undefined }>();
  readonly #bared = new WeakMap<object, unknown>();

  /** What is left of a value without its wrappings (`sameness.ts`); undefined: nobody has looked. */
  bared(value: unknown): unknown {
    return isAst(value) ? this.#bared.get(value) : undefined;
  }

  noteBared(value: unknown, inner: unknown): void {
    if (isAst(value)) this.#bared.set(value, inner);
  }

  /** A constant's text, also of several that are put together. */
  textOf(value: unknown): string | undefined {
    const known = isAst(value) ? this.#texts.get(value) : undefined;
    const constant = known === undefined ? stringOf(value) : known.text;
    if (known === undefined && isAst(value)) this.#texts.set(value, { text: constant });
    if (constant !== undefined) this.matter = true;
    return constant;
  }

  /** A constant as a number, a boolean or a text; undefined: none, NULL, or too large a number. */
  valueOf(value: unknown): Constant | undefined {
    const constant = boundOf(value);
    if (typeof constant !== "boolean") this.matter = true;
    return constant;
  }
}

export type Constant = number | boolean | string;

/** As `valueOf`, of what a subject is compared with. Only for bounds: where nothing else depends on it. */
export function boundOf(value: unknown): Constant | undefined {
  const constant = as(bareConstant(value), "A_Const");
  if (constant === undefined || constant["isnull"] === true) return stringOf(value);
  const { ival, fval, boolval } = constant;
  if (isAst(ival)) return Number(ival["ival"] ?? 0);
  if (isAst(fval)) return exact(Number(fval["fval"]));
  if (isAst(boolval)) return boolval["boolval"] === true;
  return stringOf(value);
}

export function isNullConstant(value: unknown): boolean {
  return as(bareConstant(value), "A_Const")?.["isnull"] === true;
}

export function isNumber(value: unknown): boolean {
  const constant = as(bareConstant(value), "A_Const");
  return constant !== undefined && ("ival" in constant || "fval" in constant);
}

/** Any constant but NULL. */
export function isConstant(value: unknown): boolean {
  return isNumber(value) || boundOf(value) !== undefined;
}

export function operatorOf(expression: Ast): string {
  return names(expression["name"]).at(-1) ?? "";
}

/** A constant behind casts. */
function bareConstant(value: unknown): unknown {
  let inner = value;
  for (let step = 0; step < STEPS_MAX; step++) {
    const cast = as(inner, "TypeCast");
    if (cast === undefined) return inner;
    inner = cast["arg"];
  }
  return inner;
}

function stringOf(value: unknown): string | undefined {
  const inner = bareConstant(value);
  const constant = as(inner, "A_Const")?.["sval"];
  if (isAst(constant)) return text(constant["sval"]);
  const expression = as(inner, "A_Expr");
  if (expression === undefined || operatorOf(expression) !== "||") return undefined;
  const left = stringOf(expression["lexpr"]);
  const right = stringOf(expression["rexpr"]);
  return left === undefined || right === undefined ? undefined : left + right;
}

function exact(value: number): number | undefined {
  return Number.isFinite(value) && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined;
}
