/**
 * One PostgreSQL session: from the client's first packet to its end. Waits where it has to (for TLS, a
 * verdict, facts, an answer), hands every group of messages to policy before the server sees it, and
 * never sends a byte to the server that no permit owns.
 */
import { ProtocolError } from "../../base/errors.ts";
import { PIPELINE_MAX } from "../../base/limits.ts";
import type { Decision } from "../../model/decision.ts";
import type { ColumnFacts } from "../../model/mask.ts";
import type { Asked } from "../../model/operation.ts";
import type { SessionWorld } from "../../model/protocol.ts";
import type { LookAnswer, Session, SessionCommand, SessionEvent } from "../../model/session.ts";
import type { AnalysisScope } from "./actions.ts";
import { Answers } from "./answers.ts";
import { type CatalogFacts, hasLabels, type PostgresQuestion, withClean } from "./catalog.ts";
import { frameBytes, Inlet } from "./codec.ts";
import {
  authenticationOk,
  backendKeyData,
  CLIENT,
  fatal,
  negotiateProtocolVersion,
  parameterStatus,
  readyForQuery,
} from "./messages.ts";
import { forbiddenParameter, NEEDED_PARAMETERS } from "./parameter-status.ts";
import { FAILING_PARSE, FAILING_QUERY, FAILING_SERIES, fatalRefusal, housekeeping, refusal } from "./refuse.ts";
import { type Analyse, type Group, type Next, nextOf, Requests } from "./requests.ts";
import { type LoginRequest, readOpening, type Startup } from "./startup.ts";
import { entryOf, type Step } from "./steps.ts";

/** What the login machine learned, for the client's greeting. */
export interface Greeting {
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** Transaction status of the first ReadyForQuery. */
  readonly status: string;
}

type Phase = "opening" | "securing" | "connecting" | "ready" | "closed";

/** What an unanswered ask is for. */
type Waiting =
  | { readonly kind: "connect"; readonly startup: Startup }
  | { readonly kind: "group"; readonly group: Group }
  /** The failing statement in place of a refused group. */
  | { readonly kind: "refusal"; readonly steps: readonly Step[] }
  | { readonly kind: "copy"; readonly ends: "open" | "done" }
  | { readonly kind: "sync"; readonly step: Step }
  | { readonly kind: "terminate" };

/** What facts are awaited for. */
type Looking = "greeting" | "requests" | "rows";

const TEXT_FACTS = { schema: "", table: "", labels: [], valueKind: "text", format: "text" } as const;
const COPY_ASKED = housekeeping("CopyData");
const SYNC_ASKED = housekeeping("Sync");
const TERMINATE_ASKED = housekeeping("Terminate");
const REFUSED_ASKED = housekeeping("(a statement that fails, in place of the refused one)");
const NOTHING = Buffer.alloc(0);

export class PostgresSession implements Session {
  readonly #world: SessionWorld;
  readonly #analyse: Analyse;
  readonly #labelled: boolean;
  readonly #masksCopies: boolean;
  readonly #inlet = new Inlet();
  readonly #requests = new Requests();
  readonly #answers: Answers;
  #out: SessionCommand[] = [];
  #phase: Phase = "opening";
  #encryption: "none" | "refused" | "on" = "none";
  /** Of asks and looks alike. */
  #lastId = 0;
  #waiting: Waiting | undefined;
  #waitingId = 0;
  #looking: { readonly id: number; readonly why: Looking } | undefined;
  #greeting: Greeting | undefined;
  #catalog: CatalogFacts | undefined;
  /** The facts were fetched for the group that is next. */
  #looked = false;
  #fresh = false;
  #barrier: Step | undefined;
  #copyIn = false;
  /** Refused: what comes before the next Sync is dropped. */
  #dropping = false;
  #policy = "";

