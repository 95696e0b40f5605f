/** What a recording says, as its row of the index: how the index is rebuilt. Writes nothing by itself. */
import { PIPELINE_MAX } from "../base/limits.ts";
import type { SessionRow } from "../store/sessions.ts";
import { type DecisionEntry, isStatement, type StartEntry } from "./format.ts";
import type { ReadEntry } from "./read.ts";

export interface Tally {
  add(entry: ReadEntry): void;
  /** The session as far as it was read; undefined when its start could not be read. */
  session(): SessionRow | undefined;
}

interface Totals {
  statements: number;
  denied: number;
  masked: number;
  rows: number;
  bytesIn: number;
  bytesOut: number;
}

export function createTally(file: string): Tally {
  let start: (StartEntry & { readonly atMs: number }) | undefined;
  let lastMs = 0;
  let ended = false;
  let totals: Totals = { statements: 0, denied: 0, masked: 0, rows: 0, bytesIn: 0, bytesOut: 0 };
  /** How many operations each ask had, also after its decision: a later one may replace it. */
  const asks = new Map<number, { operations: number; decision?: DecisionEntry["decision"] }>();

  function decide({ askId, decision }: DecisionEntry): void {
    const ask = asks.get(askId);
    if (ask === undefined) return;
    if (ask.decision !== "deny" && decision === "deny") totals.denied += ask.operations;
    ask.decision = decision;
  }

  function add(entry: ReadEntry): void {
    if ("atMs" in entry) lastMs = Math.max(lastMs, entry.atMs);
    switch (entry.kind) {
      case "start":
        start = entry;
        return;
      case "action": {
        if (isStatement(entry.actions) || entry.forbidden !== undefined) totals.statements += 1;
        const ask = asks.get(entry.askId);
        if (ask === undefined || ask.decision !== undefined) asks.set(entry.askId, { operations: 1 });
        else ask.operations += 1;
        for (const oldest of asks.keys()) {
          if (asks.size <= PIPELINE_MAX) break;
          asks.delete(oldest);
        }
        return;
      }
      case "decision":
        decide(entry);
        return;
      case "answer":
        totals.rows += entry.rows;
        for (const { count } of entry.masks) totals.masked += count;
        return;
      case "end": {
        const { statements, denied, masked, rows, bytesIn, bytesOut } = entry;
        totals = { statements, denied, masked, rows, bytesIn, bytesOut };
        ended = true;
        return;
      }
      case "gap":
      case "output":
      case "terminal":
      case "looking":
      case "unknown":
      case "missing":
      case "damaged":
      case "altered":
      case "sealed":
      case "interrupted":
        return;
    }
  }

  return {
    add,
    session() {
      if (start === undefined) return undefined;
      const { sessionId, agent, connection, protocol, origin, atMs } = start;
      const { pid, uid, user, executable, address, port } = origin;
      const said = { pid, uid, user, executable, address, port };
      const state = ended ? "ended" : "interrupted";
      return {
        id: sessionId,
        agent,
        connection,
        protocol,
        ...said,
        startedMs: atMs,
        endedMs: lastMs,
        ...totals,
        state,
        file,
      };
    },
  };
}
