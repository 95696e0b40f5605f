/** Somebody's right to answer for a group, lent to somebody else for a time. Plain values. */

/** What one delegation lends at this moment. */
export interface Loan {
  /** The delegation's id. */
  readonly delegation: string;
  readonly group: string;
  /** The lender: "ada", "Ada Lovelace [corp:ada]"; "admin root" where an admin lends what is not their own. */
  readonly by: string;
  /** By which the lender is known. */
  readonly accounts: readonly string[];
  /** Others' that the lender acted through when they lent it. */
  readonly through: readonly string[];
  readonly endsMs: number;
}

/** What that delegation lends; undefined: nothing, or nothing any more. */
export type Standing = (delegation: string) => Loan | undefined;
