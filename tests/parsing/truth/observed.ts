/**
 * One database under observation. A statement runs in a transaction that is rolled back; before that a second session
 * reads the transaction's locks, and the first one its counters of changed rows (those of the system catalogs too),
 * its settings and its users.
 */
import { valuesFor } from "../corpus/parameters.ts";
import { type Catalog, changesAccess, type Relation, readAccess, readCatalog, readRelations } from "./catalog.ts";
import { type Effects, NO_EFFECTS, type Touched } from "./effects.ts";
import { type Answer, Session, type SessionOptions } from "./session.ts";

/** Rows inserted, updated and deleted by this transaction, of every relation that still is. */
const COUNTERS = `
SELECT oid::pg_catalog.text, i::pg_catalog.text, u::pg_catalog.text, d::pg_catalog.text, s::pg_catalog.text FROM (
  SELECT oid, pg_catalog.pg_stat_get_xact_numscans(oid) AS s, pg_catalog.pg_stat_get_xact_tuples_inserted(oid) AS i, pg_catalog.pg_stat_get_xact_tuples_updated(oid) AS u,
    pg_catalog.pg_stat_get_xact_tuples_deleted(oid) AS d
  FROM pg_catalog.pg_class WHERE relkind IN ('r', 't', 'm', 'p')) AS counted
WHERE i OPERATOR(pg_catalog.<>) 0 OR u OPERATOR(pg_catalog.<>) 0 OR d OPERATOR(pg_catalog.<>) 0 OR s OPERATOR(pg_catalog.<>) 0`;
/** The ways to change a setting, a role or a session; where a text holds none, its settings are not read again. */
const CHANGES_SETTINGS =
  /set_config|setseed|reset|discard|load|\b(do|call|execute|prepare)\b|^\W*(set|show)\b|;\s*set\b/i;
/** They lock what they tell of, and read none of its rows. */
const TELLS = /pg_get_|_size|pg_relation_|pg_index|pg_views|pg_rules|pg_matviews|pg_stat|information_schema/i;

const STATE = `
SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(name, '=', setting), ',')), "current_user"(), "session_user"()
FROM pg_catalog.pg_show_all_settings()`;
/** What a session may keep besides its settings; and from now on counters start at zero. */
const REST = `
SELECT pg_catalog.pg_stat_force_next_flush(), (SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_statement()),
  (SELECT pg_catalog.count(*) FROM pg_catalog.pg_cursor()), (SELECT pg_catalog.count(*) FROM pg_catalog.pg_listening_channels())`;
const SETTINGS = "SELECT name, setting FROM pg_catalog.pg_show_all_settings()";
/** What applications keep in settings of their own: no list of the server names these. */
const CUSTOM = ["app.tenant", "my.thing", "my.ssn"];

const LOCKS =
  "SELECT locktype, coalesce(relation, 0)::text, mode FROM pg_catalog.pg_locks WHERE pid = $1 AND granted AND locktype <> 'virtualxid'";

