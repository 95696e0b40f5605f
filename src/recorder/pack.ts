/**
 * The frequent records, packed by hand into one growing buffer with a block's header in front: the recorder
 * stands in the way of every operation. Fields and numbers are those of recording.proto; a test reads each
 * kind back with protobufjs. Writes no file.
 */
import { RECORDS_NAMING_MAX } from "../base/limits.ts";
import type { Decision } from "../model/decision.ts";
import type { AnswerEntry, MaskTally, OutputEntry } from "../model/session.ts";
import { BLOCK_HEADER_BYTES, type Link, linkBlock } from "./block.ts";
import type { HoldEntry } from "./format.ts";
import { type FullRecord, FullRecords } from "./full-records.ts";

/** What a session's buffer begins with, and what it falls back to after a burst. */
const BYTES_MIN = 1024;
const BYTES_KEPT_MAX = 64 * 1024;

/** Wire types of the protobuf encoding. */
const VARINT = 0;
const LENGTH = 2;

/** Numbers of the bodies in `Record`. */
const ACTION = 11;
const DECISION = 12;
const ANSWER = 13;
const OUTPUT = 16;

/** An action in the form it is stored: scrubbed, cut, facts as JSON. */
export interface PackedAction {
  readonly text: string;
  readonly textTruncated: boolean;
  readonly parameters: readonly (string | null)[];
  readonly parametersTruncated: boolean;
  readonly prepared: boolean;
  /** Fields 6 and 7 of `Action`, packed once per operation. */
  readonly operation: Uint8Array;
}

/** A record that names one which is in the file. */
interface Naming {
  /** Where it begins and ends. */
  readonly start: number;
  readonly end: number;
  /** Packs it once more. */
  readonly again: () => void;
}

export class Packer {
  #bytes = Buffer.allocUnsafeSlow(BYTES_MIN);
  /** Room for the header comes first. */
  #length = BLOCK_HEADER_BYTES;
  /** Number of the block that is packed. */
  #block = 1;
  /** What can be named: by operation, and by rules of #policy. */
  #operations = new FullRecords<Uint8Array>();
  #rules = new FullRecords<string>();
  #policy = "";
  #naming: Naming[] = [];

  /** Of the records, without the header. */
  get length(): number {
    return this.#length - BLOCK_HEADER_BYTES;
  }

  /** The records: a view that is valid until the next call. */
  view(): Buffer {
    return this.#bytes.subarray(BLOCK_HEADER_BYTES, this.#length);
  }

  /** The records as a block: a view that is valid until the next call. */
  block(link: Link): Buffer {
    const block = this.#bytes.subarray(0, this.#length);
    linkBlock(block, link);
    return block;
  }

