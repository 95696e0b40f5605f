/**
 * Blocks: what one write brought to a recording, chained to the block before it. Knows no records, no files and no
 * keys.
 *
 *   length (uint32 BE, of what follows) | link (32 bytes) | body
 *
 * The link is the SHA-256 of the whole block before, its length and link included, also where that one stands in an
 * earlier segment; of a session's first block it is 32 zero bytes. Whoever knows a block's hash knows by it all that
 * was recorded until then.
 */
import { hash } from "node:crypto";
import { BLOCK_BYTES_MAX, RECORD_BYTES_MAX } from "../base/limits.ts";

const LINK_BYTES = 32;
export const BLOCK_HEADER_BYTES = 4 + LINK_BYTES;

/** A SHA-256 as a text of 32 characters below 256: Node makes that in a third of the time that a Buffer takes. */
export type Link = string;
export const FIRST_LINK: Link = "\0".repeat(LINK_BYTES);

export function hexOf(link: Link): string {
  return Buffer.from(link, "latin1").toString("hex");
}

/** Of a whole block, as the next one is linked to it. */
export function hashOf(block: Uint8Array): Link {
  return hash("sha256", block, "binary");
}

/** Fills the header of `block`, whose body stands behind BLOCK_HEADER_BYTES already. */
export function linkBlock(block: Buffer, link: Link): void {
  block.writeUInt32BE(block.length - 4, 0);
  block.write(link, 4, LINK_BYTES, "latin1");
}

/** A block of its own around `body`. */
export function blockAround(body: Uint8Array, link: Link): Buffer {
  const block = Buffer.allocUnsafe(BLOCK_HEADER_BYTES + body.length);
  block.set(body, BLOCK_HEADER_BYTES);
  linkBlock(block, link);
  return block;
}

export type ReadBlock =
  /** `whole` and `body` are views. */
  | { readonly kind: "block"; readonly whole: Buffer; readonly link: Link; readonly body: Buffer }
  /** The bytes end before it does. */
  | { readonly kind: "torn" }
  | { readonly kind: "bad"; readonly why: string };

/** The block at `offset`, which is below the length of `bytes`. */
export function readBlock(bytes: Buffer, offset: number): ReadBlock {
  if (bytes.length - offset < 4) return { kind: "torn" };
  const length = bytes.readUInt32BE(offset);
  if (length < LINK_BYTES || length > BLOCK_BYTES_MAX)
    return { kind: "bad", why: `a block cannot have ${length} bytes` };
  const end = offset + 4 + length;
  if (end > bytes.length) return { kind: "torn" };
  return {
    kind: "block",
    whole: bytes.subarray(offset, end),
    link: bytes.toString("latin1", offset + 4, offset + BLOCK_HEADER_BYTES),
    body: bytes.subarray(offset + BLOCK_HEADER_BYTES, end),
  };
}

/** The messages in a body that is not sealed, in their order. Throws where one does not end where it should. */
export function* messagesIn(body: Buffer): Generator<Buffer, void> {
  let offset = 0;
  while (offset < body.length) {
    const start = offset + 4;
    const length = start > body.length ? Number.POSITIVE_INFINITY : body.readUInt32BE(offset);
    const end = start + length;
    if (end > body.length) throw new Error("a record does not end within its block");
    if (length > RECORD_BYTES_MAX) throw new Error(`a record cannot have ${length} bytes`);
    yield body.subarray(start, end);
    offset = end;
  }
}
