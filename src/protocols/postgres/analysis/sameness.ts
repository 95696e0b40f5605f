/** Values in conditions: what two of them have in common whatever the row, numbers in them, and constants. Judges nothing. */
import { type Ast, as, isAst, list, names, text, typed } from "./ast.ts";
import { isPlainQuery, type Rows } from "./rows.ts";

/** Steps of unwrapping, and ways that one value may come out. */
const STEPS_MAX = 16;
const WAYS_MAX = 16;

/** Without casts, collations and what changes nothing. */
export function bare(value: unknown): unknown {
  let inner = value;
  for (let step = 0; step < STEPS_MAX; step++) {
    const next = unwrapped(inner);
    if (next === undefined) return inner;
    inner = next;
  }
  return inner;
}

function unwrapped(value: unknown): unknown {
  const wrapped = as(value, "TypeCast") ?? as(value, "CollateClause");
  if (wrapped !== undefined) return wrapped["arg"];
  const expression = as(value, "A_Expr");
  if (expression !== undefined) return unwrappedOperation(expression);
  const sub = as(value, "SubLink");
  if (sub?.["subLinkType"] === "EXPR_SUBLINK") return aloneIn(as(sub["subselect"], "SelectStmt"));
  const call = as(value, "FuncCall");
  const args = list(call?.["args"]);
  if (call !== undefined && args.length === 1 && names(call["funcname"]).at(-1) === "concat") return args[0];
  const extreme = as(value, "MinMaxExpr");
  return extreme !== undefined && list(extreme["args"]).length === 1 ? list(extreme["args"])[0] : undefined;
}

function unwrappedOperation(expression: Ast): unknown {
  const { lexpr: left, rexpr: right, kind } = expression;
  if (kind === "AEXPR_NULLIF") return isNullConstant(right) ? left : undefined;
  const operator = operatorOf(expression);
  if (left === undefined && operator === "+") return right;
  if (left === undefined && operator === "-") {
    const inner = as(bare(right), "A_Expr");
    return inner !== undefined && inner["lexpr"] === undefined && operatorOf(inner) === "-"
      ? inner["rexpr"]
      : undefined;
  }
  if (operator !== "||") return undefined;
  if (stringOf(right) === "") return left;
  return stringOf(left) === "" ? right : undefined;
}

/** The value of `(SELECT value)`. */
function aloneIn(select: Ast | undefined): unknown {
  if (select === undefined || !isPlainQuery(select)) return undefined;
  if (select["fromClause"] !== undefined || select["whereClause"] !== undefined) return undefined;
  const targets = list(select["targetList"]);
  return targets.length === 1 ? as(targets[0], "ResTarget")?.["val"] : undefined;
}

export function operatorOf(expression: Ast): string {
  return names(expression["name"]).at(-1) ?? "";
}

/** All that a value may come to, as constants and other rows have it: COALESCE, CASE, GREATEST, NULLIF. */
function waysOf(value: unknown): readonly unknown[] {
  const inner = bare(value);
  const node = typed(inner);
  const parts = (() => {
    switch (node?.type) {
      case "CoalesceExpr":
      case "MinMaxExpr":
        return list(node.body["args"]);
      case "CaseExpr":
        return [...list(node.body["args"]).map((when) => as(when, "CaseWhen")?.["result"]), node.body["defresult"]];
      default:
        return undefined;
    }
  })();
  if (parts === undefined) return [inner];
  return parts
    .filter((part) => part !== undefined && !isNullConstant(part))
    .flatMap(waysOf)
    .slice(0, WAYS_MAX);
}

/** Whether two values are equal for every row, or would be with fitting constants. */
export function isSame(left: unknown, right: unknown, rows: Rows): boolean {
  const ways = waysOf(left).map((way) => rows.print(way));
  return waysOf(right).some((way) => rows.looksAt(way) && ways.includes(rows.print(way)));
}

export function isNullConstant(value: unknown): boolean {
  return as(bareConstant(value), "A_Const")?.["isnull"] === true;
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

/** A constant's text, also of several that are put together. */
export function stringOf(value: unknown): string | undefined {
  const inner = bareConstant(value);
  const constant = as(inner, "A_Const")?.["sval"];
  if (isAst(constant)) return text(constant["sval"]);
  const expression = as(inner, "A_Expr");
  if (expression === undefined || operatorOf(expression) !== "||") return undefined;
  const left = stringOf(expression["lexpr"]);
  const right = stringOf(expression["rexpr"]);
  return left === undefined || right === undefined ? undefined : left + right;
}

/** A constant as a number, a boolean or a text; undefined: none, or NULL. */
export function constantOf(value: unknown): number | boolean | string | undefined {
  const constant = as(bareConstant(value), "A_Const");
  if (constant === undefined || constant["isnull"] === true) return stringOf(value);
  const { ival, fval, boolval } = constant;
  if (isAst(ival)) return Number(ival["ival"] ?? 0);
  if (isAst(fval)) return exact(Number(fval["fval"]));
  if (isAst(boolval)) return boolval["boolval"] === true;
  return stringOf(value);
}

function exact(value: number): number | undefined {
  return Number.isFinite(value) && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined;
}

/** A sum: how often each thing that depends on the row is in it, and a number. */
export interface Sum {
  readonly terms: ReadonlyMap<string, number>;
  readonly number: number;
  /** Literals other than the number are in it. */
  readonly hasFactors: boolean;
}

/** Undefined: it holds something of the same value for all rows that is no number. */
export function sumOf(value: unknown, rows: Rows): Sum | undefined {
  const inner = bare(value);
  const constant = constantOf(inner);
  if (typeof constant === "number") return { terms: new Map(), number: constant, hasFactors: false };
  if (!rows.looksAt(inner)) return undefined;
  const expression = as(inner, "A_Expr");
  const operator = expression?.["kind"] === "AEXPR_OP" ? operatorOf(expression) : "";
  if (expression !== undefined && "+-*".includes(operator) && operator !== "") {
    const left = expression["lexpr"] === undefined ? ZERO : sumOf(expression["lexpr"], rows);
    const right = sumOf(expression["rexpr"], rows);
    if (left !== undefined && right !== undefined) {
      const sum = combined(left, operator, right);
      if (sum !== undefined) return sum;
    }
  }
  return { terms: new Map([[rows.print(inner), 1]]), number: 0, hasFactors: false };
}

const ZERO: Sum = { terms: new Map(), number: 0, hasFactors: false };

function combined(left: Sum, operator: string, right: Sum): Sum | undefined {
  if (operator !== "*") return plus(left, right, operator === "-" ? -1 : 1);
  if (left.terms.size > 0 && right.terms.size > 0) return undefined;
  const [sum, factor] = left.terms.size > 0 ? [left, right.number] : [right, left.number];
  return { ...plus(ZERO, sum, factor), hasFactors: true };
}

export function plus(left: Sum, right: Sum, factor: number): Sum {
  const terms = new Map(left.terms);
  for (const [key, count] of right.terms) {
    const own = (terms.get(key) ?? 0) + factor * count;
    if (own === 0) terms.delete(key);
    else terms.set(key, own);
  }
  const hasFactors = left.hasFactors || right.hasFactors || (terms.size > 0 && left.number !== 0);
  return { terms, number: left.number + factor * right.number, hasFactors };
}
