/**
 * One connection spoken by hand: what the server's side sends is cut into messages and summed up as it comes, with
 * nothing left out. Knows nothing of Sallyport; run outside of an agent it is the direct side.
 */
import { createHash, type Hash } from "node:crypto";
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { client } from "../../kit/wire.ts";

export interface Server {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** All that one connection received in one case. */
export interface Heard {
  readonly connection: string;
  readonly length: number;
  readonly sha256: string;
  /** The first bytes, to show where two sides differ; base64. */
  readonly head: string;
  /** Types of the messages, in order; runs of rows are one letter with a count. */
  readonly types: string;
  /** SQLSTATEs of its ErrorResponses, in order. */
  readonly codes: readonly string[];
  /** What the case itself has to say. */
  readonly remarks: readonly string[];
  readonly end: "open" | "closed" | "stuck";
}

/** Shown of one case; the sum covers all. */
const HEAD_BYTES = 24 * 1024;
const TYPES_MAX = 400;
/** Longer messages are summed up in pieces and not kept. */
const KEPT_BYTES_MAX = 1024 * 1024;
const HEADER_BYTES = 5;

export class Talk {
  readonly name: string;
  readonly socket: Socket;
  /** As the last ReadyForQuery said. */
  status = "";
  closed = false;
  /** Body of the last BackendKeyData. */
  key: Buffer = Buffer.alloc(0);
  /** The values of the last DataRow. */
  values: readonly (Buffer | null)[] = [];
  /** Settings as the last ParameterStatus of each said. */
  readonly reported = new Map<string, string>();
  /** Process ids of the servers behind this client's connections, and those connections' names. */
  readonly #pids: ReadonlyMap<number, string>;
  readonly #waitMs: number;
  #unread: Buffer = Buffer.alloc(0);
  #passing = 0;
  #hash: Hash = createHash("sha256");
  #length = 0;
  #head: Buffer[] = [];
  #headLength = 0;
  #types: string[] = [];
  #seen = new Map<string, number>();
  #codes: string[] = [];
  #remarks: string[] = [];
  #stuck = false;
  #muted = false;
  #copy: Buffer[] | undefined;
  #wake: () => void = () => {};

  private constructor(name: string, socket: Socket, pids: ReadonlyMap<number, string>, waitMs: number) {
    this.name = name;
    this.socket = socket;
    this.#pids = pids;
    this.#waitMs = waitMs;
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("close", () => {
      this.closed = true;
      this.#wake();
    });
  }

  /** Dials and says nothing. */
  static async dial(name: string, server: Server, pids: ReadonlyMap<number, string>, waitMs: number): Promise<Talk> {
    const socket = createConnection(server.port, server.host);
    const talk = new Talk(name, socket, pids, waitMs);
    await Promise.race([once(socket, "connect"), once(socket, "close")]);
    return talk;
  }

  send(...messages: readonly Uint8Array[]): void {
    if (!this.closed) this.socket.write(Buffer.concat(messages));
  }

  /** Sends, and waits for so many ReadyForQuery more. */
  async ask(bytes: Uint8Array, answers = 1): Promise<void> {
    const wanted = this.count("Z") + answers;
    this.send(bytes);
    await this.until("Z", wanted);
  }

  query(sql: string): Promise<void> {
    return this.ask(client.query(sql));
  }

  /** Until `count` messages of a type were seen in this case, or the other side hangs up. */
  until(type: string, count = 1): Promise<void> {
    return this.untilOneOf({ [type]: count });
  }

