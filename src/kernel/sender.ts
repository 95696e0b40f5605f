/**
 * Plain sockets of the process, written without the streams of the runtime. While a round of reads is handled, short messages
 * wait for its end and then go to the kernel one after the other: each send wakes a peer that takes the core at once, and
 * amid the round the next message would find a cold cache (docs/performance.md has what that is worth). Nothing waits longer;
 * a round goes on in a later turn where somebody is long at work.
 */
import { send, sendAll } from "ebpf-loader";
import { ROUND_MESSAGE_BYTES_MAX, ROUND_MESSAGES_MAX } from "../base/limits.ts";

export interface Writer {
  /** Of what waited: the kernel has no room for these bytes, or nobody takes them any more. They are the writer's own. */
  unsent(bytes: Uint8Array): void;
}

const bytesWaiting = Buffer.allocUnsafeSlow(ROUND_MESSAGES_MAX * ROUND_MESSAGE_BYTES_MAX);
/** Of each message: its descriptor, its bytes, and afterwards how many of them left. */
const rows = new Uint32Array(3 * ROUND_MESSAGES_MAX);
const writers: Writer[] = [];
let used = 0;
let isRound = false;

/** Handles a round of reads. What throws ends it; what waits goes all the same. */
export function duringRound(read: () => void): void {
  isRound = true;
  try {
    read();
  } finally {
    isRound = false;
    sendWaiting();
  }
}

/** How many of `bytes`, which may be reused, are nobody's concern any more. 0: nothing could leave, for whatever reason. */
export function sendSoon(fd: number, bytes: Uint8Array, writer: Writer): number {
  const isNow = !isRound || bytes.length > ROUND_MESSAGE_BYTES_MAX;
  const isFull = writers.length === ROUND_MESSAGES_MAX;
  // Where some of its own did not leave, these would overtake them: the peer may have made room since then.
  if ((isNow || isFull) && !sendWaiting(writer)) return 0;
  if (isNow) return send(fd, bytes);
  const at = writers.push(writer) - 1;
  rows[3 * at] = fd;
  rows[3 * at + 1] = bytes.length;
  bytesWaiting.set(bytes, used);
  used += bytes.length;
  return bytes.length;
}

/** Before a descriptor is closed, or anybody else writes to it. False: some bytes of `about` are its own again. */
export function sendWaiting(about?: Writer): boolean {
  if (writers.length === 0) return true;
  sendAll(bytesWaiting, rows, writers.length);
  const unsent: [Writer, Buffer][] = [];
  let start = 0;
  writers.forEach((writer, at) => {
    const size = rows[3 * at + 1] as number;
    const sent = rows[3 * at + 2] as number;
    if (sent < size) unsent.push([writer, Buffer.from(bytesWaiting.subarray(start + sent, start + size))]);
    start += size;
  });
  writers.length = 0;
  used = 0;
  for (const [writer, bytes] of unsent) writer.unsent(bytes);
  return unsent.every(([writer]) => writer !== about);
}
