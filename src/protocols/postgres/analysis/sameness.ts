/** Values in conditions: what two of them have in common whatever the row, and numbers in them. Judges nothing. */
import { type Ast, as, isAst, list, names, typed } from "./ast.ts";
import { boundOf, isNullConstant, isNumber, type Literals, operatorOf } from "./literals.ts";
import { isPlainQuery, type Rows } from "./rows.ts";

/** Steps of unwrapping, and ways that one value may come out. */
const STEPS_MAX = 16;
const WAYS_MAX = 16;

/** Without casts, collations and what changes nothing. */
export function bare(value: unknown, literals: Literals): unknown {
  const known = literals.bared(value);
  if (known !== undefined) return known;
  let inner = value;
  for (let step = 0; step < STEPS_MAX; step++) {
    const next = unwrapped(inner, literals);
    if (next === undefined) break;
    inner = next;
  }
  literals.noteBared(value, inner);
  return inner;
}

function unwrapped(value: unknown, literals: Literals): unknown {
  const wrapped = as(value, "TypeCast") ?? as(value, "CollateClause");
  if (wrapped !== undefined) return wrapped["arg"];
  const expression = as(value, "A_Expr");
  if (expression !== undefined) return unwrappedOperation(expression, literals);
  const sub = as(value, "SubLink");
  if (sub?.["subLinkType"] === "EXPR_SUBLINK") return aloneIn(as(sub["subselect"], "SelectStmt"));
  const call = as(value, "FuncCall");
  const args = list(call?.["args"]);
  if (call !== undefined && args.length === 1 && names(call["funcname"]).at(-1) === "concat") return args[0];
  const extreme = as(value, "MinMaxExpr");
  return extreme !== undefined && list(extreme["args"]).length === 1 ? list(extreme["args"])[0] : undefined;
}

function unwrappedOperation(expression: Ast, literals: Literals): unknown {
  const { lexpr: left, rexpr: right, kind } = expression;
  if (kind === "AEXPR_NULLIF") return isNullConstant(right) ? left : undefined;
  const operator = operatorOf(expression);
  if (left === undefined && operator === "+") return right;
  if (left === undefined && operator === "-") {
    const inner = as(bare(right, literals), "A_Expr");
    return inner !== undefined && inner["lexpr"] === undefined && operatorOf(inner) === "-"
      ? inner["rexpr"]
      : undefined;
  }
  if (operator !== "||") return undefined;
  if (literals.textOf(right) === "") return left;
  return literals.textOf(left) === "" ? right : undefined;
}

/** The value of `(SELECT value)`, and of `(SELECT value WHERE condition)` as CASE has it. */
function aloneIn(select: Ast | undefined): unknown {
  if (select === undefined || !isPlainQuery(select) || select["fromClause"] !== undefined) return undefined;
  const targets = list(select["targetList"]);
  const value = targets.length === 1 ? as(targets[0], "ResTarget")?.["val"] : undefined;
  const condition = select["whereClause"];
  if (value === undefined || condition === undefined) return value;
  return isOneRow(select) ? { CaseExpr: { args: [{ CaseWhen: { expr: condition, result: value } }] } } : undefined;
}

/** `SELECT … WHERE …` over nothing: one row if it passes, unless a function makes several or an aggregate makes one. */
export function isOneRow(select: Ast): boolean {
  const targets = select["targetList"];
  if (!isPlainQuery(select) || select["fromClause"] !== undefined || targets === undefined) return false;
  return !calls(targets);
}

/** Also aggregates; what a sub-query in it calls makes rows of its own. */
function calls(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(calls);
  if (!isAst(value) || "SubLink" in value) return false;
  for (const key in value) if (/^(FuncCall|Json\w*Agg)$/.test(key) || calls(value[key])) return true;
  return false;
}

/** All that a value may come to, as constants and other rows have it: COALESCE, CASE, GREATEST, NULLIF. */
function waysOf(value: unknown, literals: Literals): readonly unknown[] {
  const inner = bare(value, literals);
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
    .flatMap((part) => waysOf(part, literals))
    .slice(0, WAYS_MAX);
}

/** Whether two values are equal for every row, or would be with fitting constants. */
export function isSame(left: unknown, right: unknown, rows: Rows, literals: Literals): boolean {
  const ways = waysOf(left, literals);
  return waysOf(right, literals).some((way) => {
    if (!rows.looksAt(way)) return false;
    const shape = rows.shape(way);
    return ways.some((other) => {
      if (rows.shape(other) !== shape) return false;
      if (rows.hasLiterals(way)) literals.matter = true;
      return rows.print(other) === rows.print(way);
    });
  });
}

/** A sum: what depends on the row in it, and a number. */
export interface Sum {
  /** By their prints. */
  readonly terms: ReadonlyMap<string, Term>;
  readonly number: number;
}

interface Term {
  /** How often. */
  readonly factor: number;
  readonly shape: string;
  readonly hasLiterals: boolean;
}

const ZERO: Sum = { terms: new Map(), number: 0 };

/** Undefined: it holds something of the same value for all rows that is no number. */
export function sumOf(value: unknown, rows: Rows, literals: Literals): Sum | undefined {
  const inner = bare(value, literals);
  if (isNumber(inner)) {
    const number = boundOf(inner);
    if (typeof number === "number") return { terms: new Map(), number };
    literals.matter = true;
    return undefined;
  }
  if (!rows.looksAt(inner)) return undefined;
  const expression = as(inner, "A_Expr");
  const operator = expression?.["kind"] === "AEXPR_OP" ? operatorOf(expression) : "";
  if (expression !== undefined && "+-*".includes(operator) && operator !== "") {
    const left = expression["lexpr"] === undefined ? ZERO : sumOf(expression["lexpr"], rows, literals);
    const right = sumOf(expression["rexpr"], rows, literals);
    if (left !== undefined && right !== undefined) {
      const sum = combined(left, operator, right, literals);
      if (sum !== undefined) return sum;
    }
  }
  const term = { factor: 1, shape: rows.shape(inner), hasLiterals: rows.hasLiterals(inner) };
  return { terms: new Map([[rows.print(inner), term]]), number: 0 };
}

function combined(left: Sum, operator: string, right: Sum, literals: Literals): Sum | undefined {
  if (operator !== "*") return plus(left, right, operator === "-" ? -1 : 1, literals);
  if (left.terms.size > 0 && right.terms.size > 0) return undefined;
  literals.matter = true;
  const [sum, factor] = left.terms.size > 0 ? [left, right.number] : [right, left.number];
  return plus(ZERO, sum, factor, literals);
}

/** left + factor * right */
export function plus(left: Sum, right: Sum, factor: number, literals: Literals): Sum {
  const terms = new Map(left.terms);
  for (const [key, term] of right.terms) {
    const own = (terms.get(key)?.factor ?? 0) + factor * term.factor;
    if (own === 0) terms.delete(key);
    else terms.set(key, { ...term, factor: own });
  }
  // With others two of them could be one.
  const withLiterals = [...left.terms.values(), ...right.terms.values()].filter((term) => term.hasLiterals);
  if (withLiterals.length > 1) literals.matter = true;
  return { terms, number: left.number + factor * right.number };
}
