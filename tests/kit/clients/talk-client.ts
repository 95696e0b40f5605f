/**
 * Says what it is told to, in pieces of any length, and reports every byte that it hears. A job comes as JSON on stdin, its
 * report leaves as JSON on stdout. Knows nothing of Sallyport.
 */
import { once } from "node:events";
import { createConnection } from "node:net";
import { text } from "node:stream/consumers";
import { client } from "../wire.ts";

export interface TalkJob {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly turns: readonly Turn[];
}

/** What is said at once; then as many ReadyForQuery are awaited. */
export interface Turn {
  /** In base64. */
  readonly pieces: readonly string[];
  readonly readies: number;
}

export interface TalkReport {
  /** From the end of the login on, in base64. */
  readonly heard: string;
  readonly closed: boolean;
}

const WAIT_MS = 30_000;
const READY = 0x5a;
const HEADER_BYTES = 5;

const job = JSON.parse(await text(process.stdin)) as TalkJob;
const socket = createConnection({ host: job.host, port: job.port, noDelay: true });
let heard = Buffer.alloc(0);
let closed = false;
let tell: () => void = () => {};
socket.on("error", () => {});
socket.on("data", (bytes: Buffer) => {
  heard = Buffer.concat([heard, bytes]);
  tell();
});
socket.on("close", () => {
  closed = true;
  tell();
});
await once(socket, "connect");
socket.write(client.startup({ user: job.user, database: job.database }));
await readies(1);
heard = Buffer.alloc(0);
const all: Buffer[] = [];
for (const { pieces, readies: awaited } of job.turns) {
  for (const piece of pieces) {
    if (closed) break;
    socket.write(Buffer.from(piece, "base64"));
    await new Promise(setImmediate);
  }
  await readies(awaited);
  all.push(heard);
  heard = Buffer.alloc(0);
}
socket.end();
const report: TalkReport = { heard: Buffer.concat(all).toString("base64"), closed };
process.stdout.write(JSON.stringify(report));

async function readies(count: number): Promise<void> {
  const until = Date.now() + WAIT_MS;
  while (!closed && seen() < count) {
    if (Date.now() > until) throw new Error(`Waited too long for ${count} answers; heard ${heard.toString("latin1")}`);
    await new Promise<void>((resolve) => {
      tell = resolve;
      setTimeout(resolve, 1_000).unref();
    });
  }
}

function seen(): number {
  let count = 0;
  for (let at = 0; heard.length - at > HEADER_BYTES; ) {
    const end = at + 1 + heard.readInt32BE(at + 1);
    if (end > heard.length) break;
    if (heard[at] === READY) count++;
    at = end;
  }
  return count;
}
