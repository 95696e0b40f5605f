/**
 * The rows of an answer on their way to the client, masked as their plan says. A million of them come in one answer: values
 * are looked at where they stand, and what became of them is told once a batch.
 */
import { ProtocolError } from "../../base/errors.ts";
import { MASKED_BYTES_MAX } from "../../base/limits.ts";
import { ASK, type Masked, NULLED, TOO_LONG_BY } from "../../model/mask.ts";
import { BodyReader, HEADER_BYTES, type Outlet } from "./codec.ts";
import type { OutputCapture } from "./output.ts";
import type { ColumnMask, Tally } from "./results.ts";

/** In place of a value that nobody has looked into. */
export const TOO_LONG: Masked = Object.freeze({ value: null, by: TOO_LONG_BY });
const UNCHANGED = -1;

/** For rows of one result that are here together; at their end, `tell`. */
export class RowMasker {
  /** By position. */
  readonly #masks: readonly (ColumnMask | undefined)[];
  readonly #outlet: Outlet;
  readonly #tally: Tally;
  /** By column: what was masked on the quick way, and what counts as shown by its label. */
  readonly #masked: number[];
  readonly #shown: number[];
  /** Of the row: where it stands, up to where it was handed on, where its length was written, and by how much it has grown. */
  #at = 0;
  #passed = 0;
  #lengthMark = UNCHANGED;
  #growth = 0;

  constructor(masks: readonly (ColumnMask | undefined)[], outlet: Outlet, tally: Tally) {
    this.#masks = masks;
    this.#outlet = outlet;
    this.#tally = tally;
    this.#masked = new Array<number>(masks.length).fill(0);
    this.#shown = new Array<number>(masks.length).fill(0);
  }

  /**
   * Writes the DataRow message at `at` (its header included) to the outlet. A row in which no length changes passes where it
   * stands. `capture` gets the values as they are then.
   */
  write(bytes: Buffer, at: number, end: number, capture?: OutputCapture): void {
    const masks = this.#masks;
    let cursor = at + HEADER_BYTES;
    if (end - cursor < 2 || bytes.readUInt16BE(cursor) !== masks.length) throw rowFault();
    cursor += 2;
    let left = MASKED_BYTES_MAX;
    this.#at = this.#passed = at;
    this.#lengthMark = UNCHANGED;
    this.#growth = 0;
    for (let position = 0; position < masks.length; position++) {
      if (end - cursor < 4) throw rowFault();
      const length = int32(bytes, cursor);
      const start = cursor + 4;
      if (length < -1 || length > end - start) throw rowFault();
      cursor = length === -1 ? start : start + length;
      const column = masks[position];
      if (column === undefined || length === -1) {
        capture?.value(length === -1 ? null : bytes.subarray(start, cursor));
        continue;
      }
      const { name, mask } = column;
      if (mask.whole !== undefined) {
        const cut = mask.whole.cut(bytes, start, cursor);
        if (cut !== ASK) {
          this.#masked[position] = (this.#masked[position] as number) + 1;
          if (cut === NULLED) this.#replace(bytes, start, cursor, null, cursor, capture);
          else this.#replace(bytes, start, cursor, mask.whole.head, cut, capture);
          continue;
        }
      }
      if (mask.isClear?.(bytes, start, cursor) !== true) {
        left -= length;
        const masked = this.#ask(bytes.subarray(start, cursor), left, column);
        if (masked !== undefined) {
          this.#tally(name, masked.by, "masked");
          this.#replace(bytes, start, cursor, masked.value, cursor, capture);
          continue;
        }
      }
      if (mask.shownBy !== undefined) this.#shown[position] = (this.#shown[position] as number) + 1;
      capture?.value(bytes.subarray(start, cursor));
    }
    if (cursor !== end) throw rowFault();
    capture?.endRow();
    this.#outlet.pass(this.#passed, end);
    if (this.#lengthMark !== UNCHANGED) this.#outlet.patchInt32(this.#lengthMark, end - at - 1 + this.#growth);
  }

  /** What was counted. */
  tell(): void {
    for (const [position, column] of this.#masks.entries()) {
      if (column === undefined) continue;
      const { whole, shownBy } = column.mask;
      const masked = this.#masked[position] as number;
      const shown = this.#shown[position] as number;
      if (whole !== undefined && masked > 0) this.#tally(column.name, whole.by, "masked", masked);
      if (shownBy !== undefined && shown > 0) this.#tally(column.name, shownBy, "shown", shown);
    }
  }

  /** The value from `start` to `end` becomes `head` and what stands from `cut` on; null: NULL. */
  #replace(
    bytes: Buffer,
    start: number,
    end: number,
    head: Uint8Array | null,
    cut: number,
    capture: OutputCapture | undefined,
  ): void {
    capture?.value(head === null ? null : Buffer.concat([head, bytes.subarray(cut, end)]));
    const headBytes = head === null ? 0 : head.length;
    const length = headBytes + end - cut;
    this.#growth += length - (end - start);
    if (headBytes === 0 && cut === start && head !== null) return;
    const outlet = this.#outlet;
    outlet.pass(this.#passed, start - 4);
    outlet.drop(cut);
    if (this.#lengthMark === UNCHANGED) this.#lengthMark = outlet.mark - (start - 4 - this.#at) + 1;
    outlet.putInt32(head === null ? -1 : length);
    if (head !== null) outlet.put(head);
    this.#passed = cut;
  }

  /** `left`: what may still be searched of the row. */
  #ask(value: Buffer, left: number, { name, mask }: ColumnMask): Masked | undefined {
    if (left >= 0) return mask(value, (by) => this.#tally(name, by, "shown"));
    if (mask.onlyWatches !== true) return TOO_LONG;
    this.#tally(name, TOO_LONG.by, "shown");
    return undefined;
  }
}

/** A row of which nothing is masked, for the recording. One that cannot be read passes as before, and is not kept. */
export function captureRow(bytes: Buffer, at: number, end: number, capture: OutputCapture): void {
  const body = new BodyReader(bytes, at + HEADER_BYTES, end);
  try {
    for (let left = body.count(); left > 0; left--) {
      const length = body.int32();
      capture.value(length < 0 ? null : body.take(length));
    }
    capture.endRow();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    capture.cut();
  }
}

/** Within bounds by the caller's check; a bulk read does this for every value. */
function int32(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}

function rowFault(): ProtocolError {
  return new ProtocolError("ROW_SHAPE", "Cannot read a row: it does not fit its description");
}
