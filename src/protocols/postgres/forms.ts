/**
 * Which groups of messages a relay may carry past the session, and what they look like: one statement that changes nothing
 * the session keeps in mind, alone in its group, whose answer had nothing in it for us when the session saw it. What is
 * not surely so makes no form, and costs the session's own way.
 */
import { isDeepStrictEqual } from "node:util";
import { FORM_BYTES_MAX, FORMS_MAX } from "../../base/limits.ts";
import type { Form, FormMessage } from "../../model/form.ts";
import type { Asked, Operation } from "../../model/operation.ts";
import type { Statement } from "./actions.ts";
import { integersIn } from "./analysis/shape.ts";
import { BodyReader, HEADER_BYTES } from "./codec.ts";
import { CLIENT, SERVER } from "./messages.ts";
import { isNaming, type PreparedStatement } from "./prepared.ts";
import type { Group, Requests } from "./requests.ts";
import type { Plan } from "./results.ts";
import type { Answer } from "./steps.ts";

/** Of the same operation before one is followed: most come once. */
const SEEN_MIN = { auto: 1, always: 0 };

interface Made {
  readonly form: Form;
  /** What the name in it stood for; undefined: there is none in it. */
  readonly statement: PreparedStatement | undefined;
}

export class Forms {
  readonly #requests: Requests;
  readonly #seenMin: number;
  readonly #seen = new WeakMap<Operation, number>();
  #made: Made[] = [];
  /** Traces of before a change are of no use after it. */
  #generation = 0;

  constructor(requests: Requests, mode: keyof typeof SEEN_MIN) {
    this.#requests = requests;
    this.#seenMin = SEEN_MIN[mode];
  }

  /** Those that still hold: a name may stand for something else by now. */
  get all(): readonly Form[] {
    const held = this.#made.filter(({ statement }) => statement === undefined || this.#holds(statement));
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
    if (seen < this.#seenMin || !this.#isDue(asked.operation, seen) || !isPlain(group)) return;
    const ran = ranIn(group);
    if (ran !== undefined) group.answer.trace = new Trace(asked, Buffer.from(group.bytes), ran, this.#generation);
  }

  /** The answer is there in full. */
  learn({ trace, error }: Answer): void {
    if (trace?.isPlain !== true || error !== undefined || trace.generation !== this.#generation) return;
    const request = requestOf(trace.bytes, trace.ran);
    if (request === undefined) return;
    const form: Form = {
      request,
      answer: trace.answer,
      hasRows: trace.hasRows,
      asked: trace.asked,
      isTextOpen: trace.ran.statement === undefined && request[0]?.parts.includes("integer") === true,
    };
    const same = this.#made.find((known) => isSame(known, form));
    if (same !== undefined) {
      // An answer without rows says nothing of them; any other is what the server says now.
      const saysMore = (form.hasRows && !same.form.hasRows) || !isDeepStrictEqual(form.answer, same.form.answer);
      if (!saysMore) return;
      this.#made = this.#made.filter((known) => known !== same);
    }
    if (this.#made.length >= FORMS_MAX) this.#made.shift();
    this.#made.push({ form, statement: trace.ran.statement });
  }

  /** Ever more seldom where it has a form, or where there are more statements than forms: looking costs more than it saves. */
  #isDue(operation: Operation, seen: number): boolean {
    if ((seen & (seen - 1)) === 0) return true;
    return this.#made.length < FORMS_MAX && !this.#made.some(({ form }) => form.asked.operation === operation);
  }

  #holds(statement: PreparedStatement): boolean {
    return !statement.unsure && this.#requests.statements.get(statement.name) === statement;
  }
}

function isSame({ form }: Made, { asked, request }: Form): boolean {
  return form.asked.operation === asked.operation && isDeepStrictEqual(form.request, request);
}

/** What a group runs. */
interface Ran {
  readonly text: string;
  /** Other texts of its shape ask for the same. */
  readonly shareable: boolean;
  /** Undefined: a Query. */
  readonly statement: PreparedStatement | undefined;
}

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

const DESCRIBES: ReadonlySet<number> = new Set([SERVER.bindComplete, SERVER.rowDescription, SERVER.noData]);

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
    return { text: only.text, shareable: only.shareable, statement: undefined };
  }
  const isRun = steps.every(({ kind: step }) => SERIES.has(step)) && ends === "sync";
  const run = steps.find((step) => step.kind === "execute");
  if (!isRun || run?.kind !== "execute" || steps.filter(({ kind: step }) => step === "bind").length !== 1)
    return undefined;
  const { name, statement } = run.portal;
  const [only] = statement.analysis.statements;
  if (name !== "" || statement.name === "" || statement.unsure || statement.isNaming) return undefined;
  if (statement.analysis.statements.length !== 1 || only === undefined || !isStill(only)) return undefined;
  return { text: statement.text, shareable: false, statement };
}

/** Of the protocol's housekeeping: it moves between transactions, which every ReadyForQuery tells of. */
const TRANSACTION = /^\s*(?:begin|commit|end|rollback)(?:\s+(?:work|transaction))?\s*;?\s*$/i;
const SERIES: ReadonlySet<string> = new Set(["bind", "describePortal", "execute", "sync"]);

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
    const parts = type === CLIENT.query ? partsOfQuery(body, ran) : type === CLIENT.bind ? partsOfBind(body) : [body];
    if (parts === undefined) return undefined;
    messages.push({ type, parts });
    at = next;
  }
  return messages;
}

function partsOfQuery(body: Buffer, { text: recorded, shareable }: Ran): FormMessage["parts"] | undefined {
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

/** Only with parameters in text form that are not NULL. */
function partsOfBind(bytes: Buffer): FormMessage["parts"] | undefined {
  const body = new BodyReader(bytes, 0, bytes.length);
  body.text();
  body.text();
  for (let left = body.count(); left > 0; left--) if (body.int16() !== TEXT) return undefined;
  const count = body.count();
  const fixed = bytes.subarray(0, body.at);
  for (let left = count; left > 0; left--) {
    const length = body.int32();
    if (length < 0) return undefined;
    body.take(length);
  }
  return [fixed, ...Array.from({ length: count }, () => "value" as const), bytes.subarray(body.at)];
}

const TEXT = 0;
