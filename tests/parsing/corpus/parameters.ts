/** Values for texts that have parameters and come without any. */

/** NULL for each parameter that a text of the extended protocol names. */
export function valuesFor(text: string): readonly null[] | undefined {
  const count = Math.max(0, ...[...text.matchAll(/\$(\d{1,3})\b/g)].map(([, number]) => Number(number)));
  const isPlain = /^\W*(select|insert|update|delete|merge|with|values|explain)\b/i.test(text) && !text.includes("$$");
  return count === 0 || !isPlain ? undefined : Array.from({ length: count }, () => null);
}
