/** Secrets that humans show to the API, and what is sealed under them. Only hashes of them are kept. Source: RFC 5869. */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";

export type SecretKind = "session" | "token";

/** By which scanners of code and logs know them. */
const PREFIX = { session: "sps_", token: "spt_" } as const;
const SECRET_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export function newSecret(kind: SecretKind): string {
  return PREFIX[kind] + randomBytes(SECRET_BYTES).toString("base64url");
}

/** Undefined: it has not the form of either. */
export function kindOf(secret: string): SecretKind | undefined {
  if (!/^sp[st]_[A-Za-z0-9_-]{43}$/.test(secret)) return undefined;
  return secret.startsWith(PREFIX.session) ? "session" : "token";
}

/** 256 random bits need no salt and no slow hash: nobody guesses them. */
export function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}

/** Only who shows the secret opens it: what lies on the disk is no use to anybody. */
export function seal(text: string, secret: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", keyOf(secret), nonce);
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64url");
}

/** Throws where it was sealed under another secret, or changed. */
export function unseal(sealed: string, secret: string): string {
  const bytes = Buffer.from(sealed, "base64url");
  const [nonce, rest] = [bytes.subarray(0, NONCE_BYTES), bytes.subarray(NONCE_BYTES)];
  const decipher = createDecipheriv("aes-256-gcm", keyOf(secret), nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(rest.subarray(0, TAG_BYTES));
  return Buffer.concat([decipher.update(rest.subarray(TAG_BYTES)), decipher.final()]).toString("utf8");
}

function keyOf(secret: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", "sallyport refresh token", 32));
}
