/** Answers one search from the index. Reads only; what is too much is ended and told. */
import { codeOf, UserError } from "../base/errors.ts";
import { SEARCH_WAIT_MS } from "../base/limits.ts";
import type {
  FoundEntry,
  FoundSession,
  FoundValue,
  Looked,
  SearchAnswer,
  SearchLag,
  SearchRequest,
} from "../model/search.ts";
import type { Database } from "../store/database.ts";
import { type Compiled, compile } from "./compile.ts";
import { parseQuery } from "./query.ts";
import { LACKS, LOOKS, LOOKS_PARTLY } from "./writer.ts";

/** Ids of sessions in which a detector did not look. */
const EXAMPLES_MAX = 5;
const INTERRUPT_EVERY_MS = 100;

/** Throws UserError SEARCH_QUERY, SEARCH_TOO_WIDE. `database`: a connection of its own, which may be interrupted. */
export async function ask(
  database: Database,
  request: SearchRequest,
  nowMs: number,
  lag: SearchLag,
): Promise<SearchAnswer> {
  const query = parseQuery(request.query, nowMs);
  const cursor = cursorOf(request.cursor);
  // Again and again: it is several statements, and each must end.
  const endMs = performance.now() + SEARCH_WAIT_MS;
  const timer = setInterval(() => performance.now() > endMs && database.interrupt(), INTERRUPT_EVERY_MS);
  try {
    const compiled = await compile(query, database);
    const by = request.by ?? (compiled.asksValues || !compiled.asksEntries ? "sessions" : "entries");
    const found =
      by === "sessions"
        ? await sessionsOf(database, compiled, request.limit, cursor)
        : await entriesOf(database, compiled, request.limit, cursor);
    const looked = await Promise.all(compiled.detectors.map((detector) => lookedOf(database, compiled, detector)));
    const where = `FROM subjects s WHERE s.session IS NOT NULL AND s.state = 'interrupted' AND ${compiled.subjects.text}`;
    const interrupted = await database.one<{ n: number }>(`SELECT count(*) AS n ${where}`, compiled.subjects.values);
    const unread = await unreadOf(database, compiled);
    return { by, sessions: [], entries: [], ...found, looked, interrupted: interrupted?.n ?? 0, unread, lag };
  } catch (error) {
    if (codeOf(error) !== "SQLITE_INTERRUPT") throw error;
    const message = `Cannot search: more than ${SEARCH_WAIT_MS / 1_000} s would be needed`;
    throw new UserError("SEARCH_TOO_WIDE", message, "Narrow it: name an agent, a connection or since:", {
      cause: error,
    });
  } finally {
    clearInterval(timer);
  }
}

function cursorOf(text: string | undefined): number {
  if (text === undefined) return Number.MAX_SAFE_INTEGER;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new UserError("SEARCH_QUERY", "Cannot search: the cursor is none", "Take it from the page before", {
    exitCode: 2,
  });
}

async function entriesOf(database: Database, { entries, order }: Compiled, limit: number, cursor: number) {
  const raws = await database.all<RawEntry>(
    `SELECT e.n, e.kind, e.at_ms, e.last_ms, e.count, e.sequence, e.decision, e.rules, e.folded, e.text, e.message,
       s.session, s.agent, s.connection ${entries.text} AND ${order} < ? ORDER BY ${order} DESC LIMIT ?`,
    [...entries.values, cursor, limit + 1],
  );
  const page = raws.slice(0, limit);
  const findings = await findingsOf(
    database,
    page.map(({ n }) => n),
  );
  return {
    entries: page.map((raw) => entryOf(raw, findings.get(raw.n) ?? [])),
    ...(raws.length > limit ? { next: String(page.at(-1)?.n) } : {}),
  };
}

async function findingsOf(database: Database, numbers: readonly number[]) {
  const rows = await database.all<RawFinding & { of: number }>(
    `SELECT f.entry AS "of", f.col, f.by, f.masked, f.shown FROM findings f
     WHERE f.entry IN (SELECT value FROM json_each(?))`,
    [JSON.stringify(numbers)],
  );
  return grouped(rows);
}

