/** What the relay does not ask about is nothing to the detectors: the words of lone.ts, and the numbers of native/src/standing.cc. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { detect } from "../../src/masking/detectors.ts";
import { isWordlessAround } from "../../src/masking/lone.ts";
import { mayHoldMark } from "../../src/masking/marks.ts";
import { scrub } from "../../src/masking/scrub.ts";
import { Random } from "../fuzz/random.ts";
import { bound, lookedAt, type Place, query } from "../native/looking.ts";
import { digits, SQL, TELLING } from "./pieces.ts";

test("nothing is found in a number by itself, whatever its digits are", () => {
  const random = new Random(1);
  for (let turn = 0; turn < 50_000; turn++) {
    assert.deepEqual(detect(digits(random, 11)), []);
  }
  for (const value of TELLING) assert.deepEqual(detect(value), []);
});

test("control: something is found in longer ones, and in those with signs", () => {
  for (const value of ["501800000009", "4111111111111111", "219-09-9999", "+442012345678"]) {
    assert.notEqual(scrub(value), value);
  }
});

const PIECES = [
  ...SQL,
  ...["219-09-", "(212) 555-", "+44 ", "no12ab - ", "de89 ", " mt84malt - ", "0123 ", "ssn = ", "phone: "],
  ...[
    "4111 1111 1111 ",
    "hotel",
    "excellent AND ",
    "0 social ",
    " x ssn",
    "ssnx ",
    "INSERT INTO t VALUES (",
    " de",
    "NO",
  ],
  ...[
    "SET a = a + ",
    " WHERE b = ",
    " OR c IN (",
    "x",
    "",
    "1",
    " tel ",
    "col1 = ",
    " = ",
    " + -",
    "/",
    ") ",
    "+ (",
    "\n",
  ],
];

test("of a text without words, only what is nothing is not asked about", async (t) => {
  const random = new Random(2);
  const telling = TELLING.filter((value) => value.length <= 9);
  const number = () => (random.below(3) === 0 ? random.pick(telling) : digits(random, 9));
  const all = Array.from({ length: 30_000 }, () => {
    const parts = Array.from({ length: 2 + random.below(4) }, () =>
      Array.from({ length: random.below(4) }, () => random.pick(PIECES)).join(""),
    );
    return { parts, text: parts.reduce((made, part) => `${made}${number()}${part}`) };
  }).filter(({ parts }) => areOpen(parts) && isWordlessAround(parts));
  const asked = await askedOf(
    t,
    all.map(({ parts, text }) => query(parts, text)),
  );
  const passed = all.filter(({ text }) => !asked.has(text));
  for (const { text } of passed) assert.equal(scrub(text), text);
  const long = passed.filter(({ text }) => text.replace(/\D/g, "").length > 9).length;
  assert.ok(long > 500, `${long} of ${all.length} texts with many digits were not asked about`);
});

/** No digit follows an integer: it would be one of it. */
function areOpen([_, ...parts]: readonly string[]): boolean {
  return parts.every((part, at) => !/^[0-9]/.test(part) && (part !== "" || at === parts.length - 1));
}

const VALUE_PIECES = [
  ...[
    "219-09-9999",
    "219",
    "09",
    "9999",
    "212",
    "555",
    "0123",
    "(212) ",
    "1",
    "+44 ",
    "+1",
    "4111 1111 1111 1111",
    "+",
  ],
  ...[
    "2026-11-30 ",
    "12:00:00.123456",
    "+00",
    "T",
    "Z",
    " ",
    "-",
    ".",
    "/",
    ", ",
    ":",
    "no",
    "de89",
    "tel ",
    "ssn ",
    "x",
  ],
  ...["call", "h:", "--", "***", "@", "a@b.de", "eyJ", "AKIA", "1234567", "12345678901", "5018", "mt84malt"],
];

test("of a value, only what is nothing and no mask of ours is not asked about", async (t) => {
  const random = new Random(3);
  const piece = () => (random.below(3) === 0 ? digits(random, 6) : random.pick(VALUE_PIECES));
  const all = Array.from({ length: 12_000 }, () => Array.from({ length: 1 + random.below(6) }, piece).join(""));
  const asked = await askedOf(
    t,
    all.map((text) => bound("value", Buffer.from(text))),
  );
  const passed = all.filter((text) => !asked.has(text));
  for (const text of passed) assert.deepEqual([scrub(text), mayHoldMark(text)], [text, false], text);
  const long = passed.filter((text) => text.replace(/\D/g, "").length > 6).length;
  assert.ok(long > 500, `${long} of ${all.length} values with many digits were not asked about`);
});

