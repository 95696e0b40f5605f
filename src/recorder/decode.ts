/** Records from their bytes. No files here. */
import type { Refusal } from "../model/decision.ts";
import type { MaskTally, OutputValue } from "../model/session.ts";
import {
  type ActionEntry,
  type DecisionEntry,
  type HoldEntry,
  type RecordBody,
  type RecordEntry,
  type RecordedOrigin,
  type StartEntry,
  TYPES,
} from "./format.ts";

/** Reads the records of one segment, in their order and from its first on: some name others for what they do not have. */
export class SegmentDecoder {
  /** Those that can be named, by sequence, as they stand in the file: few of them are. */
  readonly #full = new Map<number, Uint8Array>();
  readonly #named = new Map<number, RecordEntry>();
  readonly #missing = new Set<number>();
  #untold: number[] = [];

  /** Throws when `message` is not a record. */
  decode(message: Uint8Array): RecordEntry {
    const entry = decodeRecord(message);
    if (entry.kind !== "action" && entry.kind !== "decision") return entry;
    const { repeats, ...own } = entry;
    if (repeats === undefined) {
      this.#full.set(entry.sequence, message);
      return entry;
    }
    const named = this.#find(repeats);
    if (own.kind === "action" && named?.kind === "action") {
      const { text, actions, forbidden } = named;
      return { ...own, text: own.text === "" ? text : own.text, actions, forbidden };
    }
    if (own.kind === "decision" && named?.kind === "decision") {
      return { ...own, rules: named.rules, policy: named.policy };
    }
    if (!this.#missing.has(repeats)) this.#untold.push(repeats);
    this.#missing.add(repeats);
    return entry.kind === "action" ? { ...entry, ...NO_OPERATION } : entry;
  }

  /** Records that were named since the last call and are not there; each once. */
  takeMissing(): readonly number[] {
    const untold = this.#untold;
    this.#untold = [];
    return untold;
  }

  #find(sequence: number): RecordEntry | undefined {
    const message = this.#full.get(sequence);
    const entry = this.#named.get(sequence) ?? (message && decodeRecord(message));
    if (entry !== undefined) this.#named.set(sequence, entry);
    return entry;
  }
}

/** In place of what is not there; without an action it would be taken for housekeeping. */
const NO_OPERATION = { actions: [{ name: "unknown", facts: "" }], forbidden: undefined };

/** As the message stands. Throws when it is not a record. */
function decodeRecord(message: Uint8Array): RecordEntry {
  const plain = TYPES.record.toObject(TYPES.record.decode(message), {
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  }) as unknown as PlainRecord;
  return { sequence: Number(plain.sequence), atMs: Number(plain.atMs), ...bodyOf(plain) };
}

interface PlainTally {
  readonly column: string;
  readonly by: string;
  readonly count: string;
}

/** What protobufjs makes of a record: 64-bit numbers as decimal text. */
interface PlainRecord {
  readonly sequence: string;
  readonly atMs: string;
  readonly start?: Omit<StartEntry, "origin"> & {
    readonly origin:
      | (Omit<RecordedOrigin, "netnsCookie" | "cgroupId"> & { netnsCookie: string; cgroupId: string })
      | null;
  };
  readonly action?: Omit<ActionEntry, "askId" | "parameters" | "forbidden" | "repeats"> & {
    readonly askId: string;
    readonly repeats: string;
    readonly parameters: readonly { readonly value?: string | null }[];
    readonly forbidden: { rule: string; message: string } | null;
  };
  readonly decision?: Omit<DecisionEntry, "askId" | "decision" | "observed" | "hold" | "repeats"> & {
    readonly askId: string;
    readonly repeats: string;
    readonly kind: string;
    readonly observed: Refusal | null;
    readonly hold: HoldEntry | null;
  };
  readonly answer?: {
    readonly askId: string;
    readonly rows: string;
    readonly bytes: string;
    readonly masks: readonly PlainTally[];
    readonly shown: readonly PlainTally[];
    readonly outcome: string;
    readonly error: { readonly code: string; readonly message: string } | null;
  };
  readonly end?: { readonly reason: string; readonly fault: string } & Readonly<
    Record<"statements" | "denied" | "masked" | "rows" | "bytesIn" | "bytesOut", string>
  >;
  readonly gap?: { readonly operations: string; readonly wentOn: boolean };
  readonly output?: {
    readonly askId: string;
    readonly columns: readonly string[];
    readonly rows: readonly { readonly values: readonly { readonly value?: string | null; readonly hex: boolean }[] }[];
    readonly truncated: boolean;
  };
  readonly terminal?: {
    readonly stream: string;
    readonly data: Uint8Array;
    readonly columns: number;
    readonly rows: number;
    readonly status: number;
  };
  readonly looking?: { readonly detectors: readonly string[]; readonly policy: string };
}

