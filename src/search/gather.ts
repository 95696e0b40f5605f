/**
 * Records of one session become rows of the index: an operation, its decision and its answer are one row, and so are
 * all that are alike within a segment. Bounded whatever a session does: so many texts of the same facts, so many rows
 * of a segment, so many operations without their answer. What is folded keeps its counts; its text is lost.
 */
import { createHash } from "node:crypto";
import {
  SEARCH_CARRY_BYTES_MAX,
  SEARCH_FACETS_MAX,
  SEARCH_PENDING_MAX,
  SEARCH_ROWS_PER_SEGMENT_MAX,
  SEARCH_TEXT_MAX,
  SEARCH_TEXTS_PER_SHAPE_MAX,
} from "../base/limits.ts";
import type { AnswerEntry } from "../model/session.ts";
import type { ActionEntry, DecisionEntry } from "../recorder/format.ts";
import type { ReadEntry } from "../recorder/read.ts";
import { facetsOfAction, facetsOfAnswer, facetsOfDecision, facetsOfFinding, findingsOf } from "./facets.ts";
import { facetKey, type Row } from "./row.ts";

/** An ask whose answer has not come, or of which not even the decision was read. */
interface Asked {
  readonly askId: number;
  texts: string[];
  actions: ActionEntry["actions"][number][];
  atMs: number;
  sequence: number;
  decision: DecisionEntry | undefined;
}

/** What has to be known to go on in the next segment, or after a restart. */
export interface Carry {
  readonly pending: readonly Asked[];
  /** Of the segment that is being read. */
  readonly rows: number;
  /** Detectors that were looked for from the first record on, and those that were at any time. */
  readonly always: readonly string[] | null;
  readonly sometimes: readonly string[];
}

export const NO_CARRY: Carry = { pending: [], rows: 0, always: null, sometimes: [] };

export class Gatherer {
  readonly #session: string;
  #segment: number;
  readonly #pending: Map<number, Asked>;
  #rows = new Map<string, Row>();
  /** Different texts by everything but the text. */
  #shapes = new Map<string, number>();
  /** Rows of this segment that were handed out before. */
  #before: number;
  #always: readonly string[] | null;
  readonly #sometimes: Set<string>;
  #lacks = false;

  constructor(session: string, segment: number, carry: Carry) {
    this.#session = session;
    this.#segment = segment;
    this.#pending = new Map(carry.pending.map((asked) => [asked.askId, asked]));
    this.#before = carry.rows;
    this.#always = carry.always;
    this.#sometimes = new Set(carry.sometimes);
  }

