/** What arrived at a client, taken apart: where a canary stood in it, who refused, and what can be compared. */
import { fieldsOf, type ReadMessage } from "../kit/wire.ts";
import type { Finder } from "./needles.ts";

/** Where in an answer something stood. */
export type Place = "rows" | "COPY data" | "error" | "notice" | "notification" | "description" | "other";

export interface Answer {
  readonly messages: readonly ReadMessage[];
  /** The values of rows, the data of a COPY, the texts of notices, in order. */
  readonly values: readonly Buffer[];
  readonly errors: readonly Fields[];
  /** Everything, also what did not make a whole message. */
  readonly bytes: Buffer;
  readonly closed: boolean;
}

/** By field letter: C is the SQLSTATE, M the message, D the detail. */
export type Fields = Readonly<Record<string, string>>;

export function answerOf(bytes: Buffer, closed: boolean): Answer {
  const messages = wholeMessages(bytes);
  return {
    messages,
    values: messages.flatMap(valuesOf),
    errors: messages.filter(({ type }) => type === "E").map(({ body }) => fieldsOf(body)),
    bytes,
    closed,
  };
}

/** What a command wrote. */
export function outputOf(text: string): Answer {
  const bytes = Buffer.from(text);
  return { messages: [], values: [bytes], errors: [], bytes, closed: false };
}

export interface Sighting {
  readonly pieces: readonly string[];
  readonly place: Place;
}

/**
 * Undefined: no piece of a canary is in it. What is in the answer over the other set of values, too, is there by chance:
 * the sets have no value in common.
 */
export function sighting(answer: Answer, other: Answer | undefined, finder: Finder): Sighting | undefined {
  const chance = new Set(other === undefined ? [] : piecesIn(other, finder));
  const pieces = piecesIn(answer, finder).filter((piece) => !chance.has(piece));
  if (pieces.length === 0) return undefined;
  const holder = answer.messages.find(
    ({ type, body }) => finder.inBytes(type === "E" ? unlined(body) : body).length > 0,
  );
  const place = holder === undefined ? (answer.values.length > 0 ? "rows" : "other") : (PLACES[holder.type] ?? "other");
  return { pieces, place };
}

function piecesIn(answer: Answer, finder: Finder): readonly string[] {
  return [...finder.inBytes(searched(answer)), ...finder.acrossValues(answer.values)];
}

/** All bytes but for what holds digits by itself: ids that refusals tell, lines of the server's source. */
function searched({ bytes, messages }: Answer): Buffer {
  const whole = messages.reduce((length, { body }) => length + body.length + 5, 0);
  const plain = messages.map((message) =>
    message.type === "E" || message.type === "N" ? unlined(message.body) : message.body,
  );
  return Buffer.from(
    Buffer.concat([...plain, bytes.subarray(whole)])
      .toString("latin1")
      .replace(OURS, ""),
    "latin1",
  );
}

/** An error's body without the field L, whose value no statement can choose. */
function unlined(body: Buffer): Buffer {
  return Buffer.from(body.toString("latin1").replace(/\0L\d+(?=\0)/, ""), "latin1");
}

/** The id of a session and of a run, which refusals tell and which is drawn anew. */
const OURS = /session [a-z2-9]{16}|\(run [0-9a-f]{16}\)/g;

const PLACES: Readonly<Record<string, Place>> = {
  D: "rows",
  V: "rows",
  d: "COPY data",
  E: "error",
  N: "notice",
  A: "notification",
  T: "description",
};

/** The rules that refused something; empty when Sallyport refused nothing. */
export function refusedBy({ errors, bytes }: Answer): readonly string[] {
  const own = errors.filter(isOurs);
  const details = own.map(({ D = "" }) => D);
  if (errors.length === 0) details.push(...(bytes.toString().match(/DETAIL: {2}rule .*/g) ?? []));
  return [...new Set(details.map((detail) => /^(?:DETAIL: {2})?rule ([^,\s]+)/.exec(detail)?.[1] ?? "startup"))];
}

function isOurs({ D = "", H = "" }: Fields): boolean {
  return H.includes("Sallyport") || D.startsWith("Sallyport session");
}

/** SQLSTATEs of errors that are the server's. */
export function failures({ errors }: Answer): readonly string[] {
  return errors.filter((error) => !isOurs(error)).map(({ C = "" }) => C);
}

/** Equal for two answers that tell the same; rows may come in any order, and names of databases and TOAST tables differ. */
export function comparable({ messages, bytes }: Answer): string {
  if (messages.length === 0) return unnamed(bytes);
  return messages
    .filter(({ type }) => COMPARED.has(type))
    .map((message) => `${message.type} ${comparableBody(message)}`)
    .sort()
    .join("\n");
}

const COMPARED = new Set(["D", "V", "d", "E", "N", "A", "C"]);

function comparableBody({ type, body }: ReadMessage): string {
  if (type === "A") return body.subarray(4).toString("latin1");
  return unnamed(body);
}

function unnamed(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replace(OURS, "")
    .replaceAll(/(leak|shared|pg_toast)_\w+/g, "$1");
}

function valuesOf({ type, body }: ReadMessage): readonly Buffer[] {
  if (type === "d") return [body];
  if (type === "V") return [body.subarray(4)];
  if (type === "N") return [Buffer.from(fieldsOf(body)["M"] ?? "")];
  if (type !== "D") return [];
  const values: Buffer[] = [];
  for (let at = 2; at + 4 <= body.length; ) {
    const length = body.readInt32BE(at);
    at += 4;
    if (length < 0) continue;
    values.push(body.subarray(at, at + length));
    at += length;
  }
  return values;
}

/** A connection may end within a message. */
function wholeMessages(bytes: Buffer): readonly ReadMessage[] {
  const messages: ReadMessage[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    messages.push({ type: bytes.toString("latin1", at, at + 1), body: bytes.subarray(at + 5, end) });
    at = end;
  }
  return messages;
}
