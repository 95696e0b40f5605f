/**
 * The server's half of SCRAM-SHA-256 (RFC 5802, RFC 7677), honest unless it is told to cheat. Written apart from
 * src/, so that one mistake is not made twice.
 */
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";

export interface ScramTricks {
  /** Instead of 4096; a text is sent as it is. */
  readonly iterations?: number | string;
  /** What becomes of the client's nonce in the server's first message. */
  readonly nonce?: (clients: string) => string;
  /** The whole first message instead of the honest one. */
  readonly first?: (nonce: string) => string;
  /** The whole last message instead of the server's signature. */
  readonly final?: string;
}

const ITERATIONS = 4_096;

export class ScramServer {
  readonly #password: string;
  readonly #clientFirstBare: string;
  readonly #clientNonce: string;
  readonly #salt = Buffer.from("0123456789abcdef");
  #serverFirst = "";

  constructor(password: string, clientFirst: string) {
    this.#password = password;
    this.#clientFirstBare = clientFirst.slice(clientFirst.indexOf("n="));
    this.#clientNonce = clientFirst.slice(clientFirst.indexOf("r=") + 2);
  }

  first({ iterations = ITERATIONS, nonce = (clients) => `${clients}server`, first }: ScramTricks): string {
    const whole = nonce(this.#clientNonce);
    this.#serverFirst = first?.(whole) ?? `r=${whole},s=${this.#salt.toString("base64")},i=${iterations}`;
    return this.#serverFirst;
  }

  /** Throws when the client's proof is wrong: an honest server would refuse it, too. */
  final(clientFinal: string, { final, ...cheated }: ScramTricks): string {
    if (final !== undefined) return final;
    const withoutProof = clientFinal.slice(0, clientFinal.lastIndexOf(",p="));
    const proof = Buffer.from(clientFinal.slice(withoutProof.length + 3), "base64");
    const text = `${this.#clientFirstBare},${this.#serverFirst},${withoutProof}`;
    const salted = pbkdf2Sync(this.#password, this.#salt, ITERATIONS, 32, "sha256");
    const signature = hmac(createHash("sha256").update(hmac(salted, "Client Key")).digest(), text);
    const clientKey = proof.map((byte, at) => byte ^ (signature[at] ?? 0));
    const isRight = Buffer.from(clientKey).equals(hmac(salted, "Client Key"));
    if (!isRight && Object.keys(cheated).length === 0) throw new Error("The client's proof is wrong");
    return `v=${hmac(hmac(salted, "Server Key"), text).toString("base64")}`;
  }
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