async function sessionsOf(database: Database, compiled: Compiled, limit: number, cursor: number) {
  const { entries, subjects, findings, asksEntries, asksValues } = compiled;
  const isFirst = cursor === Number.MAX_SAFE_INTEGER;
  const raws = asksEntries
    ? await database.all<RawSession>(
        `SELECT s.n, s.session, s.agent, s.connection, s.user, s.executable, s.pid, s.started_ms, s.ended_ms, s.state,
           count(*) AS entries, min(e.at_ms) AS first_ms, max(e.last_ms) AS last_ms
         ${entries.text} AND s.session IS NOT NULL AND e.subject < ? GROUP BY e.subject ORDER BY e.subject DESC LIMIT ?`,
        [...entries.values, cursor, limit + 1],
      )
    : await database.all<RawSession>(
        `SELECT s.n, s.session, s.agent, s.connection, s.user, s.executable, s.pid, s.started_ms, s.ended_ms, s.state,
           0 AS entries, s.started_ms AS first_ms, coalesce(s.ended_ms, s.started_ms) AS last_ms
         FROM subjects s WHERE s.session IS NOT NULL AND s.n < ? AND ${subjects.text} ORDER BY s.n DESC LIMIT ?`,
        [cursor, ...subjects.values, limit + 1],
      );
  const page = raws.slice(0, limit);
  const rows = !asksValues
    ? []
    : await database.all<RawFinding & { of: number }>(
        `SELECT e.subject AS "of", f.col, f.by, sum(f.masked) AS masked, sum(f.shown) AS shown
         FROM (SELECT e.n, e.subject ${entries.text} AND e.subject IN (SELECT value FROM json_each(?))) e
         CROSS JOIN findings f ON f.entry = e.n WHERE ${findings.text} GROUP BY e.subject, f.col, f.by`,
        [...entries.values, JSON.stringify(page.map(({ n }) => n)), ...findings.values],
      );
  const values = grouped(rows);
  const totals = !asksValues || !isFirst ? undefined : await totalsOf(database, entries, findings);
  return {
    sessions: page.map((raw) => sessionOf(raw, values.get(raw.n) ?? [])),
    ...(totals === undefined ? {} : { totals }),
    ...(raws.length > limit ? { next: String(page.at(-1)?.n) } : {}),
  };
}

async function totalsOf(database: Database, entries: Compiled["entries"], findings: Compiled["findings"]) {
  const row = await database.one<{ sessions: number; masked: number | null; shown: number | null }>(
    `SELECT count(DISTINCT e.subject) AS sessions, sum(f.masked) AS masked, sum(f.shown) AS shown
     FROM (SELECT e.n, e.subject ${entries.text} AND s.session IS NOT NULL) e
     CROSS JOIN findings f ON f.entry = e.n WHERE ${findings.text}`,
    [...entries.values, ...findings.values],
  );
  return { sessions: row?.sessions ?? 0, masked: row?.masked ?? 0, shown: row?.shown ?? 0 };
}

