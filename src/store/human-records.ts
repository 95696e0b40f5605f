/** What is known of humans, their sessions, tokens, broken glass and delegations: rows of JSON by kind. No secrets, no rules. */
import type { Database } from "./database.ts";

export type HumanRecordKind = "human" | "account" | "session" | "token" | "break-glass" | "delegation";

export interface HumanRecordStore {
  /** Replaces an earlier one of the same kind and id. */
  put(kind: HumanRecordKind, id: string, document: unknown): Promise<void>;
  remove(kind: HumanRecordKind, id: string): Promise<void>;
  /** The shape of a document is the caller's promise about its own kind. */
  all<T>(kind: HumanRecordKind): Promise<readonly (readonly [id: string, document: T])[]>;
}

export function createHumanRecordStore(database: Database): HumanRecordStore {
  return {
    async put(kind, id, document) {
      await database.run("INSERT OR REPLACE INTO human_records VALUES (?, ?, ?)", [kind, id, JSON.stringify(document)]);
    },
    async remove(kind, id) {
      await database.run("DELETE FROM human_records WHERE kind = ? AND id = ?", [kind, id]);
    },
    async all<T>(kind: HumanRecordKind) {
      const sql = "SELECT id, document FROM human_records WHERE kind = ? ORDER BY id";
      const rows = await database.all<{ id: string; document: string }>(sql, [kind]);
      return rows.map(({ id, document }) => [id, JSON.parse(document) as T] as const);
    },
  };
}
