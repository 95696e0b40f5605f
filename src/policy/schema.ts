/**
 * The shape of a policy file: YAML text to rules, each part with its place. Says every problem it
 * finds and skips nothing silently. Does not know which actions exist nor what conditions mean.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type Scalar } from "yaml";
import { durationMs } from "../base/duration.ts";
import { APPROVERS_MAX, HOLD_MS, HOLD_MS_MAX, QUORUM_MAX, REUSE_MS_MAX, SETTINGS_BYTES_MAX } from "../base/limits.ts";
import type { Demand, HoldTerms } from "../model/hold.ts";
import type { MaskStyle } from "../model/mask.ts";
import { didYouMean } from "./nearest.ts";
import type { Problem } from "./problem.ts";

export interface RuleText {
  readonly name: string;
  readonly on: readonly Placed[];
  readonly when: Placed | undefined;
  readonly outcome: Outcome;
  readonly place: Place;
  readonly outcomePlace: Place;
}

export type Outcome =
  | { readonly kind: "allow" }
  | { readonly kind: "deny"; readonly message: string | undefined }
  | ({ readonly kind: "hold"; readonly message: string | undefined } & HoldOutcome)
  | { readonly kind: "mask"; readonly style: MaskStyle };

type HoldOutcome = Pick<HoldTerms, "expiresMs" | "reuseMs"> & Omit<Demand, "rule">;

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

const NAME = /^[a-z0-9-]{1,64}$/;
const MESSAGE_LENGTH_MAX = 500;
const FILE_KEYS = ["rules"];
const OUTCOMES = ["allow", "deny", "hold", "mask"];
const RULE_KEYS = ["name", "on", "when", ...OUTCOMES];
const STYLES: readonly MaskStyle[] = ["null", "redact", "hash", "partial"];
const HOLD_KEYS = ["approvers", "quorum", "expires", "reuse", "message"];
/** As groups of Unix and of identity providers are written. */
const GROUP = /^[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,127}$/;
/** Words of POLICY that a later version understands. Skipping one would allow what it forbids. */
const LATER = ["limit", "shadow", "token", "tokenize", "tokens", "rewrite"];

/** Appends to `problems`; the rules are those that have none. */
export function readRules(file: string, text: string, problems: Problem[]): RuleText[] {
  return new Reader(file, text, problems).rules();
}

class Reader {
  readonly #file: string;
  readonly #text: string;
  readonly #problems: Problem[];
  readonly #lines = new LineCounter();

  constructor(file: string, text: string, problems: Problem[]) {
    this.#file = file;
    this.#text = text;
    this.#problems = problems;
  }

  rules(): RuleText[] {
    if (this.#text.length > SETTINGS_BYTES_MAX) {
      this.#say(0, "", `The file is larger than ${SETTINGS_BYTES_MAX} bytes.`, "Split it.");
      return [];
    }
    const document = parseDocument(this.#text, {
      lineCounter: this.#lines,
      uniqueKeys: true,
      prettyErrors: false,
      strict: true,
      version: "1.2",
    });
    for (const fault of [...document.errors, ...document.warnings]) {
      this.#say(fault.pos[0], "", `${fault.message.split("\n")[0]}.`.replace("..", "."));
    }
    // With a repeated key the rest can still be read, and its problems told.
    if (document.warnings.length > 0 || document.errors.some(({ code }) => code !== "DUPLICATE_KEY")) return [];
    if (document.contents === null) return [];
    const entries = this.#entries(document.contents, "", "The file", FILE_KEYS);
    if (entries === undefined) return [];
    const rules = entries.get("rules")?.value;
    if (rules === undefined) {
      this.#say(0, "", 'The file has no "rules".', 'Begin with "rules:".');
      return [];
    }
    if (isScalar(rules) && rules.value === null) return [];
    if (!isSeq(rules)) {
      this.#say(startOf(rules), "", '"rules" must be a list.');
      return [];
    }
    return rules.items.flatMap((item) => this.#rule(item) ?? []);
  }

