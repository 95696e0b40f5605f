/** What a collector's answer means: its word is taken for no more than can be true. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { rejectedBy } from "../../src/audit/otlp-request.ts";

const rows: readonly (readonly [answer: string, rejected: { count: number; reason: string } | undefined])[] = [
  ['{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"two"}}', { count: 2, reason: "two" }],
  ['{"partialSuccess":{"rejectedLogRecords":1e308}}', { count: 5, reason: "" }],
  ['{"partialSuccess":{"rejectedLogRecords":"99","errorMessage":{"a":1}}}', { count: 5, reason: "[object Object]" }],
  ['{"partialSuccess":{"rejectedLogRecords":"-3"}}', undefined],
  ['{"partialSuccess":{"rejectedLogRecords":"many"}}', undefined],
  ['{"partialSuccess":null}', undefined],
  ["null", undefined],
];
for (const [answer, rejected] of rows) {
  test(`of five events, ${answer} rejects ${rejected?.count ?? 0}`, () => {
    assert.deepEqual(rejectedBy(Buffer.from(answer), "application/json", 5), rejected);
  });
}
