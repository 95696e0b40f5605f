/** Grants that people gave at run time, those that stand and the last that ended. Rows only; no rules. */
import type { GrantedConnections } from "../model/grant.ts";
import type { Database } from "./database.ts";
import { uidOfRow, uidToRow } from "./uid.ts";

export interface GivenGrant {
  readonly id: string;
  readonly agent: string;
  readonly connections: GrantedConnections;
  /** Who gave it; undefined: somebody over the network. */
  readonly uid: number | undefined;
  /** As the person gave it; "" without one. */
  readonly reason: string;
  readonly givenMs: number;
  readonly endsMs: number;
  /** The same end by the clock since boot, and of which boot: it counts while the host has not been started anew. */
  readonly boot: { readonly id: string; readonly endsNs: bigint };
  readonly ended?: GrantEnd;
}

export interface GrantEnd {
  readonly atMs: number;
  /** "has ended", "was ended by a person" */
  readonly why: string;
  /** Whose doing it was; absent: time's, or somebody's over the network. */
  readonly uid?: number;
  readonly reason?: string;
}

export interface GrantStore {
  /** Replaces an earlier row of the same grant. */
  put(grant: GivenGrant): Promise<void>;
  forget(id: string): Promise<void>;
  /** Oldest first. */
  all(): Promise<readonly GivenGrant[]>;
}

export function createGrantStore(database: Database): GrantStore {
  return {
    async put({ id, agent, connections, uid, reason, givenMs, endsMs, boot, ended }) {
      await database.run("INSERT OR REPLACE INTO grants VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [
        ...[id, agent, JSON.stringify(connections), uidToRow(uid), reason, givenMs, endsMs],
        ...[boot.id, boot.endsNs.toString()],
        ended === undefined ? null : JSON.stringify(ended),
      ]);
    },
    async forget(id) {
      await database.run("DELETE FROM grants WHERE id = ?", [id]);
    },
    async all() {
      return (await database.all<RawGrant>("SELECT * FROM grants ORDER BY given_ms, id")).map(grantOf);
    },
  };
}

interface RawGrant {
  readonly id: string;
  readonly agent: string;
  /** JSON. */
  readonly connections: string;
  readonly uid: number;
  readonly reason: string;
  readonly given_ms: number;
  readonly ends_ms: number;
  readonly boot_id: string;
  /** Decimal text: nanoseconds lie above what a JavaScript number holds exactly. */
  readonly ends_boot_ns: string;
  /** JSON. */
  readonly ended: string | null;
}

function grantOf(raw: RawGrant): GivenGrant {
  const { id, agent, reason, given_ms: givenMs, ends_ms: endsMs } = raw;
  return {
    ...{ id, agent, connections: JSON.parse(raw.connections) as GrantedConnections, reason, givenMs, endsMs },
    uid: uidOfRow(raw.uid),
    boot: { id: raw.boot_id, endsNs: BigInt(raw.ends_boot_ns) },
    ...(raw.ended === null ? {} : { ended: JSON.parse(raw.ended) as GrantEnd }),
  };
}
