/**
 * A WHERE as a formula (truth.ts) over what depends on the written rows (rows.ts). Reads operators by their names, as
 * pg_catalog has them, and takes what it does not know for something that the row decides.
 */
import { type Ast, as, isAst, list, names, text, typed } from "./ast.ts";
import { boundOf, isConstant, isNullConstant, isNumber, Literals, operatorOf } from "./literals.ts";
import { elementsOf, findsAnything, isAnyText, isEmptyCollection, isEverything } from "./patterns.ts";
import { isPlainQuery, type Rows } from "./rows.ts";
import { bare, isOneRow, isSame, plus, sumOf } from "./sameness.ts";
import {
  all,
  any,
  type Bound,
  EQUAL,
  FALSE,
  type Formula,
  FREE,
  GREATER,
  known,
  LESS,
  NULL,
  not,
  TRUE,
} from "./truth.ts";

const OUTCOMES: ReadonlyMap<string, number> = new Map([
  ["=", EQUAL],
  ["<>", LESS | GREATER],
  ["<", LESS],
  ["<=", LESS | EQUAL],
  [">", GREATER],
  [">=", GREATER | EQUAL],
]);
const MIRRORED: ReadonlyMap<string, string> = new Map([
  ["<", ">"],
  ["<=", ">="],
  [">", "<"],
  [">=", "<="],
  ["=", "="],
  ["<>", "<>"],
]);
/** Operators that are another one negated. */
const NEGATED: ReadonlyMap<string, string> = new Map([
  ["!~~", "~~"],
  ["!~~*", "~~*"],
  ["!~", "~"],
  ["!~*", "~*"],
]);
/** True of anything and itself. */
const REFLEXIVE: ReadonlySet<string> = new Set(["@>", "<@", "&&", "~~", "~~*", "^@", "?&", "~="]);
const NULL_CONSTANT = { A_Const: { isnull: true } };
/** Items of one list; a longer one is taken as a whole. */
const ITEMS_MAX = 10_000;
/** Parts that are looked at; what comes behind counts as the same for all rows, which is the safe side. */
const PARTS_MAX = 25_000;

export class Conditions {
  readonly #literals = new Literals();
  #parts = 0;

  /** Other literals could bring another formula. */
  get literalsMatter(): boolean {
    return this.#literals.matter;
  }

  of(value: unknown, rows: Rows): Formula {
    if (this.#isSpent()) return FREE;
    const node = typed(value);
    if (node === undefined || rows.isTooDeep) return this.#opaque(value, rows);
    const { type, body } = node;
    switch (type) {
      case "BoolExpr": {
        const parts = list(body["args"]).map((part) => this.of(part, rows));
        if (body["boolop"] === "NOT_EXPR") return not(parts[0] ?? FREE);
        return body["boolop"] === "AND_EXPR" ? all(parts) : any(parts);
      }
      case "NullTest": {
        const test = this.#isNull(body["arg"], rows);
        return body["nulltesttype"] === "IS_NULL" ? test : not(test);
      }
      case "BooleanTest":
        return this.#booleanTest(text(body["booltesttype"]), this.of(body["arg"], rows));
      case "CoalesceExpr":
        return { kind: "first", of: list(body["args"]).map((part) => this.of(part, rows)) };
      case "CaseExpr":
        return this.#case(body, rows, (result) => this.of(result, rows));
      case "TypeCast":
      case "CollateClause":
        return this.of(body["arg"], rows);
      case "A_Const":
        return this.#constant(value);
      case "A_Expr":
        return this.#expression(body, rows);
      case "SubLink":
        return this.#subLink(body, rows);
      case "FuncCall":
        return this.#call(value, body, rows);
      default:
        return this.#opaque(value, rows);
    }
  }

  #isSpent(): boolean {
    return ++this.#parts > PARTS_MAX;
  }

