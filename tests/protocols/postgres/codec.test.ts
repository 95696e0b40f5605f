import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_BYTES_MAX, READ_BYTES, UNREAD_FREE_BYTES, UNREAD_TOTAL_BYTES_MAX } from "../../../src/base/limits.ts";
import { BodyReader, frameBytes, Inlet, Outlet, UnreadBudget } from "../../../src/protocols/postgres/codec.ts";
import { hex } from "../../kit/wire.ts";

const good = [
  { name: "a message without a body", bytes: "53 00000004", length: 5 },
  { name: "a message with a body", bytes: "51 00000006 6100", length: 7 },
  { name: "a message of which only the header is there", bytes: "51 00000100", length: 257 },
  { name: "the longest message", bytes: "51 04000000", length: FRAME_BYTES_MAX + 1 },
] as const;
for (const { name, bytes, length } of good) {
  test(`frameBytes knows the length of ${name}`, () => {
    assert.equal(frameBytes(hex(bytes), 0, hex(bytes).length), length);
  });
}

test("frameBytes waits for a whole header", () => {
  assert.equal(frameBytes(hex("51 000000"), 0, 4), undefined);
});

const bad = [
  { name: "a length below itself", bytes: "51 00000003" },
  { name: "a negative length", bytes: "51 ffffffff" },
  { name: "a length above the limit", bytes: "51 04000001" },
  { name: "the largest length", bytes: "51 7fffffff" },
] as const;
for (const { name, bytes } of bad) {
  test(`frameBytes refuses ${name}`, () => {
    assert.throws(() => frameBytes(hex(bytes), 0, 5), { code: "FRAME_LENGTH" });
  });
}

const badTexts = [
  { name: "a text without an end", bytes: "616263", code: "FRAME_BODY" },
  { name: "a lone continuation byte", bytes: "6180 00", code: "TEXT_ENCODING" },
  { name: "a lone surrogate", bytes: "eda080 00", code: "TEXT_ENCODING" },
  { name: "an overlong form", bytes: "c080 00", code: "TEXT_ENCODING" },
  { name: "a wrong byte far behind", bytes: `${"61".repeat(500)}ff00`, code: "TEXT_ENCODING" },
] as const;
for (const { name, bytes, code } of badTexts) {
  test(`BodyReader refuses ${name}`, () => {
    const body = hex(bytes);
    assert.throws(() => new BodyReader(body, 0, body.length).text(), { code });
  });
}

test("BodyReader does not read past the body into the next message", () => {
  const bytes = hex("6162 00");
  assert.throws(() => new BodyReader(bytes, 0, 2).text(), { code: "FRAME_BODY" });
  assert.throws(() => new BodyReader(bytes, 0, 2).int32(), { code: "FRAME_BODY" });
  assert.throws(() => new BodyReader(bytes, 0, 2).take(-1), { code: "FRAME_BODY" });
});

test("BodyReader refuses what follows the end of a message", () => {
  assert.throws(() => new BodyReader(hex("00"), 0, 1).done(), { code: "FRAME_BODY" });
});

test("an inlet looks at a chunk in place and copies only what is left of it", () => {
  const inlet = new Inlet();
  const chunk = Buffer.from("abcdef");
  inlet.add(chunk);
  assert.equal(inlet.bytes.buffer, chunk.buffer);
  inlet.at += 4;
  inlet.keep();
  chunk.fill(0);
  inlet.add(Buffer.from("gh"));
  assert.equal(inlet.bytes.toString("latin1", inlet.at, inlet.end), "efgh");
});

test("views of kept bytes stay true while more arrives", () => {
  const inlet = new Inlet();
  inlet.add(Buffer.from("ab"));
  inlet.keep();
  const view = inlet.bytes.subarray(inlet.at, inlet.end);
  inlet.at = inlet.end - 1;
  for (let count = 0; count < 5_000; count++) inlet.add(Buffer.from("x"));
  assert.equal(view.toString(), "ab");
  assert.equal(inlet.unread, 5_001);
});

test("an inlet holds one whole frame and a read, and no more", () => {
  const inlet = new Inlet();
  const chunk = Buffer.alloc(1024 * 1024);
  let held = 0;
  assert.throws(
    () => {
      for (; ; held += chunk.length) {
        inlet.add(chunk);
        inlet.keep();
      }
    },
    { code: "UNREAD_BYTES" },
  );
  assert.ok(held <= FRAME_BYTES_MAX + READ_BYTES);
});