  constructor(world: SessionWorld, analyse: Analyse) {
    this.#world = world;
    this.#analyse = analyse;
    this.#labelled = hasLabels(world.connection.data);
    const copyFacts: ColumnFacts = { ...TEXT_FACTS, name: "copy" };
    const copyMask = world.maskFor(copyFacts);
    this.#masksCopies = copyMask !== undefined;
    this.#answers = new Answers({
      requests: this.#requests,
      scrub: { labelled: this.#labelled, mask: world.maskFor({ ...TEXT_FACTS, name: "error" }) },
      copyMask,
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
      lift: (step) => {
        if (step === this.#barrier) this.#barrier = undefined;
      },
      answerDone: (answer) => this.#out.push({ kind: "note", entry: entryOf(answer) }),
    });
  }

  handle(event: SessionEvent): readonly SessionCommand[] {
    this.#out = [];
    if (this.#phase === "closed") return this.#out;
    const amid = this.#answers.isAmidMessage;
    try {
      this.#take(event, amid);
      this.#pump();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const isSecuring = this.#phase === "securing";
      this.#end("08P01", error.message, { isSilent: amid || isSecuring, fault: error.code });
    }
    this.#inlet.keep();
    return this.#out;
  }

  #take(event: SessionEvent, amid: boolean): void {
    switch (event.kind) {
      case "start":
        return;
      case "client":
        if (this.#phase === "securing") {
          throw new ProtocolError("UNENCRYPTED", "Cannot go on: unencrypted data followed the request for TLS");
        }
        this.#inlet.add(event.bytes);
        return;
      case "server":
        this.#toClient(this.#answers.receive(event.bytes));
        return;
      case "verdict":
        this.#verdict(event.id, event.decision);
        return;
      case "facts":
        this.#facts(event.id, event.answer);
        return;
      case "secured":
        this.#encryption = "on";
        this.#phase = "opening";
        return;
      case "loggedIn":
        this.#loggedIn(event.greeting as Greeting);
        return;
      case "loginFailed":
        this.#end(sqlState(event.code), event.message, { isSilent: false });
        return;
      case "stop":
        this.#end("57P01", event.reason, { isSilent: amid || this.#phase === "securing" });
        return;
      case "ended":
        this.#close(event.side === "client" ? "the client has gone" : "the server has gone");
        return;
      default:
        event satisfies never;
    }
  }

