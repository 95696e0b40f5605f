/**
 * YAML with places: maps whose keys are known, texts, and where each stands. What rule files and test files are read with.
 * Says every problem and skips nothing silently.
 */
import { isAlias, isMap, isScalar, LineCounter, type Node, type Pair, parseDocument, type Scalar } from "yaml";
import { durationMs } from "../base/duration.ts";
import { SETTINGS_BYTES_MAX } from "../base/limits.ts";
import { didYouMean } from "./nearest.ts";
import type { Problem } from "./problem.ts";

export interface Placed {
  readonly text: string;
  readonly place: Place;
  /** Whether the text stands in the file as it is, so that an offset into it is one into the file. */
  readonly verbatim: boolean;
}

/** Lines and columns from 1. */
export interface Place {
  readonly file: string;
  readonly offset: number;
  at(offset: number): { readonly line: number; readonly column: number };
}

export interface Entry {
  readonly value: unknown;
  readonly start: number;
}
export type Entries = Map<string, Entry>;

export class YamlReader {
  readonly #file: string;
  readonly #text: string;
  readonly #problems: Problem[];
  readonly #lines = new LineCounter();

  constructor(file: string, text: string, problems: Problem[]) {
    this.#file = file;
    this.#text = text;
    this.#problems = problems;
  }

  get problemCount(): number {
    return this.#problems.length;
  }

  /** What the file holds; undefined where it is empty or cannot be read at all. */
  contents(): unknown {
    if (this.#text.length > SETTINGS_BYTES_MAX) {
      this.say(0, "", `The file is larger than ${SETTINGS_BYTES_MAX} bytes.`, "Split it.");
      return undefined;
    }
    const document = parseDocument(this.#text, {
      lineCounter: this.#lines,
      uniqueKeys: true,
      prettyErrors: false,
      strict: true,
      version: "1.2",
    });
    for (const fault of [...document.errors, ...document.warnings]) {
      this.say(fault.pos[0], "", `${fault.message.split("\n")[0]}.`.replace("..", "."));
    }
    // With a repeated key the rest can still be read, and its problems told.
    if (document.warnings.length > 0 || document.errors.some(({ code }) => code !== "DUPLICATE_KEY")) return undefined;
    return document.contents ?? undefined;
  }

  /** A map's entries by key; undefined when it is no map. Unknown keys are problems. */
  entries(
    node: unknown,
    rule: string,
    what: string,
    known: readonly string[],
    { remedy = "", later = [] }: { readonly remedy?: string; readonly later?: readonly string[] } = {},
  ): Entries | undefined {
    if (!isMap(node)) {
      const kind = isAlias(node) ? ", and aliases are not understood" : "";
      this.say(startOf(node), rule, `${what} must be a map of keys and values${kind}.`, remedy);
      return undefined;
    }
    this.#refuseAnchor(node, rule);
    const entries: Entries = new Map();
    for (const pair of node.items as Pair[]) {
      const key = isScalar(pair.key) && typeof pair.key.value === "string" ? pair.key.value : undefined;
      const start = startOf(pair.key);
      if (key === undefined) this.say(start, rule, `${what} has a key that is not text.`);
      else if (known.includes(key)) entries.set(key, { value: pair.value, start });
      else if (later.includes(key)) {
        entries.set(key, { value: pair.value, start });
        this.say(start, rule, `"${key}" is for a later version and this one does not know it.`, "Remove the rule.");
      } else this.say(start, rule, `${what} has the unknown key "${key}".${didYouMean(key, known)}`);
    }
    return entries;
  }

  scalar(pair: Entry | undefined, rule: string, key: string, remedy = ""): Placed | undefined {
    if (pair === undefined) return undefined;
    const { value } = pair;
    if (!isScalar(value) || typeof value.value !== "string") {
      const kind = isAlias(value) ? ", and aliases are not understood" : "";
      this.say(startOf(value) || pair.start, rule, `"${key}" must be text${kind}.`, remedy);
      return undefined;
    }
    this.#refuseAnchor(value, rule);
    const { offset, verbatim } = this.#inner(value, value.value);
    return { text: value.value, place: this.place(offset), verbatim };
  }

  /** "10m" in milliseconds, at most `mostMs`. */
  time(pair: Entry | undefined, rule: string, key: string, mostMs: number): number | undefined {
    const written = this.scalar(pair, rule, key, "Write it like 30s, 10m, 2h or 1d.");
    if (written === undefined) return undefined;
    const ms = durationMs(written.text);
    if (ms !== undefined && ms > 0 && ms <= mostMs) return ms;
    const why = ms !== undefined && ms > mostMs ? `is longer than ${mostMs / 3_600_000} hours` : "is no time";
    this.say(written.place.offset, rule, `"${written.text}" ${why}.`, "Write it like 30s, 10m, 2h or 1d.");
    return undefined;
  }

  /** Undefined: there is none, or it is no whole number from 1 to `most`. */
  count(pair: Entry | undefined, rule: string, what: string, most: number): number | undefined {
    if (pair === undefined) return undefined;
    const value = isScalar(pair.value) ? pair.value.value : undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most) return value;
    this.say(pair.start, rule, `${what} is a whole number from 1 to ${most}.`);
    return undefined;
  }

  #refuseAnchor(node: Node, rule: string): void {
    const { anchor } = node as { anchor?: string };
    if (anchor !== undefined) this.say(startOf(node), rule, "Anchors are not understood.", "Write it out.");
  }

  /** Where the text of a scalar begins, behind its quote, and whether it stands there letter by letter. */
  #inner(node: Scalar, text: string): { offset: number; verbatim: boolean } {
    const start = startOf(node);
    for (const offset of [start, start + 1]) {
      if (this.#text.startsWith(text, offset)) return { offset, verbatim: true };
    }
    return { offset: start, verbatim: false };
  }

  place(offset: number): Place {
    const at = (more: number) => {
      const { line, col } = this.#lines.linePos(offset + more);
      return { line: Math.max(1, line), column: Math.max(1, col) };
    };
    return { file: this.#file, offset, at };
  }

  say(offset: number, rule: string, message: string, remedy = ""): void {
    this.#problems.push({ file: this.#file, ...this.place(offset).at(0), rule, message, remedy });
  }
}

export function startOf(node: unknown): number {
  return typeof node === "object" && node !== null ? ((node as { range?: number[] | null }).range?.[0] ?? 0) : 0;
}
