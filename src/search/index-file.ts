/**
 * `<state>/search.db`: an index that can be built anew at any time, so it is never mended. One that is damaged, or of
 * another version, is deleted. Knows the tables; not what they mean.
 */
import { rmSync } from "node:fs";
import { codeOf, UserError } from "../base/errors.ts";
import { type Database, openDatabase } from "../store/database.ts";

/** One more with every change of the tables or of what goes into them. */
const VERSION = 2;

/**
 * `subjects`: sessions, and who else events are about. `words`: every value of every term, once. `facets` and
 * `subject_facets`: which of them an entry or a subject has. `findings`: values in answers by column and by label or
 * detector. `texts`: full text over `entries`. `progress`: how far a session was read. `marks`: the same of events.
 */
const TABLES = `
  CREATE TABLE subjects (
    n INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, session TEXT, agent TEXT NOT NULL, connection TEXT NOT NULL,
    user TEXT NOT NULL, executable TEXT NOT NULL, pid INTEGER NOT NULL, started_ms INTEGER NOT NULL, ended_ms INTEGER,
    state TEXT NOT NULL
  );
  CREATE TABLE words (n INTEGER PRIMARY KEY, term TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (term, value));
  CREATE TABLE subject_facets (word INTEGER NOT NULL, subject INTEGER NOT NULL, PRIMARY KEY (word, subject)) WITHOUT ROWID;
  CREATE INDEX facets_of_subject ON subject_facets (subject);
  CREATE TABLE entries (
    n INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, subject INTEGER NOT NULL, kind TEXT NOT NULL,
    at_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL, sequence INTEGER NOT NULL,
    decision TEXT NOT NULL, rules TEXT NOT NULL, folded INTEGER NOT NULL,
    text TEXT NOT NULL, names TEXT NOT NULL, message TEXT NOT NULL
  );
  CREATE INDEX entries_by_subject ON entries (subject, n);
  CREATE TABLE facets (word INTEGER NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY (word, entry)) WITHOUT ROWID;
  CREATE INDEX facets_of_entry ON facets (entry);
  CREATE TABLE findings (
    entry INTEGER NOT NULL, by TEXT NOT NULL, col TEXT NOT NULL, masked INTEGER NOT NULL, shown INTEGER NOT NULL,
    PRIMARY KEY (entry, by, col)
  ) WITHOUT ROWID;
  CREATE VIRTUAL TABLE texts USING fts5 (
    text, names, message, content = 'entries', content_rowid = 'n', tokenize = "unicode61 tokenchars '_'"
  );
  CREATE TABLE progress (session TEXT PRIMARY KEY, segment INTEGER NOT NULL, sequence INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, done INTEGER NOT NULL, carry TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;`;

export interface IndexFile {
  readonly database: Database;
  /** Why what was there before is gone; undefined: it was taken as it is, or there was none. */
  readonly rebuilt: string | undefined;
}

/** Opens or makes it. Throws what SQLite throws where no file can be made at all. */
export async function openIndex(file: string): Promise<IndexFile> {
  let rebuilt: string | undefined;
  try {
    const { database, found } = await attempt(file);
    if (found === VERSION) return { database, rebuilt };
    if (found === 0) {
      await create(database);
      return { database, rebuilt };
    }
    await database.close();
    rebuilt = `it has version ${found}, and this program writes version ${VERSION}`;
  } catch (error) {
    if (!isDamage(error)) throw error;
    rebuilt = "it is damaged";
  }
  removeIndex(file);
  const { database } = await attempt(file);
  await create(database);
  return { database, rebuilt };
}

export function removeIndex(file: string): void {
  for (const side of ["", "-wal", "-shm", "-journal"]) rmSync(`${file}${side}`, { force: true });
}

/** Whether building it anew could help. */
export function isDamage(error: unknown): boolean {
  const codes = ["SQLITE_CORRUPT", "SQLITE_NOTADB"];
  if (error instanceof UserError) return error.code === "STORE_DAMAGED" || isDamage(error.cause);
  // A table that is not there, or not as it was made, is damage of another kind.
  return (
    codes.includes(codeOf(error)) ||
    /no such (table|column)|malformed|has no column|vtable constructor/.test(String(error))
  );
}

async function attempt(file: string): Promise<{ database: Database; found: number }> {
  const database = await openDatabase(file);
  try {
    const row = await database.one<{ user_version: number }>("PRAGMA user_version");
    await database.one("SELECT count(*) FROM sqlite_schema");
    // What is deleted here is deleted because its recording is, or to be written anew.
    await database.script("PRAGMA cache_size = -4096");
    return { database, found: row?.user_version ?? 0 };
  } catch (error) {
    await database.close().catch(() => undefined);
    throw error;
  }
}

async function create(database: Database): Promise<void> {
  await database.transaction(async (inside) => {
    await inside.script(TABLES);
    await inside.run(`PRAGMA user_version = ${VERSION}`);
  });
}
