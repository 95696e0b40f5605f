/**
 * Where the client's messages belong together: one Query, or a series of extended messages up to its
 * Sync or Flush. Depends on the messages only, never on how they were cut into chunks. Judges nothing.
 */
import { ProtocolError } from "../../base/errors.ts";
import { frameBytes, HEADER_BYTES, type Inlet } from "./codec.ts";
import { CLIENT } from "./messages.ts";

/** One look ahead at what comes next from the client. */
export type Next =
  /** Wait for more bytes. */
  | { readonly kind: "more" }
  /** A group of whole messages up to `end`. */
  | { readonly kind: "group"; readonly end: number; readonly ends: "sync" | "open"; readonly isJudged: boolean }
  /** CopyData, CopyDone or CopyFail outside of a copy: the server would ignore it. */
  | { readonly kind: "stray"; readonly end: number }
  | { readonly kind: "terminate"; readonly end: number };

/** Messages of one group; a longer series is asked for in parts. */
const GROUP_MESSAGES_MAX = 256;

/** Their bytes are forwarded unread, so there must be none. */
const EMPTY: ReadonlySet<number> = new Set([CLIENT.sync, CLIENT.flush, CLIENT.copyDone, CLIENT.terminate]);

function demandEmpty(type: number, length: number): void {
  if (EMPTY.has(type) && length !== HEADER_BYTES) {
    throw new ProtocolError("FRAME_BODY", "Cannot read a message: it has a body, where it must have none");
  }
}

/** Throws FRAME_BODY, and MESSAGE_TYPE for what no client may send here. */
export function nextOf(inlet: Inlet): Next {
  let at = inlet.at;
  let isJudged = false;
  for (let count = 0; ; count++) {
    if (count === GROUP_MESSAGES_MAX) return { kind: "group", end: at, ends: "open", isJudged };
    const length = frameBytes(inlet.bytes, at, inlet.end);
    if (length === undefined) return { kind: "more" };
    const type = inlet.bytes[at] as number;
    const end = at + length;
    demandEmpty(type, length);
    switch (type) {
      case CLIENT.parse:
      case CLIENT.execute:
      case CLIENT.bind:
      case CLIENT.describe:
        isJudged = true;
        break;
      case CLIENT.close:
        break;
      case CLIENT.sync:
        return end > inlet.end ? { kind: "more" } : { kind: "group", end, ends: "sync", isJudged };
      case CLIENT.flush:
        return end > inlet.end ? { kind: "more" } : { kind: "group", end, ends: "open", isJudged };
      case CLIENT.query:
      case CLIENT.functionCall:
        if (count > 0) return { kind: "group", end: at, ends: "open", isJudged };
        return end > inlet.end ? { kind: "more" } : { kind: "group", end, ends: "open", isJudged: true };
      case CLIENT.copyData:
      case CLIENT.copyDone:
      case CLIENT.copyFail:
        if (count > 0) return { kind: "group", end: at, ends: "open", isJudged };
        return end > inlet.end ? { kind: "more" } : { kind: "stray", end };
      case CLIENT.terminate:
        if (count > 0) return { kind: "group", end: at, ends: "open", isJudged };
        return end > inlet.end ? { kind: "more" } : { kind: "terminate", end };
      default:
        throw new ProtocolError("MESSAGE_TYPE", `Cannot read a message: its type ${type} is not known`);
    }
    if (end > inlet.end) return { kind: "more" };
    at = end;
  }
}

/** What comes next while the server awaits the data of a copy. Throws FRAME_BODY, COPY_MESSAGE. */
export type NextOfCopy =
  | { readonly kind: "more" }
  /** CopyData up to `end`; `done`: a CopyDone or CopyFail is the last of it. */
  | { readonly kind: "data"; readonly end: number; readonly ends: "open" | "done" }
  /** Flush or Sync: the server ignores them while it copies. */
  | { readonly kind: "ignored"; readonly end: number }
  | { readonly kind: "terminate"; readonly end: number };

export function nextOfCopy(inlet: Inlet): NextOfCopy {
  for (let at = inlet.at; ; ) {
    const length = frameBytes(inlet.bytes, at, inlet.end);
    const isWhole = length !== undefined && at + length <= inlet.end;
    const type = isWhole ? inlet.bytes[at] : undefined;
    const end = at + (length ?? 0);
    if (type !== undefined) demandEmpty(type, end - at);
    if (type === CLIENT.copyData) {
      at = end;
      continue;
    }
    if (type === CLIENT.copyDone || type === CLIENT.copyFail) return { kind: "data", end, ends: "done" };
    if (at > inlet.at) return { kind: "data", end: at, ends: "open" };
    if (type === undefined) return { kind: "more" };
    if (type === CLIENT.flush || type === CLIENT.sync) return { kind: "ignored", end };
    if (type === CLIENT.terminate) return { kind: "terminate", end };
    throw new ProtocolError("COPY_MESSAGE", "Cannot go on: a copy is under way");
  }
}
