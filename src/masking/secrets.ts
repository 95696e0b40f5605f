/** Keys and tokens: JSON web tokens, private keys, AWS access keys, GitHub tokens. Looks; never decodes more than a header. */
import type { Scan } from "./scan.ts";

const BASE64_URL = /[A-Za-z0-9_-]/;
/** {"alg":""} */
const JWT_HEADER_MIN = 14;
/** Longer headers are not decoded: real ones have some hundred characters. */
const JWT_HEADER_MAX = 8_192;
/** Starts that are tried in one run of base64 characters, so that "eyJeyJeyJ…" stays linear. */
const JWT_STARTS_MAX = 4;

/** RFC 7519: header.payload[.signature], an encrypted one (RFC 7516) has five parts. */
export const scanJwts: Scan = (text, _hint, found) => {
  let tried = 0;
  let run = -1;
  for (let at = text.indexOf("eyJ"); at >= 0; at = text.indexOf("eyJ", at + 1)) {
    const dot = endOfBase64(text, Math.max(at, run));
    tried = dot === run ? tried + 1 : 0;
    run = dot;
    if (tried >= JWT_STARTS_MAX) {
      at = dot;
      continue;
    }
    if (
      text[dot] !== "." ||
      dot - at < JWT_HEADER_MIN ||
      dot - at > JWT_HEADER_MAX ||
      !isJwtHeader(text.slice(at, dot))
    )
      continue;
    let end = endOfBase64(text, dot + 1);
    if (end === dot + 1) continue;
    for (let part = 2; part < 5 && text[end] === "."; part++) {
      const next = endOfBase64(text, end + 1);
      if (next === end + 1) break;
      end = next;
    }
    found(at, end);
    at = end;
  }
};

function endOfBase64(text: string, from: number): number {
  let at = from;
  while (at < text.length && BASE64_URL.test(text[at] ?? "")) at++;
  return at;
}

function isJwtHeader(part: string): boolean {
  try {
    const header: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof header === "object" && header !== null && ("alg" in header || "enc" in header || "typ" in header);
  } catch {
    return false;
  }
}

/** RFC 7468 labels and those of OpenSSH, PGP and PuTTY's converters. */
const PEM_BEGIN = /^-----BEGIN ((?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?)-----/;

/** To the END line; where that is cut off, to the end of the text. */
export const scanPrivateKeys: Scan = (text, _hint, found) => {
  for (let at = text.indexOf("-----BEGIN "); at >= 0; at = text.indexOf("-----BEGIN ", at + 1)) {
    const label = PEM_BEGIN.exec(text.slice(at, at + 100))?.[1];
    if (label === undefined) continue;
    const line = `-----END ${label}-----`;
    const last = text.indexOf(line, at);
    const end = last < 0 ? text.length : last + line.length;
    found(at, end);
    at = end - 1;
  }
};

const AWS_ID = /(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])/g;
const AWS_SECRET = /(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])/g;
const AWS_WORDS = /secret.{0,4}(?:access)?.{0,4}key|aws.{0,12}secret/i;
/** How far from its key id, or from the words that name it, a secret key may stand. */
const AWS_NEAR = 200;

/** Key ids anywhere; secret keys, which are any 40 base64 characters, only beside one or beside their name. */
export const scanAwsKeys: Scan = (text, hint, found) => {
  const ids = [...text.matchAll(AWS_ID)].map(({ index }) => index);
  const spans = ids.map((start): readonly [number, number] => [start, start + 20]);
  let nearest = 0;
  for (const { index, 0: secret } of text.matchAll(AWS_SECRET)) {
    while (nearest < ids.length - 1 && (ids[nearest] ?? 0) + 20 + AWS_NEAR < index) nearest++;
    const id = ids[nearest];
    const beside = id !== undefined && Math.abs(id - index) <= AWS_NEAR + 40;
    const named = () => AWS_WORDS.test(hint) || AWS_WORDS.test(text.slice(Math.max(0, index - 60), index));
    if (looksRandom(secret) && (beside || named())) spans.push([index, index + 40]);
  }
  for (const [start, end] of spans.sort(([left], [right]) => left - right)) found(start, end);
};

/** Upper and lower case and a digit: a hexadecimal hash of 40 characters has never both cases. */
function looksRandom(secret: string): boolean {
  return /[A-Z]/.test(secret) && /[a-z]/.test(secret) && /\d/.test(secret);
}

/**
 * Classic tokens (ghp_ gho_ ghu_ ghs_ ghr_) and fine-grained ones. The check digits inside are not
 * asked for: a token of another form than today's would leave, and the prefix is proof enough.
 */
const GITHUB = /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59,244})/g;

export const scanGithubTokens: Scan = (text, _hint, found) => {
  for (const match of text.matchAll(GITHUB)) found(match.index, match.index + match[0].length);
};
