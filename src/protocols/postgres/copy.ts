/**
 * Data of a COPY TO STDOUT in text or csv form, whole lines at a time, with what detectors find
 * masked. Labelled columns never come here: the analysis refuses a copy of them.
 */

import { ProtocolError } from "../../base/errors.ts";
import { FRAME_BYTES_MAX, MASKED_BYTES_MAX } from "../../base/limits.ts";
import type { ValueMask } from "../../model/mask.ts";
import { Gathered, HEADER_BYTES, type Outlet } from "./codec.ts";
import { SERVER } from "./messages.ts";
import type { Tally } from "./results.ts";
import { TOO_LONG } from "./rows.ts";

const TAB = 0x09;
const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;
const TYPE = Buffer.of(SERVER.copyData);
/** SQL NULL in the text form. */
const NULL_TEXT = Buffer.from("\\N");
const NO_BYTES = Buffer.alloc(0);

/** Gets what the client gets. */
export type Sent = (data: Uint8Array) => void;

export class CopyMask {
  readonly #mask: ValueMask;
  readonly #columns: number;
  /** The beginning of a line whose end has not come. Servers of today send whole lines. */
  readonly #begun = new Gathered();
  /** Bytes of this message that masks may still look into. */
  #left = 0;

  constructor(mask: ValueMask, columns: number) {
    this.#mask = mask;
    this.#columns = columns;
  }

  /** One CopyData message from `at` to `end`. */
  write(bytes: Buffer, at: number, end: number, outlet: Outlet, tally: Tally, sent?: Sent): void {
    let data = bytes.subarray(at + HEADER_BYTES, end);
    const whole = this.#begun.length === 0 && data.at(-1) === NEWLINE;
    if (this.#begun.length > 0 && this.#begun.length + data.length > FRAME_BYTES_MAX) {
      throw new ProtocolError("COPY_LINE", `Cannot mask a line of a copy: it is longer than ${FRAME_BYTES_MAX} bytes`);
    }
    let stop = data.lastIndexOf(NEWLINE) + 1;
    if (stop === 0) {
      this.#begun.add(data);
      return;
    }
    if (this.#begun.length > 0) {
      stop += this.#begun.length;
      data = this.#joined(data);
    }
    if (stop < data.length) this.#begun.add(data.subarray(stop));
    const masked = this.#lines(data.subarray(0, stop), tally);
    const shown = masked ?? data.subarray(0, stop);
    if (masked === undefined && whole) outlet.pass(at, end);
    else this.#put(shown, outlet);
    sent?.(shown);
  }

  end(outlet: Outlet, tally: Tally, sent?: Sent): void {
    if (this.#begun.length === 0) return;
    const line = this.#joined(NO_BYTES);
    const shown = this.#lines(line, tally) ?? line;
    this.#put(shown, outlet);
    sent?.(shown);
  }

  /** Counts what a mask that only watches finds in one message's lines. */
  watch(data: Buffer, tally: Tally): void {
    this.#lines(data, tally);
  }

  /** What was begun before, with what follows. */
  #joined(data: Buffer): Buffer {
    this.#begun.add(data);
    return this.#begun.take();
  }

  #put(data: Uint8Array, outlet: Outlet): void {
    outlet.put(TYPE);
    outlet.putInt32(data.length + 4);
    outlet.put(data);
  }

  /** Undefined: nothing changes. */
  #lines(data: Buffer, tally: Tally): Buffer | undefined {
    this.#left = MASKED_BYTES_MAX;
    const pieces: Uint8Array[] = [];
    let changed = false;
    for (let at = 0; at < data.length; ) {
      const stop = data.indexOf(NEWLINE, at);
      const end = stop < 0 ? data.length : stop;
      const line = data.subarray(at, end);
      const masked = this.#line(line, tally);
      changed ||= masked !== undefined;
      pieces.push(masked ?? line, data.subarray(end, end + 1));
      at = end + 1;
    }
    return changed ? Buffer.concat(pieces) : undefined;
  }

  /** The text form has a known number of tabs; any other line (csv, another delimiter) is one value. */
  #line(line: Buffer, tally: Tally): Uint8Array | undefined {
    const fields = split(line);
    if (fields.length !== this.#columns) return this.#value(line, tally, NO_BYTES);
    let changed = false;
    const pieces: Uint8Array[] = [];
    for (const field of fields) {
      const plain = unescaped(field);
      const masked = this.#value(plain, tally, NULL_TEXT);
      changed ||= masked !== undefined;
      if (pieces.length > 0) pieces.push(Buffer.of(TAB));
      pieces.push(masked === undefined ? field : masked === NULL_TEXT ? masked : escaped(masked));
    }
    return changed ? Buffer.concat(pieces) : undefined;
  }

  #value(value: Buffer, tally: Tally, ofNull: Uint8Array): Uint8Array | undefined {
    this.#left -= value.length;
    const isTooMuch = this.#left < 0 && this.#mask.isClear?.(value, 0, value.length) !== true;
    if (isTooMuch && this.#mask.onlyWatches === true) {
      tally("copy", TOO_LONG.by, "shown");
      return undefined;
    }
    const masked = isTooMuch ? TOO_LONG : this.#mask(value, (by) => tally("copy", by, "shown"));
    if (masked === undefined) return undefined;
    tally("copy", masked.by, "masked");
    return masked.value ?? ofNull;
  }
}

function split(line: Buffer): readonly Buffer[] {
  const fields: Buffer[] = [];
  let from = 0;
  for (let tab = line.indexOf(TAB); tab >= 0; tab = line.indexOf(TAB, from)) {
    fields.push(line.subarray(from, tab));
    from = tab + 1;
  }
  fields.push(line.subarray(from));
  return fields;
}

const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };
const UNESCAPES: Readonly<Record<string, string>> = {
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
};

/** The value that a field of the text form stands for. Source: manual, COPY, "Text Format". */
export function unescaped(field: Buffer): Buffer {
  if (!field.includes(BACKSLASH) || field.equals(NULL_TEXT)) return field;
  const text = field.toString("latin1").replace(/\\(.)/gs, (_: string, char: string) => ESCAPES[char] ?? char);
  return Buffer.from(text, "latin1");
}

export function escaped(value: Uint8Array): Buffer {
  const text = Buffer.from(value).toString("latin1");
  return Buffer.from(
    text.replace(/[\b\f\n\r\t\v\\]/g, (char) => UNESCAPES[char] ?? char),
    "latin1",
  );
}
