/**
 * Runs one protocol session: gives it events, obeys its commands, and keeps the order that the promises
 * need: decide, record, forward. The only place where client bytes can leave, and only as a redeemed permit.
 */
import { codeOf, messageOf } from "../base/errors.ts";
import { FAREWELL_WAIT_MS, HELD_BYTES_MAX, SERVER_STALL_MS } from "../base/limits.ts";
import type { Decision, HoldDecision, Verdict } from "../model/decision.ts";
import type { Asked } from "../model/operation.ts";
import { redeemPermit } from "../model/permit.ts";
import type {
  AnswerEntry,
  LookAnswer,
  LookQuestion,
  OutputEntry,
  Session,
  SessionCommand,
  SessionEvent,
} from "../model/session.ts";
import type { SessionRelay } from "./relay.ts";
import type { LoggedIn } from "./upstream.ts";
import type { Wire } from "./wire.ts";

/** What the driver needs of the world; `connection.ts` binds it to the real parts. */
export interface DriverPorts {
  decide(id: number, asked: readonly Asked[], bytes: Uint8Array): Decision;
  /** `bytes` are the hold's own. */
  hold(id: number, asked: readonly Asked[], bytes: Uint8Array, decision: HoldDecision): HeldAsk;
  /** Notes the decision; durable only after `flush`. */
  recordAsked(id: number, asked: readonly Asked[], decision: Decision, hold?: string): void;
  /** The same of what came of a hold. */
  recordDecided(id: number, verdict: Verdict): void;
  recordAnswered(entry: AnswerEntry): void;
  recordOutput(entry: OutputEntry): void;
  /** Of an answer that goes on: so much of it has passed. */
  noteProgress(id: number, rows: number, bytes: number): void;
  /** One synchronous append of all that was noted. A throw stops what would have been forwarded. */
  flush(): void;
  /** Where what was flushed has to survive more than the process: it does once this resolves. A rejection is a throw. */
  settle(): Promise<void> | undefined;
  logIn(request: unknown): Promise<LoggedIn>;
  /** An answer at once where it is known, else a promise. */
  look(question: LookQuestion): LookAnswer | Promise<LookAnswer>;
  secure(wire: Wire, unread: Uint8Array, alpn: string | undefined): Promise<void>;
  /** Resolves when the backend has been told and has hung up, or will not be told. Never rejects. */
  cancel(key: Uint8Array): Promise<void>;
  fault(code: string, message: string): void;
  /** Carries past the session what it need not see; absent: nobody does. */
  readonly relay?: SessionRelay;
}

/** An ask that waits for a human. */
export interface HeldAsk {
  readonly id: string;
  /** For the client, in one sentence, once there is something to wait for; "" where there is not. */
  readonly notice: Promise<string>;
  /** Never rejects: what fails is denied. */
  readonly verdict: Promise<Verdict>;
  /** Nobody waits for it any more; `verdict` is a denial then, unless it was approved already. */
  abandon(reason: string): void;
  /** It was approved, and will not be forwarded all the same. */
  withdraw(reason: string): Verdict;
}

const NONE: readonly SessionCommand[] = [];
/** Names no cause: causes go to the log and the audit trail, not to agents. */
const FAULT_FAREWELL = "Sallyport ended this session because of an error on its side";
/** What an agent may know of a full disk: that it is one, and that nothing went by unrecorded. */
const UNRECORDED_FAREWELL = "Sallyport cannot record this session, so it forwards nothing more of it";

export class Driver {
  readonly #sessionId: string;
  readonly #session: Session;
  readonly #ports: DriverPorts;
  readonly #client: Wire;
  #server: Wire | undefined;
  readonly #events: SessionEvent[] = [];
  /** What the session said last, and was not obeyed yet. */
  #commands: readonly SessionCommand[] = NONE;
  #running = false;
  /** Decisions are on their way to the disk: nothing that they allow leaves, and nothing else happens, until then. */
  #settling = false;
  /** A login, a look or a handshake is under way: no side is read until it is over. */
  #waits = 0;
  #toClient: Uint8Array[] = [];
  #toServer: Uint8Array[] = [];
  /** Something was decided that the file does not hold yet. */
  #decided = false;
  /** Runs while the server's side is congested. */
  #stall: NodeJS.Timeout | undefined;
  /** A session asks for one thing at a time. */
  #held: HeldAsk | undefined;
  /** Bytes of the client since then: read so that its end is seen, up to a limit. */
  #readWhileHeld = 0;
  #closing: string | undefined;
  #isCut = false;
  #hasHungUp = false;
  #cancelled: Promise<void> | undefined;
  /** The session said so with its last word. */
  #rest: Extract<SessionCommand, { kind: "rest" }> | undefined;
  #finish: (reason: string) => void = () => {};
  #bytesIn = 0;
  #bytesOut = 0;
  readonly #done: Promise<string>;

