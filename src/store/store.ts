/** What the daemon keeps between its lives: one SQLite file, handed out as narrow parts. Holds no rules. */
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import { type AgentStateStore, createAgentStateStore } from "./agent-states.ts";
import { createDataKeyStore, type DataKeyStore } from "./data-keys.ts";
import { openDatabase } from "./database.ts";
import { createEventStore, type EventStore } from "./events.ts";
import { createGrantStore, type GrantStore } from "./grants.ts";
import { createHoldStore, type HoldStore } from "./holds.ts";
import { createHumanRecordStore, type HumanRecordStore } from "./human-records.ts";
import { createLegalHoldStore, type LegalHoldStore } from "./legal-holds.ts";
import { migrate } from "./migrations.ts";
import { createSecretStore, type SecretStore } from "./secrets.ts";
import { createSessionStore, type SessionStore } from "./sessions.ts";
import { createTagStore, type TagStore } from "./tags.ts";
import { createTokenStore, type TokenStore } from "./tokens.ts";

export interface Store {
  readonly sessions: SessionStore;
  readonly events: EventStore;
  readonly tags: TagStore;
  readonly tokens: TokenStore;
  readonly agentStates: AgentStateStore;
  readonly grants: GrantStore;
  readonly holds: HoldStore;
  readonly humans: HumanRecordStore;
  readonly secrets: SecretStore;
  readonly dataKeys: DataKeyStore;
  readonly legalHolds: LegalHoldStore;
  /** Writes what waits, then closes. */
  close(): Promise<void>;
}

/**
 * Opens or makes `<stateDir>/sallyport.db`. Throws UserError STORE_FOLDER_MODE, STORE_NEWER, STORE_DAMAGED,
 * STORE_UNUSABLE.
 */
export async function openStore(stateDir: string, log: Log): Promise<Store> {
  const database = await openDatabase(join(stateDir, "sallyport.db"));
  try {
    await migrate(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  const sessions = createSessionStore(database, log);
  return {
    sessions,
    events: createEventStore(database),
    tags: createTagStore(database),
    tokens: createTokenStore(database),
    agentStates: createAgentStateStore(database),
    grants: createGrantStore(database),
    holds: createHoldStore(database),
    humans: createHumanRecordStore(database),
    secrets: createSecretStore(database),
    dataKeys: createDataKeyStore(database),
    legalHolds: createLegalHoldStore(database),
    async close() {
      await sessions.flush();
      await database.close();
    },
  };
}
