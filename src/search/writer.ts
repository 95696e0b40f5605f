/**
 * Writes rows into the index, each batch in one transaction with how far its source was read, so that a crash leaves
 * neither a gap nor a count that is doubled. The only writer.
 */
import { SEARCH_BATCH_ROWS, SEARCH_WORDS_KEPT_MAX } from "../base/limits.ts";
import type { Database, SqlValue, Statements } from "../store/database.ts";
import { type Facet, facetKey, facetOf, type Row, type Subject } from "./row.ts";

/** What was written of a session so far. */
export interface Progress {
  readonly session: string;
  readonly segment: number;
  readonly sequence: number;
  /** Of the last record. */
  readonly atMs: number;
  readonly isDone: boolean;
  /** The gatherer's, as JSON. */
  readonly carry: string;
}

export class IndexWriter {
  readonly #database: Database;
  /** Numbers of words, by facet. */
  readonly #words = new Map<string, number>();

  constructor(database: Database) {
    this.#database = database;
  }

  async progressOf(session: string): Promise<Progress | undefined> {
    const raw = await this.#database.one<RawProgress>("SELECT * FROM progress WHERE session = ?", [session]);
    return raw && { ...raw, atMs: raw.at_ms, isDone: raw.done === 1 };
  }

  /** Of these, the sessions that were read to their end. */
  async doneAmong(sessions: readonly string[]): Promise<ReadonlySet<string>> {
    const sql = "SELECT session FROM progress WHERE done = 1 AND session IN (SELECT value FROM json_each(?))";
    const rows = await this.#database.all<{ session: string }>(sql, [JSON.stringify(sessions)]);
    return new Set(rows.map(({ session }) => session));
  }

  async mark(name: string): Promise<number> {
    const row = await this.#database.one<{ value: number }>("SELECT value FROM marks WHERE name = ?", [name]);
    return row?.value ?? 0;
  }

