/** Records that have in full what others of the same segment only name, found by what that is. Knows no bytes. */
import { RECORD_NAMED_BYTES_MAX, RECORDS_NAMED_MAX } from "../base/limits.ts";

export interface FullRecord {
  readonly sequence: number;
  /** Of the block it was packed for: it waits still, or it is in the segment. */
  readonly block: number;
  /** Of an action. */
  readonly text: string;
}

export class FullRecords<K> {
  readonly #found = new Map<K, FullRecord>();

  get(key: K): FullRecord | undefined {
    return this.#found.get(key);
  }

  /** `bytes` of the record: one that is long is not named, since it may have to be spelled out once more. */
  set(key: K, record: FullRecord, bytes: number): void {
    if (bytes > RECORD_NAMED_BYTES_MAX) return;
    if (this.#found.size >= RECORDS_NAMED_MAX && !this.#found.has(key)) this.#found.clear();
    this.#found.set(key, record);
  }

  /** Those of other blocks are in another segment than what will be packed. */
  keepOnly(block: number): void {
    for (const [key, record] of this.#found) if (record.block !== block) this.#found.delete(key);
  }

  clear(): void {
    this.#found.clear();
  }
}
