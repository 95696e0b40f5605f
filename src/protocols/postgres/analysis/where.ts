/**
 * Whether a WHERE selects at all, as far as that can be decided from the text: constants, a column
 * compared with itself, IS NOT NULL, an OR with one of these, a condition and its opposite. What needs
 * arithmetic or data (`id > -1`) is not decided (a stated limit; the remedy is a row limit).
 */
import { as, fingerprint, isAst, list, names, text, typed } from "./ast.ts";

export interface Where {
  readonly present: boolean;
  readonly tautology: boolean;
}

export interface WhereVerdict extends Where {
  /** The answer could be another one with other literals. */
  readonly literalsMatter: boolean;
}

export const NO_WHERE: Where = Object.freeze({ present: false, tautology: false });

export function judgeWhere(clause: unknown): WhereVerdict {
  if (clause === undefined) return { ...NO_WHERE, literalsMatter: false };
  const judge = new Judge();
  const tautology = judge.settles(clause, true);
  return { present: true, tautology, literalsMatter: judge.literalsMatter };
}

const COMPLEMENT: ReadonlyMap<string, string> = new Map([
  ["=", "<>"],
  ["<>", "="],
  ["<", ">="],
  [">=", "<"],
  [">", "<="],
  ["<=", ">"],
]);

class Judge {
  literalsMatter = false;

  /**
   * Whether the condition has this truth for every row (or does not look at the row). True for all is a
   * tautology; false for all is one as well, behind a NOT.
   */
  settles(value: unknown, truth: boolean): boolean {
    if (!looksAtRow(value)) {
      this.literalsMatter = true;
      return truth ? !isFalse(value) : !isTrue(value);
    }
    const node = typed(value);
    if (node === undefined) return false;
    const { type, body } = node;
    switch (type) {
      case "BoolExpr": {
        const parts = list(body["args"]);
        if (body["boolop"] === "NOT_EXPR") return this.settles(parts[0], !truth);
        // AND is true by all of its parts and false by any; OR the other way round
        const byAll = (body["boolop"] === "AND_EXPR") === truth;
        if (byAll) return parts.every((part) => this.settles(part, truth));
        return parts.some((part) => this.settles(part, truth)) || this.#hasOpposites(parts);
      }
      case "NullTest":
        return body["nulltesttype"] === (truth ? "IS_NOT_NULL" : "IS_NULL");
      case "BooleanTest":
        switch (body["booltesttype"]) {
          case "IS_TRUE":
          case "IS_NOT_FALSE":
            return this.settles(body["arg"], truth);
          case "IS_FALSE":
          case "IS_NOT_TRUE":
            return this.settles(body["arg"], !truth);
          default:
            return body["booltesttype"] === (truth ? "IS_NOT_UNKNOWN" : "IS_UNKNOWN");
        }
      case "CoalesceExpr":
        return this.settles(list(body["args"])[0], truth);
      case "TypeCast":
      case "CollateClause":
        return this.settles(body["arg"], truth);
      case "CaseExpr":
        return (
          body["defresult"] !== undefined &&
          [...list(body["args"]).map((when) => as(when, "CaseWhen")?.["result"]), body["defresult"]].every((result) =>
            this.settles(result, truth),
          )
        );
      case "A_Expr":
        return this.#comparesWithItself(body, truth ? ["=", ">=", "<="] : ["<>", "<", ">"]);
      default:
        return false;
    }
  }

  #comparesWithItself(body: Readonly<Record<string, unknown>>, operators: readonly string[]): boolean {
    const left = body["lexpr"];
    const right = body["rexpr"];
    const operator = names(body["name"]).at(-1) ?? "";
    const positive = operators.includes("=");
    switch (body["kind"]) {
      case "AEXPR_OP":
        return operators.includes(operator) && sameExpression(left, right);
      case "AEXPR_NOT_DISTINCT":
        return positive && sameExpression(left, right);
      case "AEXPR_DISTINCT":
        return !positive && sameExpression(left, right);
      case "AEXPR_IN": {
        const items = list(as(right, "List")?.["items"] ?? right);
        return operators.includes(operator) && items.some((item) => sameExpression(left, item));
      }
      case "AEXPR_OP_ANY": {
        const elements = list(as(right, "A_ArrayExpr")?.["elements"]);
        return operators.includes(operator) && elements.some((item) => sameExpression(left, item));
      }
      case "AEXPR_BETWEEN":
      case "AEXPR_BETWEEN_SYM":
      case "AEXPR_NOT_BETWEEN":
      case "AEXPR_NOT_BETWEEN_SYM": {
        const isNegated = text(body["kind"]).includes("NOT");
        const items = list(as(right, "List")?.["items"] ?? right);
        return positive !== isNegated && items.length === 2 && items.every((item) => sameExpression(left, item));
      }
      case "AEXPR_LIKE":
      case "AEXPR_ILIKE": {
        if (sameExpression(left, right)) return positive === (operator === "~~" || operator === "~~*");
        const pattern = stringConstant(right);
        if (pattern === undefined) return false;
        this.literalsMatter = true;
        return /^%+$/.test(pattern) && positive === !operator.startsWith("!");
      }
      default:
        return false;
    }
  }

  /** `a = 1 OR a <> 1`, `P OR NOT P`. */
  #hasOpposites(parts: readonly unknown[]): boolean {
    if (parts.length > 64) return false;
    const seen = new Set(parts.map(fingerprint));
    const shapes = new Set(parts.map(shapePrint));
    for (const part of parts) {
      const opposite = oppositeOf(part);
      if (opposite === undefined || !shapes.has(shapePrint(opposite))) continue;
      // Another literal on one side would make it a real choice.
      this.literalsMatter = true;
      if (seen.has(fingerprint(opposite))) return true;
    }
    return false;
  }
}

