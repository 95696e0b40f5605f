/**
 * A line of the journal: an event with its number and the hash of the line before. Only forms and reads lines; files
 * are others' business.
 */
import { createHash } from "node:crypto";
import { EVENT_BYTES_MAX, EVENT_TEXT_MAX } from "../base/limits.ts";
import type { AuditEvent } from "../model/event.ts";

/** Of the line before the first. */
export const NO_HASH = "0".repeat(64);

/** Where a chain stands: its newest line. */
export interface Head {
  /** 0: there is no line yet. */
  readonly seq: number;
  /** SHA-256 of the whole line without its line break, in hex. */
  readonly hash: string;
}

export interface JournalEvent extends AuditEvent {
  readonly seq: number;
  readonly prev: string;
  /** In the first line of a file: the first number of the file before it; 0 where there was none. */
  readonly follows?: number;
}

export function hashOf(line: Uint8Array): string {
  return createHash("sha256").update(line).digest("hex");
}

/** The line without its break. An event that is too long loses its longest texts, and says so. */
export function lineOf(event: AuditEvent, head: Head, follows: number | undefined): Buffer {
  const place = { seq: head.seq + 1, prev: head.hash, ...(follows === undefined ? {} : { follows }) };
  const line = Buffer.from(JSON.stringify({ ...place, ...event }));
  return line.length <= EVENT_BYTES_MAX ? line : Buffer.from(JSON.stringify({ ...place, ...shortened(event) }));
}

/** Undefined: it is no line of a journal. */
export function readLine(line: Uint8Array): JournalEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.length).toString("utf8"));
  } catch {
    return undefined;
  }
  return isEvent(value) ? value : undefined;
}

function isEvent(value: unknown): value is JournalEvent {
  if (typeof value !== "object" || value === null) return false;
  const { seq, prev, atMs, kind, message } = value as Record<string, unknown>;
  const isPlaced = Number.isSafeInteger(seq) && (seq as number) > 0 && typeof prev === "string" && prev.length === 64;
  return isPlaced && typeof atMs === "number" && typeof kind === "string" && typeof message === "string";
}

function shortened(event: AuditEvent): AuditEvent {
  const fields = Object.entries(event.fields ?? {}).map(([name, value]) => [name, cut(value)] as const);
  const message = String(cut(event.message));
  const kept = { ...Object.fromEntries(fields.slice(0, 64)), cut: true };
  return { ...event, message, fields: kept };
}

function cut(value: string | number | boolean): string | number | boolean {
  if (typeof value !== "string" || value.length <= EVENT_TEXT_MAX) return value;
  return `${value.slice(0, EVENT_TEXT_MAX).toWellFormed()}…`; // strict readers refuse half a character, and with it the line
}
