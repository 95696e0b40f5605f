/**
 * Speaks PostgreSQL by hand and reports every byte that the server's side sent. A job comes as JSON on stdin, its
 * reports leave as JSON on stdout. Knows nothing of Sallyport; run outside of an agent it is the control. Each talk has
 * connections of its own.
 */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { client, message } from "../kit/wire.ts";
import type { Message, Step } from "./attack.ts";

export interface SpeakerJob {
  /** A folder is that of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly talks: readonly Talk[];
}

export interface Talk {
  readonly database: string;
  readonly steps: readonly Step[];
  readonly startup?: Readonly<Record<string, string>>;
}

export interface TalkReport {
  /** All that arrived from the first step on, in base64, by connection in the order of their first steps. */
  readonly bytes: readonly string[];
  /** The other side hung up before the talk was over. */
  readonly closed: boolean;
}

const STEP_WAIT_MS = 20_000;

class Line {
  readonly socket: Socket;
  readonly arrived: Buffer[] = [];
  closed = false;
  #unread: Buffer = Buffer.alloc(0);
  #due = 0;
  #brings = false;
  #done: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("close", () => {
      this.closed = true;
      this.#done();
    });
  }

  /** Resolves when all that was asked is answered (by so many ReadyForQuery), or the other side hangs up. */
  async say(bytes: Uint8Array, due: number, bringsCopy: boolean): Promise<void> {
    if (this.closed) return;
    const timer = setTimeout(() => this.socket.destroy(), STEP_WAIT_MS);
    this.#due = due;
    this.#brings = bringsCopy;
    await new Promise<void>((resolve) => {
      this.#done = resolve;
      this.socket.write(bytes);
    });
    clearTimeout(timer);
  }

  #take(bytes: Buffer): void {
    this.arrived.push(Buffer.from(bytes));
    this.#unread = Buffer.concat([this.#unread, bytes]);
    while (this.#unread.length >= 5 && this.#unread.length > this.#unread.readUInt32BE(1)) {
      const type = String.fromCharCode(this.#unread[0] ?? 0);
      this.#unread = this.#unread.subarray(this.#unread.readUInt32BE(1) + 1);
      if (type === "G" && !this.#brings) this.socket.write(client.copyFail("nothing to copy"));
      if (type === "Z" && --this.#due === 0) this.#done();
    }
  }
}

async function open(job: SpeakerJob, { database, startup = {} }: Talk): Promise<Line> {
  const path = `${job.host}/.s.PGSQL.${job.port}`;
  const socket = job.host.startsWith("/") ? createConnection(path) : createConnection(job.port, job.host);
  const line = new Line(socket);
  await Promise.race([once(socket, "connect"), once(socket, "close")]);
  await line.say(client.startup({ user: job.user, database, client_encoding: "UTF8", ...startup }), 1, false);
  // What refuses the connection is an answer, too.
  if (!line.closed) line.arrived.length = 0;
  return line;
}

async function perform(job: SpeakerJob, talk: Talk): Promise<TalkReport> {
  const lines = new Map<string, Line>();
  for (const { messages, connection = "" } of talk.steps) {
    const line = lines.get(connection) ?? (await open(job, talk));
    lines.set(connection, line);
    const due = messages.filter(([kind]) => ANSWERED.has(kind)).length;
    const bringsCopy = messages.some(([kind]) => kind === "copyDone");
    await line.say(Buffer.concat(messages.map(bytesOf)), due, bringsCopy);
  }
  const all = [...lines.values()];
  const report = {
    bytes: all.map(({ arrived }) => Buffer.concat(arrived).toString("base64")),
    closed: all.some(({ closed }) => closed),
  };
  await Promise.all(all.map(leave));
  return report;
}

/** Gone for the server, too, so that its database can be dropped. */
async function leave({ socket, closed }: Line): Promise<void> {
  if (closed) return;
  const gone = once(socket, "close");
  socket.end(client.terminate());
  await gone;
}

const ANSWERED: ReadonlySet<Message[0]> = new Set(["query", "sync", "call"]);

function bytesOf(words: Message): Buffer {
  switch (words[0]) {
    case "query":
      return client.query(words[1]);
    case "parse":
      return client.parse(words[1], words[2]);
    case "bind": {
      const [, portal, statement, binary = false, values = []] = words;
      return client.bind(portal, statement, { values, results: [binary ? 1 : 0] });
    }
    case "describe":
      return client.describe(words[1], words[2]);
    case "execute":
      return client.execute(words[1], words[2]);
    case "close":
      return client.close(words[1], words[2]);
    case "flush":
      return client.flush();
    case "sync":
      return client.sync();
    case "copyData":
      return client.copyData(words[1]);
    case "copyDone":
      return client.copyDone();
    case "call": {
      const [, oid, ...values] = words;
      return callOf(oid, values);
    }
  }
}

/** FunctionCall with text arguments and a text result. */
function callOf(oid: number, values: readonly string[]): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(oid, 0);
  head.writeUInt16BE(values.length, 6);
  const fields = values.flatMap((value) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(value));
    return [length, Buffer.from(value)];
  });
  return message("F", head, ...fields, Buffer.alloc(2));
}

const job = JSON.parse(await text(process.stdin)) as SpeakerJob;
const reports: TalkReport[] = [];
for (const talk of job.talks) reports.push(await perform(job, talk));
process.stdout.write(JSON.stringify(reports));
