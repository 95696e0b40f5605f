/**
 * One session under test with a driver around it that trusts it in nothing: it gives events as path/driver.ts does,
 * decides asks with the real judge, redeems permits, and checks every command. Bytes of events stand in one buffer that
 * is overwritten after each event, as a socket's read buffer is.
 */
import { ProtocolError } from "../../src/base/errors.ts";
import type { Asked } from "../../src/model/operation.ts";
import type { Permit } from "../../src/model/permit.ts";
import type { Session, SessionCommand, SessionEvent } from "../../src/model/session.ts";
import { UnreadBudget } from "../../src/protocols/postgres/codec.ts";
import type { Greeting } from "../../src/protocols/postgres/greeting.ts";
import { server } from "../kit/wire.ts";
import type { Answers } from "./answers.ts";
import { Asks } from "./asks.ts";
import { ClientStream } from "./client-stream.ts";
import { FuzzFault } from "./fault.ts";
import { Hidden } from "./hidden.ts";
import { share } from "./random.ts";
import { ModelServer } from "./server.ts";
import type { MakeSession, Move, Setting } from "./setting.ts";
import { SESSION_ID, sessionWorld } from "./worlds.ts";

const PARAMETERS: Greeting["parameters"] = [
  ["client_encoding", "UTF8"],
  ["standard_conforming_strings", "on"],
  ["server_version", "18.4"],
];
const GREETING: Greeting = {
  parameters: PARAMETERS,
  said: [...PARAMETERS.map(([name, value]) => server.parameter(name, value)), server.keyData(Buffer.alloc(8, 1))],
  status: "I",
  minor: 0,
};
/** Of an inlet: twice what waits, and the least that it takes. Two inlets. */
const HELD_FREE_BYTES = 2 * 1_024 + 64;

/** Of all trials: a session must not need its event's bytes later. */
let scratch = Buffer.alloc(256 * 1024);

export class Trial {
  readonly setting: Setting;
  readonly #session: Session;
  readonly #budget = new CountedBudget();
  readonly #stream = new ClientStream(`session ${SESSION_ID}`);
  readonly #hidden: Hidden;
  readonly #model: ModelServer;
  readonly #asks: Asks;
  readonly #events: SessionEvent[] = [];
  /** Arrives with the next settle; until then no side is read. */
  #pending: SessionEvent | undefined;
  /** A verdict that arrives later, while both sides are read. */
  #held: SessionEvent | undefined;
  /** What commands of this turn handed over, as it was then. */
  readonly #unsent: { readonly view: Uint8Array; readonly copy: Buffer }[] = [];
  #policy = 0;
  #isLoggedIn = false;
  #tail = Buffer.alloc(0);
  /** What the model has said and nobody has read: whole messages. */
  readonly said: Buffer[] = [];
  isClosed = false;
  /** The fault by which the session closed itself, or "". */
  fault = "";
  reason = "";
  given = 0;
  maxHandleMs = 0;

