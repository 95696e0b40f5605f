/**
 * Labelled rows for the detectors. Numbers with check digits and keys are made here, at run time, so
 * that no file of the project holds one. "checksummed" kinds are those whose issuer defined a check.
 */
import { createHash } from "node:crypto";

export interface Row {
  readonly text: string;
  /** Detectors that must find exactly one thing each; empty: nothing may be found. */
  readonly finds: readonly string[];
}

/** A card number of `length` digits that begins with `prefix`. `seed` varies the middle. */
export function card(prefix: string, length: number, seed = 1): string {
  let body = prefix;
  for (let state = seed; body.length < length - 1; state = (state * 7919 + 13) % 104_729) body += state % 10;
  for (let check = 0; check < 10; check++) if (luhn(body + check)) return body + check;
  throw new Error("Cannot happen: one of ten check digits fits");
}

/** Written anew, so that a mistake in the detector's own Luhn shows. */
function luhn(digits: string): boolean {
  const sum = [...digits]
    .reverse()
    .map(Number)
    .map((digit, at) => (at % 2 === 0 ? digit : digit * 2 - (digit > 4 ? 9 : 0)));
  return sum.reduce((a, b) => a + b, 0) % 10 === 0;
}

/** A sound IBAN of a country with a body of its form. */
export function iban(country: string, body: string): string {
  const digits = [...`${body}${country}00`].map((character) => Number.parseInt(character, 36)).join("");
  return `${country}${String(98n - (BigInt(digits) % 97n)).padStart(2, "0")}${body}`;
}

export const groups = (text: string, ...sizes: number[]): string[] => {
  let at = 0;
  return sizes.map((size) => {
    at += size;
    return text.slice(at - size, at);
  });
};
const fours = (text: string, separator: string) => text.match(/.{1,4}/g)?.join(separator) ?? "";
const fullwidth = (text: string) => text.replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit)));
const arabic = (text: string) => text.replace(/\d/g, (digit) => String.fromCharCode(0x660 + Number(digit)));

const visa = card("4", 16);
const cards: string[] = [
  visa,
  card("4", 13),
  card("4", 19),
  card("51", 16),
  card("55", 16, 5),
  card("2221", 16),
  card("2720", 16, 3),
  card("34", 15),
  card("37", 15, 9),
  card("6011", 16),
  card("65", 16),
  card("644", 16),
  card("36", 14),
  card("38", 14),
  card("3528", 16),
  card("62", 16),
  card("62", 19),
  card("2200", 16),
  card("6759", 16),
  `card: ${visa}`,
  `(${visa})`,
  `"${visa}"`,
  `paid with ${visa}, thanks`,
  `${visa}|12/27|123`,
  `nr=${visa}&exp=1227`,
  fours(visa, " "),
  fours(visa, "-"),
  fours(visa, "."),
  fours(visa, "\u00a0"),
  fours(visa, "\u2011"),
  fours(visa, "\u200b"),
  groups(card("37", 15), 4, 6, 5).join(" "),
  groups(card("37", 15, 4), 4, 6, 5).join("-"),
  groups(card("36", 14), 4, 6, 4).join(" "),
  visa.match(/../g)?.join(" ") ?? "",
  fullwidth(visa),
  arabic(visa),
  `old ${fours(card("55", 16, 8), " ")} end`,
  `id 12 ${fours(visa, " ")} 03/27`,
];

const ibans: string[] = [
  iban("DE", "370400440532013000"),
  iban("GB", "NWBK60161331926819"),
  iban("FR", "20041010050500013M02606"),
  iban("NL", "ABNA0417164300"),
  iban("ES", "21000418450200051332"),
  iban("IT", "X0542811101000000123456"),
  iban("NO", "86011117947"),
  iban("BE", "539007547034"),
  iban("CH", "00762011623852957"),
  iban("AT", "1904300234573201"),
  iban("PL", "109010140000071219812874"),
  iban("MT", "MALT011000012345MTLCAST001S"),
  fours(iban("DE", "370400440532013000"), " "),
  fours(iban("GB", "NWBK60161331926819"), " "),
  fours(iban("FR", "20041010050500013M02606"), "-"),
  iban("DE", "370400440532013000").toLowerCase(),
  `IBAN: ${iban("NL", "ABNA0417164300")}.`,
  `to ${fours(iban("AT", "1904300234573201"), " ")} please`,
  fours(iban("DE", "370400440532013000"), "\u00a0"),
];

