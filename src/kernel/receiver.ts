/** Plain sockets of the process, read without the streams of the runtime. What that saves: docs/performance.md. */
import { getSystemErrorName } from "node:util";
import { Receiver } from "ebpf-loader";
import { duringRound } from "./sender.ts";

let receiver: Receiver | undefined;

/** Reads of one socket, from now on until `stop`; the socket stays its owner's. */
export class Reading {
  readonly #receiver: Receiver;
  readonly #id: number;
  #isOver = false;

  /**
   * `received`: so many bytes are in the buffer; 0: it reads no more, since the peer has ended or the connection broke, with
   * an error then.
   */
  constructor(fd: number, buffer: Uint8Array, received: (count: number, error: Error | undefined) => void) {
    receiver ??= new Receiver(duringRound);
    this.#receiver = receiver;
    this.#id = receiver.watch(fd, buffer, (count, errno) => {
      this.#isOver ||= count === 0;
      received(count, errno === 0 ? undefined : brokenBy(errno));
    });
  }

  /** From the next read on. */
  into(buffer: Uint8Array): void {
    if (!this.#isOver) this.#receiver.readInto(this.#id, buffer);
  }

  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#receiver.unwatch(this.#id);
  }
}

/** As a stream would say it. */
function brokenBy(errno: number): Error {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`read ${code}`), { code, syscall: "read" });
}
