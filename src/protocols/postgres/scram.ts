/**
 * The client's half of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677, RFC 5929), with the
 * server's signature verified. Pure: the nonce comes from outside. Keys are wiped where they can be.
 */
import { createHash, hash, timingSafeEqual, X509Certificate } from "node:crypto";
import { ProtocolError } from "../../base/errors.ts";

/** RFC 7677; a rogue server that asks for less makes a cheap guess of what it gets. */
const ITERATIONS_MIN = 4_096;
/** Half a second of a thread; a server that asks for more would keep others from deriving theirs. */
const ITERATIONS_MAX = 1_000_000;

export interface ScramChoice {
  readonly mechanism: "SCRAM-SHA-256" | "SCRAM-SHA-256-PLUS";
  readonly gs2Header: string;
  /** Bytes that bind to the channel; empty without. */
  readonly binding: Uint8Array;
}

/**
 * What to choose of `offered`. `certificate` (DER) is the server's where the connection is encrypted.
 * Undefined: no SCRAM is offered.
 */
export function chooseScram(offered: readonly string[], certificate: Uint8Array | undefined): ScramChoice | undefined {
  const binding = certificate === undefined ? undefined : serverEndPoint(certificate);
  const isPlusOffered = offered.includes("SCRAM-SHA-256-PLUS");
  if (isPlusOffered && binding !== undefined) {
    return { mechanism: "SCRAM-SHA-256-PLUS", gs2Header: "p=tls-server-end-point,,", binding };
  }
  if (!offered.includes("SCRAM-SHA-256")) return undefined;
  // "y": we could have bound, but the server did not offer it. Where somebody removed the offer, the server sees it.
  const gs2Header = binding !== undefined && !isPlusOffered ? "y,," : "n,,";
  return { mechanism: "SCRAM-SHA-256", gs2Header, binding: new Uint8Array() };
}

export class Scram {
  readonly choice: ScramChoice;
  /** Ours to wipe: `final` is its last use. */
  readonly #password: Uint8Array;
  readonly #nonce: string;
  #serverFirst: { readonly text: string; readonly nonce: string } | undefined;
  #serverSignature: Buffer | undefined;
  #isVerified = false;

  constructor(choice: ScramChoice, password: Uint8Array, nonce: Uint8Array) {
    this.choice = choice;
    this.#password = password;
    this.#nonce = Buffer.from(nonce).toString("base64");
  }

  /** Whether the server has proven that it knows the password too. */
  get isVerified(): boolean {
    return this.#isVerified;
  }

  /** client-first-message. The user is the one of the startup message, as PostgreSQL has it. */
  first(): string {
    return `${this.choice.gs2Header}${this.#firstBare()}`;
  }

  /** What the key is to be derived from, by server-first-message. Throws UPSTREAM_SCRAM or UPSTREAM_SCRAM_WEAK. */
  challenge(serverFirst: string): {
    readonly password: Uint8Array;
    readonly salt: Uint8Array;
    readonly iterations: number;
  } {
    if (this.#serverFirst !== undefined) {
      throw new ProtocolError("UPSTREAM_SCRAM", "Cannot log in: the server asks for the proof of the password again");
    }
    const { nonce, salt, iterations } = readServerFirst(serverFirst);
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) {
      throw new ProtocolError("UPSTREAM_SCRAM", "Cannot log in: the server's nonce does not continue ours");
    }
    this.#serverFirst = { text: serverFirst, nonce };
    return { password: this.#password, salt, iterations };
  }

