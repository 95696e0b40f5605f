/** Rows of a copy masked by column, however the server cuts them into messages. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CopyForm } from "../../../src/protocols/postgres/analysis/copy-form.ts";
import { Gathered, Outlet } from "../../../src/protocols/postgres/codec.ts";
import { CopyColumns } from "../../../src/protocols/postgres/copy-columns.ts";
import { messagesIn, server } from "../../kit/wire.ts";

const TEXT: CopyForm = { format: "text", header: false, delimiter: 9, quote: 34, escaping: 34, nullText: "\\N" };
const CSV: CopyForm = { ...TEXT, format: "csv", delimiter: 44, nullText: "" };
const BACKSLASHED: CopyForm = { ...CSV, escaping: 92 };
/** The second of three columns is hidden. */
const HIDE = { name: "t.b", mask: () => ({ value: Buffer.from("***"), by: "label:pii" }) };

/** What a client gets of these messages, as one text, and how many values were masked. */
function shown(form: CopyForm, pieces: readonly string[]): [text: string, masked: number] {
  const copy = new CopyColumns([undefined, HIDE, undefined], form);
  const outlet = new Outlet();
  let text = "";
  let masked = 0;
  const hear = (act: () => void) => {
    act();
    for (const { body } of messagesIn(outlet.finish() ?? new Uint8Array())) text += body.toString();
  };
  for (const piece of pieces) {
    const message = server.copyData(piece);
    outlet.begin(message);
    hear(() => copy.write(message, 0, message.length, outlet, () => masked++));
  }
  outlet.begin(Buffer.alloc(0));
  hear(() => copy.end(outlet, () => masked++));
  return [text, masked];
}

const rows: readonly (readonly [name: string, form: CopyForm, data: string, shown: string])[] = [
  ["text", TEXT, "1\tse\\tcr\\\\et\tx\n2\t\\N\ty\n3\tlast\tz", "1\t***\tx\n2\t\\N\ty\n3\t***\tz\n"],
  [
    "csv with quotes, commas and newlines in them",
    CSV,
    '1,"a ""b"", \n c",x\n"2\n",plain,"y,"\n3,,z\n',
    '1,"***",x\n"2\n","***","y,"\n3,,z\n',
  ],
  [
    "csv with another escape",
    BACKSLASHED,
    '1,"a \\"b\\\\",x\n2,"\\"\n",y\n3,"c","\\\\"\n',
    '1,"***",x\n2,"***",y\n3,"***","\\\\"\n',
  ],
];
for (const [name, form, data, expected] of rows) {
  const masked = expected.split("***").length - 1;
  test(`${name}: whole`, () => assert.deepEqual(shown(form, [data]), [expected, masked]));
  test(`${name}: cut in two anywhere, and in single bytes`, () => {
    for (let at = 1; at < data.length; at++) {
      assert.deepEqual(shown(form, [data.slice(0, at), data.slice(at)]), [expected, masked], `cut at ${at}`);
    }
    assert.deepEqual(shown(form, [...data]), [expected, masked]);
  });
}

test("pieces are gathered in their order, and taken once", () => {
  const gathered = new Gathered();
  for (let at = 0; at < 5_000; at++) gathered.add(Buffer.of(at & 0xff));
  assert.equal(gathered.length, 5_000);
  const all = gathered.take();
  assert.ok(all.every((byte, at) => byte === (at & 0xff)) && all.length === 5_000);
  gathered.add(Buffer.of(7));
  assert.deepEqual([all[0], [...gathered.take()], gathered.length], [0, [7], 0]);
});
