/** Statement kinds by node type: the actions each one is for by itself, and the name facts give it. A table, no judgement. */
import { type Ast, as, isAst, list, names, type TypedNode, text } from "./ast.ts";
import { judgeVariableSet, kindOfSet } from "./settings.ts";

const DEFINE = ["sql.define"] as const;
const ADMINISTER = ["sql.administer"] as const;
const DEFINE_ADMINISTER = ["sql.define", "sql.administer"] as const;
/** Installs code that later runs by names, operators, casts or events which no statement tells apart from built-in ones. */
const DEFINE_CALL = ["sql.define", "sql.call"] as const;
const ADMINISTER_CALL = ["sql.administer", "sql.call"] as const;
const SERVER_ADMINISTER = ["sql.server", "sql.administer"] as const;
const CALL = ["sql.call"] as const;
const SESSION = ["sql.session"] as const;
const NONE = [] as const;

const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  // Rows: their actions come from what the survey found in them.
  SelectStmt: NONE,
  InsertStmt: NONE,
  UpdateStmt: NONE,
  DeleteStmt: NONE,
  MergeStmt: NONE,
  TruncateStmt: NONE,
  DeclareCursorStmt: NONE,
  PrepareStmt: NONE,
  ExplainStmt: NONE,
  ReturnStmt: NONE,
  ReplicaIdentityStmt: NONE, // of ALTER TABLE
  CopyStmt: ["sql.copy"],
  // Housekeeping
  DeallocateStmt: NONE,
  ClosePortalStmt: NONE,
  FetchStmt: NONE,
  UnlistenStmt: NONE,
  VariableShowStmt: NONE,
  ConstraintsSetStmt: NONE,
  // Session
  DiscardStmt: SESSION,
  ListenStmt: SESSION,
  NotifyStmt: SESSION,
  LockStmt: SESSION,
  // Code
  DoStmt: CALL,
  CallStmt: CALL,
  ExecuteStmt: CALL,
  // Schema
  CreateSchemaStmt: DEFINE,
  CreateStmt: DEFINE,
  AlterTableStmt: DEFINE,
  AlterCollationStmt: DEFINE,
  AlterDomainStmt: DEFINE,
  CreatePolicyStmt: DEFINE,
  AlterPolicyStmt: DEFINE,
  CreateTrigStmt: DEFINE_CALL,
  CreateSeqStmt: DEFINE,
  AlterSeqStmt: DEFINE,
  DefineStmt: DEFINE,
  CreateDomainStmt: DEFINE,
  CreateOpClassStmt: DEFINE_CALL,
  CreateOpFamilyStmt: DEFINE_CALL,
  AlterOpFamilyStmt: DEFINE_CALL,
  DropStmt: DEFINE,
  CommentStmt: DEFINE,
  IndexStmt: DEFINE,
  CreateStatsStmt: DEFINE,
  AlterStatsStmt: DEFINE,
  CreateFunctionStmt: DEFINE,
  AlterFunctionStmt: DEFINE_CALL,
  RenameStmt: DEFINE,
  AlterObjectDependsStmt: DEFINE,
  AlterObjectSchemaStmt: DEFINE,
  AlterOwnerStmt: DEFINE,
  AlterOperatorStmt: DEFINE_CALL,
  AlterTypeStmt: DEFINE_CALL,
  RuleStmt: DEFINE,
  CompositeTypeStmt: DEFINE,
  CreateEnumStmt: DEFINE,
  CreateRangeStmt: DEFINE_CALL,
  AlterEnumStmt: DEFINE,
  ViewStmt: DEFINE,
  CreateTableAsStmt: DEFINE,
  RefreshMatViewStmt: DEFINE,
  ReindexStmt: DEFINE,
  CreateConversionStmt: DEFINE_CALL,
  CreateCastStmt: DEFINE_CALL,
  CreateTransformStmt: DEFINE_CALL,
  AlterTSDictionaryStmt: DEFINE,
  AlterTSConfigurationStmt: DEFINE,
  CreateForeignTableStmt: ["sql.define", "sql.server"],
  // Administration
  GrantStmt: ADMINISTER,
  GrantRoleStmt: ADMINISTER,
  AlterDefaultPrivilegesStmt: ADMINISTER,
  CreateRoleStmt: ADMINISTER,
  AlterRoleStmt: ADMINISTER,
  AlterRoleSetStmt: ADMINISTER,
  DropRoleStmt: ADMINISTER,
  DropOwnedStmt: DEFINE_ADMINISTER,
  ReassignOwnedStmt: ADMINISTER,
  CreateExtensionStmt: ADMINISTER,
  AlterExtensionStmt: ADMINISTER,
  AlterExtensionContentsStmt: ADMINISTER,
  CreatePLangStmt: ADMINISTER_CALL,
  CreateAmStmt: ADMINISTER,
  CreateEventTrigStmt: ADMINISTER_CALL,
  AlterEventTrigStmt: ADMINISTER_CALL,
  CreatePublicationStmt: ADMINISTER,
  AlterPublicationStmt: ADMINISTER,
  SecLabelStmt: ADMINISTER,
  CreatedbStmt: DEFINE_ADMINISTER,
  AlterDatabaseStmt: ADMINISTER,
  AlterDatabaseRefreshCollStmt: ADMINISTER,
  AlterDatabaseSetStmt: ADMINISTER,
  DropdbStmt: DEFINE_ADMINISTER,
  AlterSystemStmt: ADMINISTER,
  ClusterStmt: ADMINISTER,
  VacuumStmt: ADMINISTER,
  CheckPointStmt: ADMINISTER,
  DropTableSpaceStmt: ADMINISTER,
  AlterTableSpaceOptionsStmt: ADMINISTER,
  AlterTableMoveAllStmt: ADMINISTER,
  // Beyond the database
  CreateTableSpaceStmt: SERVER_ADMINISTER,
  LoadStmt: SERVER_ADMINISTER,
  CreateFdwStmt: SERVER_ADMINISTER,
  AlterFdwStmt: SERVER_ADMINISTER,
  CreateForeignServerStmt: SERVER_ADMINISTER,
  AlterForeignServerStmt: SERVER_ADMINISTER,
  CreateUserMappingStmt: SERVER_ADMINISTER,
  AlterUserMappingStmt: SERVER_ADMINISTER,
  DropUserMappingStmt: SERVER_ADMINISTER,
  ImportForeignSchemaStmt: SERVER_ADMINISTER,
  CreateSubscriptionStmt: SERVER_ADMINISTER,
  AlterSubscriptionStmt: SERVER_ADMINISTER,
  DropSubscriptionStmt: SERVER_ADMINISTER,
};

