// Speaks the extended protocol by hand: Parse, Bind, Execute for each statement, one Sync at the end, one write.
import { createConnection } from "node:net";
import { serialize } from "pg-protocol";
import { Parser } from "pg-protocol/dist/parser.js";

const [, , url, ...statements] = process.argv;
const { hostname, port, username, pathname } = new URL(url);
const socket = createConnection(Number(port), hostname);
const parser = new Parser();
const errors = [];
const values = [];
let ready = 0;

socket.on("data", (bytes) =>
  parser.parse(bytes, (message) => {
    if (message.name === "error") errors.push(message.code);
    if (message.name === "dataRow") values.push(message.fields[0]);
    if (message.name === "readyForQuery") next(ready++);
  }),
);
socket.on("close", () => process.exit(process.exitCode ?? 3));
socket.write(serialize.startup({ user: username, database: pathname.slice(1), client_encoding: "UTF8" }));

function next(step) {
  if (step === 0) {
    const messages = statements.flatMap((text) => [serialize.parse({ text }), serialize.bind(), serialize.execute()]);
    socket.write(Buffer.concat([...messages, serialize.sync()]));
  } else if (step === 1) {
    socket.write(serialize.query("SELECT 1"));
  } else {
    console.log(JSON.stringify({ errors, after: String(values.at(-1)) }));
    process.exitCode = 0;
    socket.end(serialize.end());
  }
}
