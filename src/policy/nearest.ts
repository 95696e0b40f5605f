/** Which known word a person most likely meant. Knows no grammar and no policy. */

/** Longer words are not compared: the distance costs length times length. */
const WORD_LENGTH_MAX = 64;

/** ' Did you mean "x"?' with a leading space, or "" where nothing is near. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const found = nearest(word, known);
  return found === undefined ? "" : ` Did you mean "${found}"?`;
}

/** The known word with the fewest edits, at most a third of the word's length (and at least one). */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > WORD_LENGTH_MAX) return undefined;
  let best: string | undefined;
  let bestEdits = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    if (candidate.length > WORD_LENGTH_MAX || Math.abs(candidate.length - word.length) > bestEdits) continue;
    const edits = editsBetween(word.toLowerCase(), candidate.toLowerCase());
    // Of equals the one that begins alike: "tabels" is rather "tables" than "labels".
    const rather = edits === bestEdits && candidate[0] === word[0] && best?.[0] !== word[0];
    if (edits < bestEdits || (rather && best !== undefined)) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editsBetween(left: string, right: string): number {
  let before: number[] = [];
  let above = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1];
      let edits = Math.min((row[j - 1] ?? 0) + 1, (above[j] ?? 0) + 1, (above[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]) {
        edits = Math.min(edits, (before[j - 2] ?? 0) + 1);
      }
      row.push(edits);
    }
    before = above;
    above = row;
  }
  return above[right.length] ?? 0;
}
