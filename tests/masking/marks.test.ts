import assert from "node:assert/strict";
import { createHmac, createSecretKey } from "node:crypto";
import { test } from "node:test";
import { findMark, mayHoldMark } from "../../src/masking/marks.ts";
import { replaceText } from "../../src/masking/replace.ts";

const KEY = createSecretKey(Buffer.alloc(32, 7));
const OTHER_KEY = createSecretKey(Buffer.alloc(32, 8));

const masked = [
  { name: "a redacted text", text: "anything", style: "redact", kind: "" },
  { name: "a hash", text: "219-09-9999", style: "hash", kind: "" },
  { name: "a card with spaces", text: "4111 1111 1111 1111", style: "partial", kind: "payment-card" },
  { name: "a card without", text: "4111111111111111", style: "partial", kind: "payment-card" },
  { name: "an SSN", text: "219-09-9999", style: "partial", kind: "us-ssn" },
  { name: "a number of 12 digits", text: "1234 5678 9012", style: "partial", kind: "" },
  { name: "a number in full-width digits", text: "１２３４５６７８９", style: "partial", kind: "" },
  { name: "a digit a group", text: "2-1-9-0-9-9-9-9-9", style: "partial", kind: "" },
  { name: "an address", text: "ada@example.org", style: "partial", kind: "email" },
  { name: "a short text", text: "abc", style: "partial", kind: "" },
  { name: "a long text", text: "a long secret text", style: "partial", kind: "" },
] as const;
for (const { name, text, style, kind } of masked) {
  test(`the ${style} mask of ${name} is recognised alone and inside of a text`, () => {
    const mask = replaceText(text, style, kind, KEY) ?? "";
    assert.equal(findMark(mask, KEY), style, mask);
    assert.equal(findMark(`before ${mask}, after`, KEY), style, mask);
    assert.equal(mayHoldMark(mask), true, mask);
  });
}

const innocent = [
  "",
  "plain text",
  "see https://example.org/h:0123456789abcdef0123",
  "h:0123456789abcdef",
  "sha h:00000000000000000000",
  "*** important ***",
  "**bold**",
  "*********** nine and more",
  "a * b * c * d * e * f",
  "***-**-12345",
  "SELECT count(*) FROM t",
  "/********************* a header *********************/",
  "****1234",
];
for (const text of innocent) test(`"${text}" carries no mask`, () => assert.equal(findMark(text, KEY), undefined));

test("a hash of another key is not ours", () => {
  const mask = replaceText("219-09-9999", "hash", "", OTHER_KEY) ?? "";
  assert.equal(findMark(mask, KEY), undefined);
  assert.equal(findMark(mask, OTHER_KEY), "hash");
});

test("equal values still have equal hashes, and a changed digit is no hash any more", () => {
  const [one, two] = [replaceText("x", "hash", "", KEY), replaceText("x", "hash", "", KEY)];
  assert.equal(one, two);
  const last = (one ?? "").at(-1) === "0" ? "1" : "0";
  assert.equal(findMark(`${one?.slice(0, -1)}${last}`, KEY), undefined);
});

test("a hash is what it was in earlier versions: recordings and people compare them", () => {
  const digits = (text: string, count: number) =>
    createHmac("sha256", Buffer.alloc(32, 7)).update(text).digest("hex").slice(0, count);
  const tag = digits("219-09-9999", 16);
  assert.equal(replaceText("219-09-9999", "hash", "", KEY), `h:${tag}${digits(`mark of ${tag}`, 4)}`);
});
