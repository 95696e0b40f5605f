/**
 * Whether policy was asked for what a server is told to run: read again from the bytes, apart from the product's own
 * reading of them.
 */
import type { Asked } from "../../src/model/operation.ts";
import { FAILING_PART, FAILING_QUERY, FAILING_SERIES } from "../protocols/postgres/kit.ts";
import { framesOf } from "./corpus.ts";
import { FuzzFault } from "./fault.ts";

/** What Sallyport puts in the place of something refused, and what it says of it when it asks. */
const IN_PLACE = "(a statement that fails, in place of the refused one)";
const IN_PLACE_BYTES: readonly Buffer[] = [FAILING_QUERY, FAILING_SERIES, FAILING_PART];
/** Message types that may be sent under housekeeping of this name; under any other ask, those of a client's group. */
const HOUSEKEEPING: Readonly<Record<string, string>> = { CopyData: "dcf", Sync: "BDCS", Close: "BDCH", Terminate: "X" };
const GROUP = "QPBDECHS";

/** Throws FuzzFault when `bytes` are not what `asked` says. Returns their messages. */
export function checkForwarded(bytes: Buffer, asked: readonly Asked[]): readonly Buffer[] {
  const [first] = asked;
  if (first?.text === IN_PLACE && asked.length === 1) {
    if (!IN_PLACE_BYTES.some((own) => own.equals(bytes)))
      throw unasked("what stands in for a refused statement", bytes);
    return framesOf(bytes);
  }
  const frames = framesOf(bytes);
  const isHousekeeping = asked.length === 1 && first?.operation.actions.length === 0;
  const types = (isHousekeeping ? HOUSEKEEPING[first?.text ?? ""] : undefined) ?? GROUP;
  for (const frame of frames) {
    const type = String.fromCharCode(frame[0] ?? 0);
    const isWhole = frame.length >= 5 && frame.length === 1 + frame.readInt32BE(1);
    if (!isWhole || !types.includes(type)) throw unasked(`a message of type ${JSON.stringify(type)}`, frame);
    if ("HS".includes(type) && frame.length !== 5) throw unasked("a Sync or Flush with a body", frame);
  }
  return frames;
}

/** Whether every part of `text` is among `asked`: all of it but blanks, comments and semicolons. */
export function covers(asked: readonly Asked[], text: string): boolean {
  if (asked.some((own) => own.text === text)) return true;
  const parts = new Set(asked.map((own) => own.text.slice(behindBlanks(own.text, 0))).filter((part) => part !== ""));
  const isCovered = (from: number): boolean => {
    const at = behindBlanks(text, from);
    return at === text.length || [...parts].some((part) => text.startsWith(part, at) && isCovered(at + part.length));
  };
  return isCovered(0);
}

const BLANKS = /[\s;]+|--[^\n\r]*/y;
const COMMENT_MARK = /\/\*|\*\//g;

/** The place behind blanks, semicolons and comments, which nest. */
function behindBlanks(text: string, from: number): number {
  for (let at = from; ; ) {
    BLANKS.lastIndex = at;
    if (BLANKS.test(text)) at = BLANKS.lastIndex;
    else if (text.startsWith("/*", at)) at = behindComment(text, at);
    else return at;
  }
}

function behindComment(text: string, from: number): number {
  COMMENT_MARK.lastIndex = from;
  let depth = 0;
  for (let mark = COMMENT_MARK.exec(text); mark !== null; mark = COMMENT_MARK.exec(text)) {
    depth += mark[0] === "/*" ? 1 : -1;
    if (depth === 0) return COMMENT_MARK.lastIndex;
  }
  return text.length;
}

export function unasked(what: string, bytes: Uint8Array): FuzzFault {
  return new FuzzFault(
    "unjudged",
    `The server was sent ${what} that nobody asked for: ${Buffer.from(bytes).toString("hex", 0, 200)}`,
  );
}
