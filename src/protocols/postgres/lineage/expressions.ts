/**
 * What an expression's value depends on. What is not known by name depends on all that stands in it. Whether
 * an expression fails, which branch it takes and how many rows it gives is seen even where its value is
 * masked: what is not known to be total counts as a test of what it is given.
 */
import { type Ast, as, isAst, list, names, text, typed } from "../analysis/ast.ts";
import { classify } from "../analysis/functions.ts";
import { resolve, resolveColumn, rowNamed, type Scope, starOf, wholeOf } from "./scope.ts";
import { CLEAN, labelsIn, made, type Taint } from "./taint.ts";
import type { Walk } from "./walk.ts";

/** Of a node, or of a list of them. */
export function taintOf(node: unknown, scope: Scope, walk: Walk): Taint {
  if (Array.isArray(node)) return made(node.map((item) => taintOf(item, scope, walk)));
  if (!isAst(node)) return CLEAN;
  walk.step();
  const own = typed(node);
  if (own === undefined) return partsOf(node, scope, walk);
  const { type, body } = own;
  switch (type) {
    case "ColumnRef":
      return columnOf(body, scope, walk);
    case "FuncCall":
      return callOf(body, scope, walk);
    case "SubLink":
      return subLinkOf(body, scope, walk);
    case "SelectStmt":
      return wholeOf(walk.readers.query(body, scope, walk));
    case "A_Indirection":
      return made([fieldOf(body, scope, walk), taintOf(body["indirection"], scope, walk)]);
    case "CollateClause":
      return taintOf(body["arg"], scope, walk);
    case "A_Expr": {
      const parts = made([taintOf(body["lexpr"], scope, walk), taintOf(body["rexpr"], scope, walk)]);
      if (names(body["name"]).join() !== "||") walk.tests(parts);
      return parts;
    }
    case "TypeCast": {
      const cast = made([taintOf(body["arg"], scope, walk)]);
      if (!TEXT_NAMES.has(names(body["typeName"] && (body["typeName"] as Ast)["names"]).at(-1) ?? "")) walk.tests(cast);
      return cast;
    }
    case "CaseExpr":
    case "CoalesceExpr":
      return branchesOf(body, scope, walk);
    case "A_Const":
    case "ParamRef":
    case "TypeName":
    case "String":
    case "SQLValueFunction":
      // A keyword of PostgreSQL 16; for older servers a name like any other.
      if (text(body["op"]).endsWith("SYSTEM_USER")) return resolve(scope, ["system_user"]) ?? CLEAN;
      return CLEAN;
    case "CurrentOfExpr":
    case "SetToDefault":
      return CLEAN;
    // Paths select, and what is parsed may fail.
    case "JsonFuncExpr":
    case "JsonParseExpr":
    case "XmlExpr":
    case "XmlSerialize": {
      const parts = partsOf(body, scope, walk);
      if (!XML_MAKERS.has(text(body["op"]))) walk.tests(parts);
      return parts;
    }
    default:
      return partsOf(body, scope, walk);
  }
}

function partsOf(body: Ast, scope: Scope, walk: Walk): Taint {
  return made(Object.values(body).map((part) => taintOf(part, scope, walk)));
}

/** Which branch is evaluated is told by its errors. */
function branchesOf(body: Ast, scope: Scope, walk: Walk): Taint {
  const whens = list(body["args"]).flatMap((item) => as(item, "CaseWhen") ?? []) as readonly Ast[];
  for (const when of whens) walk.tests(taintOf(when["expr"], scope, walk));
  walk.tests(taintOf(body["arg"], scope, walk));
  const parts = partsOf(body, scope, walk);
  if (whens.length === 0) walk.tests(parts);
  return parts;
}

function columnOf(body: Ast, scope: Scope, walk: Walk): Taint {
  const fields = list(body["fields"]);
  const path = names(fields);
  if (as(fields.at(-1), "A_Star") === undefined) return resolve(scope, path) ?? walk.relations.anything;
  if (path.length === 0) return wholeOf(starOf(scope.items));
  const row = rowNamed(scope, path);
  return row === undefined ? walk.relations.anything : wholeOf(row.columns);
}

/** `(row).field`: that column; any other indirection is a part of its argument. */
function fieldOf(body: Ast, scope: Scope, walk: Walk): Taint {
  const reference = as(body["arg"], "ColumnRef");
  const path = names(reference?.["fields"]);
  const [field] = names(list(body["indirection"]).slice(0, 1));
  const [row] = path;
  if (field !== undefined && row !== undefined && path.length === 1 && resolveColumn(scope, row) === undefined) {
    const taint = resolve(scope, [row, field]);
    if (taint !== undefined) return taint;
  }
  return taintOf(body["arg"], scope, walk);
}

