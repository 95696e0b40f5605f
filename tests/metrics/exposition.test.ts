/** The text format: what is written can be read by a parser that knows nothing of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Definition, exposition } from "../../src/metrics/exposition.ts";
import { Histogram } from "../../src/metrics/instruments.ts";
import { parseExposition, sampled } from "../kit/exposition.ts";

const GAUGE: Definition = { name: "a_gauge", type: "gauge", help: "A \\ and\na line.", labels: ["one", "two"] };

test("any label value and any number comes back as it was", () => {
  const values = fc.string({ unit: "grapheme" });
  const numbers = fc.double({ noNaN: true });
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(values, values, numbers), { selector: ([one, two]) => `${one}\0${two}` }),
      (rows) => {
        const readings = rows.map(([one, two, value]) => ({ labels: [one, two], value }));
        const parsed = parseExposition(exposition([{ definition: GAUGE, readings }]));
        assert.equal(parsed.get("a_gauge")?.help, GAUGE.help);
        assert.deepEqual(
          parsed.get("a_gauge")?.samples.map(({ labels, value }) => [labels["one"], labels["two"], value + 0]),
          rows.map(([one, two, value]) => [one, two, value + 0]),
        );
      },
    ),
  );
});

test("a histogram has cumulative buckets, and +Inf is its count", () => {
  const histogram = new Histogram([0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 5, 7]) histogram.observe(value);
  const definition: Definition = { name: "a_time", type: "histogram", help: "Times.", labels: ["phase"] };
  const text = exposition([{ definition, readings: [{ labels: ["judge"], value: histogram }] }]);
  const parsed = parseExposition(text);
  const bucket = (le: string) => sampled(parsed, "a_time_bucket", { phase: "judge", le });
  assert.deepEqual([bucket("0.1"), bucket("1"), bucket("+Inf")], [2, 3, 5]);
  assert.equal(sampled(parsed, "a_time_count"), 5);
  assert.equal(sampled(parsed, "a_time_sum").toFixed(2), "12.65");
});

/** That the parser is one that can say no. */
const bad = [
  { name: "a sample without its metric", text: "x 1\n", says: /out of place/ },
  { name: "a metric without a type", text: "# HELP x y\nx 1\n", says: /out of place/ },
  { name: "the same sample twice", text: '# HELP x y\n# TYPE x gauge\nx{a="1"} 1\nx{a="1"} 2\n', says: /twice/ },
  { name: "the same metric twice", text: "# HELP x y\n# TYPE x gauge\n# HELP x y\n", says: /twice/ },
  { name: "a quote that is not escaped", text: '# HELP x y\n# TYPE x gauge\nx{a="""} 1\n', says: /not between/ },
  { name: "a value that is none", text: "# HELP x y\n# TYPE x gauge\nx one\n", says: /not a value/ },
  { name: "a counter below zero", text: "# HELP x y\n# TYPE x counter\nx -1\n", says: /below zero/ },
  { name: "no end of the last line", text: "# HELP x y\n# TYPE x gauge\nx 1", says: /no end/ },
  {
    name: "buckets that fall",
    text: '# HELP x y\n# TYPE x histogram\nx_bucket{le="1"} 2\nx_bucket{le="+Inf"} 1\nx_sum 1\nx_count 1\n',
    says: /not cumulative/,
  },
  {
    name: "a count that is not +Inf",
    text: '# HELP x y\n# TYPE x histogram\nx_bucket{le="1"} 1\nx_bucket{le="+Inf"} 2\nx_sum 1\nx_count 1\n',
    says: /count is not/,
  },
  {
    name: "no bucket +Inf",
    text: '# HELP x y\n# TYPE x histogram\nx_bucket{le="1"} 1\nx_sum 1\nx_count 1\n',
    says: /no bucket/,
  },
] as const;
for (const { name, text, says } of bad) {
  test(`the tests' parser refuses ${name}`, () => assert.throws(() => parseExposition(text), says));
}