/** The answer to a statement that must not be in a transaction. */
export const NEEDS_NO_TRANSACTION: ReadonlySet<string> = new Set(["25001", "2D000"]);
const EXPLAINABLE = /^\s*(\/\*.*?\*\/\s*)*(with|select|insert|update|delete|merge|values|table|\()/is;

type End = "ROLLBACK" | "COMMIT";

interface State {
  readonly digest: string;
  readonly users: string;
}

interface Subject {
  readonly text: string;
  readonly values: readonly (string | null)[] | undefined;
  readonly isCode: boolean;
}

export interface Files {
  /** Equal as long as no file of the server that statements may write changed. */
  digest(): string;
}

export class ObservedDatabase {
  readonly #options: SessionOptions;
  readonly #files: Files;
  readonly #observer: Session;
  #session: Session;
  #catalog: Catalog;
  #before: State = { digest: "", users: "" };
  #settings: ReadonlyMap<string, string> = new Map();
  readonly #sequences = new Map<string, number>();
  /** Sequences that were set: they begin anew, so that the next one is judged by itself. */
  readonly #strayed: string[] = [];
  /** Something may be left in the session that a rollback does not take back. */
  #isDirty = false;

  private constructor(options: SessionOptions, files: Files, observer: Session, session: Session, catalog: Catalog) {
    this.#options = options;
    this.#files = files;
    this.#observer = observer;
    this.#session = session;
    this.#catalog = catalog;
  }

  static async open(options: SessionOptions, files: Files): Promise<ObservedDatabase> {
    const observer = await Session.open({ ...options, name: "observer" });
    const session = await Session.open(options);
    const catalog = await readCatalog(observer);
    const database = new ObservedDatabase(options, files, observer, session, catalog);
    await database.#begin();
    return database;
  }

  get catalog(): Catalog {
    return this.#catalog;
  }

  /** Runs it and takes it back. `isCode`: what it calls may change settings without a word of it in the text. */
  async observe({ text, values, isCode }: Subject): Promise<Effects> {
    const effects = await this.#run({ text, values, isCode }, "ROLLBACK");
    if (effects.outcome !== "failed" || !EXPLAINABLE.test(text)) return effects;
    if (NEEDS_NO_TRANSACTION.has(effects.error?.code ?? "")) return effects;
    const planned = await this.#run({ text: `EXPLAIN ${text}`, values, isCode }, "ROLLBACK");
    return planned.outcome === "ran" ? { ...planned, outcome: "planned", rowSets: 0 } : effects;
  }

  /** Runs it for good, so that the next one finds what it made. */
  async follow(text: string): Promise<Effects> {
    const effects = await this.#run({ text, values: valuesFor(text), isCode: false }, "COMMIT");
    // Unseen, and the next ones need it.
    if (NEEDS_NO_TRANSACTION.has(effects.error?.code ?? "")) await this.#session.run(text);
    const defines = effects.touched.some(
      ({ relation, isNew, inserted, updated, deleted }) =>
        isNew || (relation.isSystem && inserted + updated + deleted > 0),
    );
    if (defines) this.#catalog = await readCatalog(this.#observer, this.#catalog);
    return effects;
  }

  async close(): Promise<void> {
    await this.#session.close();
    await this.#observer.close();
  }

  /** Everything as a fresh session has it, counters at zero. */
  async #begin(): Promise<void> {
    if (this.#session.isLost) this.#session = await Session.open(this.#options);
    const session = this.#session;
    await session.run("ROLLBACK");
    await session.run("DISCARD ALL");
    await session.run("SELECT pg_catalog.pg_stat_force_next_flush()");
    await this.#remember();
  }

  async #remember(): Promise<void> {
    const session = this.#session;
    await session.run("BEGIN");
    this.#before = stateOf(await session.rows(STATE));
    this.#settings = await this.#readSettings();
    await session.run("ROLLBACK");
    this.#isDirty = false;
  }

  async #run({ text, values, isCode }: Subject, end: End): Promise<Effects> {
    const session = this.#session;
    const files = this.#files.digest();
    await session.run("BEGIN");
    const answer = await session.run(text, values);
    try {
      if (answer.transaction === "") return { ...NO_EFFECTS, outcome: "ran", endsSession: true };
      if (answer.transaction !== "T") return failed(answer, this.#files.digest() !== files);
      return await this.#look({ text, values, isCode }, answer, files);
    } catch (error) {
      return { ...NO_EFFECTS, error: { code: "", message: `not observable: ${error}` } };
    } finally {
      await this.#end(end);
    }
  }

  async #look({ text, isCode }: Subject, answer: Answer, files: string): Promise<Effects> {
    const session = this.#session;
    const locks = await this.#observer.rows(LOCKS, { values: [String(session.pid)], prepared: "locks" });
    const changesRows = locks.some(([type]) => type === "transactionid");
    const tells = TELLS.test(text);
    const counters = changesRows || tells ? await session.rows(COUNTERS) : [];
    const looksAtSettings = isCode || CHANGES_SETTINGS.test(text);
    const after = looksAtSettings ? stateOf(await session.rows(STATE)) : this.#before;
    const advisoryLocks = locks.some(([type]) => type === "advisory");
    if (advisoryLocks || after.digest !== this.#before.digest || after.users !== this.#before.users)
      this.#isDirty = true;
    const all = await this.#touched(locks, counters);
    const touched = tells ? all.filter((one) => !isOnlyTold(one)) : all;
    const updated = touched.flatMap(({ relation, updated }) =>
      relation.isSystem && updated > 0 ? [relation.name] : [],
    );
    return {
      ...NO_EFFECTS,
      outcome: "ran",
      touched,
      settings: looksAtSettings ? await this.#changedSettings(after) : [],
      changesUser: after.users !== this.#before.users,
      changesAccess: changesAccess(this.#catalog.access, await readAccess(session, updated)),
      setSequences: await this.#setSequences(touched),
      advisoryLocks,
      copy: answer.copy,
      rowSets: answer.rowSets,
      readsFiles: answer.sawMark,
      writesFiles: this.#files.digest() !== files,
    };
  }

  async #touched(
    locks: readonly (readonly string[])[],
    counters: readonly (readonly string[])[],
  ): Promise<readonly Touched[]> {
    const found = new Map<string, { modes: Set<string>; counts: readonly number[]; isNew: boolean }>();
    const known = this.#catalog.relations;
    const oids = [
      ...locks.flatMap(([type, oid = ""]) => (type === "relation" ? [oid] : [])),
      ...counters.map(([oid = ""]) => oid),
    ];
    const latest = oids.some((oid) => !known.has(oid)) ? await readRelations(this.#session) : known;
    const ownerOf = (oid: string) => known.get(oid)?.owner ?? latest.get(oid)?.owner ?? oid;
    const entry = (oid: string) => {
      const owner = ownerOf(oid);
      const own = found.get(owner) ?? { modes: new Set<string>(), counts: [0, 0, 0, 0], isNew: !known.has(owner) };
      found.set(owner, own);
      return own;
    };
    for (const [type, oid = "", mode = ""] of locks) if (type === "relation") entry(oid).modes.add(mode);
    for (const [oid = "", ...counts] of counters) {
      // Values that were moved to a TOAST table are rows of nobody.
      if (known.get(oid)?.kind === "t" || latest.get(oid)?.kind === "t") continue;
      const own = entry(oid);
      own.counts = counts.map(Number);
    }
    return [...found].map(([oid, { modes, counts, isNew }]) => {
      const relation = known.get(oid) ?? latest.get(oid) ?? unknownRelation(oid);
      const [inserted = 0, updated = 0, deleted = 0, scans = 0] = counts;
      return { relation, modes, inserted, updated, deleted, scans, isNew };
    });
  }

  async #changedSettings(after: State): Promise<readonly string[]> {
    if (after.digest === this.#before.digest && !(await this.#hasCustom())) return [];
    const now = await this.#readSettings();
    // A library that is loaded on the way brings settings with it; that changes none.
    return [...now].flatMap(([name, value]) => ([undefined, value].includes(this.#settings.get(name)) ? [] : [name]));
  }

  async #hasCustom(): Promise<boolean> {
    const [row] = await this.#session.rows(
      `SELECT ${CUSTOM.map((name) => `pg_catalog.current_setting('${name}', true)`).join(", ")}`,
    );
    return row?.some((value) => value !== null && value !== "") === true;
  }

  async #readSettings(): Promise<ReadonlyMap<string, string>> {
    const settings = new Map((await this.#session.rows(SETTINGS)).map(([name = "", value = ""]) => [name, value]));
    for (const name of CUSTOM) {
      const [row] = await this.#session.rows(`SELECT pg_catalog.current_setting('${name}', true)`);
      settings.set(name, row?.[0] ?? "");
    }
    return settings;
  }

  /** Counters of sequences are not taken back with the transaction. */
  async #setSequences(touched: readonly Touched[]): Promise<readonly string[]> {
    const set: string[] = [];
    const drawn = touched.reduce((sum, { inserted }) => sum + inserted, 0);
    for (const { relation, isNew, modes } of touched) {
      if (relation.kind !== "S" || isNew || [...modes].some((mode) => mode !== "RowExclusiveLock")) continue;
      const name = `"${relation.schema}"."${relation.name}"`;
      const [row] = await this.#session.rows(
        `SELECT last_value::pg_catalog.text, is_called::pg_catalog.text FROM ${name}`,
      );
      const next = Number(row?.[0]) + (row?.[1] === "true" ? 1 : 0);
      const before = this.#sequences.get(relation.oid) ?? 1;
      this.#sequences.set(relation.oid, next);
      // The counter of the corpus' sequences goes on by one for each row; 100 more are more than any statement draws.
      if (next >= before && next <= before + drawn + 100) continue;
      set.push(`${relation.schema}.${relation.name}`);
      this.#strayed.push(relation.oid);
    }
    return set;
  }

  async #end(end: End): Promise<void> {
    const session = this.#session;
    if (session.isLost) return this.#begin();
    const ended = await session.run(end);
    if (ended.error !== undefined) await session.run("ROLLBACK");
    for (const oid of this.#strayed.splice(0)) {
      await session.run(`SELECT pg_catalog.setval(${oid}::pg_catalog.regclass, 1, false)`);
      this.#sequences.set(oid, 1);
    }
    const [rest] = await session.rows(REST);
    if (end === "COMMIT") {
      // What it prepared and set is for those that follow.
      if (this.#isDirty) await this.#remember();
      return;
    }
    if (this.#isDirty || rest?.slice(1).some((count) => count !== "0") !== false) await this.#begin();
  }
}

function isOnlyTold({ modes, scans, inserted, updated, deleted }: Touched): boolean {
  return scans + inserted + updated + deleted === 0 && [...modes].every((mode) => mode === "AccessShareLock");
}

function stateOf(rows: readonly (readonly string[])[]): State {
  const [digest = "", current = "", own = ""] = rows[0] ?? [];
  return { digest, users: `${current} ${own}` };
}

function failed({ error, transaction, copy }: Answer, writesFiles: boolean): Effects {
  const why = error ?? { code: "", message: `the transaction was ended: ${transaction}` };
  return { ...NO_EFFECTS, error: why, copy, writesFiles };
}

function unknownRelation(oid: string): Relation {
  return { oid, schema: "", name: `#${oid}`, kind: "r", owner: oid, rows: 0, isSystem: false };
}