  /** Goes on with what the client has sent, as far as nothing is waited for. */
  #pump(): void {
    while (this.#waiting === undefined && this.#looking === undefined && this.#barrier === undefined) {
      if (this.#phase === "opening") {
        if (!this.#open()) return;
      } else if (this.#phase !== "ready" || this.#answers.awaited >= PIPELINE_MAX) return;
      else if (this.#copyIn ? !this.#copyNext() : !this.#requestNext()) return;
    }
  }

  /** False: wait. */
  #open(): boolean {
    const opening = readOpening(this.#inlet);
    switch (opening.kind) {
      case "more":
        return false;
      case "sslRequest":
        if (this.#encryption === "on" || this.#inlet.unread > 0) {
          throw new ProtocolError("UNENCRYPTED", "Cannot go on: unencrypted data followed the request for TLS");
        }
        this.#toClient(Buffer.from("S"));
        this.#out.push({ kind: "secure", side: "client", unread: NOTHING });
        this.#phase = "securing";
        return false;
      case "directTls": {
        if (this.#encryption !== "none") throw new ProtocolError("TLS_TWICE", "Cannot begin TLS here");
        const { bytes, at, end } = this.#inlet;
        const unread = Buffer.from(bytes.subarray(at, end));
        this.#inlet.clear();
        this.#out.push({ kind: "secure", side: "client", unread, alpn: "postgresql" });
        this.#phase = "securing";
        return false;
      }
      case "gssRequest":
        if (this.#encryption !== "none") throw new ProtocolError("GSS_TWICE", "Cannot answer a second GSSENCRequest");
        this.#encryption = "refused";
        this.#toClient(Buffer.from("N"));
        return true;
      case "cancel":
        this.#out.push({ kind: "cancel", key: opening.key });
        this.#close("a cancel request");
        return false;
      case "refused":
        this.#end(opening.code, opening.message, { isSilent: false });
        return false;
      case "startup":
        this.#connect(opening.startup);
        return false;
      default:
        return opening satisfies never;
    }
  }

  #connect(startup: Startup): void {
    const { user, database, unsupported, isNewer } = startup;
    if (isNewer || unsupported.length > 0) this.#toClient(negotiateProtocolVersion(unsupported));
    this.#phase = "connecting";
    const operation = { actions: [{ name: "connect", facts: { database, user } }] };
    this.#ask([{ operation, text: `connect to ${database}` }], NOTHING, { kind: "connect", startup });
  }

  #loggedIn(greeting: Greeting): void {
    for (const name of NEEDED_PARAMETERS) {
      if (greeting.parameters.some(([reported]) => reported === name)) continue;
      this.#end("08P01", `The server did not report ${name}`, { isSilent: false });
      return;
    }
    for (const [name, value] of greeting.parameters) {
      if (!forbiddenParameter(name, value)) continue;
      this.#end("08P01", `The server's ${name} has a value that cannot be guarded`, { isSilent: false });
      return;
    }
    this.#greeting = greeting;
    if (this.#labelled) this.#look("greeting", this.#catalogQuestion());
    else this.#greet();
  }

  #greet(): void {
    const { parameters, status } = this.#greeting as Greeting;
    this.#toClient(
      Buffer.concat([
        authenticationOk(),
        ...parameters.map(([name, value]) => parameterStatus(name, value)),
        backendKeyData(this.#world.cancelKey),
        readyForQuery(status),
      ]),
    );
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
    if (this.#dropping) {
      inlet.at = end;
      if (ends === "open") return true;
      this.#dropping = false;
      const step: Step = { kind: "sync", answer: undefined, series: this.#requests.series++ };
      this.#ask(SYNC_ASKED, bytes.subarray(end - SYNC_BYTES, end), { kind: "sync", step });
      return true;
    }
    if (this.#labelled && isJudged && !this.#looked) {
      this.#look("requests", this.#catalogQuestion());
      return true;
    }
    this.#looked = false;
    const group = this.#requests.read(bytes, at, end, {
      analyse: this.#analyse,
      scope: this.#scope(),
      masksCopies: this.#masksCopies,
      labelled: this.#labelled,
    });
    inlet.at = end;
    this.#ask(group.asked, group.bytes, { kind: "group", group });
    return true;
  }

  /** Forwards what there is of a copy's data. False: wait for more. */
  #copyNext(): boolean {
    const inlet = this.#inlet;
    const from = inlet.at;
    for (let at = from; ; ) {
      const length = frameBytes(inlet.bytes, at, inlet.end);
      const whole = length !== undefined && at + length <= inlet.end;
      const type = whole ? inlet.bytes[at] : undefined;
      if (type === CLIENT.copyData) {
        at += length as number;
        inlet.at = at;
        continue;
      }
      if (type === CLIENT.copyDone || type === CLIENT.copyFail) {
        inlet.at = at + (length as number);
        this.#ask(COPY_ASKED, inlet.bytes.subarray(from, inlet.at), { kind: "copy", ends: "done" });
        return true;
      }
      if (at > from) {
        this.#ask(COPY_ASKED, inlet.bytes.subarray(from, at), { kind: "copy", ends: "open" });
        return true;
      }
      if (type === undefined) return false;
      inlet.at = at + (length as number);
      // The server ignores Flush and Sync while it copies.
      if (type === CLIENT.flush || type === CLIENT.sync) return true;
      if (type !== CLIENT.terminate) throw new ProtocolError("COPY_MESSAGE", "Cannot go on: a copy is under way");
      this.#ask(TERMINATE_ASKED, inlet.bytes.subarray(at, inlet.at), { kind: "terminate" });
      return true;
    }
  }

