/** The receiver by itself, over real sockets. What wires make of it: tests/path/wire. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync } from "node:fs";
import { connect } from "node:net";
import { constants } from "node:os";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { listenIn, Receiver, send } from "ebpf-loader";
import { freePort } from "../kit/free-port.ts";
import { until } from "../path/kit.ts";
import { fdOf, pair } from "./stand.ts";

const receiver = new Receiver((read) => read());

/** Reads one end; `said` are the counts, as they came, and the text of all bytes. */
async function reading(t: TestContext, room = 64) {
  const { outer, inner } = await pair(t);
  const buffer = Buffer.alloc(room);
  const heard = { counts: [] as number[], text: "", errno: 0 };
  const received = (count: number, errno: number) => {
    heard.counts.push(count);
    heard.text += buffer.toString("latin1", 0, count);
    heard.errno = errno;
  };
  const id = receiver.watch(fdOf(inner), buffer, received);
  t.after(() => receiver.unwatch(id));
  return { outer, inner, id, heard };
}

test("what comes is read in pieces that fit the buffer, until the end is told once", async (t) => {
  const { outer, heard } = await reading(t, 4);
  outer.end("ten bytes!");
  await until(() => heard.counts.at(-1) === 0, "the end");
  await turn();
  assert.deepEqual(heard, { counts: [4, 4, 2, 0], text: "ten bytes!", errno: 0 });
});

test("a peer that resets is an end with its error", async (t) => {
  const { outer, heard } = await reading(t);
  outer.resetAndDestroy();
  await until(() => heard.counts.length > 0, "the end");
  assert.deepEqual(heard, { counts: [0], text: "", errno: constants.errno.ECONNRESET });
});

test("nothing is read once it is not watched, also of what was ready in the same turn", async (t) => {
  const [one, other] = [await reading(t), await reading(t)];
  const first: string[] = [];
  const ids = new Map<object, number>();
  for (const [own, its] of [
    [one, other],
    [other, one],
  ] as const) {
    receiver.unwatch(own.id);
    const buffer = Buffer.alloc(64);
    const id = receiver.watch(fdOf(own.inner), buffer, (count) => {
      first.push(buffer.toString("latin1", 0, count));
      receiver.unwatch(ids.get(its) ?? 0);
    });
    ids.set(own, id);
    t.after(() => receiver.unwatch(id));
  }
  one.outer.write("one");
  other.outer.write("other");
  execFileSync("sleep", ["0.1"]); // both are there before the loop looks
  await until(() => first.length > 0, "one of them");
  await turn();
  await turn();
  assert.equal(first.length, 1);
});

test("whoever is at work for long lets the rest of the loop run, and nobody waits for ever", async (t) => {
  const pairs = await Promise.all(Array.from({ length: 40 }, () => pair(t)));
  const counts = pairs.map(() => 0);
  let inTurn = 0;
  pairs.forEach(({ outer, inner }, at) => {
    outer.write(Buffer.alloc(1_000)); // more than is read here
    const id = receiver.watch(fdOf(inner), Buffer.alloc(1), () => {
      counts[at] = (counts[at] ?? 0) + 1;
      inTurn++;
      const end = performance.now() + 4;
      while (performance.now() < end);
    });
    t.after(() => receiver.unwatch(id));
  });
  while (Math.min(...counts) < 3) {
    inTurn = 0;
    await turn();
    assert.ok(inTurn <= 6, `${inTurn} of 4 ms each in one turn, which is for 20`);
    assert.ok(Math.max(...counts) <= Math.min(...counts) + 2, `some wait: ${counts.join()}`);
  }
});

test("a buffer can be another one from the next read on", async (t) => {
  const { outer, id, heard } = await reading(t);
  const next = Buffer.alloc(64);
  receiver.readInto(id, next);
  outer.write("there");
  await until(() => heard.counts.length > 0, "the bytes");
  assert.equal(next.toString("latin1", 0, 5), "there");
});

test("a socket that was closed while it was watched takes nobody's place away", async (t) => {
  const gone = await reading(t);
  const port = await freePort();
  const fd = fdOf(gone.inner);
  gone.inner.destroy(); // whoever does so should have stopped first
  const next = listenIn(null, "127.0.0.1", port, 1);
  t.after(() => closeSync(next));
  assert.equal(next, fd, "the number came back");
  let errno = 0;
  const id = receiver.watch(next, Buffer.alloc(1), (_count, why) => {
    errno = why;
  });
  t.after(() => receiver.unwatch(id));
  receiver.unwatch(gone.id);
  const client = connect(port, "127.0.0.1");
  t.after(() => client.destroy());
  await until(() => errno !== 0, "somebody at the listener");
  assert.equal(errno, constants.errno.ENOTCONN, "which cannot be read");
});

test("what it is handed is checked", async (t) => {
  const { inner } = await pair(t);
  assert.throws(() => receiver.watch(fdOf(inner), Buffer.alloc(0), () => {}), RangeError);
  assert.throws(() => receiver.watch(-1, Buffer.alloc(1), () => {}), RangeError);
  assert.throws(() => receiver.watch(fdOf(inner), "text" as never, () => {}), TypeError);
  assert.throws(() => receiver.watch(999_999, Buffer.alloc(1), () => {}), /watch a socket/);
});

test("nothing that is watched keeps a process alive that has nothing else to do, and what is watched does", () => {
  const run = (watches: boolean) => {
    const script = `
      import { Receiver, listenIn } from "ebpf-loader";
      const receiver = new Receiver((read) => read());
      const fd = listenIn(null, "127.0.0.1", 0, 1);
      ${watches ? 'receiver.watch(fd, new Uint8Array(1), () => console.log("read")); setTimeout(() => process.exit(3), 200).unref();' : ""}`;
    try {
      execFileSync(process.execPath, ["--input-type=module", "-e", script], { timeout: 20_000, stdio: "pipe" });
      return 0;
    } catch (error) {
      return (error as { status: number }).status;
    }
  };
  assert.equal(run(false), 0);
  assert.equal(run(true), 3);
});

test("send says how much left, and 0 where nothing can", async (t) => {
  const { outer, inner } = await pair(t);
  outer.pause();
  assert.equal(send(fdOf(inner), Buffer.from("hello")), 5);
  const much = Buffer.alloc(1 << 20);
  let sent = 1;
  for (let times = 0; times < 100 && sent > 0; times++) sent = send(fdOf(inner), much);
  assert.equal(sent, 0, "a peer that reads nothing");
  assert.equal(send(999_999, much), 0, "no such descriptor");
});
