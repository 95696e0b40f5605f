/**
 * The server's side: matches every message with what was forwarded, masks rows, copies and errors,
 * and lets everything else through as untouched stretches of the server's own bytes. What does not
 * fit what was asked ends the session: a row without a known description is never shown.
 */
import { ProtocolError } from "../../base/errors.ts";
import { WATCHED_BYTES_MAX } from "../../base/limits.ts";
import type { Relayed } from "../../model/form.ts";
import type { ValueMask } from "../../model/mask.ts";
import type { OutputCaps, OutputEntry } from "../../model/session.ts";
import type { Effects } from "./actions.ts";
import { type Awaited, unexpected } from "./awaited.ts";
import { BodyReader, frameBytes, HEADER_BYTES, Inlet, Outlet, type UnreadBudget } from "./codec.ts";
import { CopyMask, type Sent } from "./copy.ts";
import { CopyColumns, copyMasks } from "./copy-columns.ts";
import { type ErrorScrub, scrubError, scrubNotification } from "./errors.ts";
import { type Outputs, UNKNOWN_OUTPUTS } from "./lineage/outputs.ts";
import { completed, SERVER } from "./messages.ts";
import { COPY_LINES, captureLines, OutputCapture, type OutputColumn } from "./output.ts";
import { forbiddenParameter } from "./parameter-status.ts";
import type { Requests } from "./requests.ts";
import {
  type Column,
  type Plan,
  type PlanSource,
  planOf,
  readColumns,
  type Tally,
  unresolvedTables,
} from "./results.ts";
import { captureRow, RowMasker, TOO_LONG } from "./rows.ts";
import { type Answer, addCount, addOutcome, type Step } from "./steps.ts";

export interface AnswersWorld {
  readonly requests: Requests;
  readonly scrub: ErrorScrub;
  /** For text of a COPY TO STDOUT. */
  readonly copyMask: ValueMask | undefined;
  /** What is kept of an answer's rows; absent: nothing. */
  readonly output?: { readonly caps: OutputCaps; readonly emit: (entry: OutputEntry) => void };
  /** As it is now: the catalog may have been fetched anew. */
  planSource(): PlanSource;
  /** The server's bytes wait until `resume`: these relations are not in the catalog facts. */
  look(oids: readonly number[]): void;
  copyInBegins(): void;
  copyInEnds(): void;
  /** Where the client waits for this step, it waits no more. */
  lift(step: Step): void;
}

/** Results whose description was seen lately, by the description's bytes. */
const PLANS_MAX = 256;
/** A description longer than this is read anew each time. */
const PLAN_KEY_MAX = 4 * 1024;
const NO_COLUMNS: readonly Column[] = Object.freeze([]);
const NO_ROWS: Plan = Object.freeze({ masks: undefined, onlyWatches: true, columns: [] });

interface KnownResult {
  readonly columns: readonly Column[];
  readonly plan: Plan;
}

export class Answers {
  readonly #world: AnswersWorld;
  readonly #inlet: Inlet;
  readonly #outlet = new Outlet();
  readonly #awaited: Awaited;
  /** Bytes of a message that still pass as they are. */
  #passing = 0;
  /** Until the client is greeted, and while facts are awaited. */
  #paused = true;
  /** Of the running result of a Query. */
  #plan: Plan | undefined;
  #copyOut: CopyMask | CopyColumns | "shown" | undefined;
  /** Of a copy that is shown as it is: counts what detectors find. */
  #copyWatch: CopyMask | undefined;
  /** As the server last said; a failed one counts until it is rolled back. */
  isInTransaction = false;
  readonly #known = new Map<string, KnownResult>();
  /** Tables that were looked for and not found, for the description that waits. */
  #unresolvable = false;
  /** A statement of this transaction touches labelled columns. */
  #wasLabelled = false;
  /** Statements of the running Query that are complete. */
  #completed = 0;
  /** Numbers for what results depend on: a known result's key. */
  readonly #outputNumbers = new WeakMap<Outputs, number>();
  #nextNumber = 0;

  constructor(awaited: Awaited, world: AnswersWorld, unread?: UnreadBudget) {
    this.#inlet = new Inlet(unread);
    this.#awaited = awaited;
    this.#world = world;
  }

  /** Whether the client has got the beginning of a message only, so that nothing of our own may follow. */
  get isAmidMessage(): boolean {
    return this.#passing > 0;
  }

  /** The server has begun to say something that is not whole yet. */
  get isAmid(): boolean {
    return this.#passing > 0 || this.#inlet.unread > 0;
  }

