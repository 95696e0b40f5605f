/** The reader that docs/recording.md prints for strangers, run as it stands there by Debian's Python beside our own. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { SEGMENT_AGE_MS } from "../../src/base/limits.ts";
import type { Operation } from "../../src/model/operation.ts";
import { folder } from "../store/folder.ts";
import { allow, ask, DAY, deny, entries, reading, start, summary, world } from "./kit.ts";

const PAGE = readFileSync(new URL("../../docs/recording.md", import.meta.url), "utf8");
const PROTO = fileURLToPath(new URL("../../src/recorder/recording.proto", import.meta.url));

const NOWHERE: Operation = { actions: [], forbidden: { rule: "built-in:copy", message: "Not to a program" } };

/** Follows the chain, and prints what each record says. */
const MAIN = `
import json, sys
from recording_pb2 import Record, SegmentHead
link, said = bytes(32), []
for path in sys.argv[1:]:
    full = {}
    for at, (digest, before, body) in enumerate(blocks(path)):
        assert before == link, "the chain is broken"
        link = digest
        for message in records(body):
            if at == 0:
                SegmentHead.FromString(message)
                continue
            record = Record.FromString(message)
            whole(record, full)
            if record.WhichOneof("body") == "action":
                action = record.action
                said.append([action.text, [one.facts for one in action.actions], action.forbidden.message])
            if record.WhichOneof("body") == "decision":
                said.append([list(record.decision.rules), record.decision.policy])
print(json.dumps(said))
`;

test("the documented reader says of each record what ours says, over segments and records that name others", async (t) => {
  const { dir, recorder, clock } = await world(t);
  const recording = recorder.open(start("s1"));
  const asks = [
    ask("SELECT 1"),
    ask("SELECT 2"),
    ask("SELECT 1"),
    ask("SELECT 3", { operation: reading("b") }),
    ask(""),
    ask("COPY a", { operation: NOWHERE }),
    ask("COPY b", { operation: NOWHERE }),
  ];
  for (const segment of [0, 1]) {
    clock.advance(segment * (SEGMENT_AGE_MS + 1));
    asks.forEach((asked, at) => {
      recording.asked(segment * asks.length + at + 1, [asked], at === 3 ? deny : allow);
      recording.flush();
    });
  }
  await recording.end(summary);
  const ours = (await entries(dir, "s1")).flatMap((entry) => {
    if (entry.kind === "action")
      return [[entry.text, entry.actions.map(({ facts }) => facts), entry.forbidden?.message ?? ""]];
    return entry.kind === "decision" ? [[entry.rules, entry.policy]] : [];
  });
  assert.equal(ours.length, 4 * asks.length);

  const segments = readdirSync(join(dir, DAY)).sort();
  assert.equal(segments.length, 2);
  appendFileSync(join(dir, DAY, segments[1] ?? ""), Buffer.of(0, 0, 1, 0, 7, 7, 7)); // torn

  const scratch = folder(t);
  const [, reader = assert.fail("the page has no reader")] = /\n```python\n(.*?)\n```\n/s.exec(PAGE) ?? [];
  writeFileSync(join(scratch, "reader.py"), reader + MAIN);
  copyFileSync(PROTO, join(scratch, "recording.proto"));
  execFileSync("/usr/bin/protoc", ["--python_out=.", "recording.proto"], { cwd: scratch });
  const argv = ["reader.py", ...segments.map((name) => join(dir, DAY, name))];
  assert.deepEqual(JSON.parse(execFileSync("/usr/bin/python3", argv, { cwd: scratch, encoding: "utf8" })), ours);
});
