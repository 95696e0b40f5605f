/** DNS over TCP from agents: length-prefixed queries, answered one after the other. Knows no names. Source: RFC 7766. */
import { Socket } from "node:net";
import type { Accepted, Origin } from "ebpf-loader";
import {
  NAMES_ANSWER_BYTES_MAX,
  NAMES_PER_STREAM_MAX,
  NAMES_QUERY_BYTES_MAX,
  NAMES_STREAM_IDLE_MS,
  NAMES_STREAMS_MAX,
  NAMES_STREAMS_PER_AGENT_MAX,
} from "../base/limits.ts";
import type { Resolver } from "./resolver.ts";

const LENGTH_BYTES = 2;

export class NameStreams {
  readonly #resolver: Resolver;
  readonly #open = new Map<Socket, number>();

  constructor(resolver: Resolver) {
    this.#resolver = resolver;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Takes the descriptor over. */
  accept({ fd, origin }: Accepted): void {
    const socket = new Socket({ fd });
    const agent = origin?.agent ?? 0;
    const own = [...this.#open.values()].filter((other) => other === agent).length;
    if (origin === undefined || this.#open.size >= NAMES_STREAMS_MAX || own >= NAMES_STREAMS_PER_AGENT_MAX) {
      socket.destroy();
      return;
    }
    this.#open.set(socket, agent);
    socket.on("error", () => {}); // a client that leaves
    socket.once("close", () => this.#open.delete(socket));
    socket.setTimeout(NAMES_STREAM_IDLE_MS, () => socket.destroy());
    this.#serve(socket, origin);
  }

  close(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }

  #serve(socket: Socket, origin: Origin): void {
    let unread = Buffer.alloc(0);
    let asked = 0;
    let busy = false;
    let ended = false;
    const next = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      socket.pause();
      for (let query = takeQuery(unread); query !== undefined; query = takeQuery(unread)) {
        if (query.kind === "broken" || ++asked > NAMES_PER_STREAM_MAX) return void socket.destroy();
        unread = unread.subarray(LENGTH_BYTES + query.bytes.length);
        const answer = await this.#resolver.answer(query.bytes, origin, {
          kind: "stream",
          bytesMax: NAMES_ANSWER_BYTES_MAX,
        });
        if (answer === undefined) return void socket.destroy();
        if (!socket.write(framed(answer))) await whenRead(socket);
        if (socket.destroyed) return;
      }
      busy = false;
      if (ended) socket.end();
      else socket.resume();
    };
    socket.on("data", (bytes: Buffer) => {
      unread = Buffer.concat([unread, bytes]);
      void next();
    });
    socket.on("end", () => {
      ended = true;
      if (!busy) socket.end();
    });
  }
}

/** Answers may be 64 KiB each: a client that does not read them gets no more, and idles. */
function whenRead(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}

type Taken = { readonly kind: "query"; readonly bytes: Buffer } | { readonly kind: "broken" };

/** Undefined: more bytes are needed. */
function takeQuery(unread: Buffer): Taken | undefined {
  if (unread.length < LENGTH_BYTES) return undefined;
  const length = unread.readUInt16BE(0);
  if (length === 0 || length > NAMES_QUERY_BYTES_MAX) return { kind: "broken" };
  if (unread.length < LENGTH_BYTES + length) return undefined;
  return { kind: "query", bytes: unread.subarray(LENGTH_BYTES, LENGTH_BYTES + length) };
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
