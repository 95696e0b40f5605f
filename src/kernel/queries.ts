/** One UDP socket on which name queries of agents arrive: each with its origin, answered at most once. Reads no names. */
import { createSocket, type Socket } from "node:dgram";
import type { Origin } from "ebpf-loader";
import { QUERIES_WAITING_MAX, QUERY_ANSWER_WAIT_MS } from "../base/limits.ts";

/**
 * `answer` is to be called once, at any time, with undefined where there is none: until then the query takes a place of all
 * agents'. What comes too late or again is dropped.
 */
export type OnQuery = (message: Uint8Array, origin: Origin, answer: (bytes: Uint8Array | undefined) => void) => void;

export interface QueryCounts {
  /** Datagrams that nobody redirected. */
  unknown: number;
  /** Beyond QUERIES_WAITING_MAX at once. */
  refused: number;
}

export interface QueryPort {
  close(): void;
}

/** Takes the descriptor over. `originOf` says who sent from an address of the socket's namespace. */
export function openQueryPort(
  fd: number,
  type: "udp4" | "udp6",
  parts: {
    readonly originOf: (address: string, port: number) => Origin | undefined;
    readonly onQuery: OnQuery;
    readonly counts: QueryCounts;
  },
): QueryPort {
  const { originOf, onQuery, counts } = parts;
  const waiting = new Set<{ readonly untilMs: number }>(); // the oldest first
  const socket: Socket = createSocket({ type });
  let isOpen = true;
  socket.on("error", () => {}); // a client's ICMP error is not ours; a socket that is broken answers nobody
  socket.on("message", (message, { address, port }) => {
    const nowMs = performance.now();
    for (const query of waiting) {
      if (query.untilMs > nowMs) break;
      waiting.delete(query);
    }
    if (waiting.size >= QUERIES_WAITING_MAX) {
      counts.refused += 1;
      return;
    }
    const origin = originOf(address, port);
    if (origin === undefined) {
      counts.unknown += 1;
      return;
    }
    const query = { untilMs: nowMs + QUERY_ANSWER_WAIT_MS };
    waiting.add(query);
    onQuery(message, origin, (bytes) => {
      const isDue = waiting.delete(query) && isOpen;
      if (isDue && bytes !== undefined) socket.send(bytes, port, address, () => {}); // a client that left is no error
    });
  });
  socket.bind({ fd, exclusive: true });
  return {
    close: () => {
      isOpen = false;
      socket.close();
    },
  };
}
