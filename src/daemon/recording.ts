/** Recorder, data keys and checkpoints, as the settings in force want them. Joins; decides nothing by itself. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Audit } from "../audit/audit.ts";
import type { Clock } from "../base/clock.ts";
import { CHECKPOINT_EVERY_MS, DATA_KEY_AGE_MS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { RecordingSettings } from "../config/recording.ts";
import { Checkpointer } from "../evidence/checkpointer.ts";
import { hostKey, publicPart } from "../evidence/host-key.ts";
import { newestCheckpoint } from "../evidence/newest.ts";
import { standAlone } from "../masking/lone.ts";
import type { AuditEvent } from "../model/event.ts";
import type { Scrub } from "../recorder/prepare.ts";
import { createRecorder, type Recorder } from "../recorder/recorder.ts";
import { type SessionKeys, sessionKey } from "../recorder/seal.ts";
import type { Store } from "../store/store.ts";
import { type DataKeys, openDataKeys } from "../vault/data-keys.ts";
import type { Vault } from "../vault/vault.ts";
import { EXPORTS } from "./evidence.ts";
import type { Life } from "./life.ts";
import { recorderFaults } from "./test-faults.ts";

export interface RecordingParts {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly life: Life;
  readonly store: Store;
  readonly vault: Vault;
  readonly audit: Audit;
  readonly scrub: Scrub;
  readonly settings: () => RecordingSettings;
  readonly emit: (event: AuditEvent) => void;
}

export interface Recordings {
  readonly recordings: string;
  readonly recorder: Recorder;
  readonly checkpointer: Checkpointer;
  readonly dataKeys: DataKeys;
  readonly sessionKeys: SessionKeys;
  /** The folder of the audit trail, and the public part of the key that signs it, in PEM. */
  readonly evidence: { readonly events: string; readonly publicKey: string };
}

/** Goes on with what earlier lives left. Throws DATA_KEY_BROKEN, STORE_FOLDER_MODE, errno errors. */
export async function openRecordings(parts: RecordingParts): Promise<Recordings> {
  const { stateDir, clock, log, life, store, vault, audit, scrub, settings, emit } = parts;
  const [recordings, events] = [join(stateDir, "recordings"), join(stateDir, "events")];
  // Links to recordings are in it: what retention deletes would stay there.
  rmSync(join(stateDir, EXPORTS), { recursive: true, force: true });
  const dataKeys = await openDataKeys(store.dataKeys, vault.derivedKey("recordings"), clock);
  const sessionKeys: SessionKeys = (id, sessionId) => {
    const secret = dataKeys.secretOf(id);
    return secret === undefined ? undefined : sessionKey(secret, sessionId);
  };
  const recorder = await createRecorder({
    ...{ dir: recordings, clock, scrub, standAlone, index: store.sessions, log, keys: sessionKeys },
    durability: () => settings().durability,
    whenFull: () => settings().whenFull,
    dataKey: () => (settings().seal ? dataKeys.current() : undefined),
    tell: (sessionId, kind, message) => emit({ atMs: clock.nowMs(), kind, sessionId, message }),
    ...recorderFaults(process.env),
  });
  const key = hostKey(vault.derivedKey("evidence"));
  const trail = {
    head: () => audit.head,
    emit: (event: AuditEvent) => audit.emit(event),
    flush: () => audit.flush(),
    get lost() {
      return audit.lostOfJournal;
    },
  };
  const checkpointer = new Checkpointer({ clock, key, recorder, trail, last: newestCheckpoint(events) });
  life.atEnd(async () => {
    await recorder.close();
    await checkpointer.checkpoint();
  });
  life.every(CHECKPOINT_EVERY_MS, () => checkpointer.checkpoint(), log);
  life.every(DATA_KEY_AGE_MS / 24, () => dataKeys.rotate(), log);
  const { interrupted } = await recorder.recoverOpen((checkpointer.last?.atMs ?? 0) - CHECKPOINT_EVERY_MS); // what it signs is a moment older than it
  if (interrupted > 0) {
    const message = `${interrupted} sessions were interrupted`;
    emit({ atMs: clock.nowMs(), kind: "recording.recovered", message, fields: { interrupted } });
  }
  await checkpointer.checkpoint(); // what the daemon before left is signed at once: this one may die as well
  return {
    recordings,
    recorder,
    checkpointer,
    dataKeys,
    sessionKeys,
    evidence: { events, publicKey: publicPart(key) },
  };
}
