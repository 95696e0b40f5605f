/** The host's signing key: from the vault's own key, so that there is no second secret to keep. The public part goes out. */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { UserError } from "../base/errors.ts";

/** An Ed25519 private key in PKCS #8 (RFC 8410, section 7), without its 32 bytes at the end. */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");

/** `seed`: 32 bytes that only the vault gives. */
export function hostKey(seed: Uint8Array): KeyObject {
  const der = Buffer.concat([PKCS8_HEAD, seed]);
  try {
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } finally {
    der.fill(0);
  }
}

/** PEM. */
export function publicPart(privateKey: KeyObject): string {
  return createPublicKey(privateKey).export({ type: "spki", format: "pem" }).toString();
}

/** Throws EVIDENCE_KEY. */
export function readPublicKey(pem: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch {
    // said below
  }
  throw new UserError(
    "EVIDENCE_KEY",
    "Cannot use the public key: it is no Ed25519 key in PEM",
    "Export it on the host that recorded: sallyport audit key",
  );
}
