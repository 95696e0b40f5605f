/**
 * One side of a session as bytes in and bytes out: a TCP socket that can become TLS. Reads land in one
 * static buffer per wire, so bytes handed on are views that are valid during the call only. Judges nothing.
 *
 * A socket of the runtime owns the descriptor: it dials, does TLS, waits for a congested peer, ends and closes. While it is
 * plain, its bytes go past it (kernel/receiver.ts, kernel/sender.ts).
 */
import { Socket, connect as tcpConnect } from "node:net";
import { type ConnectionOptions, TLSSocket, type TLSSocketOptions, connect as tlsConnect } from "node:tls";
import { READ_BYTES, READ_BYTES_MIN, TURN_MS_MAX } from "../base/limits.ts";
import { Reading } from "../kernel/receiver.ts";
import { sendSoon, sendWaiting, type Writer } from "../kernel/sender.ts";

export interface WireEvents {
  /** So many bytes of the same memory as `room` says stand before them and are free to be written over. */
  bytes(bytes: Uint8Array, room: number): void;
  /** The peer will send no more; `error` is set when the connection broke. Called once. */
  ended(error: Error | undefined): void;
  /** Everything written has left. */
  drained(): void;
}

export class Wire implements Writer {
  #socket: Socket;
  /** Beneath TLS; destroyed with it. */
  readonly #raw: Socket;
  #events: WireEvents | undefined;
  #buffer = readBuffer(READ_BYTES_MIN);
  #ended = false;
  #wanted = false;
  /** At once: more where much comes, less where bytes are much work; who says little holds little memory. */
  #readBytes = READ_BYTES_MIN;
  /** Reads again in the next turn. */
  #yields = false;
  /** Set by the driver: whether any wire of the session still holds unsent views. */
  busyElsewhere: () => boolean = () => false;

  /** Of what is read past the socket; undefined: not wanted, or TLS, or the rest is the socket's. */
  #reading: Reading | undefined;
  /** Reads are over: the socket finds out how. */
  #hasReadAll = false;
  #fd = -1;

  private constructor(socket: Socket) {
    this.#raw = this.#socket = socket;
    socket.pause();
    this.#watch(socket);
  }

  /** Takes over an accepted descriptor. Reading waits for `start`. */
  static accepted(fd: number): Wire {
    const wire = new Wire(new Socket({ fd, allowHalfOpen: true, manualStart: true } as object));
    wire.#fd = fd;
    return wire;
  }

