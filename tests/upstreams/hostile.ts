/**
 * A server that logs clients in as PostgreSQL does and then does what its script says: be silent, lie, hang up.
 * Keeps what it heard, so that a test can tell what reached it. Listens on loopback only.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { type SecureContextOptions, TLSSocket } from "node:tls";
import { type ReadMessage, server } from "../kit/wire.ts";
import { ScramServer, type ScramTricks } from "./scram-server.ts";

/** What a script does with one connection. It may return whenever it likes: the connection stays. */
export type Serve = (visit: Visit) => Promise<void>;

export interface HostileOptions {
  /** The password that it really knows. */
  readonly password: string;
  readonly certificate: SecureContextOptions;
}

/** Kept of what one connection said; the rest is counted. */
const HEARD_BYTES_MAX = 256 * 1024;
const SSL_REQUEST = 80_877_103;

/** The peer has gone amid a script: nothing that a script need care about. */
class Gone extends Error {}

export class HostileServer {
  readonly port: number;
  readonly visits: Visit[] = [];
  readonly #server: Server;

  private constructor(listening: Server, serve: Serve, options: HostileOptions) {
    this.#server = listening;
    this.port = (listening.address() as AddressInfo).port;
    listening.on("connection", (socket) => {
      const visit = new Visit(socket, options);
      this.visits.push(visit);
      serve(visit).catch((error: unknown) => {
        if (!(error instanceof Gone)) visit.mistake ??= error;
      });
    });
  }

  static async listen(serve: Serve, options: HostileOptions): Promise<HostileServer> {
    const listening = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, "127.0.0.1");
    await once(listening, "listening");
    return new HostileServer(listening, serve, options);
  }

  close(): void {
    for (const visit of this.visits) visit.reset();
    this.#server.close();
  }
}

/** One connection as its script sees it. */
export class Visit {
  readonly #raw: Socket;
  readonly #options: HostileOptions;
  #socket: Socket;
  #unread: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};
  #ended = false;
  #scram: ScramServer | undefined;
  readonly #heard: Buffer[] = [];
  /** Bytes that it was sent, beneath nothing: after TLS. */
  heardBytes = 0;
  /** Of the startup message. */
  parameters: Readonly<Record<string, string>> = {};
  /** Messages since the startup: type and body, as far as the script has taken them. */
  readonly messages: ReadMessage[] = [];
  /** The script itself failed, which no row may do. */
  mistake: unknown;

  constructor(socket: Socket, options: HostileOptions) {
    this.#raw = this.#socket = socket;
    this.#options = options;
    this.#listen(socket);
  }