  /** Detectors that were looked for all the time, and in a part of it. */
  get looked(): { readonly always: readonly string[]; readonly partly: readonly string[] } {
    const always = this.#always ?? [];
    return { always, partly: [...this.#sometimes].filter((detector) => !always.includes(detector)) };
  }

  /** Something that was asked and answered is not in the recording, or cannot be read: what it was is not known here. */
  get lacks(): boolean {
    return this.#lacks;
  }

  add(entry: ReadEntry): void {
    switch (entry.kind) {
      case "action":
        this.#asked(entry);
        return;
      case "decision":
        this.#decided(entry);
        return;
      case "answer":
        this.#answered(entry);
        return;
      case "looking":
        this.#always =
          this.#always === null ? entry.detectors : this.#always.filter((one) => entry.detectors.includes(one));
        for (const detector of entry.detectors) this.#sometimes.add(detector);
        return;
      case "end":
        for (const asked of this.#pending.values()) this.#row(asked, undefined);
        this.#pending.clear();
        return;
      case "gap":
        this.#lacks ||= entry.wentOn; // else all of it was denied
        return;
      case "damaged":
        this.#lacks ||= !entry.torn; // what was torn was never acted upon
        return;
      case "unknown":
      case "missing":
      case "altered":
      case "sealed":
        this.#lacks = true;
        return;
      case "start":
      case "output":
      case "terminal":
      case "interrupted":
        return;
      default:
        entry satisfies never;
    }
  }

  /** Rows since the last call; counts of the segment go on. */
  take(): readonly Row[] {
    const rows = [...this.#rows.values()];
    this.#before += rows.length;
    this.#rows = new Map();
    return rows;
  }

  /** What follows lies in the next segment. */
  nextSegment(): void {
    this.#segment += 1;
    this.#before = 0;
    this.#shapes = new Map();
  }

  carry(): Carry {
    const pending: Asked[] = [];
    let bytes = 0;
    for (const asked of [...this.#pending.values()].toReversed()) {
      bytes += JSON.stringify(asked).length;
      if (bytes > SEARCH_CARRY_BYTES_MAX) this.#row(asked, undefined);
      else pending.unshift(asked);
    }
    return { pending, rows: this.#before, always: this.#always, sometimes: [...this.#sometimes] };
  }

  #asked({ askId, text, actions, forbidden, atMs, sequence }: ActionEntry & { atMs: number; sequence: number }): void {
    const known = this.#pending.get(askId);
    const named = forbidden === undefined ? actions : [...actions, { name: forbidden.rule, facts: "" }];
    if (known === undefined) {
      this.#pending.set(askId, {
        ...{ askId, texts: [text.slice(0, SEARCH_TEXT_MAX)], actions: [...named], atMs, sequence, decision: undefined },
      });
      this.#bound();
    } else if (known.texts.join("").length < SEARCH_TEXT_MAX) {
      known.texts.push(text.slice(0, SEARCH_TEXT_MAX));
      known.actions.push(...named);
    } else known.actions.push(...named.slice(0, Math.max(0, SEARCH_FACETS_MAX - known.actions.length)));
  }

  #decided(entry: DecisionEntry & { readonly sequence: number }): void {
    const asked = this.#pending.get(entry.askId);
    if (asked === undefined) return;
    asked.decision = entry;
    asked.sequence = entry.sequence;
    if (entry.decision !== "deny") return;
    this.#row(asked, undefined);
    this.#pending.delete(entry.askId);
  }

  /** One without its ask was told of before, and says how it ended. */
  #answered(entry: AnswerEntry & { readonly atMs: number; readonly sequence: number }): void {
    const { askId, atMs, sequence } = entry;
    const asked = this.#pending.get(askId) ?? { askId, texts: [], actions: [], atMs, sequence, decision: undefined };
    this.#pending.delete(askId);
    this.#row(asked, entry);
  }

  #bound(): void {
    for (const [askId, asked] of this.#pending) {
      if (this.#pending.size <= SEARCH_PENDING_MAX) return;
      this.#row(asked, undefined);
      this.#pending.delete(askId);
    }
  }

  #row({ texts, actions, atMs, sequence, decision }: Asked, answer: AnswerEntry | undefined): void {
    const masks = answer?.masks ?? [];
    const shown = answer?.shown ?? [];
    const isSilent = masks.length === 0 && shown.length === 0 && answer?.error === undefined;
    // The protocol's own housekeeping is nobody's doing, unless something came of it.
    if (actions.length === 0 && isSilent && (decision === undefined || decision.decision === "allow")) return;
    const text = texts.join("; ").slice(0, SEARCH_TEXT_MAX);
    const { error } = answer ?? {};
    const hold = decision?.hold?.id ?? "";
    const message = [decision?.message ?? "", error === undefined ? "" : error.message]
      .filter((one) => one !== "")
      .join("; ");
    const shape = JSON.stringify([actions, decision?.decision, decision?.rules, decision?.observed, hold, error?.code]);
    const row = this.#rowFor(shape, text, () => ({
      kind: "operation",
      decision: decision?.decision ?? "",
      rules: decision?.rules ?? [],
      ...{ sequence, atMs, message: message.slice(0, SEARCH_TEXT_MAX) },
      names: namesOf(actions, decision),
    }));
    row.count += 1;
    row.lastMs = Math.max(row.lastMs, atMs);
    // Equal by the shape unless the row stands for others as well.
    if (row.count === 1 || row.folded) {
      for (const action of actions) addFacets(row, facetsOfAction(action));
      if (decision !== undefined) addFacets(row, facetsOfDecision(decision));
      if (answer !== undefined) addFacets(row, facetsOfAnswer(answer));
    }
    for (const finding of [...findingsOf(masks, "masked"), ...findingsOf(shown, "shown")]) {
      const key = `${finding.by}\0${finding.column}`;
      const known = row.findings.get(key);
      if (known === undefined) row.findings.set(key, { ...finding });
      else {
        known.masked += finding.masked;
        known.shown += finding.shown;
      }
      // Never dropped: what was read is what is asked about. An answer names few columns.
      for (const facet of facetsOfFinding(finding)) row.facets.add(facetKey(facet));
    }
  }

  #rowFor(
    shape: string,
    text: string,
    make: () => Omit<Row, "key" | "text" | "lastMs" | "count" | "folded" | "facets" | "findings">,
  ): Row {
    const shapeKey = this.#key(shape);
    const own = this.#key(shape, text);
    const known = this.#rows.get(own);
    if (known !== undefined) return known;
    const texts = this.#shapes.get(shapeKey) ?? 0;
    const isFull = this.#before + this.#rows.size >= SEARCH_ROWS_PER_SEGMENT_MAX;
    const made = make();
    const isFolded = isFull || texts >= SEARCH_TEXTS_PER_SHAPE_MAX;
    const key = !isFolded ? own : isFull ? this.#key("full", made.decision) : shapeKey;
    const kept = this.#rows.get(key);
    if (kept !== undefined) return kept;
    if (!isFull) this.#shapes.set(shapeKey, texts + 1);
    const facets = new Set([facetKey(["kind", made.kind])]);
    const rest = { text, lastMs: made.atMs, count: 0, facets, findings: new Map() };
    const row: Row = { key, ...made, ...rest, folded: isFolded };
    this.#rows.set(key, row);
    return row;
  }

  #key(...parts: readonly string[]): string {
    const hash = createHash("sha1").update(this.#session).update(`\0${this.#segment}`);
    for (const part of parts) hash.update("\0").update(part);
    return hash.digest("base64url").slice(0, 22);
  }
}

function addFacets(row: Row, facets: readonly (readonly [string, string])[]): void {
  for (const facet of facets) if (row.facets.size < SEARCH_FACETS_MAX) row.facets.add(facetKey(facet));
}

function namesOf(actions: ActionEntry["actions"], decision: DecisionEntry | undefined): string {
  const names = new Set([
    ...actions.map(({ name }) => name),
    ...(decision?.rules ?? []),
    ...(decision?.observed?.rules ?? []),
  ]);
  return [...names].join(" ").slice(0, SEARCH_TEXT_MAX);
}
