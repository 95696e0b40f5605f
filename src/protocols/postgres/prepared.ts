/**
 * The prepared statements and portals that a client has made through the protocol: what each name
 * stands for on the server, so that an Execute is judged as what it really runs. Where an answer of
 * the server is still awaited, a name may stand for several; then all of them are judged.
 */
import { PREPARED_MAX } from "../../base/limits.ts";
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
  /** SQL text may have removed it on the server (DEALLOCATE, DISCARD). */
  unsure: boolean;
  /** What the name stood for before; set until the server has confirmed this one. */
  before: PreparedStatement | undefined;
}

export interface Portal {
  readonly name: string;
  readonly statement: PreparedStatement;
  /** What the statement's name may have stood for as well. */
  readonly others: readonly PreparedStatement[];
  readonly formats: readonly number[];
  readonly parameters: readonly (string | null)[];
  readonly series: number;
  /** Known once the server has described it. */
  plan: Plan | undefined;
  /** The last series in which it was described. */
  describedSeries: number;
  before: Portal | undefined;
}

interface Named<T> {
  readonly name: string;
  readonly series: number;
  before: T | undefined;
}

/**
 * Names to what they stand for. At most PREPARED_MAX of them; what one name may stand for is bounded by the
 * answers that a session may await.
 */
export class Names<T extends Named<T>> {
  readonly #byName = new Map<string, T>();

  get size(): number {
    return this.#byName.size;
  }

  get isFull(): boolean {
    return this.#byName.size >= PREPARED_MAX;
  }

  /** Everything that `name` may stand for in `series`, newest first. */
  candidates(name: string, series: number): readonly T[] {
    const newest = this.#byName.get(name);
    if (newest === undefined) return [];
    // In its own series it is reached only if the server accepted it: after an error all is skipped until Sync.
    if (newest.before === undefined || newest.series === series) return [newest];
    const all: T[] = [];
    for (let entry: T | undefined = newest; entry !== undefined; entry = entry.before) all.push(entry);
    return all;
  }

  /** False: too many. */
  set(entry: T): boolean {
    const before = this.#byName.get(entry.name);
    if (before === undefined && this.isFull) return false;
    entry.before = before;
    this.#byName.set(entry.name, entry);
    return true;
  }

  /** The server has made it: the name stands for nothing else any more. */
  confirm(entry: T): void {
    entry.before = undefined;
  }

  /** The server has not made it: the name stands for what it did before. */
  revert(entry: T): void {
    const newest = this.#byName.get(entry.name);
    if (newest === entry) {
      if (entry.before === undefined) this.#byName.delete(entry.name);
      else this.#byName.set(entry.name, entry.before);
      return;
    }
    for (let later = newest; later !== undefined; later = later.before) {
      if (later.before === entry) later.before = entry.before;
    }
  }

  remove(name: string): T | undefined {
    const entry = this.#byName.get(name);
    this.#byName.delete(name);
    return entry;
  }

  /** Takes a removal back. */
  restore(entry: T): void {
    if (!this.#byName.has(entry.name)) this.#byName.set(entry.name, entry);
  }

  values(): IterableIterator<T> {
    return this.#byName.values();
  }
}

const NAMING = /prepare|deallocate|discard/i;

/** SQL text can take names away, and give them anew, behind the protocol's back. */
export function noteNaming(text: string, statements: Names<PreparedStatement>): void {
  if (!NAMING.test(text)) return;
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
