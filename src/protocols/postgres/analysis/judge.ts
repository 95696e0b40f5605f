/** One parsed statement: its operation (actions with facts, or why it is forbidden) and what it does to the session. */
import type { Action, Facts, Operation } from "../../../model/operation.ts";
import { cursorOf, type Lineage, lineageOf, type Parse } from "../lineage/lineage.ts";
import { CLEAN_OUTPUTS, type Outputs, UNKNOWN_OUTPUTS } from "../lineage/outputs.ts";
import { labelsIn } from "../lineage/taint.ts";
import { type Ast, as, isAst, list, type TypedNode, text, typed } from "./ast.ts";
import { type Call, callsOf } from "./calls.ts";
import { type CopyForm, copyForm } from "./copy-form.ts";
import type { RelationUse, Survey } from "./found.ts";
import { classify } from "./functions.ts";
import { guard } from "./guard.ts";
import { actionsOf, isServerCopy, kindOf, namedRelations } from "./kinds.ts";
import { type AnalysisScope, guardsColumns, labelsOfRelation, rowCalls } from "./labels.ts";
import { judgeSetConfig, judgeVariableSet } from "./settings.ts";
import { survey } from "./survey.ts";
import { NO_WHERE, type Where } from "./where.ts";

export interface Effects {
  /** The catalog may be another one afterwards. */
  readonly definesSchema: boolean;
  /** Rows travel from ("in") or to ("out") the client as COPY data. */
  readonly copy: "none" | "in" | "out";
  /** How the rows of a COPY TO STDOUT are written; undefined: it is none, or its options are not known. */
  readonly copyForm: CopyForm | undefined;
  readonly returnsRows: boolean;
  /** What its result's columns depend on. Of FETCH: nothing, the cursor's count. */
  readonly outputs: Outputs;
  /** It names a relation with labels, or one that derives from it: its errors may quote values. */
  readonly labelled: boolean;
  /** Its result may have other columns each time, though its text is the same. */
  readonly resultVaries: boolean;
  /** Code runs that nobody has read: it may open and close cursors, prepare and drop. */
  readonly runsCode: boolean;
  readonly declares?: string;
  readonly fetches?: string;
}

export interface Judgement {
  readonly operation: Operation;
  readonly effects: Effects;
  /** The same for every text that differs in plain literals only. */
  readonly shareable: boolean;
}

type Forbidden = NonNullable<Operation["forbidden"]>;

/** What one statement's facts may name before they cost more than they tell. */
const NAMES_MAX = 2_000;
/** Of what is forbidden: it never runs. */
const NOTHING: Effects = {
  definesSchema: false,
  copy: "none",
  copyForm: undefined,
  returnsRows: false,
  outputs: UNKNOWN_OUTPUTS,
  labelled: true,
  resultVaries: true,
  runsCode: false,
};
const UNFOLLOWED: Lineage = { outputs: CLEAN_OUTPUTS, oracles: [], refusal: undefined };
const SHAREABLE: ReadonlySet<string> = new Set(["SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt"]);

const HOUSEKEEPING: Operation = Object.freeze({ actions: Object.freeze([]) });

export function forbid(rule: `built-in:${string}`, message: string, effects: Effects = NOTHING): Judgement {
  const operation = deepFreeze({ actions: [], forbidden: { rule, message } });
  return { operation, effects, shareable: false };
}

/** May throw (TooDeep, RangeError): the caller forbids then. */
export function judge(tree: Ast, scope: AnalysisScope, parse: Parse): Judgement {
  const outer = typed(tree);
  if (outer === undefined) return forbid("built-in:unparsable", "The statement was not understood");
  const explained = outer.type === "ExplainStmt" ? outer.body["query"] : undefined;
  const isPlan = outer.type === "ExplainStmt" && !analyzes(outer.body);
  const found = survey(isAst(explained) ? explained : tree);
  if (isAst(explained)) explain(found);
  if (isPlan) runNothing(found);
  const lineage = isFollowed(found, scope) ? lineageOf(tree, scope, parse) : undefined;
  const judged = new Judged(tree, outer, isPlan, found, scope, lineage);
  return judged.judgement();
}

