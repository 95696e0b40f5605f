/**
 * The database's index of sessions against the recordings, which are the truth: a row that says something else, one that
 * is gone, one of a session that never was. Reads only.
 */
import type { SessionRow, SessionStore } from "../store/sessions.ts";
import type { EvidenceFinding } from "./finding.ts";
import type { TrailKnowledge } from "./trail.ts";

export type IndexRows = Pick<SessionStore, "get" | "each">;

/** What a person goes by when they look for a session, or count what it did. */
const COMPARED = [
  ...(["agent", "connection", "protocol", "pid", "uid", "user", "executable", "address", "port"] as const),
  ...(["startedMs", "statements", "denied", "masked", "rows", "state"] as const),
] as const satisfies readonly (keyof SessionRow)[];

const MEND = "build it anew: sallyport sessions reindex";

/** `recorded`: what a whole recording that is not written any more comes to. */
export async function rowFinding(rows: IndexRows, recorded: SessionRow): Promise<EvidenceFinding | undefined> {
  const { id: sessionId } = recorded;
  const row = await rows.get(sessionId);
  if (row === undefined) {
    const message = `session ${sessionId} is recorded, and the index does not know it; ${MEND}`;
    return { verdict: "tampered", kind: "removed", where: "index", message };
  }
  const differing = COMPARED.filter((name) => row[name] !== recorded[name]);
  if (differing.length === 0) return undefined;
  const said = differing.map((name) => `${name} ${row[name]} instead of ${recorded[name]}`).join(", ");
  const message = `of session ${sessionId} the index says ${said}; ${MEND}`;
  return { verdict: "tampered", kind: "changed", where: "index", message };
}

/** Rows of sessions of which neither the trail nor a recording knows. */
export async function* foreignRows(
  rows: IndexRows,
  { started, roots, deleted }: TrailKnowledge,
  isStored: (sessionId: string) => boolean,
): AsyncGenerator<EvidenceFinding, void> {
  for await (const { id, state } of rows.each()) {
    if (isStored(id) || started.has(id) || roots.has(id) || deleted.has(id)) continue;
    const message = `the index has a session ${id} that nothing else knows; ${MEND}`;
    // a loss of power may have left the row of one that just began
    yield { verdict: state === "interrupted" ? "unproved" : "tampered", kind: "inserted", where: "index", message };
  }
}
