/** Which labelled columns a value depends on. Plain values; never changed once made. */

/** A column of a relation that the settings name. */
export interface SourceColumn {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  readonly labels: readonly string[];
  /** 0: not known. */
  readonly typeOid: number;
}

export interface Taint {
  readonly sources: readonly SourceColumn[];
  /** The value is one of the sources' own, not made from them: a mask may keep its shape. */
  readonly exact: boolean;
}

export const CLEAN: Taint = Object.freeze({ sources: Object.freeze([]), exact: true });

export function isClean(taint: Taint): boolean {
  return taint.sources.length === 0;
}

/** Of a value that is made from others. */
export function made(taints: readonly Taint[]): Taint {
  return merge(taints, false);
}

/**
 * Of a value that is one of others, as in UNION or VALUES. Beside what carries no label it counts as made: the agent may have
 * put a guess there, and would see what a hash makes of it.
 */
export function oneOf(taints: readonly Taint[]): Taint {
  return merge(
    taints,
    taints.every((taint) => taint.exact && !isClean(taint)),
  );
}

export function labelsIn(taint: Taint): readonly string[] {
  if (taint.sources.length === 0) return NO_LABELS;
  return [...new Set(taint.sources.flatMap(({ labels }) => labels))];
}

function merge(taints: readonly Taint[], exact: boolean): Taint {
  const tainted = taints.filter((taint) => !isClean(taint));
  const [first] = tainted;
  if (first === undefined) return CLEAN;
  if (tainted.length === 1 && first.exact === exact) return first;
  return { sources: [...new Set(tainted.flatMap(({ sources }) => sources))], exact };
}

const NO_LABELS: readonly string[] = Object.freeze([]);
