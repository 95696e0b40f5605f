/** One statement of the corpus: a text, where it comes from, and what its author knows of it. Plain values. */

/** Where a text comes from: a chapter of the published table. */
export type Source =
  | "grammar: queries"
  | "grammar: changes"
  | "grammar: conditions"
  | "grammar: definitions"
  | "every function"
  | "every setting"
  | "forms of tools"
  | "own test tables"
  | "sqlsmith"
  | "captured from tools";

export interface Statement {
  readonly text: string;
  readonly source: Source;
  /** Its database; each has a schema of its own (world.ts). */
  readonly database: "truth" | "people" | "captured";
  /** Of $1, $2, …; it is then sent by the extended protocol. */
  readonly values?: readonly (string | null)[];
  /** The WHERE of its UPDATE or DELETE is true for every row by construction, in a class that can be decided from the text. */
  readonly always?: true;
  /** It calls what the server lets only chosen roles call. */
  readonly isRestricted?: true;
  /** Cannot run in a transaction that is rolled back: it gets a database of its own, which is thrown away. */
  readonly apart?: true;
  /** Statements that run before it in its own database, when it is apart. */
  readonly before?: readonly string[];
  /** Clears up what it leaves outside of its database, when it is apart. */
  readonly undo?: readonly string[];
}
