/**
 * The prepared statements and portals that a client has made through the protocol: what each name
 * stands for on the server, so that an Execute is judged as what it really runs. Where the server has
 * not said yet whether it made something in an earlier series, its name is not settled and must wait.
 */
import { PREPARED_BYTES_MAX, PREPARED_MAX } from "../../base/limits.ts";
import type { Analysis, Effects } from "./actions.ts";
import type { Column, Plan } from "./results.ts";

export interface PreparedStatement {
  readonly name: string;
  readonly text: string;
  analysis: Analysis;
  /** Catalog that the analysis was made with; another one asks for a new analysis. */
  catalogVersion: string;
  /** Type OIDs of the parameters, from Parse or the server. 0: unknown. */
  types: readonly number[];
  /** As the server described the result; undefined until it has. */
  columns: readonly Column[] | undefined;
  /** Running it may take names away or give them anew (`noteNaming`). */
  readonly isNaming: boolean;
  /** SQL text may have removed it on the server (DEALLOCATE, DISCARD). */
  unsure: boolean;
  readonly weight: number;
}

export interface Portal {
  readonly name: string;
  readonly statement: PreparedStatement;
  readonly formats: readonly number[];
  readonly parameters: readonly (string | null)[];
  /** Number of the series (messages up to one Sync) that bound it. */
  readonly series: number;
  /** Code that nobody has read may have put something else in its place. */
  unsure: boolean;
  /** Known once the server has described it. */
  plan: Plan | undefined;
  /** The last series in which it was described. */
  describedSeries: number;
  /** `Requests.runs` when it was last bound, described or run: nothing else has run since if they are equal. */
  knownRuns: number;
  readonly weight: number;
}

export interface Named {
  readonly name: string;
  /** Characters that it keeps in memory. */
  readonly weight: number;
}

/** What one message of the client changes of a name, until the server has answered it. */
export interface Change {
  /** The server has done it. */
  confirm(): void;
  /** The server has not done it: it failed, was skipped, or never saw it. */
  drop(): void;
}

/** `entry` undefined: the name stands for nothing any more. */
interface Pending<T> {
  readonly entry: T | undefined;
  readonly series: number;
}

/**
 * Names to what they stand for: what the server has confirmed, and the changes that it has not answered yet, in
 * their order. At most PREPARED_MAX names, for which PREPARED_BYTES_MAX together stand; the changes are bounded by
 * the answers that a session may await.
 */
export class Names<T extends Named> {
  readonly #settled = new Map<string, T>();
  /** Oldest first; never empty. */
  readonly #pending = new Map<string, Pending<T>[]>();
  #weight = 0;

  get isFull(): boolean {
    return this.#settled.size + this.#pending.size >= PREPARED_MAX;
  }

  /** Whether every name is settled, in any series. */
  get isSettled(): boolean {
    return this.#pending.size === 0;
  }

  /** What `name` stands for once the server has done all that it was sent. */
  get(name: string): T | undefined {
    const newest = this.#pending.get(name)?.at(-1);
    return newest === undefined ? this.#settled.get(name) : newest.entry;
  }

  /**
   * Whether `series` may go by what `get` says. In its own series a change is passed only if the server accepted
   * it: after an error all is skipped until Sync. A later one has to wait for the answer.
   */
  mayUse(name: string, series: number): boolean {
    const newest = this.#pending.get(name)?.at(-1);
    return newest === undefined || newest.series === series;
  }

  /** Undefined: too many. */
  set(entry: T, series: number): Change | undefined {
    const { name } = entry;
    if (this.isFull && !this.#settled.has(name) && !this.#pending.has(name)) return undefined;
    if (this.#weight + entry.weight > PREPARED_BYTES_MAX) return undefined;
    return this.#change(name, { entry, series });
  }

  /** Undefined: it stands for nothing. */
  remove(name: string, series: number): Change | undefined {
    if (!this.#settled.has(name) && !this.#pending.has(name)) return undefined;
    return this.#change(name, { entry: undefined, series });
  }

  /** These are not to be used any more, whatever the server will say of them. Returns their names. */
  forget(isGone: (entry: T) => boolean): readonly string[] {
    const gone: string[] = [];
    for (const [name, entry] of this.#settled) {
      if (!isGone(entry)) continue;
      this.#put(name, () => this.#settled.delete(name));
      gone.push(name);
    }
    for (const [name, changes] of this.#pending) {
      for (const change of [...changes]) {
        if (change.entry === undefined || !isGone(change.entry)) continue;
        this.#put(name, () => this.#take(name, change));
        gone.push(name);
      }
    }
    return gone;
  }

  /** All that a name may stand for. */
  *values(): IterableIterator<T> {
    yield* this.#settled.values();
    for (const changes of this.#pending.values()) {
      for (const { entry } of changes) if (entry !== undefined) yield entry;
    }
  }

  #change(name: string, change: Pending<T>): Change {
    this.#put(name, () => {
      const changes = this.#pending.get(name);
      if (changes === undefined) this.#pending.set(name, [change]);
      else changes.push(change);
    });
    return {
      confirm: () =>
        this.#put(name, () => {
          if (!this.#take(name, change)) return;
          if (change.entry === undefined) this.#settled.delete(name);
          else this.#settled.set(name, change.entry);
        }),
      drop: () => this.#put(name, () => this.#take(name, change)),
    };
  }

  /** False: it is not there any more. */
  #take(name: string, change: Pending<T>): boolean {
    const changes = this.#pending.get(name);
    const at = changes?.indexOf(change) ?? -1;
    if (changes === undefined || at < 0) return false;
    if (changes.length === 1) this.#pending.delete(name);
    else changes.splice(at, 1);
    return true;
  }

  #put(name: string, act: () => void): void {
    const before = this.get(name)?.weight ?? 0;
    act();
    this.#weight += (this.get(name)?.weight ?? 0) - before;
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
  if (/prepare/i.test(text)) statements.forget(({ unsure }) => unsure);
}

/**
 * The same of portals, which share their names with cursors: what runs now may close some and open others. Returns the names of
 * those that are not to be used any more, though the server may still have them as they were.
 */
export function noteCursors(effects: Effects, portals: Names<Portal>, own: Portal | undefined): readonly string[] {
  const { declares, runsCode } = effects;
  const replaced =
    declares === undefined
      ? NO_NAMES
      : portals.forget((portal) => portal.name === declares || fetches(portal) === declares);
  if (!runsCode) return replaced;
  const fetching = portals.forget((portal) => portal !== own && fetches(portal) !== undefined);
  for (const portal of portals.values()) if (portal !== own) portal.unsure = true;
  return [...replaced, ...fetching];
}

const NO_NAMES: readonly string[] = Object.freeze([]);

function fetches({ statement }: Portal): string | undefined {
  return statement.analysis.statements[0]?.effects.fetches;
}

/** Names that DEALLOCATE has freed are never closed: where all places are taken, the oldest of them makes room. */
export function makeRoom(statements: Names<PreparedStatement>): void {
  if (!statements.isFull) return;
  for (const oldest of statements.values()) {
    if (!oldest.unsure) continue;
    statements.forget((entry) => entry === oldest);
    return;
  }
}
