/** Finds pieces of secret numbers in bytes, in every form in which an answer could carry them. Decides nothing. */

/** Consecutive digits that are a piece. */
const PIECE_DIGITS = 4;
/** Base64 is dense: shorter pieces of it are in any text by chance. */
const BASE64_DIGITS = 6;

/** Texts that stand for a run of digits (with what stands between them) in some form. */
function formsOf(piece: string): readonly string[] {
  const bytes = [...Buffer.from(piece)];
  const hex = bytes.map((byte) => byte.toString(16)).join("");
  return [
    piece,
    [...piece].reverse().join(""),
    hex,
    hex.toUpperCase(),
    bytes.map((byte) => `\\u00${byte.toString(16)}`).join(""),
    bytes.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join(""),
    bytes.map((byte) => `&#${byte};`).join(""),
    [...piece].join("\0"),
  ];
}

/** The characters of base64 that this piece decides, whatever stands before and behind it. */
function base64Of(piece: string): readonly string[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), Buffer.from(piece)]).toString("base64");
    const from = Math.ceil((before * 8) / 6);
    const to = Math.floor(((before + piece.length) * 8) / 6);
    return text.slice(from, to);
  });
}

function runs(digits: string, length: number): string[] {
  return Array.from({ length: Math.max(0, digits.length - length + 1) }, (_, at) => digits.slice(at, at + length));
}

/** Runs of digits of a secret, with its hyphens and without, in all forms. */
function needles(secret: string, length: number): Set<string> {
  const plain = secret.replaceAll("-", "");
  const found = new Set([...runs(plain, length), ...runs(plain, length).flatMap(formsOf)]);
  for (const run of runs(secret, length + 1)) {
    if (run.replaceAll("-", "").length === length) for (const form of formsOf(run)) found.add(form);
  }
  for (const text of [plain, secret]) {
    for (const run of runs(text, Math.max(length, BASE64_DIGITS))) for (const form of base64Of(run)) found.add(form);
  }
  return found;
}

/** What of the secrets is in the bytes; a run of `length` digits is enough. */
export function piecesIn(bytes: Buffer, secrets: readonly string[], length: number = PIECE_DIGITS): readonly string[] {
  const text = bytes.toString("latin1");
  return secrets.flatMap((secret) => [...needles(secret, length)].filter((needle) => text.includes(needle)));
}
