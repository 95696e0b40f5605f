/**
 * The form of a token before anything of it is believed: one compact JWS, whose header brings no key of its own and
 * asks for nothing special, and whose JSON says nothing twice. Verifies no signature; shows nothing of a token.
 * Source: RFC 7515 (JWS), RFC 7519 (JWT), RFC 8725 (best practices).
 */
import { createHash } from "node:crypto";
import { UserError } from "../base/errors.ts";
import { TOKEN_BYTES_MAX } from "../base/limits.ts";
import { readStrictJson, type StrictJson } from "../base/strict-json.ts";
import { TOKEN_ALGORITHMS } from "../model/issuer.ts";

export interface TokenForm {
  readonly algorithm: string;
  /** What it says of its issuer; a claim until the signature was verified with that issuer's key. */
  readonly issuer: string;
  /** Of what is signed. A signature can often be written in several ways; this cannot. */
  readonly digest: string;
}

/** By these a token would choose the key that it is verified with. */
const KEY_HEADERS = ["jku", "jwk", "x5u", "x5c"] as const;
/** Kinds of JWT that say who somebody is: ID tokens, and access tokens (RFC 9068). Others (logout, DPoP …) do not. */
const TYPES: ReadonlySet<string> = new Set(["jwt", "application/jwt", "at+jwt", "application/at+jwt"]);

/** Throws TOKEN_MALFORMED, TOKEN_ENCRYPTED, TOKEN_HEADER, TOKEN_ALGORITHM. */
export function readTokenForm(token: string): TokenForm {
  if (Buffer.byteLength(token) > TOKEN_BYTES_MAX) throw malformed(`it is larger than ${TOKEN_BYTES_MAX} bytes`);
  const parts = token.split(".");
  if (parts.length === 5) {
    const remedy = "Let the issuer sign it and not encrypt it: the daemon keeps no key to open tokens with";
    throw new UserError("TOKEN_ENCRYPTED", "Cannot use the token: it is encrypted", remedy);
  }
  if (parts.length !== 3) throw malformed("it is no signed JWT of three parts");
  const [head = "", body = "", signature = ""] = parts;
  const header = jsonOf(head, "header");
  checkHeader(header);
  const { alg } = header;
  if (typeof alg !== "string" || !TOKEN_ALGORITHMS.some((known) => known === alg)) throw algorithmRefused();
  if (!/^[A-Za-z0-9_-]+$/.test(signature)) throw malformed("its signature is not written in base64url");
  const { iss } = jsonOf(body, "body");
  if (typeof iss !== "string") throw malformed("it does not say who issued it");
  return { algorithm: alg, issuer: iss, digest: createHash("sha256").update(`${head}.${body}`).digest("base64url") };
}

export function algorithmRefused(): UserError {
  const remedy = "Let the issuer sign with RS256, ES256, PS256 or EdDSA; see algorithms in docs/settings.md";
  return new UserError("TOKEN_ALGORITHM", "Cannot use the token: its algorithm is not taken", remedy);
}

function checkHeader(header: Readonly<Record<string, unknown>>): void {
  const own = KEY_HEADERS.find((name) => Object.hasOwn(header, name));
  if (own !== undefined) throw headerRefused(`it brings a key of its own (${own})`);
  if (Object.hasOwn(header, "crit")) throw headerRefused("it demands what is not known here (crit)");
  if (Object.hasOwn(header, "zip") || Object.hasOwn(header, "enc")) throw headerRefused("it is packed (zip, enc)");
  if (Object.hasOwn(header, "b64")) throw headerRefused("its body is not encoded (b64)");
  if (Object.hasOwn(header, "cty")) throw headerRefused("it has another token inside (cty)");
  const { typ, kid } = header;
  if (typ !== undefined && !(typeof typ === "string" && TYPES.has(typ.toLowerCase())))
    throw headerRefused("it is of another type (typ)");
  if (kid !== undefined && typeof kid !== "string") throw headerRefused("its key has no name that is a text (kid)");
}

function jsonOf(part: string, what: string): Readonly<Record<string, unknown>> {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) throw malformed(`its ${what} is not written in base64url`);
  let json: StrictJson;
  try {
    json = readStrictJson(Buffer.from(part, "base64url"));
  } catch {
    throw malformed(`its ${what} is not JSON`); // without a cause: that would quote it
  }
  const { value, isAmbiguous } = json;
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(`its ${what} is no object`);
  if (isAmbiguous) throw malformed(`its ${what} says something twice, or in a way that can be read otherwise`);
  return value as Record<string, unknown>;
}

function malformed(why: string): UserError {
  const remedy = "Give the token as its issuer wrote it: one signed JWT, and nothing else in the file";
  return new UserError("TOKEN_MALFORMED", `Cannot use the token: ${why}`, remedy);
}

function headerRefused(why: string): UserError {
  const remedy = "Give a plain ID token or access token of the issuer";
  return new UserError("TOKEN_HEADER", `Cannot use the token: ${why}`, remedy);
}