  /** The records are in the segment. */
  clear(): void {
    this.#length = BLOCK_HEADER_BYTES;
    this.#block += 1;
    this.#naming.length = 0;
    if (this.#bytes.length > BYTES_KEPT_MAX) this.#bytes = Buffer.allocUnsafeSlow(BYTES_MIN);
  }

  /**
   * The records go to a segment that has nothing yet: where they name one that is elsewhere, what it has is spelled out,
   * once for all that name it. May be said again, where the segment could not be made.
   */
  beginSegment(): void {
    this.#operations.keepOnly(this.#block);
    this.#rules.keepOnly(this.#block);
    const naming = this.#naming;
    if (naming.length === 0) return;
    // What is known may stand behind them; they may name only each other.
    this.#operations = new FullRecords();
    this.#rules = new FullRecords();
    this.#naming = [];
    const packed = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#length = BLOCK_HEADER_BYTES;
    let at = BLOCK_HEADER_BYTES;
    for (const { start, end, again } of naming) {
      this.#raw(packed.subarray(at, start));
      again();
      at = end;
    }
    this.#raw(packed.subarray(at));
  }

  /** Drops the last `bytes`: whole records, none of which names another or is named. */
  drop(bytes: number): void {
    this.#length -= bytes;
  }

  /** A record that was encoded elsewhere. */
  frame(message: Uint8Array): void {
    this.#room(4 + message.length);
    this.#length = this.#bytes.writeUInt32BE(message.length, this.#length);
    this.#bytes.set(message, this.#length);
    this.#length += message.length;
  }

  action(sequence: number, atMs: number, askId: number, action: PackedAction): void {
    const start = this.#length;
    const frame = this.#beginFrame(sequence, atMs);
    const body = this.#begin(ACTION);
    this.#number(1, askId);
    const full = this.#named(this.#operations.get(action.operation));
    const named = action.text === "" && full?.text !== "" ? undefined : full;
    if (named?.text !== action.text) this.#string(2, action.text);
    this.#number(3, action.textTruncated ? 1 : 0);
    for (const value of action.parameters) {
      const parameter = this.#begin(4);
      // `optional`: an empty text is a value, unlike NULL.
      if (value !== null) this.#text(1, value);
      this.#end(parameter);
    }
    this.#number(5, action.parametersTruncated ? 1 : 0);
    if (named === undefined) this.#raw(action.operation);
    this.#number(8, action.prepared ? 1 : 0);
    this.#number(9, named?.sequence ?? 0);
    this.#end(body);
    this.#endFrame(frame);
    if (named !== undefined) this.#name(named, start, () => this.action(sequence, atMs, askId, action));
    else if (action.operation.length > 0) {
      const record = { sequence, block: this.#block, text: action.text };
      this.#operations.set(action.operation, record, this.#length - start);
    }
  }

  /** `hold`: the id, while it waits. */
  decision(sequence: number, atMs: number, askId: number, decision: Decided, hold?: string): void {
    const start = this.#length;
    const frame = this.#beginFrame(sequence, atMs);
    const body = this.#begin(DECISION);
    this.#number(1, askId);
    if (decision.policy !== this.#policy) this.#rules.clear();
    this.#policy = decision.policy;
    const rules = decision.rules.join("\n");
    const named = this.#named(this.#rules.get(rules));
    this.decisionFields(decision, hold, named?.sequence);
    this.#end(body);
    this.#endFrame(frame);
    if (named !== undefined) this.#name(named, start, () => this.decision(sequence, atMs, askId, decision, hold));
    else this.#rules.set(rules, { sequence, block: this.#block, text: "" }, this.#length - start);
  }

  /** undefined: it is not to be named, since too many records that wait would have to be packed again. */
  #named(full: FullRecord | undefined): FullRecord | undefined {
    return full?.block === this.#block || this.#naming.length < RECORDS_NAMING_MAX ? full : undefined;
  }

  /** The record from `start` on names `full`. */
  #name(full: FullRecord, start: number, again: () => void): void {
    if (full.block !== this.#block) this.#naming.push({ start, end: this.#length, again });
  }

  /** What stands behind the ask's id, without a frame; `repeats`: the record that has its rules and policy. */
  decisionFields(decision: Decided, hold?: string, repeats = 0): void {
    this.#number(2, KINDS[decision.kind]);
    if (repeats === 0) for (const rule of decision.rules) this.#text(3, rule);
    if (decision.kind !== "allow") this.#string(4, decision.message);
    if (repeats === 0) this.#string(5, decision.policy);
    if (decision.kind === "allow" && decision.observed !== undefined) {
      const observed = this.#begin(6);
      for (const rule of decision.observed.rules) this.#text(1, rule);
      this.#string(2, decision.observed.message);
      this.#end(observed);
    }
    const held = holdOf(decision, hold);
    if (held !== undefined) {
      const message = this.#begin(7);
      this.#string(1, held.id);
      for (const one of held.by) this.#text(2, one);
      this.#string(3, held.state);
      this.#end(message);
    }
    for (const { rule, would } of decision.shadow ?? []) {
      const shadow = this.#begin(8);
      this.#string(1, rule);
      this.#string(2, would);
      this.#end(shadow);
    }
    this.#number(9, repeats);
  }

  answer(sequence: number, atMs: number, answer: AnswerEntry): void {
    const frame = this.#beginFrame(sequence, atMs);
    const body = this.#begin(ANSWER);
    this.#number(1, answer.askId);
    this.#number(2, answer.rows);
    this.#number(3, answer.bytes);
    this.#tallies(4, answer.masks);
    this.#string(5, answer.outcome);
    if (answer.error !== undefined) {
      const error = this.#begin(6);
      this.#string(1, answer.error.code);
      this.#string(2, answer.error.message);
      this.#end(error);
    }
    if (answer.shown !== undefined) this.#tallies(7, answer.shown);
    this.#end(body);
    this.#endFrame(frame);
  }

  output(sequence: number, atMs: number, { askId, columns, rows, truncated }: OutputEntry): void {
    const frame = this.#beginFrame(sequence, atMs);
    const body = this.#begin(OUTPUT);
    this.#number(1, askId);
    for (const column of columns) this.#text(2, column);
    for (const values of rows) {
      const row = this.#begin(3);
      for (const value of values) {
        const item = this.#begin(1);
        // `optional`: an empty text is a value, unlike NULL.
        if (typeof value === "string") this.#text(1, value);
        else if (value !== null) {
          this.#text(1, value.hex);
          this.#number(2, 1);
        }
        this.#end(item);
      }
      this.#end(row);
    }
    this.#number(4, truncated ? 1 : 0);
    this.#end(body);
    this.#endFrame(frame);
  }

  #tallies(field: number, tallies: readonly MaskTally[]): void {
    for (const { column, by, count } of tallies) {
      const item = this.#begin(field);
      this.#string(1, column);
      this.#string(2, by);
      this.#number(3, count);
      this.#end(item);
    }
  }

  /** Fields 6 and 7 of `Action` alone: they are the same for every use of one operation. */
  operation(
    actions: readonly { readonly name: string; readonly facts: string; readonly factsTruncated: boolean }[],
    forbidden: { readonly rule: string; readonly message: string } | undefined,
  ): void {
    for (const action of actions) {
      const item = this.#begin(6);
      this.#string(1, action.name);
      this.#string(2, action.facts);
      this.#number(3, action.factsTruncated ? 1 : 0);
      this.#end(item);
    }
    if (forbidden === undefined) return;
    const item = this.#begin(7);
    this.#string(1, forbidden.rule);
    this.#string(2, forbidden.message);
    this.#end(item);
  }

  #beginFrame(sequence: number, atMs: number): number {
    this.#room(4);
    this.#length += 4;
    const start = this.#length;
    this.#number(1, sequence);
    this.#number(2, atMs);
    return start;
  }

