/** Sessions whose recordings may not be deleted, whatever the settings say. Rows only. */
import type { Database } from "./database.ts";
import { uidOfRow, uidToRow } from "./uid.ts";

export interface LegalHold {
  readonly sessionId: string;
  /** As the person gave it. */
  readonly reason: string;
  /** Undefined: somebody over the network. */
  readonly uid: number | undefined;
  /** Account and name of the human who gave it; absent: a user of the host without a session. */
  readonly human?: string;
  readonly humanName?: string;
  readonly sinceMs: number;
}

interface RawHold {
  readonly session_id: string;
  readonly reason: string;
  readonly uid: number;
  readonly since_ms: number;
  readonly human: string | null;
  readonly human_name: string | null;
}

export interface LegalHoldStore {
  /** Replaces an earlier one of the same session. */
  put(hold: LegalHold): Promise<void>;
  /** False: there was none. */
  remove(sessionId: string): Promise<boolean>;
  /** Oldest first. */
  all(): Promise<readonly LegalHold[]>;
}

export function createLegalHoldStore(database: Database): LegalHoldStore {
  return {
    async put({ sessionId, reason, uid, sinceMs, human = null, humanName = null }) {
      await database.run("INSERT OR REPLACE INTO legal_holds VALUES (?, ?, ?, ?, ?, ?)", [
        ...[sessionId, reason, uidToRow(uid), sinceMs, human, humanName],
      ]);
    },
    remove: async (sessionId) => (await database.run("DELETE FROM legal_holds WHERE session_id = ?", [sessionId])) > 0,
    async all() {
      const raws = await database.all<RawHold>("SELECT * FROM legal_holds ORDER BY since_ms, session_id");
      return raws.map(({ session_id, reason, uid, since_ms, human, human_name }) => ({
        ...{ sessionId: session_id, reason, uid: uidOfRow(uid), sinceMs: since_ms },
        ...(human === null ? {} : { human }),
        ...(human_name === null ? {} : { humanName: human_name }),
      }));
    },
  };
}
