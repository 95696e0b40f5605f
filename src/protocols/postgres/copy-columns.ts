/**
 * Data of a COPY TO STDOUT of which some columns are masked, by their place in each row. Rows need not be
 * aligned with messages: what is begun waits for its end. Source: manual, COPY, "File Formats".
 */
import { ProtocolError } from "../../base/errors.ts";
import { FRAME_BYTES_MAX } from "../../base/limits.ts";
import type { CopyForm } from "./analysis/copy-form.ts";
import { Gathered, HEADER_BYTES, type Outlet } from "./codec.ts";
import { escaped, type Sent, unescaped } from "./copy.ts";
import { type Outputs, taintAt } from "./lineage/outputs.ts";
import { isClean } from "./lineage/taint.ts";
import { SERVER } from "./messages.ts";
import { type ColumnMask, columnFacts, type PlanSource, type Tally } from "./results.ts";
import { kindOf } from "./types.ts";

const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;
const TYPE = Buffer.of(SERVER.copyData);
const NO_BYTES = Buffer.alloc(0);

/** Undefined: no column depends on a label. Detectors are part of each mask. */
export function copyMasks(
  outputs: Outputs,
  count: number,
  source: PlanSource,
): readonly (ColumnMask | undefined)[] | undefined {
  if (source.catalog === undefined || outputs.kind === "clean") return undefined;
  const masks = Array.from({ length: count }, (_, at): ColumnMask | undefined => {
    const taint = taintAt(outputs, at, count);
    if (taint === undefined) {
      throw new ProtocolError("COPY_FORM", "Cannot go on: the columns of a copy are not those of its statement");
    }
    const [only] = taint.sources;
    // The copy does not say types: of a made value none is known, and NULL fits all.
    const kind = isClean(taint) ? "text" : taint.exact && only !== undefined ? kindOf(only.typeOid) : "other";
    const facts = columnFacts(`copy column ${at + 1}`, taint, kind, "text");
    const mask = source.maskFor(facts);
    return mask === undefined
      ? undefined
      : { name: facts.table === "" ? facts.name : `${facts.table}.${facts.name}`, mask };
  });
  return masks;
}

export class CopyColumns {
  readonly #masks: readonly (ColumnMask | undefined)[];
  readonly #form: CopyForm;
  readonly #null: Buffer;
  readonly #begun = new Gathered();
  /** Of csv: where the last look ended. */
  #isQuoted = false;
  #isEscaped = false;
  #isHeader: boolean;

  constructor(masks: readonly (ColumnMask | undefined)[], form: CopyForm) {
    this.#masks = masks;
    this.#form = form;
    this.#null = Buffer.from(form.nullText);
    this.#isHeader = form.header;
  }

  /** One CopyData message from `at` to `end`. */
  write(bytes: Buffer, at: number, end: number, outlet: Outlet, tally: Tally, sent?: Sent): void {
    const data = bytes.subarray(at + HEADER_BYTES, end);
    if (this.#begun.length + data.length > FRAME_BYTES_MAX) {
      throw new ProtocolError("COPY_LINE", `Cannot mask a row of a copy: it is longer than ${FRAME_BYTES_MAX} bytes`);
    }
    let from = 0;
    for (let stop = this.#rowEnd(data, from); stop >= 0; stop = this.#rowEnd(data, from)) {
      const row = this.#row(this.#whole(data.subarray(from, stop)), tally);
      put(row, outlet);
      sent?.(row);
      from = stop + 1;
    }
    if (from < data.length) this.#begun.add(data.subarray(from));
  }

