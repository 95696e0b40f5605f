/**
 * The agent's side of every row: speaks PostgreSQL by hand, any number of calls at once, and tells how each ended.
 * One call a line as JSON on stdin, one report a line on stdout; a line may also name a port whose calls are to end.
 * Knows nothing of Sallyport.
 */
import { createConnection, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { client, fieldsOf } from "../kit/wire.ts";

export interface Call {
  readonly port: number;
  /** Said as soon as the server is ready, in base64. */
  readonly says: string;
  /** How many times the server must be ready again before the call is over. */
  readonly answers: number;
  /** From the greeting on. `nothing`: not even that the server has gone. `slowly`: nothing for a second, then all. */
  readonly reads: "all" | "nothing" | "slowly";
  /** Sends so many requests to cancel, with the key that it was given. */
  readonly cancels?: number;
  /** Leaves after this time, whatever has come. */
  readonly staysMs: number;
}

export interface CallReport {
  /** Letters of the messages, runs of one letter written once: "RSSSKZ" is "RSKZ". */
  readonly letters: string;
  /** Fields of each ErrorResponse by letter. */
  readonly errors: readonly Readonly<Record<string, string>>[];
  readonly rows: number;
  readonly bytes: number;
  /** The last message is not whole, or is none. */
  readonly isTorn: boolean;
  /** answered: all that was asked for has come. closed, reset: by the other side. left: its time was over. */
  readonly end: "answered" | "closed" | "reset" | "left";
  readonly ms: number;
}

const KEPT_BODY_MAX = 64 * 1024;
const LETTERS_MAX = 100;
const SLOW_MS = 1_000;

class Caller {
  readonly #call: Call;
  readonly #socket: Socket;
  readonly #startedMs = performance.now();
  #header: Buffer = Buffer.alloc(0);
  #type = "";
  #left = 0;
  #body: Buffer[] | undefined;
  #isBroken = false;
  #key: Buffer = Buffer.alloc(0);
  #ready = 0;
  #letters = "";
  readonly #errors: Readonly<Record<string, string>>[] = [];
  #rows = 0;
  #bytes = 0;
  #isReset = false;
  #done: (end: CallReport["end"]) => void = () => {};

  constructor(call: Call) {
    this.#call = call;
    this.#socket = createConnection({ port: call.port, host: "127.0.0.1", noDelay: true });
  }

  get port(): number {
    return this.#call.port;
  }

  leave(): void {
    this.#done("left");
  }

  async run(): Promise<CallReport> {
    const socket = this.#socket;
    const end = await new Promise<CallReport["end"]>((resolve) => {
      this.#done = resolve;
      socket.on("error", () => {
        this.#isReset = true;
      });
      socket.on("close", () => resolve(this.#isReset ? "reset" : "closed"));
      socket.on("data", (bytes: Buffer) => this.#take(bytes));
      socket.write(client.startup({ user: "agent", database: "postgres", client_encoding: "UTF8" }));
      setTimeout(() => resolve("left"), this.#call.staysMs).unref();
    });
    const ms = Math.round(performance.now() - this.#startedMs);
    if (end === "answered") socket.end(client.terminate());
    else socket.destroy();
    const isTorn = this.#isBroken || this.#left > 0 || this.#header.length > 0;
    const [letters, errors, rows, bytes] = [this.#letters, this.#errors, this.#rows, this.#bytes];
    return { letters, errors, rows, bytes, isTorn, end, ms };
  }

  #take(bytes: Buffer): void {
    this.#bytes += bytes.length;
    for (let at = 0; at < bytes.length && !this.#isBroken; ) {
      if (this.#left === 0) {
        const header = bytes.subarray(at, at + 5 - this.#header.length);
        this.#header = this.#header.length === 0 ? header : Buffer.concat([this.#header, header]);
        at += header.length;
        if (this.#header.length === 5) this.#begin();
        else this.#header = Buffer.from(this.#header);
      } else {
        const part = bytes.subarray(at, at + this.#left);
        this.#body?.push(Buffer.from(part));
        at += part.length;
        this.#left -= part.length;
        if (this.#left === 0) this.#end();
      }
    }
  }

  #begin(): void {
    this.#type = String.fromCharCode(this.#header[0] ?? 0);
    this.#left = this.#header.readInt32BE(1) - 4;
    this.#header = Buffer.alloc(0);
    this.#isBroken = this.#left < 0;
    this.#body = "EK".includes(this.#type) && this.#left <= KEPT_BODY_MAX ? [] : undefined;
    if (this.#left === 0) this.#end();
  }

  #end(): void {
    const type = this.#type;
    if (!this.#letters.endsWith(type) && this.#letters.length < LETTERS_MAX) this.#letters += type;
    if (type === "D" || type === "d") this.#rows++;
    if (type === "K") this.#key = Buffer.concat(this.#body ?? []);
    if (type === "E") this.#errors.push(this.#body === undefined ? {} : fieldsOf(Buffer.concat(this.#body)));
    if (type !== "Z") return;
    if (this.#ready++ === 0) this.#begun();
    if (this.#ready === this.#call.answers + 1) this.#done("answered");
  }

  #cancel(): void {
    const socket = createConnection({ port: this.#call.port, host: "127.0.0.1" }).on("error", () => {});
    socket.resume().write(client.cancelRequest(this.#key));
  }

  #begun(): void {
    const { reads, cancels = 0 } = this.#call;
    if (reads !== "all") this.#socket.pause();
    if (reads === "slowly") setTimeout(() => this.#socket.resume(), SLOW_MS);
    for (let sent = 0; sent < cancels; sent++) this.#cancel();
    const says = Buffer.from(this.#call.says, "base64");
    if (says.length > 0) this.#socket.write(says);
  }
}

const callers = new Set<Caller>();
process.stdout.write("{}\n"); // ready
createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { id, hangUp, ...call } = JSON.parse(line) as Call & { readonly id: number; readonly hangUp?: number };
    if (hangUp !== undefined) {
      for (const caller of callers) if (caller.port === hangUp) caller.leave();
      return;
    }
    const caller = new Caller(call);
    callers.add(caller);
    const report = await caller.run();
    callers.delete(caller);
    process.stdout.write(`${JSON.stringify({ id, ...report })}\n`);
  })
  .on("close", () => process.exit(0));
