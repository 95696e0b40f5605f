/** What a suite or a static check came to. */
export interface Result {
  readonly name: string;
  readonly group: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly ms: number;
  /** For a person: every failure with its output. */
  readonly failures: readonly Failure[];
  readonly skips: readonly Failure[];
}

export interface Failure {
  readonly name: string;
  readonly text: string;
}
