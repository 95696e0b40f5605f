/**
 * A connection of a protocol that nobody here understands: allowed or denied as a whole, its bytes
 * counted, nothing masked. Each side may end its half for itself, as TCP has it.
 */
import { ProtocolError } from "../../base/errors.ts";
import { UNSENT_BYTES_MAX } from "../../base/limits.ts";
import type { Asked, Operation } from "../../model/operation.ts";
import type { Session, SessionCommand, SessionEvent, Side } from "../../model/session.ts";

const CONNECT: readonly Asked[] = [
  { operation: Object.freeze({ actions: [{ name: "connect", facts: { database: "", user: "" } }] }), text: "connect" },
];
const HOUSEKEEPING: Operation = Object.freeze({ actions: [] });
const BYTES: readonly Asked[] = Object.freeze([Object.freeze({ operation: HOUSEKEEPING, text: "bytes" })]);
const CONNECT_ID = 1;

export class OpaqueSession implements Session {
  #phase: "connecting" | "open" | "closed" = "connecting";
  #lastId = CONNECT_ID;
  /** What the client sent before the server was reached, or while a verdict is awaited. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #isAsking = false;
  #received = 0;
  #ended: Side | undefined;

  handle(event: SessionEvent): readonly SessionCommand[] {
    if (this.#phase === "closed") return [];
    switch (event.kind) {
      case "start":
        return [{ kind: "ask", id: CONNECT_ID, asked: CONNECT, bytes: new Uint8Array() }];
      case "verdict":
        return this.#verdict(event);
      case "loggedIn":
        this.#phase = "open";
        return this.#sendEarly();
      case "loginFailed":
        return this.#close(event.message);
      case "client":
        if (this.#phase === "open" && !this.#isAsking && this.#early.length === 0) return [this.#ask(event.bytes)];
        return this.#keep(event.bytes);
      case "server":
        this.#received += event.bytes.length;
        return [{ kind: "toClient", bytes: event.bytes }];
      case "stop":
        return this.#close(event.reason);
      case "ended":
        return this.#end(event.side);
      case "drain": // nobody here can tell when its bytes mean that it rests
      case "held": // its client could not tell a notice from an answer
      case "facts":
      case "relayed": // it never rests
      case "changed":
      case "secured":
        return [];
      default:
        return event satisfies never;
    }
  }

  #verdict({ id, decision }: Extract<SessionEvent, { kind: "verdict" }>): readonly SessionCommand[] {
    if (id !== this.#lastId) throw new Error(`Cannot take the verdict of ask ${id}`);
    if (decision.kind === "deny") return this.#close("refused by policy");
    if (id === CONNECT_ID) return [{ kind: "login", id, permit: decision.permit, request: undefined }];
    this.#isAsking = false;
    return [{ kind: "forward", id, permit: decision.permit }, ...this.#sendEarly()];
  }

  #sendEarly(): readonly SessionCommand[] {
    const early = this.#early;
    this.#early = [];
    this.#earlyBytes = 0;
    if (early.length > 0) return [this.#ask(Buffer.concat(early))];
    return this.#ended === "client" ? [{ kind: "shut", side: "server" }] : [];
  }

  #ask(bytes: Uint8Array): SessionCommand {
    this.#isAsking = true;
    return { kind: "ask", id: ++this.#lastId, asked: BYTES, bytes };
  }

  #keep(bytes: Uint8Array): readonly SessionCommand[] {
    this.#earlyBytes += bytes.length;
    if (this.#earlyBytes > UNSENT_BYTES_MAX) {
      const error = new ProtocolError("UNREAD_BYTES", "Cannot hold what the client sends before it may be sent on");
      return this.#close(error.message, error.code);
    }
    this.#early.push(Uint8Array.from(bytes));
    return [];
  }

  #end(side: Side): readonly SessionCommand[] {
    if (this.#ended !== undefined && this.#ended !== side) return this.#close("both sides have ended");
    this.#ended = side;
    if (this.#phase === "connecting") return side === "client" ? [] : this.#close("the server has gone");
    if (side === "server") return [{ kind: "shut", side: "client" }];
    return this.#isAsking ? [] : [{ kind: "shut", side: "server" }];
  }

  #close(reason: string, fault?: string): readonly SessionCommand[] {
    const wasOpen = this.#phase === "open";
    this.#phase = "closed";
    this.#early = [];
    const commands: SessionCommand[] = [];
    if (wasOpen) {
      const entry = { askId: CONNECT_ID, rows: 0, bytes: this.#received, masks: [], outcome: "" };
      commands.push({ kind: "note", entry });
    }
    commands.push(fault === undefined ? { kind: "close", reason } : { kind: "close", reason, fault });
    return commands;
  }
}