  /** Dials; resolves once TCP stands. Rejects with the errno error, or after `waitMs`. */
  static dial(host: string, port: number, signal: AbortSignal): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const wire = new Wire(tcpConnect({ host, port, allowHalfOpen: true, noDelay: true }));
      const abort = () => {
        wire.destroy();
        reject(new Error(`Cannot reach ${host}:${port} in time`));
      };
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      wire.#raw.once("connect", () => {
        signal.removeEventListener("abort", abort);
        wire.#fd = wire.#handle?.fd ?? -1;
        resolve(wire);
      });
      wire.#raw.once("error", reject);
    });
  }

  /** Hands over the listener of events, also later ones (login, then session), and reads. */
  start(events: WireEvents): void {
    this.#events = events;
    if (this.#ended) events.ended(undefined);
    else this.resume();
  }

  /** The view may be reused by the caller at once: what could not leave now keeps its memory to itself. */
  write(bytes: Uint8Array): void {
    if (!this.#socket.writable) return;
    const rest = this.#sendNow(bytes);
    if (rest.length > 0) this.#socket.write(rest);
  }

  /**
   * Past the stream while nothing waits in it, which saves its request and tick (docs/performance.md has what that
   * is worth). Returns what is left for the stream, which also finds out about errors.
   */
  #sendNow(bytes: Uint8Array): Uint8Array {
    const fd = this.#descriptor;
    if (fd < 0 || this.#socket.writableLength > 0) return bytes;
    const sent = sendSoon(fd, bytes, this);
    return sent === bytes.length ? NOTHING : bytes.subarray(sent);
  }

  /** Of what waited for the end of a round: the kernel did not take it. */
  unsent(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Of plain TCP that is open; -1 otherwise. A closed number belongs to somebody else. */
  get #descriptor(): number {
    return this.#socket === this.#raw && this.#handle !== null ? this.#fd : -1;
  }

  /** Null once the socket is destroyed, at once. */
  get #handle(): { readonly fd: number } | null {
    return (this.#raw as unknown as { _handle: { fd: number } | null })._handle;
  }

  /** Written bytes that the kernel has not taken yet. */
  get backlog(): number {
    return this.#socket.writableLength;
  }

  /** More waits than a slow peer is granted: do not read for it until `drained`. */
  get congested(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** The descriptor, for somebody else to read and write until `resume`. Undefined: TLS, an end, or something waits here. */
  lend(): number | undefined {
    sendWaiting();
    const fd = this.#descriptor;
    const isBusy = this.#yields || this.congested || this.#socket.writableLength > 0; // "drained" may be still to come
    if (fd < 0 || this.#ended || isBusy) return undefined;
    this.pause();
    return fd;
  }

  pause(): void {
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#stopReading();
  }

  resume(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    if (!this.#yields) this.#read();
  }

  #read(): void {
    const fd = this.#hasReadAll ? -1 : this.#descriptor;
    if (fd < 0) {
      this.#socket.resume();
      return;
    }
    try {
      this.#reading = new Reading(fd, this.#nextBuffer(), (count, error) => this.#received(count, error));
    } catch (error) {
      this.#over(error as Error); // the kernel watches no more sockets: that ends this one, and nobody else's
    }
  }

  /** Before the descriptor is closed or somebody else's, too: its number may be another socket's then. */
  #stopReading(): void {
    if (this.#reading === undefined) this.#socket.pause();
    this.#reading?.stop();
    this.#reading = undefined;
  }

  #received(count: number, error: Error | undefined): void {
    if (count === 0) {
      this.#reading = undefined;
      this.#hasReadAll = true;
      if (error !== undefined) this.#over(error); // the kernel says it once
      this.#socket.resume(); // it reads the same end, and tells of it
      return;
    }
    this.#hear(this.#buffer.subarray(0, count), this.#buffer.byteOffset);
    const buffer = this.#buffer;
    if (this.#reading !== undefined && this.#nextBuffer() !== buffer) this.#reading.into(this.#buffer);
  }

  /** Whoever was long at work reads less, and not before others had their turn. */
  #hear(bytes: Uint8Array, room: number): void {
    const beganMs = performance.now();
    this.#events?.bytes(bytes, room);
    const isLong = performance.now() - beganMs > TURN_MS_MAX;
    const isFull = bytes.length >= this.#readBytes;
    if (isLong || bytes.length * MUCH_TOO_LARGE < this.#readBytes) {
      this.#readBytes = Math.max(READ_BYTES_MIN, this.#readBytes / 2);
    } else if (isFull) this.#readBytes = Math.min(READ_BYTES, this.#readBytes * 2);
    if (!isLong || !this.#wanted || this.#yields) return;
    this.#yields = true;
    this.#stopReading();
    setImmediate(() => {
      this.#yields = false;
      if (this.#wanted) this.#read();
    });
  }

  /** Becomes a TLS server; `unread` are handshake bytes that were already read. Resolves when the peer finished. */
  secureAsServer(options: TLSSocketOptions, unread: Uint8Array): Promise<void> {
    sendWaiting();
    this.#stopReading();
    if (unread.length > 0) this.#socket.unshift(Buffer.from(unread));
    return this.#become(new TLSSocket(this.#socket, { ...options, isServer: true }), "secure");
  }

  /** Becomes a TLS client; rejects when the peer cannot prove who it is. Resolves with its certificate (DER). */
  async secureAsClient(options: ConnectionOptions): Promise<Uint8Array> {
    await new Promise(setImmediate); // not from inside a read of the socket that TLS takes over
    this.#stopReading();
    const secured = tlsConnect({ ...options, socket: this.#socket });
    await this.#become(secured, "secureConnect");
    return secured.getPeerCertificate(false).raw ?? new Uint8Array();
  }

  /** Sends what waits, then ends our side. */
  end(): void {
    sendWaiting();
    this.#socket.end();
  }

  /** As `end`; a peer that has not hung up as well by then is hung up on. */
  hangUp(waitMs: number): void {
    this.end();
    if (this.#raw.closed) return;
    // Not left to its end: it would keep all of a session for so long.
    const timer = setTimeout(() => this.destroy(), waitMs).unref();
    this.#raw.once("close", () => clearTimeout(timer));
  }

  destroy(): void {
    sendWaiting();
    this.#stopReading();
    this.#socket.destroy();
    this.#raw.destroy();
  }

  /**
   * As destroy, but the peer gets a reset, whatever it still meant to say. After `end` it gets one as soon as it
   * speaks: libuv refuses to reset what is shutting down, and would leave it open.
   */
  reset(): void {
    sendWaiting();
    this.#stopReading();
    if (!this.#raw.destroyed && !this.#raw.writableEnded) this.#raw.resetAndDestroy();
    this.destroy();
  }

  #become(secured: TLSSocket, done: "secure" | "secureConnect"): Promise<void> {
    this.#socket = secured;
    secured.on("data", (bytes: Buffer) => this.#hear(bytes, 0));
    this.#watch(secured);
    return new Promise((resolve, reject) => {
      const gone = () => reject(new Error("Cannot finish the TLS handshake: the peer went away"));
      secured.once(done, () => {
        secured.off("end", gone).off("close", gone);
        // whoever waits for the handshake hears of it before it hears what came right behind
        this.#wanted = false;
        secured.pause();
        resolve();
      });
      secured.once("error", reject);
      secured.once("end", gone).once("close", gone);
    });
  }

  #over(error: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopReading();
    this.#events?.ended(error);
  }

  #watch(socket: Socket): void {
    const ended = (error: Error | undefined) => {
      if (socket === this.#socket) this.#over(error);
    };
    socket.on("end", () => ended(undefined));
    socket.on("error", ended);
    socket.on("close", () => ended(undefined));
    socket.on("drain", () => this.#events?.drained());
  }

  /** A buffer from which views still wait to be written elsewhere is left to them. */
  #nextBuffer(): Buffer {
    const isTaken = this.busyElsewhere() || this.#buffer.length !== this.#readBytes;
    if (isTaken) this.#buffer = readBuffer(this.#readBytes);
    return this.#buffer;
  }
}

/** With room before it, so that the beginning of a message that an earlier read has brought can be put in front of its end. */
function readBuffer(readBytes: number): Buffer {
  const room = readBytes / ROOM_SHARE;
  return Buffer.allocUnsafeSlow(room + readBytes).subarray(room);
}

const ROOM_SHARE = 16;

const NOTHING = new Uint8Array();
/** Times what came. */
const MUCH_TOO_LARGE = 16;
