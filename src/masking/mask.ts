/**
 * Masks values of answers. Knows no protocol and no policy: it is told per column which style applies
 * to the column itself and to each detector. Fails closed: what it cannot read but finds something in
 * becomes NULL.
 */
import { createSecretKey, type KeyObject } from "node:crypto";
import type { ColumnFacts, Masked, MaskStyle, ValueMask, WholeMask } from "../model/mask.ts";
import type { QuotedIn } from "../model/protocol.ts";
import { binaryElements, replaceInArray } from "./arrays.ts";
import { DETECTORS, type Detector, evidenceOf, type MergedFinding, SECRET, scanText } from "./detectors.ts";
import { EVERYTHING, gate } from "./gate.ts";
import { type Replace, replaceInJson } from "./json.ts";
import { findMark, REDACTED } from "./marks.ts";
import { replaceText, strictest } from "./replace.ts";
import { scrub } from "./scrub.ts";
import { wholeMask } from "./whole.ts";

export interface Masker {
  /**
   * `styleOf("")` is the style of the column itself, `styleOf(detector)` that of what a detector finds in
   * it; all are asked for once, here. `watched`: detectors whose findings are told where they are shown. Undefined: no
   * value of the column can ever be masked, and none counts as shown.
   */
  valueMask(
    column: ColumnFacts,
    styleOf: (detector: string) => MaskStyle | undefined,
    watched?: ReadonlySet<string>,
  ): ValueMask | undefined;
  /** For recordings, reviewers and logs: every finding replaced by "[detector]", of code in its quoted parts only. */
  scrub(text: string, quotedIn?: QuotedIn): string;
  /** The style of a mask of our own that the text carries; undefined: none. */
  markIn(text: string): MaskStyle | undefined;
}

/** `secret` comes from the vault and is one for all columns, so that the same value hashes alike in each. */
export function createMasker(secret: Uint8Array): Masker {
  const key = createSecretKey(secret); // made at each hash, it would cost seven times as much as the hash
  return {
    scrub,
    markIn: (text) => findMark(text, key),
    valueMask(column, styleOf, watched = NOBODY) {
      const styles = detectorStyles(column, styleOf);
      const own = styleOf("");
      const watches = own === undefined && column.valueKind !== "other" && watched.size > 0;
      const shownBy = own === undefined ? labelsOf(column) : undefined;
      if (own === undefined && styles.size === 0 && !watches && shownBy === undefined) return undefined;
      const masker = new ColumnMasker(column, own, styles, watches ? watched : NOBODY, key);
      const { whole } = masker;
      return Object.assign(masker.mask, {
        ...(own === undefined ? { isClear: masker.isClear } : {}),
        ...(whole === undefined ? {} : { whole }),
        ...(shownBy === undefined ? {} : { shownBy }),
        ...(own === undefined && styles.size === 0 ? ({ onlyWatches: true } as const) : {}),
      });
    },
  };
}

/** Detectors by the names that rules use: "secret" is each of those that find one, "*" every one there is. */
export function detectorsNamed(names: readonly string[]): ReadonlySet<string> {
  const named = DETECTORS.filter(
    ({ id, secret }) => names.includes(id) || names.includes("*") || (secret && names.includes(SECRET)),
  );
  return new Set(named.map(({ id }) => id));
}

const NOBODY: ReadonlySet<string> = new Set();

function labelsOf({ labels }: ColumnFacts): string | undefined {
  return labels.length === 0 ? undefined : `label:${labels.join(",")}`;
}

type Styles = ReadonlyMap<string, MaskStyle>;

