/**
 * Statement analysis: a text of one or more SQL statements becomes operations for policy, through
 * PostgreSQL's own grammar. Never throws: what is not understood is one forbidden statement.
 *
 * Decisions that belong here:
 * - A statement's facts hold no literal, so texts of one shape share one frozen Operation.
 * - SELECT … FOR UPDATE is sql.read: it locks rows and changes none.
 * - RETURNING is sql.read besides the change, as PostgreSQL itself demands SELECT for it.
 * - ON CONFLICT DO UPDATE is sql.insert and sql.update.
 * - PREPARE is judged as what it prepares. EXECUTE is sql.call of "execute:NAME", since the policy may
 *   have changed since; where columns are labelled both are forbidden. FETCH is housekeeping, and
 *   sql.read where columns are labelled: its cursor was judged when it was declared.
 * - SET standard_conforming_strings = on and client_encoding = UTF8 change nothing and are let through;
 *   any other change of a setting by which the server reads text is forbidden.
 *
 * Stated limits: code behind names (views' functions, triggers, casts and operators of users, a user's
 * function that overloads a safe name, `row.f` for `f(row)` where the catalog is not known) is not seen.
 */
import { ANALYSES_MAX, ANALYSIS_TEXT_MAX } from "../../../base/limits.ts";
import type { DataLabels } from "../../../model/connection.ts";
import type { Operation } from "../../../model/operation.ts";
import type { MemoryCounts } from "../../../model/protocol.ts";
import { as, isAst, text } from "./ast.ts";
import { TextCache } from "./cache.ts";
import { type Effects, forbid, type Judgement, judge } from "./judge.ts";
import type { AnalysisScope } from "./labels.ts";
import { Parser } from "./parser.ts";
import { shapeOf } from "./shape.ts";

export type { AnalysisScope } from "./labels.ts";

export interface Statement {
  readonly operation: Operation;
  /** Its own part of the text. */
  readonly text: string;
  readonly effects: Effects;
  /** The same of every text of its shape. */
  readonly shareable: boolean;
}

export interface Analysis {
  /** Empty for an empty text. */
  readonly statements: readonly Statement[];
}

const NONE: Analysis = Object.freeze({ statements: Object.freeze([]) });
/** Texts and shapes kept, in characters: half of them at their longest would be 32 MiB. */
const CACHED_CHARACTERS_MAX = ANALYSES_MAX * 2_048;
/** Scopes (labels of a connection and version of a catalog) whose analyses are kept apart. */
const SCOPES_MAX = 1_024;

/** The parser and its memory. A process has one (`actions.ts`); tests make their own. */
export class Analyser {
  readonly #parser = new Parser();
  readonly #cache: TextCache<Cached>;
  /** Numbers for scopes: a key's first part. */
  readonly #scopes = new WeakMap<DataLabels, Map<string, number>>();
  #nextScope = 0;
  #hits = 0;
  #misses = 0;

  constructor(entriesMax: number = ANALYSES_MAX) {
    this.#cache = new TextCache(entriesMax, CACHED_CHARACTERS_MAX);
  }

  /** Loads the grammar. Until then everything is forbidden. */
  prepare(): Promise<void> {
    return this.#parser.prepare();
  }

  /** Never throws. */
  analyse(text: string, scope: AnalysisScope): Analysis {
    const prefix = this.#prefix(scope);
    const shape = shapeOf(text);
    if (shape !== undefined) {
      const shared = this.#cache.get(prefix + shape);
      if (shared?.kind === "shared") {
        this.#hits++;
        return { statements: [statement(shared.judgement, text)] };
      }
    }
    const isKept = text.length <= ANALYSIS_TEXT_MAX;
    // "=" keeps exact texts apart from shapes.
    const exact = isKept ? `${prefix}=${text}` : "";
    if (isKept) {
      const known = this.#cache.get(exact);
      if (known?.kind === "exact") {
        this.#hits++;
        return known.analysis;
      }
    }
    this.#misses++;
    const { analysis, judgements } = this.#parse(text, scope);
    const [only] = judgements;
    if (shape !== undefined && judgements.length === 1 && only?.shareable === true) {
      this.#cache.set(prefix + shape, { kind: "shared", judgement: only });
    } else if (isKept) {
      this.#cache.set(exact, { kind: "exact", analysis });
    }
    return analysis;
  }

  get memory(): MemoryCounts {
    return { hits: this.#hits, misses: this.#misses, entries: this.#cache.size };
  }

  /** Values of the text's constants; undefined: it cannot be parsed. */
  literals(text: string): readonly string[] | undefined {
    const parsed = this.#parser.parse(text);
    return parsed.kind === "refused" ? undefined : parsed.statements.flatMap(({ tree }) => constantsIn(tree));
  }

  #parse(text: string, scope: AnalysisScope): { analysis: Analysis; judgements: readonly Judgement[] } {
    const parsed = this.#parser.parse(text);
    if (parsed.kind === "refused") {
      const judgement = forbid("built-in:unparsable", `Cannot judge the statement: ${parsed.message}`);
      return { analysis: { statements: [statement(judgement, text)] }, judgements: [judgement] };
    }
    if (parsed.statements.length === 0) return { analysis: NONE, judgements: [] };
    const judgements = parsed.statements.map(({ tree }) => judgeSafely(tree, scope, (own) => this.#parser.parse(own)));
    const statements = parsed.statements.flatMap((own, at) => {
      const judgement = judgements[at];
      return judgement === undefined ? [] : [statement(judgement, own.text)];
    });
    return { analysis: { statements }, judgements };
  }

  #prefix(scope: AnalysisScope): string {
    let versions = this.#scopes.get(scope.data);
    if (versions === undefined) {
      versions = new Map();
      this.#scopes.set(scope.data, versions);
    }
    const version = scope.catalog === undefined ? "" : `=${scope.catalog.version}`;
    let number = versions.get(version);
    if (number === undefined) {
      if (versions.size >= SCOPES_MAX) versions.clear();
      number = this.#nextScope++;
      versions.set(version, number);
    }
    return `${number} `;
  }
}

/** Of string constants; throws nothing: a tree that was parsed is not deeper than the stack. */
function constantsIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(constantsIn);
  if (!isAst(value)) return [];
  const constant = as(value, "A_Const");
  if (constant !== undefined) return isAst(constant["sval"]) ? [text(constant["sval"]["sval"])] : [];
  return Object.values(value).flatMap(constantsIn);
}

type Cached =
  | { readonly kind: "shared"; readonly judgement: Judgement }
  | { readonly kind: "exact"; readonly analysis: Analysis };

/** Made for every statement that is asked: a spread costs three times as much. */
function statement({ operation, effects, shareable }: Judgement, text: string): Statement {
  return { operation, text, effects, shareable };
}

function judgeSafely(...[tree, scope, parse]: Parameters<typeof judge>): Judgement {
  try {
    return judge(tree, scope, parse);
  } catch {
    return forbid("built-in:unparsable", "Cannot judge the statement: it is nested too deeply, or too much to follow");
  }
}
