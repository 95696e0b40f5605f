/** The schema, step by step, forward only. A database of a later version is refused, never guessed at. */
import { UserError } from "../base/errors.ts";
import type { Database } from "./database.ts";

/** Step n takes the schema from version n to n + 1. Released steps are never edited. */
const STEPS: readonly string[] = [
  `CREATE TABLE sessions (
     id TEXT PRIMARY KEY, agent TEXT NOT NULL, connection TEXT NOT NULL, protocol TEXT NOT NULL,
     pid INTEGER NOT NULL, uid INTEGER NOT NULL, user TEXT NOT NULL, executable TEXT NOT NULL,
     address TEXT NOT NULL, port INTEGER NOT NULL,
     started_ms INTEGER NOT NULL, ended_ms INTEGER,
     statements INTEGER NOT NULL, denied INTEGER NOT NULL, masked INTEGER NOT NULL, rows INTEGER NOT NULL,
     bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('open', 'ended', 'interrupted')),
     file TEXT NOT NULL
   ) WITHOUT ROWID;
   CREATE INDEX sessions_by_start ON sessions (started_ms);
   CREATE INDEX sessions_by_agent ON sessions (agent, started_ms);
   CREATE INDEX sessions_not_ended ON sessions (state) WHERE state = 'open';

   CREATE TABLE events (
     id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
     agent TEXT, session_id TEXT, connection TEXT, message TEXT NOT NULL, fields TEXT NOT NULL
   );
   CREATE INDEX events_by_time ON events (at_ms);
   CREATE INDEX events_by_kind ON events (kind, at_ms);
   CREATE INDEX events_by_session ON events (session_id) WHERE session_id IS NOT NULL;

   CREATE TABLE agents (slot INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);

   CREATE TABLE tags (
     cgroup_id TEXT PRIMARY KEY, cgroup TEXT NOT NULL,
     agent TEXT NOT NULL, slot INTEGER NOT NULL REFERENCES agents (slot),
     kind TEXT NOT NULL CHECK (kind IN ('run', 'tag')), run_id TEXT, uid INTEGER NOT NULL, created_ms INTEGER NOT NULL
   ) WITHOUT ROWID;

   CREATE TABLE secrets (
     name TEXT PRIMARY KEY, version INTEGER NOT NULL, nonce BLOB NOT NULL, sealed BLOB NOT NULL,
     settings TEXT NOT NULL, created_ms INTEGER NOT NULL, rotated_ms INTEGER
   ) WITHOUT ROWID;`,
  `CREATE TABLE tags_2 (
     cgroup_id TEXT PRIMARY KEY, cgroup TEXT NOT NULL,
     agent TEXT NOT NULL, slot INTEGER NOT NULL REFERENCES agents (slot),
     kind TEXT NOT NULL CHECK (kind IN ('run', 'tag', 'match')), run_id TEXT, uid INTEGER NOT NULL,
     created_ms INTEGER NOT NULL, matcher TEXT NOT NULL, container TEXT NOT NULL
   ) WITHOUT ROWID;
   INSERT INTO tags_2 SELECT *, '', '' FROM tags;
   DROP TABLE tags;
   ALTER TABLE tags_2 RENAME TO tags;

   CREATE TABLE agent_states (
     agent TEXT PRIMARY KEY, quarantined_ms INTEGER, quarantined_by INTEGER, quarantine_reason TEXT,
     observed_until_ms INTEGER, observed_by INTEGER
   ) WITHOUT ROWID;`,
  `CREATE TABLE holds (
     id TEXT PRIMARY KEY, state TEXT NOT NULL, likeness TEXT NOT NULL, opened_ms INTEGER NOT NULL, document TEXT NOT NULL
   ) WITHOUT ROWID;
   CREATE INDEX holds_by_time ON holds (opened_ms);
   CREATE INDEX holds_by_likeness ON holds (likeness, opened_ms);
   CREATE INDEX holds_open ON holds (state) WHERE state IN ('waiting', 'approved', 'running');`,
  `CREATE TABLE data_keys (
     id TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, nonce BLOB NOT NULL, sealed BLOB,
     destroyed_ms INTEGER, reason TEXT NOT NULL
   ) WITHOUT ROWID;
   CREATE TABLE legal_holds (
     session_id TEXT PRIMARY KEY, reason TEXT NOT NULL, uid INTEGER NOT NULL, since_ms INTEGER NOT NULL
   ) WITHOUT ROWID;`,
  `ALTER TABLE tags ADD COLUMN identity TEXT;
   CREATE TABLE tokens (token TEXT PRIMARY KEY, ends_ms INTEGER NOT NULL) WITHOUT ROWID;
   CREATE INDEX tokens_by_end ON tokens (ends_ms);`,
  `ALTER TABLE tags ADD COLUMN revoked INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE agent_states ADD COLUMN revoked_ms INTEGER;
   ALTER TABLE agent_states ADD COLUMN revoked_by INTEGER;
   ALTER TABLE agent_states ADD COLUMN revoke_reason TEXT;
   CREATE TABLE grants (
     id TEXT PRIMARY KEY, agent TEXT NOT NULL, connections TEXT NOT NULL, uid INTEGER NOT NULL, reason TEXT NOT NULL,
     given_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL, boot_id TEXT NOT NULL, ends_boot_ns TEXT NOT NULL, ended TEXT
   );`,
  `ALTER TABLE tags ADD COLUMN started_by TEXT NOT NULL DEFAULT '[]';
   CREATE TABLE human_records (
     kind TEXT NOT NULL, id TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (kind, id)
   ) WITHOUT ROWID;`,
  `ALTER TABLE legal_holds ADD COLUMN human TEXT;
   ALTER TABLE legal_holds ADD COLUMN human_name TEXT;`,
];

/** Brings the schema to this program's version in one transaction. Throws STORE_NEWER. */
export async function migrate(database: Database, steps: readonly string[] = STEPS): Promise<void> {
  await database.transaction(async (inside) => {
    const found = (await inside.one<{ user_version: number }>("PRAGMA user_version"))?.user_version ?? 0;
    if (found > steps.length) {
      throw new UserError(
        "STORE_NEWER",
        `Cannot use the database: its schema has version ${found}, this program knows up to ${steps.length}`,
        "Start the newer sallyport that wrote it, or restore the backup from before the upgrade",
      );
    }
    for (const step of steps.slice(found)) await inside.script(step);
    await inside.run(`PRAGMA user_version = ${steps.length}`);
  });
}
