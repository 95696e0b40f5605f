/**
 * Sealing at rest: the bodies of a session's blocks under a key of that session's own, which comes from a data key
 * of the vault. Whoever destroys the data key destroys the recordings. Keeps no key and reads no file.
 *
 *   nonce (12 bytes) | ciphertext | tag (16 bytes)
 *
 * AES-256-GCM (NIST SP 800-38D) with the block's link as additional data: a body stands in its place only. Nonces are
 * random, which is safe for the 2^32 blocks that one session's key may seal (section 8.3).
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import type { Link } from "./block.ts";

/** The key of one session, from the data key of that id; undefined where it was destroyed, or is not at hand. */
export type SessionKeys = (dataKeyId: string, sessionId: string) => Uint8Array | undefined;

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface Sealing {
  readonly keyId: string;
  seal(body: Uint8Array, link: Link): Buffer;
  /** Throws when the body, its place or the key is not what it was. */
  open(sealed: Uint8Array, link: Link): Buffer;
}

/** `dataKey`: 32 bytes of the vault. */
export function sessionKey(dataKey: Uint8Array, sessionId: string): Uint8Array {
  return Buffer.from(hkdfSync("sha256", dataKey, Buffer.alloc(0), `sallyport/recording/v1/${sessionId}`, KEY_BYTES));
}

/** `key`: of the session, 32 bytes; `keyId`: of the data key that it came from. */
export function createSealing(keyId: string, key: Uint8Array): Sealing {
  return {
    keyId,
    seal(body, link) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      cipher.setAAD(Buffer.from(link, "latin1"));
      return Buffer.concat([nonce, cipher.update(body), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, link) {
      if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new Error("it is shorter than anything sealed");
      const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(link, "latin1"));
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
      const body = sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES);
      return Buffer.concat([decipher.update(body), decipher.final()]);
    },
  };
}
