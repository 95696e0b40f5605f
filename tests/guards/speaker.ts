/**
 * Speaks PostgreSQL by hand for the guard suite, each row on a connection of its own, and reports every byte that came
 * back. Jobs come as JSON on stdin, one a line, and their reports leave as JSON on stdout. Knows nothing of Sallyport; run outside of an
 * agent it is the control.
 */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { client, fieldsOf } from "../kit/wire.ts";

export interface SpeakerJob {
  /** A folder is that of a Unix socket. */
  readonly host: string;
  readonly port: number;
  /** Connections at once. */
  readonly atOnce: number;
  readonly rows: readonly SpeakerRow[];
}

export interface SpeakerRow {
  readonly name: string;
  readonly startup: Readonly<Record<string, string>>;
  /** Base64. Each is sent when the one before was answered with ReadyForQuery. */
  readonly exchanges: readonly string[];
}

export interface SpeakerReport {
  readonly name: string;
  /** By field letter: C is the SQLSTATE, M the message, D the detail. */
  readonly errors: readonly Readonly<Record<string, string>>[];
  /** Types of all messages, in order. */
  readonly types: string;
  /** All that arrived from the first exchange on, in base64. */
  readonly bytes: string;
  /** The server's side hung up before the row was over. */
  readonly closed: boolean;
}

const EXCHANGE_WAIT_MS = 20_000;

class Talk {
  readonly socket: Socket;
  readonly errors: Record<string, string>[] = [];
  closed = false;
  types = "";
  all: Buffer[] = [];
  #unread: Buffer = Buffer.alloc(0);
  #copies = false;
  #ready: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("close", () => {
      this.closed = true;
      this.#ready();
    });
  }

  /** Sends, and resolves at the next ReadyForQuery or when the other side hangs up. */
  async send(bytes: Uint8Array): Promise<void> {
    if (this.closed) return;
    this.#copies = holdsCopyData(Buffer.from(bytes));
    const timer = setTimeout(() => this.socket.destroy(), EXCHANGE_WAIT_MS);
    await new Promise<void>((resolve) => {
      this.#ready = resolve;
      this.socket.write(bytes);
    });
    clearTimeout(timer);
  }

  forget(): void {
    this.all = [];
    this.types = "";
  }

  #take(bytes: Buffer): void {
    this.all.push(Buffer.from(bytes));
    this.#unread = Buffer.concat([this.#unread, bytes]);
    while (this.#unread.length >= 5 && this.#unread.length > this.#unread.readUInt32BE(1)) {
      const end = this.#unread.readUInt32BE(1) + 1;
      const [type, body] = [String.fromCharCode(this.#unread[0] ?? 0), this.#unread.subarray(5, end)];
      this.#unread = this.#unread.subarray(end);
      this.types += type;
      if (type === "E") this.errors.push({ ...fieldsOf(body) });
      if (type === "G" && !this.#copies) this.socket.write(client.copyFail("nothing to copy"));
      if (type === "Z") this.#ready();
    }
  }
}

function holdsCopyData(bytes: Buffer): boolean {
  for (let at = 0; at + 5 <= bytes.length; at += 1 + bytes.readUInt32BE(at + 1)) {
    if ("cdf".includes(String.fromCharCode(bytes[at] ?? 0))) return true;
  }
  return false;
}

async function perform(job: SpeakerJob, { name, startup, exchanges }: SpeakerRow): Promise<SpeakerReport> {
  const { host, port } = job;
  const path = `${host}/.s.PGSQL.${port}`;
  const socket = host.startsWith("/") ? createConnection(path) : createConnection(port, host);
  const talk = new Talk(socket);
  await Promise.race([once(socket, "connect"), once(socket, "close")]);
  await talk.send(client.startup(startup));
  // What a session starts with is never equal; what refuses it is.
  if (!talk.closed) talk.forget();
  for (const exchange of exchanges) await talk.send(Buffer.from(exchange, "base64"));
  const { closed, errors, types } = talk;
  socket.end(client.terminate());
  if (!closed) await once(socket, "close");
  return { name, errors, types, bytes: Buffer.concat(talk.all).toString("base64"), closed };
}

async function performAll(job: SpeakerJob): Promise<readonly SpeakerReport[]> {
  const reports: SpeakerReport[] = [];
  let next = 0;
  const lane = async () => {
    for (let at = next++; at < job.rows.length; at = next++) {
      const row = job.rows[at];
      if (row !== undefined) reports[at] = await perform(job, row);
    }
  };
  await Promise.all(Array.from({ length: job.atOnce }, lane));
  return reports;
}

for await (const line of createInterface({ input: process.stdin })) {
  const reports = await performAll(JSON.parse(line) as SpeakerJob);
  process.stdout.write(`${JSON.stringify(reports)}\n`);
}
