/**
 * Logs in upstream with the real credential. Sees the secret and the server, never the client. Written
 * and read by pg-protocol; whole frames are cut out for it first, so that no server makes it hoard.
 * Refuses every exchange that would show the password, or something as good, to a server that nobody verified.
 */
import { createHash } from "node:crypto";
import { serialize } from "pg-protocol";
import type {
  AuthenticationMD5Password,
  BackendMessage,
  DatabaseError,
  ReadyForQueryMessage,
} from "pg-protocol/dist/messages.js";
import { Parser } from "pg-protocol/dist/parser.js";
import { codeOf, messageOf, ProtocolError } from "../../base/errors.ts";
import { LOGIN_BYTES_MAX } from "../../base/limits.ts";
import type { LoginWorld } from "../../model/protocol.ts";
import type { Credential, LoginCommand, LoginEvent, LoginMachine } from "../../model/upstream.ts";
import { BodyReader, frameBytes, HEADER_BYTES, Inlet } from "./codec.ts";
import { readFields } from "./errors.ts";
import { type Greeting, withoutSecret } from "./greeting.ts";
import { PROTOCOL_3_0, SERVER, startup } from "./messages.ts";
import { chooseScram, preparedPassword, Scram } from "./scram.ts";
import type { LoginRequest } from "./startup.ts";

/** No message of a login is long. */
const LOGIN_FRAME_BYTES_MAX = 64 * 1024;
const ACCEPTED = 0x53;
/** Of protocol 3: what more it brings than longer cancel keys is not spoken here. */
const MINOR_MAX = 2;

export class PostgresLogin implements LoginMachine {
  readonly #request: LoginRequest;
  readonly #world: LoginWorld;
  readonly #inlet = new Inlet();
  readonly #parser = new Parser();
  readonly #parameters: (readonly [string, string])[] = [];
  #received = 0;
  #phase: "encrypting" | "securing" | "talking" | "over" = "encrypting";
  #certificate: Uint8Array | undefined;
  #scram: Scram | undefined;
  #isAuthenticated = false;
  /** The key for the proof is being derived: the server has nothing to say meanwhile. */
  #isDeriving = false;
  #cancel: Uint8Array | undefined;
  readonly #said: Buffer[] = [];
  #minor: number;
  #hasNegotiated = false;

  constructor(request: LoginRequest, world: LoginWorld) {
    this.#request = request;
    this.#minor = Math.min(request.minor ?? 0, MINOR_MAX);
    this.#world = world;
  }

