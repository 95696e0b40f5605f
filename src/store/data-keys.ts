/** Data keys of sealed recordings, themselves sealed by the vault. A destroyed one leaves its name and the reason. */
import { UserError } from "../base/errors.ts";
import type { Database } from "./database.ts";

export interface DataKeyRow {
  readonly id: string;
  readonly createdMs: number;
  readonly nonce: Uint8Array;
  /** Ciphertext followed by its tag; undefined once it was destroyed. */
  readonly sealed: Uint8Array | undefined;
  readonly destroyedMs: number | undefined;
  /** As the person gave it. */
  readonly reason: string;
}

export interface DataKeyStore {
  insert(row: DataKeyRow): Promise<void>;
  /** False: there is none of that id that is not destroyed. What is left of it is in the log until `scrub`. */
  destroy(id: string, atMs: number, reason: string): Promise<boolean>;
  /** Nothing of a destroyed key is left in the database or its log. Throws DATA_KEY_LEFT where somebody reads the log. */
  scrub(): Promise<void>;
  /** Oldest first. */
  all(): Promise<readonly DataKeyRow[]>;
}

export function createDataKeyStore(database: Database): DataKeyStore {
  return {
    async insert({ id, createdMs, nonce, sealed }) {
      const values = [id, createdMs, nonce, sealed ?? null];
      await database.run("INSERT INTO data_keys VALUES (?, ?, ?, ?, NULL, '')", values);
    },
    async destroy(id, atMs, reason) {
      const changed = await database.run(
        "UPDATE data_keys SET nonce = x'', sealed = NULL, destroyed_ms = ?, reason = ? WHERE id = ? AND sealed IS NOT NULL",
        [atMs, reason, id],
      );
      return changed > 0;
    },
    async scrub() {
      // secure_delete overwrites the page in the database; the log still has it as it was
      const done = await database.one<{ busy: number }>("PRAGMA wal_checkpoint(TRUNCATE)");
      if (done?.busy === 0) return;
      throw new UserError(
        "DATA_KEY_LEFT",
        "The data key is destroyed, but its sealed form is still in the database's log: another program reads the database",
        "End that program (a backup, sqlite3), then destroy the same key again",
      );
    },
    async all() {
      const raws = await database.all<RawKey>("SELECT * FROM data_keys ORDER BY created_ms, id");
      return raws.map(({ id, created_ms, nonce, sealed, destroyed_ms, reason }) => ({
        ...{ id, nonce, reason },
        createdMs: created_ms,
        sealed: sealed ?? undefined,
        destroyedMs: destroyed_ms ?? undefined,
      }));
    },
  };
}

interface RawKey {
  readonly id: string;
  readonly created_ms: number;
  readonly nonce: Uint8Array;
  readonly sealed: Uint8Array | null;
  readonly destroyed_ms: number | null;
  readonly reason: string;
}
