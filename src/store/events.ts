/** The audit trail's index. Takes batches from `audit/`; adds nothing and drops nothing by itself. */
import type { AuditEvent } from "../model/event.ts";
import type { Database, SqlValue } from "./database.ts";
import { rowLimit } from "./sessions.ts";

export interface EventQuery {
  readonly kind?: string;
  readonly agent?: string;
  readonly sessionId?: string;
  readonly sinceMs?: number;
  readonly limit?: number;
}

export interface EventStore {
  /** All or none. */
  append(events: readonly AuditEvent[]): Promise<void>;
  /** Newest first. */
  list(query?: EventQuery): Promise<readonly AuditEvent[]>;
  /** Oldest first, each with its number, which is larger than `id`: how a reader follows the trail. */
  after(id: number, limit: number): Promise<readonly { readonly id: number; readonly event: AuditEvent }[]>;
  countAfter(id: number): Promise<number>;
}

export function createEventStore(database: Database): EventStore {
  return {
    async append(events) {
      const values = events.map((event) => [
        event.atMs,
        event.kind,
        event.agent ?? null,
        event.sessionId ?? null,
        event.connection ?? null,
        event.message,
        JSON.stringify(event.fields ?? {}),
      ]);
      await database.run(APPEND, [JSON.stringify(values)]);
    },
    async list(query = {}) {
      const wheres = ["at_ms >= ?"];
      const values: SqlValue[] = [query.sinceMs ?? 0];
      for (const [column, value] of [
        ["kind", query.kind],
        ["agent", query.agent],
        ["session_id", query.sessionId],
      ] as const) {
        if (value === undefined) continue;
        wheres.push(`${column} = ?`);
        values.push(value);
      }
      const raws = await database.all<RawEvent>(
        `SELECT * FROM events WHERE ${wheres.join(" AND ")} ORDER BY id DESC LIMIT ?`,
        [...values, rowLimit(query.limit)],
      );
      return raws.map(eventOf);
    },
    async after(id, limit) {
      const sql = "SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?";
      const raws = await database.all<RawEvent & { readonly id: number }>(sql, [id, rowLimit(limit)]);
      return raws.map((raw) => ({ id: raw.id, event: eventOf(raw) }));
    },
    async countAfter(id) {
      const row = await database.one<{ n: number }>("SELECT count(*) AS n FROM events WHERE id > ?", [id]);
      return row?.n ?? 0;
    },
  };
}

const APPEND = `INSERT INTO events (at_ms, kind, agent, session_id, connection, message, fields)
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 FROM json_each(?)`;

interface RawEvent {
  readonly at_ms: number;
  readonly kind: string;
  readonly agent: string | null;
  readonly session_id: string | null;
  readonly connection: string | null;
  readonly message: string;
  readonly fields: string;
}

function eventOf(raw: RawEvent): AuditEvent {
  const fields = JSON.parse(raw.fields) as Record<string, string | number | boolean>;
  return {
    atMs: raw.at_ms,
    kind: raw.kind,
    message: raw.message,
    ...(raw.agent !== null && { agent: raw.agent }),
    ...(raw.session_id !== null && { sessionId: raw.session_id }),
    ...(raw.connection !== null && { connection: raw.connection }),
    ...(Object.keys(fields).length > 0 && { fields }),
  };
}
