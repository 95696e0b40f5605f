/**
 * What the analysis said of a text beside what the server did: what it left out is wrong in the unsafe direction.
 * Nothing here knows how the analysis works; it sees actions, tables and WHERE facts as policy does.
 */
import type { Analysis } from "../../src/protocols/postgres/actions.ts";
import { Claims, type Cover, names } from "./claims.ts";
import type { Statement } from "./corpus/statement.ts";
import type { Catalog, Relation } from "./truth/catalog.ts";
import type { Effects, Touched } from "./truth/effects.ts";

export interface Verdict {
  /**
   * understood: every effect is named. code: the rest is covered by sql.call alone, which says that code runs and not
   * what it does. refused: not understood. unknown: the server itself refused the text, so there is nothing to compare.
   */
  readonly kind: "understood" | "code" | "refused" | "unknown";
  /** Rule of a refusal. */
  readonly rule?: string;
  /** Effects that no action covers. */
  readonly wrong: readonly string[];
  /** What was claimed and did not happen. */
  readonly stricter: readonly string[];
  /** Some effect stands behind a named relation: a view's table, a trigger's, a partition, a foreign key. */
  readonly isBehind: boolean;
  /** It changed every row of a table by a WHERE that is not known for a tautology, and need not be. */
  readonly isUndecided: boolean;
  /** Effects that stand behind an operator or a function of users that no text tells from the server's own. */
  readonly limits: readonly string[];
  /** The corpus said that its WHERE is true for all rows, and it was not. */
  readonly isMislabelled: boolean;
}

/** They change how answers look, how long they may take or how they are computed: nothing for policy. */
const ANSWERS =
  /^(application_name|bytea_output|client_min_messages|datestyle|(default_)?transaction_\w+|extra_float_digits|idle_\w+|intervalstyle|lc_\w+|lock_timeout|statement_timeout|timezone|geqo\w*|jit\w*|work_mem|synchronize_seqscans|log_timezone)$/i;
/** Another value of these makes the server read another text than the parser. */
const READING = /^(standard_conforming_strings|backslash_quote|client_encoding|escape_string_warning)$/;
/** EXPLAIN that does not run what it explains. */
const PLANS = /^\W*explain\s+(?!(verbose\s+)?analy[sz]e\b)(?!\([^)]*\banaly[sz]e(?!\s+(false|off|0))[^)]*\))/i;
const MERGES_NOTHING = /^\W*merge\b(?!.*\bthen\s+(insert|update|delete))/is;
/** Rows of these are nobody's definitions. */
const STATISTICS = /^pg_statistic/;
const LARGE_OBJECTS = /^pg_largeobject/;
/** What is written here is the server's, or lets others in. */
const ADMINISTERED =
  /^pg_(authid|auth_members|db_role_setting|database|tablespace|parameter_acl|default_acl|extension|subscription|foreign_server|foreign_data_wrapper|user_mapping|event_trigger|language|am|publication|seclabel|shseclabel)$/;
/** Rows that nobody may see who may not administer. */
const SECRET = /^pg_(authid|shadow|statistic|user_mapping|subscription|largeobject)$/;

export function compare(statement: Statement, analysis: Analysis, effects: Effects, catalog: Catalog): Verdict {
  const nothing = { wrong: [], stricter: [], isBehind: false, isUndecided: false, limits: [], isMislabelled: false };
  if (effects.outcome === "failed") return { kind: "unknown", ...nothing };
  const forbidden = analysis.statements.find(({ operation }) => operation.forbidden !== undefined)?.operation.forbidden;
  if (forbidden !== undefined) return { kind: "refused", rule: forbidden.rule, ...nothing };
  return new Comparison(statement, analysis, effects, catalog).verdict();
}

class Comparison {
  readonly #statement: Statement;
  readonly #analysis: Analysis;
  readonly #effects: Effects;
  readonly #catalog: Catalog;
  readonly #claims: Claims;
  readonly #wrong: string[] = [];
  readonly #stricter: string[] = [];
  readonly #limits: string[] = [];
  #worst: Cover = "named";
  #isBehind = false;
  #isUndecided = false;
  #isMislabelled = false;

