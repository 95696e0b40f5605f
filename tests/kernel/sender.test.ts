/** What sockets send during a round of reads. The kernel is asked at once what is there, by reads past the runtime. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readSync } from "node:fs";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { send, sendAll } from "ebpf-loader";
import { ROUND_MESSAGE_BYTES_MAX, ROUND_MESSAGES_MAX } from "../../src/base/limits.ts";
import { duringRound, sendSoon, sendWaiting, type Writer } from "../../src/kernel/sender.ts";
import { fdOf, pair } from "../native/stand.ts";

/** One end to write to, and what has arrived at the other since it was asked last. */
async function peer(t: TestContext) {
  const { outer, inner } = await pair(t);
  outer.pause();
  inner.setNoDelay(true); // as the sockets of a session
  const unsent: string[] = [];
  const writer = { unsent: (bytes: Uint8Array) => void unsent.push(Buffer.from(bytes).toString("latin1")) };
  const fd = fdOf(inner);
  const putBy = (text: string, by: Writer = writer) => put(fd, text, by);
  return { fd, writer, unsent, arrived: () => readNow(outer), put: putBy };
}

const put = (fd: number, text: string, writer: Writer) => sendSoon(fd, Buffer.from(text, "latin1"), writer);

function readNow(socket: Socket): string {
  const buffer = Buffer.alloc(1 << 20);
  try {
    return buffer.toString("latin1", 0, readSync(fdOf(socket), buffer));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return "";
    throw error;
  }
}

/** Under which the runtime keeps the handle of a datagram socket. */
function stateOf(socket: object): symbol {
  const found = Object.getOwnPropertySymbols(socket).find((key) => key.description === "state symbol");
  assert.ok(found);
  return found;
}

/** Until the kernel takes no more for it. */
function fill(fd: number): void {
  const much = Buffer.alloc(1 << 20);
  for (let times = 0; times < 1_000; times++) if (send(fd, much) === 0 && send(fd, Buffer.of(0)) === 0) return;
  assert.fail("the kernel takes everything");
}

test("outside of a round a message leaves at once", async (t) => {
  const { put, arrived } = await peer(t);
  assert.equal(put("now"), 3);
  assert.equal(arrived(), "now");
});

test("messages of a round leave at its end, those of one socket in their order, and their memory may be reused", async (t) => {
  const [one, other] = [await peer(t), await peer(t)];
  duringRound(() => {
    const bytes = Buffer.from("first ");
    sendSoon(one.fd, bytes, one.writer);
    bytes.fill(0);
    other.put("hello");
    one.put("second");
    assert.deepEqual([one.arrived(), other.arrived()], ["", ""]);
  });
  assert.deepEqual([one.arrived(), other.arrived()], ["first second", "hello"]);
  assert.equal(one.put("!"), 1);
  assert.equal(one.arrived(), "!", "the round is over");
});

test("what is long leaves at once, behind what waits", async (t) => {
  const { put, arrived } = await peer(t);
  const long = "l".repeat(ROUND_MESSAGE_BYTES_MAX + 1);
  duringRound(() => {
    put("short ");
    put(long);
    assert.equal(arrived(), `short ${long}`);
  });
});

test("a round has room for so many messages; before one more, all leave", async (t) => {
  const peers = await Promise.all(Array.from({ length: 8 }, () => peer(t))); // one alone would wait for acknowledgements
  const arrived = () => peers.reduce((sum, one) => sum + one.arrived().length, 0);
  duringRound(() => {
    for (let number = 0; number < ROUND_MESSAGES_MAX; number++) peers[number % peers.length]?.put("m");
    assert.equal(arrived(), 0, "as many as there may be wait");
    peers[0]?.put("one more");
    assert.equal(arrived(), ROUND_MESSAGES_MAX);
  });
  assert.equal(arrived(), "one more".length);
});

test("what the kernel does not take is the writer's again, and nobody else's message suffers", async (t) => {
  const [full, gone, fine] = [await peer(t), await peer(t), await peer(t)];
  fill(full.fd);
  duringRound(() => {
    full.put("one");
    put(999_999, "nobody", gone.writer);
    fine.put("two");
    full.put("three");
  });
  assert.deepEqual([full.unsent, gone.unsent, fine.unsent], [["one", "three"], ["nobody"], []]);
  assert.equal(fine.arrived(), "two");
});

test("what was not taken is never overtaken: neither by what is long, nor by what waits behind a full round", async (t) => {
  const { fd, put, writer, unsent, arrived } = await peer(t);
  const other = await peer(t);
  let much = 0;
  /** Room, as soon as the writer has its bytes again. */
  const drained = {
    unsent: (bytes: Uint8Array) => {
      writer.unsent(bytes);
      much += arrived().length;
    },
  };
  const putHere = (text: string) => put(text, drained);
  fill(fd);
  duringRound(() => {
    putHere("one");
    assert.equal(putHere("l".repeat(ROUND_MESSAGE_BYTES_MAX + 1)), 0, "what is long is the writer's, too");
  });
  assert.deepEqual(unsent, ["one"]);
  fill(fd);
  duringRound(() => {
    putHere("two");
    for (let number = 1; number < ROUND_MESSAGES_MAX; number++) other.put("m");
    assert.equal(putHere("three"), 0);
  });
  assert.deepEqual(unsent, ["one", "two"]);
  assert.ok(much > 0, "there was room");
});

test("behind what a descriptor did not take, nothing is sent to it, also where it would fit", async (t) => {
  const to = createSocket("udp4").bind(0, "127.0.0.1");
  const from = createSocket("udp4");
  t.after(() => {
    to.close();
    from.close();
  });
  await once(to, "listening");
  from.connect(to.address().port, "127.0.0.1");
  await once(from, "connect");
  const { fd } = (from as unknown as { [key: symbol]: { handle: { fd: number } } })[stateOf(from)]?.handle ?? {};
  const { fd: fine, arrived } = await peer(t);
  assert.ok(fd !== undefined);
  const tooLong = 1 << 16; // for a datagram
  const rows = Uint32Array.of(...[fd, 1, 0], ...[fd, tooLong, 0], ...[fine, 2, 0], ...[fd, 1, 0], ...[fine, 2, 0]);
  sendAll(Buffer.alloc(tooLong + 6), rows, 5);
  assert.deepEqual(
    [2, 5, 8, 11, 14].map((at) => rows[at]),
    [1, 0, 2, 0, 2],
  );
  assert.equal(arrived().length, 4);
});

test("what waits leaves when it is asked to, and when the round fails", async (t) => {
  const { put, arrived } = await peer(t);
  const failure = new Error("of a session");
  const round = () =>
    duringRound(() => {
      put("one");
      sendWaiting();
      assert.equal(arrived(), "one");
      put("two");
      throw failure;
    });
  assert.throws(round, failure);
  assert.equal(arrived(), "two");
});

test("rows that name more bytes or rows than there are send nothing", async (t) => {
  const { fd, arrived } = await peer(t);
  assert.throws(() => sendAll(Buffer.alloc(4), Uint32Array.of(fd, 5, 0), 1), RangeError);
  assert.throws(() => sendAll(Buffer.alloc(4), Uint32Array.of(fd, 1, 0), 2), RangeError);
  assert.equal(arrived(), "");
});