  constructor(sessionId: string, session: Session, client: Wire, ports: DriverPorts) {
    this.#sessionId = sessionId;
    this.#session = session;
    this.#client = client;
    this.#ports = ports;
    this.#done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    client.busyElsewhere = () => this.#busy();
  }

  /** From the client. */
  get bytesIn(): number {
    return this.#bytesIn + (this.#ports.relay?.bytesIn ?? 0);
  }

  /** From the server. */
  get bytesOut(): number {
    return this.#bytesOut + (this.#ports.relay?.bytesOut ?? 0);
  }

  /** Runs the session to its end; resolves with the reason. Never rejects. */
  run(): Promise<string> {
    this.#give({ kind: "start" });
    this.#client.start({
      bytes: (bytes) => {
        this.#bytesIn += bytes.length;
        if (this.#held !== undefined) this.#readWhileHeld += bytes.length;
        this.#give({ kind: "client", bytes });
      },
      ended: () => this.#give({ kind: "ended", side: "client" }),
      drained: () => this.#relieve(),
    });
    this.#relieve();
    return this.#done;
  }

  /** Ends the session from the side, with its protocol's farewell. */
  stop(reason: string): void {
    this.#give({ kind: "stop", reason });
    setTimeout(() => this.#close(reason), FAREWELL_WAIT_MS).unref();
  }

  /** Whether an ask waits for a human; its client wants it no more. */
  cancelHeld(reason: string): boolean {
    this.#held?.abandon(reason);
    return this.#held !== undefined;
  }

  /** Policy or settings may be others now; what goes past the session comes back before that is so. */
  changed(): void {
    this.#give({ kind: "changed" });
  }

  /** Asks the session to end as soon as that cuts nothing short; see SessionEvent. It may also go on. */
  drain(reason: string, fresh: "wait" | "end"): void {
    this.#give({ kind: "drain", reason, fresh });
  }

  /** Ends the session whether the peers listen or not: the farewell as far as it leaves at once, then resets. */
  cut(reason: string): void {
    this.#isCut = true;
    this.#give({ kind: "stop", reason });
    this.#close(reason);
  }

  #give(event: SessionEvent): void {
    if (this.#closing !== undefined) return;
    this.#takeBack();
    this.#events.push(event);
    this.#run();
  }

  /** What somebody carried past the session is its own again: it hears of it before anything else. */
  #takeBack(): void {
    const { relay } = this.#ports;
    if (relay?.isLent !== true) return;
    const { relayed, bytesIn, bytesOut, fromClient, fromServer, toClient, toServer } = relay.take();
    this.#bytesIn += bytesIn + fromClient.length;
    this.#bytesOut += bytesOut + fromServer.length;
    if (toServer.length > 0) this.#server?.write(toServer);
    if (toClient.length > 0) this.#client.write(toClient);
    this.#events.push({ kind: "relayed", ...relayed });
    if (fromServer.length > 0) this.#events.push({ kind: "server", bytes: fromServer });
    if (fromClient.length > 0) this.#events.push({ kind: "client", bytes: fromClient });
  }

  /** Once a session is at rest, so that what it would do by itself can go past it. */
  #lend(): void {
    const { relay } = this.#ports;
    const [rest, server] = [this.#rest, this.#server];
    this.#rest = undefined;
    const isBusy =
      this.#held !== undefined ||
      this.#waits > 0 ||
      this.#settling ||
      this.#closing !== undefined ||
      this.#events.length > 0;
    if (relay === undefined || rest === undefined || server === undefined || isBusy) return;
    relay.lend(this.#client, server, rest, () => {
      this.#takeBack();
      this.#run();
    });
  }

  #run(): void {
    if (this.#running || this.#settling) return;
    this.#running = true;
    try {
      this.#work();
      this.#lend();
    } catch (error) {
      this.fail(error);
    } finally {
      this.#running = false;
    }
    if (this.#settling) return;
    if (this.#closing === undefined) this.#relieve();
    else if (this.#cancelled === undefined) this.#hangUp();
    // Who cancels takes the end of the connection for the word that it is done: a later cancel would hit the next statement.
    else void this.#cancelled.then(() => this.#hangUp());
  }

  /** Stops where something has to settle first; `#settle` calls again. */
  #work(): void {
    do {
      while (this.#commands.length > 0) {
        const commands = this.#commands;
        this.#commands = NONE;
        for (let at = 0; at < commands.length; at++) {
          this.#obey(commands[at] as SessionCommand);
          if (!this.#settling) continue;
          this.#commands = commands.slice(at + 1);
          return;
        }
      }
      const event = this.#events.shift();
      if (event !== undefined) {
        this.#rest = undefined; // it may be at rest no more
        this.#commands = this.#session.handle(event);
      } else this.#flush();
    } while (this.#commands.length > 0 || this.#events.length > 0);
  }

  #obey(command: SessionCommand): void {
    switch (command.kind) {
      case "toClient":
        this.#toClient.push(command.bytes);
        return;
      case "ask":
        this.#ask(command.id, command.asked, command.bytes);
        return;
      case "forward":
        this.#toServer.push(redeemPermit(command.permit, this.#sessionId, command.id));
        return;
      case "login":
        redeemPermit(command.permit, this.#sessionId, command.id);
        this.#flush(() => this.#logIn(command.request));
        return;
      case "look":
        this.#look(command.id, command.question);
        return;
      case "secure": {
        this.#flush(() => {
          const secured = this.#ports.secure(this.#client, command.unread, command.alpn);
          this.#await(secured.then(() => [{ kind: "secured" }]));
        });
        return;
      }
      case "shut":
        this.#flush(() => (command.side === "client" ? this.#client : this.#server)?.end());
        return;
      case "note":
        this.#ports.recordAnswered(command.entry);
        return;
      case "output":
        this.#ports.recordOutput(command.entry);
        return;
      case "progress":
        this.#ports.noteProgress(command.id, command.rows, command.bytes);
        return;
      case "cancel":
        this.#cancelled = this.#ports.cancel(command.key);
        return;
      case "rest":
        this.#rest = command;
        return;
      case "close":
        if (command.fault !== undefined) this.#ports.fault(command.fault, command.reason);
        this.#closing ??= command.reason;
        return;
      default:
        command satisfies never;
    }
  }

  #logIn(request: unknown): void {
    const failed = (error: unknown): SessionEvent[] => [
      { kind: "loginFailed", code: codeOf(error), message: messageOf(error) },
    ];
    this.#await(this.#ports.logIn(request).then((login) => this.#adopt(login), failed));
  }

  #ask(id: number, asked: readonly Asked[], bytes: Uint8Array): void {
    const decision = this.#ports.decide(id, asked, bytes);
    this.#decided = true;
    if (decision.kind === "hold") {
      this.#hold(id, asked, Buffer.from(bytes), decision);
      return;
    }
    this.#ports.recordAsked(id, asked, decision);
    this.#events.push({ kind: "verdict", id, decision });
  }

  /** The client is read meanwhile, or its end would go unseen; the server is, for it may speak at any time. */
  #hold(id: number, asked: readonly Asked[], bytes: Uint8Array, decision: HoldDecision): void {
    const held = this.#ports.hold(id, asked, bytes, decision);
    this.#held = held; // before its record: where that fails the session ends, and gives it up
    this.#readWhileHeld = 0;
    this.#ports.recordAsked(id, asked, decision, held.id);
    void held.notice.then((notice) => {
      if (this.#held === held && notice !== "") this.#give({ kind: "held", id, notice });
    });
    void held.verdict.then((verdict) => {
      this.#held = undefined;
      const isLate = this.#closing !== undefined && verdict.kind === "allow";
      const decision = isLate ? held.withdraw(this.#closing ?? "") : verdict;
      try {
        this.#ports.recordDecided(id, decision);
      } catch (error) {
        if (decision.kind === "allow") held.withdraw("it could not be recorded");
        this.fail(error);
        return;
      }
      this.#decided = true;
      this.#give({ kind: "verdict", id, decision });
    });
  }

  #look(id: number, question: LookQuestion): void {
    const answer = this.#ports.look(question);
    if (answer instanceof Promise) {
      this.#await(answer.then((found: LookAnswer) => [{ kind: "facts", id, answer: found }]));
    } else {
      this.#events.push({ kind: "facts", id, answer });
    }
  }

  /** Reads nothing until `pending` is there. A rejection ends the session: what it waited for decides safety. */
  #await(pending: Promise<readonly SessionEvent[]>): void {
    this.#waits++;
    pending.then(
      (events) => {
        this.#waits--;
        for (const event of events) this.#give(event);
      },
      (error: unknown) => {
        this.#waits--;
        if (this.#closing === undefined) this.fail(error);
      },
    );
  }

  #adopt({ wire, greeting, unread }: LoggedIn): SessionEvent[] {
    if (this.#closing !== undefined) {
      wire.destroy();
      return [];
    }
    this.#server = wire;
    wire.busyElsewhere = () => this.#busy();
    wire.start({
      bytes: (bytes, room) => {
        this.#bytesOut += bytes.length;
        this.#give({ kind: "server", bytes, room });
      },
      ended: () => this.#give({ kind: "ended", side: "server" }),
      drained: () => this.#relieve(),
    });
    wire.pause(); // until the session knows of its login
    const events: SessionEvent[] = [{ kind: "loggedIn", greeting }];
    if (unread.length > 0) events.push({ kind: "server", bytes: unread });
    return events;
  }

  /**
   * Recorded first, then sent: one record write and one socket write a side, whatever the batch held. What
   * only answers something goes to the file with the next decision, or when the recording has been idle.
   * `then`: what has to come after that.
   */
  #flush(then: () => void = () => {}): void {
    if (this.#decided) this.#ports.flush();
    const settled = this.#decided ? this.#ports.settle() : undefined;
    this.#decided = false;
    if (settled !== undefined) {
      this.#settle(settled, then);
      return;
    }
    this.#send();
    then();
  }

  #send(): void {
    if (this.#toServer.length > 0) {
      this.#server?.write(join(this.#toServer));
      this.#toServer = [];
    }
    if (this.#toClient.length > 0) {
      this.#client.write(join(this.#toClient));
      this.#toClient = [];
    }
  }

  /** Both sides are left unread meanwhile, so that what comes is bounded by what one read has brought. */
  #settle(settled: Promise<void>, then: () => void): void {
    this.#settling = true;
    this.#relieve();
    const goOn = (work: () => void) => {
      this.#settling = false;
      try {
        work();
      } catch (error) {
        this.fail(error);
      }
      this.#run();
    };
    settled.then(
      () =>
        goOn(() => {
          if (this.#hasHungUp) return; // it was cut meanwhile: what was allowed is not done
          this.#send();
          then();
        }),
      (error: unknown) =>
        goOn(() => {
          throw error;
        }),
    );
  }

  /** Reads a side only while the other can take it and nothing is being waited for. */
  #relieve(): void {
    if (this.#closing !== undefined || this.#ports.relay?.isLent === true) return;
    const server = this.#server;
    const blocked = this.#waits > 0 || this.#settling;
    const isFull = this.#held !== undefined && this.#readWhileHeld > HELD_BYTES_MAX;
    if (blocked || isFull || (server?.congested ?? false) || this.#client.congested) this.#client.pause();
    else this.#client.resume();
    if (server === undefined) return;
    if (blocked || this.#client.congested) server.pause();
    else server.resume();
    this.#watch(server);
  }

  /** While the server takes nothing the client is not read, so that its end would go unseen for ever. */
  #watch(server: Wire): void {
    if (!server.congested) {
      clearTimeout(this.#stall);
      this.#stall = undefined;
      return;
    }
    this.#stall ??= setTimeout(() => {
      this.stop("the server has not taken for too long what waits for it");
    }, SERVER_STALL_MS).unref();
  }

  #busy(): boolean {
    return this.#client.holdsViews || this.#server?.holdsViews === true;
  }

  /** Our own fault, a peer's, or the disk's: nothing more is forwarded, and the client is told in its protocol. */
  fail(error: unknown): void {
    this.#toServer = [];
    this.#events.length = 0;
    this.#commands = NONE;
    this.#ports.fault(codeOf(error), messageOf(error));
    if (this.#closing !== undefined) return;
    try {
      const event: SessionEvent =
        codeOf(error) === "RECORDING_FAILED"
          ? { kind: "stop", reason: UNRECORDED_FAREWELL, fault: "unrecorded" }
          : { kind: "stop", reason: FAULT_FAREWELL };
      const commands = this.#session.handle(event);
      for (const command of commands) if (command.kind === "toClient") this.#toClient.push(command.bytes);
      if (this.#toClient.length > 0) this.#client.write(join(this.#toClient));
      // What an answer has brought so far. Last: where the recording is at fault, the client is told all the same.
      for (const command of commands) if (command.kind === "note" || command.kind === "output") this.#obey(command);
    } catch {
      // the session is beyond speech; the close says enough
    }
    this.#close(messageOf(error));
  }

  #close(reason: string): void {
    this.#closing ??= reason;
    this.#hangUp();
  }

  #hangUp(): void {
    const [client, server] = [this.#client, this.#server];
    this.#hasHungUp = true;
    this.#toServer = []; // what has not settled yet
    clearTimeout(this.#stall);
    const reason = this.#closing ?? "closed";
    if (this.#held === undefined) this.#finish(reason);
    else {
      this.#held.abandon(reason);
      void this.#held.verdict.then(() => this.#finish(reason)); // its record comes before the session's end
    }
    if (this.#isCut) {
      setImmediate(() => {
        client.reset(); // a turn later: TLS has handed its farewell to the kernel by then
        server?.reset();
      });
      return;
    }
    client.hangUp(FAREWELL_WAIT_MS);
    server?.hangUp(FAREWELL_WAIT_MS);
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}
