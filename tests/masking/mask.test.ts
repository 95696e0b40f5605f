import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createMasker } from "../../src/masking/mask.ts";
import type { ColumnFacts, MaskStyle, ValueKind } from "../../src/model/mask.ts";
import { CHECKSUMMED, card, groups, NEGATIVES, OTHERS } from "./corpus.ts";

const masker = createMasker(new Uint8Array(32).fill(7));
const number = card("4", 16);
const last = number.slice(-4);
const spaced = groups(number, 4, 4, 4, 4).join(" ");
const amex = card("37", 15);

function column(changes: Partial<ColumnFacts> = {}): ColumnFacts {
  return { schema: "public", table: "t", name: "c", labels: [], valueKind: "text", format: "text", ...changes };
}

/** Style by detector; "" is the column itself. */
type Styles = Readonly<Record<string, MaskStyle>>;

/** The masked text, null for SQL NULL, undefined where the value is shown. */
function maskText(text: string | Uint8Array, styles: Styles, changes: Partial<ColumnFacts> = {}) {
  const mask = masker.valueMask(column(changes), (detector) => styles[detector]);
  const masked = mask?.(typeof text === "string" ? new TextEncoder().encode(text) : text);
  if (masked === undefined) return undefined;
  return { value: masked.value === null ? null : Buffer.from(masked.value).toString(), by: masked.by };
}