function callOf(body: Ast, scope: Scope, walk: Walk): Taint {
  const path = names(body["funcname"]);
  const name = path.at(-1) ?? "";
  const schema = path.at(-2);
  if (name === "system_user") return resolve(scope, [name]) ?? CLEAN;
  const value = (part: unknown) => taintOf(part, scope, walk);
  const sorted = list(body["agg_order"]).map(value);
  // WITHIN GROUP (ORDER BY x) gives values of x itself.
  const passed = made([value(body["args"]), ...(body["agg_within_group"] === true ? sorted : [])]);
  if (body["agg_within_group"] !== true) walk.tests(made(sorted));
  walk.tests(value(body["agg_filter"]));
  const window = isAst(body["over"]) ? windowOf(body["over"], scope, walk) : CLEAN;
  walk.tests(window); // rows come in a window's order
  const [label] = labelsIn(passed);
  if (label !== undefined && classify(schema, name) !== "safe") {
    walk.refuse(`the function ${path.join(".")} may keep or show a value labelled ${label}`);
  }
  if (ROW_MAKERS.has(name) && label !== undefined) {
    walk.refuse(`the number of rows of ${name} would tell a value labelled ${label}`);
  }
  if (!TOTAL.has(name)) walk.tests(passed);
  else if (FIRST_ONLY.has(name)) walk.tests(value(list(body["args"]).slice(1)));
  // By a pattern it gives NULL where that does not fit, and NULL is counted.
  if (name === "substring" && !list(body["args"]).slice(1).every(isInteger)) walk.tests(passed);
  if (name === "count" && (schema === undefined || schema === "pg_catalog")) {
    if (body["agg_distinct"] === true) walk.tests(passed);
    return made([window]);
  }
  return made([passed, window]);
}

/** Its place in a sort, or its group, is something about the values that are sorted or grouped. */
function windowOf(body: Ast, scope: Scope, walk: Walk): Taint {
  const name = text(body["name"]) || text(body["refname"]);
  const named = name === "" ? undefined : scope.windows?.get(name);
  const own = [body["partitionClause"], body["orderClause"], body["startOffset"], body["endOffset"]];
  return made([...own.map((part) => taintOf(part, scope, walk)), named ?? CLEAN]);
}

function subLinkOf(body: Ast, scope: Scope, walk: Walk): Taint {
  const select = as(body["subselect"], "SelectStmt");
  const found = select === undefined ? walk.relations.anything : wholeOf(walk.readers.query(select, scope, walk));
  // Whether there is a row is decided by the conditions in it.
  if (body["subLinkType"] === "EXISTS_SUBLINK") return CLEAN;
  return made([taintOf(body["testexpr"], scope, walk), found]);
}

/** How many rows they give is the value itself. */
const ROW_MAKERS: ReadonlySet<string> = new Set(["generate_series", "generate_subscripts"]);
/** They make XML of any value. */
const XML_MAKERS: ReadonlySet<string> = new Set(["IS_XMLELEMENT", "IS_XMLFOREST", "IS_XMLCONCAT"]);
/** Casts to these cannot fail. */
const TEXT_NAMES: ReadonlySet<string> = new Set(["text", "varchar", "bpchar"]);
function isInteger(node: unknown): boolean {
  return isAst(as(node, "A_Const")?.["ival"]);
}

/** Of those below, those that fail for some lengths, places or patterns. */
const FIRST_ONLY: ReadonlySet<string> = new Set(["lpad", "rpad", "substr", "substring", "split_part"]);
/** PostgreSQL's own functions that give one value for any text, and fail for none. */
const TOTAL: ReadonlySet<string> = new Set([
  ...["upper", "lower", "initcap", "btrim", "ltrim", "rtrim", "left", "right", "substr", "substring", "reverse"],
  ...["replace", "translate", "lpad", "rpad", "split_part", "concat", "concat_ws", "md5", "sha256", "length"],
  ...[
    "char_length",
    "character_length",
    "octet_length",
    "bit_length",
    "quote_literal",
    "quote_nullable",
    "quote_ident",
  ],
  ...["to_json", "to_jsonb", "row_to_json", "array_to_json", "json_build_object", "json_build_array"],
  ...["jsonb_build_object", "jsonb_build_array", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg"],
  ...["string_agg", "array_agg", "array_to_string", "string_to_array", "min", "max", "any_value", "count", "mode"],
  ...["first_value", "last_value", "lag", "lead", "row_number", "rank", "dense_rank", "percentile_disc"],
]);