  /** What it was sent, in the clear, as far as it is kept. */
  get heard(): Buffer {
    return Buffer.concat(this.#heard);
  }

  /** A login of Sallyport's own, which asks for the catalog. */
  get isLookup(): boolean {
    return this.parameters["application_name"] === "sallyport";
  }

  /** Reads the first packet; with `tls` the request for it first, which is granted. */
  async startup(tls?: SecureContextOptions | "granted"): Promise<void> {
    if (tls !== undefined) await this.secure(tls === "granted" ? this.#options.certificate : tls);
    const [, body] = await this.packet();
    const texts = body.subarray(4).toString().split("\0");
    const pairs: [string, string][] = [];
    for (let at = 0; at + 1 < texts.length && texts[at] !== ""; at += 2)
      pairs.push([texts[at] ?? "", texts[at + 1] ?? ""]);
    this.parameters = Object.fromEntries(pairs);
  }

  async sslRequest(): Promise<void> {
    const [code] = await this.packet();
    if (code !== SSL_REQUEST) throw new Error("The client did not ask for TLS");
  }

  async secure(certificate: SecureContextOptions): Promise<void> {
    await this.sslRequest();
    await this.send(Buffer.from("S"));
    this.#raw.removeAllListeners("data");
    const secured = new TLSSocket(this.#raw, { isServer: true, ...certificate });
    this.#socket = secured;
    this.#listen(secured);
  }

  /** Up to the server's last word in SCRAM; AuthenticationOk is still to come. */
  async scram(tricks: ScramTricks = {}): Promise<void> {
    await this.scramBegin();
    await this.send(server.saslContinue(this.scramFirst(tricks)));
    await this.scramEnd(tricks);
  }

  /** Offers SCRAM and hears the client's first message of it. */
  async scramBegin(): Promise<void> {
    await this.send(server.sasl("SCRAM-SHA-256"));
    const { body } = await this.hear("p");
    const data = body.subarray(body.indexOf(0) + 5).toString();
    this.#scram = new ScramServer(this.#options.password, data);
  }

  scramFirst(tricks: ScramTricks = {}): string {
    return this.#talk().first(tricks);
  }

  async scramEnd(tricks: ScramTricks = {}): Promise<void> {
    const { body } = await this.hear("p");
    await this.send(server.saslFinal(this.#talk().final(body.toString(), tricks)));
  }

  #talk(): ScramServer {
    if (this.#scram === undefined) throw new Error("SCRAM has not begun");
    return this.#scram;
  }

  /** All that a server says once the client has proven itself. */
  async greet(): Promise<void> {
    await this.send(
      Buffer.concat([
        server.authenticationOk(),
        server.parameter("server_version", "15.0"),
        server.parameter("client_encoding", "UTF8"),
        server.parameter("standard_conforming_strings", "on"),
        server.keyData(Buffer.from("pid.key.")),
        server.ready(),
      ]),
    );
  }

  /** A whole correct login. */
  async login(tls?: "granted"): Promise<void> {
    await this.startup(tls);
    await this.scram();
    await this.greet();
  }

  /** Waits for a message of that type; what comes before it is taken and kept. */
  async hear(type: string): Promise<ReadMessage> {
    for (;;) {
      const message = await this.message();
      if (message.type === type) return message;
    }
  }

  async message(): Promise<ReadMessage> {
    const header = await this.#take(5);
    const body = await this.#take(header.readInt32BE(1) - 4);
    const message = { type: header.toString("latin1", 0, 1), body };
    this.messages.push(message);
    return message;
  }

  /** A packet without a type: its code and its body, code included. */
  async packet(): Promise<[code: number, body: Buffer]> {
    const length = (await this.#take(4)).readInt32BE(0);
    const body = await this.#take(length - 4);
    return [body.readInt32BE(0), body];
  }

  /** Resolves when the kernel has room again, so that a script can send for ever. */
  async send(...parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      if (this.#ended || this.#socket.destroyed) throw new Gone();
      if (!this.#socket.write(part)) {
        await new Promise<void>((resolve) => {
          const done = () => {
            for (const event of ["drain", "close", "end"]) this.#socket.off(event, done);
            resolve();
          };
          for (const event of ["drain", "close", "end"]) this.#socket.on(event, done);
        });
      }
    }
  }

  /** Byte by byte. */
  async drip(bytes: Uint8Array, everyMs: number): Promise<void> {
    for (const byte of bytes) {
      await this.send(Buffer.of(byte));
      await this.pause(everyMs);
    }
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Sends no more, and goes on reading. */
  fin(): void {
    this.#socket.end();
  }

  reset(): void {
    if (!this.#raw.destroyed) this.#raw.resetAndDestroy();
    this.#socket.destroy();
  }

  /** Reads no more: what the client says stays in the kernel. */
  deafen(): void {
    this.#raw.pause();
  }

  async #take(length: number): Promise<Buffer> {
    while (this.#unread.length < length) {
      if (this.#ended) throw new Gone();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const taken = this.#unread.subarray(0, length);
    this.#unread = this.#unread.subarray(length);
    return taken;
  }

  #listen(socket: Socket): void {
    socket.on("data", (bytes: Buffer) => {
      if (this.heardBytes < HEARD_BYTES_MAX) {
        this.#heard.push(Buffer.from(bytes));
        this.#unread = Buffer.concat([this.#unread, bytes]);
      }
      this.heardBytes += bytes.length;
      this.#wake();
    });
    socket.on("error", () => {});
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    socket.on("end", end).on("close", end);
  }
}
