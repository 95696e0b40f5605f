/** What counts: exact, and never more labels than it may have. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { METRIC_LABEL_VALUES_MAX } from "../../src/base/limits.ts";
import { Counter, Family, Histogram } from "../../src/metrics/instruments.ts";

const observed = [
  { name: "a value below all bounds", value: 0.5, cumulative: [1, 1, 1] },
  { name: "a value at a bound", value: 1, cumulative: [1, 1, 1] },
  { name: "a value between bounds", value: 1.5, cumulative: [0, 1, 1] },
  { name: "a value above all bounds", value: 3, cumulative: [0, 0, 1] },
] as const;
for (const { name, value, cumulative } of observed) {
  test(`a histogram puts ${name} where it belongs`, () => {
    const histogram = new Histogram([1, 2]);
    histogram.observe(value);
    assert.deepEqual(histogram.cumulative(), cumulative);
    assert.equal(histogram.sum, value);
  });
}

test("a family gives the same instrument for the same values, and another one for others", () => {
  const family = new Family(2, () => new Counter());
  family.of("a", "b").add();
  family.of("a", "b").add(2);
  family.of("a", 'b"]').add();
  assert.equal(family.of("a", "b").value, 3);
  assert.equal([...family].length, 2);
});

test("values beyond the maximum of a label are counted under other, and the other labels stay apart", () => {
  const family = new Family(2, () => new Counter());
  for (let at = 0; at < METRIC_LABEL_VALUES_MAX + 50; at++)
    family.of(`name ${at}`, at % 2 === 0 ? "even" : "odd").add();
  assert.equal([...family].length, METRIC_LABEL_VALUES_MAX + 2);
  assert.deepEqual([family.of("never seen", "even").value, family.of("never seen", "odd").value], [25, 25]);
  assert.equal(family.of("name 7", "odd").value, 1);
});
