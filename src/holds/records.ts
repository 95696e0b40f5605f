/** Records of held actions, as the database keeps them: who reads waits for what is being written. Changes none of them. */
import { HOLDS_SIMILAR_MAX } from "../base/limits.ts";
import type { HoldStore } from "../store/holds.ts";
import { type HoldRecord, recordOf, rowOf } from "./record.ts";

export class HoldRecords {
  readonly #store: HoldStore;
  readonly #writing = new Set<Promise<void>>();

  constructor(store: HoldStore) {
    this.#store = store;
  }

  put(record: HoldRecord): Promise<void> {
    const written = this.#store.put(rowOf(record));
    const told = written.then(
      () => {},
      () => {},
    );
    this.#writing.add(told);
    void told.then(() => this.#writing.delete(told));
    return written;
  }

  /** Whatever is being written is there, or was refused. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#writing);
  }

  async get(id: string): Promise<HoldRecord | undefined> {
    await this.settled();
    const row = await this.#store.get(id);
    return row === undefined ? undefined : recordOf(row);
  }

  /** Newest first. */
  async list(limit: number): Promise<readonly HoldRecord[]> {
    await this.settled();
    return (await this.#store.list(limit)).map(recordOf);
  }

  /** Earlier ones of the same statement, newest first. */
  async similar({ likeness, id }: HoldRecord): Promise<readonly HoldRecord[]> {
    return (await this.#store.similar(likeness, id, HOLDS_SIMILAR_MAX)).map(recordOf);
  }

  prune(): Promise<void> {
    return this.#store.prune();
  }
}
