/** A recording as the control side shows it: an operation and its decision become one line. Adds nothing. */
import type { SessionEntry } from "../control/ports.ts";
import type { TerminalEntry } from "../recorder/format.ts";
import type { ReadEntry } from "../recorder/read.ts";
import type { SessionState } from "../store/sessions.ts";

/**
 * `startedMs`: what offsets count from. A session that still runs is not called interrupted. A line has the number of its
 * record, so that it can be found again without reading what is before it; findings have that of the record before.
 */
export async function* entriesOf(
  entries: AsyncIterable<ReadEntry>,
  startedMs: number,
  state: SessionState,
): AsyncGenerator<SessionEntry> {
  let asked: string[] = [];
  let number = 0;
  for await (const entry of entries) {
    if ("sequence" in entry) number = entry.sequence;
    if (entry.kind === "looking") continue; // for search, not for people
    if (entry.kind === "action") {
      const parameters = entry.parameters.map((value) => (value === null ? "NULL" : JSON.stringify(value)));
      asked.push(parameters.length === 0 ? entry.text : `${entry.text}\n  with ${parameters.join(", ")}`);
      continue;
    }
    if (entry.kind === "interrupted" && state === "open") continue;
    const offsetMs = "atMs" in entry ? Math.max(0, entry.atMs - startedMs) : 0;
    yield { number, offsetMs, ...say(entry, asked.join("\n")) };
    asked = [];
  }
}

function say(
  entry: Exclude<ReadEntry, { kind: "action" | "looking" }>,
  asked: string,
): Omit<SessionEntry, "number" | "offsetMs"> {
  switch (entry.kind) {
    case "start": {
      const { origin, agent, connection, upstreamTls } = entry;
      const program = origin.executable === "" ? origin.comm : origin.executable;
      const who = entry.issuer === "" ? agent : `${agent} (${entry.subject}, says ${entry.issuer})`;
      const text = `${who} to ${connection}: ${program}, pid ${origin.pid}, user ${origin.user}`;
      return { kind: "start", text: upstreamTls === "verify-full" ? text : `${text}; upstream TLS: ${upstreamTls}` };
    }
    case "decision":
      return {
        ...(entry.hold === undefined ? {} : { hold: entry.hold }),
        ...{ kind: "decision", text: asked, decision: entry.decision, rules: entry.rules, message: entry.message },
        ...(entry.observed === undefined ? {} : { observed: entry.observed }),
        ...(entry.shadow === undefined ? {} : { shadow: entry.shadow }),
      };
    case "answer": {
      const { rows, bytes, masks, shown, outcome, error } = entry;
      const message = error === undefined ? {} : { message: `${error.code} ${error.message}` };
      return {
        kind: "answer",
        text: outcome,
        rows,
        bytes,
        masks,
        ...(shown === undefined ? {} : { shown }),
        ...message,
      };
    }
    case "output": {
      const { columns, rows: values, truncated } = entry;
      return { kind: "rows", text: "", output: { columns, values, truncated } };
    }
    case "terminal":
      return { kind: "terminal", text: "", terminal: terminalOf(entry) };
    case "end":
      return { kind: "end", text: entry.fault === undefined ? entry.reason : `${entry.reason} (${entry.fault})` };
    case "gap": {
      const fate = entry.wentOn ? "those that were allowed went on" : "all were denied";
      return { kind: "note", text: `${entry.operations} operations could not be recorded; ${fate}` };
    }
    case "unknown":
      return { kind: "note", text: "a record of a kind that this version does not know" };
    case "missing":
      return { kind: "note", text: `records ${entry.fromSequence} to ${entry.toSequence} are missing` };
    case "damaged":
      return { kind: "note", text: `the file cannot be read at byte ${entry.offset}: ${entry.why}` };
    case "altered":
      return { kind: "note", text: `the file was changed before or at byte ${entry.offset}: ${entry.why}` };
    case "sealed":
      return { kind: "note", text: `sealed with the key ${entry.keyId}, which is not there any more` };
    case "interrupted":
      return { kind: "note", text: "interrupted: the recording has no end" };
    default:
      return entry satisfies never;
  }
}

/** Bytes as base64: they need not be text, and a character may be cut in two. */
function terminalOf(entry: TerminalEntry): NonNullable<SessionEntry["terminal"]> {
  switch (entry.stream) {
    case "output":
    case "input":
      return { stream: entry.stream, data: Buffer.from(entry.data).toString("base64") };
    case "resize":
      return { stream: "resize", columns: entry.columns, rows: entry.rows };
    case "exit":
      return { stream: "exit", status: entry.status };
    default:
      return entry satisfies never;
  }
}
