/**
 * One PostgreSQL session: from the client's first packet to its end. Waits where it has to (for TLS, a
 * verdict, facts, an answer), hands every group of messages to policy before the server sees it, and
 * never sends a byte to the server that no permit owns.
 */
import { isDeepStrictEqual } from "node:util";
import { ProtocolError } from "../../base/errors.ts";
import { PIPELINE_MAX } from "../../base/limits.ts";
import type { Verdict } from "../../model/decision.ts";
import type { Relayed } from "../../model/form.ts";
import { countsAnswers } from "../../model/limit.ts";
import type { Asked } from "../../model/operation.ts";
import type { SessionWorld } from "../../model/protocol.ts";
import type { LookAnswer, OutputEntry, Session, SessionCommand, SessionEvent } from "../../model/session.ts";
import { Answers } from "./answers.ts";
import { Awaited } from "./awaited.ts";
import { type Next, nextOf, nextOfCopy } from "./boundaries.ts";
import { type CatalogFacts, hasLabels, isCatalogFacts, type PostgresQuestion, updated } from "./catalog.ts";
import { HEADER_BYTES, Inlet, type UnreadBudget } from "./codec.ts";
import { Doorway, unencrypted } from "./doorway.ts";
import { connectAsked } from "./entrance.ts";
import { type ErrorScrub, scrubError } from "./errors.ts";
import { Forms } from "./forms.ts";
import { type Greeting, greetingBytes, sqlState, unguardable } from "./greeting.ts";
import { fatal, holdNotice, negotiateProtocolVersion, SERVER } from "./messages.ts";
import { fatalRefusal, inPlaceOf, refusal } from "./refuse.ts";
import { type Analyse, type Group, Requests, type RequestWorld } from "./requests.ts";
import type { LoginRequest, Startup } from "./startup.ts";
import { entryOf, type Step } from "./steps.ts";
import {
  COPY_ASKED,
  type Looking,
  type Phase,
  REFUSED_ASKED,
  SYNC_ASKED,
  TERMINATE_ASKED,
  type Waiting,
} from "./waiting.ts";

/** Of the protocol, by a client that has not said its first word. */
const NOTHING_ASKED: Pick<Startup, "minor" | "unsupported"> = { minor: 0, unsupported: [] };
const TEXT_FACTS = { schema: "", table: "", labels: [], valueKind: "text", format: "text" } as const;
export class PostgresSession implements Session {
  readonly #world: SessionWorld;
  readonly #analyse: Analyse;
  readonly #labelled: boolean;
  /** One object for the whole session: whoever answers keeps what it worked out from it. */
  readonly #question: PostgresQuestion;
  readonly #masksCopies: boolean;
  readonly #scrub: ErrorScrub;
  readonly #inlet: Inlet;
  readonly #doorway = new Doorway();
  readonly #requests = new Requests();
  /** Absent: nobody relays, or nobody could under TLS. */
  #forms: Forms | undefined;
  readonly #awaited: Awaited;
  readonly #answers: Answers;
  #out: SessionCommand[] = [];
  #phase: Phase = "opening";
  /** Of asks and looks alike. */
  #lastId = 0;
  #waiting: Waiting | undefined;
  #waitingId = 0;
  #looking: { readonly id: number; readonly why: Looking } | undefined;
  #startup: Startup | undefined;
  #greeting: Greeting | undefined;
  #catalog: CatalogFacts | undefined;
  /** The facts were fetched for the group that is next. */
  #looked = false;
  /** The facts that groups were last judged by, as they came. */
  #lookedUp: LookAnswer;
  #fresh = false;
  #barrier: Step | undefined;
  #copyIn = false;
  /** Refused: what comes before the next Sync is dropped. */
  #dropping = false;
  /** The Sync of what was forwarded is still to come. */
  #isSeriesOpen = false;
  #hasAsked = false;
  #draining: string | undefined;
  #policy = "";

