/** The gate's own promise: no suite passes because something did not run. Plants suites and counts. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runSuite } from "../../scripts/test/suite.ts";

const HEAD = 'import test, { describe } from "node:test";\n';

interface Row {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  /** Passed, failed, skipped. */
  readonly counts: readonly [number, number, number];
  readonly limitS?: number;
}

const rows: readonly Row[] = [
  {
    name: "tests that pass",
    files: { "a.test.ts": `${HEAD}test("x", () => {}); test("y", () => {});` },
    counts: [2, 0, 0],
  },
  {
    name: "a group as its tests",
    files: { "a.test.ts": `${HEAD}describe("g", () => { test("x", () => {}); });` },
    counts: [1, 0, 0],
  },
  { name: "files in sub-folders", files: { "b/c/a.test.ts": `${HEAD}test("x", () => {});` }, counts: [1, 0, 0] },
  {
    name: "what a test prints as nothing",
    files: { "a.test.ts": `${HEAD}console.log("{}"); test("x", () => {});` },
    counts: [1, 0, 0],
  },
  {
    name: "a test that fails",
    files: { "a.test.ts": `${HEAD}test("x", () => { throw new Error("no"); });` },
    counts: [0, 1, 0],
  },
  {
    name: "a failure in a group once",
    files: { "a.test.ts": `${HEAD}describe("g", () => { test("x", () => { throw new Error("no"); }); });` },
    counts: [0, 1, 0],
  },
  {
    name: "a skipped test",
    files: { "a.test.ts": `${HEAD}test("x", { skip: "why" }, () => {}); test("y", () => {});` },
    counts: [1, 0, 1],
  },
  {
    name: "a test that is still to do as skipped",
    files: { "a.test.ts": `${HEAD}test("x", { todo: true }, () => {});` },
    counts: [0, 0, 1],
  },
  {
    name: "a file without tests as failed",
    files: { "a.test.ts": "export const x = 1;", "b.test.ts": `${HEAD}test("x", () => {});` },
    counts: [1, 1, 0],
  },
  {
    name: "a file that does not load as failed",
    files: { "a.test.ts": 'throw new Error("load");' },
    counts: [0, 1, 0],
  },
  {
    name: "a process that exits in its first test as failed",
    files: { "a.test.ts": `${HEAD}test("x", () => {}); test("y", () => process.exit(0));` },
    counts: [0, 1, 0],
  },
  {
    name: "a process that exits after a test as failed",
    files: {
      "a.test.ts": `${HEAD}test("x", () => {}); test("y", () => new Promise(() => setTimeout(process.exit, 300, 0)));`,
    },
    counts: [1, 1, 0],
  },
  { name: "a suite without files as failed", files: {}, counts: [0, 1, 0] },
  {
    name: "a suite over its time as failed",
    files: { "a.test.ts": `${HEAD}test("x", () => new Promise((r) => setTimeout(r, 60000)));` },
    counts: [0, 1, 0],
    limitS: 3,
  },
];

for (const { name, files, counts, limitS = 60 } of rows) {
  test(`the gate counts ${name}`, async (t) => {
    const root = mkdtempSync(join(tmpdir(), "sallyport-gate-"));
    t.after(() => rmSync(root, { recursive: true }));
    for (const [file, code] of Object.entries(files)) {
      mkdirSync(join(root, "suite", file, ".."), { recursive: true });
      writeFileSync(join(root, "suite", file), code);
    }
    const suite = { name: "planted", group: "unit", folder: "suite", concurrency: 1, limitS } as const;
    const { passed, failed, skipped } = await runSuite(suite, root);
    assert.deepEqual([passed, failed, skipped], counts);
  });
}
