/**
 * Which groups of messages a relay may carry past the session, and what they look like: one statement that changes nothing
 * the session keeps in mind (but the unnamed statement, which it hears of), alone in its group, whose answer had nothing in
 * it for us when the session saw it. What is not surely so makes no form, and costs the session's own way.
 */
import { isDeepStrictEqual } from "node:util";
import { FORM_BYTES_MAX, FORMS_MAX } from "../../base/limits.ts";
import type { Form, FormMessage, Place } from "../../model/form.ts";
import type { Asked, Operation } from "../../model/operation.ts";
import type { Statement } from "./actions.ts";
import { integersIn } from "./analysis/shape.ts";
import { BodyReader, HEADER_BYTES } from "./codec.ts";
import { CLIENT, SERVER } from "./messages.ts";
import { isNaming, type PreparedStatement } from "./prepared.ts";
import { formatAt, type Group, type Requests, readFormats } from "./requests.ts";
import type { Plan } from "./results.ts";
import type { Answer, Step } from "./steps.ts";

/** Of the same operation before one is followed: most come once. */
const SEEN_MIN = { auto: 1, always: 0 };

interface Made {
  readonly form: Form;
  readonly ran: Ran;
}

export class Forms {
  readonly #requests: Requests;
  readonly #seenMin: number;
  readonly #seen = new WeakMap<Operation, number>();
  readonly #left = new WeakMap<Form, PreparedStatement>();
  #made: Made[] = [];
  /** Traces of before a change are of no use after it. */
  #generation = 0;

  constructor(requests: Requests, mode: keyof typeof SEEN_MIN) {
    this.#requests = requests;
    this.#seenMin = SEEN_MIN[mode];
  }