  constructor(world: SessionWorld, analyse: Analyse, unread?: UnreadBudget) {
    this.#world = world;
    this.#inlet = new Inlet(unread);
    this.#question = { kind: "catalog", labels: world.connection.data };
    this.#analyse = analyse;
    this.#labelled = hasLabels(world.connection.data);
    this.#forms = world.relay === undefined ? undefined : new Forms(this.#requests, world.relay);
    const { output } = world;
    const copyMask = world.maskFor({ ...TEXT_FACTS, name: "copy" });
    this.#masksCopies = copyMask !== undefined && copyMask.onlyWatches !== true;
    this.#scrub = {
      values: this.#labelled ? "raised" : "shown",
      mask: world.maskFor({ ...TEXT_FACTS, name: "error" }),
    };
    const lift = (step: Step) => {
      if (step === this.#barrier) this.#barrier = undefined;
    };
    this.#awaited = new Awaited({
      lift,
      answerDone: (answer) => {
        answer.output?.finish("whole");
        this.#out.push({ kind: "note", entry: entryOf(answer) });
        this.#forms?.learn(answer);
      },
    });
    this.#answers = new Answers(
      this.#awaited,
      {
        requests: this.#requests,
        lift,
        scrub: this.#scrub,
        copyMask,
        ...(output === undefined
          ? {}
          : { output: { caps: output, emit: (entry: OutputEntry) => this.#out.push({ kind: "output", entry }) } }),
        planSource: () => ({
          maskFor: world.maskFor,
          data: world.connection.data,
          catalog: this.#labelled ? this.#catalog : undefined,
        }),
        look: (oids) => this.#look("rows", { kind: "relations", labels: world.connection.data, oids, fresh: true }),
        copyInBegins: () => {
          this.#copyIn = true;
        },
        copyInEnds: () => {
          this.#copyIn = false;
        },
      },
      unread,
    );
  }

  handle(event: SessionEvent): readonly SessionCommand[] {
    this.#out = [];
    if (this.#phase === "closed") return this.#out;
    let amid = this.#answers.isAmidMessage;
    try {
      this.#take(event, amid);
      amid = this.#answers.isAmidMessage;
      this.#pump();
      if (this.#draining !== undefined && this.#isAtRest && (this.#hasAsked || isLastCall(event))) {
        this.#end("57P01", this.#draining, { isSilent: false });
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const isSecuring = this.#phase === "securing";
      this.#end("08P01", error.message, { isSilent: amid || isSecuring, fault: error.code });
    }
    this.#inlet.keep();
    if (event.kind === "server") this.#rest();
    return this.#out;
  }

  #take(event: SessionEvent, amid: boolean): void {
    switch (event.kind) {
      case "start":
        return;
      case "client":
        if (this.#phase === "securing") throw unencrypted();
        this.#inlet.add(event.bytes);
        return;
      case "server":
        this.#toClient(this.#answers.receive(event.bytes, event.room));
        this.#progress();
        return;
      case "verdict":
        this.#verdict(event.id, event.decision);
        return;
      case "held":
        if (!amid && this.#phase === "ready") this.#toClient(holdNotice(event.notice));
        return;
      case "facts":
        this.#facts(event.id, event.answer);
        return;
      case "secured":
        this.#doorway.secured();
        this.#forms = undefined;
        this.#phase = "opening";
        return;
      case "loggedIn":
        this.#loggedIn(event.greeting as Greeting);
        return;
      case "loginFailed":
        this.#end(sqlState(event.code), event.message, { isSilent: false });
        return;
      case "stop":
        this.#end(event.fault === "unrecorded" ? "53100" : "57P01", event.reason, {
          isSilent: amid || this.#phase === "securing",
        });
        return;
      case "drain":
        this.#draining = event.reason;
        return;
      case "ended":
        this.#close(event.side === "client" ? "the client has gone" : "the server has gone");
        return;
      case "relayed":
        this.#relayed(event);
        return;
      case "changed":
        this.#forgetPlans();
        return;
      default:
        event satisfies never;
    }
  }

  /** Groups of known forms may go past until the next event. */
  #rest(): void {
    const isReady = this.#phase === "ready" && this.#draining === undefined && !this.#fresh;
    if (this.#forms === undefined || !isReady || !this.#isQuiet || !this.#isAnswered) return;
    const forms = this.#forms.all;
    if (forms.length === 0) return;
    const facts = this.#labelled ? { facts: this.#lookedUp } : {};
    this.#out.push({ kind: "rest", lastId: this.#lastId, forms, ...facts });
  }

  /** The groups that went past count as if they had gone through here. */
  #relayed(relayed: Relayed): void {
    const { asks, inFlight, left } = relayed;
    this.#lastId += asks;
    this.#hasAsked ||= asks > 0;
    this.#requests.series += asks - inFlight.length;
    this.#requests.runs += asks; // nothing that was described before is the last that ran
    if (asks > 0) this.#requests.portals.forget(({ name }) => name === ""); // another one took its place
    if (left !== undefined) this.#requests.replaceUnnamed(this.#forms?.leftBy(left));
    for (const { askId, bytes, form } of inFlight) {
      const group = this.#requests.read(Buffer.from(bytes), 0, bytes.length, this.#requestWorld);
      // the same object only where the analysis is still in memory
      if (!isDeepStrictEqual(group.asked[0]?.operation, form.asked.operation))
        throw new Error("Cannot go on after a relay: another form");
      group.answer.askId = askId;
      this.#awaited.push(group.steps);
    }
    this.#answers.carriedOn(relayed);
  }

  /** Tells of an answer that this read has not ended, where somebody counts. */
  #progress(): void {
    const answer = this.#awaited.head?.answer;
    if (answer === undefined || !answer.limited || answer.rows === 0) return;
    this.#out.push({ kind: "progress", id: answer.askId, rows: answer.rows, bytes: answer.bytes });
  }

  /** Goes on with what the client has sent, as far as nothing is waited for. */
  #pump(): void {
    while (this.#waiting === undefined && this.#looking === undefined && this.#barrier === undefined) {
      if (this.#phase === "opening") {
        if (!this.#open()) return;
      } else if (this.#phase !== "ready" || this.#awaited.count >= PIPELINE_MAX) return;
      else if (this.#copyIn ? !this.#copyNext() : !this.#requestNext()) return;
    }
  }

  /** False: wait. */
  #open(): boolean {
    const next = this.#doorway.next(this.#inlet);
    switch (next.kind) {
      case "more":
        return false;
      case "reply":
        this.#toClient(next.bytes);
        return true;
      case "secure":
        this.#toClient(next.reply);
        this.#out.push(next.command);
        this.#phase = "securing";
        return false;
      case "cancel":
        this.#out.push({ kind: "cancel", key: next.key });
        this.#close("a cancel request");
        return false;
      case "refused":
        this.#end(next.code, next.message, { isSilent: false });
        return false;
      case "startup":
        this.#connect(next.startup);
        return false;
      default:
        return next satisfies never;
    }
  }

  #connect(startup: Startup): void {
    const { user, database } = startup;
    this.#startup = startup;
    this.#phase = "connecting";
    this.#ask(connectAsked(database, user), new Uint8Array(), { kind: "connect", startup });
  }

  #loggedIn(greeting: Greeting): void {
    const fault = unguardable(greeting);
    if (fault !== undefined) {
      this.#end("08P01", fault, { isSilent: false });
      return;
    }
    this.#greeting = greeting;
    if (this.#labelled) this.#look("greeting", this.#catalogQuestion());
    else this.#greet();
  }

  #greet(): void {
    const greeting = this.#greeting as Greeting;
    const { minor, unsupported } = this.#startup ?? NOTHING_ASKED;
    if (greeting.minor < minor || unsupported.length > 0) {
      this.#toClient(negotiateProtocolVersion(greeting.minor, unsupported));
    }
    // Code that runs at a login may have read anything.
    const scrub: ErrorScrub = { ...this.#scrub, values: this.#labelled ? "hidden" : "shown" };
    const notice = (message: Buffer) => scrubError(SERVER.notice, message, HEADER_BYTES, message.length, scrub).shown;
    this.#toClient(greetingBytes(greeting, this.#world.cancelSecret, notice));
    this.#phase = "ready";
    this.#toClient(this.#answers.begin());
  }

  /** Asks for the next group. False: wait for more. */
  #requestNext(): boolean {
    const inlet = this.#inlet;
    const next = nextOf(inlet);
    switch (next.kind) {
      case "more":
        return false;
      case "stray":
        inlet.at = next.end;
        return true;
      case "terminate":
        this.#ask(TERMINATE_ASKED, inlet.bytes.subarray(inlet.at, next.end), { kind: "terminate" });
        inlet.at = next.end;
        return true;
      case "group":
        return this.#groupNext(next);
      default:
        return next satisfies never;
    }
  }

  #groupNext({ end, ends, isJudged }: Extract<Next, { kind: "group" }>): boolean {
    const inlet = this.#inlet;
    const { at, bytes } = inlet;
    if (this.#dropping || this.#awaited.isSkipping) {
      inlet.at = end;
      if (ends === "open") return true;
      this.#dropping = false;
      const step: Step = { kind: "sync", answer: undefined, series: this.#requests.series++ };
      this.#ask(SYNC_ASKED, bytes.subarray(end - SYNC_BYTES, end), { kind: "sync", step });
      return true;
    }
    if (isJudged && this.#requests.mustWait(bytes, at, end)) return false;
    if (this.#labelled && isJudged && !this.#hasFacts()) return true;
    this.#looked = false;
    const group = this.#requests.read(bytes, at, end, this.#requestWorld);
    inlet.at = end;
    this.#ask(group.asked, group.bytes, { kind: "group", group });
    return true;
  }

  get #requestWorld(): RequestWorld {
    return {
      analyse: this.#analyse,
      scope: { data: this.#world.connection.data, catalog: this.#catalog },
      masksCopies: this.#masksCopies,
      labelled: this.#labelled,
    };
  }

  /** Asks for the next data of a copy. False: wait for more. */
  #copyNext(): boolean {
    const inlet = this.#inlet;
    const next = nextOfCopy(inlet);
    if (next.kind === "more") return false;
    const bytes = inlet.bytes.subarray(inlet.at, next.end);
    inlet.at = next.end;
    if (next.kind === "data") this.#ask(COPY_ASKED, bytes, { kind: "copy", ends: next.ends });
    else if (next.kind === "terminate") this.#ask(TERMINATE_ASKED, bytes, { kind: "terminate" });
    return true;
  }

  #ask(asked: readonly Asked[], bytes: Uint8Array, waiting: Waiting): void {
    this.#waiting = waiting;
    this.#waitingId = ++this.#lastId;
    this.#out.push({ kind: "ask", id: this.#waitingId, asked, bytes });
  }

  #verdict(id: number, decision: Verdict): void {
    const waiting = this.#waiting;
    if (waiting === undefined || id !== this.#waitingId) throw new Error(`Cannot take the verdict of ask ${id}`);
    this.#waiting = undefined;
    this.#hasAsked = waiting.kind !== "connect";
    if (decision.policy !== this.#policy) this.#forgetPlans();
    this.#policy = decision.policy;
    if (decision.kind === "deny") {
      this.#denied(waiting, decision);
      return;
    }
    switch (waiting.kind) {
      case "connect": {
        const { database, minor, parameters } = waiting.startup;
        const request: LoginRequest = { database, parameters, ...(minor === 0 ? {} : { minor }) };
        this.#out.push({ kind: "login", id, permit: decision.permit, request });
        return;
      }
      case "group": {
        const { group } = waiting;
        if (group.asked.some(({ operation }) => operation.forbidden !== undefined)) {
          throw new Error("Cannot forward what is forbidden");
        }
        group.answer.askId = id;
        group.answer.limited = decision.limits?.some(countsAnswers) === true;
        this.#barrier = group.barrier;
        if (group.definesSchema && this.#labelled) this.#fresh = true; // else nothing is looked up
        this.#isSeriesOpen = group.kind === "series" && group.ends === "open";
        this.#forms?.watch(group);
        this.#awaited.push(group.steps);
        break;
      }
      case "refusal":
        this.#awaited.push(waiting.steps);
        break;
      case "sync":
        this.#isSeriesOpen = false;
        this.#awaited.push([waiting.step]);
        break;
      case "copy":
        if (waiting.ends === "done") this.#copyInEnded();
        break;
      case "terminate":
        this.#out.push({ kind: "forward", id, permit: decision.permit });
        this.#close("the client said goodbye");
        return;
      default:
        waiting satisfies never;
    }
    this.#out.push({ kind: "forward", id, permit: decision.permit });
  }

  /** Data of the next copy in the same Query may be here already: the server has to ask for it first. */
  #copyInEnded(): void {
    const step = this.#awaited.head;
    const isUnderWay = this.#copyIn; // else it has failed, and nothing more is read for it
    this.#copyIn = false;
    if (!isUnderWay || step?.kind !== "query") return;
    if (step.statements.filter(({ effects }) => effects.copy === "in").length > 1) this.#barrier = step;
  }

  #denied(waiting: Waiting, decision: Extract<Verdict, { kind: "deny" }>): void {
    const { sessionId } = this.#world;
    if (waiting.kind === "group") {
      this.#refuse(waiting.group, refusal(decision, sessionId));
      return;
    }
    // Connecting, or housekeeping that is permitted no longer: the connection ends.
    if (waiting.kind !== "terminate" && !this.#answers.isAmidMessage) this.#toClient(fatalRefusal(decision, sessionId));
    this.#close("refused by policy");
  }

  /** Something that must fail goes to the server in place of the group, so that its transaction fails too. */
  #refuse(group: Group, error: Buffer): void {
    group.undo();
    this.#isSeriesOpen = false; // a refused one without its Sync counts as dropping
    if (group.kind === "series" && group.ends === "open") this.#dropping = true;
    const { bytes, steps } = inPlaceOf(group, error, this.#requests.series - 1);
    this.#ask(REFUSED_ASKED, bytes, { kind: "refusal", steps });
  }

  #catalogQuestion(): PostgresQuestion {
    return this.#fresh ? { ...this.#question, fresh: true } : this.#question;
  }

  #look(why: Looking, question: PostgresQuestion): void {
    const id = ++this.#lastId;
    this.#looking = { id, why };
    this.#out.push({ kind: "look", id, question });
  }

  /** Whether the catalog is known for the next group; if not, it is asked for. */
  #hasFacts(): boolean {
    if (this.#looked) return true;
    const known = this.#fresh ? undefined : this.#world.known?.(this.#question);
    if (!isCatalogFacts(known)) {
      this.#look("requests", this.#catalogQuestion());
      return false;
    }
    this.#learn(known);
    this.#lookedUp = known;
    return true;
  }

  #facts(id: number, answer: LookAnswer): void {
    const looking = this.#looking;
    if (looking === undefined || looking.id !== id) throw new Error(`Cannot take the facts of look ${id}`);
    this.#looking = undefined;
    if (!isCatalogFacts(answer)) {
      this.#end("58000", "The catalog of the database could not be read", {
        isSilent: this.#answers.isAmidMessage,
      });
      return;
    }
    this.#learn(answer);
    if (looking.why === "greeting") this.#greet();
    else if (looking.why === "rows") this.#toClient(this.#answers.resume());
    else {
      this.#looked = true;
      this.#lookedUp = answer;
      this.#fresh = false;
    }
  }

  #learn(facts: CatalogFacts): void {
    const known = this.#catalog;
    this.#catalog = known === undefined ? facts : updated(known, facts);
    if (known?.version !== facts.version) this.#forgetPlans();
  }

  #forgetPlans(): void {
    this.#answers.forgetPlans();
    this.#forms?.clear();
  }

  #toClient(bytes: Uint8Array | undefined): void {
    if (bytes !== undefined) this.#out.push({ kind: "toClient", bytes });
  }

  /** Whether ending now cuts nothing short. A client that was let in and says nothing counts, too. */
  get #isAtRest(): boolean {
    if (this.#phase !== "ready") return this.#isQuiet && this.#phase === "opening";
    return this.#isQuiet && this.#isAnswered && !this.#answers.isInTransaction;
  }

  get #isQuiet(): boolean {
    return this.#waiting === undefined && this.#looking === undefined && this.#inlet.unread === 0;
  }

  /** The server owes nothing, and nothing that was begun is still to come. */
  get #isAnswered(): boolean {
    const isAnswered = this.#awaited.count === 0 && this.#barrier === undefined && !this.#answers.isAmid;
    return isAnswered && !this.#copyIn && !this.#dropping && !this.#isSeriesOpen;
  }

  /** Says why as the protocol does, then closes. Silent: the client would not understand it here. */
  #end(code: string, message: string, how: { readonly isSilent: boolean; readonly fault?: string }): void {
    if (!how.isSilent) this.#toClient(fatal(code, message, this.#world.sessionId));
    this.#close(message, how.fault);
  }

  /** What an unfinished answer has brought was brought all the same. */
  #noteCut(): void {
    const answer = this.#awaited.head?.answer;
    if (answer === undefined || answer.rows === 0) return;
    answer.output?.finish("cut");
    answer.error ??= CUT;
    this.#out.push({ kind: "note", entry: entryOf(answer) });
  }

  #close(reason: string, fault?: string): void {
    this.#phase = "closed";
    this.#noteCut();
    this.#waiting = undefined;
    this.#looking = undefined;
    this.#inlet.clear();
    this.#answers.close();
    this.#out.push(fault === undefined ? { kind: "close", reason } : { kind: "close", reason, fault });
  }
}

/** Of an answer that the session's end has cut off. */
const CUT = Object.freeze({ code: "cut", message: "The session ended within the answer" });

function isLastCall(event: SessionEvent): boolean {
  return event.kind === "drain" && event.fresh === "end";
}

/** A Sync has no body. */
const SYNC_BYTES = 5;