  handle(event: LoginEvent): readonly LoginCommand[] {
    if (this.#phase === "over") return [];
    try {
      const commands = this.#take(event);
      this.#inlet.keep();
      return commands;
    } catch (error) {
      this.#phase = "over";
      const code = error instanceof ProtocolError ? codeOf(error) : "UPSTREAM_PROTOCOL";
      const message =
        error instanceof ProtocolError ? messageOf(error) : "Cannot log in: the server's answer is not understood";
      return [{ kind: "failed", code, message }];
    }
  }

  #take(event: LoginEvent): readonly LoginCommand[] {
    switch (event.kind) {
      case "start":
        if (this.#world.tls.mode !== "disable") return [{ kind: "toServer", bytes: serialize.requestSsl() }];
        return [this.#startup()];
      case "secured":
        this.#certificate = Uint8Array.from(event.certificate);
        return [this.#startup()];
      case "derived":
        if (!this.#isDeriving || this.#scram === undefined) throw outOfTurn();
        this.#isDeriving = false;
        return [toServer(serialize.sendSCRAMClientFinalMessage(this.#scram.final(event.key)))];
      case "server":
        if (this.#isDeriving) throw outOfTurn();
        this.#received += event.bytes.length;
        if (this.#received > LOGIN_BYTES_MAX) {
          throw new ProtocolError(
            "UPSTREAM_PROTOCOL",
            `Cannot log in: the server sent more than ${LOGIN_BYTES_MAX} bytes`,
          );
        }
        this.#inlet.add(event.bytes);
        return this.#phase === "encrypting" ? this.#encrypt() : this.#talk();
      default:
        return event satisfies never;
    }
  }

  /** One byte answers an SSLRequest; anything more would have been said in the clear. */
  #encrypt(): readonly LoginCommand[] {
    const [answer] = this.#inlet.bytes.subarray(this.#inlet.at);
    if (answer !== ACCEPTED) throw new ProtocolError("UPSTREAM_TLS_REFUSED", "Cannot log in: the server refuses TLS");
    if (this.#inlet.unread > 1) {
      throw new ProtocolError("UPSTREAM_TLS_REFUSED", "Cannot log in: the server spoke in the clear before TLS");
    }
    this.#inlet.clear();
    this.#phase = "securing";
    return [{ kind: "secure" }];
  }

  #startup(): LoginCommand {
    this.#phase = "talking";
    const { database, parameters } = this.#request;
    const { client_encoding: encoding = "UTF8", ...others } = parameters;
    const wanted = { user: this.#credential().user, database, ...others };
    // pg-protocol always asks for UTF8, by protocol 3.0.
    const bytes =
      this.#minor === 0 && /utf|unicode/i.test(encoding)
        ? serialize.startup(wanted)
        : startup(this.#minor, Object.entries({ ...wanted, client_encoding: encoding }));
    return { kind: "toServer", bytes };
  }

  #talk(): readonly LoginCommand[] {
    if (this.#phase === "securing") {
      throw new ProtocolError("UPSTREAM_TLS_REFUSED", "Cannot log in: the server spoke in the clear before TLS");
    }
    const inlet = this.#inlet;
    const commands: LoginCommand[] = [];
    while (inlet.unread > 0) {
      const length = frameBytes(inlet.bytes, inlet.at, inlet.end, LOGIN_FRAME_BYTES_MAX);
      if (length === undefined || length > inlet.unread) break;
      const frame = Buffer.from(inlet.bytes.subarray(inlet.at, inlet.at + length));
      inlet.at += length;
      if (frame[0] === SERVER.backendKeyData) this.#cancel = frame.subarray(HEADER_BYTES);
      // Without an end to its fields, pg-protocol would look for it for ever.
      if (frame[0] === SERVER.error || frame[0] === SERVER.notice) readFields(frame, HEADER_BYTES, frame.length);
      if (frame[0] === SERVER.negotiate) {
        this.#negotiate(new BodyReader(frame, HEADER_BYTES, frame.length));
        continue;
      }
      if (this.#isAuthenticated) this.#hear(frame);
      if (frame[0] === SERVER.parameterStatus) {
        this.#parameter(new BodyReader(frame, HEADER_BYTES, frame.length));
        continue;
      }
      let answer: LoginCommand | undefined;
      this.#parser.parse(frame, (message) => {
        answer = this.#message(message);
      });
      if (answer === undefined) continue;
      commands.push(answer);
      if (answer.kind === "done") break;
      if (this.#isDeriving && inlet.unread > 0) throw outOfTurn();
    }
    return commands;
  }

  /** The answer to a startup that asked for more than the server speaks. */
  #negotiate(body: BodyReader): void {
    const minor = body.int32() - PROTOCOL_3_0;
    const isLess = minor >= 0 && minor < this.#minor;
    // Of what else can be asked for we ask nothing.
    if (!isLess || this.#hasNegotiated || this.#isAuthenticated || body.int32() !== 0) throw outOfTurn();
    body.done();
    this.#hasNegotiated = true;
    this.#minor = minor;
  }

  /** A login has a dozen of them. */
  #parameter(body: BodyReader): void {
    this.#parameters.push([body.text(), body.text()]);
    body.done();
  }

  /** What the client is to hear as well. */
  #hear(frame: Buffer): void {
    if (frame[0] === SERVER.backendKeyData) this.#said.push(withoutSecret(frame));
    if (frame[0] === SERVER.parameterStatus || frame[0] === SERVER.notice) this.#said.push(frame);
  }

  #message(message: BackendMessage): LoginCommand | undefined {
    switch (message.name) {
      case "authenticationOk":
        // A server that skips the proof learns nothing; one that breaks it off is not who it claims to be.
        if (this.#scram !== undefined && !this.#scram.isVerified) {
          throw new ProtocolError("UPSTREAM_SCRAM", "Cannot log in: the server broke off the proof of the password");
        }
        this.#isAuthenticated = true;
        return undefined;
      case "authenticationSASL":
        return this.#beginScram((message as SaslMessage).mechanisms ?? []);
      case "authenticationSASLContinue": {
        if (this.#scram === undefined) throw outOfTurn();
        this.#isDeriving = true;
        return { kind: "derive", ...this.#scram.challenge((message as SaslMessage).data ?? "") };
      }
      case "authenticationSASLFinal":
        if (this.#scram === undefined) throw outOfTurn();
        this.#scram.verify((message as SaslMessage).data ?? "");
        return undefined;
      case "authenticationMD5Password":
        return toServer(serialize.password(this.#md5((message as AuthenticationMD5Password).salt)));
      case "authenticationCleartextPassword":
        return toServer(serialize.password(this.#weak("its password in the clear").toString()));
      case "backendKeyData":
      case "notice":
        return undefined;
      case "error": {
        const { code, message: text } = message as DatabaseError;
        this.#phase = "over";
        return { kind: "failed", code: code ?? "UPSTREAM_PROTOCOL", message: text };
      }
      case "readyForQuery":
        return this.#done((message as ReadyForQueryMessage).status);
      default:
        throw outOfTurn();
    }
  }

  #done(status: string): LoginCommand {
    if (!this.#isAuthenticated) throw outOfTurn();
    this.#phase = "over";
    const inlet = this.#inlet;
    const unread = Buffer.from(inlet.bytes.subarray(inlet.at, inlet.end));
    inlet.clear();
    const greeting: Greeting = { parameters: this.#parameters, said: this.#said, status, minor: this.#minor };
    return this.#cancel === undefined
      ? { kind: "done", greeting, unread }
      : { kind: "done", greeting, unread, cancel: this.#cancel };
  }

  #beginScram(offered: readonly string[]): LoginCommand {
    const choice = chooseScram(offered, this.#certificate);
    if (choice === undefined) {
      throw new ProtocolError("UPSTREAM_AUTH", "Cannot log in: the server offers no kind of SASL that is known");
    }
    if (this.#scram !== undefined || this.#isAuthenticated) throw outOfTurn();
    this.#scram = new Scram(choice, preparedPassword(this.#password()), this.#world.nonce);
    return toServer(serialize.sendSASLInitialResponseMessage(choice.mechanism, this.#scram.first()));
  }

  #md5(salt: Uint8Array): string {
    const inner = createHash("md5").update(this.#weak("an md5 password")).update(this.#credential().user).digest("hex");
    return `md5${createHash("md5").update(inner).update(salt).digest("hex")}`;
  }

  /** The password for an exchange that gives it away, which only a verified server may see. */
  #weak(what: string): Buffer {
    if (this.#isAuthenticated || this.#scram !== undefined) throw outOfTurn();
    if (this.#world.tls.mode !== "verify-full" || this.#certificate === undefined) {
      throw new ProtocolError("UPSTREAM_AUTH_WEAK", `Cannot log in: the server asks for ${what} without verified TLS`);
    }
    return Buffer.from(this.#password());
  }

  #password(): Uint8Array {
    const { password } = this.#credential();
    if (password === undefined) {
      throw new ProtocolError("UPSTREAM_AUTH", "Cannot log in: the server asks for a password and there is none");
    }
    return password;
  }

  #credential(): Credential {
    const { credential } = this.#world;
    if (credential === undefined) throw new ProtocolError("UPSTREAM_AUTH", "Cannot log in: there is no credential");
    return credential;
  }
}

interface SaslMessage extends BackendMessage {
  readonly mechanisms?: readonly string[];
  readonly data?: string;
}

function toServer(bytes: Uint8Array): LoginCommand {
  return { kind: "toServer", bytes };
}

function outOfTurn(): ProtocolError {
  return new ProtocolError("UPSTREAM_PROTOCOL", "Cannot log in: the server sent a message out of turn");
}
