/** What the API may ask about sessions: the index, and recordings as they are read. */
import type { SessionListing, SessionPorts } from "../../control/ports.ts";
import type { SessionRow } from "../../store/sessions.ts";
import { replay } from "../replay.ts";
import { type PortParts, tell } from "./parts.ts";

export function sessionPorts(parts: PortParts): SessionPorts {
  return {
    list: async (query) => (await readIndex(parts).list(query)).map(sessionListing),
    show: async (id) => {
      const row = await readIndex(parts).get(id);
      return row === undefined ? undefined : sessionListing(row);
    },
    entries: async (id, { from, follow }) => {
      const row = await readIndex(parts).get(id);
      const { recordings, sessionKeys } = parts;
      const world = { recordings, keys: sessionKeys, rowOf: readIndex(parts).get };
      return row === undefined ? undefined : replay(world, row, from, follow);
    },
    reindex: async (caller) => {
      const sessions = await parts.recorder.reindex();
      // The search index has passed their time already. A failure of its own it tells by itself, and then starts anew.
      await parts.search.lookAgain().catch(() => undefined);
      tell(parts, "sessions.reindex", `The index was built anew from ${sessions} recordings`, caller);
      return { sessions };
    },
  };
}

/** The index is written behind the data path; whoever asks gets what is true now. */
function readIndex({ index }: PortParts) {
  return {
    list: async (query: { readonly limit: number; readonly agent?: string }) => {
      await index.flush();
      return index.list(query);
    },
    get: async (id: string) => {
      await index.flush();
      return index.get(id);
    },
  };
}

function sessionListing(row: SessionRow): SessionListing {
  const { id, agent, connection, protocol, user, executable, state, statements, denied, masked, rows } = row;
  return {
    ...{ id, agent, connection, protocol, user, executable, state, statements, denied, masked, rows },
    address: `${row.address}:${row.port}`,
    startedMs: row.startedMs,
    ...(row.endedMs === undefined ? {} : { endedMs: row.endedMs }),
  };
}
