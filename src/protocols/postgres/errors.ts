/**
 * ErrorResponse, NoticeResponse and NotificationResponse without the data that servers quote in them.
 * Of statements that touch labelled columns every value is blanked; detectors look at all others. Names of
 * objects, codes and positions stay.
 */
import { MASKED_BYTES_MAX } from "../../base/limits.ts";
import type { ValueMask } from "../../model/mask.ts";
import { BodyReader, frame } from "./codec.ts";
import { type ErrorField, errorBody } from "./messages.ts";

/** What a text becomes of which nothing may be shown. */
export const BLANK = "…";

export interface ErrorScrub {
  /**
   * hidden: the statement touches labelled columns, or what was not committed yet has: any value may be one of theirs.
   * raised: another statement of a connection with labels: only code that it runs (RAISE) could quote such a value.
   * shown: a connection without labels.
   */
  readonly values: "hidden" | "raised" | "shown";
  readonly mask: ValueMask | undefined;
}

export interface ServerError {
  readonly code: string;
  /** Without values, for a recording. */
  readonly message: string;
  readonly fatal: boolean;
  /** The message as the client may see it. */
  readonly shown: Buffer;
}

const QUOTES = "\"'«»‹›„“”‚‘’";
const QUOTED = new RegExp(`[${QUOTES}].*[${QUOTES}]`, "su");
/** Detail, hint, context, internal query and its position. */
const VALUE_FIELDS = new Set(["D", "H", "W", "q"]);
const MASKED_FIELDS = new Set(["M", ...VALUE_FIELDS]);
/** Schema, table, column, type, constraint: names that the server gives, or RAISE makes up. */
const NAME_FIELDS = new Set(["s", "t", "c", "d", "n"]);

/** Body of an ErrorResponse or NoticeResponse; `type` is its type byte. */
export function scrubError(type: number, bytes: Buffer, at: number, end: number, scrub: ErrorScrub): ServerError {
  const fields = readFields(bytes, at, end);
  const get = (letter: string) => fields.find(([name]) => name === letter)?.[1] ?? "";
  // A context: it came from code that the statement runs, which may have read anything.
  const isInner = scrub.values === "raised" && get("W") !== "";
  const raised = isInner || get("C").startsWith("P0") || get("R") === "exec_stmt_raise";
  const names = raised ? [] : fields.flatMap(([letter, text]) => (NAME_FIELDS.has(letter) ? [text] : []));
  const values: Values = { code: get("C"), raised, names };
  let changed = false;
  const shown = fields.map(([letter, text]): ErrorField => {
    const isName = NAME_FIELDS.has(letter);
    if (!MASKED_FIELDS.has(letter) && !(isName && raised)) return [letter, text];
    const scrubbed = isName && scrub.values !== "shown" ? BLANK : scrubField(letter, text, values, scrub);
    changed ||= scrubbed !== text;
    return [letter, scrubbed];
  });
  return {
    code: get("C"),
    message: maskText(blankValues(get("M"), values), scrub.mask),
    fatal: ["FATAL", "PANIC"].includes(get("V") || get("S")),
    shown: changed ? frame(type, errorBody(shown)) : bytes.subarray(at - 5, end),
  };
}

/** Fields of an ErrorResponse or NoticeResponse by its body. Throws ProtocolError. */
export function readFields(bytes: Buffer, at: number, end: number): readonly ErrorField[] {
  const body = new BodyReader(bytes, at, end);
  const fields: ErrorField[] = [];
  for (let letter = body.byte(); letter !== 0; letter = body.byte()) {
    fields.push([String.fromCharCode(letter), body.text()]);
  }
  body.done();
  return fields;
}

/** Body of a NotificationResponse: process id, channel, payload. */
export function scrubNotification(type: number, bytes: Buffer, at: number, end: number, scrub: ErrorScrub): Buffer {
  const body = new BodyReader(bytes, at, end);
  body.take(4);
  body.text();
  const payloadAt = body.at;
  const payload = body.text();
  body.done();
  // Whoever sent it may have put any value into it.
  const shown = scrub.values !== "shown" && payload !== "" ? BLANK : maskText(payload, scrub.mask);
  if (shown === payload) return bytes.subarray(at - 5, end);
  return frame(type, Buffer.concat([bytes.subarray(at, payloadAt), Buffer.from(`${shown}\0`)]));
}

interface Values {
  readonly code: string;
  /** The text comes from RAISE: any part of it may be a value. */
  readonly raised: boolean;
  /** Names of objects that the message may quote. */
  readonly names: readonly string[];
}

function scrubField(letter: string, text: string, values: Values, scrub: ErrorScrub): string {
  // A key or a check that fails may be another table's: a DELETE reaches those that refer to it.
  const isBlanked = values.raised || (letter === "D" && values.code.startsWith("23"));
  if (scrub.values === "shown" || (scrub.values === "raised" && !isBlanked)) return maskText(text, scrub.mask);
  switch (letter) {
    case "D":
      return maskText(values.raised ? BLANK : blankDetail(text, values), scrub.mask);
    case "M":
      return maskText(blankValues(text, values), scrub.mask);
    default:
      return BLANK;
  }
}

/** `Key (a, b)=(x, y) already exists.`, `Failing row contains (x, y).`: the last parenthesis that values can stand in. */
function blankDetail(detail: string, values: Values): string {
  const key = /^(Key \([^)]*\)=\().*(\).*)$/su.exec(detail);
  const isPlain = key !== null && values.code.startsWith("23") && /^\) [a-z ]+(?:"[^"]*")?\.$/.test(key[2] ?? "");
  return isPlain ? `${key[1]}${BLANK}${key[2]}` : BLANK;
}

/** From the first quote to the last one, since a quoted value may hold quotes itself; of data errors all behind a colon too. */
function blankValues(message: string, values: Values): string {
  if (values.raised) return BLANK;
  const { text, restore } = withoutNames(message, values.names);
  const quoted = QUOTED.exec(text);
  const blanked =
    quoted === null
      ? text
      : `${text.slice(0, quoted.index + 1)}${BLANK}${text.slice(quoted.index + quoted[0].length - 1)}`;
  // "index 457 out of valid range": values stand without quotes, too.
  const unnumbered = blanked.replace(/(?<!\u{f0000})[+-]?\d[\d.,:/-]*/gu, BLANK);
  if (!values.code.startsWith("22") && !values.code.startsWith("23")) return restore(unnumbered);
  const colon = unnumbered.indexOf(": ");
  return restore(colon < 0 ? unnumbered : `${unnumbered.slice(0, colon + 2)}${BLANK}`);
}

/** Quoted names stand aside while values are blanked; those within a blanked stretch go with it. */
function withoutNames(message: string, names: readonly string[]) {
  let text = message;
  for (const [at, name] of names.entries()) text = text.replaceAll(`"${name}"`, `\u{f0000}${at}\u{f0001}`);
  return {
    text,
    restore: (blanked: string) =>
      blanked.replace(/\u{f0000}(\d)\u{f0001}/gu, (_, at: string) => `"${names[Number(at)] ?? BLANK}"`),
  };
}

function maskText(text: string, mask: ValueMask | undefined): string {
  if (mask === undefined || text === "") return text;
  if (text.length > MASKED_BYTES_MAX) return mask.onlyWatches === true ? text : BLANK;
  const masked = mask(Buffer.from(text));
  if (masked === undefined) return text;
  return masked.value === null ? BLANK : Buffer.from(masked.value).toString();
}
