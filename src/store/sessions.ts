/**
 * The index of recordings: what sessions there are and what they come to. Written behind the data path in
 * batches and rebuilt from the recordings when lost; what was asked in them is in the recordings alone.
 */
import { UserError } from "../base/errors.ts";
import { EVENTS_QUEUED_MAX, INDEX_WAIT_MS, LISTED_ROWS_MAX } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { createBatches } from "./batches.ts";
import type { Database, SqlValue } from "./database.ts";

export type SessionState = "open" | "ended" | "interrupted";

export interface SessionRow {
  readonly id: string;
  readonly agent: string;
  readonly connection: string;
  readonly protocol: string;
  readonly pid: number;
  readonly uid: number;
  readonly user: string;
  readonly executable: string;
  readonly address: string;
  readonly port: number;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  readonly statements: number;
  readonly denied: number;
  /** Values that were masked. */
  readonly masked: number;
  readonly rows: number;
  /** From the client, and to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly state: SessionState;
  /** Of the first segment, relative to the folder of recordings. */
  readonly file: string;
}

export interface SessionQuery {
  readonly agent?: string;
  readonly connection?: string;
  readonly state?: SessionState;
  /** Only sessions that started before this: for the next page. */
  readonly beforeMs?: number;
  readonly endedSinceMs?: number;
  /** At most LISTED_ROWS_MAX; 100 unless told. */
  readonly limit?: number;
}

export interface SessionStore {
  /**
   * Queued; a later row of the same session replaces an earlier one that still waits. Counted in `lost`
   * when the queue is full.
   */
  put(row: SessionRow): void;
  readonly lost: number;
  /** Everything put before is in the database, kept until that takes it, or counted as lost. */
  flush(): Promise<void>;
  get(id: string): Promise<SessionRow | undefined>;
  /** Newest first. */
  list(query?: SessionQuery): Promise<readonly SessionRow[]>;
  /** All of them, by id, a page at a time. */
  each(): AsyncIterable<SessionRow>;
  /** Forgets one session, or all, before its rows are put again from the recordings. */
  forget(id: string | "all"): Promise<void>;
}

export function createSessionStore(database: Database, log: Log): SessionStore {
  const sessions = new Map<string, SessionRow>();
  /** What the database did not take: a disk is full for a while, and its sessions would stay open for ever. */
  const refused = new Map<string, SessionRow>();
  let forgotten = 0;
  // Carries ids only: the row written is the newest one put, so a busy session costs one row a batch.
  const changed = createBatches<string>({
    rowsMax: EVENTS_QUEUED_MAX,
    waitMs: INDEX_WAIT_MS,
    write: async (ids) => {
      const rows = ids.flatMap((id) => sessions.get(id) ?? []);
      for (const id of ids) sessions.delete(id);
      try {
        await database.run(PUT_SESSIONS, [JSON.stringify(rows.map(sessionValues))]);
        again();
      } catch (error) {
        if (!(error instanceof UserError)) throw error; // no disk's fault: it would be refused again
        for (const row of rows) keep(row);
        log.error("Cannot write sessions to the index", { rows: rows.length, error: String(error) });
      }
    },
    failed: (error, rows) => log.error("Cannot write sessions to the index", { rows, error: String(error) }),
  });

  function put(row: SessionRow): void {
    refused.delete(row.id);
    if (sessions.has(row.id)) sessions.set(row.id, row);
    else if (changed.add(row.id)) sessions.set(row.id, row);
  }

  function keep(row: SessionRow): void {
    if (sessions.has(row.id)) return; // a newer one waits
    if (refused.size >= EVENTS_QUEUED_MAX) forgotten += 1;
    else refused.set(row.id, row);
  }

  /** Once the database takes rows again, or somebody wants to know. */
  function again(): void {
    for (const row of [...refused.values()]) put(row);
  }

  return {
    put,
    get lost() {
      return changed.lost + forgotten;
    },
    async flush() {
      again();
      await changed.flush();
    },
    async get(id) {
      const raw = await database.one<RawSession>(`${SELECT_SESSIONS} WHERE id = ?`, [id]);
      return raw && sessionOf(raw);
    },
    async list(query = {}) {
      const wheres: string[] = [];
      const values: SqlValue[] = [];
      const add = (where: string, value: SqlValue | undefined) => {
        if (value === undefined) return;
        wheres.push(where);
        values.push(value);
      };
      add("agent = ?", query.agent);
      add("connection = ?", query.connection);
      add("state = ?", query.state);
      add("started_ms < ?", query.beforeMs);
      add("ended_ms >= ?", query.endedSinceMs);
      const where = wheres.length === 0 ? "" : `WHERE ${wheres.join(" AND ")}`;
      const raws = await database.all<RawSession>(
        `${SELECT_SESSIONS} ${where} ORDER BY started_ms DESC, id DESC LIMIT ?`,
        [...values, rowLimit(query.limit)],
      );
      return raws.map(sessionOf);
    },
    async *each() {
      for (let last = ""; ; ) {
        const raws = await database.all<RawSession>(`${SELECT_SESSIONS} WHERE id > ? ORDER BY id LIMIT ?`, [
          last,
          PAGE_ROWS,
        ]);
        yield* raws.map(sessionOf);
        const next = raws.at(-1)?.id;
        if (next === undefined) return;
        last = next;
      }
    },
    async forget(id) {
      if (id === "all") await database.run("DELETE FROM sessions");
      else await database.run("DELETE FROM sessions WHERE id = ?", [id]);
    },
  };
}

const PAGE_ROWS = 1_000;

/** A listing without a limit of its own is a page; none is longer than LISTED_ROWS_MAX. */
export function rowLimit(asked: number | undefined): number {
  return Math.max(1, Math.min(asked ?? 100, LISTED_ROWS_MAX));
}

// One value per statement, a JSON list of lists: a batch is one call, one thread hop and one transaction.
const COLUMNS = Array.from({ length: 20 }, (_, at) => `value ->> ${at}`).join(", ");
const PUT_SESSIONS = `INSERT OR REPLACE INTO sessions SELECT ${COLUMNS} FROM json_each(?)`;
const SELECT_SESSIONS = "SELECT * FROM sessions";

interface RawSession {
  readonly id: string;
  readonly agent: string;
  readonly connection: string;
  readonly protocol: string;
  readonly pid: number;
  readonly uid: number;
  readonly user: string;
  readonly executable: string;
  readonly address: string;
  readonly port: number;
  readonly started_ms: number;
  readonly ended_ms: number | null;
  readonly statements: number;
  readonly denied: number;
  readonly masked: number;
  readonly rows: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly state: SessionState;
  readonly file: string;
}

/** In the order of the table's columns. */
function sessionValues(row: SessionRow): readonly (string | number | null)[] {
  return [
    row.id,
    row.agent,
    row.connection,
    row.protocol,
    row.pid,
    row.uid,
    row.user,
    row.executable,
    row.address,
    row.port,
    row.startedMs,
    row.endedMs ?? null,
    row.statements,
    row.denied,
    row.masked,
    row.rows,
    row.bytesIn,
    row.bytesOut,
    row.state,
    row.file,
  ];
}

function sessionOf(raw: RawSession): SessionRow {
  const { started_ms, ended_ms, bytes_in, bytes_out, ...same } = raw;
  return {
    ...same,
    startedMs: started_ms,
    endedMs: ended_ms ?? undefined,
    bytesIn: bytes_in,
    bytesOut: bytes_out,
  };
}
