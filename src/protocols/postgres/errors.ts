/**
 * ErrorResponse, NoticeResponse and NotificationResponse without the data that servers quote in them.
 * On connections with labels everything that can hold a value is blanked; on all others detectors
 * look at it. Names of objects, codes and positions stay.
 */
import { MASKED_BYTES_MAX } from "../../base/limits.ts";
import type { ValueMask } from "../../model/mask.ts";
import { BodyReader, frame } from "./codec.ts";
import { type ErrorField, errorBody } from "./messages.ts";

/** What a text becomes of which nothing may be shown. */
export const BLANK = "…";

export interface ErrorScrub {
  /** A connection with labels: values that no detector knows may be quoted. */
  readonly labelled: boolean;
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

/** Body of an ErrorResponse or NoticeResponse; `type` is its type byte. */
export function scrubError(type: number, bytes: Buffer, at: number, end: number, scrub: ErrorScrub): ServerError {
  const fields = readFields(bytes, at, end);
  const get = (letter: string) => fields.find(([name]) => name === letter)?.[1] ?? "";
  const raised = get("C").startsWith("P0") || get("R") === "exec_stmt_raise";
  const values: Values = { code: get("C"), raised };
  let changed = false;
  const shown = fields.map(([letter, text]): ErrorField => {
    if (!MASKED_FIELDS.has(letter)) return [letter, text];
    const scrubbed = scrubField(letter, text, values, scrub);
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
  const shown = scrub.labelled && payload !== "" ? BLANK : maskText(payload, scrub.mask);
  if (shown === payload) return bytes.subarray(at - 5, end);
  return frame(type, Buffer.concat([bytes.subarray(at, payloadAt), Buffer.from(`${shown}\0`)]));
}

interface Values {
  readonly code: string;
  /** The text comes from RAISE: any part of it may be a value. */
  readonly raised: boolean;
}

function scrubField(letter: string, text: string, values: Values, scrub: ErrorScrub): string {
  if (!scrub.labelled) return maskText(text, scrub.mask);
  return VALUE_FIELDS.has(letter) ? BLANK : maskText(blankValues(text, values), scrub.mask);
}

/** From the first quote to the last one, since a quoted value may hold quotes itself; of data errors all behind a colon too. */
function blankValues(message: string, values: Values): string {
  if (values.raised) return BLANK;
  const quoted = QUOTED.exec(message);
  const blanked =
    quoted === null
      ? message
      : `${message.slice(0, quoted.index + 1)}${BLANK}${message.slice(quoted.index + quoted[0].length - 1)}`;
  if (!values.code.startsWith("22") && !values.code.startsWith("23")) return blanked;
  const colon = blanked.indexOf(": ");
  return colon < 0 ? blanked : `${blanked.slice(0, colon + 2)}${BLANK}`;
}

function maskText(text: string, mask: ValueMask | undefined): string {
  if (mask === undefined || text === "") return text;
  if (text.length > MASKED_BYTES_MAX) return BLANK;
  const masked = mask(Buffer.from(text));
  if (masked === undefined) return text;
  return masked.value === null ? BLANK : Buffer.from(masked.value).toString();
}
