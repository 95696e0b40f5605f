/** What the index holds of a recording or an event, before it is written. Nouns only. */

/** A value of a term: ["table", "public.customers"]. */
export type Facet = readonly [term: string, value: string];

/** Who something is about: a session, or what an event says of agent and process. */
export interface Subject {
  /** Equal for the same. */
  readonly key: string;
  readonly session: string | undefined;
  readonly agent: string;
  readonly connection: string;
  readonly user: string;
  readonly executable: string;
  readonly pid: number;
  readonly startedMs: number;
  readonly facets: readonly Facet[];
}

/** One entry of the index: an operation with what came of it, or an event. */
export interface Row {
  /** Rows of the same key are one, with counts that add up. */
  readonly key: string;
  readonly kind: string;
  readonly decision: string;
  readonly rules: readonly string[];
  readonly sequence: number;
  readonly text: string;
  /** Names that words find: rules, tables, actions, paths. */
  readonly names: string;
  readonly message: string;
  readonly atMs: number;
  lastMs: number;
  count: number;
  folded: boolean;
  readonly facets: Set<string>;
  readonly findings: Map<string, Finding>;
}

export interface Finding {
  readonly by: string;
  readonly column: string;
  masked: number;
  shown: number;
}

/** Facets in a set: a term holds no NUL, and a value may be anything. */
export function facetKey([term, value]: Facet): string {
  return `${term}\0${value}`;
}

export function facetOf(key: string): Facet {
  const at = key.indexOf("\0");
  return [key.slice(0, at), key.slice(at + 1)];
}