  #rule(item: unknown): RuleText | undefined {
    const before = this.#problems.length;
    const named = isMap(item) ? item.get("name") : undefined;
    const rule = typeof named === "string" ? named : "";
    const entries = this.#entries(item, rule, "A rule", RULE_KEYS);
    if (entries === undefined) return undefined;

    const start = startOf(item);
    const name = this.#scalar(entries.get("name"), rule, "name");
    if (!entries.has("name")) this.#say(start, rule, 'The rule has no "name".', "Give it one: it is told in refusals.");
    else if (name !== undefined && !NAME.test(name.text)) {
      this.#say(name.place.offset, rule, "A name has 1 to 64 of the characters a-z, 0-9 and -.");
    }
    const on = this.#on(entries.get("on"), rule, start);
    const when = this.#scalar(entries.get("when"), rule, "when", "Put the condition in quotes.");
    const outcome = this.#outcome(entries, rule, start);
    if (this.#problems.length > before || name === undefined || outcome === undefined) return undefined;
    return { name: name.text, on, when, ...outcome, place: this.#place(start) };
  }

  #on(pair: Entry | undefined, rule: string, start: number): Placed[] {
    if (pair === undefined) {
      this.#say(start, rule, 'The rule has no "on".', "Name the actions that it is about.");
      return [];
    }
    if (!isSeq(pair.value)) {
      const one = this.#scalar(pair, rule, "on");
      return one === undefined ? [] : [one];
    }
    if (pair.value.items.length === 0) this.#say(startOf(pair.value), rule, '"on" is empty.');
    return pair.value.items.flatMap((value) => this.#scalar({ value, start: pair.start }, rule, "on") ?? []);
  }

  #outcome(entries: Entries, rule: string, start: number) {
    const given = OUTCOMES.filter((key) => entries.has(key));
    const [kind] = given;
    const pair = kind === undefined ? undefined : entries.get(kind);
    if (kind === undefined || pair === undefined) {
      if (![...entries.keys()].some((key) => LATER.includes(key))) {
        this.#say(start, rule, "The rule has no outcome.", "Add one of allow: {}, deny: {…}, hold: {…} or mask: {…}.");
      }
      return undefined;
    }
    if (given.length > 1) {
      this.#say(
        pair.start,
        rule,
        `The rule has ${given.length} outcomes (${given.join(", ")}).`,
        "Make a rule of each.",
      );
      return undefined;
    }
    const outcome = this.#outcomeOf(kind, pair, rule);
    return outcome === undefined ? undefined : { outcome, outcomePlace: this.#place(pair.start) };
  }