test("of integers in binary form, only what is nothing is not asked about", async (t) => {
  const random = new Random(4);
  const all = Array.from({ length: 3_000 }, (): { place: Place; bytes: Buffer } => {
    const [place, width] = random.pick([
      ["int2", 2],
      ["int4", 4],
      ["int8", 8],
    ] as const);
    const bytes = Buffer.from(Array.from({ length: width }, () => random.below(256)));
    if (random.below(2) === 0) bytes.fill(random.below(2) * 255, 0, width / 2);
    return { place, bytes };
  });
  const read = ({ place, bytes }: (typeof all)[number]) => bytesText(place, bytes);
  const asked = await askedOf(
    t,
    all.map(({ place, bytes }) => bound(place, bytes)),
  );
  assert.ok(asked.size > 200);
  for (const one of all) if (!asked.has(read(one))) assert.equal(scrub(read(one)), read(one));
  const longest = Math.max(...[...asked].map((text) => text.length));
  assert.ok([...asked].every((text) => all.some((one) => read(one) === text)) && longest === 20);
});

function bytesText(place: Place, bytes: Buffer): string {
  if (place === "int8") return bytes.readBigInt64BE().toString();
  return String(place === "int4" ? bytes.readInt32BE() : bytes.readInt16BE());
}

async function askedOf(t: TestContext, groups: Parameters<typeof lookedAt>[1]): Promise<ReadonlySet<string>> {
  const asked = new Set<string>();
  await lookedAt(t, groups, (text) => {
    asked.add(text);
    return true;
  });
  return asked;
}

const rows: readonly (readonly [text: string, isAsked: boolean])[] = [
  ["INSERT INTO pgbench_history (tid, bid, aid) VALUES (12, 1, 1234567, -2033, CURRENT_TIMESTAMP)", false],
  ["UPDATE t SET n = n + -2033 WHERE id = 123456789;", false],
  ["UPDATE t SET n = n + 123456 WHERE id = 123456789;", false],
  ["UPDATE t SET n = n + 44201234 WHERE id = 5", true],
  ["SELECT n FROM t WHERE n = 219-09-9999", true],
  ["SELECT n FROM t WHERE n = 212 - 555 - 1234", false],
  ["SELECT n FROM t WHERE n = 212-555-1234", true],
  ["SELECT n FROM t WHERE n = (1234567)/12345", true],
  ["SELECT no1234567", true],
  ["SELECT n FROM t WHERE ssn = 123456789", true],
  ["SELECT n FROM t WHERE ssn = 123456", false],
];
for (const [text, isAsked] of rows)
  test(`${text}: ${isAsked ? "asked about" : "not asked about"}`, async (t) => {
    const parts = text.split(/\d+/);
    const asked = await askedOf(t, [query(parts, text, isWordlessAround(parts))]);
    assert.equal(asked.size === 1, isAsked);
  });

const values: readonly (readonly [text: string, isAsked: boolean])[] = [
  ...["2026-11-30 12:00:00.123456+00", "2026-11-30T12:00:00Z", "-1234567", "12345678901", "3.14159265"].map(
    (text) => [text, false] as const,
  ),
  ...["219-09-9999", "212 555 0123", "+442012345678", "123456789012", "call 12345678", "h:1", "--", "de89 1234567"].map(
    (text) => [text, true] as const,
  ),
];
for (const [text, isAsked] of values)
  test(`the value ${text}: ${isAsked ? "asked about" : "not asked about"}`, async (t) => {
    const asked = await askedOf(t, [bound("value", Buffer.from(text))]);
    assert.equal(asked.size === 1, isAsked);
  });

for (const [parts, is] of [
  [["SELECT abalance FROM pgbench_accounts WHERE aid = ", ";"], true],
  [["SELECT n FROM t WHERE ssn = ", ""], false],
  [["SELECT n FROM people WHERE phone_number = ", ""], false],
  [["SELECT n FROM excellent WHERE id = ", ""], false],
] as const)
  test(`${parts.join("N")}: ${is ? "no word" : "a word"} says what a number is`, () =>
    assert.equal(isWordlessAround(parts), is));
