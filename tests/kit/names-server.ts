/** A nameserver for tests: answers from a table over UDP and TCP on one free port, and remembers every question. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type Answer, decode, encode, type Packet } from "dns-packet";

export interface Asked {
  /** Lower case. */
  readonly name: string;
  readonly type: string;
  readonly over: "udp" | "tcp";
  readonly id: number;
  readonly sourcePort: number;
  readonly spelled: string;
  readonly bytes: Buffer;
}

export interface Zone {
  readonly answers?: readonly Answer[];
  readonly rcode?: number;
  /** Said over UDP instead of the answers. */
  readonly truncated?: true;
  /** The question comes back in lower case, as some servers do. */
  readonly lowerCase?: true;
  /** No answer at all. */
  readonly silent?: true;
  /** Sent before the answer: what a guesser would send. */
  readonly forged?: (question: Asked) => readonly Buffer[];
}

export class NamesServer {
  readonly port: number;
  readonly asked: Asked[] = [];
  readonly #close: () => void;
  /** By "TYPE name"; what is not listed does not exist. */
  zones: Record<string, Zone> = {};

  private constructor(port: number, close: () => void) {
    this.port = port;
    this.#close = close;
  }

  static async start(address = "127.0.0.1"): Promise<NamesServer> {
    const { tcp, udp, port } = await listenTwice(address);
    const sockets = new Set<Socket>();
    const server = new NamesServer(port, () => {
      udp.close();
      tcp.close();
      for (const socket of sockets) socket.destroy();
    });
    udp.on("message", (bytes, from) => {
      for (const reply of server.#reply(bytes, "udp", from.port)) udp.send(reply, from.port, from.address);
    });
    tcp.on("connection", (socket) => {
      sockets.add(socket);
      let unread = Buffer.alloc(0);
      socket.on("error", () => {});
      socket.on("data", (bytes: Buffer) => {
        unread = Buffer.concat([unread, bytes]);
        if (unread.length < 2 || unread.length < 2 + unread.readUInt16BE(0)) return;
        for (const reply of server.#reply(unread.subarray(2), "tcp", socket.remotePort ?? 0)) {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(reply.length);
          socket.write(Buffer.concat([length, reply]));
        }
      });
    });
    return server;
  }

  /** "TYPE name" of every question so far. */
  get questions(): readonly string[] {
    return this.asked.map(({ type, name }) => `${type} ${name}`);
  }

  stop(): void {
    this.#close();
  }

  #reply(bytes: Buffer, over: Asked["over"], sourcePort: number): readonly Buffer[] {
    const packet = decode(bytes);
    const [question] = packet.questions ?? [];
    if (question === undefined) return [];
    const { name: spelled, type } = question;
    const name = spelled.toLowerCase();
    const asked = { name, type, over, id: packet.id ?? 0, sourcePort, spelled, bytes: Buffer.from(bytes) };
    this.asked.push(asked);
    const zone = this.zones[`${type} ${name}`] ?? { rcode: 3 };
    if (zone.silent) return [];
    const cut = zone.truncated && over === "udp";
    const reply: Packet = {
      type: "response",
      id: asked.id,
      flags: 0x0180 | (cut ? 0x0200 : 0) | (zone.rcode ?? 0),
      questions: [zone.lowerCase ? { ...question, name } : question],
      answers: cut ? [] : [...(zone.answers ?? [])],
    };
    return [...(zone.forged?.(asked) ?? []), encode(reply)];
  }
}

/** On one port of both protocols: the first that is free for one may be somebody's for the other. */
async function listenTwice(address: string) {
  for (let tries = 1; ; tries++) {
    const tcp = createServer();
    tcp.listen(0, address);
    await once(tcp, "listening");
    const { port } = tcp.address() as { port: number };
    const udp = createSocket(address.includes(":") ? "udp6" : "udp4");
    udp.bind(port, address);
    try {
      await once(udp, "listening");
      return { tcp, udp, port };
    } catch (error) {
      tcp.close();
      udp.close();
      if (tries === 10) throw error;
    }
  }
}

/** A zone of addresses. */
export function addresses(name: string, type: "A" | "AAAA", ...list: readonly string[]): Zone {
  return { answers: list.map((data) => ({ type, name, ttl: 60, data })) };
}
