/** DNS over TCP: many questions on one connection, in pieces, within limits. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, type TestContext, test } from "node:test";
import { encode } from "dns-packet";
import {
  NAMES_PER_STREAM_MAX,
  NAMES_QUERY_BYTES_MAX,
  NAMES_STREAMS_MAX,
  NAMES_STREAMS_PER_AGENT_MAX,
} from "../../src/base/limits.ts";
import { addresses } from "../kit/names-server.ts";
import { accept } from "../path/kit.ts";
import { ORIGIN, startWorld, told } from "./kit.ts";

const world = await startWorld('egress: { allow: ["*.example:443"] }');
world.server.zones["A a.example"] = addresses("a.example", "A", "192.0.2.1");
after(() => world.stop());

/** A client whose other end the resolver serves, as if the kernel had redirected it. */
async function client(t: TestContext, agent = 1) {
  const { client: socket, fd } = await accept(t);
  const origin = agent === 0 ? undefined : { ...ORIGIN, agent };
  world.names.onConnection({ fd, sourceAddress: "127.0.0.1", sourcePort: 1, origin });
  let unread = Buffer.alloc(0);
  const closed = once(socket, "close");
  socket.on("end", () => socket.end());
  socket.on("data", (bytes: Buffer) => {
    unread = Buffer.concat([unread, bytes]);
  });
  const answers = () => {
    const all = [];
    for (let at = 0; at + 2 <= unread.length && at + 2 + unread.readUInt16BE(at) <= unread.length; ) {
      const end = at + 2 + unread.readUInt16BE(at);
      all.push(told(unread.subarray(at + 2, end), []));
      at = end;
    }
    return all;
  };
  const take = async (count: number) => {
    while (answers().length < count) await once(socket, "data", { signal: AbortSignal.timeout(5_000) });
    return answers();
  };
  return { socket, take, closed, answers };
}

function question(name: string, id = 77): Buffer {
  return framed(encode({ type: "query", id, flags: 0x100, questions: [{ name, type: "A" }] }));
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

test("questions in one write and in single bytes are all answered, in their order", async (t) => {
  const { socket, take } = await client(t);
  socket.write(Buffer.concat([question("a.example", 1), question("refused.test", 2), question("a.example", 3)]));
  const first = await take(3);
  assert.deepEqual(
    first.map(({ bytes, rcode }) => [bytes.readUInt16BE(0), rcode]),
    [
      [1, 0],
      [2, 3],
      [3, 0],
    ],
  );
  for (const byte of question("a.example", 4)) socket.write(Buffer.from([byte]));
  assert.deepEqual((await take(4))[3]?.answers, ["192.0.2.1"]);
});

test("a client that has said all still gets its answer, then the end", async (t) => {
  const { socket, take, closed } = await client(t);
  socket.end(question("a.example"));
  assert.deepEqual((await take(1))[0]?.answers, ["192.0.2.1"]);
  await closed;
});

const broken = [
  ["an empty question", framed(Buffer.alloc(0))],
  ["a question that is too long", Buffer.from([(NAMES_QUERY_BYTES_MAX + 1) >> 8, (NAMES_QUERY_BYTES_MAX + 1) & 255])],
  ["what is no question", framed(Buffer.from("an answer: the third byte says so").fill(0xff, 2, 4))],
] as const;
for (const [what, bytes] of broken) {
  test(`${what} ends the connection without an answer`, async (t) => {
    const { socket, closed, answers } = await client(t);
    socket.write(bytes);
    await closed;
    assert.equal(answers().length, 0);
  });
}

test("one connection carries only so many questions", async (t) => {
  const { socket, closed, answers } = await client(t);
  for (let id = 0; id < NAMES_PER_STREAM_MAX + 1; id++) socket.write(question("a.example", id));
  await closed;
  assert.equal(answers().length, NAMES_PER_STREAM_MAX);
});

test("whoever was not redirected is not served", async (t) => {
  const { closed } = await client(t, 0);
  await closed;
});

test("one agent has only so many connections, and leaves room for others", async (t) => {
  assert.ok(NAMES_STREAMS_PER_AGENT_MAX < NAMES_STREAMS_MAX);
  const open = await Promise.all(Array.from({ length: NAMES_STREAMS_PER_AGENT_MAX }, () => client(t, 2)));
  assert.equal((world.names.counters()["names.streams"] ?? 0) >= NAMES_STREAMS_PER_AGENT_MAX, true);
  await (await client(t, 2)).closed;
  const other = await client(t, 3);
  other.socket.write(question("a.example"));
  await other.take(1);
  open[0]?.socket.write(question("a.example"));
  await open[0]?.take(1);
});
