/**
 * A client that other processes drive: `node client.ts PORT`, an order as JSON on each line of stdin, an answer as
 * JSON on each line of stdout. It logs in with `pg` and then counts bytes on bare sockets, so that it is not what is
 * measured. The password and PGSSLMODE come from the environment.
 */

import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import pg from "pg";

export type Order =
  /** Connections are opened until there are so many; answered by `{}`. */
  | { readonly open: number }
  /**
   * The statement again and again, over each open connection in turn, at most `inFlight` at once; at least once, until
   * `seconds` are over. Each `#` in it becomes a number below `texts`. Answered by `Ran`.
   */
  | { readonly sql: string; readonly texts?: number; readonly seconds: number; readonly inFlight: number };

export interface Ran {
  readonly ms: number;
  readonly statements: number;
  readonly rows: number;
  readonly bytes: number;
  /** Of the first answer, as far as it can be read. */
  readonly start: string;
}

/** ReadyForQuery outside a transaction: the end of an answer. */
const READY = Buffer.from("5a0000000549", "hex");
const TAIL_BYTES = 256;
const START_BYTES = 500;
/** Logins at once: each is work for everybody, and a backend process. */
const LOGINS = 16;

const port = Number(process.argv[2]);
const connections: Connection[] = [];

/** One session: a statement, and its whole answer counted. */
class Connection {
  readonly #socket: Socket;
  #answer: { bytes: number; start: string; tail: Buffer } = empty();
  #done: PromiseWithResolvers<{ bytes: number; rows: number; start: string }> | undefined;

  static async open(): Promise<Connection> {
    const client = new pg.Client({
      ...{ host: "127.0.0.1", port, user: "postgres", database: "postgres" },
      ...(process.env["PGSSLMODE"] === "require" ? { ssl: { rejectUnauthorized: false } } : {}),
    });
    await client.connect();
    return new Connection((client as unknown as { connection: { stream: Socket } }).connection.stream);
  }

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.removeAllListeners("data");
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", () => {});
    socket.once("close", () => {
      const { bytes, start } = this.#answer;
      this.#done?.reject(new Error(`The server hung up after ${bytes} bytes: ${start}`));
    });
  }

  ask(sql: string): Promise<{ bytes: number; rows: number; start: string }> {
    const length = Buffer.byteLength(sql);
    const query = Buffer.alloc(length + 6);
    query.write("Q");
    query.writeInt32BE(length + 5, 1);
    query.write(sql, 5);
    this.#answer = empty();
    this.#done = Promise.withResolvers();
    this.#socket.write(query);
    return this.#done.promise;
  }

  #take(chunk: Buffer): void {
    const answer = this.#answer;
    if (answer.bytes === 0) answer.start = legible(chunk.subarray(0, START_BYTES));
    answer.bytes += chunk.length;
    // One read is one answer, but for large ones.
    const joined = answer.bytes === chunk.length || chunk.length >= TAIL_BYTES;
    answer.tail = (joined ? chunk : Buffer.concat([answer.tail, chunk])).subarray(-TAIL_BYTES);
    if (!answer.tail.subarray(-READY.length).equals(READY)) return;
    const rows = Number(/SELECT (\d+)\0/.exec(answer.tail.toString("latin1"))?.[1] ?? 0);
    this.#done?.resolve({ bytes: answer.bytes, rows, start: answer.start });
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  console.log(JSON.stringify("open" in order ? await open(order.open) : await run(order)));
}
process.exit(0);

async function open(count: number): Promise<object> {
  const missing = count - connections.length;
  let begun = 0;
  const worker = async () => {
    while (begun++ < missing) connections.push(await Connection.open());
  };
  await Promise.all(Array.from({ length: LOGINS }, worker));
  return {};
}

async function run({ sql, texts, seconds, inFlight }: Extract<Order, { sql: string }>): Promise<Ran> {
  const startedMs = performance.now();
  const untilMs = startedMs + seconds * 1000;
  const free = [...connections];
  const sum = { statements: 0, rows: 0, bytes: 0, start: "" };
  const worker = async () => {
    do {
      const connection = free.shift();
      if (connection === undefined) return;
      const text = texts === undefined ? sql : sql.replaceAll("#", String(Math.floor(Math.random() * texts)));
      const { bytes, rows, start } = await connection.ask(text);
      free.push(connection);
      sum.statements++;
      sum.rows += rows;
      sum.bytes += bytes;
      if (sum.start === "") sum.start = start;
    } while (performance.now() < untilMs);
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, connections.length) }, worker));
  return { ...sum, ms: performance.now() - startedMs };
}

function empty() {
  return { bytes: 0, start: "", tail: Buffer.alloc(0) };
}

function legible(bytes: Buffer): string {
  return bytes.toString("latin1").replaceAll(/[^ -~]+/g, " ");
}
