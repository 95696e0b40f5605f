/** What a verification says. */

/** `tampered`: it is not as it was written. `unproved`: no signature covers it, so that nobody can tell. */
export interface EvidenceFinding {
  readonly verdict: "tampered" | "unproved";
  readonly kind:
    | "changed"
    | "missing"
    | "reordered"
    | "inserted"
    | "truncated"
    | "removed"
    | "renamed"
    | "unknown"
    | "signature"
    | "rolled-back"
    | "unsigned";
  /** A session's id, "trail", or a checkpoint. */
  readonly where: string;
  /** One sentence for a person: which file, which byte or line, which records. */
  readonly message: string;
}