  #endFrame(start: number): void {
    this.#bytes.writeUInt32BE(this.#length - start, start - 4);
  }

  /** Opens a length-delimited field whose length most often fits one byte; `#end` makes room if not. */
  #begin(field: number): number {
    this.#varint(field * 8 + LENGTH);
    this.#room(1);
    this.#length += 1;
    return this.#length;
  }

  #end(start: number): void {
    const length = this.#length - start;
    if (length < 0x80) {
      this.#bytes[start - 1] = length;
      return;
    }
    const extra = varintBytes(length) - 1;
    this.#room(extra);
    this.#bytes.copyWithin(start + extra, start, this.#length);
    this.#length = start - 1;
    this.#varint(length);
    this.#length += length;
  }

  /** Absent when empty, as proto3 has it. */
  #string(field: number, text: string): void {
    if (text !== "") this.#text(field, text);
  }

  #text(field: number, text: string): void {
    const start = this.#begin(field);
    this.#room(text.length * 3);
    this.#length += this.#bytes.write(text, this.#length, "utf8");
    this.#end(start);
  }

  /** Absent when 0, as proto3 has it. */
  #number(field: number, value: number): void {
    if (value === 0) return;
    this.#varint(field * 8 + VARINT);
    this.#varint(value);
  }

  #raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Up to 2^53; anything that is not such a number is stored as 0 rather than as garbage. */
  #varint(value: number): void {
    this.#room(8);
    let rest = Number.isSafeInteger(value) && value >= 0 ? value : 0;
    // Times do not fit 32 bits: whole numbers beyond them are divided, the rest is shifted, which is far cheaper.
    while (rest > 0x7fff_ffff) {
      const above = Math.floor(rest / 0x80);
      this.#bytes[this.#length++] = (rest - above * 0x80) | 0x80;
      rest = above;
    }
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  #room(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** A decision without its permit. */
type Plain<D> = D extends unknown ? Omit<D, "permit" | "terms"> : never;
export type Decided = Plain<Decision>;

const KINDS = { allow: 1, deny: 2, hold: 3 } as const;

function holdOf(
  decision: Decided,
  hold: string | undefined,
): (Omit<HoldEntry, "state"> & { state: string }) | undefined {
  if (decision.kind === "hold") return hold === undefined ? undefined : { id: hold, by: [], state: "" };
  if (decision.kind === "deny") {
    const { held } = decision;
    return held && { id: held.hold, by: held.by, state: held.state };
  }
  const { approval } = decision;
  return approval && { id: approval.hold, by: approval.by, state: "approved" };
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}