/** Objects of the whole server, or that run code: dropping or renaming them is administration too. */
const SERVER_OBJECTS: ReadonlySet<string> = new Set([
  "OBJECT_ROLE",
  "OBJECT_DATABASE",
  "OBJECT_TABLESPACE",
  "OBJECT_EXTENSION",
  "OBJECT_FDW",
  "OBJECT_FOREIGN_SERVER",
  "OBJECT_USER_MAPPING",
  "OBJECT_EVENT_TRIGGER",
  "OBJECT_LANGUAGE",
  "OBJECT_ACCESS_METHOD",
  "OBJECT_PUBLICATION",
  "OBJECT_SUBSCRIPTION",
  "OBJECT_PARAMETER_ACL",
  "OBJECT_LARGEOBJECT",
]);

/** Objects that are code, or that name some. */
const CODE_OBJECTS: ReadonlySet<string> = new Set([
  "OBJECT_AGGREGATE",
  "OBJECT_FUNCTION",
  "OBJECT_PROCEDURE",
  "OBJECT_ROUTINE",
  "OBJECT_OPERATOR",
  "OBJECT_OPCLASS",
  "OBJECT_OPFAMILY",
  "OBJECT_CONVERSION",
  "OBJECT_TYPE",
  "OBJECT_TSPARSER",
  "OBJECT_TSTEMPLATE",
]);

