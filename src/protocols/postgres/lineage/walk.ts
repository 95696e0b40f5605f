/** What is carried through the walk over one statement. */
import type { Ast, TypedNode } from "../analysis/ast.ts";
import type { Relations } from "./relations.ts";
import type { Columns, Scope } from "./scope.ts";
import { isClean, labelsIn, type Taint } from "./taint.ts";

/** Queries stand in expressions, and changes in queries: the ways back, so that files do not need each other in circles. */
export interface Readers {
  /** Of a SelectStmt body. */
  query(body: Ast, outer: Scope, walk: Walk): Columns;
  /** Of INSERT, UPDATE, DELETE and MERGE. */
  change(statement: TypedNode, outer: Scope, walk: Walk): Columns;
}

export class Walk {
  readonly relations: Relations;
  readonly readers: Readers;
  /** Of a view, not of a statement. */
  readonly isDefinition: boolean;
  #steps = 0;
  /** Of what decides which rows there are, in which order, and how many. */
  readonly #conditions: Taint[] = [];
  #refusal: string | undefined;

  constructor(relations: Relations, readers: Readers, isDefinition = false) {
    this.isDefinition = isDefinition;
    this.relations = relations;
    this.readers = readers;
  }

  /** Labels of the columns that predicates, joins, sorts and groupings test. */
  get oracles(): readonly string[] {
    return [...new Set(this.#conditions.flatMap(labelsIn))].sort();
  }

  /** Why the statement cannot be let through; names relations and columns, never a literal. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** One node. Throws TooLong: recursive queries within recursive queries are walked again and again. */
  step(): void {
    if (++this.#steps > STEPS_MAX) throw new TooLong("Cannot follow a statement this long");
  }

  tests(taint: Taint): void {
    if (!isClean(taint)) this.#conditions.push(taint);
  }

  refuse(message: string): void {
    this.#refusal ??= message;
  }
}

/** Some 0.3 s; the longest statements that are parsed have some 100,000 nodes. */
const STEPS_MAX = 150_000;

class TooLong extends Error {}
