/**
 * The audit trail as a process of its own, so that it can be killed: `emitter.ts STATE SETTINGS COUNT RATE`. Emits
 * RATE a second until COUNT events are in the journal, waits until every sink has all, and prints what each says of itself. "head N" lines on the way.
 */
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { createAudit } from "../../src/audit/audit.ts";
import type { EventSettings } from "../../src/model/sink.ts";
import { openStore } from "../../src/store/store.ts";
import { WORLD } from "../audit/kit.ts";

const [stateDir = "", settingsFile = "", count = "0", rate = "1"] = process.argv.slice(2);
const BURST_MS = 25;
const BURST = Math.ceil((Number(rate) * BURST_MS) / 1_000);

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: console.error };
const store = await openStore(stateDir, log);
const audit = createAudit({
  ...{ store: store.events, log, clock: { nowMs: () => Date.now() }, stateDir, world: WORLD },
  backOff: { firstMs: 20, maxMs: 250 },
});
audit.prepare(JSON.parse(readFileSync(settingsFile, "utf8")) as EventSettings)();

console.log(`head ${audit.head.seq}`);
while (audit.head.seq < Number(count)) {
  for (let one = 0; one < BURST && audit.head.seq + one < Number(count); one++) emit(audit.head.seq + one);
  await audit.flush();
  console.log(`head ${audit.head.seq}`);
  await wait(BURST_MS);
}
const endMs = Date.now() + 120_000;
while (audit.sinks().some(({ behind }) => behind.events > 0)) {
  if (Date.now() > endMs) throw new Error(`Not all were delivered: ${JSON.stringify(audit.sinks())}`);
  await wait(20);
}
console.log(`done ${JSON.stringify({ head: audit.head.seq, lost: audit.lost, sinks: audit.sinks() })}`);
process.stdin.resume().once("end", () => process.exit()); // connections stay until the receivers have read them

function emit(number: number): void {
  audit.emit({
    atMs: Date.now(),
    kind: number % 3 === 0 ? "action.deny" : "session.end",
    agent: "ci",
    connection: "orders",
    sessionId: "abcdefghijkmnpqr",
    message: "Schema changes go through migrations, not agents — ünïcode is counted in octets",
    fields: { number, rules: "no-ddl whole-table-writes", executable: "/usr/bin/psql", pid: 4_711, user: "runner" },
  });
}
