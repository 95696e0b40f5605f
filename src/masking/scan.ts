/** What the detectors share: how they are called, and how a text falls into runs of digits. All linear in the text. */

/** Calls `found` with the half-open range of each finding, ascending. `hint` is the column's name, or "". */
export type Scan = (text: string, hint: string, found: (start: number, end: number) => void) => void;

export interface DigitGroup {
  readonly digits: string;
  readonly start: number;
  readonly end: number;
  /** What stands between it and the group before: " ", "-" or "."; "" for the first of a run. */
  readonly separator: string;
}

/** Groups of digits with single separators between them. */
export interface DigitRun {
  readonly groups: readonly DigitGroup[];
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** The first group is what follows a decimal point. */
  readonly fraction: boolean;
}

export function* digitRuns(text: string): Generator<DigitRun> {
  let at = 0;
  while (at < text.length) {
    if (!isDigit(text[at])) {
      at++;
      continue;
    }
    const start = at;
    const groups: DigitGroup[] = [];
    let separator = "";
    for (;;) {
      const from = at;
      while (isDigit(text[at])) at++;
      groups.push({ digits: text.slice(from, at), start: from, end: at, separator });
      separator = text[at] ?? "";
      if ((separator !== " " && separator !== "-" && separator !== ".") || !isDigit(text[at + 1])) break;
      at++;
    }
    yield { groups, before: text[start - 1], after: text[at], fraction: text[start - 1] === "." };
  }
}

export function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= "0" && character <= "9";
}

export function isAlphanumeric(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}]/u.test(character);
}

/** How far before a number a word may stand that says what it is. */
const WORDS_BEFORE = 40;

export function wordsBefore(text: string, at: number): string {
  return text.slice(Math.max(0, at - WORDS_BEFORE), at);
}
