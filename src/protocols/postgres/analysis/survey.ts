/**
 * One walk over one statement's tree that writes down everything the judgement needs: relations,
 * columns, functions, WHEREs. It walks generically, so a node type that is not known here still
 * shows every relation, column and function below it; knowing a type only adds meaning. Judges nothing.
 */
import { type Ast, as, isAst, list, names, text, typed } from "./ast.ts";
import { type DataChange, emptySurvey, type QueryUse, type RelationUse, type Survey } from "./found.ts";
import { namedFunctions } from "./kinds.ts";
import type { Written } from "./rows.ts";
import { judgeConflict, judgeFilter, judgeWhere, NO_WHERE, type Where, type WhereVerdict } from "./where.ts";

/** Names of CTEs that are in scope. */
type Visible = Pick<ReadonlySet<string>, "has">;

interface Context {
  readonly query: QueryUse | undefined;
  readonly ctes: Visible;
  readonly access: "read" | "write";
  readonly outermost: boolean;
  /** The query that the statement is about, be it wrapped in DECLARE, COPY or CREATE … AS. */
  readonly leading: boolean;
}

/** Levels of nodes; beyond it the walk itself would be at risk. */
const DEPTH_MAX = 1_500;
const NO_NAMES: Visible = new Set();

class TooDeep extends Error {}

/** Walks `tree`, a wrapped statement. Throws TooDeep. */
export function survey(tree: Ast): Survey {
  const surveyor = new Surveyor();
  surveyor.visit(tree, {
    query: undefined,
    ctes: NO_NAMES,
    access: "write",
    outermost: true,
    leading: true,
  });
  return surveyor.found;
}

class Surveyor {
  readonly found: Survey = emptySurvey();
  #depth = 0;

  /** Any value of a tree: wrapped node, bare body, list or scalar. */
  visit(value: unknown, context: Context): void {
    if (Array.isArray(value)) {
      for (const item of value) this.visit(item, context);
      return;
    }
    if (!isAst(value)) return;
    if (++this.#depth > DEPTH_MAX) throw new TooDeep("Cannot judge a statement nested this deeply");
    const node = typed(value);
    if (node !== undefined) this.#enter(node.type, node.body, context);
    else this.#enter(typeOfBare(value), value, context);
    this.#depth--;
  }

  #enter(type: string, body: Ast, context: Context): void {
    if (type.endsWith("Stmt")) {
      this.found.statements.push({ type, body });
      for (const path of namedFunctions({ type, body })) {
        this.found.functions.push({ schema: path.at(-2), name: path.at(-1) ?? "", call: {} });
      }
    }
    switch (type) {
      case "SelectStmt":
        this.#select(body, context);
        return;
      case "InsertStmt":
        this.#insert(body, context);
        return;
      case "UpdateStmt":
        this.#update(body, context);
        return;
      case "DeleteStmt":
        this.#delete(body, context);
        return;
      case "MergeStmt":
        this.#merge(body, context);
        return;
      case "TruncateStmt": {
        const from = this.found.relations.length;
        this.#rest(body, context, []);
        this.found.changes.push({
          change: "delete",
          kind: "truncate",
          where: NO_WHERE,
          columns: [],
          relations: this.found.relations.slice(from),
        });
        return;
      }
      case "RangeVar":
        this.#relation(body, context);
        return;
      case "ColumnRef":
        this.#column(body);
        return;
      case "A_Indirection":
        // `(row).field`: the field by its name alone.
        this.found.columns.push(...names(body["indirection"]));
        this.found.fields.push(...names(body["indirection"]));
        this.#rest(body, plain(context), []);
        return;
      case "FuncCall": {
        const path = names(body["funcname"]);
        this.found.functions.push({ schema: path.at(-2), name: path.at(-1) ?? "", call: body });
        this.#rest(body, plain(context), ["funcname"]);
        return;
      }
      case "A_Expr":
        this.#operator(body["name"]);
        this.#rest(body, plain(context), ["name"]);
        return;
      case "SubLink":
        this.#operator(body["operName"]);
        this.#rest(body, plain(context), ["operName"]);
        return;
      case "SortBy":
        this.#operator(body["useOp"]);
        this.#ordinal(body["node"]);
        this.#rest(body, context, ["useOp"]);
        return;
      case "RangeSubselect":
      case "RangeFunction":
      case "RangeTableFunc":
      case "JoinExpr":
        this.#rest(body, plain(context), ["alias", "join_using_alias", "usingClause"]);
        return;
      case "IndexElem":
      case "StatsElem":
        if (typeof body["name"] === "string") this.found.columns.push(body["name"]);
        this.#rest(body, plain(context), []);
        return;
      // Names a relation of FROM again, by its alias.
      case "LockingClause":
      // Types are named by themselves; their modifiers are constants.
      case "TypeName":
      case "A_Const":
      case "String":
        return;
      case "VariableSetStmt":
        this.found.settings.push(body);
        return;
      case "CopyStmt":
        this.#copy(body, context);
        return;
      case "DeclareCursorStmt":
      case "PrepareStmt":
      case "CreateTableAsStmt":
      case "ViewStmt":
        this.#rest(body, { ...context, outermost: false }, []);
        return;
      case "ReturningOption":
        return;
      default:
        this.#rest(body, type === "" ? context : plain(context), []);
        return;
    }
  }

