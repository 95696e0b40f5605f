/** What `npm run bench` makes of raw samples: ratios, verdicts, the page and its plots. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AIMS, type Bound, judge, judged } from "./aims.ts";
import { MEASURES } from "./measures.ts";
import { replaced } from "./page.ts";
import { svgOf } from "./plot.ts";
import { cpuOf, memoryOf } from "./proc.ts";
import { type RoundSample, rowsOf, tableOf } from "./report.ts";
import { at, median } from "./statistics.ts";
import { SUBJECTS } from "./subjects.ts";

const sample = (round: number, perSecond: number, latenciesUs: readonly number[] = []): RoundSample => ({
  ...{ round, perSecond, latenciesUs, cpu: undefined },
});

function rowsWith(bySubject: Readonly<Record<string, readonly RoundSample[]>>, name = "simple-16") {
  const measure = MEASURES.find((one) => one.name === name);
  assert.ok(measure);
  return rowsOf(new Map([[measure, new Map(Object.entries(bySubject))]]));
}

for (const { values, middle } of [
  { values: [], middle: null },
  { values: [3], middle: 3 },
  { values: [4, 1], middle: 2.5 },
  { values: [9, 1, 5], middle: 5 },
  { values: [10, 9, 1, 2], middle: 5.5 },
]) {
  test(`the median of ${values.join(", ") || "nothing"} is ${middle}`, () => assert.equal(median(values), middle));
}

test("p99 of a hundred values leaves one above it", () => {
  const hundred = Array.from({ length: 100 }, (_, n) => n + 1);
  assert.equal(at(hundred, 0.99), 99);
});

test("a ratio is the median of those of the same round, and a round that one of both lacks is left out", () => {
  const rows = rowsWith({
    pgbouncer: [sample(0, 100), sample(1, 1_000), sample(2, 100)],
    sallyport: [sample(1, 900), sample(2, 80), sample(3, 1)],
  });
  const own = rows.find(({ subject }) => subject === "sallyport");
  assert.equal(own?.of.pgbouncer?.rate, (0.9 + 0.8) / 2);
  assert.deepEqual(own?.runs.rate, [900, 80, 1]);
  assert.equal(own?.of.direct, undefined);
});

test("latencies are compared by percentile, round by round", () => {
  const hundred = (times: number) => Array.from({ length: 100 }, (_, n) => (n + 1) * times);
  const rows = rowsWith({ pgbouncer: [sample(0, 1, hundred(10))], sallyport: [sample(0, 1, hundred(11))] });
  const own = rows.find(({ subject }) => subject === "sallyport");
  assert.deepEqual(own?.of.pgbouncer, { rate: 1, p50: 1.1, p99: 1.1 });
  assert.match(tableOf(rows), /\| simple-16 \| sallyport \| 1 tps \| {2}\| 1\.00 \| {2}\| 550 µs \| 1,089 µs \| {2}\|/);
});

const bounds: readonly { bound: Bound; found: number | undefined; outcome: string }[] = [
  { bound: { atLeast: 0.95 }, found: 0.95, outcome: "met" },
  { bound: { atLeast: 0.95 }, found: 0.949, outcome: "short" },
  { bound: { atMost: 1.1 }, found: 1.1, outcome: "met" },
  { bound: { atMost: 1.1 }, found: 1.101, outcome: "short" },
  { bound: { atMost: 1.1 }, found: undefined, outcome: "not measured" },
  { bound: { atMost: 1.1 }, found: Number.NaN, outcome: "short" },
];
for (const { bound, found, outcome } of bounds) {
  test(`${found} against ${JSON.stringify(bound)} is ${outcome}`, () => {
    assert.equal(judged("it", found, bound, String).outcome, outcome);
  });
}

test("an aim looks at its own measure, subject, value and peer", () => {
  const rows = rowsWith({ pgbouncer: [sample(0, 100)], sallyport: [sample(0, 90)], typescript: [sample(0, 80)] });
  const verdicts = AIMS.map((aim) => judge(aim, rows)).filter(({ outcome }) => outcome !== "not measured");
  assert.deepEqual(verdicts, [
    { outcome: "short", text: "simple-16: sallyport's rate 0.90 of pgbouncer's, aim at least 0.95" },
    { outcome: "met", text: "simple-16: typescript's rate 0.80 of pgbouncer's, aim at least 0.75" },
  ]);
});

test("every aim is of a measure that its subject and peer take part in", () => {
  const missing = AIMS.filter(({ measure, subject, peer }) => {
    const own = MEASURES.find(({ name }) => name === measure)?.subjects ?? [];
    return !own.includes(subject) || (peer !== undefined && !own.includes(peer));
  });
  assert.deepEqual(missing, []);
  const known = SUBJECTS.map(({ name }) => name);
  assert.deepEqual(
    MEASURES.flatMap(({ subjects }) => subjects).filter((name) => !known.includes(name)),
    [],
  );
});

test("a section replaces what stood between its markers, and nothing else", () => {
  const page = "before\n<!-- one -->\nold\n<!-- /one -->\nbetween\n<!-- two -->\nkept\n<!-- /two -->\n";
  assert.equal(replaced(page, "one", "new"), page.replace("old", "new"));
  assert.throws(() => replaced(page, "three", "new"), /Cannot write three/);
  assert.throws(() => replaced("<!-- /one --> <!-- one -->", "one", "new"), /Cannot write one/);
});

test("a plot has a place within its area for each point, and escapes its names", () => {
  const points = [1, 10, 1_000].map((x) => ({ x, y: x * 2 }));
  const svg = svgOf({ title: "a < b & c", x: "rules", y: "µs", series: [{ name: "<one>", points }] });
  const places = [...svg.matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, cx, cy]) => [Number(cx), Number(cy)]);
  assert.equal(places.length, 3);
  assert.deepEqual(
    places.map(([cx = 0]) => cx),
    [64, 189.3, 440],
  );
  assert.ok(places.every(([, cy = 0]) => cy >= 44 && cy <= 284));
  assert.match(svg, /a &lt; b &amp; c/);
  assert.match(svg, /&lt;one>/);
});

test("CPU and memory of a process are those that this one has used", () => {
  const before = cpuOf(process.pid);
  const own = process.cpuUsage();
  const { userUs, systemUs, mainUs } = cpuOf(process.pid);
  assert.ok(Math.abs(userUs + systemUs - own.user - own.system) < 200_000);
  assert.ok(mainUs > 0 && mainUs <= userUs + systemUs + 20_000 && before.userUs <= userUs);
  const { rssBytes, peakBytes } = memoryOf(process.pid);
  assert.ok(rssBytes > 10e6 && peakBytes >= rssBytes);
});