const CARDS = { "payment-card": "partial" } as const;
const rows: readonly {
  name: string;
  kind?: ValueKind;
  value: string;
  styles: Styles;
  becomes: string | null | RegExp;
  by?: string;
}[] = [
  { name: "a card inside of a text", value: `nr ${spaced}!`, styles: CARDS, becomes: `nr **** **** **** ${last}!` },
  { name: "an American Express card", value: amex, styles: CARDS, becomes: `${"*".repeat(11)}${amex.slice(-4)}` },
  {
    name: "an SSN",
    value: "123-45-6789",
    styles: { "us-ssn": "partial" },
    becomes: "***-**-6789",
    by: "detector:us-ssn",
  },
  {
    name: "an SSN by the column's name",
    value: "536221234",
    styles: { "us-ssn": "partial" },
    becomes: "*****1234",
    by: "detector:us-ssn",
  },
  {
    name: "an e-mail address",
    value: "to bob@example.com",
    styles: { email: "partial" },
    becomes: "to b***@example.com",
    by: "detector:email",
  },
  {
    name: "an IBAN",
    value: "DE89370400440532013000",
    styles: { iban: "partial" },
    becomes: "********00",
    by: "detector:iban",
  },
  { name: "a redacted card", value: `nr ${number}`, styles: { "payment-card": "redact" }, becomes: "nr [redacted]" },
  { name: "a hashed card", value: number, styles: { "payment-card": "hash" }, becomes: /^h:[0-9a-f]{20}$/ },
  {
    name: "a value with a card that becomes null",
    value: `nr ${number}`,
    styles: { "payment-card": "null" },
    becomes: null,
  },
  {
    name: "two kinds with a style each",
    value: `${number} bob@example.com`,
    styles: { ...CARDS, email: "redact" },
    becomes: `************${last} [redacted]`,
    by: "detector:payment-card,email",
  },
  {
    name: "a labelled text",
    value: "anything at all",
    styles: { "": "partial" },
    becomes: "********ll",
    by: "label:pii,other",
  },
  {
    name: "a short labelled text",
    value: "Ann Lee",
    styles: { "": "partial" },
    becomes: "********",
    by: "label:pii,other",
  },
  { name: "an empty labelled text", value: "", styles: { "": "partial" }, becomes: "********", by: "label:pii,other" },
  {
    name: "a labelled card",
    value: spaced,
    styles: { "": "partial" },
    becomes: `**** **** **** ${last}`,
    by: "label:pii,other",
  },
  {
    name: "a labelled address",
    value: "bob@example.com",
    styles: { "": "partial" },
    becomes: "b***@example.com",
    by: "label:pii,other",
  },
  {
    name: "a labelled text with an address inside",
    value: "Bob <bob@example.com>",
    styles: { "": "partial" },
    becomes: "********m>",
    by: "label:pii,other",
  },
  {
    name: "a labelled text of a stricter kind",
    value: number,
    styles: { "": "partial", "payment-card": "null" },
    becomes: null,
    by: "label:pii,other",
  },
  {
    name: "a labelled text of a laxer kind",
    value: number,
    styles: { "": "redact", "payment-card": "partial" },
    becomes: "[redacted]",
    by: "label:pii,other",
  },
  {
    name: "a labelled number",
    kind: "other",
    value: "42",
    styles: { "": "partial" },
    becomes: null,
    by: "label:pii,other",
  },
  {
    name: "labelled JSON",
    kind: "json",
    value: '{"a":1}',
    styles: { "": "partial" },
    becomes: '"[redacted]"',
    by: "label:pii,other",
  },
  {
    name: "labelled JSON that is hashed",
    kind: "json",
    value: '{"a":1}',
    styles: { "": "hash" },
    becomes: /^"h:[0-9a-f]{20}"$/,
    by: "label:pii,other",
  },
  {
    name: "a labelled array",
    kind: "text-array",
    value: "{a}",
    styles: { "": "redact" },
    becomes: null,
    by: "label:pii,other",
  },
  {
    name: "a string in JSON",
    kind: "json",
    value: `{"a": "${spaced}", "b":[1]}`,
    styles: CARDS,
    becomes: `{"a": "**** **** **** ${last}", "b":[1]}`,
  },
  { name: "a number in JSON", kind: "json", value: `[${number}, 1.5e3]`, styles: CARDS, becomes: "[null, 1.5e3]" },
  { name: "a number with an exponent", kind: "json", value: `[${number}e0]`, styles: CARDS, becomes: "[null]" },
  {
    name: "a number with an escape in JSON",
    kind: "json",
    value: `"\\u00${(0x30 + 4).toString(16)}${number.slice(1)}"`,
    styles: CARDS,
    becomes: `"************${last}"`,
  },
  {
    name: "a key in JSON",
    kind: "json",
    value: `{"${number}" : true}`,
    styles: CARDS,
    becomes: `{"************${last}" : true}`,
  },
  {
    name: "a key in JSON that becomes null",
    kind: "json",
    value: `{"${number}":"${number}"}`,
    styles: { "payment-card": "null" },
    becomes: '{"[redacted]":null}',
  },
  {
    name: "JSON in a string of JSON",
    kind: "json",
    value: JSON.stringify({ a: JSON.stringify({ b: number }) }),
    styles: CARDS,
    becomes: JSON.stringify({ a: JSON.stringify({ b: `************${last}` }) }),
  },
  {
    name: "JSON that is none",
    kind: "json",
    value: `{"a": ${number}`,
    styles: CARDS,
    becomes: `{"a": ************${last}`,
  },
  {
    name: "an element of an array",
    kind: "text-array",
    value: `{a,"${spaced}",NULL}`,
    styles: CARDS,
    becomes: `{a,"**** **** **** ${last}",NULL}`,
  },
  {
    name: "an element without quotes",
    kind: "text-array",
    value: `{{${number}},{x}}`,
    styles: CARDS,
    becomes: `{{"************${last}"},{x}}`,
  },
  {
    name: "an element that becomes null",
    kind: "text-array",
    value: `[0:1]={${number},x}`,
    styles: { "payment-card": "null" },
    becomes: "[0:1]={NULL,x}",
  },
  {
    name: "an element with quotes inside",
    kind: "text-array",
    value: `{"\\"${number}\\\\"}`,
    styles: CARDS,
    becomes: `{"\\"************${last}\\\\"}`,
  },
  { name: "an array that is none", kind: "text-array", value: `{${number}`, styles: CARDS, becomes: null },
];
for (const { name, kind = "text", value, styles, becomes, by = "detector:payment-card" } of rows)
  test(`${name} is masked`, () => {
    const labels = "" in styles ? ["pii", "other"] : [];
    const named = name.includes("column's name") ? "customer_ssn" : "c";
    const masked = maskText(value, styles, { valueKind: kind, labels, name: named });
    assert.ok(masked !== undefined, "it was shown");
    if (becomes instanceof RegExp) assert.match(masked.value ?? "null", becomes);
    else assert.equal(masked.value, becomes);
    assert.equal(masked.by, by);
  });

const shown: readonly { name: string; kind?: ValueKind; value: string; styles: Styles }[] = [
  { name: "ordinary text", value: "hello", styles: CARDS },
  { name: "a kind without a style", value: "bob@example.com", styles: CARDS },
  { name: "a sixteen digit number that is no card", value: card("9", 16), styles: CARDS },
  { name: "a number of a numeric type", kind: "other", value: number, styles: CARDS },
  { name: "sound JSON", kind: "json", value: '{"a": [1, "x", null]}', styles: CARDS },
  { name: "JSON with digits", kind: "json", value: "[12345678, 1234567890]", styles: CARDS },
  { name: "an array of text", kind: "text-array", value: '{a,"12345678"}', styles: CARDS },
];
for (const { name, kind = "text", value, styles } of shown)
  test(`${name} is shown`, () => assert.equal(maskText(value, styles, { valueKind: kind }), undefined));

test("a column that nothing can mask has no mask at all", () => {
  assert.equal(
    masker.valueMask(column(), () => undefined),
    undefined,
  );
  assert.equal(
    masker.valueMask(column({ valueKind: "other" }), (detector) => CARDS[detector as "payment-card"]),
    undefined,
  );
});