const ssns: string[] = [
  "123-45-6789",
  "ssn 219-09-9998",
  "SSN: 536 22 1234",
  "ssn=536221234",
  "social security number 899-99-9999",
  "her social: 001-01-0001",
  "(665-12-3456)",
  "123 45 6789",
  "123\u201145\u20116789",
  "536-22-1234, 1990-01-02",
];

const emails: string[] = [
  "bob@example.com",
  "first.last+tag@sub.example.co.uk",
  "<alice@example.org>",
  "mailto:alice@example.org?subject=x",
  "Contact alice_b@example.io.",
  "jürgen@müller.example",
  "a@xn--mller-kva.example",
  "user=alice@example.com;role=admin",
  "bob\uff20example.com",
  "o'neil@example.com".slice(2),
];

const phones: string[] = [
  "+49 30 901820",
  "+1 212 555 0123",
  "+442071838750",
  "(212) 555-0123",
  "212-555-0123",
  "1-800-555-0199",
  "212.555.0123",
  "phone 2125550123",
  "Tel: 030 9018 2000",
  "mobile: 07700 900123",
  "+33 (0)1 42 68 53 00",
];

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
/** Looks random and is the same in every run. */
const noise = (length: number, alphabet: string, seed = "noise") => {
  let made = "";
  for (let round = 0; made.length < length; round++) {
    for (const byte of createHash("sha512").update(`${seed}${round}`).digest())
      made += alphabet[byte % alphabet.length];
  }
  return made.slice(0, length);
};
const ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const jwt = `${base64url({ alg: "HS256", typ: "JWT" })}.${base64url({ sub: "1" })}.${noise(43, `${ALNUM}-_`)}`;
const pem = (label: string) =>
  `-----BEGIN ${label}-----\n${noise(64, `${ALNUM}+/`)}\n${noise(20, ALNUM)}==\n-----END ${label}-----`;
const awsId = `AKIA${noise(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")}`;
const awsSecret = noise(40, `${ALNUM}/+`);
const classic = (kind: string) => `gh${kind}_${noise(36, ALNUM, kind)}`;

const secrets: Row[] = [
  { text: jwt, finds: ["jwt"] },
  { text: `Authorization: Bearer ${jwt}`, finds: ["jwt"] },
  { text: `token=${jwt}; path=/`, finds: ["jwt"] },
  { text: jwt.split(".").slice(0, 2).join("."), finds: ["jwt"] },
  { text: `${base64url({ alg: "dir", enc: "A256GCM" })}.a.b.c.d`, finds: ["jwt"] },
  { text: pem("PRIVATE KEY"), finds: ["private-key"] },
  { text: pem("RSA PRIVATE KEY"), finds: ["private-key"] },
  { text: pem("OPENSSH PRIVATE KEY"), finds: ["private-key"] },
  { text: pem("ENCRYPTED PRIVATE KEY").replaceAll("\n", "\\n"), finds: ["private-key"] },
  { text: pem("PGP PRIVATE KEY BLOCK"), finds: ["private-key"] },
  { text: pem("EC PRIVATE KEY").slice(0, 60), finds: ["private-key"] },
  { text: awsId, finds: ["aws-key"] },
  { text: `key ${awsId.replace("AKIA", "ASIA")}.`, finds: ["aws-key"] },
  { text: `aws_secret_access_key = ${awsSecret}`, finds: ["aws-key"] },
  { text: `{"SecretAccessKey":"${awsSecret}"}`, finds: ["aws-key"] },
  { text: classic("p"), finds: ["github-token"] },
  { text: classic("s"), finds: ["github-token"] },
  { text: `https://x:${classic("o")}@host/`, finds: ["github-token"] },
  { text: `github_pat_${noise(22, ALNUM)}_${noise(59, ALNUM)}`, finds: ["github-token"] },
];

const rows = (detector: string, texts: readonly string[]): Row[] => texts.map((text) => ({ text, finds: [detector] }));

