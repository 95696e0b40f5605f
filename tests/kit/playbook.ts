/** A session's test as a script: what it gets, and what it must do then. Commands are compared by their meaning. */
import assert from "node:assert/strict";
import { mintPermit } from "../../src/model/permit.ts";
import type { AnswerEntry, LookAnswer, Session, SessionCommand, SessionEvent, Side } from "../../src/model/session.ts";

/** A command as a test writes it: bytes as text, a permit as a word. */
export type Expected = Readonly<Record<string, unknown>>;

export class Playbook {
  readonly #session: Session;
  #done: Expected[] = [];

  constructor(session: Session) {
    this.#session = session;
  }

  /** Fails when the answer to an earlier event was not claimed by `does`. */
  gets(...events: readonly SessionEvent[]): this {
    for (const event of events) {
      this.rests();
      this.#done = this.#session.handle(event).map(describe);
    }
    return this;
  }

  /** Adjacent bytes to the client count as one command. */
  does(...commands: readonly Expected[]): this {
    const done = joined(this.#done);
    assert.deepEqual(done.slice(0, commands.length), joined(commands));
    this.#done = done.slice(commands.length);
    return this;
  }

  rests(): this {
    assert.deepEqual(this.#done, []);
    return this;
  }
}

function describe(command: SessionCommand): Expected {
  switch (command.kind) {
    case "toClient":
      return toClient(command.bytes);
    case "ask": {
      const asked = command.asked.map(({ operation, text, parameters }) => {
        const names = operation.forbidden?.rule ?? operation.actions.map(({ name }) => name).join(" ");
        return parameters === undefined ? [names, text] : [names, text, parameters];
      });
      return { kind: "ask", id: command.id, asked, bytes: latin1(command.bytes) };
    }
    case "forward":
      return forward(command.id);
    case "login":
      return login(command.id, command.request);
    case "secure":
      return { ...command, unread: latin1(command.unread) };
    case "cancel":
      return { kind: "cancel", key: latin1(command.key) };
    default:
      return { ...command };
  }
}

function joined(commands: readonly Expected[]): Expected[] {
  const out: Expected[] = [];
  for (const command of commands) {
    const last = out.at(-1);
    if (command["kind"] === "toClient" && last?.["kind"] === "toClient") {
      out[out.length - 1] = { kind: "toClient", bytes: `${last["bytes"]}${command["bytes"]}` };
    } else out.push(command);
  }
  return out;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

export const start: SessionEvent = { kind: "start" };
export const fromClient = (...bytes: readonly Uint8Array[]): SessionEvent => ({
  kind: "client",
  bytes: Buffer.concat(bytes),
});
export const fromServer = (...bytes: readonly Uint8Array[]): SessionEvent => ({
  kind: "server",
  bytes: Buffer.concat(bytes),
});
export const allow = (id: number, policy = "p1"): SessionEvent => ({
  kind: "verdict",
  id,
  decision: { kind: "allow", permit: mintPermit("s1", id, new Uint8Array()), rules: [], policy },
});
/** Allowed, and counted towards a limit. */
export const allowLimited = (id: number): SessionEvent => {
  const limits = [{ terms: { rule: "few", rows: 1 }, operations: 1, isShadow: false }];
  const permit = mintPermit("s1", id, new Uint8Array());
  return { kind: "verdict", id, decision: { kind: "allow", permit, rules: [], policy: "p1", limits } };
};
export const deny = (id: number, rule: string, message = `refused by ${rule}`): SessionEvent => ({
  kind: "verdict",
  id,
  decision: { kind: "deny", rules: [rule], message, policy: "p1" },
});
export const facts = (id: number, answer: LookAnswer): SessionEvent => ({ kind: "facts", id, answer });
export const loggedIn = (greeting: unknown): SessionEvent => ({ kind: "loggedIn", greeting });
export const ended = (side: Side): SessionEvent => ({ kind: "ended", side });
export const stop = (reason: string): SessionEvent => ({ kind: "stop", reason });

export const toClient = (...bytes: readonly Uint8Array[]): Expected => ({
  kind: "toClient",
  bytes: latin1(Buffer.concat(bytes)),
});
/** `asked`: the action names (or the rule that forbids), the text, and the parameters of each. */
export const ask = (id: number, asked: readonly (readonly unknown[])[], ...bytes: readonly Uint8Array[]): Expected => ({
  kind: "ask",
  id,
  asked,
  bytes: latin1(Buffer.concat(bytes)),
});
export const forward = (id: number): Expected => ({ kind: "forward", id });
export const login = (id: number, request: unknown): Expected => ({ kind: "login", id, request });
export const look = (id: number, question: unknown): Expected => ({ kind: "look", id, question });
export const close = (reason: string, fault?: string): Expected =>
  fault === undefined ? { kind: "close", reason } : { kind: "close", reason, fault };

export interface NoteOptions {
  readonly rows?: number;
  readonly bytes?: number;
  readonly masks?: readonly unknown[];
  readonly shown?: AnswerEntry["shown"];
  readonly outcome?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

export const note = (askId: number, options: NoteOptions = {}): Expected => {
  const { rows = 0, bytes = 0, masks = [], shown, outcome = "", error } = options;
  const entry = { askId, rows, bytes, masks, ...(shown === undefined ? {} : { shown }), outcome };
  return { kind: "note", entry: error === undefined ? entry : { ...entry, error } };
};