/** Of sessions that fit in who they are and when: in how many did the detector look? */
async function lookedOf(database: Database, { subjects }: Compiled, detector: string): Promise<Looked> {
  const looks = (term: string) => `EXISTS (SELECT 1 FROM words w JOIN subject_facets x ON x.word = w.n
    WHERE w.term = '${term}' AND w.value = ? AND x.subject = s.n)`;
  const base = `FROM subjects s WHERE s.session IS NOT NULL AND ${subjects.text}`;
  const row = await database.one<RawLooked>(
    `SELECT count(*) AS sessions, sum(partly) AS partly, sum(NOT fully AND NOT partly) AS "not",
       min(CASE WHEN NOT fully AND NOT partly THEN started_ms END) AS from_ms,
       max(CASE WHEN NOT fully AND NOT partly THEN started_ms END) AS to_ms
     FROM (SELECT s.started_ms, ${looks(LOOKS)} AS fully, ${looks(LOOKS_PARTLY)} AS partly ${base})`,
    [detector, detector, ...subjects.values],
  );
  const examples: readonly { session: string }[] =
    (row?.not ?? 0) === 0
      ? []
      : await database.all<{ session: string }>(
          `SELECT s.session ${base} AND NOT ${looks(LOOKS)} AND NOT ${looks(LOOKS_PARTLY)} ORDER BY s.n DESC LIMIT ?`,
          [...subjects.values, detector, detector, EXAMPLES_MAX],
        );
  return {
    detector,
    sessions: row?.sessions ?? 0,
    notLooked: row?.not ?? 0,
    partly: row?.partly ?? 0,
    ...(row?.from_ms == null ? {} : { notLookedFromMs: row.from_ms }),
    ...(row?.to_ms == null ? {} : { notLookedToMs: row.to_ms }),
    examples: examples.map(({ session }) => session),
  };
}

async function unreadOf(database: Database, { subjects }: Compiled): Promise<number> {
  const row = await database.one<{ n: number }>(
    `SELECT count(*) AS n FROM words w JOIN subject_facets x ON x.word = w.n JOIN subjects s ON s.n = x.subject
     WHERE w.term = ? AND w.value = ? AND s.session IS NOT NULL AND ${subjects.text}`,
    [...LACKS, ...subjects.values],
  );
  return row?.n ?? 0;
}

interface RawLooked {
  readonly sessions: number;
  readonly partly: number | null;
  readonly not: number | null;
  readonly from_ms: number | null;
  readonly to_ms: number | null;
}

interface RawFinding {
  readonly col: string;
  readonly by: string;
  readonly masked: number;
  readonly shown: number;
}

interface RawEntry {
  readonly n: number;
  readonly kind: string;
  readonly at_ms: number;
  readonly last_ms: number;
  readonly count: number;
  readonly sequence: number;
  readonly decision: string;
  readonly rules: string;
  readonly folded: number;
  readonly text: string;
  readonly message: string;
  readonly session: string | null;
  readonly agent: string;
  readonly connection: string;
}

interface RawSession {
  readonly n: number;
  readonly session: string;
  readonly agent: string;
  readonly connection: string;
  readonly user: string;
  readonly executable: string;
  readonly pid: number;
  readonly started_ms: number;
  readonly ended_ms: number | null;
  readonly state: string;
  readonly entries: number;
  readonly first_ms: number;
  readonly last_ms: number;
}

function grouped(rows: readonly (RawFinding & { readonly of: number })[]): Map<number, FoundValue[]> {
  const all = new Map<number, FoundValue[]>();
  for (const { of, col: column, by, masked, shown } of rows) {
    const own = all.get(of) ?? [];
    all.set(of, own);
    own.push({ column, by, masked, shown });
  }
  return all;
}

function entryOf(raw: RawEntry, findings: readonly FoundValue[]): FoundEntry {
  const { kind, count, agent, connection, text, message, sequence, decision, session } = raw;
  return {
    ...{ kind, atMs: raw.at_ms, lastMs: raw.last_ms, count, agent, connection, text, message, findings },
    ...(session === null ? {} : { session }),
    ...(sequence === 0 ? {} : { number: sequence }),
    ...(decision === "" ? {} : { decision }),
    rules: JSON.parse(raw.rules) as string[],
    folded: raw.folded === 1,
  };
}

function sessionOf(raw: RawSession, findings: readonly FoundValue[]): FoundSession {
  const { session: id, agent, connection, user, executable, pid, state, entries } = raw;
  return {
    ...{ id, agent, connection, user, executable, pid, state, entries, findings },
    ...{ startedMs: raw.started_ms, firstMs: raw.first_ms, lastMs: raw.last_ms },
    ...(raw.ended_ms === null ? {} : { endedMs: raw.ended_ms }),
  };
}
