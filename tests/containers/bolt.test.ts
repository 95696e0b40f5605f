import assert from "node:assert/strict";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { readBolt } from "../../src/containers/bolt.ts";
import { folder } from "../store/folder.ts";
import { branch, bucket, inlineLeaf, leaf, PAGE, writeBolt } from "./bolt-file.ts";

const text = (value: string) => Buffer.from(value);
const NEWEST = [
  { root: 2n, commit: 8n },
  { root: 2n, commit: 7n },
];

/** "ctr" has two containers: one inline, one with a page of its own whose value needs three pages. */
const LONG = "x".repeat(10_000);
const pages = [
  leaf(2, [
    { key: "ctr", value: bucket(3), bucket: true },
    { key: "runtime-config", value: bucket(0, inlineLeaf([])), bucket: true },
  ]),
  branch(3, [
    { key: "aaa", page: 4 },
    { key: "mmm", page: 5 },
  ]),
  leaf(4, [{ key: "abc", value: bucket(0, inlineLeaf([{ key: "config", value: text("small") }])), bucket: true }]),
  leaf(5, [{ key: "xyz", value: bucket(6), bucket: true }]),
  leaf(6, [{ key: "config", value: text(LONG) }], 3 * PAGE),
];

const reads = [
  { name: "a value in an inline bucket", path: ["ctr", "abc", "config"], value: "small" },
  { name: "a value over several pages", path: ["ctr", "xyz", "config"], value: LONG },
  { name: "a container that is not there", path: ["ctr", "abd", "config"], value: undefined },
  { name: "one before the first", path: ["ctr", "a", "config"], value: undefined },
  { name: "a bucket that is not there", path: ["pod", "abc", "config"], value: undefined },
  { name: "a bucket in place of a value", path: ["ctr", "abc"], value: undefined },
  { name: "a value in place of a bucket", path: ["ctr", "abc", "config", "more"], value: undefined },
] as const;
for (const { name, path, value } of reads) {
  test(`readBolt reads ${name}`, (t) => {
    const file = join(folder(t), "state.db");
    writeBolt(file, pages, NEWEST);
    assert.equal(readBolt(file, path)?.toString(), value);
  });
}

test("readBolt goes by the newest commit whose checksum holds", (t) => {
  const file = join(folder(t), "state.db");
  const stale = leaf(7, [{ key: "ctr", value: bucket(0, inlineLeaf([])), bucket: true }]);
  writeBolt(
    file,
    [...pages, stale, stale, stale],
    [
      { root: 7n, commit: 9n, checksum: 1n },
      { root: 2n, commit: 7n },
    ],
  );
  assert.equal(readBolt(file, ["ctr", "abc", "config"])?.toString(), "small");
});

test("readBolt refuses a file without a valid meta page", (t) => {
  const file = join(folder(t), "state.db");
  writeFileSync(file, Buffer.alloc(4 * PAGE));
  assert.throws(() => readBolt(file, ["ctr"]), /no valid meta page/);
});

test("readBolt refuses a file that ends inside of a page", (t) => {
  const file = join(folder(t), "state.db");
  writeBolt(file, pages, NEWEST);
  truncateSync(file, 7 * PAGE);
  assert.throws(() => readBolt(file, ["ctr", "xyz", "config"]), /bounds|ends early/);
});

test("readBolt gives up on pages that lead in a circle", (t) => {
  const file = join(folder(t), "state.db");
  writeBolt(file, [branch(2, [{ key: "a", page: 2 }])], NEWEST);
  assert.throws(() => readBolt(file, ["ctr"]), /lead too far/);
});

test("readBolt ends on every damage, with a value or an error", (t) => {
  const file = join(folder(t), "state.db");
  writeBolt(file, pages, NEWEST);
  const whole = Buffer.concat(pages);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 20 }), (changes) => {
      const damaged = Buffer.from(whole);
      for (const [at, byte] of changes) damaged[at] = byte;
      writeBolt(file, [damaged], NEWEST);
      try {
        readBolt(file, ["ctr", "xyz", "config"]);
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }),
    { numRuns: 300 },
  );
});