  /** Rows of one session and how far it was read. `looks` replace what was said of it; `ended`: what is known of its end. */
  async session(
    subject: Subject,
    looks: readonly Facet[],
    ended: { readonly state: string; readonly endedMs: number | undefined },
    rows: readonly Row[],
    progress: Progress,
  ): Promise<void> {
    await this.#write(async (inside) => {
      const number = await this.#subject(inside, subject);
      await inside.run(FORGET_LOOKS, [number]);
      await this.#named(inside, number, looks);
      const { state, endedMs } = ended;
      await inside.run("UPDATE subjects SET state = ?, ended_ms = ? WHERE n = ?", [state, endedMs ?? null, number]);
      for (let at = 0; at < rows.length; at += SEARCH_BATCH_ROWS) {
        const batch = rows.slice(at, at + SEARCH_BATCH_ROWS);
        await this.#rows(
          inside,
          batch.map(() => number),
          batch,
        );
      }
      const { session, segment, sequence, atMs, isDone, carry } = progress;
      const values = [session, segment, sequence, atMs, isDone ? 1 : 0, carry];
      await inside.run("INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?)", values);
    });
  }

  /** Events, each with whom it is about, and the number of the last. */
  async events(events: readonly { readonly subject: Subject; readonly row: Row }[], last: number): Promise<void> {
    await this.#write(async (inside) => {
      const numbers: number[] = [];
      const known = new Map<string, number>();
      for (const { subject } of events) {
        const number = known.get(subject.key) ?? (await this.#subject(inside, subject));
        known.set(subject.key, number);
        numbers.push(number);
      }
      await this.#rows(
        inside,
        numbers,
        events.map(({ row }) => row),
      );
      await inside.run("INSERT OR REPLACE INTO marks VALUES ('events', ?)", [last]);
    });
  }

  /** What is known of a session that is gone: its recording was deleted. */
  async forget(sessions: readonly string[]): Promise<void> {
    const ids = JSON.stringify(sessions);
    const subjects = "SELECT n FROM subjects WHERE session IN (SELECT value FROM json_each(?))";
    const entries = `SELECT n FROM entries WHERE subject IN (${subjects})`;
    await this.#write(async (inside) => {
      await inside.run(
        `INSERT INTO texts (texts, rowid, text, names, message)
         SELECT 'delete', n, text, names, message FROM entries WHERE subject IN (${subjects})`,
        [ids],
      );
      await inside.run(`DELETE FROM facets WHERE entry IN (${entries})`, [ids]);
      await inside.run(`DELETE FROM findings WHERE entry IN (${entries})`, [ids]);
      await inside.run(`DELETE FROM entries WHERE subject IN (${subjects})`, [ids]);
      await inside.run(`DELETE FROM subject_facets WHERE subject IN (${subjects})`, [ids]);
      await inside.run("DELETE FROM subjects WHERE session IN (SELECT value FROM json_each(?))", [ids]);
      // Else they would be looked for again.
      await inside.run("INSERT OR REPLACE INTO progress SELECT value, 1, 0, 0, 1, '' FROM json_each(?)", [ids]);
    });
  }

  async #write(work: (inside: Statements) => Promise<void>): Promise<void> {
    try {
      await this.#database.transaction(work);
    } catch (error) {
      this.#words.clear(); // words that were made in it are gone
      throw error;
    }
  }

  /** The subject's number. What a session's start says replaces what an event said of it before. */
  async #subject(inside: Statements, subject: Subject): Promise<number> {
    const { key, session, agent, connection, user, executable, pid, startedMs } = subject;
    const known = await inside.one<{ n: number; pid: number }>("SELECT n, pid FROM subjects WHERE key = ?", [key]);
    if (known !== undefined && (known.pid !== 0 || pid === 0)) return this.#named(inside, known.n, subject.facets);
    const values = [session ?? null, agent, connection, user, executable, pid, startedMs] as const;
    if (known !== undefined) {
      const set = "session = ?, agent = ?, connection = ?, user = ?, executable = ?, pid = ?, started_ms = ?";
      await inside.run(`UPDATE subjects SET ${set} WHERE n = ?`, [...values, known.n]);
      return this.#named(inside, known.n, subject.facets);
    }
    const made = await inside.one<{ n: number }>(
      `INSERT INTO subjects (key, session, agent, connection, user, executable, pid, started_ms, state)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'open') RETURNING n`,
      [key, ...values],
    );
    return this.#named(inside, made?.n ?? 0, subject.facets);
  }

  async #named(inside: Statements, number: number, facets: readonly Facet[]): Promise<number> {
    if (facets.length === 0) return number;
    await this.#learn(inside, facets);
    const pairs = facets.map((facet) => [this.#words.get(facetKey(facet)) ?? 0, number]);
    await inside.run(PUT_SUBJECT_FACETS, [JSON.stringify(pairs)]);
    return number;
  }

  async #rows(inside: Statements, subjects: readonly number[], rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return;
    const keys = JSON.stringify(rows.map(({ key }) => key));
    const found = await inside.all<{ n: number; key: string }>(
      "SELECT n, key FROM entries WHERE key IN (SELECT value FROM json_each(?))",
      [keys],
    );
    const numbers = new Map(found.map(({ n, key }) => [key, n]));
    const last = await inside.one<{ n: number | null }>("SELECT max(n) AS n FROM entries");
    let next = (last?.n ?? 0) + 1;
    const added: SqlValue[][] = [];
    const counted: SqlValue[][] = [];
    for (const [at, row] of rows.entries()) {
      const known = numbers.get(row.key);
      if (known === undefined) {
        numbers.set(row.key, next);
        added.push(valuesOf(next++, subjects[at] ?? 0, row));
      } else counted.push([known, row.count, row.lastMs, row.folded ? 1 : 0]);
    }
    await this.#learn(
      inside,
      rows.flatMap(({ facets }) => [...facets].map(facetOf)),
    );
    const facets: number[][] = [];
    const findings: SqlValue[][] = [];
    for (const row of rows) {
      const number = numbers.get(row.key) ?? 0;
      for (const facet of row.facets) facets.push([this.#words.get(facet) ?? 0, number]);
      for (const { by, column, masked, shown } of row.findings.values())
        findings.push([number, by, column, masked, shown]);
    }
    const list = JSON.stringify(added);
    await inside.run(PUT_ENTRIES, [list]);
    await inside.run(PUT_TEXTS, [list]);
    if (counted.length > 0) await inside.run(COUNT_ENTRIES, [JSON.stringify(counted)]);
    await inside.run(PUT_FACETS, [JSON.stringify(facets)]);
    if (findings.length > 0) await inside.run(PUT_FINDINGS, [JSON.stringify(findings)]);
  }

  /** Afterwards the number of each is known. */
  async #learn(inside: Statements, facets: readonly Facet[]): Promise<void> {
    if (this.#words.size > SEARCH_WORDS_KEPT_MAX) this.#words.clear();
    const unknown = new Map<string, Facet>();
    for (const facet of facets) {
      const key = facetKey(facet);
      if (!this.#words.has(key)) unknown.set(key, facet);
    }
    if (unknown.size === 0) return;
    const list = JSON.stringify([...unknown.values()]);
    await inside.run(PUT_WORDS, [list]);
    const found = await inside.all<{ n: number; term: string; value: string }>(GET_WORDS, [list]);
    for (const { n, term, value } of found) this.#words.set(facetKey([term, value]), n);
  }
}

interface RawProgress {
  readonly session: string;
  readonly segment: number;
  readonly sequence: number;
  readonly at_ms: number;
  readonly done: number;
  readonly carry: string;
}

/** In the order of the table's columns. */
function valuesOf(number: number, subject: number, row: Row): SqlValue[] {
  const { key, kind, atMs, lastMs, count, sequence, decision, rules, folded, text, names, message } = row;
  const said = [decision, JSON.stringify(rules), folded ? 1 : 0, text, names, message];
  return [number, key, subject, kind, atMs, lastMs, count, sequence, ...said];
}

/** Of detectors that looked at a session all the time, or at times; no terms that anybody can ask for. */
export const LOOKS = "looks";
export const LOOKS_PARTLY = "looks-partly";
/** Of a session that was not read in full, whatever it was that stood in the way. */
export const LACKS: Facet = ["lacks", "records"];
const FORGET_LOOKS = `DELETE FROM subject_facets WHERE subject = ? AND word IN
  (SELECT n FROM words WHERE term IN ('${LOOKS}', '${LOOKS_PARTLY}'))`;
const columns = (count: number) => Array.from({ length: count }, (_, at) => `value ->> ${at}`).join(", ");
// One value per statement, a JSON list of lists: a batch is one call and one thread hop.
const PUT_ENTRIES = `INSERT INTO entries SELECT ${columns(14)} FROM json_each(?)`;
const PUT_TEXTS = `INSERT INTO texts (rowid, text, names, message)
  SELECT value ->> 0, value ->> 11, value ->> 12, value ->> 13 FROM json_each(?)`;
const COUNT_ENTRIES = `UPDATE entries SET count = count + (j.value ->> 1), last_ms = max(last_ms, j.value ->> 2),
  folded = max(folded, j.value ->> 3) FROM json_each(?) AS j WHERE entries.n = j.value ->> 0`;
const PUT_FACETS = `INSERT OR IGNORE INTO facets SELECT ${columns(2)} FROM json_each(?)`;
const PUT_SUBJECT_FACETS = `INSERT OR IGNORE INTO subject_facets SELECT ${columns(2)} FROM json_each(?)`;
const PUT_FINDINGS = `INSERT INTO findings SELECT ${columns(5)} FROM json_each(?) WHERE true
  ON CONFLICT DO UPDATE SET masked = masked + excluded.masked, shown = shown + excluded.shown`;
const PUT_WORDS = `INSERT OR IGNORE INTO words (term, value) SELECT ${columns(2)} FROM json_each(?)`;
const GET_WORDS = `SELECT n, term, words.value AS value FROM json_each(?) AS j
  JOIN words ON term = j.value ->> 0 AND words.value = j.value ->> 1`;