  /** client-final-message, from the key that was derived as `challenge` said; wiped here. */
  final(salted: Uint8Array): string {
    const { text, nonce } = this.#serverFirst ?? { text: "", nonce: "" };
    const { gs2Header, binding } = this.choice;
    const channel = Buffer.concat([Buffer.from(gs2Header), binding]).toString("base64");
    const withoutProof = `c=${channel},r=${nonce}`;
    const message = `${this.#firstBare()},${text},${withoutProof}`;
    const clientKey = hmac(salted, "Client Key");
    const serverKey = hmac(salted, "Server Key");
    const storedKey = sha256(clientKey);
    const proof = hmac(storedKey, message);
    for (let at = 0; at < proof.length; at++) proof[at] = (proof[at] as number) ^ (clientKey[at] as number);
    this.#serverSignature = hmac(serverKey, message);
    for (const key of [salted, clientKey, serverKey, storedKey, this.#password]) key.fill(0);
    return `${withoutProof},p=${proof.toString("base64")}`;
  }

  /** server-final-message. Throws UPSTREAM_SCRAM when the server does not know the password. */
  verify(serverFinal: string): void {
    // As text: a decoder of base64 passes over what does not belong there.
    const expected = this.#serverSignature && Buffer.from(this.#serverSignature.toString("base64"));
    const signature = Buffer.from(attribute(serverFinal, "v") ?? "");
    if (expected === undefined || signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw new ProtocolError("UPSTREAM_SCRAM", "Cannot log in: the server could not prove that it knows the password");
    }
    this.#isVerified = true;
  }

  #firstBare(): string {
    return `n=,r=${this.#nonce}`;
  }
}

/** SASLprep (RFC 4013) as PostgreSQL does it: what cannot be prepared is used as it is. */
export function preparedPassword(password: Uint8Array): Buffer {
  if (password.every((byte) => byte < 0x80)) return Buffer.from(password);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(password);
  } catch {
    return Buffer.from(password);
  }
  return Buffer.from(text.replace(SPACES, " ").replace(MAPPED_TO_NOTHING, "").normalize("NFKC"));
}

/** RFC 3454, tables C.1.2 and B.1. */
const SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu;
const MAPPED_TO_NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/gu;

function readServerFirst(text: string): { nonce: string; salt: Buffer; iterations: number } {
  const nonce = attribute(text, "r");
  const salt = attribute(text, "s");
  const iterations = Number(attribute(text, "i"));
  if (nonce === undefined || salt === undefined || !Number.isSafeInteger(iterations)) {
    throw new ProtocolError("UPSTREAM_SCRAM", "Cannot log in: the server's SCRAM message is not complete");
  }
  if (iterations < ITERATIONS_MIN) {
    throw new ProtocolError("UPSTREAM_SCRAM_WEAK", `Cannot log in: ${iterations} SCRAM iterations are too few`);
  }
  if (iterations > ITERATIONS_MAX) {
    throw new ProtocolError("UPSTREAM_SCRAM", `Cannot log in: ${iterations} SCRAM iterations are too many`);
  }
  return { nonce, salt: Buffer.from(salt, "base64"), iterations };
}

function attribute(text: string, name: string): string | undefined {
  return text
    .split(",")
    .find((part) => part.startsWith(`${name}=`))
    ?.slice(2);
}

/**
 * HMAC-SHA-256 (RFC 2104) with a key of no more than a block. By hand: `createHmac` copies the key to where nobody can wipe it,
 * and takes six times as long.
 */
function hmac(key: Uint8Array, text: string): Buffer {
  const message = Buffer.from(text);
  const inner = Buffer.alloc(BLOCK_BYTES + message.length, INNER_PAD);
  const outer = Buffer.alloc(BLOCK_BYTES + HASH_BYTES, OUTER_PAD);
  inner.set(message, BLOCK_BYTES);
  for (let at = 0; at < key.length; at++) {
    inner[at] = (inner[at] as number) ^ (key[at] as number);
    outer[at] = (outer[at] as number) ^ (key[at] as number);
  }
  outer.set(sha256(inner), BLOCK_BYTES);
  const mac = sha256(outer);
  inner.fill(0);
  outer.fill(0);
  return mac;
}

function sha256(bytes: Uint8Array): Buffer {
  return hash("sha256", bytes, "buffer");
}

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/** tls-server-end-point (RFC 5929): the certificate hashed as it was signed, but at least with SHA-256. */
function serverEndPoint(certificate: Uint8Array): Buffer | undefined {
  const algorithm = new X509Certificate(certificate).signatureAlgorithm?.toLowerCase() ?? "";
  const name = /sha-?(224|256|384|512)|sha-?1(?![0-9])|md5/.exec(algorithm)?.[0].replace("-", "");
  if (name === undefined) return undefined;
  return createHash(name === "sha1" || name === "md5" ? "sha256" : name)
    .update(certificate)
    .digest();
}
