/** Sessions to record, and a recorder in a folder of the test's own. */
import { writeSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Decision } from "../../src/model/decision.ts";
import type { Asked, Operation } from "../../src/model/operation.ts";
import { mintPermit } from "../../src/model/permit.ts";
import type { RecordingStart } from "../../src/recorder/format.ts";
import type { PackedAction } from "../../src/recorder/pack.ts";
import { type ReadEntry, readRecording } from "../../src/recorder/read.ts";
import { createRecorder, type Recorder } from "../../src/recorder/recorder.ts";
import type { SessionStore } from "../../src/store/sessions.ts";
import { openStore } from "../../src/store/store.ts";
import { folder, fullDisk, handClock, quietLog } from "../store/folder.ts";

export const NOON = Date.UTC(2026, 0, 31, 12);
export const DAY = "2026-01-31";

export const start = (sessionId: string): RecordingStart => ({
  sessionId,
  agent: { slot: 1, name: "ci", groups: ["ci", "builders"], claims: { branch: "main" } },
  connection: {
    name: "orders",
    protocol: "postgres",
    addresses: [],
    labels: { environment: "prod" },
    tls: { mode: "verify-full" },
    data: {},
  },
  origin: {
    address: "2001:db8::7",
    port: 5432,
    sourceAddress: "2001:db8::8",
    sourcePort: 40_000,
    netnsCookie: 2n ** 63n + 5n,
    cgroupId: 2n ** 60n + 1n,
    tagCgroupId: 2n ** 60n,
    cgroup: "/sallyport/run-1",
    pid: 42,
    uid: 1000,
    user: "builder",
    comm: "psql",
    executable: "/usr/bin/psql",
  },
  policy: "p0",
  startedAtMs: NOON,
});

/** One whose facts are of that table. */
export const reading = (table: string): Operation => ({
  actions: [{ name: "sql.read", facts: { statement: { tables: [table] } } }],
});
export const read: Operation = reading("public.a");
export const ask = (text: string, more: Partial<Asked> = {}): Asked => ({ operation: read, text, ...more });
/** As it is stored. */
export const packed = (operation: Uint8Array, text = "SELECT 1"): PackedAction => ({
  ...{ text, textTruncated: false, parameters: [], parametersTruncated: false, prepared: false, operation },
});
export const allow: Decision = {
  kind: "allow",
  permit: mintPermit("s1", 1, new Uint8Array()),
  rules: ["read-clean-tables"],
  policy: "p1",
};
export const deny: Decision = { kind: "deny", rules: ["no-ddl"], message: "Not by agents", policy: "p1" };
export const answer = (askId: number, rows = 1) => ({ askId, rows, bytes: 60, masks: [], outcome: "SELECT 1" });
export const summary = { reason: "the client left", endedAtMs: NOON + 9_000, bytesIn: 10, bytesOut: 20 };

export interface World {
  readonly dir: string;
  readonly recorder: Recorder;
  readonly index: SessionStore;
  readonly clock: ReturnType<typeof handClock>;
  readonly log: ReturnType<typeof quietLog>;
  /** `room` is how many bytes the disk still takes. */
  readonly disk: ReturnType<typeof fullDisk>;
  /** Another life of the daemon on the same folders. */
  readonly restart: () => Promise<Recorder>;
}

export async function world(t: TestContext, scrub: (text: string) => string = (text) => text): Promise<World> {
  const state = join(folder(t), "state");
  const log = quietLog();
  const store = await openStore(state, log);
  t.after(() => store.close());
  const clock = handClock(NOON);
  const disk = fullDisk(writeSync);
  const dir = join(state, "recordings");
  const restart = () => createRecorder({ dir, clock, scrub, index: store.sessions, log, writeBytes: disk.write });
  return { dir, recorder: await restart(), index: store.sessions, clock, log, disk, restart };
}

export async function entries(dir: string, sessionId: string): Promise<ReadEntry[]> {
  const all: ReadEntry[] = [];
  for await (const entry of readRecording(dir, sessionId)) all.push(entry);
  return all;
}

/** Kinds with their ask, e.g. "action 1": enough to see order and completeness. */
export const outline = (read: readonly ReadEntry[]): string[] =>
  read.map((entry) => ("askId" in entry ? `${entry.kind} ${entry.askId}` : entry.kind));