  /** Plans depend on policy and catalog. */
  forgetPlans(): void {
    this.#known.clear();
  }

  /** Undefined: nothing for the client. Throws ProtocolError. */
  receive(bytes: Uint8Array, room = 0): Uint8Array | undefined {
    this.#inlet.add(bytes, room);
    return this.#run();
  }

  /** The client is greeted: what the server has said since then may follow. */
  begin(): Uint8Array | undefined {
    this.#paused = false;
    return this.#run();
  }

  /** The session is over: what waits here is of no use any more. */
  close(): void {
    this.#paused = true;
    this.#inlet.clear();
  }

  /**
   * Somebody else has carried answers past: the server is at `status`, and the client has so much of the one in front. Throws
   * where that does not fit what the one in front may be.
   */
  carriedOn({ inFlight, passing, status, wasIdle }: Relayed): void {
    if (wasIdle) this.#atRest(IDLE, this.#world.requests.series);
    if (status !== 0) this.#atRest(status, this.#world.requests.series);
    const [head] = inFlight;
    if (head === undefined) return;
    const { form, step, outcome } = head;
    const answer = this.#awaited.head?.answer;
    this.#inlet.add(
      Buffer.concat([...form.answer.slice(0, step), ...(outcome === undefined ? [] : [completed(outcome)])]),
    );
    this.#run(); // the client has it
    if (this.#inlet.unread > 0 || answer === undefined) throw unexpected("that its form does not have");
    answer.rows = head.rows;
    answer.bytes = head.rowBytes;
    this.#passing = passing;
  }

  /** The facts that `look` asked for are there. */
  resume(): Uint8Array | undefined {
    this.#paused = false;
    this.#unresolvable = true;
    return this.#run();
  }

  #run(): Uint8Array | undefined {
    const inlet = this.#inlet;
    const outlet = this.#outlet;
    outlet.begin(inlet.bytes);
    while (!this.#paused && inlet.at < inlet.end) {
      if (this.#passing > 0) {
        const length = Math.min(this.#passing, inlet.unread);
        outlet.pass(inlet.at, inlet.at + length);
        inlet.at += length;
        this.#passing -= length;
      } else if (!this.#message(inlet)) break;
    }
    const out = outlet.finish();
    inlet.keep();
    return out;
  }

  /** False: the message is not complete. */
  #message(inlet: Inlet): boolean {
    const { bytes, at, end } = inlet;
    const type = bytes[at];
    if (type === SERVER.dataRow && this.#wholeRows(inlet)) return true;
    if (type === SERVER.dataRow || type === SERVER.copyData) {
      const length = frameBytes(bytes, at, end, BYTES_MAX);
      if (length === undefined) return false;
      if (this.#passesUnseen(type, length)) {
        this.#count(length);
        this.#passing = length;
        return true;
      }
    }
    const length = frameBytes(bytes, at, end);
    if (length === undefined || at + length > end) return false;
    const trace = this.#awaited.head?.answer?.trace;
    if (!this.#take(type as number, bytes, at, at + length)) return true;
    inlet.at = at + length;
    trace?.note(bytes, at, inlet.at);
    return true;
  }

  /** Every whole row that is here, in one go: nothing but the server's next message can change their plan. */
  #wholeRows(inlet: Inlet): boolean {
    const { bytes, end } = inlet;
    const plan = this.#rowPlan();
    const { answer } = this.#awaited.current();
    answer?.trace?.rows(plan);
    const masker = plan.masks && new RowMasker(plan.masks, this.#outlet, tallyOf(answer));
    const capture = this.#capture(answer, plan.columns);
    const from = inlet.at;
    let at = from;
    let rows = 0;
    while (at < end && bytes[at] === SERVER.dataRow) {
      const length = frameBytes(bytes, at, end, BYTES_MAX);
      if (length === undefined || at + length > end) break;
      const keeping = capture?.isCut === false ? capture : undefined;
      if (masker !== undefined) masker.write(bytes, at, at + length, keeping);
      else if (keeping !== undefined) captureRow(bytes, at, at + length, keeping);
      at += length;
      rows++;
    }
    if (rows === 0) return false;
    if (masker === undefined) this.#outlet.pass(from, at);
    else masker.tell();
    if (answer !== undefined) {
      answer.rows += rows;
      answer.bytes += at - from;
    }
    inlet.at = at;
    return true;
  }

  /** Whether a message of `length` bytes may go on before all of it is here. */
  #passesUnseen(type: number, length: number): boolean {
    const { answer } = this.#awaited.current();
    const plan = type === SERVER.dataRow ? this.#rowPlan() : undefined;
    if (plan !== undefined) answer?.trace?.rows(plan);
    const isShown = plan === undefined ? this.#copyOut === "shown" : plan.onlyWatches;
    if (!isShown) return false;
    const capture = this.#capture(answer, plan?.columns ?? COPY_LINES);
    const isCaptured = capture !== undefined && !capture.isCut && length <= capture.room;
    const isWatched = plan === undefined ? this.#copyWatch !== undefined : plan.masks !== undefined;
    if (isCaptured || (isWatched && length <= WATCHED_BYTES_MAX)) return false;
    capture?.cut();
    const tally = tallyOf(answer);
    if (isWatched) tally(plan === undefined ? "copy" : "(row)", TOO_LONG.by, "shown");
    for (const column of plan?.masks ?? []) {
      if (column?.mask.shownBy !== undefined) tally(column.name, column.mask.shownBy, "shown");
    }
    return true;
  }

  /** Undefined: nothing is kept of it. */
  #capture(answer: Answer | undefined, columns: readonly OutputColumn[]): OutputCapture | undefined {
    const { output } = this.#world;
    if (output === undefined || answer === undefined) return undefined;
    answer.output ??= new OutputCapture(output.caps, answer.askId, output.emit);
    answer.output.begin(columns);
    return answer.output;
  }

