/**
 * The prepared statements and portals that a client has made through the protocol: what each name
 * stands for on the server, so that an Execute is judged as what it really runs. Where the server has
 * not said yet whether it made something in an earlier series, its name is not settled and must wait.
 */
import { PREPARED_BYTES_MAX, PREPARED_MAX } from "../../base/limits.ts";
import type { Analysis } from "./actions.ts";
import type { Column, Plan } from "./results.ts";

export interface PreparedStatement {
  readonly name: string;
  readonly text: string;
  analysis: Analysis;
  /** Catalog that the analysis was made with; another one asks for a new analysis. */
  catalogVersion: string;
  /** Number of the series (messages up to one Sync) that made it. */
  readonly series: number;
  /** Type OIDs of the parameters, from Parse or the server. 0: unknown. */
  types: readonly number[];
  /** As the server described the result; undefined until it has. */
  columns: readonly Column[] | undefined;
  /** Running it may take names away or give them anew (`noteNaming`). */
  readonly isNaming: boolean;
  /** SQL text may have removed it on the server (DEALLOCATE, DISCARD). */
  unsure: boolean;
  readonly weight: number;
  /** What the name stood for before; set until the server has confirmed this one. */
  before: PreparedStatement | undefined;
}

export interface Portal {
  readonly name: string;
  readonly statement: PreparedStatement;
  readonly formats: readonly number[];
  readonly parameters: readonly (string | null)[];
  readonly series: number;
  /** Known once the server has described it. */
  plan: Plan | undefined;
  /** The last series in which it was described. */
  describedSeries: number;
  /** `Requests.runs` when it was last bound, described or run: nothing else has run since if they are equal. */
  knownRuns: number;
  readonly weight: number;
  before: Portal | undefined;
}

export interface Named<T> {
  readonly name: string;
  readonly series: number;
  /** Characters that it keeps in memory. */
  readonly weight: number;
  before: T | undefined;
}

/**
 * Names to what they stand for. At most PREPARED_MAX of them with PREPARED_BYTES_MAX together; what waits for
 * an answer behind a name is bounded by the answers that a session may await.
 */
export class Names<T extends Named<T>> {
  readonly #byName = new Map<string, T>();
  /** Made by the client, not yet confirmed by the server. */
  readonly #pending = new Set<T>();
  #weight = 0;

  get size(): number {
    return this.#byName.size;
  }

  get isFull(): boolean {
    return this.#byName.size >= PREPARED_MAX;
  }

  /** Whether every name is settled, in any series. */
  get isSettled(): boolean {
    return this.#pending.size === 0;
  }

  /** What `name` stands for, once it is settled. */
  get(name: string): T | undefined {
    return this.#byName.get(name);
  }

  /**
   * Whether `series` may go by what `get` says. In its own series an entry is reached only if the server accepted
   * it: after an error all is skipped until Sync. A later one has to wait for the answer, since the name may
   * still stand for something that a skipped Close or DEALLOCATE did not remove.
   */
  mayUse(name: string, series: number): boolean {
    const newest = this.#byName.get(name);
    return newest === undefined || newest.series === series || !this.#pending.has(newest);
  }

  /** False: too many. */
  set(entry: T): boolean {
    const before = this.#byName.get(entry.name);
    if (before === undefined && this.isFull) return false;
    if (this.#weight + entry.weight > PREPARED_BYTES_MAX) return false;
    entry.before = before;
    this.#pending.add(entry);
    this.#put(entry.name, entry);
    return true;
  }

  /** The server has made it: the name stands for nothing else any more. */
  confirm(entry: T): void {
    this.#pending.delete(entry);
    entry.before = undefined;
  }

  /** The server has not made it: the name stands for what it did before. */
  revert(entry: T): void {
    this.#pending.delete(entry);
    const newest = this.#byName.get(entry.name);
    if (newest === entry) {
      this.#put(entry.name, entry.before);
      return;
    }
    for (let later = newest; later !== undefined; later = later.before) {
      if (later.before === entry) later.before = entry.before;
    }
  }

  remove(name: string): T | undefined {
    const entry = this.#byName.get(name);
    this.#put(name, undefined);
    return entry;
  }

  /** Takes a removal back: what was made meanwhile stands before it. */
  restore(entry: T): void {
    let oldest = this.#byName.get(entry.name);
    if (oldest === undefined) this.#put(entry.name, entry);
    while (oldest?.before !== undefined) oldest = oldest.before;
    if (oldest !== undefined && oldest !== entry && this.#pending.has(oldest)) oldest.before = entry;
  }

  values(): IterableIterator<T> {
    return this.#byName.values();
  }

  #put(name: string, entry: T | undefined): void {
    this.#weight += (entry?.weight ?? 0) - (this.#byName.get(name)?.weight ?? 0);
    if (entry === undefined) this.#byName.delete(name);
    else this.#byName.set(name, entry);
  }
}

const NAMING = /prepare|deallocate|discard/i;

export function isNaming(text: string): boolean {
  return NAMING.test(text);
}

/** SQL text can take names away, and give them anew, behind the protocol's back: when it is read and whenever it runs. */
export function noteNaming(text: string, statements: Names<PreparedStatement>): void {
  if (!isNaming(text)) return;
  if (/deallocate|discard/i.test(text)) for (const entry of statements.values()) entry.unsure = true;
  if (!/prepare/i.test(text)) return;
  for (const entry of statements.values()) if (entry.unsure) statements.remove(entry.name);
}

/** Names that DEALLOCATE has freed are never closed: where all places are taken, the oldest of them makes room. */
export function makeRoom(statements: Names<PreparedStatement>): void {
  if (!statements.isFull) return;
  for (const entry of statements.values()) {
    if (!entry.unsure) continue;
    statements.remove(entry.name);
    return;
  }
}