  #ask(asked: readonly Asked[], bytes: Uint8Array, waiting: Waiting): void {
    this.#waiting = waiting;
    this.#waitingId = ++this.#lastId;
    this.#out.push({ kind: "ask", id: this.#waitingId, asked, bytes });
  }

  #verdict(id: number, decision: Decision): void {
    const waiting = this.#waiting;
    if (waiting === undefined || id !== this.#waitingId) throw new Error(`Cannot take the verdict of ask ${id}`);
    this.#waiting = undefined;
    if (decision.policy !== this.#policy) this.#answers.forgetPlans();
    this.#policy = decision.policy;
    if (decision.kind === "deny") {
      this.#denied(waiting, decision);
      return;
    }
    switch (waiting.kind) {
      case "connect": {
        const { database, parameters } = waiting.startup;
        const request: LoginRequest = { database, parameters };
        this.#out.push({ kind: "login", id, permit: decision.permit, request });
        return;
      }
      case "group": {
        const { group } = waiting;
        if (group.asked.some(({ operation }) => operation.forbidden !== undefined)) {
          throw new Error("Cannot forward what is forbidden");
        }
        group.answer.askId = id;
        this.#barrier = group.barrier;
        if (group.definesSchema) this.#fresh = true;
        this.#answers.expect(group.steps);
        break;
      }
      case "refusal":
        this.#answers.expect(waiting.steps);
        break;
      case "sync":
        this.#answers.expect([waiting.step]);
        break;
      case "copy":
        if (waiting.ends === "done") this.#copyIn = false;
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

  #denied(waiting: Waiting, decision: Extract<Decision, { kind: "deny" }>): void {
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
    const series = this.#requests.series - 1;
    if (group.kind === "query") {
      const step: Step = { kind: "query", answer: undefined, refusal: error, series };
      this.#ask(REFUSED_ASKED, FAILING_QUERY, { kind: "refusal", steps: [step] });
      return;
    }
    const failing: Step = { kind: "parse", answer: undefined, statement: undefined, refusal: error };
    if (group.ends === "open") {
      this.#dropping = true;
      this.#ask(REFUSED_ASKED, FAILING_PARSE, { kind: "refusal", steps: [failing] });
      return;
    }
    const steps: Step[] = [failing, { kind: "sync", answer: undefined, series }];
    this.#ask(REFUSED_ASKED, FAILING_SERIES, { kind: "refusal", steps });
  }

  #scope(): AnalysisScope {
    return { data: this.#world.connection.data, catalog: this.#catalog };
  }

  #catalogQuestion(): PostgresQuestion {
    const question = { kind: "catalog", labels: this.#world.connection.data } as const;
    return this.#fresh ? { ...question, fresh: true } : question;
  }

  #look(why: Looking, question: PostgresQuestion): void {
    const id = ++this.#lastId;
    this.#looking = { id, why };
    this.#out.push({ kind: "look", id, question });
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
      this.#fresh = false;
    }
  }

  #learn(facts: CatalogFacts): void {
    if (this.#catalog === undefined || this.#catalog.version !== facts.version) {
      this.#catalog = facts;
      this.#answers.forgetPlans();
    } else if (facts.clean.size > 0) this.#catalog = withClean(this.#catalog, facts.clean);
  }

  #toClient(bytes: Uint8Array | undefined): void {
    if (bytes !== undefined) this.#out.push({ kind: "toClient", bytes });
  }

  /** Says why as the protocol does, then closes. Silent: the client would not understand it here. */
  #end(code: string, message: string, how: { readonly isSilent: boolean; readonly fault?: string }): void {
    if (!how.isSilent) this.#toClient(fatal(code, message));
    this.#close(message, how.fault);
  }

  #close(reason: string, fault?: string): void {
    this.#phase = "closed";
    this.#waiting = undefined;
    this.#looking = undefined;
    this.#inlet.clear();
    this.#out.push(fault === undefined ? { kind: "close", reason } : { kind: "close", reason, fault });
  }
}

/** A Sync has no body. */
const SYNC_BYTES = 5;

/** The SQLSTATE of a failed login: the server's own, or one that says what kind of failure it was. */
function sqlState(code: string): string {
  if (/^[0-9A-Z]{5}$/.test(code)) return code;
  return code.startsWith("UPSTREAM_AUTH") || code.startsWith("UPSTREAM_SCRAM") ? "28000" : "08006";
}

function isCatalogFacts(answer: LookAnswer): answer is CatalogFacts {
  return typeof answer === "object" && answer !== null && "relations" in answer && answer.relations instanceof Map;
}