  #count(length: number): void {
    const answer = this.#awaited.head?.answer;
    if (answer === undefined) return;
    answer.rows++;
    answer.bytes += length;
  }

  /** Handles one whole message. False: it waits for facts. */
  #take(type: number, bytes: Buffer, at: number, end: number): boolean {
    const outlet = this.#outlet;
    const body = at + HEADER_BYTES;
    if (this.#awaited.head?.answer?.labelled === true) this.#wasLabelled = true;
    switch (type) {
      case SERVER.rowDescription:
        return this.#rowDescription(bytes, at, end);
      case SERVER.commandComplete:
      case SERVER.emptyQuery:
      case SERVER.portalSuspended:
        this.#complete(type, type === SERVER.commandComplete ? new BodyReader(bytes, body, end).text() : "");
        break;
      case SERVER.readyForQuery:
        this.#ready(bytes[body]);
        break;
      case SERVER.parseComplete:
      case SERVER.bindComplete:
      case SERVER.closeComplete:
        this.#prepared(type);
        break;
      case SERVER.parameterDescription:
        this.#parameterTypes(new BodyReader(bytes, body, end));
        break;
      case SERVER.noData:
        return this.#described({ columns: NO_COLUMNS, plan: NO_ROWS }, at, end);
      case SERVER.error:
        this.#error(bytes, at, end);
        return true;
      case SERVER.notice:
        outlet.put(scrubError(type, bytes, body, end, this.#scrub()).shown);
        return true;
      case SERVER.notification:
        outlet.put(scrubNotification(type, bytes, body, end, this.#world.scrub));
        return true;
      case SERVER.parameterStatus:
        this.#parameterStatus(new BodyReader(bytes, body, end));
        break;
      case SERVER.copyIn:
        this.#copyInBegins();
        break;
      case SERVER.copyOut:
        this.#copyOutBegins(new BodyReader(bytes, body, end));
        break;
      case SERVER.copyData:
        this.#copyData(bytes, at, end);
        return true;
      case SERVER.copyDone:
        this.#copyOutEnds();
        break;
      default:
        throw unexpected(`of type ${type}`);
    }
    outlet.pass(at, end);
    return true;
  }

  #rowDescription(bytes: Buffer, at: number, end: number): boolean {
    const body = at + HEADER_BYTES;
    const outputs = this.#outputs();
    const source = this.#world.planSource();
    const isOutdated = source.catalog !== undefined && this.#catalogVersion() !== source.catalog.version;
    const isKept = end - body <= PLAN_KEY_MAX && !isOutdated;
    const key = isKept ? this.#number(outputs) + bytes.toString("latin1", body, end) : undefined;
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) return this.#described(known, at, end);
    const columns = readColumns(bytes, body, end);
    const unresolved = source.catalog === undefined ? [] : unresolvedTables(columns, source.catalog);
    if (unresolved.length > 0 && !this.#unresolvable) {
      this.#paused = true;
      this.#world.look(unresolved);
      return false;
    }
    this.#unresolvable = false;
    const result = { columns, plan: planOf(columns, undefined, outputs, { ...source, isOutdated }) };
    if (key !== undefined && unresolved.length === 0) {
      if (this.#known.size >= PLANS_MAX) this.#known.clear();
      this.#known.set(key, result);
    }
    return this.#described(result, at, end);
  }

  /** What the analysis says of the statement whose result comes now. */
  #effects(): Effects | undefined {
    const step = this.#awaited.current();
    switch (step.kind) {
      case "query":
        return step.statements[this.#completed]?.effects;
      case "describeStatement":
        return step.statement.analysis.statements[0]?.effects;
      case "describePortal":
      case "execute":
        return step.portal.statement.analysis.statements[0]?.effects;
      default:
        return undefined;
    }
  }

  #outputs(): Outputs {
    const step = this.#awaited.current();
    const effects = this.#effects();
    if (effects === undefined || ("portal" in step && step.portal.unsure)) return UNKNOWN_OUTPUTS;
    return effects.fetches === undefined ? effects.outputs : this.#world.requests.cursors.outputsOf(effects.fetches);
  }

  /** Of the catalog in which the running statement was followed. */
  #catalogVersion(): string {
    const step = this.#awaited.current();
    if (step.kind === "query") return step.catalogVersion;
    if (step.kind === "describeStatement") return step.statement.catalogVersion;
    return "portal" in step ? step.portal.statement.catalogVersion : "";
  }

  #number(outputs: Outputs): string {
    let number = this.#outputNumbers.get(outputs);
    if (number === undefined) {
      number = this.#nextNumber++;
      this.#outputNumbers.set(outputs, number);
    }
    return `${number} `;
  }

  #described({ columns, plan }: KnownResult, at: number, end: number): true {
    const step = this.#awaited.current();
    step.answer?.trace?.rows(plan);
    if (step.kind === "query" && columns !== NO_COLUMNS) this.#plan = plan;
    else if (step.kind === "describeStatement") {
      step.statement.columns = columns;
      this.#awaited.done(step);
    } else if (step.kind === "describePortal") {
      step.portal.plan = plan;
      step.portal.statement.columns = columns;
      this.#awaited.done(step);
      if (step.shown === "none") return true;
    } else throw unexpected("that describes rows");
    this.#outlet.pass(at, end);
    return true;
  }

  /** The plan of the rows that come now. Throws when nobody has described them. */
  #rowPlan(): Plan {
    const step = this.#awaited.current();
    let plan: Plan | undefined;
    if (step.kind === "query") plan = this.#plan;
    else if (step.kind === "execute") {
      const { portal } = step;
      const { columns } = portal.statement;
      if (portal.plan === undefined && columns !== undefined) {
        const source = this.#world.planSource();
        if (source.catalog === undefined) portal.plan = planOf(columns, portal.formats, this.#outputs(), source);
      }
      plan = portal.plan;
    }
    if (plan === undefined || plan === NO_ROWS) throw unexpected("with a row that was not described");
    return plan;
  }

  #complete(type: number, tag: string): void {
    const step = this.#awaited.current();
    if (step.answer && tag !== "") addOutcome(step.answer, tag);
    this.#world.copyInEnds();
    if (step.kind === "execute") this.#awaited.done(step);
    else if (step.kind === "query" && type !== SERVER.portalSuspended) {
      this.#plan = undefined;
      this.#completed++;
    } else throw unexpected("that completes a statement");
  }

  #ready(status: number | undefined): void {
    const step = this.#awaited.current();
    if (step.kind !== "query" && step.kind !== "sync") throw unexpected("that is ready for a query");
    this.#plan = undefined;
    this.#completed = 0;
    this.#copyOut = undefined;
    this.#atRest(status, step.series);
    this.#awaited.done(step);
  }

  #atRest(status: number | undefined, series: number): void {
    this.isInTransaction = status !== IDLE;
    if (this.isInTransaction) return;
    this.#wasLabelled = false;
    this.#world.requests.dropPortals(series);
  }

  #prepared(type: number): void {
    const step = this.#awaited.current();
    if (step.kind !== CONFIRMS[type] || (step.kind === "parse" && step.refusal !== undefined)) {
      throw unexpected(`of type ${type}`);
    }
    if (step.kind === "parse" || step.kind === "bind" || step.kind === "close") step.change?.confirm();
    this.#awaited.done(step);
  }

  #parameterTypes(body: BodyReader): void {
    const step = this.#awaited.current();
    if (step.kind !== "describeStatement") throw unexpected("that describes parameters");
    const types: number[] = [];
    for (let left = body.count(); left > 0; left--) types.push(body.oid());
    step.statement.types = types;
  }

  /** Of what touches no labelled column: a COMMIT may quote what was written before it. */
  #scrub(): ErrorScrub {
    const { scrub } = this.#world;
    if (scrub.values === "shown") return scrub;
    const isClean = !this.#wasLabelled && this.#awaited.head?.answer?.labelled === false;
    return isClean ? scrub : { ...scrub, values: "hidden" };
  }

  #error(bytes: Buffer, at: number, end: number): void {
    const error = scrubError(SERVER.error, bytes, at + HEADER_BYTES, end, this.#scrub());
    const step = this.#awaited.head;
    const refusal = step?.kind === "query" || step?.kind === "parse" ? step.refusal : undefined;
    this.#outlet.put(error.fatal ? error.shown : (refusal ?? error.shown));
    this.#plan = undefined;
    this.#copyOut = undefined;
    this.#world.copyInEnds();
    if (step === undefined || error.fatal) return;
    if (step.answer) step.answer.error ??= { code: error.code, message: error.message };
    if (step.kind === "query" || step.kind === "sync") {
      if (step.kind === "query") this.#world.lift(step);
      return;
    }
    this.#awaited.failSeries();
  }

  #parameterStatus(body: BodyReader): void {
    const name = body.text();
    if (forbiddenParameter(name, body.text())) {
      throw new ProtocolError("PARAMETER_CHANGED", `Cannot go on: the server has changed ${name}`);
    }
  }

  #copyInBegins(): void {
    const step = this.#awaited.current();
    if (step.kind !== "query" && step.kind !== "execute") throw unexpected("that begins a copy");
    if (step.kind === "execute") this.#awaited.dropSyncs();
    this.#world.copyInBegins();
    this.#world.lift(step);
  }

  #copyOutBegins(body: BodyReader): void {
    const step = this.#awaited.current();
    if (step.kind !== "query" && step.kind !== "execute") throw unexpected("that begins a copy");
    const binary = body.byte() !== 0;
    const count = body.count();
    const { copyMask } = this.#world;
    const masks = copyMasks(this.#outputs(), count, this.#world.planSource());
    const watches = copyMask?.onlyWatches === true;
    this.#copyWatch = masks === undefined && watches && !binary ? new CopyMask(copyMask, count) : undefined;
    if (masks === undefined && (copyMask === undefined || watches)) this.#copyOut = "shown";
    else if (binary) throw new ProtocolError("COPY_BINARY", "Cannot go on: a copy in binary form cannot be masked");
    else if (masks === undefined) this.#copyOut = new CopyMask(copyMask as ValueMask, count);
    else {
      const form = this.#effects()?.copyForm;
      if (form === undefined) throw new ProtocolError("COPY_FORM", "Cannot go on: the form of a copy is not known");
      this.#copyOut = new CopyColumns(masks, form);
    }
  }

  #copyData(bytes: Buffer, at: number, end: number): void {
    const step = this.#awaited.current();
    if (this.#copyOut === undefined) throw unexpected("with data of a copy");
    this.#count(end - at);
    const sent = this.#sent(step.answer);
    if (this.#copyOut === "shown") {
      this.#outlet.pass(at, end);
      const data = bytes.subarray(at + HEADER_BYTES, end);
      this.#copyWatch?.watch(data, tallyOf(step.answer));
      sent?.(data);
    } else this.#copyOut.write(bytes, at, end, this.#outlet, tallyOf(step.answer), sent);
  }

  #sent(answer: Answer | undefined): Sent | undefined {
    const capture = this.#capture(answer, COPY_LINES);
    return capture === undefined || capture.isCut ? undefined : (data) => captureLines(data, capture);
  }

  #copyOutEnds(): void {
    const step = this.#awaited.current();
    if (this.#copyOut === undefined) throw unexpected("that ends a copy");
    if (this.#copyOut !== "shown") this.#copyOut.end(this.#outlet, tallyOf(step.answer), this.#sent(step.answer));
    this.#copyOut = undefined;
  }
}

function tallyOf(answer: Answer | undefined): Tally {
  return (column, by, fate, count) => {
    if (answer !== undefined) addCount(answer, column, by, fate, count);
  };
}

/** By the message that says that it is done. */
const CONFIRMS: Readonly<Record<number, Step["kind"]>> = {
  [SERVER.parseComplete]: "parse",
  [SERVER.bindComplete]: "bind",
  [SERVER.closeComplete]: "close",
};
const IDLE = 0x49;
/** A message that passes unseen may be as long as PostgreSQL makes them. */
const BYTES_MAX = 0x7fff_ffff;