  constructor(statement: Statement, analysis: Analysis, effects: Effects, catalog: Catalog) {
    this.#statement = statement;
    this.#analysis = analysis;
    this.#effects = effects;
    this.#catalog = catalog;
    this.#claims = new Claims(statement.text, analysis, catalog);
  }

  verdict(): Verdict {
    for (const touched of this.#effects.touched) this.#relation(touched);
    this.#definitions();
    this.#session();
    this.#outside();
    this.#answer();
    this.#where();
    this.#traces();
    return {
      kind: this.#worst === "code" ? "code" : "understood",
      wrong: this.#wrong,
      stricter: this.#stricter,
      isBehind: this.#isBehind,
      isUndecided: this.#isUndecided,
      limits: this.#limits,
      isMislabelled: this.#isMislabelled,
    };
  }

  /** Notes how an effect is covered; `what` names it when nothing does. */
  #need(what: string, cover: Cover): void {
    const best = cover === "none" && this.#claims.has("sql.call") ? "code" : cover;
    if (best === "none") this.#wrong.push(what);
    if (best === "limit") this.#limits.push(what);
    if (best === "code") this.#worst = "code";
    if (best === "behind") this.#isBehind = true;
  }

  #relation(touched: Touched): void {
    const { relation, modes, inserted, updated, deleted, isNew } = touched;
    // A composite type has no rows.
    if (isNew || relation.kind === "c") return;
    if (relation.isSystem) {
      this.#systemRelation(touched);
      return;
    }
    const name = `${relation.schema}.${relation.name}`;
    if (relation.kind === "S") {
      if (this.#effects.setSequences.includes(name)) {
        this.#need(
          `sets the counter of ${name}`,
          this.#claims.has("sql.update", "sql.define", "sql.delete") ? "named" : "none",
        );
      }
      // nextval changes a counter only, and naming it in a DDL is checked with the table that owns it.
      return;
    }
    if (inserted > 0) this.#need(`inserts into ${name}`, this.#claims.writeCover(touched, ["sql.insert"]));
    if (updated > 0) this.#need(`updates ${name}`, this.#claims.writeCover(touched, ["sql.update"]));
    if (deleted > 0) this.#need(`deletes from ${name}`, this.#claims.writeCover(touched, ["sql.delete"]));
    if (inserted + updated + deleted > 0) return;
    const strong = [...modes].filter((mode) => mode !== "AccessShareLock" && mode !== "RowShareLock");
    if (strong.length === 0) this.#need(`reads ${name}`, this.#claims.readCover(touched, this.#changesCatalogs()));
    else if (PLANS.test(this.#statement.text))
      this.#need(`plans a change of ${name}`, this.#claims.readCover(touched, this.#changesCatalogs()));
    else if (this.#claims.hasKind(/^lock$/)) {
      // In any of the modes, a writer's among them.
      this.#need(`locks ${name}`, this.#claims.itselfCover(relation));
    } else if (strong.every((mode) => mode === "RowExclusiveLock") && !MERGES_NOTHING.test(this.#statement.text)) {
      this.#need(`would write ${name}`, this.#claims.writeCover(touched, ["sql.insert", "sql.update", "sql.delete"]));
    } else if (strong.every((mode) => mode === "RowExclusiveLock")) {
      this.#need(`reads ${name}`, this.#claims.readCover(touched, this.#changesCatalogs()));
    } else this.#need(`changes or locks ${name} itself`, this.#claims.itselfCover(relation));
  }

  /** Reading catalogs is what DDL and functions that tell of the schema do by themselves; secrets are another matter. */
  #systemRelation({ relation, modes }: Touched): void {
    if (!SECRET.test(relation.name) || !modes.has("AccessShareLock") || this.#changesCatalogs()) return;
    this.#need(`reads pg_catalog.${relation.name}`, this.#claims.secretCover(relation));
  }

  #changedCatalogs(): readonly Touched[] {
    return this.#effects.touched.filter(
      ({ relation, inserted, updated, deleted }) => relation.isSystem && inserted + updated + deleted > 0,
    );
  }

  #changesCatalogs(): boolean {
    return this.#changedCatalogs().length > 0;
  }

  #definitions(): void {
    const catalogs = this.#changedCatalogs();
    const names = catalogs.map(({ relation }) => relation.name);
    const list = names.join(", ");
    const definitions = catalogs.filter(
      ({ relation: { name } }) => !STATISTICS.test(name) && !LARGE_OBJECTS.test(name),
    );
    if (names.some((name) => STATISTICS.test(name)) || this.#effects.maintains) {
      this.#need("gathers statistics", this.#claims.has("sql.administer", "sql.define") ? "named" : "none");
    }
    if (names.some((name) => LARGE_OBJECTS.test(name))) {
      const isCovered = this.#claims.has("sql.server", "sql.administer", "sql.define");
      this.#need(`changes large objects (${list})`, isCovered ? "named" : "none");
    }
    if (this.#effects.changesAccess) {
      this.#need("changes who may use something", this.#claims.has("sql.administer") ? "named" : "none");
    }
    if (definitions.length === 0) return;
    const isTruncation =
      definitions.every(({ relation, updated }) => relation.name === "pg_class" && updated > 0) &&
      this.#claims.actions.some(({ name, kind }) => name === "sql.delete" && kind === "truncate");
    const isBehind = this.#claims.reachesCode;
    const cover =
      isTruncation || this.#claims.has("sql.define", "sql.administer") ? "named" : isBehind ? "behind" : "none";
    this.#need(`changes the catalog (${list})`, cover);
    const administered = definitions.filter(
      ({ relation: { name }, inserted, updated, deleted }) =>
        ADMINISTERED.test(name) &&
        (inserted + updated > 0 || (deleted > 0 && !this.#claims.hasKind(/^drop-(schema|owned)$/))),
    );
    for (const { relation } of administered) {
      this.#need(
        `changes pg_catalog.${relation.name}`,
        this.#claims.has("sql.administer", "sql.server") ? "named" : "none",
      );
    }
    const announces = this.#analysis.statements.some((statement) => statement.effects.definesSchema);
    if (!isTruncation && !announces)
      this.#need("changes the catalog and does not announce it", isBehind ? "behind" : "none");
  }

  #session(): void {
    const { settings, changesUser, advisoryLocks, notifies } = this.#effects;
    const reading = settings.filter((name) => READING.test(name));
    if (reading.length > 0) this.#need(`changes ${reading} and is not refused`, "none");
    const others = settings.filter((name) => !ANSWERS.test(name) && !READING.test(name));
    if (others.length > 0) this.#need(`changes ${others}`, this.#claims.has("sql.session") ? "named" : "none");
    if (changesUser) this.#need("changes the user", this.#claims.has("sql.session") ? "named" : "none");
    if (advisoryLocks)
      this.#need("takes an advisory lock", this.#claims.has("sql.call", "sql.session") ? "named" : "none");
    if (notifies) this.#need("notifies or listens", this.#claims.has("sql.session") ? "named" : "none");
  }

  #outside(): void {
    if (this.#statement.isRestricted) {
      const isCovered = this.#claims.has("sql.administer", "sql.server", "sql.session");
      this.#need("calls what the server keeps for chosen roles", isCovered ? "named" : "none");
    }
    const { readsFiles, writesFiles, endsSession, touched } = this.#effects;
    const isForeign = touched.some(({ relation }) => relation.kind === "f");
    if (readsFiles)
      this.#need(
        "reads a file of the server",
        this.#claims.has("sql.server") ? "named" : isForeign ? "behind" : "none",
      );
    if (writesFiles)
      this.#need("writes a file of the server", this.#claims.has("sql.server", "sql.administer") ? "named" : "none");
    if (endsSession) this.#need("ends a session", this.#claims.has("sql.administer", "sql.server") ? "named" : "none");
  }

  /** What the session awaits from the server follows the analysis. */
  #answer(): void {
    const { copy, rowSets, outcome } = this.#effects;
    if (outcome === "planned") return;
    const { statements } = this.#analysis;
    if (copy !== "none" && !statements.some(({ effects }) => effects.copy === copy)) {
      this.#need(`copies ${copy} and is not announced`, "none");
    }
    const expected = statements.filter(({ effects }) => effects.returnsRows).length;
    if (rowSets <= expected) return;
    // A rule that selects instead stands behind its table.
    const isRule = this.#claims.hasKind(/^create-rule$/);
    this.#need(`returns ${rowSets} results where ${expected} are expected`, isRule ? "behind" : "none");
  }

  #where(): void {
    if (this.#effects.outcome === "planned") return;
    let hitAll = false;
    for (const relation of new Set(this.#claims.relations("write"))) {
      const rows = this.#rowsOf(relation, (one) => one.rows);
      if (rows < 3) continue;
      for (const [action, field] of [
        ["sql.update", "updated"],
        ["sql.delete", "deleted"],
      ] as const) {
        const changed = this.#rowsOf(relation, (one) => this.#touchedOf(one)?.[field] ?? 0);
        const own = this.#claims.actions.filter(
          ({ name, tables }) =>
            name === action && tables.some((table) => table.access === "write" && names(table, relation)),
        );
        const isFlagged = own.some(({ where }) => !where.present || where.tautology);
        if (changed >= rows) {
          hitAll = true;
          if (isFlagged || own.length === 0) continue;
          const what = `${action} of every row of ${relation.schema}.${relation.name} passes for one that selects`;
          if (this.#statement.always) this.#need(what, "none");
          else this.#isUndecided = true;
        } else if (own.some(({ where }) => where.tautology) && !this.#claims.has("sql.call")) {
          this.#stricter.push("a WHERE that selects is taken for a tautology");
        }
      }
    }
    if (this.#statement.always && !hitAll) this.#isMislabelled = true;
  }

  #touchedOf(relation: Relation): Touched | undefined {
    return this.#effects.touched.find((touched) => touched.relation.oid === relation.oid);
  }

  /** Of a table and of its partitions and children. */
  #rowsOf(relation: Relation, count: (relation: Relation) => number): number {
    const children = [...this.#catalog.behind(relation.oid, ["child"])].flatMap(
      (oid) => this.#catalog.relations.get(oid) ?? [],
    );
    const own = relation.kind === "p" ? 0 : count(relation);
    return children.reduce((sum, child) => sum + count(child), own);
  }

  /** Actions without a trace of what they stand for. */
  #traces(): void {
    const { outcome, touched, settings, changesUser, writesFiles, readsFiles, advisoryLocks } = this.#effects;
    if (outcome !== "ran") return;
    const modes = new Set(touched.flatMap((one) => [...one.modes]));
    const writes = modes.has("RowExclusiveLock") || [...modes].some((mode) => STRONG.test(mode));
    const changes = this.#changesCatalogs() || [...modes].some((mode) => STRONG.test(mode));
    const traces: Readonly<Record<string, boolean>> = {
      "sql.insert": writes,
      "sql.update": writes,
      "sql.delete": writes,
      "sql.define": changes || touched.some(({ isNew }) => isNew),
      "sql.administer":
        changes || writesFiles || readsFiles || touched.some(({ relation }) => SECRET.test(relation.name)),
      "sql.session": settings.length > 0 || changesUser || changes,
      "sql.server":
        readsFiles || writesFiles || changes || touched.some(({ relation }) => LARGE_OBJECTS.test(relation.name)),
      "sql.call": this.#worst === "code" || advisoryLocks || settings.length > 0 || changesUser,
    };
    for (const name of this.#claims.names)
      if (traces[name] === false) this.#stricter.push(`${name} without a trace of it`);
  }
}

const STRONG = /^(ShareUpdateExclusive|Share|ShareRowExclusive|Exclusive|AccessExclusive)Lock$/;
