/** The face of recording.proto: what records are made of, how a segment begins, and the rare records as bytes. No files here. */
import { readFileSync } from "node:fs";
import protobuf from "protobufjs";
import type { Connection } from "../model/connection.ts";
import type { Refusal, ShadowEffect } from "../model/decision.ts";
import type { Agent } from "../model/identity.ts";
import type { Origin } from "../model/origin.ts";
import type { AnswerEntry, OutputEntry } from "../model/session.ts";
import { blockAround, type Link } from "./block.ts";

/** What is known of a session when it opens. */
export interface RecordingStart {
  /** Letters, digits, "-" and "_", at most 64: it names the file. */
  readonly sessionId: string;
  readonly agent: Agent;
  readonly connection: Connection;
  readonly origin: Origin;
  /** Hash of the policy in force. */
  readonly policy: string;
  readonly startedAtMs: number;
  /** Kinds of credentials that the client showed ("password"), never their values. */
  readonly placeholders?: readonly string[];
}

/** What the caller knows of a session's end. */
export interface RecordingSummary {
  readonly reason: string;
  /** Code of the protocol error that ended it. */
  readonly fault?: string;
  readonly endedAtMs: number;
  /** From the client, and to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Housekeeping and the connect itself are recorded like the rest, but are nobody's statement. */
export function isStatement(actions: readonly { readonly name: string }[]): boolean {
  return actions.some(({ name }) => name !== "connect");
}

/** What the recorder counts by itself. */
export interface RecordingCounts {
  /** Operations asked for, housekeeping apart. */
  readonly statements: number;
  readonly denied: number;
  /** Values that were masked. */
  readonly masked: number;
  readonly rows: number;
}

/** One record as it is read. 64-bit numbers above 2^53 lose their last digits, except in `start`. */
export type RecordEntry = { readonly sequence: number; readonly atMs: number } & RecordBody;

export type RecordBody =
  | ({ readonly kind: "start" } & StartEntry)
  | ({ readonly kind: "action" } & ActionEntry)
  | ({ readonly kind: "decision" } & DecisionEntry)
  | ({ readonly kind: "answer" } & AnswerEntry)
  | ({ readonly kind: "end" } & RecordingCounts & Omit<RecordingSummary, "endedAtMs">)
  /** Operations that are not in here; `wentOn`: those that were allowed went to the backend all the same. */
  | { readonly kind: "gap"; readonly operations: number; readonly wentOn: boolean }
  | ({ readonly kind: "output" } & OutputEntry)
  | ({ readonly kind: "terminal" } & TerminalEntry)
  /** Detectors that are looked for in answers from here on. */
  | { readonly kind: "looking"; readonly detectors: readonly string[]; readonly policy: string }
  /** Of a later version of the format: shown as there, not understood. */
  | { readonly kind: "unknown" };

/** What passed through a terminal; `data` as it was sent. */
export type TerminalEntry =
  | { readonly stream: "output" | "input"; readonly data: Uint8Array }
  | { readonly stream: "resize"; readonly columns: number; readonly rows: number }
  | { readonly stream: "exit"; readonly status: number };

export interface StartEntry {
  readonly sessionId: string;
  readonly agent: string;
  readonly groups: readonly string[];
  readonly claims: Readonly<Record<string, string>>;
  readonly connection: string;
  readonly protocol: string;
  readonly origin: RecordedOrigin;
  readonly policy: string;
  readonly upstreamTls: string;
  readonly placeholders: readonly string[];
  /** Of the agent's token; empty without one. */
  readonly issuer: string;
  readonly subject: string;
}

export type RecordedOrigin = Pick<
  Origin,
  | "address"
  | "port"
  | "sourceAddress"
  | "sourcePort"
  | "netnsCookie"
  | "cgroupId"
  | "cgroup"
  | "pid"
  | "uid"
  | "user"
  | "comm"
  | "executable"
>;

export interface ActionEntry {
  readonly askId: number;
  readonly text: string;
  readonly textTruncated: boolean;
  readonly parameters: readonly (string | null)[];
  readonly parametersTruncated: boolean;
  /** It was made ready only. */
  readonly prepared: boolean;
  /** `facts` is a JSON object, or "" where it was too long. */
  readonly actions: readonly { readonly name: string; readonly facts: string }[];
  readonly forbidden: { readonly rule: string; readonly message: string } | undefined;
  /** Set where it is not known what was done: that stands in this record, which is not there. */
  readonly repeats?: number;
}

export interface DecisionEntry {
  readonly askId: number;
  readonly decision: "allow" | "deny" | "hold";
  readonly rules: readonly string[];
  readonly message: string;
  readonly policy: string;
  /** It was allowed because the agent was observed; this is what would have been answered. */
  readonly observed?: Refusal;
  readonly hold?: HoldEntry;
  /** Rules in shadow with which it would have been decided otherwise. */
  readonly shadow?: readonly ShadowEffect[];
  /** Set where it is not known by which rules: they stand in this record, which is not there. */
  readonly repeats?: number;
}

/** Of what was held, and of what came of it. */
export interface HoldEntry {
  readonly id: string;
  /** Who answered; none where time or the session's end did. */
  readonly by: readonly string[];
  /** approved, denied, expired or abandoned; "" while it waits. */
  readonly state: string;
}

export interface SegmentHead {
  readonly sessionId: string;
  readonly segment: number;
  readonly firstSequence: number;
  readonly openedMs: number;
  /** Of the data key with which the other blocks are sealed; "" where they are not. */
  readonly keyId: string;
}

const MAGIC = Buffer.from("SALLYREC", "latin1");
const VERSION = 3;
/** It has no `repeats`, and nothing else that is not in this one. */
const VERSION_BEFORE = 2;
/** Magic and version. */
export const PREAMBLE_BYTES = MAGIC.length + 4;

const ROOT = protobuf.parse(readFileSync(new URL("./recording.proto", import.meta.url), "utf8")).root;
export const TYPES = {
  head: ROOT.lookupType("sallyport.recording.v1.SegmentHead"),
  record: ROOT.lookupType("sallyport.recording.v1.Record"),
} as const;

/** Whether `bytes` begin as a segment does that this version reads. */
export function checkPreamble(bytes: Buffer): "fine" | "foreign" | "older" | "newer" {
  if (bytes.length < PREAMBLE_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return "foreign";
  const version = bytes.readUInt32BE(MAGIC.length);
  if (version > VERSION) return "newer";
  if (version >= VERSION_BEFORE) return "fine";
  return version === 0 ? "foreign" : "older";
}

/** Whether the bytes end within a preamble of this version, as a loss of power leaves a file of which only the name was kept. */
export function isTornPreamble(bytes: Buffer): boolean {
  return bytes.length < PREAMBLE_BYTES && preamble().subarray(0, bytes.length).equals(bytes);
}

function preamble(): Buffer {
  const bytes = Buffer.alloc(PREAMBLE_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt32BE(VERSION, MAGIC.length);
  return bytes;
}

/** What a segment file begins with: preamble, and the head as a block of its own. */
export function encodeHead(head: SegmentHead, link: Link): { readonly preamble: Buffer; readonly block: Buffer } {
  const message = TYPES.head.encode(TYPES.head.fromObject({ ...head })).finish();
  const body = Buffer.alloc(4 + message.length);
  body.writeUInt32BE(message.length);
  body.set(message, 4);
  return { preamble: preamble(), block: blockAround(body, link) };
}

export function decodeHead(message: Uint8Array): SegmentHead {
  return TYPES.head.toObject(TYPES.head.decode(message), { longs: Number, defaults: true }) as SegmentHead;
}

/** The rare records, by reflection. The frequent ones are packed by hand in pack.ts, to the same schema. */
export function encodeStart(sequence: number, start: RecordingStart): Uint8Array {
  const { sessionId, agent, connection, origin, policy, placeholders } = start;
  return encodeRecord({
    sequence,
    atMs: start.startedAtMs,
    start: {
      sessionId,
      agent: agent.name,
      groups: agent.groups,
      claims: agent.claims,
      connection: connection.name,
      protocol: connection.protocol,
      origin: { ...origin, netnsCookie: origin.netnsCookie.toString(), cgroupId: origin.cgroupId.toString() },
      policy,
      upstreamTls: connection.tls.mode,
      placeholders: placeholders ?? [],
      issuer: agent.identity?.issuer ?? "",
      subject: agent.identity?.subject ?? "",
    },
  });
}

export function encodeEnd(sequence: number, end: RecordingCounts & RecordingSummary): Uint8Array {
  return encodeRecord({ sequence, atMs: end.endedAtMs, end });
}

export function encodeGap(sequence: number, atMs: number, operations: number, wentOn: boolean): Uint8Array {
  return encodeRecord({ sequence, atMs, gap: { operations, wentOn } });
}

export function encodeLooking(
  sequence: number,
  atMs: number,
  detectors: readonly string[],
  policy: string,
): Uint8Array {
  return encodeRecord({ sequence, atMs, looking: { detectors, policy } });
}

export function encodeTerminal(sequence: number, atMs: number, { stream, ...rest }: TerminalEntry): Uint8Array {
  return encodeRecord({ sequence, atMs, terminal: { ...rest, stream: stream.toUpperCase() } });
}

function encodeRecord(record: object): Uint8Array {
  return TYPES.record.encode(TYPES.record.fromObject(record)).finish();
}
