/** What a recording keeps of rows, terminals and what is looked for reads back as it was, by our reader and by protobufjs alone. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import protobuf from "protobufjs";
import type { OutputEntry } from "../../src/model/session.ts";
import { SegmentDecoder } from "../../src/recorder/decode.ts";
import { encodeTerminal, type TerminalEntry } from "../../src/recorder/format.ts";
import { Packer } from "../../src/recorder/pack.ts";
import { answer, entries, start, summary, world } from "./kit.ts";

const schema = new URL("../../src/recorder/recording.proto", import.meta.url);
const record = protobuf.parse(readFileSync(schema, "utf8")).root.lookupType("sallyport.recording.v1.Record");

const outputs: readonly OutputEntry[] = [
  {
    askId: 1,
    columns: ["id", "näme"],
    rows: [
      ["1", "Ann\n"],
      ["2", null],
      ["", { hex: "00ff" }],
    ],
    truncated: false,
  },
  { askId: 1, columns: [], rows: [], truncated: true },
  { askId: 2, columns: ["n"], rows: Array.from({ length: 300 }, (_, at) => [String(at).repeat(40)]), truncated: false },
];
for (const [at, output] of outputs.entries()) {
  test(`output ${at + 1} reads back as it was`, () => {
    const packer = new Packer();
    packer.output(7, 1_000, output);
    const message = packer.view().subarray(4);
    assert.deepEqual(new SegmentDecoder().decode(message), { sequence: 7, atMs: 1_000, kind: "output", ...output });
    const plain = record.toObject(record.decode(message), { defaults: true });
    assert.equal(plain["output"].rows.length, output.rows.length);
  });
}

const terminals: readonly TerminalEntry[] = [
  { stream: "output", data: Buffer.from([0x1b, 0x5b, 0xff, 0x00]) },
  { stream: "input", data: Buffer.from("ls\r") },
  { stream: "resize", columns: 120, rows: 40 },
  { stream: "exit", status: 137 },
  { stream: "exit", status: 0 },
];
for (const terminal of terminals) {
  test(`a terminal's ${terminal.stream} reads back as it was (${JSON.stringify(terminal).length})`, () => {
    const { sequence, atMs, kind, ...read } = new SegmentDecoder().decode(
      encodeTerminal(3, 5, terminal),
    ) as TerminalEntry & {
      sequence: number;
      atMs: number;
      kind: string;
    };
    assert.deepEqual([sequence, atMs, kind], [3, 5, "terminal"]);
    assert.deepEqual("data" in read ? { ...read, data: Buffer.from(read.data) } : read, terminal);
  });
}

test("rows stand before their answer, and what is looked for before both; the same is not said twice", async (t) => {
  const { recorder, dir } = await world(t);
  const recording = recorder.open(start("s1"));
  recording.looking(new Set(["email", "iban"]), "p1");
  recording.looking(new Set(["email", "iban"]), "p2");
  recording.output({ askId: 1, columns: ["a"], rows: [["x"]], truncated: false });
  const shown = [{ column: "a", by: "detector:email", count: 1 }];
  recording.answered({ ...answer(1), shown });
  recording.looking(new Set(), "p3");
  await recording.end(summary);
  const read = await entries(dir, "s1");
  assert.deepEqual(
    read.map(({ kind }) => kind),
    ["start", "looking", "output", "answer", "looking", "end"],
  );
  assert.deepEqual(
    read.flatMap((entry) => (entry.kind === "looking" ? [entry.detectors] : [])),
    [["email", "iban"], []],
  );
  assert.deepEqual(
    read.flatMap((entry) => (entry.kind === "answer" ? [entry.shown] : [])),
    [shown],
  );
});
