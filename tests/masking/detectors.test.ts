import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DETECTOR_NAMES, DETECTORS, detect, evidenceOf, scanText } from "../../src/masking/detectors.ts";
import { EVERYTHING, gate } from "../../src/masking/gate.ts";
import { scrub } from "../../src/masking/scrub.ts";
import { CHECKSUMMED, card, NEGATIVES, OTHERS, type Row } from "./corpus.ts";

const found = (text: string) => detect(text).map(({ detector }) => detector);
const sameList = (left: readonly string[], right: readonly string[]) => left.join() === right.join();
const misses = (rows: readonly Row[]) => rows.filter(({ text, finds }) => !sameList(found(text), finds));
const falseAlarms = NEGATIVES.filter((text) => found(text).length > 0);

test("the corpus has at least 150 rows, 30 of each side", () => {
  assert.ok(CHECKSUMMED.length + OTHERS.length + NEGATIVES.length >= 150);
  assert.ok(CHECKSUMMED.length >= 30 && NEGATIVES.length >= 30);
  const texts = [...CHECKSUMMED, ...OTHERS].map(({ text }) => text).concat(NEGATIVES);
  assert.equal(new Set(texts).size, texts.length, "a row is there twice");
});

test("on kinds with check digits recall is at least 0.95 and precision at least 0.98", (context) => {
  const missed = misses(CHECKSUMMED);
  const hits = CHECKSUMMED.length - missed.length;
  const recall = hits / CHECKSUMMED.length;
  const wrong = falseAlarms.filter((text) => found(text).some((id) => ["payment-card", "iban", "us-ssn"].includes(id)));
  const precision = hits / (hits + wrong.length);
  context.diagnostic(`recall ${recall.toFixed(3)}, precision ${precision.toFixed(3)}`);
  assert.ok(recall >= 0.95, missed.map(({ text }) => `${text} -> ${found(text)}`).join("\n"));
  assert.ok(precision >= 0.98, wrong.join("\n"));
});

test("on all kinds together recall is at least 0.95 and precision at least 0.98", () => {
  const rows = [...CHECKSUMMED, ...OTHERS];
  const missed = misses(rows);
  const hits = rows.length - missed.length;
  assert.ok(hits / rows.length >= 0.95, missed.map(({ text }) => `${text} -> ${found(text)}`).join("\n"));
  assert.ok(
    hits / (hits + falseAlarms.length) >= 0.98,
    falseAlarms.map((text) => `${text} -> ${found(text)}`).join("\n"),
  );
});

test("the gate opens for every finding of every detector", () => {
  const encoder = new TextEncoder();
  for (const { text } of [...CHECKSUMMED, ...OTHERS]) {
    for (const detector of DETECTORS) {
      if (scanText([detector], text, "", EVERYTHING).length === 0) continue;
      assert.notEqual(gate(encoder.encode(text), detector.evidence, "none"), 0, `${detector.id} in ${text}`);
    }
  }
});

test("the gate stays shut for ordinary text", () => {
  const shut = ["The quick brown fox", "Größe: 42", "paid on 2024", "1234.56", "", "a-b_c A.B", "日本語"];
  for (const text of shut) assert.equal(gate(new TextEncoder().encode(text), evidenceOf(DETECTORS), "none"), 0, text);
});

test("findings are ascending, do not overlap and lie within the text", () => {
  const piece = fc.oneof(fc.constantFrom(...[...CHECKSUMMED, ...OTHERS].map(({ text }) => text)), fc.string());
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 5 }), fc.constantFrom("", " ", ",", "\u00a0"), (pieces, separator) => {
      const text = pieces.join(separator);
      let last = 0;
      for (const { start, end, detector } of detect(text)) {
        assert.ok(start >= last && end > start && end <= text.length);
        assert.ok(DETECTOR_NAMES.includes(detector));
        last = end;
      }
    }),
    { numRuns: 300 },
  );
});

test("a finding covers the number and nothing around it", () => {
  const number = card("4", 16);
  const text = `é 日本 ${number.slice(0, 4)}\u200b\u00a0${number.slice(4, 8)} ${number.slice(8, 12)} ${number.slice(12)} ok`;
  const [finding] = detect(text);
  assert.equal(text.slice(0, finding?.start), "é 日本 ");
  assert.equal(text.slice(finding?.end), " ok");
});

test("where findings overlap the first of the list names both", () => {
  const text = `-----BEGIN PRIVATE KEY-----\nbob@example.com ${card("4", 16)}\n-----END PRIVATE KEY-----`;
  assert.deepEqual(detect(text), [{ detector: "private-key", start: 0, end: text.length }]);
});

test("scrub replaces every finding by its name and leaves the rest", () => {
  assert.equal(scrub(`a ${card("4", 16)} b bob@example.com c`), "a [payment-card] b [email] c");
});

test("scrubbing twice changes nothing more, and nothing is left to find", () => {
  const piece = fc.oneof(fc.constantFrom(...[...CHECKSUMMED, ...OTHERS].map(({ text }) => text)), fc.string());
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 4 }), fc.constantFrom("", " ", "\n"), (pieces, separator) => {
      const once = scrub(pieces.join(separator));
      assert.deepEqual(detect(once), []);
      assert.equal(scrub(once), once);
    }),
    { numRuns: 300 },
  );
});

const hostile = [
  { name: "starts of a token", text: "eyJ".repeat(100_000) },
  { name: "dotted starts of a token", text: "eyJ.".repeat(75_000) },
  { name: "at signs", text: "a@".repeat(150_000) },
  { name: "dots behind an at sign", text: `a@${"a.".repeat(150_000)}` },
  { name: "digits", text: "4".repeat(300_000) },
  { name: "digits with spaces", text: "4 ".repeat(150_000) },
  { name: "digits with dashes", text: "4-".repeat(150_000) },
  { name: "nine digits each", text: "123456789 ".repeat(30_000) },
  { name: "country codes", text: "DE89".repeat(75_000) },
  { name: "country codes with spaces", text: "DE89 ".repeat(60_000) },
  { name: "beginnings of a key", text: "-----BEGIN ".repeat(30_000) },
  { name: "plus signs and brackets", text: "+1(2) ".repeat(50_000) },
  { name: "base64", text: `AKIA ${"Aa1/".repeat(75_000)}` },
  { name: "beginnings of a GitHub token", text: "ghp_".repeat(75_000) },
  { name: "fullwidth digits", text: "\uff14".repeat(100_000) },
  { name: "invisible characters", text: `4${"\u200b".repeat(100_000)}` },
];
for (const { name, text } of hostile)
  test(`300 kB of ${name} take linear time`, () => {
    const startedMs = performance.now();
    detect(text);
    // Linear: some 100 ms. Quadratic: minutes. The bound is wide for slow machines.
    assert.ok(performance.now() - startedMs < 5_000);
  });