  #opaque(value: unknown, rows: Rows): Formula {
    return rows.looksAt(value) ? atom(value, rows) : FREE;
  }

  #constant(value: unknown): Formula {
    if (isNullConstant(value)) return known(null);
    const constant = this.#literals.valueOf(value);
    if (typeof constant === "boolean") return known(constant);
    const word = typeof constant === "string" ? constant.trim().toLowerCase() : "";
    if (["t", "true", "yes", "y", "on", "1"].includes(word)) return known(true);
    return ["f", "false", "no", "n", "off", "0"].includes(word) ? known(false) : FREE;
  }

  #booleanTest(test: string, of: Formula): Formula {
    const value = test.endsWith("TRUE") ? TRUE : test.endsWith("FALSE") ? FALSE : NULL;
    const is: Formula = { kind: "is", of, value };
    return test.includes("_NOT_") ? not(is) : is;
  }

  /** Columns count as never NULL; what a boolean may be is known better. */
  #isNull(value: unknown, rows: Rows): Formula {
    if (this.#isBoolean(value)) return { kind: "is", of: this.of(value, rows), value: NULL };
    if (this.#isAlwaysNull(value, rows)) return known(true);
    const choice = as(bare(value, this.#literals), "CaseExpr");
    if (choice !== undefined)
      return this.#case({ defresult: NULL_CONSTANT, ...choice }, rows, (of) => this.#isNull(of, rows));
    return rows.looksAt(value) ? known(false) : FREE;
  }

  #isAlwaysNull(value: unknown, rows: Rows): boolean {
    const inner = bare(value, this.#literals);
    if (isNullConstant(inner)) return true;
    const expression = as(inner, "A_Expr");
    if (expression === undefined) return false;
    const { kind, lexpr, rexpr } = expression;
    if (kind === "AEXPR_NULLIF") return isSame(lexpr, rexpr, rows, this.#literals);
    return kind === "AEXPR_OP" && [lexpr, rexpr].some((side) => side !== undefined && this.#isAlwaysNull(side, rows));
  }

  #case(body: Ast, rows: Rows, of: (result: unknown) => Formula): Formula {
    const subject = body["arg"];
    const branches = list(body["args"]).map((item) => {
      const when = as(item, "CaseWhen");
      const condition = when?.["expr"];
      return {
        when: subject === undefined ? this.of(condition, rows) : this.#compared(subject, "=", condition, rows),
        result: of(when?.["result"]),
      };
    });
    const otherwise = body["defresult"] === undefined ? known(null) : of(body["defresult"]);
    return { kind: "case", branches, otherwise };
  }

  #expression(body: Ast, rows: Rows): Formula {
    const { lexpr: left, rexpr: right } = body;
    const operator = operatorOf(body);
    switch (body["kind"]) {
      case "AEXPR_OP":
      case "AEXPR_LIKE":
      case "AEXPR_ILIKE":
      case "AEXPR_SIMILAR":
        if (left === undefined || right === undefined) return this.#opaque({ A_Expr: body }, rows);
        return this.#compared(left, operator, right, rows);
      case "AEXPR_DISTINCT":
        return not(this.#notDistinct(left, right, rows));
      case "AEXPR_NOT_DISTINCT":
        return this.#notDistinct(left, right, rows);
      case "AEXPR_NULLIF": {
        const equal = this.#compared(left, "=", right, rows);
        return { kind: "case", branches: [{ when: equal, result: known(null) }], otherwise: this.of(left, rows) };
      }
      case "AEXPR_IN": {
        const items = list(as(right, "List")?.["items"] ?? right);
        return this.#eachOf(left, operator, items, operator === "=" ? any : all, rows);
      }
      case "AEXPR_OP_ANY":
        return this.#quantified(left, operator, right, any, rows);
      case "AEXPR_OP_ALL":
        return this.#quantified(left, operator, right, all, rows);
      case "AEXPR_BETWEEN":
      case "AEXPR_BETWEEN_SYM":
      case "AEXPR_NOT_BETWEEN":
      case "AEXPR_NOT_BETWEEN_SYM": {
        const [low, high] = list(as(right, "List")?.["items"] ?? right);
        const kind = text(body["kind"]);
        const within = (from: unknown, to: unknown) =>
          all([this.#compared(left, ">=", from, rows), this.#compared(left, "<=", to, rows)]);
        const between = kind.endsWith("SYM") ? any([within(low, high), within(high, low)]) : within(low, high);
        return kind.includes("NOT") ? not(between) : between;
      }
      default:
        return this.#opaque({ A_Expr: body }, rows);
    }
  }

  #notDistinct(left: unknown, right: unknown, rows: Rows): Formula {
    if (isNullConstant(left)) return this.#isNull(right, rows);
    if (isNullConstant(right)) return this.#isNull(left, rows);
    const equal = this.#compared(left, "=", right, rows);
    return { kind: "is", of: equal, value: TRUE };
  }

  #eachOf(
    left: unknown,
    operator: string,
    items: readonly unknown[],
    join: (of: readonly Formula[]) => Formula,
    rows: Rows,
  ): Formula {
    if (items.length > ITEMS_MAX) return this.#opaque([left, items], rows);
    return join(items.map((item) => this.#compared(left, operator, item, rows)));
  }

  #quantified(
    left: unknown,
    operator: string,
    right: unknown,
    join: (of: readonly Formula[]) => Formula,
    rows: Rows,
  ): Formula {
    const inner = bare(right, this.#literals);
    const sub = as(inner, "SubLink");
    if (sub?.["subLinkType"] === "ARRAY_SUBLINK" && join === any) return this.#among(left, operator, sub, rows);
    const items = itemsOf(inner, this.#literals);
    if (items === undefined) return this.#opaque([left, operator, join === any, right], rows);
    return this.#eachOf(left, operator, items, join, rows);
  }

  #compared(one: unknown, operator: string, other: unknown, rows: Rows): Formula {
    if (this.#isSpent()) return FREE;
    const plain = this.#columnCompared(one, operator, other, rows);
    if (plain !== undefined) return plain;
    const [left, right] = [this.#reduced(one, rows), this.#reduced(other, rows)];
    const positive = NEGATED.get(operator);
    if (positive !== undefined) return not(this.#compared(left, positive, right, rows));
    if (isNullConstant(left) || isNullConstant(right)) return known(null);
    const outcomes = OUTCOMES.get(operator);
    if (outcomes === undefined) return this.#matched(left, operator, right, rows);
    if (this.#isBoolean(left) || this.#isBoolean(right)) {
      return { kind: "order", left: this.of(left, rows), right: this.of(right, rows), outcomes };
    }
    for (const [side, turned] of [
      [left, (result: unknown) => this.#compared(result, operator, right, rows)],
      [right, (result: unknown) => this.#compared(left, operator, result, rows)],
    ] as const) {
      const choice = as(bare(side, this.#literals), "CaseExpr");
      if (choice !== undefined && rows.looksAt(side)) return this.#case(choice, rows, turned);
    }
    const pairs = rowsOf(left, right);
    if (pairs !== undefined) return this.#rowsCompared(pairs, operator, rows);
    if (this.#isAlwaysNull(left, rows) || this.#isAlwaysNull(right, rows)) return known(null);
    return this.#valuesCompared(left, operator, outcomes, right, rows);
  }

  /** A column of the row and a number or text, as nearly all comparisons are. */
  #columnCompared(left: unknown, operator: string, right: unknown, rows: Rows): Formula | undefined {
    const outcomes = OUTCOMES.get(operator);
    if (outcomes === undefined || as(left, "ColumnRef") === undefined || as(right, "A_Const") === undefined)
      return undefined;
    if (!rows.looksAt(left)) return undefined;
    const constant = boundOf(right);
    const subject = rows.print(left);
    const compared = (bound: Bound): Formula => ({ kind: "compare", subject, shape: subject, outcomes, bound });
    if (typeof constant === "number") return compared({ kind: "number", value: constant });
    if (isNumber(right)) return compared({ kind: "symbol", key: rows.print(right), isLiteral: false });
    if (typeof constant !== "string" || (outcomes !== EQUAL && outcomes !== (LESS | GREATER))) return undefined;
    return compared({ kind: "symbol", key: `text ${constant}`, isLiteral: true });
  }

  /** COALESCE without what is always NULL, and without what comes behind a value that never is. */
  #reduced(value: unknown, rows: Rows): unknown {
    const choice = as(bare(value, this.#literals), "CoalesceExpr");
    if (choice === undefined) return value;
    const [first, ...rest] = list(choice["args"]).filter((part) => !this.#isAlwaysNull(part, rows));
    const isFirst = rest.length === 0 || as(first, "ColumnRef") !== undefined || isConstant(first);
    return isFirst && first !== undefined ? first : value;
  }

  #valuesCompared(left: unknown, operator: string, outcomes: number, right: unknown, rows: Rows): Formula {
    const isLeft = rows.looksAt(left);
    const isRight = rows.looksAt(right);
    if (!isLeft && !isRight) return this.#constantsCompared(left, outcomes, right);
    if (isSame(left, right, rows, this.#literals)) return known((outcomes & EQUAL) !== 0);
    const [one, other] = [sumOf(left, rows, this.#literals), sumOf(right, rows, this.#literals)];
    if (one !== undefined && other !== undefined) {
      const sum = plus(one, other, -1, this.#literals);
      const [entry] = sum.terms;
      if (entry === undefined) {
        this.#literals.matter = true;
        return known((outcomeOf(sum.number) & outcomes) !== 0);
      }
      if (sum.terms.size === 1) {
        const [subject, { factor, shape }] = entry;
        const turned = factor < 0 ? (OUTCOMES.get(MIRRORED.get(operator) ?? "") ?? outcomes) : outcomes;
        const value = -sum.number / factor;
        return { kind: "compare", subject, shape, outcomes: turned, bound: { kind: "number", value } };
      }
    }
    if (isLeft && isRight) return this.#both(left, operator, right, rows);
    const [of, bound] = isLeft ? [left, right] : [right, left];
    const turned = isLeft ? outcomes : (OUTCOMES.get(MIRRORED.get(operator) ?? "") ?? outcomes);
    if (turned === (GREATER | EQUAL) && this.#literals.textOf(bound) === "") return known(true);
    const literal = boundOf(bound);
    const key = typeof literal === "string" ? `text ${literal}` : rows.print(bare(bound, this.#literals));
    const isLiteral = literal !== undefined;
    const subject = bare(of, this.#literals);
    return {
      kind: "compare",
      subject: rows.print(subject),
      shape: rows.shape(subject),
      outcomes: turned,
      bound: { kind: "symbol", key, isLiteral },
    };
  }

  /** Two things of the row: `a < b` and `b > a` are one. */
  #both(left: unknown, operator: string, right: unknown, rows: Rows): Formula {
    const [a, b] = [left, right].map((side) => {
      const inner = bare(side, this.#literals);
      return { print: rows.print(inner), shape: rows.shape(inner) };
    }) as [Printed, Printed];
    const isOrdered = a.shape === b.shape ? a.print <= b.print : a.shape < b.shape;
    const outcomes = OUTCOMES.get(isOrdered ? operator : (MIRRORED.get(operator) ?? operator)) ?? EQUAL;
    const [{ print: subject, shape }, { print: key }] = isOrdered ? [a, b] : [b, a];
    return { kind: "compare", subject, shape, outcomes, bound: { kind: "symbol", key, isLiteral: false } };
  }

  #constantsCompared(left: unknown, outcomes: number, right: unknown): Formula {
    const [a, b] = [this.#literals.valueOf(left), this.#literals.valueOf(right)];
    if (a === undefined || b === undefined || typeof a !== typeof b) return FREE;
    if (a === b) return known((outcomes & EQUAL) !== 0);
    // How texts are sorted is the database's affair.
    if (typeof a === "string") return (outcomes & EQUAL) !== 0 && outcomes !== EQUAL ? FREE : known(outcomes !== EQUAL);
    return known(((Number(a) < Number(b) ? LESS : GREATER) & outcomes) !== 0);
  }

  #rowsCompared(pairs: readonly (readonly [unknown, unknown])[], operator: string, rows: Rows): Formula {
    if (operator === "=") return all(pairs.map(([a, b]) => this.#compared(a, "=", b, rows)));
    if (operator === "<>") return any(pairs.map(([a, b]) => this.#compared(a, "<>", b, rows)));
    const strict = operator.charAt(0);
    const [first, ...rest] = pairs;
    if (first === undefined) return known(operator.length > 1);
    const [a, b] = first;
    if (rest.length === 0) return this.#compared(a, operator, b, rows);
    const equal = this.#compared(a, "=", b, rows);
    return any([this.#compared(a, strict, b, rows), all([equal, this.#rowsCompared(rest, operator, rows)])]);
  }

  /** LIKE, regular expressions, containment. */
  #matched(left: unknown, operator: string, right: unknown, rows: Rows): Formula {
    if (!rows.looksAt(left) && !rows.looksAt(right)) return FREE;
    if (REFLEXIVE.has(operator) && isSame(left, right, rows, this.#literals)) return known(true);
    const isAll = this.#fitsAll(left, operator, right, rows);
    if (isAll) return known(true);
    return atom([bare(left, this.#literals), operator, bare(right, this.#literals)], rows);
  }

  #fitsAll(left: unknown, operator: string, right: unknown, rows: Rows): boolean {
    const fits = (of: unknown, test: (text: string) => boolean) => {
      const constant = this.#literals.textOf(of);
      return constant !== undefined && test(constant);
    };
    switch (operator) {
      case "~~":
      case "~~*":
        return fits(patternOf(right, this.#literals), isAnyText) || this.#holdsItself(left, right, rows);
      case "~":
      case "~*": {
        const similar = callOf(right, "similar_to_escape");
        return similar === undefined ? fits(right, findsAnything) : fits(similar[0], isAnyText);
      }
      case "^@":
        return fits(right, (prefix) => prefix === "");
      case "@>":
        return fits(right, isEmptyCollection) || fits(left, isEverything) || isBoundless(left);
      case "<@":
        return fits(left, isEmptyCollection) || fits(right, isEverything) || isBoundless(right);
      default:
        return false;
    }
  }

  /** `a LIKE '%' || a || '%'`. */
  #holdsItself(left: unknown, pattern: unknown, rows: Rows): boolean {
    const parts = piecesOf(pattern);
    if (parts.length < 2) return false;
    const others = parts.filter((part) => !isSame(part, left, rows, this.#literals));
    return others.length < parts.length && others.every((part) => isAnyText(this.#literals.textOf(part) ?? ""));
  }

  #call(value: unknown, body: Ast, rows: Rows): Formula {
    const args = list(body["args"]);
    const [first, second] = args;
    if (rows.looksAt(value) && second !== undefined && args.length === 2) {
      const name = names(body["funcname"]).at(-1);
      const operator = name === "starts_with" ? "^@" : name === "regexp_like" ? "~" : undefined;
      if (operator !== undefined) return this.#matched(first, operator, second, rows);
    }
    return this.#opaque(value, rows);
  }

  #subLink(body: Ast, rows: Rows): Formula {
    const { testexpr, subselect } = body;
    const value = { SubLink: body };
    if (!rows.looksAt(value)) return FREE;
    const select = as(subselect, "SelectStmt");
    switch (body["subLinkType"]) {
      case "EXISTS_SUBLINK":
        if (select === undefined) return this.#opaque(value, rows);
        if (isOneRow(select)) return passes(this.#filter(select, rows));
        return any([this.#exists(select, rows), this.#opaque(value, rows)]);
      case "ANY_SUBLINK":
        return this.#among(testexpr, names(body["operName"]).at(-1) ?? "=", body, rows);
      case "EXPR_SUBLINK": {
        const alone = bare(value, this.#literals);
        return alone === value ? this.#opaque(value, rows) : this.of(alone, rows);
      }
      default:
        return this.#opaque(value, rows);
    }
  }

  /** Whether the row itself is what a sub-query looks for. */
  #exists(select: Ast, rows: Rows): Formula {
    return this.#meetsItself(select, rows) ? this.#filter(select, rows) : known(false);
  }

  #filter(select: Ast, rows: Rows): Formula {
    const clause = select["whereClause"];
    return clause === undefined ? known(true) : this.of(clause, rows.inside(select["fromClause"]));
  }

  /** Whether a row of the table comes through the sub-query unless its WHERE says otherwise. */
  #meetsItself(select: Ast, rows: Rows): boolean {
    return isPlainQuery(select) && (select["fromClause"] === undefined || rows.isWhole(select["fromClause"]));
  }

  /** `left = ANY (sub-query)`: true at least where the row finds itself there. */
  #among(left: unknown, operator: string, sub: Ast, rows: Rows): Formula {
    const select = as(sub["subselect"], "SelectStmt");
    const otherwise = this.#opaque([left, operator, { SubLink: sub }], rows);
    if (select === undefined) return otherwise;
    const lists = list(select["valuesLists"]).map((item) => list(as(item, "List")?.["items"]));
    if (lists.length > 0) {
      return any(lists.slice(0, ITEMS_MAX).map((items) => this.#compared(left, operator, asRow(items), rows)));
    }
    if (!this.#meetsItself(select, rows)) return otherwise;
    const targets = list(select["targetList"]).map((item) => as(item, "ResTarget")?.["val"]);
    const inner = rows.inside(select["fromClause"]);
    const compared = this.#compared(left, operator, asRow(targets), inner);
    if (isOneRow(select)) return all([passes(this.#filter(select, rows)), compared]);
    return any([all([this.#exists(select, rows), compared]), otherwise]);
  }

  /** Whether a value is surely boolean. */
  #isBoolean(value: unknown): boolean {
    const inner = bare(value, this.#literals);
    const node = typed(inner);
    switch (node?.type) {
      case "BoolExpr":
      case "NullTest":
      case "BooleanTest":
        return true;
      case "A_Const":
        return typeof boundOf(inner) === "boolean";
      case "SubLink":
        return node.body["subLinkType"] === "EXISTS_SUBLINK" || node.body["subLinkType"] === "ANY_SUBLINK";
      case "A_Expr": {
        const kind = node.body["kind"];
        const operator = operatorOf(node.body);
        if (kind === "AEXPR_NULLIF") return this.#isBoolean(node.body["lexpr"]);
        return kind !== "AEXPR_OP" || OUTCOMES.has(operator) || NEGATED.has(operator) || REFLEXIVE.has(operator);
      }
      default:
        return false;
    }
  }
}

/** A WHERE lets through what is true. */
function passes(of: Formula): Formula {
  return { kind: "is", of, value: TRUE };
}

interface Printed {
  readonly print: string;
  readonly shape: string;
}

/** A thing that the row decides. */
function atom(value: unknown, rows: Rows): Formula {
  return { kind: "atom", key: rows.print(value), shape: rows.shape(value) };
}

function outcomeOf(difference: number): number {
  return difference < 0 ? LESS : difference === 0 ? EQUAL : GREATER;
}

/** Pairs of two rows of one length. */
function rowsOf(left: unknown, right: unknown): readonly (readonly [unknown, unknown])[] | undefined {
  const a = as(left, "RowExpr");
  const b = as(right, "RowExpr");
  if (a === undefined || b === undefined) return undefined;
  const [own, other] = [list(a["args"]), list(b["args"])];
  return own.length === other.length ? own.map((item, at) => [item, other[at]] as const) : undefined;
}

function asRow(items: readonly unknown[]): unknown {
  return items.length === 1 ? items[0] : { RowExpr: { args: items } };
}

/** The elements of an array that is written out. */
function itemsOf(value: unknown, literals: Literals): readonly unknown[] | undefined {
  const inner = bare(value, literals);
  const array = as(inner, "A_ArrayExpr");
  if (array !== undefined) return list(array["elements"]);
  const constant = as(inner, "A_Const");
  if (constant !== undefined) {
    const elements = elementsOf(literals.textOf(inner) ?? "");
    return elements?.map((element) => {
      const number = /^-?\d{1,15}$/.test(element) ? Number(element) : undefined;
      return { A_Const: number === undefined ? { sval: { sval: element } } : { ival: { ival: number } } };
    });
  }
  const expression = as(inner, "A_Expr");
  if (expression === undefined || operatorOf(expression) !== "||") return undefined;
  const sides = [expression["lexpr"], expression["rexpr"]];
  const known = sides.map((side) => itemsOf(side, literals) ?? (isAst(side) && "A_Const" in side ? [side] : undefined));
  return known.every((items) => items !== undefined) ? known.flatMap((items) => items ?? []) : undefined;
}

/** The pattern of LIKE … ESCAPE without its escape, unless that is what the pattern is made of. */
function patternOf(value: unknown, literals: Literals): unknown {
  const escaped = callOf(value, "like_escape");
  return escaped === undefined || literals.textOf(escaped[1]) === "%" ? value : escaped[0];
}

function callOf(value: unknown, name: string): readonly unknown[] | undefined {
  const call = as(value, "FuncCall");
  return call !== undefined && names(call["funcname"]).at(-1) === name ? list(call["args"]) : undefined;
}

/** `int4range(NULL, NULL)`. */
function isBoundless(value: unknown): boolean {
  const call = as(value, "FuncCall");
  if (call === undefined || !(names(call["funcname"]).at(-1) ?? "").endsWith("range")) return false;
  return list(call["args"]).slice(0, 2).every(isNullConstant);
}

function piecesOf(value: unknown): readonly unknown[] {
  const expression = as(value, "A_Expr");
  if (expression === undefined || operatorOf(expression) !== "||") return [value];
  return [...piecesOf(expression["lexpr"]), ...piecesOf(expression["rexpr"])];
}