function bodyOf(plain: PlainRecord): RecordBody {
  const { start, action, decision, answer, end, gap, output, terminal, looking } = plain;
  if (start) {
    const origin = start.origin;
    if (origin === null) throw new Error("Cannot read the start of a recording: it has no origin");
    return {
      kind: "start",
      ...start,
      origin: { ...origin, netnsCookie: BigInt(origin.netnsCookie), cgroupId: BigInt(origin.cgroupId) },
    };
  }
  if (action) {
    const { repeats, ...same } = action;
    return {
      kind: "action",
      ...same,
      askId: Number(action.askId),
      parameters: action.parameters.map(({ value }) => value ?? null),
      actions: action.actions.map(({ name, facts }) => ({ name, facts })),
      forbidden: action.forbidden ?? undefined,
      ...(repeats !== "0" && { repeats: Number(repeats) }),
    };
  }
  if (decision) {
    const { kind, askId, observed, hold, shadow, repeats, ...same } = decision;
    return {
      kind: "decision",
      ...same,
      askId: Number(askId),
      decision: kind === "ALLOW" ? "allow" : kind === "HOLD" ? "hold" : "deny",
      ...(observed && { observed: { rules: observed.rules, message: observed.message } }),
      ...(hold && { hold: { id: hold.id, by: hold.by, state: hold.state } }),
      ...(shadow && shadow.length > 0 && { shadow: shadow.map(({ rule, would }) => ({ rule, would })) }),
      ...(repeats !== "0" && { repeats: Number(repeats) }),
    };
  }
  if (answer) {
    return {
      kind: "answer",
      askId: Number(answer.askId),
      rows: Number(answer.rows),
      bytes: Number(answer.bytes),
      masks: answer.masks.map(tallyOf),
      ...(answer.shown.length > 0 && { shown: answer.shown.map(tallyOf) }),
      outcome: answer.outcome,
      ...(answer.error && { error: answer.error }),
    };
  }
  if (end) {
    return {
      kind: "end",
      reason: end.reason,
      ...(end.fault !== "" && { fault: end.fault }),
      statements: Number(end.statements),
      denied: Number(end.denied),
      masked: Number(end.masked),
      rows: Number(end.rows),
      bytesIn: Number(end.bytesIn),
      bytesOut: Number(end.bytesOut),
    };
  }
  if (gap) return { kind: "gap", operations: Number(gap.operations), wentOn: gap.wentOn };
  if (output) {
    const shownAs = ({ value, hex }: { readonly value?: string | null; readonly hex: boolean }): OutputValue =>
      value === null || value === undefined ? null : hex ? { hex: value } : value;
    const rows = output.rows.map(({ values }) => values.map(shownAs));
    return { kind: "output", askId: Number(output.askId), columns: output.columns, rows, truncated: output.truncated };
  }
  if (terminal) return terminalOf(terminal);
  if (looking) return { kind: "looking", detectors: looking.detectors, policy: looking.policy };
  return { kind: "unknown" };
}

function tallyOf({ column, by, count }: PlainTally): MaskTally {
  return { column, by, count: Number(count) };
}

function terminalOf({ stream, data, columns, rows, status }: NonNullable<PlainRecord["terminal"]>): RecordBody {
  switch (stream) {
    case "OUTPUT":
      return { kind: "terminal", stream: "output", data };
    case "INPUT":
      return { kind: "terminal", stream: "input", data };
    case "RESIZE":
      return { kind: "terminal", stream: "resize", columns, rows };
    case "EXIT":
      return { kind: "terminal", stream: "exit", status };
    default:
      return { kind: "unknown" };
  }
}
