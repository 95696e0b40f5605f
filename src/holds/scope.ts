/** What an answer may be about: what its giver has seen, and for how long. Decides from what is held alone. */
import { UserError } from "../base/errors.ts";
import type { HoldRecord } from "./record.ts";

export interface Answer {
  /** Let the same shape pass again for so long. */
  readonly forMs?: number;
  readonly comment?: string;
  /** What the person has seen; another one voids the answer. */
  readonly digest?: string;
}

/** Throws APPROVAL_SCOPE. */
export function checkScope(record: HoldRecord, forMs: number | undefined): void {
  if (forMs === undefined) return;
  const no = (why: string, remedy: string) =>
    new UserError("APPROVAL_SCOPE", `Cannot approve ${record.id} for a time: ${why}`, remedy);
  const once = "Approve it once, without --for";
  if (record.reuseMs === 0) throw no("its rule lets it pass once only", `${once}; a rule allows more with "reuse"`);
  if (record.shape === "") throw no("its text has no shape that could be known again", once);
  if (forMs > record.reuseMs) {
    const most = `${Math.floor(record.reuseMs / 1_000)}s`;
    throw no(`its rule allows ${most} at most`, `Approve it with --for ${most} or less`);
  }
}

/** As much of a digest as a person copies from a listing. */
const DIGEST_LENGTH_MIN = 12;

/** Throws APPROVAL_DIGEST. `digest`: of what the person has seen; undefined: they did not say. */
export function checkDigest(record: HoldRecord, digest: string | undefined): void {
  if (digest === undefined || (digest.length >= DIGEST_LENGTH_MIN && record.digest.startsWith(digest))) return;
  const message = `Cannot answer ${record.id}: what it holds has the digest ${record.digest}`;
  throw new UserError("APPROVAL_DIGEST", message, "Look at it again, and answer what it is now");
}