  /** Until there are so many of one of these types. */
  async untilOneOf(counts: Readonly<Record<string, number>>): Promise<void> {
    const timer = setTimeout(() => {
      this.#stuck = true;
      this.socket.destroy();
    }, this.#waitMs);
    const reached = () => Object.entries(counts).some(([type, count]) => this.count(type) >= count);
    while (!this.closed && !reached()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(timer);
  }

  /** Until the other side hangs up. */
  untilClosed(): Promise<void> {
    return this.until("closed");
  }

  /** What comes meanwhile is not part of what was heard. */
  async aside(ask: () => Promise<void>): Promise<void> {
    const seen = new Map(this.#seen);
    this.#muted = true;
    await ask();
    this.#muted = false;
    this.#seen = seen;
  }

  /** Compared as if the server had sent it: what a client works out from several answers. */
  remark(text: string): void {
    this.#remarks.push(text);
    this.#sum(Buffer.from(text));
  }

  /** From now on the bodies of CopyData are kept. */
  keepCopy(): void {
    this.#copy = [];
  }

  /** Those bodies; no more of them are kept. */
  keptCopy(): readonly Buffer[] {
    const copy = this.#copy ?? [];
    this.#copy = undefined;
    return copy;
  }

  count(type: string): number {
    return this.#seen.get(type) ?? 0;
  }

  /** What came since the last call. */
  heard(): Heard {
    const heard: Heard = {
      connection: this.name,
      length: this.#length,
      sha256: this.#hash.digest("hex"),
      head: Buffer.concat(this.#head).toString("base64"),
      types: shorten(this.#types),
      codes: this.#codes,
      remarks: this.#remarks,
      end: this.#stuck ? "stuck" : this.closed ? "closed" : "open",
    };
    this.#hash = createHash("sha256");
    this.#length = 0;
    this.#head = [];
    this.#headLength = 0;
    this.#types = [];
    this.#seen = new Map();
    this.#codes = [];
    this.#remarks = [];
    return heard;
  }

  #take(bytes: Buffer): void {
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    while (this.#unread.length > 0) {
      if (this.#passing > 0) {
        const part = this.#unread.subarray(0, this.#passing);
        this.#passing -= part.length;
        this.#unread = this.#unread.subarray(part.length);
        this.#sum(part);
        continue;
      }
      if (this.#unread.length < HEADER_BYTES) break;
      const length = this.#unread.readUInt32BE(1) + 1;
      if (length > KEPT_BYTES_MAX) this.#passing = length;
      else if (this.#unread.length < length) break;
      else {
        const message = this.#unread.subarray(0, length);
        this.#unread = this.#unread.subarray(length);
        this.#message(message);
        continue;
      }
      this.#note(String.fromCharCode(this.#unread[0] ?? 0));
    }
    // What is left is of the socket's buffer, which stays ours.
    this.#wake();
  }

  #message(message: Buffer): void {
    const type = String.fromCharCode(message[0] ?? 0);
    const body = message.subarray(HEADER_BYTES);
    if (type === "Z") this.status = String.fromCharCode(body[0] ?? 0);
    if (type === "K") this.key = Buffer.from(body);
    if (type === "S") {
      const [name = "", value = ""] = body.toString().split("\0");
      this.reported.set(name, value);
    }
    if (type === "d") this.#copy?.push(Buffer.from(body));
    if (type === "D") this.values = valuesOf(body);
    if (type === "E" && !this.#muted) this.#codes.push(/\0C([0-9A-Z]{5})\0/.exec(body.toString("latin1"))?.[1] ?? "?");
    this.#sum(this.#comparable(type, message));
    this.#note(type);
  }

  /**
   * A notification names the process of its sender, which no two servers share: the name of the connection that this
   * process serves stands for it. BackendKeyData is made to differ: that it is there is compared, and its length.
   */
  #comparable(type: string, message: Buffer): Buffer {
    if (type !== "A" && type !== "K") return message;
    const copy = Buffer.from(message);
    if (type === "K") copy.fill(0, HEADER_BYTES);
    else
      copy.fill(
        (this.#pids.get(message.readInt32BE(HEADER_BYTES)) ?? "?").padEnd(4).slice(0, 4),
        HEADER_BYTES,
        HEADER_BYTES + 4,
      );
    return copy;
  }

  #sum(bytes: Buffer): void {
    if (this.#muted) return;
    this.#hash.update(bytes);
    this.#length += bytes.length;
    const room = HEAD_BYTES - this.#headLength;
    if (room <= 0) return;
    this.#head.push(Buffer.from(bytes.subarray(0, room)));
    this.#headLength += Math.min(room, bytes.length);
  }

  #note(type: string): void {
    this.#seen.set(type, (this.#seen.get(type) ?? 0) + 1);
    if (this.#muted) return;
    if (this.#types.length < TYPES_MAX || type !== "D") this.#types.push(type);
  }
}

function valuesOf(body: Buffer): readonly (Buffer | null)[] {
  const values: (Buffer | null)[] = [];
  let at = 2;
  for (let left = body.readUInt16BE(0); left > 0; left--) {
    const length = body.readInt32BE(at);
    at += 4;
    values.push(length < 0 ? null : Buffer.from(body.subarray(at, at + length)));
    if (length > 0) at += length;
  }
  return values;
}

/** "TDDDCZ" as "TD3CZ". */
function shorten(types: readonly string[]): string {
  return types.join("").replace(/(.)\1{2,}/g, (run, type: string) => `${type}${run.length}`);
}