test("an outlet hands on one untouched stretch without copying it", () => {
  const input = Buffer.from("abcdef");
  const outlet = new Outlet();
  outlet.begin(input);
  outlet.pass(0, 2);
  outlet.pass(2, 5);
  const out = outlet.finish();
  assert.equal(out?.buffer, input.buffer);
  assert.equal(Buffer.from(out ?? []).toString(), "abcde");
});

test("an outlet keeps the order of stretches, bytes and patched lengths", () => {
  const outlet = new Outlet();
  outlet.begin(Buffer.from("abcdef"));
  outlet.pass(0, 1);
  outlet.put(Buffer.from("-"));
  const mark = outlet.mark;
  outlet.putInt32(0);
  outlet.pass(3, 4);
  outlet.put(Buffer.alloc(5_000, "z"));
  outlet.patchInt32(mark, 0x41424344);
  outlet.pass(5, 6);
  assert.equal(Buffer.from(outlet.finish() ?? []).toString(), `a-ABCDd${"z".repeat(5_000)}f`);
});

test("an outlet is the input itself as long as nothing of it is written over before it was dropped", () => {
  const outlet = new Outlet();
  const made = (room: number) => {
    const input = Buffer.alloc(15, "<abcdefgh|ijkl>"); // in memory of its own
    outlet.begin(input);
    outlet.pass(1, 3);
    outlet.drop(3 + room);
    const mark = outlet.mark;
    outlet.putInt32(0);
    outlet.put(Buffer.from("-"));
    outlet.pass(9, 14);
    outlet.patchInt32(mark, 0x41424344);
    const out = outlet.finish();
    return [Buffer.from(out ?? []).toString(), out?.buffer === input.buffer, input.toString("latin1", 9, 14)] as const;
  };
  assert.deepEqual(made(6).slice(0, 2), ["abABCD-|ijkl", true]);
  assert.deepEqual(made(5).slice(0, 2), ["abABCD-|ijkl", true]);
  assert.deepEqual(made(4), ["abABCD-|ijkl", false, "|ijkl"]);
});

test("what an inlet has left goes in front of the next chunk where there is room, and is copied where there is none", () => {
  const memory = Buffer.alloc(13, "........defgh");
  for (const [room, isThere] of [
    [3, true],
    [2, false],
    [0, false],
  ] as const) {
    const inlet = new Inlet();
    inlet.add(Buffer.from("..abc"));
    inlet.at = 2;
    inlet.keep();
    inlet.add(Buffer.from(memory.buffer, memory.byteOffset + 8, 5), room);
    assert.equal(inlet.bytes.toString("latin1", inlet.at, inlet.end), "abcdefgh");
    assert.equal(inlet.bytes.buffer === memory.buffer && inlet.bytes.byteOffset === memory.byteOffset + 5, isThere);
    assert.equal(memory.toString(), isThere ? ".....abcdefgh" : "........defgh");
    memory.fill(".", 0, 8);
  }
});

test("an outlet with nothing in it sends nothing", () => {
  const outlet = new Outlet();
  outlet.begin(Buffer.from("abc"));
  assert.equal(outlet.finish(), undefined);
});

test("unfinished messages of all sessions together have a limit, and what ends gives its share back", () => {
  const budget = new UnreadBudget();
  const chunk = Buffer.alloc(UNREAD_FREE_BYTES);
  const begun = () => {
    const inlet = new Inlet(budget);
    inlet.add(chunk);
    inlet.keep();
    return inlet;
  };
  const grown = (inlet: Inlet) => {
    for (let count = 0; count < 200; count++) inlet.add(chunk);
    return inlet;
  };
  const all: Inlet[] = [];
  const isFull = { code: "UNREAD_TOTAL" };
  assert.throws(() => {
    for (let count = 0; count < 100; count++) all.push(grown(begun()));
  }, isFull);
  assert.ok(all.length * 200 * chunk.length <= UNREAD_TOTAL_BYTES_MAX && all.length > 4);
  begun(); // a small one always finds its place
  all[0]?.clear();
  grown(begun());
});
