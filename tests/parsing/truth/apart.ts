/**
 * A statement that cannot be taken back runs in a database that is made for it and thrown away. What it changed is
 * counted by the server's statistics, before and after; locks are gone by then, so what it only read is not seen.
 */
import type { Statement } from "../corpus/statement.ts";
import { changesAccess, type Relation, readAccess, readRelations } from "./catalog.ts";
import { type Effects, NO_EFFECTS, type Touched } from "./effects.ts";
import type { Files } from "./observed.ts";
import { Session, type SessionOptions } from "./session.ts";

const COUNTERS = `
SELECT relid::text, n_tup_ins::text, n_tup_upd::text, n_tup_del::text,
  (vacuum_count + analyze_count)::text FROM pg_catalog.pg_stat_all_tables`;
const STATE = `
SELECT name, setting FROM pg_catalog.pg_show_all_settings()
UNION ALL SELECT 'current user', "current_user"()::text UNION ALL SELECT 'session user', "session_user"()::text
UNION ALL SELECT 'listening', (SELECT count(*) FROM pg_catalog.pg_listening_channels())::text`;
const FLUSH = "SELECT pg_catalog.pg_stat_force_next_flush()";
/** The channel that statements of the corpus notify. */
export const CHANNEL = "shop_changes";

interface Seen {
  readonly relations: ReadonlyMap<string, Relation>;
  readonly counters: ReadonlyMap<string, readonly number[]>;
  readonly access: ReadonlyMap<string, string>;
}

export interface ApartOptions extends SessionOptions {
  readonly template: string;
}

export class Apart {
  readonly #admin: Session;
  readonly #options: ApartOptions;
  readonly #files: Files;
  #count = 0;

  constructor(admin: Session, options: ApartOptions, files: Files) {
    this.#admin = admin;
    this.#options = options;
    this.#files = files;
  }

  async observe(statement: Statement): Promise<Effects> {
    const database = `apart_${this.#count++}`;
    await this.#admin.rows(`CREATE DATABASE ${database} TEMPLATE ${this.#options.template}`);
    const options = { ...this.#options, database };
    const [session, observer] = [await Session.open(options), await Session.open({ ...options, name: "observer" })];
    try {
      await observer.rows(`LISTEN ${CHANNEL}`);
      for (const text of statement.before ?? []) await session.run(text);
      return await this.#run(statement, session, observer);
    } finally {
      for (const [id = ""] of await observer.rows(
        "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()",
      )) {
        await observer.run(`ROLLBACK PREPARED '${id}'`);
      }
      await session.close();
      await observer.close();
      // What it wrote there would be in force for all of them once something makes the server read it.
      if (/alter\s+system/i.test(statement.text)) await this.#admin.run("ALTER SYSTEM RESET ALL");
      await this.#admin.run(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
      for (const text of statement.undo ?? []) await this.#admin.run(text);
    }
  }

  async #run(statement: Statement, session: Session, observer: Session): Promise<Effects> {
    await session.run(FLUSH);
    const settings = JSON.stringify(await session.rows(STATE));
    await session.run(FLUSH);
    const files = this.#files.digest();
    const before = await look(observer);
    const answer = await session.run(statement.text, statement.values);
    if (answer.error !== undefined) return { ...NO_EFFECTS, error: answer.error };
    if (answer.transaction === "") return { ...NO_EFFECTS, outcome: "apart", endsSession: true };
    if (answer.transaction !== "I") await session.run("COMMIT");
    await session.run(FLUSH);
    const after = await look(observer);
    const now = await session.rows(STATE);
    const old = new Map((JSON.parse(settings) as string[][]).map(([name = "", value = ""]) => [name, value]));
    const changed = now.flatMap(([name = "", value]) => (old.get(name) === value ? [] : [name]));
    const isOwn = (name: string) => name.endsWith(" user") || name === "listening";
    return {
      ...NO_EFFECTS,
      outcome: "apart",
      touched: touchedBetween(before, after),
      settings: changed.filter((name) => !isOwn(name)),
      changesUser: changed.some((name) => name.endsWith(" user")),
      changesAccess: changesAccess(before.access, after.access),
      copy: answer.copy,
      rowSets: answer.rowSets,
      readsFiles: answer.sawMark,
      writesFiles: this.#files.digest() !== files,
      maintains: [...after.counters].some(([oid, counts]) => (counts[3] ?? 0) > (before.counters.get(oid)?.[3] ?? 0)),
      notifies: changed.includes("listening") || observer.notified > 0,
    };
  }
}

async function look(observer: Session): Promise<Seen> {
  const relations = await readRelations(observer);
  const counters = (await observer.rows(COUNTERS)).map(([oid = "", ...counts]) => [oid, counts.map(Number)] as const);
  return { relations, counters: new Map(counters), access: await readAccess(observer) };
}

function touchedBetween(before: Seen, after: Seen): readonly Touched[] {
  return [...after.counters].flatMap(([oid, counts]) => {
    const old = before.counters.get(oid) ?? [0, 0, 0];
    const [inserted = 0, updated = 0, deleted = 0] = [0, 1, 2].map((at) => (counts[at] ?? 0) - (old[at] ?? 0));
    const relation = before.relations.get(oid) ?? after.relations.get(oid);
    if (relation === undefined || relation.kind === "t" || inserted + updated + deleted === 0) return [];
    return [
      { relation, modes: new Set<string>(), inserted, updated, deleted, scans: 0, isNew: !before.relations.has(oid) },
    ];
  });
}
