/** The blocks of one segment's bytes, checked against each other as they are read. No files. */
import { messageOf } from "../base/errors.ts";
import { hashOf, type Link, messagesIn, readBlock } from "./block.ts";
import { checkPreamble, decodeHead, PREAMBLE_BYTES, type SegmentHead } from "./format.ts";
import { createSealing, type Sealing, type SessionKeys } from "./seal.ts";

export type SegmentPiece =
  /** A block of records in the order of the file. */
  | { readonly kind: "block"; readonly offset: number; readonly hash: Link; readonly messages: readonly Buffer[] }
  /** Its link is not the hash of the block before: one of the two was changed, or one between them is gone. */
  | { readonly kind: "unlinked"; readonly offset: number }
  /** Its records cannot be read without the data key. */
  | { readonly kind: "sealed"; readonly offset: number; readonly hash: Link; readonly keyId: string }
  /** The rest cannot be read; `torn` where the bytes just end too early. */
  | { readonly kind: "unreadable"; readonly offset: number; readonly torn: boolean; readonly why: string };

export interface SegmentOf {
  readonly sessionId: string;
  readonly segment: number;
  /** Hash of the last block of the segment before; undefined: not known, and not checked. */
  readonly link: Link | undefined;
  readonly keys: SessionKeys;
}

/** Preamble and head block. */
export function beginningOf(bytes: Buffer): Buffer {
  const head = readBlock(bytes, PREAMBLE_BYTES);
  if (head.kind !== "block") throw new Error("its head cannot be read");
  return bytes.subarray(0, PREAMBLE_BYTES + head.whole.length);
}

/** Whether `copy` is preamble and head block of `bytes`. */
export function isBeginningOf(copy: Buffer, bytes: Buffer): boolean {
  try {
    return beginningOf(bytes).equals(copy);
  } catch {
    return false;
  }
}

/** Throws when `bytes` do not begin as a segment of this version does. */
export function readHead(bytes: Buffer): SegmentHead {
  const block = readBlock(bytes, PREAMBLE_BYTES);
  if (checkPreamble(bytes) !== "fine" || block.kind !== "block") throw new Error("it has no head");
  return headIn(block.body);
}

/** All pieces, whole or not. The caller has looked at the preamble. */
export function* piecesOf(bytes: Buffer, { sessionId, segment, link, keys }: SegmentOf): Generator<SegmentPiece, void> {
  let offset = PREAMBLE_BYTES;
  let expected = link;
  let sealing: Sealing | undefined;
  let keyId = "";
  let isHead = true;
  while (offset < bytes.length) {
    const block = readBlock(bytes, offset);
    if (block.kind === "torn") {
      yield { kind: "unreadable", offset, torn: true, why: "its last block is not complete" };
      return;
    }
    if (block.kind === "bad") {
      yield { kind: "unreadable", offset, torn: false, why: block.why };
      return;
    }
    if (expected !== undefined && block.link !== expected) yield { kind: "unlinked", offset };
    expected = hashOf(block.whole);
    try {
      if (isHead) {
        const head = headIn(block.body);
        if (head.sessionId !== sessionId || head.segment !== segment) {
          throw new Error(`it says that it is segment ${head.segment} of ${head.sessionId}`);
        }
        keyId = head.keyId;
        const key = keyId === "" ? undefined : keys(keyId, sessionId);
        sealing = key === undefined ? undefined : createSealing(keyId, key);
      } else if (keyId !== "" && sealing === undefined) {
        yield { kind: "sealed", offset, hash: expected, keyId };
      } else {
        const body = sealing === undefined ? block.body : sealing.open(block.body, block.link);
        yield { kind: "block", offset, hash: expected, messages: [...messagesIn(body)] };
      }
    } catch (error) {
      yield { kind: "unreadable", offset, torn: false, why: messageOf(error) };
      if (isHead) return; // of nobody knows what: nothing in it is this session's
    }
    isHead = false;
    offset += block.whole.length;
  }
}

function headIn(body: Buffer): SegmentHead {
  const [message] = messagesIn(body);
  if (message === undefined) throw new Error("its head is empty");
  return decodeHead(message);
}
