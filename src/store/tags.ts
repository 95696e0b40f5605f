/** Which cgroups are tagged as which agent, so that a new daemon finds what the old one protected. */
import type { Identity } from "../model/identity.ts";
import type { Database, Statements } from "./database.ts";
import { uidOfRow, uidToRow } from "./uid.ts";

export interface Tag {
  readonly cgroupId: bigint;
  /** Path below the cgroup2 mount. */
  readonly cgroup: string;
  readonly agent: string;
  readonly slot: number;
  /** `run`: the cgroup was made by us and goes with its command. `match`: a matcher of the settings found it. */
  readonly kind: "run" | "tag" | "match";
  readonly runId: string | undefined;
  /** What found it, as a person reads it: "unit actions.runner.*.service"; "" for runs and tags by command. */
  readonly matcher: string;
  /** Container id, where it is one; else "". */
  readonly container: string;
  /** Who asked for it; undefined: somebody over the network. */
  readonly uid: number | undefined;
  readonly createdMs: number;
  /** All accounts of who asked for it ("unix:2001", "corp:ada"): they never approve what it does. Without root. */
  readonly startedBy: readonly string[];
  /** Who it is by a token. */
  readonly identity?: TaggedIdentity;
  /** Somebody took back what it may do; it stays guarded as nobody until this tag ends. */
  readonly revoked?: true;
}

/** `over`: why it has ended; the agent may do nothing more. */
export interface TaggedIdentity extends Identity {
  readonly over?: string;
}

export interface TagStore {
  /** The agent's number for the kernel: given once per name, never used for another. */
  slotOf(agent: string): Promise<number>;
  /** Replaces an earlier tag of the same cgroup. The slot must be one from `slotOf`. */
  put(tag: Tag): Promise<void>;
  /** All of them or none. */
  putAll(tags: readonly Tag[]): Promise<void>;
  /** Whether there was one. */
  remove(cgroupId: bigint): Promise<boolean>;
  /** Oldest first. */
  all(): Promise<readonly Tag[]>;
}

export function createTagStore(database: Database): TagStore {
  return {
    slotOf: (agent) =>
      database.transaction(async (inside) => {
        await inside.run("INSERT INTO agents (name) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM agents WHERE name = ?)", [
          agent,
          agent,
        ]);
        const row = await inside.one<{ slot: number }>("SELECT slot FROM agents WHERE name = ?", [agent]);
        if (row === undefined) throw new Error("Cannot give a slot: the row just written is not there");
        return row.slot;
      }),
    put: (tag) => put(database, tag),
    putAll: (tags) =>
      database.transaction(async (inside) => {
        for (const tag of tags) await put(inside, tag);
      }),
    async remove(cgroupId) {
      return (await database.run("DELETE FROM tags WHERE cgroup_id = ?", [cgroupId.toString()])) > 0;
    },
    async all() {
      const raws = await database.all<RawTag>("SELECT * FROM tags ORDER BY created_ms, cgroup_id");
      return raws.map((raw) => ({
        cgroupId: BigInt(raw.cgroup_id),
        cgroup: raw.cgroup,
        agent: raw.agent,
        slot: raw.slot,
        kind: raw.kind,
        runId: raw.run_id ?? undefined,
        uid: uidOfRow(raw.uid),
        createdMs: raw.created_ms,
        startedBy: JSON.parse(raw.started_by) as string[],
        matcher: raw.matcher,
        container: raw.container,
        ...(raw.identity === null ? {} : { identity: JSON.parse(raw.identity) as TaggedIdentity }),
        ...(raw.revoked === 0 ? {} : { revoked: true as const }),
      }));
    },
  };
}

async function put(statements: Statements, tag: Tag): Promise<void> {
  await statements.run("INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [
    tag.cgroupId.toString(),
    tag.cgroup,
    tag.agent,
    tag.slot,
    tag.kind,
    tag.runId ?? null,
    uidToRow(tag.uid),
    tag.createdMs,
    tag.matcher,
    tag.container,
    tag.identity === undefined ? null : JSON.stringify(tag.identity),
    tag.revoked === true ? 1 : 0,
    JSON.stringify(tag.startedBy),
  ]);
}

interface RawTag {
  /** Decimal text: a cgroup id may lie above what a JavaScript number holds exactly. */
  readonly cgroup_id: string;
  readonly cgroup: string;
  readonly agent: string;
  readonly slot: number;
  readonly kind: Tag["kind"];
  readonly run_id: string | null;
  readonly uid: number;
  readonly created_ms: number;
  readonly matcher: string;
  readonly container: string;
  /** JSON, as `started_by`. */
  readonly identity: string | null;
  readonly revoked: 0 | 1;
  readonly started_by: string;
}
