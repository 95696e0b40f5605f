/**
 * What a recording keeps of one answer's rows: what the client gets, after masking. Counts its rows and bytes and
 * stops at the caps; a row is kept as a whole or not at all. Never sees what a value was before its mask.
 */
import { isUtf8 } from "node:buffer";
import { OUTPUT_ENTRY_BYTES, OUTPUT_ROW_BYTES_MAX } from "../../base/limits.ts";
import type { OutputCaps, OutputEntry, OutputValue } from "../../model/session.ts";

/** One column of a result, as its rows have it. */
export interface OutputColumn {
  readonly name: string;
  readonly format: "text" | "binary";
}

export class OutputCapture {
  readonly #emit: (entry: OutputEntry) => void;
  readonly #askId: number;
  #rowsLeft: number;
  #bytesLeft: number;
  #result: readonly OutputColumn[] | undefined;
  #columns: readonly string[] = [];
  #rows: (readonly OutputValue[])[] = [];
  #waiting = 0;
  #row: OutputValue[] = [];
  #rowBytes = 0;
  #isCut = false;

  constructor(caps: OutputCaps, askId: number, emit: (entry: OutputEntry) => void) {
    this.#rowsLeft = caps.rows;
    this.#bytesLeft = caps.bytes;
    this.#askId = askId;
    this.#emit = emit;
  }

  /** Nothing more is kept of this answer: it need not be looked at. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Bytes that the next row may have. */
  get room(): number {
    return this.#rowsLeft === 0 ? 0 : Math.min(this.#bytesLeft, OUTPUT_ROW_BYTES_MAX);
  }

  /** The rows that follow have these columns. The same list again changes nothing. */
  begin(columns: readonly OutputColumn[]): void {
    if (this.#result === columns) return;
    this.#flush();
    this.#result = columns;
    this.#columns = columns.map(({ name }) => name);
  }

  /** The next value of the row. Null is NULL. The bytes are copied. */
  value(bytes: Buffer | null): void {
    if (this.#isCut) return;
    this.#rowBytes += 1 + (bytes?.length ?? 0);
    if (this.#rowBytes > this.room) {
      this.cut();
      return;
    }
    const isBinary = this.#result?.[this.#row.length]?.format === "binary";
    this.#row.push(
      bytes === null ? null : !isBinary && isUtf8(bytes) ? bytes.toString() : { hex: bytes.toString("hex") },
    );
  }

  endRow(): void {
    if (this.#isCut) return;
    if (this.#rowsLeft === 0) {
      this.cut();
      return;
    }
    this.#rows.push(this.#row);
    this.#rowsLeft--;
    this.#bytesLeft -= this.#rowBytes;
    this.#waiting += this.#rowBytes;
    this.#row = [];
    this.#rowBytes = 0;
    if (this.#waiting >= OUTPUT_ENTRY_BYTES) this.#flush();
  }

  /** A row passes that is not kept: this one, and all after it. */
  cut(): void {
    this.#isCut = true;
    this.#row = [];
  }

  /** Hands out what waits. `how` "cut": the answer goes no further, and has not ended. */
  finish(how: "whole" | "cut"): void {
    if (how === "cut") this.cut();
    this.#flush(this.#isCut);
  }

  #flush(truncated = false): void {
    if (this.#rows.length === 0 && this.#columns.length === 0 && !truncated) return;
    this.#emit({ askId: this.#askId, columns: this.#columns, rows: this.#rows, truncated });
    this.#columns = [];
    this.#rows = [];
    this.#waiting = 0;
  }
}

/** The lines of a copy, each as one value. */
export const COPY_LINES: readonly OutputColumn[] = Object.freeze([{ name: "copy", format: "text" }]);

/** Data of a copy as the client gets it: whole lines, of which the last may lack its end. */
export function captureLines(data: Uint8Array, capture: OutputCapture): void {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < bytes.length && !capture.isCut; ) {
    const stop = bytes.indexOf(NEWLINE, at);
    const end = stop < 0 ? bytes.length : stop;
    capture.value(bytes.subarray(at, end));
    capture.endRow();
    at = end + 1;
  }
}

const NEWLINE = 0x0a;