  #outcomeOf(kind: string, pair: Entry, rule: string): Outcome | undefined {
    if (kind === "allow") {
      const entries = this.#entries(pair.value, rule, '"allow"', [], "Write allow: {}");
      return entries === undefined ? undefined : { kind: "allow" };
    }
    if (kind === "deny") {
      const entries = this.#entries(pair.value, rule, '"deny"', ["message"], "Write deny: {} or deny: { message: … }");
      if (entries === undefined) return undefined;
      const message = this.#scalar(entries.get("message"), rule, "message");
      if (message !== undefined) this.#checkMessage(message, rule);
      return { kind: "deny", message: message?.text };
    }
    if (kind === "hold") return this.#hold(pair, rule);
    const entries = this.#entries(pair.value, rule, '"mask"', ["style"], `Write mask: { style: ${STYLES.at(-1)} }`);
    if (entries === undefined) return undefined;
    const value = entries.get("style")?.value;
    // YAML reads an unquoted null as no value; here it is the name of a style.
    const written = isScalar(value) && value.value === null && value.source !== "" ? "null" : undefined;
    const style = written ?? this.#scalar(entries.get("style"), rule, "style")?.text;
    const known = STYLES.find((candidate) => candidate === style);
    if (known !== undefined) return { kind: "mask", style: known };
    const near = style === undefined ? "" : didYouMean(style, STYLES);
    this.#say(entries.get("style")?.start ?? pair.start, rule, `A mask needs a style of ${STYLES.join(", ")}.${near}`);
    return undefined;
  }

  #hold(pair: Entry, rule: string): Outcome | undefined {
    const entries = this.#entries(pair.value, rule, '"hold"', HOLD_KEYS, "Write hold: { approvers: [GROUP] }");
    if (entries === undefined) return undefined;
    const before = this.#problems.length;
    const who = this.#approvers(entries.get("approvers"), rule, pair.start);
    const quorum = this.#quorum(entries.get("quorum"), rule);
    const expiresMs = this.#time(entries.get("expires"), rule, "expires", HOLD_MS_MAX) ?? HOLD_MS;
    const reuseMs = this.#time(entries.get("reuse"), rule, "reuse", REUSE_MS_MAX) ?? 0;
    const message = this.#scalar(entries.get("message"), rule, "message");
    if (message !== undefined) this.#checkMessage(message, rule);
    if (who.each && quorum < who.approvers.length && entries.has("quorum")) {
      const remedy = `Leave it out, or ask for ${who.approvers.length} or more.`;
      this.#say(
        entries.get("quorum")?.start ?? 0,
        rule,
        "A quorum cannot be smaller than the groups it needs.",
        remedy,
      );
    }
    if (this.#problems.length > before) return undefined;
    const most = who.each ? Math.max(quorum, who.approvers.length) : quorum;
    return { kind: "hold", message: message?.text, ...who, quorum: most, expiresMs, reuseMs };
  }

  /** A list: members of any of these groups; `{ each: [...] }`: of each. */
  #approvers(pair: Entry | undefined, rule: string, start: number): Pick<Demand, "approvers" | "each"> {
    const nobody = { approvers: [], each: false };
    if (pair === undefined) {
      this.#say(start, rule, 'A hold needs "approvers".', "Name groups, like [sre]; write [] for root alone.");
      return nobody;
    }
    const each = isMap(pair.value);
    const inner = each ? this.#entries(pair.value, rule, '"approvers"', ["each"])?.get("each") : pair;
    if (inner === undefined || !isSeq(inner.value)) {
      this.#say(pair.start, rule, '"approvers" must be a list of groups.', "Write [sre], or { each: [sre, dba] }.");
      return nobody;
    }
    const names = inner.value.items.flatMap(
      (value) => this.#scalar({ value, start: pair.start }, rule, "approvers") ?? [],
    );
    for (const { text, place } of names) {
      if (!GROUP.test(text)) this.#say(place.offset, rule, `"${text}" cannot be the name of a group.`);
    }
    if (names.length > APPROVERS_MAX) {
      this.#say(pair.start, rule, `There are more than ${APPROVERS_MAX} groups of approvers.`);
    }
    if (each && names.length === 0) this.#say(pair.start, rule, '"each" names no group.');
    return { approvers: [...new Set(names.map(({ text }) => text))], each };
  }

  #quorum(pair: Entry | undefined, rule: string): number {
    if (pair === undefined) return 1;
    const value = isScalar(pair.value) ? pair.value.value : undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= QUORUM_MAX) return value;
    this.#say(pair.start, rule, `A quorum is a whole number from 1 to ${QUORUM_MAX}.`);
    return 1;
  }

  #time(pair: Entry | undefined, rule: string, key: string, mostMs: number): number | undefined {
    const written = this.#scalar(pair, rule, key, "Write it like 30s, 10m, 2h or 1d.");
    if (written === undefined) return undefined;
    const ms = durationMs(written.text);
    if (ms !== undefined && ms > 0 && ms <= mostMs) return ms;
    const why = ms !== undefined && ms > mostMs ? `is longer than ${mostMs / 3_600_000} hours` : "is no time";
    this.#say(written.place.offset, rule, `"${written.text}" ${why}.`, "Write it like 30s, 10m, 2h or 1d.");
    return undefined;
  }

  #checkMessage(message: Placed, rule: string): void {
    const { text, place } = message;
    if (text.trim() === "") this.#say(place.offset, rule, "The message is empty.");
    if (text.length > MESSAGE_LENGTH_MAX) {
      this.#say(place.offset, rule, `The message is longer than ${MESSAGE_LENGTH_MAX} characters.`);
    }
    // It travels in error messages of protocols and in terminals.
    if (/\p{Cc}|\p{Cs}|[\u2028\u2029]/u.test(text)) {
      this.#say(place.offset, rule, "The message holds control characters.", "Write it on one line.");
    }
  }

  /** A map's entries by key; undefined when it is no map. Unknown keys are problems. */
  #entries(node: unknown, rule: string, what: string, known: readonly string[], remedy = ""): Entries | undefined {
    if (!isMap(node)) {
      const kind = isAlias(node) ? ", and aliases are not understood" : "";
      this.#say(startOf(node), rule, `${what} must be a map of keys and values${kind}.`, remedy);
      return undefined;
    }
    this.#refuseAnchor(node, rule);
    const entries: Entries = new Map();
    for (const pair of node.items as Pair[]) {
      const key = isScalar(pair.key) && typeof pair.key.value === "string" ? pair.key.value : undefined;
      const start = startOf(pair.key);
      if (key === undefined) this.#say(start, rule, `${what} has a key that is not text.`);
      else if (known.includes(key)) entries.set(key, { value: pair.value, start });
      else if (known === RULE_KEYS && LATER.includes(key)) {
        entries.set(key, { value: pair.value, start });
        this.#say(start, rule, `"${key}" is for a later version and this one does not know it.`, "Remove the rule.");
      } else this.#say(start, rule, `${what} has the unknown key "${key}".${didYouMean(key, known)}`);
    }
    return entries;
  }

  #scalar(pair: Entry | undefined, rule: string, key: string, remedy = ""): Placed | undefined {
    if (pair === undefined) return undefined;
    const { value } = pair;
    if (!isScalar(value) || typeof value.value !== "string") {
      const kind = isAlias(value) ? ", and aliases are not understood" : "";
      this.#say(startOf(value) || pair.start, rule, `"${key}" must be text${kind}.`, remedy);
      return undefined;
    }
    this.#refuseAnchor(value, rule);
    const { offset, verbatim } = this.#inner(value, value.value);
    return { text: value.value, place: this.#place(offset), verbatim };
  }

  #refuseAnchor(node: Node, rule: string): void {
    const { anchor } = node as { anchor?: string };
    if (anchor !== undefined) this.#say(startOf(node), rule, "Anchors are not understood.", "Write it out.");
  }

  /** Where the text of a scalar begins, behind its quote, and whether it stands there letter by letter. */
  #inner(node: Scalar, text: string): { offset: number; verbatim: boolean } {
    const start = startOf(node);
    for (const offset of [start, start + 1]) {
      if (this.#text.startsWith(text, offset)) return { offset, verbatim: true };
    }
    return { offset: start, verbatim: false };
  }

  #place(offset: number): Place {
    const at = (more: number) => {
      const { line, col } = this.#lines.linePos(offset + more);
      return { line: Math.max(1, line), column: Math.max(1, col) };
    };
    return { file: this.#file, offset, at };
  }

  #say(offset: number, rule: string, message: string, remedy = ""): void {
    this.#problems.push({ file: this.#file, ...this.#place(offset).at(0), rule, message, remedy });
  }
}

interface Entry {
  readonly value: unknown;
  readonly start: number;
}
type Entries = Map<string, Entry>;

function startOf(node: unknown): number {
  return typeof node === "object" && node !== null ? ((node as { range?: number[] | null }).range?.[0] ?? 0) : 0;
}
