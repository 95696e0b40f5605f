/**
 * Which tokens were shown: none counts a second time. Only hashes are kept, each until its token has expired. Judges no
 * token.
 */
import type { Database } from "./database.ts";

export interface TokenStore {
  /** "shown": it was before. "full": `max` are kept, and each of them could still be shown again. */
  keep(token: string, endsMs: number, nowMs: number, max: number): Promise<"kept" | "shown" | "full">;
  /** One that came to nothing may be shown again. */
  forget(token: string): Promise<void>;
}

export function createTokenStore(database: Database): TokenStore {
  return {
    keep: (token, endsMs, nowMs, max) =>
      database.transaction(async (inside) => {
        await inside.run("DELETE FROM tokens WHERE ends_ms < ?", [nowMs]);
        const { kept, shown } = (await inside.one<{ kept: number; shown: number }>(
          "SELECT count(*) AS kept, coalesce(sum(token = ?), 0) AS shown FROM tokens",
          [token],
        )) ?? { kept: 0, shown: 0 };
        if (shown > 0) return "shown";
        if (kept >= max) return "full";
        await inside.run("INSERT INTO tokens VALUES (?, ?)", [token, endsMs]);
        return "kept";
      }),
    async forget(token) {
      await database.run("DELETE FROM tokens WHERE token = ?", [token]);
    },
  };
}