  end(outlet: Outlet, tally: Tally, sent?: Sent): void {
    if (this.#begun.length === 0) return;
    const row = this.#row(this.#whole(NO_BYTES), tally);
    put(row, outlet);
    sent?.(row);
  }

  /** What was begun before, and its end. */
  #whole(rest: Buffer): Buffer {
    if (this.#begun.length === 0) return rest;
    this.#begun.add(rest);
    return this.#begun.take();
  }

  /**
   * Where the newline stands that ends the row; in csv one may stand between quotes. Each byte is looked at once: a
   * row may come in many messages.
   */
  #rowEnd(data: Buffer, from: number): number {
    if (this.#form.format === "text") return data.indexOf(NEWLINE, from);
    const { quote, escaping } = this.#form;
    for (let at = from; at < data.length; at++) {
      const byte = data[at];
      if (this.#isEscaped) this.#isEscaped = false;
      else if (this.#isQuoted && byte === escaping && escaping !== quote) this.#isEscaped = true;
      else if (byte === quote) this.#isQuoted = !this.#isQuoted;
      else if (byte === NEWLINE && !this.#isQuoted) return at;
    }
    return -1;
  }

  #row(row: Buffer, tally: Tally): Buffer {
    if (this.#isHeader) {
      this.#isHeader = false;
      return row;
    }
    const fields = this.#form.format === "text" ? this.#textFields(row) : this.#csvFields(row);
    if (fields.length !== this.#masks.length) {
      throw new ProtocolError("COPY_FORM", "Cannot go on: a row of a copy has another number of columns");
    }
    const pieces: Uint8Array[] = [];
    for (const [at, field] of fields.entries()) {
      if (at > 0) pieces.push(Buffer.of(this.#form.delimiter));
      pieces.push(this.#field(field, this.#masks[at], tally));
    }
    return Buffer.concat(pieces);
  }

  #field(field: Buffer, column: ColumnMask | undefined, tally: Tally): Uint8Array {
    if (column === undefined || field.equals(this.#null)) return field;
    const { name, mask } = column;
    const value = this.#form.format === "text" ? unescaped(field) : this.#unquoted(field);
    const masked = mask(value, (by) => tally(name, by, "shown"));
    if (masked === undefined) {
      if (mask.shownBy !== undefined) tally(name, mask.shownBy, "shown");
      return field;
    }
    tally(name, masked.by, "masked");
    if (masked.value === null) return this.#null;
    return this.#form.format === "text" ? this.#escapedText(masked.value) : this.#quoted(masked.value);
  }

  #textFields(row: Buffer): readonly Buffer[] {
    const fields: Buffer[] = [];
    let from = 0;
    for (let at = 0; at < row.length; at++) {
      if (row[at] === BACKSLASH) at++;
      else if (row[at] === this.#form.delimiter) {
        fields.push(row.subarray(from, at));
        from = at + 1;
      }
    }
    fields.push(row.subarray(from));
    return fields;
  }

  #csvFields(row: Buffer): readonly Buffer[] {
    const { delimiter, quote, escaping } = this.#form;
    const fields: Buffer[] = [];
    let isQuoted = false;
    let from = 0;
    for (let at = 0; at < row.length; at++) {
      const byte = row[at];
      if (isQuoted && byte === escaping && escaping !== quote) at++;
      else if (byte === quote) isQuoted = !isQuoted;
      else if (byte === delimiter && !isQuoted) {
        fields.push(row.subarray(from, at));
        from = at + 1;
      }
    }
    fields.push(row.subarray(from));
    return fields;
  }

  /** A delimiter of the text form other than a tab is written with a backslash. */
  #escapedText(value: Uint8Array): Uint8Array {
    const made = escaped(value);
    const { delimiter } = this.#form;
    if (!made.includes(delimiter)) return made;
    return Buffer.from([...made].flatMap((byte) => (byte === delimiter ? [BACKSLASH, byte] : [byte])));
  }

  #unquoted(field: Buffer): Buffer {
    const { quote, escaping } = this.#form;
    if (field[0] !== quote) return field;
    const made: number[] = [];
    for (let at = 1; at < field.length - 1; at++) {
      if (field[at] === escaping && at + 1 < field.length - 1) at++;
      made.push(field[at] as number);
    }
    return Buffer.from(made);
  }

  #quoted(value: Uint8Array): Buffer {
    const { quote, escaping } = this.#form;
    const made: number[] = [quote];
    for (const byte of value) {
      if (byte === quote || byte === escaping) made.push(escaping);
      made.push(byte);
    }
    made.push(quote);
    return Buffer.from(made);
  }
}

function put(row: Buffer, outlet: Outlet): void {
  outlet.put(TYPE);
  outlet.putInt32(row.length + 1 + 4);
  outlet.put(row);
  outlet.put(Buffer.of(NEWLINE));
}
