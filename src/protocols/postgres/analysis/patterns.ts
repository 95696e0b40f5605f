/** Whether every text fits a pattern. Constants only. */

/** LIKE and SIMILAR TO. */
export function isAnyText(pattern: string): boolean {
  return /^%+$/.test(pattern);
}

/** A regular expression that finds the empty text wherever it looks, or everything from end to end. */
export function findsAnything(pattern: string): boolean {
  if (/^\^?(\(?\.\*\??\)?)*\$?$/.test(pattern)) return pattern !== "^$";
  if (/[\^$\\]|\(\?|^\*\*\*/.test(pattern)) return false;
  try {
    return new RegExp(pattern).test("");
  } catch {
    return false;
  }
}

/** A range without bounds, as text. */
export function isEverything(range: string): boolean {
  return /^\s*[[(]\s*,\s*[\])]\s*$/.test(range);
}

/** An array, object or the like with nothing in it, as text. */
export function isEmptyCollection(value: string): boolean {
  return /^\s*(\{\s*\}|\[\s*\])\s*$/.test(value);
}

/** The elements of a plain array as text; undefined: it has quotes, or arrays within. */
export function elementsOf(array: string): readonly string[] | undefined {
  const inner = /^\s*\{([^{}"\\]*)\}\s*$/.exec(array)?.[1];
  if (inner === undefined) return undefined;
  return inner.trim() === "" ? [] : inner.split(",").map((element) => element.trim());
}