  /** Every field that was not dealt with. */
  #rest(body: Ast, context: Context, done: readonly string[]): void {
    for (const key in body) if (!done.includes(key)) this.visit(body[key], context);
  }

  #select(body: Ast, outer: Context): void {
    const query: QueryUse = { relations: [] };
    const { found } = this;
    // VALUES of an INSERT reads nothing by itself.
    if (body["valuesLists"] === undefined || outer.leading) found.selects = true;
    const context = this.#with(body, { ...plain(outer), query, access: "read" });
    if (body["intoClause"] !== undefined) {
      found.into = true; // it may stand in the first SELECT of a UNION
      this.visit(body["intoClause"], { ...context, query: undefined, access: "write" });
    }
    this.visit(body["fromClause"], context);
    this.visit(body["targetList"], context);
    if (outer.leading) found.where = this.#noted(judgeFilter(body));
    for (const key of ["groupClause", "distinctClause"]) for (const item of list(body[key])) this.#ordinal(item);
    this.#rest(body, context, ["withClause", "intoClause", "fromClause", "targetList", "larg", "rarg"]);
    // A set operation's sides; fields of a fixed type, so they come without their type's name.
    for (const side of [body["larg"], body["rarg"]]) if (isAst(side)) this.#nested(side, context);
  }

  #nested(side: Ast, context: Context): void {
    if (++this.#depth > DEPTH_MAX) throw new TooDeep("Cannot judge a statement nested this deeply");
    this.#select(side, context);
    this.#depth--;
  }

  #insert(body: Ast, outer: Context): void {
    const { found } = this;
    const from = found.relations.length;
    const query: QueryUse = { relations: [] };
    const context = this.#with(body, { ...plain(outer), query, access: "read" });
    this.#relation(body["relation"], { ...context, access: "write" });
    const columns = targetNames(body["cols"]);
    // Subscripts and fields of the targets may hold expressions.
    this.visit(body["cols"], context);
    this.visit(body["selectStmt"], { ...context, query: undefined });
    const conflict = body["onConflictClause"];
    this.visit(conflict, context);
    this.#returning(body["returningClause"], context);
    const relations = found.relations.slice(from);
    const filled = columns.length === 0 ? ["*"] : columns;
    found.changes.push({ change: "insert", kind: "insert", where: NO_WHERE, columns: filled, relations });
    if (isAst(conflict) && conflict["action"] === "ONCONFLICT_UPDATE") {
      const select = as(body["selectStmt"], "SelectStmt");
      found.changes.push({
        change: "update",
        kind: "insert",
        where: this.#noted(judgeConflict(select, written(body, undefined))),
        columns: targetNames(conflict["targetList"]),
        relations,
      });
    }
  }

  #update(body: Ast, outer: Context): void {
    const { found } = this;
    const from = found.relations.length;
    const query: QueryUse = { relations: [] };
    const context = this.#with(body, { ...plain(outer), query, access: "read" });
    this.#relation(body["relation"], { ...context, access: "write" });
    this.#rest(body, context, ["relation", "withClause", "returningClause"]);
    this.#returning(body["returningClause"], context);
    this.#change("update", body, written(body, body["fromClause"]), targetNames(body["targetList"]), from);
  }

  #delete(body: Ast, outer: Context): void {
    const { found } = this;
    const from = found.relations.length;
    const query: QueryUse = { relations: [] };
    const context = this.#with(body, { ...plain(outer), query, access: "read" });
    this.#relation(body["relation"], { ...context, access: "write" });
    this.#rest(body, context, ["relation", "withClause", "returningClause"]);
    this.#returning(body["returningClause"], context);
    this.#change("delete", body, written(body, body["usingClause"]), [], from);
  }

  #merge(body: Ast, outer: Context): void {
    const { found } = this;
    const from = found.relations.length;
    const query: QueryUse = { relations: [] };
    const context = this.#with(body, { ...plain(outer), query, access: "read" });
    this.#relation(body["relation"], { ...context, access: "write" });
    this.#rest(body, context, ["relation", "withClause"]);
    const clauses = list(body["mergeWhenClauses"]).map((item) => as(item, "MergeWhenClause")?.["commandType"]);
    // Where nothing is done the target is joined all the same.
    if (body["returningClause"] !== undefined || clauses.every((command) => command === "CMD_NOTHING")) {
      found.selects = true;
      this.#readTarget(query);
    }
    const relations = found.relations.slice(from);
    const rows = written(body, [body["sourceRelation"]]);
    const join = this.#noted(judgeWhere(body["joinCondition"], rows));
    for (const item of list(body["mergeWhenClauses"])) {
      const when = as(item, "MergeWhenClause");
      if (when === undefined) continue;
      const condition = this.#noted(judgeWhere(when["condition"], rows));
      const columns = targetNames(when["targetList"]);
      const isUnjoined = when["matchKind"] === "MERGE_WHEN_NOT_MATCHED_BY_SOURCE";
      const where: Where = isUnjoined
        ? condition
        : { present: true, tautology: join.tautology && (!condition.present || condition.tautology) };
      switch (when["commandType"]) {
        case "CMD_INSERT":
          found.changes.push({
            change: "insert",
            kind: "merge",
            where: NO_WHERE,
            columns: columns.length === 0 ? ["*"] : columns,
            relations,
          });
          break;
        case "CMD_UPDATE":
          found.changes.push({ change: "update", kind: "merge", where, columns, relations });
          break;
        case "CMD_DELETE":
          found.changes.push({ change: "delete", kind: "merge", where, columns: [], relations });
          break;
        default:
          break;
      }
    }
  }

  #copy(body: Ast, outer: Context): void {
    const isFrom = body["is_from"] === true;
    const query: QueryUse = { relations: [] };
    const context: Context = { ...outer, query, access: isFrom ? "write" : "read", outermost: false };
    const columns = names(body["attlist"]);
    const from = this.found.relations.length;
    this.#rest(body, context, []);
    if (isFrom) {
      const relations = this.found.relations.slice(from);
      const written = columns.length === 0 ? ["*"] : columns;
      this.found.changes.push({ change: "insert", kind: "copy-from", where: NO_WHERE, columns: written, relations });
      return;
    }
    this.found.selects = true;
    if (body["relation"] !== undefined) this.found.columns.push(...(columns.length === 0 ? ["*"] : columns));
  }

  #change(change: DataChange, body: Ast, rows: Written, columns: readonly string[], from: number): void {
    const where = this.#noted(judgeWhere(body["whereClause"], rows));
    const relations = this.found.relations.slice(from);
    this.found.changes.push({ change, kind: change, where, columns, relations });
  }

  /** The fact of a verdict; whether literals decided it is noted for the whole statement. */
  #noted({ present, tautology, literalsMatter }: WhereVerdict): Where {
    if (literalsMatter) this.found.literalsMatter = true;
    return { present, tautology };
  }

  #returning(clause: unknown, context: Context): void {
    if (!isAst(clause)) return;
    this.found.selects = true;
    this.visit(clause["options"], context);
    this.visit(clause["exprs"], context);
    this.#readTarget(context.query);
  }

  /** RETURNING shows rows of the target. */
  #readTarget(query: QueryUse | undefined): void {
    for (const relation of query?.relations ?? []) {
      if (relation.access === "write") this.found.relations.push({ ...relation, access: "read" });
    }
  }

  /** CTEs in order: a body sees the ones before it, all of them when recursive. */
  #with(body: Ast, context: Context): Context {
    const clause = body["withClause"];
    if (!isAst(clause)) return context;
    const ctes = list(clause["ctes"]).flatMap((item) => {
      const cte = as(item, "CommonTableExpr");
      return cte === undefined ? [] : [cte];
    });
    // One map for all of them: a set for each would cost the square of their number.
    const places = new Map<string, number>();
    for (const [place, cte] of ctes.entries()) {
      const name = text(cte["ctename"]);
      if (!places.has(name)) places.set(name, place);
    }
    const before = (place: number): Visible => ({
      has: (name) => (places.get(name) ?? Number.POSITIVE_INFINITY) < place || context.ctes.has(name),
    });
    const isRecursive = clause["recursive"] === true;
    for (const [place, cte] of ctes.entries()) {
      this.#rest(cte, { ...context, query: undefined, ctes: before(isRecursive ? ctes.length : place) }, []);
    }
    return { ...context, ctes: before(ctes.length) };
  }

  #relation(body: unknown, context: Context): void {
    if (!isAst(body)) return;
    const name = text(body["relname"]);
    const schema = typeof body["schemaname"] === "string" ? body["schemaname"] : undefined;
    if (schema === undefined && context.access === "read" && context.ctes.has(name)) return;
    const use: RelationUse = { schema, name, access: context.access };
    this.found.relations.push(use);
    context.query?.relations.push(use);
  }

  #column(body: Ast): void {
    const fields = list(body["fields"]);
    const name = as(fields.at(-1), "A_Star") === undefined ? names(fields).at(-1) : "*";
    if (name !== undefined) this.found.columns.push(name);
    if (name !== undefined && fields.length > 1) this.found.fields.push(name);
  }

  #operator(path: unknown): void {
    const parts = names(path);
    const schema = parts.at(-2);
    if (schema !== undefined && schema !== "pg_catalog") this.found.foreignOperators.push(parts.join("."));
  }

  #ordinal(value: unknown): void {
    for (const part of list(as(value, "GroupingSet")?.["content"])) this.#ordinal(part);
    if (isAst(as(value, "A_Const")?.["ival"])) this.found.ordinals = true;
  }
}

/** Inside an expression or a sub-query nothing is the statement itself. */
function plain(context: Context): Context {
  return context.outermost || context.leading ? { ...context, outermost: false, leading: false } : context;
}

/** Fields of a fixed type come without their type's name; these are the ones that matter, by their fields. */
function typeOfBare(body: Ast): string {
  if ("relname" in body) return "RangeVar";
  if ("funcname" in body && "funcformat" in body) return "FuncCall";
  if ("limitOption" in body && "op" in body) return "SelectStmt";
  if (typeof body["kind"] === "string" && body["kind"].startsWith("VAR_")) return "VariableSetStmt";
  if ("typemod" in body) return "TypeName";
  return "";
}

function targetNames(targets: unknown): readonly string[] {
  return list(targets).flatMap((item) => {
    const name = as(item, "ResTarget")?.["name"];
    return typeof name === "string" ? [name] : [];
  });
}

/** What a statement writes, with what else its conditions may name. */
function written(body: Ast, others: unknown): Written {
  return { relation: body["relation"], others, withClause: body["withClause"] };
}