/** Whether a relation that it names carries labels, or derives from one that does. */
function isFollowed(found: Survey, scope: AnalysisScope): boolean {
  if (scope.catalog === undefined) return false;
  return found.relations.some(({ schema, name }) => labelsOfRelation(scope, schema, name).followed);
}

class Judged {
  readonly #tree: Ast;
  readonly #lineage: Lineage | undefined;
  readonly #outer: TypedNode;
  readonly #isPlan: boolean;
  readonly #found: Survey;
  readonly #scope: AnalysisScope;
  readonly #actions: Action[] = [];
  readonly #calls: readonly Call[];
  readonly #rowCalls: readonly string[];
  #forbidden: Forbidden | undefined;

  constructor(
    tree: Ast,
    outer: TypedNode,
    isPlan: boolean,
    found: Survey,
    scope: AnalysisScope,
    lineage: Lineage | undefined,
  ) {
    this.#tree = tree;
    this.#lineage = lineage;
    this.#outer = outer;
    this.#isPlan = isPlan;
    this.#found = found;
    this.#scope = scope;
    this.#rowCalls = rowCalls(scope, found.fields);
    this.#calls = callsOf(found, this.#rowCalls);
  }

  judgement(): Judgement {
    const { type } = this.#outer;
    const found = this.#found;
    if (found.relations.length > NAMES_MAX || this.#calls.length > NAMES_MAX) {
      return forbid("built-in:too-large", "The statement names too many relations or functions to be judged");
    }
    this.#rows();
    this.#statements();
    this.#functions();
    this.#system();
    if (type === "FetchStmt" && guardsColumns(this.#scope.data)) this.#add("sql.read", "fetch", []);
    if (guardsColumns(this.#scope.data)) this.#forbidden ??= guard(this.#scope, found) ?? this.#unfollowable();
    const operation: Operation =
      this.#forbidden !== undefined
        ? { actions: this.#actions, forbidden: this.#forbidden }
        : this.#actions.length === 0
          ? HOUSEKEEPING
          : { actions: this.#actions };
    const isSafe = found.functions.every(({ schema, name }) => classify(schema, name) === "safe");
    return {
      operation: deepFreeze(operation),
      effects: this.#effects(),
      shareable: SHAREABLE.has(type) && isSafe && this.#rowCalls.length === 0 && !found.into && !this.#literalsMatter(),
    };
  }

  /** What lineage found that must not be. */
  #unfollowable(): Forbidden | undefined {
    const { refusal, outputs } = this.#lineage ?? UNFOLLOWED;
    const rule = "built-in:labelled-column";
    if (refusal !== undefined) return { rule, message: refusal };
    const { type, body } = this.#outer;
    if (type !== "CopyStmt" || body["is_from"] === true || outputs.kind === "clean") return undefined;
    if (outputs.kind === "columns" && outputs.taints.every((taint) => labelsIn(taint).length === 0)) return undefined;
    if (isServerCopy(body)) return { rule, message: "a file or program of the server would keep labelled values" };
    const form = copyForm(body);
    if (outputs.kind === "columns" && outputs.names !== undefined) {
      return { rule, message: "COPY of labelled columns beside a star needs the columns by name" };
    }
    if (outputs.kind === "columns" && form !== undefined && form.format !== "binary") return undefined;
    return { rule, message: "COPY of labelled columns is masked in its text and csv forms only" };
  }

  /** Whether other literals could bring other facts; positions of sorting only matter to the label guard. */
  #literalsMatter(): boolean {
    return this.#found.literalsMatter || (this.#found.ordinals && guardsColumns(this.#scope.data));
  }

  /** Reading and changing rows. */
  #rows(): void {
    const found = this.#found;
    const { type } = this.#outer;
    const reads = found.relations.filter(({ access }) => access === "read");
    if (found.selects || reads.length > 0) {
      const kind = readKind(type);
      this.#add("sql.read", kind, reads, this.#columnsRead(), found.where);
    }
    for (const { change, kind, columns, relations, where } of found.changes) {
      this.#add(`sql.${change}`, kind, relations, columns, where);
    }
    if (found.into) this.#add("sql.define", "select-into", found.relations);
  }

  /** What each statement, the outermost and those inside it, is for by itself. */
  #statements(): void {
    const found = this.#found;
    for (const statement of found.statements) {
      const actions = actionsOf(statement);
      if (actions === undefined) {
        this.#forbidden ??= { rule: "built-in:unknown-statement", message: `${statement.type} is not known` };
        continue;
      }
      if (this.#isPlan && statement.type !== "ExecuteStmt") continue;
      // SET of a role, a database or a function is part of that statement.
      if (statement.type === "VariableSetStmt" && this.#outer.type !== "VariableSetStmt") continue;
      const named = namedRelations(statement);
      const relations: readonly RelationUse[] = [
        ...found.relations,
        ...named.map((path): RelationUse => ({ schema: path.at(-2), name: path.at(-1) ?? "", access: "write" })),
      ];
      for (const action of actions) this.#add(action, kindOf(statement), relations);
    }
    for (const setting of found.settings) {
      const change = judgeVariableSet(setting);
      if (change.kind === "forbidden") {
        this.#forbidden ??= { rule: "built-in:statement-reading", message: change.message };
      }
    }
  }

  #functions(): void {
    const found = this.#found;
    for (const { schema, name, call } of found.functions) {
      const known = classify(schema, name);
      switch (known) {
        case "safe":
          break;
        case "setting": {
          const change = judgeSetConfig(call);
          if (change.kind === "forbidden") {
            this.#forbidden ??= { rule: "built-in:statement-reading", message: change.message };
          } else if (change.kind === "session") {
            this.#add("sql.session", "set", found.relations);
          }
          break;
        }
        case "unknown":
          if (this.#outer.type !== "CallStmt") this.#add("sql.call", "function", found.relations);
          break;
        default:
          this.#add(`sql.${known}`, "function", found.relations, [], { present: true, tautology: false });
      }
    }
    if (this.#rowCalls.length > 0) this.#add("sql.call", "function", found.relations);
    if (found.foreignOperators.length > 0) this.#add("sql.call", "operator", found.relations);
  }

  /** System relations that are more than tables. */
  #system(): void {
    for (const relation of this.#found.relations) {
      const { schema, name, access } = relation;
      if (
        name === "pg_settings" &&
        (access === "write" || this.#found.statements.some(({ type }) => DEFINES.has(type)))
      ) {
        // Its rules turn an UPDATE into set_config.
        this.#forbidden ??= {
          rule: "built-in:statement-reading",
          message: "pg_settings may not be written or built upon: use SET",
        };
      }
      if (access === "write" && isSystem(schema, name)) this.#add("sql.administer", "system-catalog", [relation]);
      if (access === "read" && (schema === undefined || isSystem(schema, name))) {
        if (SECRETS.has(name)) this.#add("sql.administer", "system-catalog", [relation]);
        if (FILES.has(name)) this.#add("sql.server", "system-catalog", [relation]);
      }
    }
  }

  #columnsRead(): readonly string[] {
    return unique(this.#found.columns).slice(0, NAMES_MAX);
  }

  /** Adds an action; one of the same name and facts stands for all its occurrences. */
  #add(
    name: string,
    kind: string,
    relations: readonly RelationUse[],
    columns: readonly string[] = [],
    where: Where = NO_WHERE,
  ): void {
    const statement = {
      kind,
      tables: this.#tables(relations),
      columns: [...columns],
      functions: this.#calls.map(({ name }) => name),
      calls: [...this.#calls],
      where,
      oracles: [...(this.#lineage?.oracles ?? [])],
    };
    const facts = { statement } as unknown as Facts;
    const key = JSON.stringify(facts);
    if (this.#actions.some((action) => action.name === name && JSON.stringify(action.facts) === key)) return;
    this.#actions.push({ name, facts });
  }

  #tables(relations: readonly RelationUse[]): readonly object[] {
    const tables = new Map<string, object>();
    for (const { schema, name, access } of relations) {
      const key = `${access} ${schema ?? ""} ${name}`;
      if (tables.has(key)) continue;
      const { labels, columnLabels } = labelsOfRelation(this.#scope, schema, name);
      tables.set(key, { schema: schema ?? "", name, labels: [...labels], columnLabels: [...columnLabels], access });
    }
    return [...tables.values()];
  }

  #effects(): Effects {
    const { type, body } = this.#outer;
    const runsOther = type === "ExecuteStmt" || type === "CallStmt" || type === "DoStmt";
    const copy =
      type !== "CopyStmt" || isServerCopy(body)
        ? "none"
        : body["is_from"] === true
          ? ("in" as const)
          : ("out" as const);
    return {
      definesSchema:
        this.#actions.some(({ name }) => CHANGES_CATALOG.has(name)) || /PREPARED$/.test(text(body["kind"])),
      copy,
      copyForm: copy === "out" ? copyForm(body) : undefined,
      outputs: this.#lineage?.outputs ?? (runsOther ? UNKNOWN_OUTPUTS : CLEAN_OUTPUTS),
      labelled: this.#lineage !== undefined || runsOther || type === "FetchStmt",
      resultVaries: runsOther || type === "FetchStmt",
      runsCode: this.#actions.some(({ name }) => name === "sql.call"),
      ...cursorOf(this.#tree),
      returnsRows: RETURNS_ROWS.has(type) ? !this.#found.into : isAst(body["returningClause"]) || type === "CallStmt",
    };
  }
}

const RETURNS_ROWS: ReadonlySet<string> = new Set([
  "SelectStmt",
  "ExplainStmt",
  "VariableShowStmt",
  "FetchStmt",
  "ExecuteStmt",
]);
const CHANGES_CATALOG: ReadonlySet<string> = new Set(["sql.define", "sql.administer", "sql.call", "sql.server"]);
const DEFINES: ReadonlySet<string> = new Set(["ViewStmt", "RuleStmt", "CreateTrigStmt", "CreateFunctionStmt"]);
/** Password hashes and connection strings. */
const SECRETS: ReadonlySet<string> = new Set([
  "pg_authid",
  "pg_shadow",
  "pg_user_mapping",
  ...["pg_user_mappings", "user_mapping_options", "_pg_user_mappings", "pg_subscription"],
]);
/** Views over the server's files. */
const FILES: ReadonlySet<string> = new Set([
  "pg_hba_file_rules",
  "pg_ident_file_mappings",
  "pg_file_settings",
  "pg_largeobject",
]);

function isSystem(schema: string | undefined, name: string): boolean {
  if (schema === undefined) return name.startsWith("pg_");
  return schema === "pg_catalog" || schema === "information_schema" || schema === "pg_toast";
}

function readKind(type: string): string {
  switch (type) {
    case "DeclareCursorStmt":
      return "declare";
    case "PrepareStmt":
      return "prepare";
    case "ExplainStmt":
      return "explain";
    case "CopyStmt":
      return "copy-to";
    default:
      return "select";
  }
}

/** ANALYZE that is not plainly switched off. */
function analyzes(body: Ast): boolean {
  return list(body["options"]).some((item) => {
    const option = as(item, "DefElem");
    if (option?.["defname"] !== "analyze") return false;
    const [type] = [typed(option["arg"])];
    const value = text(type?.body["sval"]).toLowerCase();
    return !(type?.type === "String" && ["false", "off"].includes(value));
  });
}

/** A plan reads the statistics of all it names. */
function explain(found: Survey): void {
  found.selects = true;
  const written = found.relations.filter(({ access }) => access === "write");
  for (const relation of written) found.relations.push({ ...relation, access: "read" });
}

/** EXPLAIN without ANALYZE changes nothing. */
function runNothing(found: Survey): void {
  found.changes.length = 0;
  found.into = false;
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
