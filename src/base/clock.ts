/** Time as a value that parts are given, so that no rule reads the machine's clock behind a test's back. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
}
