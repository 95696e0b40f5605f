/**
 * Which node types of PostgreSQL's grammar a corpus holds, and how often. The list of all types is read from the parser
 * itself: it is what libpg-query can write.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { loadModule, parseSync } from "libpg-query";

/** Made by the analyser, the rewriter or the planner, or by PL/pgSQL; no text is parsed to one. */
const NOT_OF_THE_GRAMMAR = new Set(
  `Query Var Param Aggref WindowFunc WindowFuncRunCondition SubscriptingRef FuncExpr OpExpr DistinctExpr NullIfExpr
  ScalarArrayOpExpr SubPlan AlternativeSubPlan FieldSelect FieldStore RelabelType CoerceViaIO ArrayCoerceExpr
  ConvertRowtypeExpr CollateExpr CaseTestExpr ArrayExpr RowCompareExpr CoerceToDomain CoerceToDomainValue NextValueExpr
  InferenceElem ReturningExpr TargetEntry RangeTblRef FromExpr OnConflictExpr RangeTblEntry RTEPermissionInfo
  RangeTblFunction WithCheckOption SortGroupClause RowMarkClause WindowClause SetOperationStmt TableFunc JsonExpr
  JsonConstructorExpr JsonTablePath JsonTablePathScan JsonTableSiblingJoin MergeAction TableSampleClause RawStmt
  CallContext PartitionRangeDatum InlineCodeBlock IntList OidList PLAssignStmt`.split(/\s+/),
);

/** Fields of a fixed type hold a body without its type's name. */
const FIELDS: Readonly<Record<string, string>> = {
  alias: "Alias",
  aliasname: "",
  typeName: "TypeName",
  argType: "TypeName",
  returnType: "TypeName",
  typevar: "RangeVar",
  relation: "RangeVar",
  sequence: "RangeVar",
  view: "RangeVar",
  rel: "RangeVar",
  table: "RangeVar",
  withClause: "WithClause",
  onConflictClause: "OnConflictClause",
  infer: "InferClause",
  returningClause: "ReturningClause",
  intoClause: "IntoClause",
  into: "IntoClause",
  over: "WindowDef",
  partspec: "PartitionSpec",
  partbound: "PartitionBoundSpec",
  bound: "PartitionBoundSpec",
  search_clause: "CTESearchClause",
  cycle_clause: "CTECycleClause",
  objargs: "",
  func: "ObjectWithArgs",
  newowner: "RoleSpec",
  authrole: "RoleSpec",
  role: "RoleSpec",
  ownerId: "RoleSpec",
  user: "RoleSpec",
  grantor: "RoleSpec",
  newrole: "RoleSpec",
  path_name: "",
  format: "JsonFormat",
  returning: "JsonReturning",
  output: "JsonOutput",
  context_item: "JsonValueExpr",
  val: "",
  on_empty: "JsonBehavior",
  on_error: "JsonBehavior",
  pathspec: "JsonTablePathSpec",
  constructor: "JsonAggConstructor",
  arg: "",
  variable: "",
  setstmt: "VariableSetStmt",
  selectStmt: "",
  transformType: "TypeName",
  pubtable: "PublicationTable",
  fromsql: "ObjectWithArgs",
  funccall: "FuncCall",
  larg: "SelectStmt",
  rarg: "SelectStmt",
  def: "",
  sval: "String",
  ival: "Integer",
  fval: "Float",
  boolval: "Boolean",
  bsval: "BitString",
  createStmt: "CreateStmt",
  base: "CreateStmt",
};

/** Names of every node type that a text can be parsed to. */
export function nodeTypes(): readonly string[] {
  const main = createRequire(import.meta.url).resolve("libpg-query");
  const binary = readFileSync(join(dirname(main), "libpg-query.wasm")).toString("latin1");
  const names = new Set([...binary.matchAll(/"([A-Z]\w+)":\{/g)].map(([, name = ""]) => name));
  return [...names].filter((name) => !NOT_OF_THE_GRAMMAR.has(name) && !/^PLpgSQL/.test(name)).sort();
}

export class Coverage {
  readonly #counts = new Map<string, number>(nodeTypes().map((name) => [name, 0]));

  static async load(): Promise<Coverage> {
    await loadModule();
    return new Coverage();
  }

  /** Counts each type once for a text that holds it. */
  add(text: string): void {
    let tree: unknown;
    try {
      tree = parseSync(text);
    } catch {
      return;
    }
    const found = new Set<string>();
    visit(tree, "", found);
    for (const name of found) {
      const count = this.#counts.get(name);
      if (count !== undefined) this.#counts.set(name, count + 1);
    }
  }

  /** Texts that hold a node of that type, of the grammar's types; the rarest first. */
  counts(): readonly (readonly [type: string, texts: number])[] {
    return [...this.#counts].sort(([a, left], [b, right]) => left - right || a.localeCompare(b));
  }
}

function visit(value: unknown, field: string, found: Set<string>): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, field, found);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const entries = Object.entries(value);
  const [first] = entries[0] ?? [];
  const isWrapped = entries.length === 1 && first !== undefined && /^[A-Z]/.test(first);
  const bare = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
  if (isWrapped && first !== undefined) found.add(first);
  else if (bare !== undefined && bare !== "") found.add(bare);
  for (const [key, inner] of entries) visit(inner, key, found);
}
