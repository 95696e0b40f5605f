/** Held actions as they stood last, so that a new daemon knows what the old one had let go. Rows only; no rules. */
import { HOLDS_KEPT_MAX } from "../base/limits.ts";
import type { Database } from "./database.ts";
import { rowLimit } from "./sessions.ts";

export interface HoldRow {
  readonly id: string;
  readonly state: string;
  /** Equal for what is shown as similar; "" for none. */
  readonly likeness: string;
  readonly openedMs: number;
  /** All of it, as JSON. */
  readonly document: string;
}

export interface HoldStore {
  /** Replaces an earlier row of the same hold. Resolves when the database has it. */
  put(row: HoldRow): Promise<void>;
  get(id: string): Promise<HoldRow | undefined>;
  /** Newest first, at most LISTED_ROWS_MAX. */
  list(limit?: number): Promise<readonly HoldRow[]>;
  /** Of one likeness, newest first, without `but`. */
  similar(likeness: string, but: string, limit: number): Promise<readonly HoldRow[]>;
  /** Those that are waiting, approved or running, oldest first. */
  open(): Promise<readonly HoldRow[]>;
  /** Forgets the oldest that have ended, beyond HOLDS_KEPT_MAX. */
  prune(): Promise<void>;
}

export function createHoldStore(database: Database): HoldStore {
  return {
    async put({ id, state, likeness, openedMs, document }) {
      await database.run("INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?)", [
        id,
        state,
        likeness,
        openedMs,
        document,
      ]);
    },
    get: async (id) => {
      const raw = await database.one<RawHold>("SELECT * FROM holds WHERE id = ?", [id]);
      return raw && holdOf(raw);
    },
    list: async (limit) => {
      const sql = "SELECT * FROM holds ORDER BY opened_ms DESC, id DESC LIMIT ?";
      return (await database.all<RawHold>(sql, [rowLimit(limit)])).map(holdOf);
    },
    similar: async (likeness, but, limit) => {
      const sql = "SELECT * FROM holds WHERE likeness = ? AND id <> ? ORDER BY opened_ms DESC LIMIT ?";
      return likeness === "" ? [] : (await database.all<RawHold>(sql, [likeness, but, limit])).map(holdOf);
    },
    open: async () => {
      const sql = "SELECT * FROM holds WHERE state IN ('waiting', 'approved', 'running') ORDER BY opened_ms, id";
      return (await database.all<RawHold>(sql)).map(holdOf);
    },
    async prune() {
      const kept = "SELECT id FROM holds ORDER BY opened_ms DESC LIMIT ?";
      const ended = "state NOT IN ('waiting', 'approved', 'running')";
      await database.run(`DELETE FROM holds WHERE ${ended} AND id NOT IN (${kept})`, [HOLDS_KEPT_MAX]);
    },
  };
}

interface RawHold {
  readonly id: string;
  readonly state: string;
  readonly likeness: string;
  readonly opened_ms: number;
  readonly document: string;
}

function holdOf({ id, state, likeness, opened_ms: openedMs, document }: RawHold): HoldRow {
  return { id, state, likeness, openedMs, document };
}