/** Functions that a defining statement names otherwise than by a call. */
export function namedFunctions({ type, body }: TypedNode): readonly (readonly string[])[] {
  switch (type) {
    case "DefineStmt":
      if (!CODE_OBJECTS.has(text(body["kind"]))) return [];
      return list(body["definition"]).flatMap((item) => {
        const option = as(item, "DefElem");
        const isType = TYPES.has(text(option?.["defname"]).toLowerCase());
        const name = names(as(option?.["arg"], "TypeName")?.["names"]);
        return isType || name.length === 0 ? [] : [name];
      });
    case "CreateTrigStmt":
    case "CreateEventTrigStmt":
      return [names(body["funcname"])];
    case "CreateConversionStmt":
      return [names(body["func_name"])];
    case "CreateCastStmt":
      return isAst(body["func"]) ? [names(body["func"]["objname"])] : [];
    case "CreateOpClassStmt":
    case "AlterOpFamilyStmt":
      return list(body["items"]).flatMap((item) => {
        const name = as(item, "CreateOpClassItem")?.["name"];
        return isAst(name) ? [names(name["objname"])] : [];
      });
    case "RenameStmt":
    case "AlterObjectSchemaStmt": {
      const object = as(body["object"], "ObjectWithArgs");
      return object === undefined ? [] : [names(object["objname"])];
    }
    default:
      return [];
  }
}

/** Options of CREATE AGGREGATE, OPERATOR and TYPE that name types or operators, and no functions. */
const TYPES: ReadonlySet<string> = new Set(
  "leftarg rightarg stype mstype basetype sortop commutator negator like element collation category".split(" "),
);

/** The actions that a statement is for by itself; undefined for a node type that is not known. */
export function actionsOf({ type, body }: TypedNode): readonly string[] | undefined {
  switch (type) {
    case "TransactionStmt":
      return /_PREPARE$|_PREPARED$/.test(text(body["kind"])) ? SESSION : NONE;
    case "VariableSetStmt":
      return judgeVariableSet(body).kind === "session" ? SESSION : NONE;
    case "CopyStmt":
      return isServerCopy(body) ? ["sql.copy", "sql.server"] : ["sql.copy"];
    case "DropStmt":
    case "RenameStmt":
    case "AlterOwnerStmt":
    case "AlterObjectSchemaStmt":
    case "CommentStmt": {
      if (type === "CommentStmt") return DEFINE;
      const objects = [body["removeType"], body["renameType"], body["objectType"]].map(text);
      if (objects.some((object) => SERVER_OBJECTS.has(object))) return DEFINE_ADMINISTER;
      // Another name or schema can be that of a built-in function.
      const moves = type === "RenameStmt" || type === "AlterObjectSchemaStmt";
      return moves && objects.some((object) => CODE_OBJECTS.has(object)) ? DEFINE_CALL : DEFINE;
    }
    case "DefineStmt":
      return CODE_OBJECTS.has(text(body["kind"])) ? DEFINE_CALL : DEFINE;
    case "CreateFunctionStmt":
      return isServerLanguage(body["options"]) ? [...DEFINE_CALL, "sql.server"] : DEFINE_CALL;
    case "DoStmt":
      return isServerLanguage(body["args"]) ? ["sql.call", "sql.server"] : CALL;
    case "ViewStmt":
      return DEFINE;
    default:
      return Object.hasOwn(ACTIONS, type) ? ACTIONS[type] : undefined;
  }
}

/** A file of the server or a program; otherwise the client sends or receives the rows. */
export function isServerCopy(body: Ast): boolean {
  return body["is_program"] === true || body["filename"] !== undefined;
}

/** Code of the operating system's user: C, internal, and the untrusted languages, whose names end in "u". */
function isServerLanguage(options: unknown): boolean {
  return list(options).some((item) => {
    const option = as(item, "DefElem");
    if (option?.["defname"] !== "language") return false;
    const language = text(as(option["arg"], "String")?.["sval"]).toLowerCase();
    return language === "c" || language === "internal" || language.endsWith("u");
  });
}