test('"secret" stands for every key and token, and the stricter style wins', () => {
  const secrets = OTHERS.filter(({ finds }) =>
    ["jwt", "private-key", "aws-key", "github-token"].includes(finds[0] ?? ""),
  );
  assert.ok(secrets.length > 10);
  for (const { text } of secrets) assert.match(maskText(text, { secret: "redact" })?.value ?? "", /\[redacted\]/, text);
  const [first] = secrets;
  assert.equal(maskText(first?.text ?? "", { secret: "partial", jwt: "null" })?.value, null);
});

test("a hash is the same for the same value and key, and another for another key", () => {
  const hash = (key: number, value: string) => {
    const mask = createMasker(new Uint8Array(32).fill(key)).valueMask(column(), () => "hash");
    return Buffer.from(mask?.(Buffer.from(value))?.value ?? []).toString();
  };
  assert.equal(hash(1, "a"), hash(1, "a"));
  assert.notEqual(hash(1, "a"), hash(1, "b"));
  assert.notEqual(hash(1, "a"), hash(2, "a"));
});

test("jsonb in binary form keeps its version byte", () => {
  const value = Buffer.concat([Uint8Array.of(1), Buffer.from(`"${number}"`)]);
  const changes = { valueKind: "json", format: "binary" } as const;
  assert.equal(maskText(value, CARDS, changes)?.value, `\u0001"************${last}"`);
  assert.equal(maskText(value, { "": "redact" }, changes)?.value, '\u0001"[redacted]"');
});

test("a binary array with a finding in an element becomes null, also where lengths look like digits", () => {
  const changes = { valueKind: "text-array", format: "binary" } as const;
  // 48 to 57 bytes: the length is the code of a digit.
  const text = `${number}${" ".repeat(36)}`;
  assert.deepEqual(maskText(arrayOf(["x", text]), CARDS, changes), { value: null, by: "detector:payment-card" });
  assert.equal(maskText(arrayOf(["x", "12345678"]), CARDS, changes), undefined);
});

test("bytes that are no UTF-8 become null where something is found in them", () => {
  const value = Buffer.concat([Buffer.from(`${number} `), Uint8Array.of(0xff)]);
  assert.deepEqual(maskText(value, CARDS), { value: null, by: "detector:payment-card" });
  assert.equal(maskText(Uint8Array.of(0xff, 0x41), CARDS), undefined);
  assert.equal(maskText(Uint8Array.of(0xff, 0x41), { "": "partial" })?.value, null);
});

const everything = fc.oneof(
  fc.constantFrom(...[...CHECKSUMMED, ...OTHERS].map(({ text }) => text), ...NEGATIVES),
  fc.string({ unit: "binary" }).map((text) => text.toWellFormed()),
);
const style = fc.constantFrom<MaskStyle>("null", "redact", "hash", "partial");

test("what stands for a masked value never holds the value", () => {
  fc.assert(
    fc.property(everything, style, (text, own) => {
      fc.pre(text.length >= 6 && !/^[*]+$/.test(text) && !"[redacted]".includes(text));
      const masked = maskText(text, { "": own }, { labels: ["pii"] });
      assert.ok(masked !== undefined && (masked.value === null || !masked.value.includes(text)));
    }),
    { numRuns: 500 },
  );
});

test("what a detector found is not in the masked value", () => {
  for (const { text, finds } of [...CHECKSUMMED, ...OTHERS]) {
    for (const own of ["null", "redact", "hash", "partial"] as const) {
      const masked = maskText(text, Object.fromEntries(finds.map((detector) => [detector, own])));
      assert.ok(masked !== undefined && (masked.value === null || !masked.value.includes(text)), `${own} ${text}`);
    }
  }
});

test("masked JSON stays JSON, and no string of it holds what was found", () => {
  const pieces = fc.oneof(fc.constantFrom(number, spaced, `nr ${number}`, "bob@example.com"), fc.string());
  fc.assert(
    fc.property(
      fc.object({ values: [pieces, fc.integer(), fc.constant(Number(number))], key: pieces }),
      style,
      (object, own) => {
        const masked = maskText(
          JSON.stringify(object),
          { "payment-card": own, email: own, iban: own },
          { valueKind: "json" },
        );
        if (masked === undefined || masked.value === null) return;
        JSON.parse(masked.value);
        assert.ok(!masked.value.includes(number));
      },
    ),
    { numRuns: 300 },
  );
});

/** PostgreSQL's binary form of text[] with one dimension. */
function arrayOf(elements: readonly string[]): Uint8Array {
  const ints = (...values: number[]) => {
    const bytes = Buffer.alloc(values.length * 4);
    values.forEach((value, at) => {
      bytes.writeInt32BE(value, at * 4);
    });
    return bytes;
  };
  const parts = elements.flatMap((element) => [ints(Buffer.byteLength(element)), Buffer.from(element)]);
  return Buffer.concat([ints(1, 0, 25, elements.length, 1), ...parts]);
}
