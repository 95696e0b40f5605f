// One flow of an agent: sends and counts what it gets, a byte a millisecond each way, until the flow breaks or it is told
// to end. Arguments: tcp|udp HOST PORT. Prints "open" once something came back, and at its end one JSON line with the
// moment of the last byte that it got (milliseconds since the epoch) and how the flow ended.
import { createSocket } from "node:dgram";
import { connect } from "node:net";

const [kind, host, port] = process.argv.slice(2);
const now = () => performance.timeOrigin + performance.now();
let lastMs = 0;
let opened = false;
let over = false;

function got() {
  lastMs = now();
  if (!opened) process.stdout.write("open\n");
  opened = true;
}

function end(why) {
  if (over) return;
  over = true;
  process.stdout.write(`${JSON.stringify({ lastMs, why })}\n`);
  process.exit(0);
}

process.stdin.on("end", () => end("asked")).resume();
setTimeout(() => end("time"), 120_000);
if (kind === "tcp") {
  const socket = connect(Number(port), host);
  socket.on("data", got);
  socket.on("error", (error) => end(error.code));
  socket.on("close", () => end("closed"));
  setInterval(() => socket.write("x"), 1);
} else {
  const socket = createSocket("udp4");
  socket.on("message", got);
  socket.on("error", (error) => end(error.code));
  setInterval(() => socket.send("x", Number(port), host, (error) => error && end(error.code)), 1);
}