  constructor(setting: Setting, answers: Answers, make: MakeSession) {
    this.setting = setting;
    this.#asks = new Asks(setting);
    this.#session = make(sessionWorld(setting.world), this.#budget);
    this.#hidden = new Hidden(setting.world, setting.server === "model");
    const { seed, failing, chatty, server } = setting;
    this.#model = new ModelServer(answers, { seed, failing, chatty, honest: server === "model" }, (frame) => {
      this.said.push(frame);
    });
    this.#give({ kind: "start" });
  }

  get forwards(): number {
    return this.#asks.forwards;
  }

  get denials(): number {
    return this.#asks.denials;
  }

  /** Whether something waits for a settle. */
  get isUnsettled(): boolean {
    return this.#pending !== undefined || this.#held !== undefined;
  }

  /** Throws FuzzFault. */
  give(move: Move): void {
    if (this.isClosed) return;
    switch (move.kind) {
      case "client":
        this.#settlePending();
        this.#read("client", move.bytes);
        return;
      case "server":
        this.#settlePending();
        if (!this.#isLoggedIn) return;
        this.#hidden.hear(move.bytes);
        this.#read("server", move.bytes);
        return;
      case "deliver":
        this.#settlePending();
        if (!this.#isLoggedIn) return;
        this.#read("server", this.#taken(move.count));
        return;
      case "settle":
        this.#settlePending();
        this.#settleHeld();
        return;
      case "policy":
        this.#policy++;
        return;
      case "stop":
        this.#give({ kind: "stop", reason: "fuzz" });
        return;
      case "drain":
        this.#give({ kind: "drain", reason: "fuzz", fresh: this.given % 2 === 0 ? "wait" : "end" });
        return;
      case "end-client":
      case "end-server":
        this.#give({ kind: "ended", side: move.kind === "end-client" ? "client" : "server" });
        return;
      default:
        move satisfies never;
    }
  }

  /** Everything that is still under way arrives. */
  finish(): void {
    for (let left = 1_000; left > 0 && !this.isClosed && (this.said.length > 0 || this.isUnsettled); left--) {
      this.give({ kind: "settle" });
      if (this.setting.server === "model" && this.said.length > 0) this.give({ kind: "deliver", count: 1 << 20 });
      else this.said.length = 0;
    }
  }

  #settlePending(): void {
    const event = this.#pending;
    this.#pending = undefined;
    if (event !== undefined) this.#give(event);
    if (this.#pending !== undefined) this.#settlePending();
  }

  #settleHeld(): void {
    const event = this.#held;
    this.#held = undefined;
    if (event !== undefined) this.#give(event);
  }

  /** Bytes from the front of what the model has said. */
  #taken(count: number): Buffer {
    const taken: Buffer[] = [];
    for (let left = count; left > 0; ) {
      const frame = this.said.shift();
      if (frame === undefined) break;
      if (frame.length > left) this.said.unshift(frame.subarray(left));
      taken.push(frame.subarray(0, left));
      left -= frame.length;
    }
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken);
  }

  #read(kind: "client" | "server", bytes: Buffer): void {
    if (this.isClosed || bytes.length === 0) return;
    if (bytes.length > scratch.length) scratch = Buffer.alloc(bytes.length * 2);
    bytes.copy(scratch);
    this.given += bytes.length;
    this.#give({ kind, bytes: scratch.subarray(0, bytes.length) });
    scratch.fill(0xee, 0, bytes.length);
    if (this.#budget.held > 2 * this.given + HELD_FREE_BYTES) {
      throw new FuzzFault("memory", `${this.#budget.held} bytes are held after ${this.given} bytes were read`);
    }
  }

  #give(event: SessionEvent): void {
    this.#events.push(event);
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      const amid = this.#stream.isAmidMessage;
      for (const command of this.#handled(next)) this.#obey(command, next, amid);
    }
    // The driver writes only now.
    for (const { view, copy } of this.#unsent.splice(0)) {
      if (!copy.equals(view)) throw new FuzzFault("frames", "Bytes for a peer changed before they were sent");
    }
    if (this.isClosed) this.#stream.end();
  }

  #handled(event: SessionEvent): readonly SessionCommand[] {
    const startMs = performance.now();
    try {
      return this.#session.handle(event);
    } catch (error) {
      if (error instanceof FuzzFault) throw error;
      const what = error instanceof ProtocolError ? `${error.code}: ` : "";
      throw new FuzzFault("exception", `handle threw at "${event.kind}": ${what}${String(error)}`, { cause: error });
    } finally {
      const ms = performance.now() - startMs;
      if (ms > this.maxHandleMs) this.maxHandleMs = ms;
    }
  }

  #obey(command: SessionCommand, event: SessionEvent, wasAmid: boolean): void {
    if (this.isClosed && command.kind !== "note") {
      throw new FuzzFault("unjudged", `The session went on with "${command.kind}" after it had closed`);
    }
    switch (command.kind) {
      case "toClient":
        this.#toClient(this.#noted(command.bytes), event, wasAmid);
        return;
      case "ask":
        this.#ask(command.id, command.asked, command.bytes);
        return;
      case "forward":
        this.#forward(command.id, command.permit);
        return;
      case "login":
        if (this.#asks.redeem(command.id, command.permit).bytes.length > 0) {
          throw new FuzzFault("unjudged", "A login's permit owned bytes");
        }
        this.#wait(this.#loginAnswer(command.id));
        return;
      case "look":
        this.#wait({ kind: "facts", id: command.id, answer: this.#factsFor(command.id) });
        return;
      case "secure":
        this.#stream.restart();
        this.#wait({ kind: "secured" });
        return;
      case "close":
        this.isClosed = true;
        this.fault = command.fault ?? "";
        this.reason = command.reason;
        return;
      case "note":
      case "output":
      case "progress":
      case "cancel":
      case "shut":
      case "rest":
        return;
      default:
        command satisfies never;
    }
  }

  #ask(id: number, asked: readonly Asked[], bytes: Uint8Array): void {
    const isLate = this.#isLoggedIn && share(this.setting.seed, 11, id) < this.setting.late;
    // A verdict that arrives at once owns the session's own view, as in the driver; a late one cannot.
    const owned = isLate ? Buffer.from(bytes) : bytes;
    const decision = this.#asks.decide(id, asked, owned, { policy: this.#policy, isLoggedIn: this.#isLoggedIn });
    const event = { kind: "verdict", id, decision } as const;
    if (isLate) this.#held = event;
    else this.#events.push(event);
  }

  #forward(id: number, permit: Permit): void {
    if (!this.#isLoggedIn) throw new FuzzFault("unjudged", `A forward of ask ${id} before the login`);
    const { asked, bytes } = this.#asks.redeem(id, permit);
    this.#model.receive(this.#noted(bytes), asked);
  }

  #noted(view: Uint8Array): Buffer {
    const copy = Buffer.from(view);
    this.#unsent.push({ view, copy });
    return copy;
  }

  #toClient(bytes: Buffer, event: SessionEvent, wasAmid: boolean): void {
    if (wasAmid && event.kind !== "server") {
      throw new FuzzFault("frames", `The client got bytes at "${event.kind}" amid a message of the server`);
    }
    this.#stream.take(bytes);
    const text = this.#tail.length === 0 ? bytes : Buffer.concat([this.#tail, bytes]);
    const found = this.#hidden.find(text);
    if (found !== undefined) throw new FuzzFault("leak", `The client got ${found}, which is hidden`);
    this.#tail = Buffer.from(text.subarray(-LONGEST));
  }

  #loginAnswer(id: number): SessionEvent {
    if (share(this.setting.seed, 13, id) < this.setting.unlucky / 4) {
      return { kind: "loginFailed", code: "UPSTREAM_AUTH", message: "no" };
    }
    return { kind: "loggedIn", greeting: GREETING };
  }

  #factsFor(id: number): unknown {
    const { facts } = this.setting.world;
    const draw = share(this.setting.seed, 14, id);
    if (draw < this.setting.unlucky / 8) return {};
    return facts !== undefined && draw < this.setting.unlucky ? { ...facts, version: `version ${id}` } : facts;
  }

  /** As the driver: neither side is read until this is there; facts that are known are there at once. */
  #wait(event: SessionEvent): void {
    if (event.kind === "loggedIn") {
      this.#isLoggedIn = true;
      this.#stream.isAtDoor = false;
    }
    const id = event.kind === "facts" ? event.id : 0;
    if (event.kind === "facts" && share(this.setting.seed, 15, id) >= this.setting.late) this.#events.push(event);
    else this.#pending = event;
  }
}

/** Bytes that are looked at again with the next, so that a value cut in two is found. */
const LONGEST = 24;

/** Knows what the inlets of one session hold. */
class CountedBudget extends UnreadBudget {
  held = 0;

  override move(from: number, to: number): void {
    super.move(from, to);
    this.held += to - from;
  }
}
