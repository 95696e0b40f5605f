/** The daemon's parts as the ports need them, and the one way in which they tell of a caller's doing. */
import type { Audit } from "../../audit/audit.ts";
import type { Clock } from "../../base/clock.ts";
import type { Containers } from "../../containers/containers.ts";
import type { Caller, ControlPorts } from "../../control/ports.ts";
import type { Checkpointer } from "../../evidence/checkpointer.ts";
import type { LiveHolds } from "../../holds/holds.ts";
import type { Agents } from "../../identity/agents.ts";
import type { Grants } from "../../identity/grants.ts";
import type { Humans } from "../../identity/humans/humans.ts";
import type { AgentStates } from "../../identity/states.ts";
import type { Interception } from "../../kernel/interception.ts";
import type { AuditEvent } from "../../model/event.ts";
import type { Names } from "../../names/names.ts";
import type { Notifier } from "../../notify/notifier.ts";
import type { Sessions } from "../../path/sessions.ts";
import type { CredentialSource } from "../../path/upstream.ts";
import type { Ledger } from "../../policy/ledger.ts";
import type { Recorder } from "../../recorder/recorder.ts";
import type { SessionKeys } from "../../recorder/seal.ts";
import type { Search } from "../../search/search.ts";
import type { AgentStateStore } from "../../store/agent-states.ts";
import type { SessionStore } from "../../store/sessions.ts";
import type { Authority } from "../../vault/authority.ts";
import type { DataKeys } from "../../vault/data-keys.ts";
import type { Vault } from "../../vault/vault.ts";
import type { Configuration } from "../configuration.ts";
import type { Retention } from "../retention.ts";
import type { RunParts, Runs } from "../runs.ts";
import type { Sightings } from "../sightings.ts";
import type { Tagging } from "../tagging.ts";
import { type CallerParts, callerFields } from "./callers.ts";

export interface PortParts extends CallerParts {
  readonly humans: Humans;
  /** A user of the host by name, as of now. */
  readonly uidOf: (user: string) => Promise<number | undefined>;
  readonly stateDir: string;
  readonly runDir: string;
  readonly configFile: string | undefined;
  readonly recordings: string;
  readonly startedMs: number;
  readonly clock: Clock;
  readonly configuration: () => Configuration;
  readonly loadedMs: () => number;
  readonly ledger: Pick<Ledger, "shadowOf">;
  readonly agents: Agents;
  readonly states: AgentStates;
  readonly sightings: Sightings;
  readonly agentNames: AgentStateStore["names"];
  readonly containers: Pick<Containers, "find">;
  readonly tagging: Pick<Tagging, "takeHookCall">;
  readonly sessions: Sessions;
  readonly holds: LiveHolds;
  readonly grants: Grants;
  readonly notifier: Pick<Notifier, "status" | "test">;
  readonly index: SessionStore;
  readonly checkpointer: Pick<Checkpointer, "checkpoint" | "last">;
  /** The folder of the audit trail, and the public part of the key that signs it, in PEM. */
  readonly evidence: { readonly events: string; readonly publicKey: string };
  readonly dataKeys: DataKeys;
  readonly retention: Pick<Retention, "plan" | "run" | "hold" | "unhold" | "listHolds" | "keeping">;
  readonly sessionKeys: SessionKeys;
  readonly recorder: Pick<Recorder, "reindex" | "lag" | "uncompressed">;
  readonly search: Pick<Search, "search" | "reindex" | "lookAgain" | "lag">;
  /** Takes away what detectors find. */
  readonly scrub: (text: string) => string;
  /** Events emitted before are in the store. */
  readonly flushEvents: () => Promise<void>;
  readonly interception: Interception;
  readonly names: Pick<Names, "counters">;
  readonly vault: Vault;
  readonly credentialOf: CredentialSource;
  readonly authority: Authority;
  readonly runs: Runs;
  readonly identify: RunParts["identify"];
  readonly emit: (event: AuditEvent) => void;
  readonly audit: Pick<Audit, "sinks">;
  readonly watchEvents: ControlPorts["watchEvents"];
  readonly reload: () => Promise<void>;
  readonly shutdown: (remove: boolean) => Promise<readonly string[]>;
  readonly leave: () => void;
  readonly metricsText: () => string;
}

/** An event that names who asked. */
export function tell(
  { clock, emit }: PortParts,
  kind: string,
  message: string,
  caller: Caller,
  { fields, ...about }: Pick<AuditEvent, "sessionId" | "fields"> = {},
): void {
  emit({ atMs: clock.nowMs(), kind, ...about, message, fields: { ...fields, ...callerFields(caller) } });
}
