/** Asks for one large answer and takes it in sips at first, then all of it. Prints the bytes that arrived. */
import { createConnection } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { client } from "../wire.ts";

const [, , host = "", port = "", sql = "", stallMs = ""] = process.argv;
const socket = createConnection(Number(port), host);
socket.write(client.startup({ user: "agent", database: "postgres", client_encoding: "UTF8" }));
let bytes = 0;
let asked = false;
let tail = Buffer.alloc(0);
for await (const chunk of socket as AsyncIterable<Buffer>) {
  bytes += chunk.length;
  tail = Buffer.concat([tail, chunk]).subarray(-64);
  const isReady = tail.subarray(-6, -1).equals(Buffer.from([0x5a, 0, 0, 0, 5]));
  if (isReady && asked) break;
  if (isReady) {
    asked = true;
    bytes = 0;
    socket.write(client.query(sql));
  } else if (asked && bytes < 1024 * 1024) {
    await wait(Number(stallMs) / 16); // the stream's own buffer is full and the kernel's soon is
  }
}
socket.end(client.terminate());
console.log(bytes);
