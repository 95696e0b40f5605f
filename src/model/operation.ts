/**
 * What an agent wants to do, in the form that policy judges.
 *
 * One operation is a set of actions, all of which must be allowed. A protocol may hand out the same
 * (frozen) operation for every text whose facts are equal: decisions are cached by its identity.
 */

/** A dotted path in the tree of actions, e.g. "sql.read". A rule on "sql" covers it. */
export type ActionName = string;

/** Plain data only: strings, booleans, safe integers (as numbers), arrays and objects of these. */
export type Fact = string | number | boolean | readonly Fact[] | { readonly [name: string]: Fact };
export type Facts = { readonly [name: string]: Fact };

export interface Action {
  readonly name: ActionName;
  /** Total: every fact that the action's declaration names, of the declared type. */
  readonly facts: Facts;
}

export interface Operation {
  /**
   * Empty: the protocol's own housekeeping (transaction control, Sync, harmless SET), which `connect`
   * permits. It is recorded, not asked of rules.
   */
  readonly actions: readonly Action[];
  /** Denied whatever the rules say, e.g. unparsable text or a labelled column in an expression. */
  readonly forbidden?: { readonly rule: `built-in:${string}`; readonly message: string };
}

/** One operation as it occurred: what the recording shows beside the decision. */
export interface Asked {
  readonly operation: Operation;
  readonly text: string;
  /** Decoded bound parameters; null is SQL NULL. Detectors run over them before they are stored. */
  readonly parameters?: readonly (string | null)[];
  /** It is made ready only: nothing runs until it is asked for again, so that what a rule holds waits until then. */
  readonly prepared?: true;
  /** The rows that it brings are those of something that was asked for before, e.g. a FETCH: limits of that go on. */
  readonly continues?: true;
  /** The ask's bytes are values that an operation before it writes, e.g. the data of a copy. */
  readonly isData?: true;
}

/** Declared type of a fact; conditions are checked against it when rules are loaded. */
export type FactType =
  | "string"
  | "int"
  | "bool"
  | { readonly list: FactType }
  | { readonly map: FactType }
  | { readonly object: string; readonly fields: Readonly<Record<string, FactType>> };

/** What a protocol says of an action it can ask for. Parents ("sql") are declared too, with the facts all children share. */
export interface ActionDeclaration {
  readonly name: ActionName;
  readonly about: string;
  readonly facts: Readonly<Record<string, FactType>>;
  /** It puts values into the backend: none of them may be a mask of our own. */
  readonly writes?: true;
  /** Paths of the facts by which a suggested rule tells what it allows ("statement.kind"); absent: all of them. */
  readonly tellsBy?: readonly string[];
}