const KINDS: Readonly<Record<string, string>> = {
  CreateStmt: "create-table",
  CreateTableAsStmt: "create-table-as",
  ViewStmt: "create-view",
  IndexStmt: "create-index",
  RuleStmt: "create-rule",
  CreateTrigStmt: "create-trigger",
  CreateSeqStmt: "create-sequence",
  AlterSeqStmt: "alter-sequence",
  CreatedbStmt: "create-database",
  DropdbStmt: "drop-database",
  CompositeTypeStmt: "create-type",
  CreateEnumStmt: "create-type",
  CreateRangeStmt: "create-type",
  CreateStatsStmt: "create-statistics",
  RefreshMatViewStmt: "refresh-materialized-view",
  SecLabelStmt: "security-label",
  DeclareCursorStmt: "declare",
  CheckPointStmt: "checkpoint",
};

/** "drop-table", "create-index", "grant", "set-role": stable names for facts. */
export function kindOf({ type, body }: TypedNode): string {
  switch (type) {
    case "VariableSetStmt":
      return kindOfSet(body);
    case "CopyStmt":
      return body["is_from"] === true ? "copy-from" : "copy-to";
    case "DropStmt":
      return `drop-${objectName(body["removeType"])}`;
    case "RenameStmt":
      return `rename-${objectName(body["renameType"])}`;
    case "DefineStmt":
      return `create-${objectName(body["kind"])}`;
    case "CreateTableAsStmt":
      return body["objtype"] === "OBJECT_MATVIEW" ? "create-materialized-view" : "create-table-as";
    case "AlterTableStmt":
      return `alter-${objectName(body["objtype"])}`;
    case "GrantStmt":
    case "GrantRoleStmt":
      return body["is_grant"] === true ? "grant" : "revoke";
    case "VacuumStmt":
      return body["is_vacuumcmd"] === true ? "vacuum" : "analyze";
    case "TransactionStmt":
      return text(body["kind"]).replace("TRANS_STMT_", "").toLowerCase().replaceAll("_", "-");
    default: {
      const known = KINDS[type];
      if (known !== undefined) return known;
      const words = type.replace(/Stmt$/, "").replace(/([a-z])([A-Z])/g, "$1-$2");
      return words.toLowerCase();
    }
  }
}

function objectName(type: unknown): string {
  const name = text(type).replace("OBJECT_", "").toLowerCase().replaceAll("_", "-");
  return name === "matview" ? "materialized-view" : name;
}

/** The relations that DROP, COMMENT, OWNED BY and their like name: there they are lists of names, not relation nodes. */
export function namedRelations({ type, body }: TypedNode): readonly (readonly string[])[] {
  switch (type) {
    case "DropStmt":
      return pathsOf(text(body["removeType"]), list(body["objects"]));
    case "CommentStmt":
    case "SecLabelStmt":
    case "AlterExtensionContentsStmt":
      return pathsOf(text(body["objtype"]), [body["object"]]);
    case "CreateSeqStmt":
    case "AlterSeqStmt":
      return list(body["options"]).flatMap((item) => {
        const option = as(item, "DefElem");
        const path = option?.["defname"] === "owned_by" ? names(as(option["arg"], "List")?.["items"]) : [];
        return path.length > 1 ? [path.slice(0, -1)] : []; // one name: NONE
      });
    default:
      return [];
  }
}

function pathsOf(kind: string, objects: readonly unknown[]): readonly (readonly string[])[] {
  const paths = objects.map((object) => names(as(object, "List")?.["items"]));
  if (RELATIONS.has(kind)) return paths;
  return PARTS.has(kind) ? paths.map((path) => path.slice(0, -1)) : [];
}

const RELATIONS: ReadonlySet<string> = new Set([
  ...["OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE", "OBJECT_SEQUENCE"],
]);
/** Their names stand behind their relation's. */
const PARTS: ReadonlySet<string> = new Set([
  ...["OBJECT_COLUMN", "OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_POLICY"],
]);
