/** Much that was recorded: sessions by a real recorder, events by the real store. Invented, and the same in each run. */
import { join } from "node:path";
import type { Operation } from "../../../src/model/operation.ts";
import { createRecorder } from "../../../src/recorder/recorder.ts";
import { openStore, type Store } from "../../../src/store/store.ts";
import { allow, answer, deny, start, summary } from "../../recorder/kit.ts";
import { quietLog } from "../../store/folder.ts";

export const RECORDED_MS = Date.UTC(2026, 0, 31);
const TABLES = 200;
const PER_SESSION = 1_000;

function operationOf(n: number): Operation {
  const tables = [{ schema: "public", name: `table_${n % TABLES}`, access: "read", labels: [], columnLabels: [] }];
  const statement = { kind: n % 10 === 0 ? "update" : "select", tables, columns: ["*"], functions: [], oracles: [] };
  return { actions: [{ name: n % 10 === 0 ? "sql.update" : "sql.read", facts: { statement } }] };
}
const OPERATIONS = Array.from({ length: TABLES }, (_, n) => operationOf(n));

/** `entries` of them: half operations, half events. */
export async function fill(state: string, entries: number): Promise<void> {
  const store = await openStore(state, quietLog());
  await recordSessions(store, state, entries / 2);
  await recordEvents(store, entries / 2);
  await store.close();
}

async function recordSessions(store: Store, state: string, operations: number): Promise<void> {
  let nowMs = RECORDED_MS;
  const clock = { nowMs: () => nowMs };
  const dir = join(state, "recordings");
  const recorder = await createRecorder({ dir, clock, scrub: (text) => text, index: store.sessions, log: quietLog() });
  for (let session = 0; session < operations / PER_SESSION; session++) {
    const agent = { slot: 1, name: session % 20 === 0 ? "rare" : `agent-${session % 7}`, groups: ["ci"], claims: {} };
    const recording = recorder.open({ ...start(`s${session}`), agent, startedAtMs: nowMs });
    recording.looking(new Set(session % 10 === 0 ? [] : ["payment-card"]), "p1");
    for (let n = 0; n < PER_SESSION; n++) {
      const id = n + 1;
      nowMs += 5;
      const asked = [{ operation: OPERATIONS[(session + n) % TABLES] as Operation, text: textOf(session, n) }];
      recording.asked(id, asked, n % 100 === 7 ? deny : allow);
      const masks = n % 50 === 3 ? [{ column: "customers.card", by: "detector:payment-card", count: 3 }] : [];
      if (n % 100 !== 7) recording.answered({ ...answer(id, 3), masks });
      if (n % 50 === 0) recording.flush();
    }
    await recording.end({ ...summary, endedAtMs: nowMs });
  }
  await recorder.close();
}

const WORDS = [
  "invoice",
  "shipment",
  "customer",
  "payment",
  "refund",
  "address",
  "voucher",
  "product",
  "supplier",
  "ledger",
];

function textOf(session: number, n: number): string {
  const word = WORDS[(session * 7 + n) % WORDS.length];
  return `select ${word}_id, total from table_${(session + n) % TABLES} where ref = 'ref${session}x${n}' and ${word} > ${n}`;
}

async function recordEvents(store: Store, events: number): Promise<void> {
  for (let from = 0; from < events; from += 1_000) {
    const batch = Array.from({ length: Math.min(1_000, events - from) }, (_, at) => {
      const n = from + at;
      const kind = n % 3 === 0 ? "kernel.deny" : n % 3 === 1 ? "action.deny" : "connection.refused";
      const fields = { pid: 1_000 + (n % 50), user: "builder", executable: `/usr/bin/tool-${n % 20}` };
      const agent = `agent-${n % 7}`;
      return {
        atMs: RECORDED_MS + n * 5,
        kind,
        agent,
        message: `Refused: ${WORDS[n % WORDS.length]} number ${n}`,
        fields,
      };
    });
    await store.events.append(batch);
  }
}
