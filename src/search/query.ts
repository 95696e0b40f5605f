/**
 * The query language: words and "phrases" for full text, term:value for facts. Text in, plain values out; what they find
 * is not known here. Whatever cannot be understood is an error with its place, never ignored.
 */
import { UserError } from "../base/errors.ts";
import { SEARCH_QUERY_MAX, SEARCH_TERMS_MAX } from "../base/limits.ts";
import { DETECTOR_NAMES } from "../masking/detectors.ts";
import { TOO_LONG_BY } from "../model/mask.ts";
import { SEARCH_TERMS, type SearchTerm } from "../model/search.ts";
import { didYouMean } from "../policy/nearest.ts";
import { readMoment } from "./moment.ts";

export interface Query {
  readonly words: readonly Words[];
  readonly terms: readonly Term[];
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
}

/** Words that stand beside each other; `isPrefix`: the last of them may go on. */
export interface Words {
  readonly text: string;
  readonly isPrefix: boolean;
  readonly isNegated: boolean;
}

/** Any of the values fits. */
export interface Term {
  /** A SearchTerm, or "claim." and a name. */
  readonly term: string;
  readonly values: readonly { readonly text: string; readonly isPrefix: boolean }[];
  readonly isNegated: boolean;
}

const DECISIONS = ["allow", "deny", "hold", "observed"];
const FIXED: Partial<Record<SearchTerm, readonly string[]>> = {
  decision: DECISIONS,
  value: ["masked", "shown"],
  detector: [...DETECTOR_NAMES, TOO_LONG_BY],
};
const NUMBERS: ReadonlySet<string> = new Set<SearchTerm>(["pid", "uid"]);
const TIMES = ["since", "until"];
const CLAIM = "claim.";
const PIECE =
  /\s*(-?)(?:([A-Za-z][A-Za-z0-9_./-]*):)?((?:"(?:[^"]|"")*"|[^\s",])*)((?:,(?:"(?:[^"]|"")*"|[^\s",])*)*)/y;

/** Throws UserError SEARCH_QUERY. `nowMs`: what "since:2h" counts from. */
export function parseQuery(text: string, nowMs: number): Query {
  if (text.length > SEARCH_QUERY_MAX)
    throw fault(`it is longer than ${SEARCH_QUERY_MAX} characters`, 0, "Ask for less");
  const words: Words[] = [];
  const terms: Term[] = [];
  const times: Record<string, number> = {};
  const end = text.trimEnd().length;
  for (let at = 0; at < end; ) {
    PIECE.lastIndex = at;
    const match = PIECE.exec(text);
    const [whole = "", minus = "", name, first = "", more = ""] = match ?? [];
    if (match === null || whole.trim() === "") throw fault("a quotation has no end", at, 'Close it with "');
    const place = at + whole.length - whole.trimStart().length;
    at += whole.length;
    const next = text[at];
    if (next !== undefined && !/\s/.test(next)) throw fault("a quotation has no end", place, 'Close it with "');
    const isNegated = minus !== "";
    if (name === undefined) words.push({ ...wordsOf(first + more, place), isNegated });
    else if (TIMES.includes(name)) {
      if (isNegated) throw fault(`${name} cannot be negated`, place, "since: and until: are each other's opposite");
      times[name] = momentOf(name, first + more, nowMs, place);
    } else terms.push({ ...termOf(name, [first, ...split(more)], place), isNegated });
    if (words.length + terms.length > SEARCH_TERMS_MAX) {
      throw fault(`it has more than ${SEARCH_TERMS_MAX} words and terms`, place, "Ask for less");
    }
  }
  return { words, terms, sinceMs: times["since"], untilMs: times["until"] };
}

function wordsOf(written: string, place: number): Pick<Words, "text" | "isPrefix"> {
  const { text, isPrefix } = valueIn(written);
  if (!/[\p{L}\p{N}_]/u.test(text)) throw fault("there is no letter or digit to look for", place, "Name a word");
  return { text, isPrefix };
}

function termOf(name: string, written: readonly string[], place: number): Omit<Term, "isNegated"> {
  const known = Object.keys(SEARCH_TERMS);
  if (!known.includes(name) && !(name.startsWith(CLAIM) && name.length > CLAIM.length)) {
    const near = didYouMean(name, [...known, ...TIMES, "claim.NAME"]);
    const remedy = near === "" ? `Terms are ${[...known, ...TIMES, "claim.NAME"].join(", ")}` : near.trim();
    throw fault(`there is no term "${name}"`, place, `${remedy}; in quotes it is text`);
  }
  const fixed = FIXED[name as SearchTerm];
  const values = written.map(valueIn).flatMap((value) => {
    if (fixed === undefined || !value.isPrefix) return [value];
    // What there is of them is known: a beginning stands for names, so that the answer can tell of each.
    const begun = fixed.filter((one) => one.startsWith(value.text));
    return begun.length === 0 ? [{ ...value, isPrefix: false }] : begun.map((text) => ({ text, isPrefix: false }));
  });
  for (const { text, isPrefix } of values) {
    if (text === "" && !isPrefix) throw fault(`${name}: has no value`, place, `Write ${name}:VALUE`);
    if (fixed !== undefined && !fixed.includes(text)) {
      const near = didYouMean(text, fixed).trim();
      throw fault(`"${text}" is no ${name}`, place, near === "" ? `It is one of ${fixed.join(", ")}` : near);
    }
    if (NUMBERS.has(name) && (isPrefix || !/^\d{1,10}$/.test(text))) {
      throw fault(`${name} must be a number`, place, `Write ${name}:123`);
    }
  }
  return { term: name, values };
}

/** A star at the end, outside of quotes, stands for anything that follows. */
function valueIn(written: string): { readonly text: string; readonly isPrefix: boolean } {
  const isPrefix = written.endsWith("*");
  const bare = isPrefix ? written.slice(0, -1) : written;
  return { text: bare.replaceAll(/"((?:[^"]|"")*)"/g, (_, inner: string) => inner.replaceAll('""', '"')), isPrefix };
}

/** ',a,"b,c"' as its parts. */
function split(more: string): readonly string[] {
  return [...more.matchAll(/,((?:"(?:[^"]|"")*"|[^",])*)/g)].map((match) => match[1] ?? "");
}

function momentOf(name: string, written: string, nowMs: number, place: number): number {
  const moment = readMoment(valueIn(written).text, nowMs, name === "until" ? "end" : "start");
  if (moment !== undefined) return moment;
  throw fault(`${name} must be a time`, place, "As 2026-11-01, 2026-11-01T09:30 or 7d (s, min, h, d ago)");
}

function fault(why: string, at: number, remedy: string): UserError {
  return new UserError("SEARCH_QUERY", `Cannot search: ${why} (at character ${at + 1} of the query)`, remedy, {
    exitCode: 2,
  });
}
