/**
 * Reads one big answer as fast as this runtime can: logs in with `pg`, then counts bytes on the bare socket, so
 * that the client is not what is measured. Prints {ms, bytes, rows, start}, where `start` is the first row's text.
 * `node bulk-client.ts PORT SQL`; the password comes from PGPASSWORD.
 */
import type { Socket } from "node:net";
import pg from "pg";

/** ReadyForQuery outside a transaction: the end of the answer. */
const READY = Buffer.from("5a0000000549", "hex");
const TAIL_BYTES = 256;

const [, , port, sql = ""] = process.argv;
const client = new pg.Client({ host: "127.0.0.1", port: Number(port), user: "postgres", database: "postgres" });
await client.connect();
const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
stream.removeAllListeners("data");

const text = Buffer.from(`${sql}\0`);
const query = Buffer.alloc(5 + text.length);
query.write("Q");
query.writeInt32BE(4 + text.length, 1);
text.copy(query, 5);

const startedMs = performance.now();
let bytes = 0;
let start = "";
let tail: Buffer = Buffer.alloc(0);
const done = Promise.withResolvers<void>();
stream.on("data", (chunk: Buffer) => {
  if (bytes === 0)
    start = chunk
      .subarray(0, 300)
      .toString("latin1")
      .replaceAll(/[^ -~]+/g, " ");
  bytes += chunk.length;
  tail = chunk.length >= TAIL_BYTES ? chunk.subarray(-TAIL_BYTES) : Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES);
  if (tail.subarray(-READY.length).equals(READY)) done.resolve();
});
stream.once("close", () => done.reject(new Error(`The server hung up after ${bytes} bytes: ${start}`)));
stream.write(query);
await done.promise;
const rows = Number(/SELECT (\d+)\0/.exec(tail.toString("latin1"))?.[1] ?? 0);
console.log(JSON.stringify({ ms: performance.now() - startedMs, bytes, rows, start }));
process.exit(0);
