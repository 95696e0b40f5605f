/**
 * Speaks PostgreSQL by hand and reports every byte that the server's side sent: no driver hides anything. A job
 * comes as JSON on stdin, its report leaves as JSON on stdout. Knows nothing of Sallyport; run outside of an agent
 * it is the control.
 */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { client } from "../wire.ts";

export interface RowsJob {
  /** A folder is that of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly rows: readonly RowJob[];
}

export interface RowJob {
  readonly name: string;
  readonly database: string;
  /** One Query holds all of `statements`; else each is Parse, Bind, Describe, Execute and Sync, with results in that format. */
  readonly form: "simple" | "text" | "binary";
  readonly statements: readonly string[];
}

export interface RowReport {
  readonly name: string;
  /** By field letter: C is the SQLSTATE, M the message. */
  readonly errors: readonly Readonly<Record<string, string>>[];
  readonly notices: readonly Readonly<Record<string, string>>[];
  /** Of DataRow and CopyData messages. */
  readonly rows: number;
  /** All that arrived from the first statement on, in base64. */
  readonly bytes: string;
  /** The server's side hung up before the row was over. */
  readonly closed: boolean;
}

const ROW_WAIT_MS = 20_000;

class Talk {
  readonly socket: Socket;
  #unread: Buffer = Buffer.alloc(0);
  all: Buffer[] = [];
  errors: Record<string, string>[] = [];
  notices: Record<string, string>[] = [];
  rows = 0;
  closed = false;
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
    const timer = setTimeout(() => this.socket.destroy(), ROW_WAIT_MS);
    await new Promise<void>((resolve) => {
      this.#ready = resolve;
      this.socket.write(bytes);
    });
    clearTimeout(timer);
  }

  forget(): void {
    this.all = [];
    this.errors = [];
    this.notices = [];
    this.rows = 0;
  }

  #take(bytes: Buffer): void {
    this.all.push(Buffer.from(bytes));
    this.#unread = Buffer.concat([this.#unread, bytes]);
    while (this.#unread.length >= 5 && this.#unread.length > this.#unread.readUInt32BE(1)) {
      const end = this.#unread.readUInt32BE(1) + 1;
      const [type, body] = [String.fromCharCode(this.#unread[0] ?? 0), this.#unread.subarray(5, end)];
      this.#unread = this.#unread.subarray(end);
      if (type === "E") this.errors.push(fieldsOf(body));
      if (type === "N") this.notices.push(fieldsOf(body));
      if (type === "D" || type === "d") this.rows++;
      if (type === "G") this.socket.write(client.copyFail("nothing to copy"));
      if (type === "Z") this.#ready();
    }
  }
}

function fieldsOf(body: Buffer): Record<string, string> {
  const parts = body.toString().split("\0").filter(Boolean);
  return Object.fromEntries(parts.map((part) => [part.slice(0, 1), part.slice(1)]));
}

async function open(job: RowsJob, database: string): Promise<Talk> {
  const path = `${job.host}/.s.PGSQL.${job.port}`;
  const socket = job.host.startsWith("/") ? createConnection(path) : createConnection(job.port, job.host);
  const talk = new Talk(socket);
  await Promise.race([once(socket, "connect"), once(socket, "close")]);
  await talk.send(client.startup({ user: job.user, database, client_encoding: "UTF8" }));
  return talk;
}

async function perform(talk: Talk, { name, form, statements }: RowJob): Promise<RowReport> {
  talk.forget();
  if (form === "simple") await talk.send(client.query(statements.join("\n;\n")));
  else {
    const results = [form === "binary" ? 1 : 0];
    for (const statement of statements) {
      const messages = [client.parse("", statement), client.bind("", "", { results }), client.describe("P", "")];
      await talk.send(Buffer.concat([...messages, client.execute(""), client.sync()]));
    }
  }
  const bytes = Buffer.concat(talk.all).toString("base64");
  const report = {
    name,
    errors: [...talk.errors],
    notices: [...talk.notices],
    rows: talk.rows,
    bytes,
    closed: talk.closed,
  };
  await talk.send(client.query("ROLLBACK"));
  return report;
}

const job = JSON.parse(await text(process.stdin)) as RowsJob;
const reports: RowReport[] = [];
let talk: Talk | undefined;
let at: string | undefined;
for (const row of job.rows) {
  if (talk === undefined || talk.closed || at !== row.database) {
    talk?.socket.end(client.terminate());
    talk = await open(job, row.database);
    at = row.database;
  }
  reports.push(await perform(talk, row));
}
talk?.socket.end(client.terminate());
process.stdout.write(JSON.stringify(reports));
