/**
 * The two kinds of error that cross a folder: a peer's fault and a fault that a person can mend.
 * A refusal by policy is a value (model/decision.ts), never an exception. Anything else that is
 * thrown is our own fault: it ends that connection, never the daemon, and fails closed.
 */

/** A peer broke its protocol. `code` is stable, upper case, e.g. FRAME_LENGTH. The message never holds peer data. */
export class ProtocolError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ProtocolError";
    this.code = code;
  }
}

/** What went wrong, where known at which place, and what to do about it. Shown to a person as it is. */
export class UserError extends Error {
  readonly code: string;
  readonly remedy: string;
  /** 1 failed, 2 wrong usage, 3 daemon not reachable, 4 not permitted. */
  readonly exitCode: 1 | 2 | 3 | 4;

  constructor(
    code: string,
    message: string,
    remedy: string,
    options: ErrorOptions & { readonly exitCode?: 1 | 2 | 3 | 4 } = {},
  ) {
    super(message, options);
    this.name = "UserError";
    this.code = code;
    this.remedy = remedy;
    this.exitCode = options.exitCode ?? 1;
  }
}

/** The `code` of whatever was thrown: an errno name, one of ours, or INTERNAL. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "INTERNAL";
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
