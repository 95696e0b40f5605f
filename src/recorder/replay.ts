/** A recording in words, line by line, safe to print on a terminal. Adds nothing that the records do not say. */
import type { ActionEntry, DecisionEntry, RecordEntry, StartEntry } from "./format.ts";
import type { ReadEntry } from "./read.ts";

/** One thing that happened: `lines` without line ends, each with its indent. */
export interface ReplayStep {
  readonly kind: ReadEntry["kind"];
  /** Since the start of the session; undefined for findings about the files. */
  readonly offsetMs: number | undefined;
  readonly lines: readonly string[];
}

export interface ReplayOptions {
  /** A session that runs still is not called interrupted. */
  readonly state?: "open" | "ended" | "interrupted";
}

/** Room for the time, "12:34.567  ". */
const INDENT = " ".repeat(11);
const SHOWN_PARAMETERS_MAX = 20;

export async function* replay(
  entries: AsyncIterable<ReadEntry>,
  { state }: ReplayOptions = {},
): AsyncGenerator<ReplayStep, void> {
  let startMs: number | undefined;
  for await (const entry of entries) {
    if ("atMs" in entry) startMs ??= entry.atMs;
    const offsetMs = "atMs" in entry && startMs !== undefined ? entry.atMs - startMs : undefined;
    const said = entry.kind === "interrupted" && state === "open" ? ["the session is still running"] : describe(entry);
    const time = offsetMs === undefined ? INDENT : `${formatOffset(offsetMs)}  `;
    const lines = said.flatMap((text) => printable(text).split("\n"));
    yield { kind: entry.kind, offsetMs, lines: lines.map((line, at) => (at === 0 ? time : INDENT) + line) };
  }
}

function describe(entry: ReadEntry): readonly string[] {
  switch (entry.kind) {
    case "start":
      return describeStart(entry);
    case "action":
      return describeAction(entry);
    case "decision":
      return [describeDecision(entry)];
    case "answer":
      return [describeAnswer(entry)];
    case "end": {
      const { statements, denied, masked, rows, bytesIn, bytesOut, reason, fault } = entry;
      return [
        `end: ${reason}${fault === undefined ? "" : ` (${fault})`}`,
        `${count(statements, "statement")}, ${denied} denied, ${count(masked, "value")} masked, ${count(rows, "row")}, ` +
          `${bytesIn} bytes from the client, ${bytesOut} to it`,
      ];
    }
    case "gap":
      return [`! ${count(entry.operations, "operation")} could not be recorded; all were denied`];
    case "unknown":
      return ["! a record of a kind that this version does not know"];
    case "missing":
      return [`! records ${entry.fromSequence} to ${entry.toSequence} are missing`];
    case "damaged":
      return [`! ${entry.file} cannot be read from byte ${entry.offset}: ${entry.why}`];
    case "interrupted":
      return ["! interrupted: the recording has no end"];
  }
}

function describeStart({ sessionId, agent, groups, connection, protocol, origin, upstreamTls }: StartEntry): string[] {
  const program = origin.executable === "" ? origin.comm : origin.executable;
  const tls = upstreamTls === "verify-full" ? [] : [`! upstream TLS is ${upstreamTls}: the server is not verified`];
  return [
    `session ${sessionId}: ${agent}${groups.length === 0 ? "" : ` (${groups.join(", ")})`} to ${connection} (${protocol})`,
    `dialled ${origin.address} port ${origin.port} from ${program}, pid ${origin.pid}, user ${origin.user} (${origin.uid})`,
    `cgroup ${origin.cgroup}`,
    ...tls,
  ];
}

function describeAction({
  askId,
  text,
  textTruncated,
  parameters,
  parametersTruncated,
  actions,
}: ActionEntry): string[] {
  const names = actions.length === 0 ? "" : `  [${actions.map(({ name }) => name).join(" ")}]`;
  const lines = [`#${askId} ${text}${textTruncated ? "… (cut)" : ""}${names}`];
  if (parameters.length > 0) {
    const shown = parameters
      .slice(0, SHOWN_PARAMETERS_MAX)
      .map((value) => (value === null ? "NULL" : JSON.stringify(value)));
    const more = parameters.length > SHOWN_PARAMETERS_MAX || parametersTruncated ? ", …" : "";
    lines.push(`parameters: ${shown.join(", ")}${more}`);
  }
  return lines;
}

function describeDecision({ askId, decision, rules, message }: DecisionEntry): string {
  const by = rules.length === 0 ? "" : ` by ${rules.join(", ")}`;
  return decision === "allow" ? `#${askId} allowed${by}` : `#${askId} DENIED${by}: ${message}`;
}

function describeAnswer(entry: Extract<RecordEntry, { kind: "answer" }>): string {
  const { askId, rows, bytes, masks, outcome, error } = entry;
  if (error !== undefined) return `#${askId} failed: ${error.code} ${error.message}`;
  const masked = masks.map(({ column, by, count: times }) => `${column} ${times} times by ${by}`).join(", ");
  return (
    `#${askId} answered: ${outcome === "" ? "" : `${outcome}, `}${count(rows, "row")}, ${bytes} bytes` +
    (masked === "" ? "" : `; masked: ${masked}`)
  );
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** "02:03.045"; hours go into the minutes. */
function formatOffset(offsetMs: number): string {
  const minutes = Math.floor(offsetMs / 60_000);
  const seconds = ((offsetMs % 60_000) / 1_000).toFixed(3);
  return `${minutes.toString().padStart(2, "0")}:${seconds.padStart(6, "0")}`;
}

/**
 * An agent chose this text: whatever a terminal would obey (escape sequences, C1 controls) or a reader
 * would be misled by (bidirectional and invisible characters) is shown as its number. Line ends stay.
 */
export function printable(text: string): string {
  return text.replace(/\r\n/g, "\n").replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, (character) => {
    if (character === "\n") return character;
    if (character === "\t") return "  ";
    return `\\u{${character.codePointAt(0)?.toString(16)}}`;
  });
}