  /** Those that still hold: a name may stand for something else by now. */
  get all(): readonly Form[] {
    const held = this.#made.filter(({ ran }) => ran.kind !== "named" || this.#holds(ran.statement));
    if (held.length < this.#made.length) this.#made = held;
    return held.map(({ form }) => form);
  }

  /** The policy or the catalog is another one. */
  clear(): void {
    this.#made = [];
    this.#generation++;
  }

  /** The group goes to the server: what comes back is looked at, if a form could come of it. */
  watch(group: Group): void {
    const [asked] = group.asked;
    if (asked === undefined) return;
    const seen = this.#seen.get(asked.operation) ?? 0;
    this.#seen.set(asked.operation, seen + 1);
    if (seen < this.#seenMin || !isPlain(group)) return;
    const ran = ranIn(group);
    if (ran === undefined || !this.#isDue(asked, ran, seen)) return;
    group.answer.trace = new Trace(asked, Buffer.from(group.bytes), ran, this.#generation);
  }

  /** The unnamed statement that the last group of this form leaves behind, as the server has it. */
  leftBy(form: Form): PreparedStatement | undefined {
    const statement = this.#left.get(form);
    return statement === undefined ? undefined : { ...statement, unsure: false };
  }

  /** The answer is there in full. */
  learn({ trace, error }: Answer): void {
    if (trace?.isPlain !== true || error !== undefined || trace.generation !== this.#generation) return;
    const { ran } = trace;
    const request = requestOf(trace.bytes, ran);
    if (request === undefined) return;
    const form: Form = {
      request,
      answer: trace.answer,
      hasRows: trace.hasRows,
      asked: trace.asked,
      isTextOpen: ran.kind === "query" && request[0]?.parts.includes("integer") === true,
      leaves: ran.kind === "unnamed",
    };
    const same = this.#made.find((known) => isSame(known, form));
    if (same !== undefined) {
      // An answer without rows says nothing of them; any other is what the server says now.
      const saysMore = (form.hasRows && !same.form.hasRows) || !isDeepStrictEqual(form.answer, same.form.answer);
      if (!saysMore) return;
      this.#made = this.#made.filter((known) => known !== same);
    }
    if (this.#made.length >= FORMS_MAX) this.#made.shift();
    this.#made.push({ form, ran });
    if (ran.kind === "unnamed") this.#left.set(form, ran.statement);
  }

  /** Ever more seldom where it has a form, or where there are more statements than forms: looking costs more than it saves. */
  #isDue(asked: Asked, ran: Ran, seen: number): boolean {
    if ((seen & (seen - 1)) === 0) return true;
    return this.#made.length < FORMS_MAX && !this.#made.some((made) => isLike(made, asked, ran));
  }

  #holds(statement: PreparedStatement): boolean {
    return !statement.unsure && this.#requests.statements.get(statement.name) === statement;
  }
}

function isSame({ form }: Made, { asked, request }: Form): boolean {
  return form.asked.operation === asked.operation && isDeepStrictEqual(form.request, request);
}

/** Whether a form of the one could do for the other. All housekeeping is one operation. */
function isLike({ form, ran }: Made, { operation, text }: Asked, other: Ran): boolean {
  if (form.asked.operation !== operation || ran.kind !== other.kind) return false;
  if (operation.actions.length === 0 && form.asked.text !== text) return false;
  return ran.kind !== "named" || other.kind !== "named" || ran.statement === other.statement;
}

/** What a group runs. */
type Ran =
  | {
      readonly kind: "query";
      readonly text: string;
      /** Other texts of its shape ask for the same. */
      readonly shareable: boolean;
    }
  /** "unnamed": it is parsed in the same group. */
  | { readonly kind: "named" | "unnamed"; readonly statement: PreparedStatement };

/** What the server has said to one group, as far as a form cares. */
export class Trace {
  readonly asked: Asked;
  readonly bytes: Buffer;
  readonly ran: Ran;
  readonly generation: number;
  readonly answer: Buffer[] = [];
  hasRows = false;
  /** Nothing has come but descriptions, rows and the word that it is complete. */
  isPlain = true;
  #isComplete = false;

  constructor(asked: Asked, bytes: Buffer, ran: Ran, generation: number) {
    this.generation = generation;
    this.asked = asked;
    this.bytes = bytes;
    this.ran = ran;
  }

  /** A message that has passed as it was; rows are told by `rows`. */
  note(bytes: Buffer, at: number, end: number): void {
    const type = bytes[at] ?? 0;
    if (this.#isComplete) this.isPlain &&= type === SERVER.readyForQuery;
    else if (type === SERVER.commandComplete) this.#isComplete = true;
    else if (DESCRIBES.has(type) && end - at <= FORM_BYTES_MAX) this.answer.push(Buffer.from(bytes.subarray(at, end)));
    else this.isPlain = false;
  }

  /** What the rows that may come are to be treated by. */
  rows({ masks, columns }: Plan): void {
    if (masks !== undefined) this.isPlain = false;
    this.hasRows = columns.length > 0;
  }
}

const DESCRIBES: ReadonlySet<number> = new Set([
  SERVER.parseComplete,
  SERVER.bindComplete,
  SERVER.rowDescription,
  SERVER.noData,
]);

function isPlain({ asked, bytes, barrier, definesSchema, isOriginal, answer }: Group): boolean {
  const [only] = asked;
  if (asked.length !== 1 || only === undefined || only.operation.forbidden !== undefined) return false;
  const isHere = only.prepared !== true && only.continues !== true && only.isData !== true;
  const isQuiet = barrier === undefined && !definesSchema && !answer.labelled && !answer.limited;
  return isHere && isQuiet && isOriginal && bytes.length <= FORM_BYTES_MAX;
}

/** Undefined: it keeps the session in mind of something, or names what is not sure. */
function ranIn({ kind, ends, steps }: Group): Ran | undefined {
  const [first] = steps;
  if (kind === "query") {
    if (first?.kind !== "query" || first.statements.length !== 1) return undefined;
    const [only] = first.statements;
    if (only === undefined || !isStill(only) || isNaming(only.text)) return undefined;
    return { kind: "query", text: only.text, shareable: only.shareable };
  }
  const isRun = steps.every(({ kind: step }) => SERIES.has(step)) && ends === "sync";
  const run = steps.find((step) => step.kind === "execute");
  const times = (kind: Step["kind"]) => steps.filter((step) => step.kind === kind).length;
  if (!isRun || run?.kind !== "execute" || times("bind") !== 1 || times("execute") !== 1) return undefined;
  const { name, statement } = run.portal;
  const [only] = statement.analysis.statements;
  const isUnnamed = statement.name === "";
  // What is parsed is what is run, or else it would have been asked for by itself.
  if (times("parse") !== (isUnnamed ? 1 : 0)) return undefined;
  if (name !== "" || statement.unsure || statement.isNaming) return undefined;
  if (statement.analysis.statements.length !== 1 || only === undefined || !isStill(only)) return undefined;
  return { kind: isUnnamed ? "unnamed" : "named", statement };
}

/** Of the protocol's housekeeping: it moves between transactions, which every ReadyForQuery tells of. */
const TRANSACTION = /^\s*(?:begin|commit|end|rollback)(?:\s+(?:work|transaction))?\s*;?\s*$/i;
const SERIES: ReadonlySet<string> = new Set(["parse", "bind", "describePortal", "execute", "sync"]);

/** Whether nothing that the session keeps in mind is another thing after it. */
function isStill({ operation, effects, text }: Statement): boolean {
  const { definesSchema, copy, labelled, resultVaries, runsCode, declares, fetches } = effects;
  const isKnown = !definesSchema && copy === "none" && !labelled && !resultVaries && !runsCode;
  const isNameless = declares === undefined && fetches === undefined;
  return isKnown && isNameless && (operation.actions.length > 0 || TRANSACTION.test(text));
}

/** Undefined: something in it would have to be recorded, and has no open place. */
function requestOf(bytes: Buffer, ran: Ran): readonly FormMessage[] | undefined {
  const messages: FormMessage[] = [];
  for (let at = 0; at < bytes.length; ) {
    const type = bytes[at] as number;
    const next = at + 1 + bytes.readInt32BE(at + 1);
    const body = bytes.subarray(at + HEADER_BYTES, next);
    const parts = partsOf(type, body, ran);
    if (parts === undefined) return undefined;
    messages.push({ type, parts });
    at = next;
  }
  return messages;
}

function partsOf(type: number, body: Buffer, ran: Ran): FormMessage["parts"] | undefined {
  if (type === CLIENT.query) return ran.kind === "query" ? partsOfQuery(body, ran.text, ran.shareable) : undefined;
  if (type === CLIENT.bind) return ran.kind === "query" ? undefined : partsOfBind(body, ran.statement.types);
  return [body];
}

function partsOfQuery(body: Buffer, recorded: string, shareable: boolean): FormMessage["parts"] | undefined {
  const text = body.toString("utf8", 0, body.length - 1);
  if (isNaming(text)) return undefined;
  // The text is recorded as it comes. Beyond ASCII digits have neighbours that are more than they seem.
  const isOpen = shareable && text === recorded && text.length === body.length - 1;
  const integers = (isOpen ? integersIn(text) : undefined) ?? [];
  const parts: (Uint8Array | "integer")[] = [];
  let from = 0;
  for (const { start, end } of integers) {
    parts.push(Buffer.from(text.slice(from, start)), "integer");
    from = end;
  }
  return [...parts, Buffer.from(`${text.slice(from)}\0`)];
}

/** Only with parameters that are text, or integers in binary form. */
function partsOfBind(bytes: Buffer, types: readonly number[]): FormMessage["parts"] | undefined {
  const body = new BodyReader(bytes, 0, bytes.length);
  body.text();
  body.text();
  const formats = readFormats(body);
  const count = body.count();
  const fixed = bytes.subarray(0, body.at);
  const places: Place[] = [];
  for (let at = 0; at < count; at++) {
    const place = placeOf(formatAt(formats, at), types[at] ?? 0);
    if (place === undefined) return undefined;
    places.push(place);
    const length = body.int32();
    if (length > 0) body.take(length);
  }
  return [fixed, ...places, bytes.subarray(body.at)];
}

/** Undefined: it is recorded as something else than its bytes or the integer in them (`parameterText`). */
function placeOf(format: number, type: number): Place | undefined {
  if (format === TEXT) return "value";
  if (format !== BINARY) return undefined;
  return TEXT_TYPES.has(type) ? "value" : INTEGERS.get(type);
}

const TEXT = 0;
const BINARY = 1;
/** Whose binary form is the text: text, bpchar, varchar. */
const TEXT_TYPES: ReadonlySet<number> = new Set([25, 1042, 1043]);
const INTEGERS: ReadonlyMap<number, Place> = new Map([
  [21, "int2"],
  [23, "int4"],
  [20, "int8"],
]);
