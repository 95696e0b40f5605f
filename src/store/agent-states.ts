/** What was said of agents by name: quarantined, revoked, observed. Rows only; what they mean is decided by who restores them. */
import type { Database } from "./database.ts";
import { uidOfRow, uidToRow } from "./uid.ts";

export interface AgentState {
  readonly agent: string;
  readonly quarantine: Order | undefined;
  /** What matchers make this agent may do nothing. */
  readonly revocation: Order | undefined;
  readonly observation: Observation | undefined;
}

export interface Order {
  readonly sinceMs: number;
  /** Who asked for it; undefined: somebody over the network. */
  readonly uid: number | undefined;
  /** As the person gave it; "" without one. */
  readonly reason: string;
}

export interface Observation {
  readonly untilMs: number;
  readonly uid: number | undefined;
}

export interface AgentStateStore {
  /** Replaces what was kept of that agent; a state of nothing forgets it. */
  put(state: AgentState): Promise<void>;
  all(): Promise<readonly AgentState[]>;
  /** Every name that ever got a slot. */
  names(): Promise<readonly string[]>;
}

export function createAgentStateStore(database: Database): AgentStateStore {
  return {
    async put({ agent, quarantine, revocation, observation }) {
      if (quarantine === undefined && revocation === undefined && observation === undefined) {
        await database.run("DELETE FROM agent_states WHERE agent = ?", [agent]);
        return;
      }
      await database.run("INSERT OR REPLACE INTO agent_states VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [
        agent,
        quarantine?.sinceMs ?? null,
        quarantine === undefined ? null : uidToRow(quarantine.uid),
        quarantine?.reason ?? null,
        observation?.untilMs ?? null,
        observation === undefined ? null : uidToRow(observation.uid),
        revocation?.sinceMs ?? null,
        revocation === undefined ? null : uidToRow(revocation.uid),
        revocation?.reason ?? null,
      ]);
    },
    async all() {
      return (await database.all<RawState>("SELECT * FROM agent_states ORDER BY agent")).map(stateOf);
    },
    async names() {
      return (await database.all<{ name: string }>("SELECT name FROM agents ORDER BY name")).map(({ name }) => name);
    },
  };
}

interface RawState {
  readonly agent: string;
  readonly quarantined_ms: number | null;
  readonly quarantined_by: number | null;
  readonly quarantine_reason: string | null;
  readonly observed_until_ms: number | null;
  readonly observed_by: number | null;
  readonly revoked_ms: number | null;
  readonly revoked_by: number | null;
  readonly revoke_reason: string | null;
}

function stateOf(raw: RawState): AgentState {
  return {
    agent: raw.agent,
    quarantine: orderOf(raw.quarantined_ms, raw.quarantined_by, raw.quarantine_reason),
    revocation: orderOf(raw.revoked_ms, raw.revoked_by, raw.revoke_reason),
    observation:
      raw.observed_until_ms === null
        ? undefined
        : { untilMs: raw.observed_until_ms, uid: uidOfRow(raw.observed_by ?? 0) },
  };
}

function orderOf(sinceMs: number | null, uid: number | null, reason: string | null): Order | undefined {
  return sinceMs === null ? undefined : { sinceMs, uid: uidOfRow(uid ?? 0), reason: reason ?? "" };
}