/** As `fingerprint`, with every constant alike. */
function shapePrint(value: unknown): string {
  return JSON.stringify(value, (key, inner) => (key === "location" ? undefined : key === "A_Const" ? 0 : inner));
}

function oppositeOf(value: unknown): unknown {
  const bool = as(value, "BoolExpr");
  if (bool?.["boolop"] === "NOT_EXPR") return list(bool["args"])[0];
  const test = as(value, "NullTest");
  if (test !== undefined) {
    return {
      NullTest: { ...test, nulltesttype: test["nulltesttype"] === "IS_NULL" ? "IS_NOT_NULL" : "IS_NULL" },
    };
  }
  const expression = as(value, "A_Expr");
  if (expression?.["kind"] !== "AEXPR_OP") return undefined;
  const operator = COMPLEMENT.get(names(expression["name"]).at(-1) ?? "");
  if (operator === undefined) return undefined;
  return { A_Expr: { ...expression, name: [{ String: { sval: operator } }] } };
}

/** Equal trees, or one column named with and without its table. */
function sameExpression(left: unknown, right: unknown): boolean {
  const a = bare(left);
  const b = bare(right);
  const leftColumn = as(a, "ColumnRef");
  const rightColumn = as(b, "ColumnRef");
  if (leftColumn !== undefined && rightColumn !== undefined) {
    const x = names(leftColumn["fields"]);
    const y = names(rightColumn["fields"]);
    if (x.at(-1) !== y.at(-1)) return false;
    return x.length === 1 || y.length === 1 || x.join(".").endsWith(y.join(".")) || y.join(".").endsWith(x.join("."));
  }
  return fingerprint(a) === fingerprint(b);
}

function bare(value: unknown): unknown {
  let inner = value;
  for (let step = 0; step < 16; step++) {
    const wrapped = as(inner, "TypeCast") ?? as(inner, "CollateClause");
    if (wrapped === undefined) return inner;
    inner = wrapped["arg"];
  }
  return inner;
}

/** Whether a column occurs anywhere; a condition without one passes all rows or none. */
function looksAtRow(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(looksAtRow);
  if (!isAst(value)) return false;
  if ("ColumnRef" in value || "CurrentOfExpr" in value) return true;
  for (const key in value) if (looksAtRow(value[key])) return true;
  return false;
}

function isFalse(value: unknown): boolean {
  const inner = bare(value);
  const constant = as(inner, "A_Const");
  if (constant !== undefined) {
    if (constant["isnull"] === true) return true;
    const bool = constant["boolval"];
    if (isAst(bool)) return bool["boolval"] !== true;
    const string = stringConstant(inner);
    return string !== undefined && ["f", "false", "no", "n", "off", "0"].includes(string.trim().toLowerCase());
  }
  const bool = as(inner, "BoolExpr");
  if (bool !== undefined) {
    const parts = list(bool["args"]);
    if (bool["boolop"] === "NOT_EXPR") return isTrue(parts[0]);
    return bool["boolop"] === "AND_EXPR" ? parts.some(isFalse) : parts.every(isFalse);
  }
  return equalsConstants(inner) === false;
}

function isTrue(value: unknown): boolean {
  const inner = bare(value);
  const constant = as(inner, "A_Const");
  if (constant !== undefined) {
    const bool = constant["boolval"];
    if (isAst(bool)) return bool["boolval"] === true;
    const string = stringConstant(inner);
    return string !== undefined && ["t", "true", "yes", "y", "on", "1"].includes(string.trim().toLowerCase());
  }
  return equalsConstants(inner) === true;
}

/** For `constant = constant` and `<>` of plain integers or plain strings; undefined where a type decides. */
function equalsConstants(value: unknown): boolean | undefined {
  const expression = as(value, "A_Expr");
  if (expression?.["kind"] !== "AEXPR_OP") return undefined;
  const operator = names(expression["name"]).join(".");
  if (operator !== "=" && operator !== "<>") return undefined;
  const left = as(expression["lexpr"], "A_Const");
  const right = as(expression["rexpr"], "A_Const");
  for (const kind of ["ival", "sval"]) {
    const a = left?.[kind];
    const b = right?.[kind];
    if (isAst(a) && isAst(b)) return (a[kind] === b[kind]) === (operator === "=");
  }
  return undefined;
}

function stringConstant(value: unknown): string | undefined {
  const constant = as(bare(value), "A_Const")?.["sval"];
  return isAst(constant) ? text(constant["sval"]) : undefined;
}