function detectorStyles(column: ColumnFacts, styleOf: (detector: string) => MaskStyle | undefined): Styles {
  const styles = new Map<string, MaskStyle>();
  if (column.valueKind === "other") return styles;
  const secret = styleOf(SECRET);
  for (const detector of DETECTORS) {
    const style = strictest(styleOf(detector.id), detector.secret ? secret : undefined);
    if (style !== undefined) styles.set(detector.id, style);
  }
  return styles;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** jsonb in binary form begins with its version. */
const JSONB_VERSION = 1;

class ColumnMasker {
  readonly #column: ColumnFacts;
  readonly #own: MaskStyle | undefined;
  readonly #styles: Styles;
  readonly #key: KeyObject;
  readonly #detectors: readonly Detector[];
  readonly #evidence: number;
  readonly #ownBy: string;
  /** A value in a masked column is searched only where that could make its mask stricter. */
  readonly #searchWhole: boolean;
  /** What was found in the value that is searched, and is shown. */
  readonly #seen = new Set<string>();

  constructor(
    column: ColumnFacts,
    own: MaskStyle | undefined,
    styles: Styles,
    watched: ReadonlySet<string>,
    key: KeyObject,
  ) {
    this.#column = column;
    this.#own = own;
    this.#styles = styles;
    this.#key = key;
    this.#detectors = DETECTORS.filter(({ id }) => styles.has(id) || watched.has(id));
    this.#evidence = evidenceOf(this.#detectors);
    this.#searchWhole = [...styles.values()].some((style) => strictest(style, own) !== own);
    this.#ownBy = labelsOf(column) ?? "column";
  }

  /** Undefined: what is found in a value can make its mask stricter, or the style is one that bytes alone do not tell. */
  get whole(): WholeMask | undefined {
    if (this.#own === undefined || this.#searchWhole) return undefined;
    return wholeMask(this.#column.valueKind, this.#own, this.#ownBy);
  }

  readonly isClear = (bytes: Uint8Array, start: number, end: number): boolean =>
    gate(bytes, this.#evidence, this.#escapes, start, end) === 0;

  readonly mask = (value: Uint8Array, saw?: (by: string) => void): Masked | undefined => {
    if (this.#own !== undefined) return { value: this.#whole(value, this.#own), by: this.#ownBy };
    const evidence = gate(value, this.#evidence, this.#escapes);
    if (evidence === 0) return undefined;
    this.#seen.clear();
    const masked = this.#search(value, evidence);
    if (saw !== undefined) for (const by of this.#seen) saw(by);
    return masked;
  };

  get #escapes(): "json" | "none" {
    return this.#column.valueKind === "json" ? "json" : "none";
  }

  /** The column's own style, or a stricter one of what is in the value. */
  #whole(value: Uint8Array, own: MaskStyle): Uint8Array | null {
    const { valueKind } = this.#column;
    if (own === "null" || valueKind === "other" || valueKind === "text-array") return null;
    const text = decode(value);
    if (text === undefined) return null;
    const style = this.#searchWhole ? this.#strictestIn(text, own) : own;
    if (valueKind === "text") return encode(replaceText(text, style, "", this.#key));
    const shown = style === "hash" ? replaceText(text, style, "", this.#key) : style === "null" ? null : REDACTED;
    return shown === null ? null : this.#encodeJson(value, JSON.stringify(shown));
  }

  #search(value: Uint8Array, evidence: number): Masked | undefined {
    const { valueKind, format } = this.#column;
    if (valueKind === "text-array" && format === "binary") return this.#searchElements(value, evidence);
    const jsonb = valueKind === "json" && value[0] === JSONB_VERSION;
    const text = decode(jsonb ? value.subarray(1) : value);
    if (text === undefined) return this.#blindly(value);

    const found: MergedFinding[] = [];
    const replace: Replace = (part) => {
      const findings = this.#scan(part, EVERYTHING);
      if (findings.length === 0) return undefined;
      found.push(...findings);
      return { text: this.#replaceFindings(part, findings) };
    };
    const walked =
      valueKind === "json"
        ? replaceInJson(text, replace)
        : valueKind === "text-array"
          ? replaceInArray(text, replace)
          : undefined;
    if (walked !== undefined) {
      if (found.length === 0) return undefined;
      return { value: this.#encodeJson(value, walked), by: this.#by(found) };
    }
    const findings = this.#scan(text, evidence);
    if (findings.length === 0) return undefined;
    // An array that cannot be parsed cannot be mended either.
    const masked = valueKind === "text-array" ? null : this.#replaceFindings(text, findings);
    return { value: encode(masked), by: this.#by(findings) };
  }

  /** Elements of a binary array have lengths of their own, so an array with a finding goes as a whole. */
  #searchElements(value: Uint8Array, evidence: number): Masked | undefined {
    const elements = binaryElements(value);
    if (elements === undefined) return this.#blindly(value);
    const found = elements.flatMap((element) => this.#scan(decode(element) ?? latin1(element), evidence));
    return found.length === 0 ? undefined : { value: null, by: this.#by(found) };
  }

  /** For bytes that are not the text they should be. */
  #blindly(value: Uint8Array): Masked | undefined {
    const found = this.#scan(latin1(value), EVERYTHING);
    return found.length === 0 ? undefined : { value: null, by: this.#by(found) };
  }

  /** What has to be masked; what is only watched is told and left where it is. */
  #scan(text: string, evidence: number): readonly MergedFinding[] {
    const all = scanText(this.#detectors, text, this.#column.name, evidence);
    const masked = all.filter(({ detectors }) => detectors.some((detector) => this.#styles.has(detector)));
    if (masked.length === all.length) return all;
    for (const { detectors } of all) {
      if (detectors.some((one) => this.#styles.has(one))) continue;
      for (const one of detectors) this.#seen.add(`detector:${one}`); // each of them is asked about by itself
    }
    return masked;
  }

  /** Every detector that found something of what is masked: whoever asks about one must not be told of another alone. */
  #by(findings: readonly MergedFinding[]): string {
    return `detector:${[...new Set(findings.flatMap(({ detectors }) => detectors))].join(",")}`;
  }

  /** Of several that found the same, the first that masks. */
  #named({ detectors, detector }: MergedFinding): string {
    return detectors.find((one) => this.#styles.has(one)) ?? detector;
  }

  #replaceFindings(text: string, findings: readonly MergedFinding[]): string | null {
    let made = "";
    let at = 0;
    for (const finding of findings) {
      const { start, end } = finding;
      const style = this.#strictestOf(finding.detectors);
      const replaced = replaceText(text.slice(start, end), style, this.#named(finding), this.#key);
      if (replaced === null) return null;
      made += text.slice(at, start) + replaced;
      at = end;
    }
    return made + text.slice(at);
  }

  #strictestIn(text: string, own: MaskStyle): MaskStyle {
    const found = this.#scan(text, EVERYTHING).flatMap(({ detectors }) => detectors);
    return found.length === 0 ? own : (strictest(own, this.#strictestOf(found)) ?? own);
  }

  /** Of those that have a style; were there none, NULL would be the answer. */
  #strictestOf(detectors: readonly string[]): MaskStyle {
    const styles = detectors.map((detector) => this.#styles.get(detector));
    return styles.reduce(strictest, undefined) ?? "null";
  }

  #encodeJson(value: Uint8Array, text: string): Uint8Array {
    const bytes = encoder.encode(text);
    const jsonb = this.#column.valueKind === "json" && value[0] === JSONB_VERSION;
    return jsonb ? Buffer.concat([Uint8Array.of(JSONB_VERSION), bytes]) : bytes;
  }
}

function encode(text: string | null): Uint8Array | null {
  return text === null ? null : encoder.encode(text);
}

function decode(value: Uint8Array): string | undefined {
  try {
    return decoder.decode(value);
  } catch {
    return undefined;
  }
}

function latin1(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("latin1");
}