/** Kinds whose numbers have check digits or ranges: the bar is for these. */
export const CHECKSUMMED: readonly Row[] = [
  ...rows("payment-card", cards),
  ...rows("iban", ibans),
  ...rows("us-ssn", ssns),
];

export const OTHERS: readonly Row[] = [...rows("email", emails), ...rows("phone", phones), ...secrets];

const wrongCheck = (text: string) => text.slice(0, -1) + ((Number(text.at(-1)) + 1) % 10);
const hash = (name: string) => createHash(name).update("row").digest("hex");

/** Rows that look like one of the kinds and are none. */
export const NEGATIVES: readonly string[] = [
  wrongCheck(visa),
  fours(wrongCheck(visa), " "),
  wrongCheck(card("37", 15)),
  card("9", 16),
  card("1", 16),
  card("4", 14),
  card("51", 15),
  `A${visa}`,
  `${visa}b`,
  `1${visa}`,
  `0.${visa}`,
  visa.slice(0, 12),
  groups(visa, 3, 5, 5, 3).join(" "),
  groups(visa, 4, 4, 4, 4).join(" ").replace(" ", "-"),
  "0000000000000000",
  "1234567890123456",
  wrongCheck(iban("DE", "370400440532013000")),
  `${iban("DE", "370400440532013000")}1`,
  `X${iban("DE", "370400440532013000")}`,
  iban("ZZ", "370400440532013000"),
  iban("DE", "37040044053201300"),
  "GB29 NWBK",
  "000-12-3456",
  "666-12-3456",
  "900-12-3456",
  "123-00-4567",
  "123-45-0000",
  "123-45-67890",
  "0123-45-6789",
  "123-45-6789-1",
  "A123-45-6789",
  "123456789",
  "order 536221234",
  "1 123 45 6789 2",
  "2024-01-15 10:20:30.123456+00",
  "2024-01-15T10:20:30Z",
  "20240115102030",
  "1736948710123",
  "192.168.100.200",
  "10.20.30.40:5432",
  "2001:db8:85a3:8d3:1319:8a2e:370:7348",
  "550e8400-e29b-41d4-a716-446655440000",
  "12345678-1234-1234-1234-123456789012",
  "00:1b:44:11:3a:b7",
  hash("sha256"),
  hash("sha1"),
  hash("md5"),
  "3.14159265358979323846",
  "-73.98513412345678, 40.74881712345678",
  "978-3-16-148410-0",
  "ISBN 9783161484100",
  "1.234.567,89",
  "1,234,567.89",
  "10000 20000 30000 40000",
  "1 2 3 4 5 6 7 8 9 10 11 12",
  "v1.2.3-20240115.1",
  "linux-6.1.0-28-amd64",
  "JIRA-12345 and PR #67890",
  "EAN 4006381333931",
  "tracking 1Z999AA10123456784",
  "flight LH 1234 at 12:30",
  "git@github.com:acme/shop.git",
  "npm i @scope/package@1.2.3",
  "icon@2x.png",
  "user@localhost",
  "@mention and a @ b",
  "foo@bar@",
  "a@.com",
  "a@b..com",
  "5 @ 10.00",
  "postgres://db.internal:5432/shop",
  "eyJ",
  "eyJhbGciOi.only",
  `eyJ${noise(30, ALNUM)}.${noise(30, ALNUM)}.${noise(30, ALNUM)}`,
  `${base64url({ a: 1 })}.${base64url({ b: 1 })}.x`,
  "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
  "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
  "-----BEGIN",
  "AKIA",
  `X${awsId}`,
  `${awsId}Z`,
  awsSecret,
  `secret_key_hash ${hash("sha1")}`,
  "ghp_short",
  "gh_actions_runner_name_that_is_really_quite_long_indeed",
  `xghp_${noise(36, ALNUM)}`,
  "github_pat_none",
  "The quick brown fox jumps over the lazy dog",
  "Größe: 42, Länge: 17, Straße 5",
  "電話番号はありません",
  "12345",
  "100000000",
  "total 1000000 rows in 12.345 s",
  "room 123-456",
  "extension 555-0123",
  "seq 1000-2000-3000",
  "",
];
