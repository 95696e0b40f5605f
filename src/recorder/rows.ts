/** What a recording says, as rows of the index: how the index is rebuilt. Writes nothing by itself. */
import { PIPELINE_MAX } from "../base/limits.ts";
import type { ActionRow, SessionRow } from "../store/sessions.ts";
import { type ActionEntry, type DecisionEntry, isStatement, type StartEntry } from "./format.ts";
import type { ReadEntry } from "./read.ts";

export interface Rows {
  /** Takes the next entry; returns the action rows that are complete with it. */
  add(entry: ReadEntry): readonly ActionRow[];
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

export function createRows(file: string): Rows {
  let start: (StartEntry & { readonly atMs: number }) | undefined;
  let lastMs = 0;
  let ended = false;
  let totals: Totals = { statements: 0, denied: 0, masked: 0, rows: 0, bytesIn: 0, bytesOut: 0 };
  /** Actions by ask, also after their decision: a later one may replace it. */
  const asks = new Map<number, { readonly actions: (ActionEntry & At)[]; decision?: "allow" | "deny" }>();

  function decide(entry: DecisionEntry): readonly ActionRow[] {
    const ask = asks.get(entry.askId);
    if (ask === undefined || start === undefined) return [];
    if (ask.decision !== "deny" && entry.decision === "deny") totals.denied += ask.actions.length;
    ask.decision = entry.decision;
    const { sessionId } = start;
    return ask.actions.map(({ sequence, atMs, askId, text, actions }) => ({
      sessionId,
      sequence,
      askId,
      atMs,
      text,
      actions: actions.map(({ name }) => name),
      decision: entry.decision,
      rules: entry.rules,
      message: entry.message,
    }));
  }

  function add(entry: ReadEntry): readonly ActionRow[] {
    if ("atMs" in entry) lastMs = Math.max(lastMs, entry.atMs);
    switch (entry.kind) {
      case "start":
        start = entry;
        return [];
      case "action": {
        if (isStatement(entry.actions)) totals.statements += 1;
        const ask = asks.get(entry.askId);
        if (ask === undefined || ask.decision !== undefined) asks.set(entry.askId, { actions: [entry] });
        else ask.actions.push(entry);
        for (const oldest of asks.keys()) {
          if (asks.size <= PIPELINE_MAX) break;
          asks.delete(oldest);
        }
        return [];
      }
      case "decision":
        return decide(entry);
      case "answer":
        totals.rows += entry.rows;
        for (const { count } of entry.masks) totals.masked += count;
        return [];
      case "end": {
        const { statements, denied, masked, rows, bytesIn, bytesOut } = entry;
        totals = { statements, denied, masked, rows, bytesIn, bytesOut };
        ended = true;
        return [];
      }
      case "gap":
      case "unknown":
      case "missing":
      case "damaged":
      case "interrupted":
        return [];
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

interface At {
  readonly sequence: number;
  readonly atMs: number;
}
