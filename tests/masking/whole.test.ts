/** The way over bytes and the long way make the same of every value; bytes beside the value stay what they are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createMasker } from "../../src/masking/mask.ts";
import { ASK, type MaskStyle, NULLED, type ValueKind } from "../../src/model/mask.ts";

const masker = createMasker(new Uint8Array(32).fill(7));
const maskOf = (own: MaskStyle, valueKind: ValueKind, found?: MaskStyle) =>
  masker.valueMask(
    { schema: "public", table: "t", name: "c", labels: ["pii"], valueKind, format: "text" },
    (detector) => (detector === "" ? own : found),
  );

const partial = maskOf("partial", "text");
const MASKS = [
  ["partial", partial],
  ["redact", maskOf("redact", "text")],
  ["null", maskOf("null", "text")],
  ["json, partial", maskOf("partial", "json")],
  ["json, redact", maskOf("redact", "json")],
  ["a number", maskOf("partial", "other")],
  ["an array", maskOf("redact", "text-array")],
] as const;

const BEFORE = Buffer.from("4@.x");
const AFTER = Buffer.from("@9.y");

type Made = Buffer | "ask" | "null";

/** What the quick way makes of it, in the middle of other bytes. */
function quick(mask: typeof partial, value: Uint8Array): Made {
  const whole = mask?.whole;
  assert.ok(whole !== undefined, "there is no quick way");
  const bytes = Buffer.concat([BEFORE, value, AFTER]);
  const end = BEFORE.length + value.length;
  const cut = whole.cut(bytes, BEFORE.length, end);
  assert.ok(bytes.subarray(0, BEFORE.length).equals(BEFORE), "it wrote before the value");
  assert.ok(bytes.subarray(end).equals(AFTER), "it wrote behind the value");
  if (cut === ASK || cut === NULLED) {
    assert.ok(bytes.subarray(BEFORE.length, end).equals(value), "it changed what it does not mask");
    return cut === ASK ? "ask" : "null";
  }
  assert.ok(cut >= BEFORE.length && cut <= end, `it cuts at ${cut}`);
  return Buffer.concat([whole.head, bytes.subarray(cut, end)]);
}

function long(mask: typeof partial, value: Uint8Array): Made {
  const masked = mask?.(value);
  assert.ok(masked !== undefined && masked.by === mask?.whole?.by);
  return masked.value === null ? "null" : Buffer.from(masked.value);
}

function same(value: Uint8Array): void {
  const isAscii = value.every((byte) => byte < 0x80);
  for (const [name, mask] of MASKS) {
    const made = quick(mask, value);
    const shown = () => `${name}: ${JSON.stringify(Buffer.from(value).toString("latin1"))}`;
    if (made === "ask") assert.ok(!isAscii || (name !== "partial" && value[0] === 1), `asks of ${shown()}`);
    else assert.deepEqual(made, long(mask, value), shown());
  }
}

const BASES = ["", "219-10-0001", "4111 1111 1111 1111", "ann@example.com", "a@b.c", "Ann Lee", "Anna Lee", "12345678"];
const both = (text: string) => same(Buffer.from(text, "latin1"));

test("any byte, put or placed anywhere in a value of every form", () => {
  for (const base of BASES) {
    for (let at = 0; at <= base.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const one = String.fromCharCode(byte);
        both(base.slice(0, at) + one + base.slice(at));
        both(base.slice(0, at) + one + base.slice(at + 1));
      }
    }
  }
});

test("texts of every length around the one from which two characters stay", () => {
  for (let length = 0; length < 40; length++) both("x".repeat(length));
  both("x".repeat(100_000));
});

test("numbers of every length, with every separator", () => {
  for (let digits = 0; digits < 24; digits++) {
    for (const separator of ["", " ", "\t", "\n", "\v", "\f", "\r", "-", ".", "/", "_", "+", ",", "@", ". ", "\0"]) {
      for (const every of [1, 3, 4]) {
        const text = [..."9876543210".repeat(3).slice(0, digits)]
          .map((digit, at) => (at % every === 0 ? separator + digit : digit))
          .join("");
        both(text);
        both(text + separator);
      }
    }
  }
});

test("addresses around the bounds of their parts", () => {
  for (const local of [0, 1, 2, 3, 4, 5, 63, 64, 65]) {
    for (const domain of [0, 1, 2, 3, 4, 251, 252, 253, 254, 255]) {
      for (const [one, other] of ["ax", "1.", ".1", "--", "@a", "a@"]) {
        both(`${one?.repeat(local)}@${other?.repeat(domain)}`);
        both(`${"a".repeat(local)}@${"b".repeat(Math.max(0, domain - 1))}.`);
        both(`${"a".repeat(Math.max(0, local - 1))}.@${"b".repeat(domain)}`);
      }
    }
  }
});

test("bytes that are UTF-8 and such as are none", () => {
  for (const text of ["Jürgen Groß", "ａ＠example.com", "２１９-10-0001", "a­b@example.com", "😀".repeat(9)]) {
    same(Buffer.from(text));
  }
  for (const bytes of ["ff", "c0af", "eda080", "f4908080", "efbbbf41", "41c3", "61406578c3"])
    same(Buffer.from(bytes, "hex"));
});

/** What the forms are made of, and what breaks them. */
const hostile = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom("1", "90", "123", "-", " ", ".", "/", "@", "a", "ann", "example.com") },
      {
        weight: 1,
        arbitrary: fc.constantFrom("\0", "\x01", "\t", "\n", "\x0b", "\x1c", "\x1f", "\x7f", '"', "<", ">", ",", ";"),
      },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 3 }).map((text) => text.toWellFormed()) },
    ),
    { maxLength: 24 },
  )
  .map((parts) => Buffer.from(parts.join("")));

test("values made of what the forms are made of, and of what breaks them", () => {
  fc.assert(fc.property(hostile, same), { numRuns: 20_000 });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), same), { numRuns: 2_000 });
});

test("there is no quick way where a finding may be stricter, where the key is needed, and where nothing is masked as a whole", () => {
  assert.equal(maskOf("partial", "text", "redact")?.whole, undefined);
  assert.notEqual(maskOf("partial", "text", "partial")?.whole, undefined);
  assert.equal(maskOf("hash", "text")?.whole, undefined);
  assert.equal(maskOf("hash", "json")?.whole, undefined);
  const searched = masker.valueMask(
    { schema: "", table: "", name: "c", labels: [], valueKind: "text", format: "text" },
    (detector) => (detector === "" ? undefined : "partial"),
  );
  assert.equal(searched?.whole, undefined);
  assert.equal(searched?.isClear?.(Buffer.from("plain"), 0, 5), true);
  assert.equal(partial?.isClear, undefined);
});
