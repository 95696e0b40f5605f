import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog, type LogLevel } from "../../src/base/log.ts";

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

function written(least?: LogLevel): string[] {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line), least);
  for (const level of levels) log[level](level);
  return lines.map((line) => line.split(" ")[0] ?? "");
}

for (const [index, least] of levels.entries()) {
  test(`a log from ${least} up leaves out what ranks lower`, () =>
    assert.deepEqual(written(least), levels.slice(index)));
}

test("a log writes from info up when nothing is said", () => assert.deepEqual(written(), ["info", "warn", "error"]));

test("fields follow the message; texts are quoted, so that none can pass for another field or line", () => {
  const lines: string[] = [];
  createLog((line) => lines.push(line)).warn("A thing", { port: 5432, on: true, name: 'a" b=1\nc', gone: undefined });
  assert.deepEqual(lines, ['warn  A thing port=5432 on=true name="a\\" b=1\\nc"']);
});
