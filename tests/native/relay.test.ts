/** The relay by itself: real sockets, a real file, permits of the test's own. What policy and sessions make of it: tests/system/relay. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Relay } from "ebpf-loader";
import { FIRST_LINK } from "../../src/recorder/block.ts";
import { server as answer, join as concat, message, client as say } from "../kit/wire.ts";
import { folder } from "../store/folder.ts";
import {
  ANSWER,
  BINARY,
  DESCRIPTION,
  DONE,
  EXECUTE,
  fdOf,
  pair,
  QUERY,
  READY,
  ROW,
  recordsIn,
  SELECT,
  stand,
  until,
} from "./stand.ts";

test("a covered group goes to the server once its decision is in the file, and its answer comes back", async (t) => {
  const { client, server, atServer, atClient, file, relay, flow, take } = await stand(t);
  client.write(SELECT("42"));
  await until(() => atServer().length > 0, "the query");
  assert.deepEqual(atServer(), SELECT("42"));
  const kinds = recordsIn(file).map(({ kind }) => kind);
  assert.deepEqual(kinds, ["action", "decision"]);
  server.write(ANSWER);
  await until(() => atClient().length === ANSWER.length, "the answer");
  assert.deepEqual(atClient(), ANSWER);
  assert.equal(relay.settle(flow), true);
  const [action, decided, answered] = recordsIn(file);
  assert.ok(action?.kind === "action" && decided?.kind === "decision" && answered?.kind === "answer");
  assert.equal(action.text, "SELECT n FROM t WHERE n = 42;");
  assert.deepEqual([action.askId, decided.askId, answered.askId], [11, 11, 11]);
  assert.deepEqual([decided.decision, decided.rules, decided.policy], ["allow", ["read"], "p1"]);
  assert.deepEqual([answered.rows, answered.bytes, answered.outcome], [1, ROW.length, "SELECT 1"]);
  const { tail, totals, inFlight, status } = take();
  assert.equal(tail.size, readFileSync(file).length);
  assert.equal(tail.sequence, 3);
  assert.deepEqual([totals.asks, totals.rows, totals.asked], [1, 1, [1, 0, 0, 0, 0]]);
  assert.deepEqual([inFlight.length, status], [0, "I".charCodeAt(0)]);
});

test("it does not matter how the bytes of both sides are cut", async (t) => {
  const { client, server, atServer, atClient } = await stand(t);
  const request = concat(SELECT("1"), EXECUTE(["x y"]), SELECT("123456"));
  const updated = concat(message("2"), answer.complete("UPDATE 1"), READY);
  for (const byte of request) {
    client.write(Buffer.of(byte));
    await new Promise(setImmediate);
  }
  await until(() => atServer().length === request.length, "all requests");
  assert.deepEqual(atServer(), request);
  const all = concat(ANSWER, updated, ANSWER);
  for (const byte of all) {
    server.write(Buffer.of(byte));
    await new Promise(setImmediate);
  }
  await until(() => atClient().length === all.length, "all answers");
  assert.deepEqual(atClient(), all);
});

const LYING = EXECUTE(["x"]);
LYING.writeInt32BE(1_000, LYING.indexOf("s1") + 7);

const SHORTER = EXECUTE(["x"]);
SHORTER.writeInt32BE(-2, SHORTER.indexOf("s1") + 7);

/** Anything else that a client might send: none of it reaches the server, and all of it is handed over. */
const strangers: readonly (readonly [string, Buffer])[] = [
  ["another statement", say.query("SELECT n FROM u WHERE n = 42;")],
  ["no digits", SELECT("")],
  ["ten digits", SELECT("1234567890")],
  ["a sign", SELECT("-1")],
  ["a sub-query in place of digits", SELECT("(SELECT 1)")],
  ["digits and a comment", SELECT("1/**/")],
  ["a point", SELECT("1.5")],
  ["a NUL within", SELECT("1\0")],
  ["a second statement", say.query("SELECT n FROM t WHERE n = 42;DROP TABLE t")],
  ["no end of the text", message("Q", Buffer.from("SELECT n FROM t WHERE n = 42;"))],
  ["bytes behind the end of the text", message("Q", Buffer.from("SELECT n FROM t WHERE n = 42;\0x"))],
  ["other digits than ASCII's", SELECT("４２")],
  ["another prepared statement", EXECUTE(["x"], { statement: "s2" })],
  ["another portal", EXECUTE(["x"], { portal: "p" })],
  ["two parameters", EXECUTE(["a", "b"])],
  ["a value that says it is shorter than NULL", SHORTER],
  ["a value that says it is longer than its message", LYING],
  ["a value that is too long", EXECUTE(["x".repeat(257)])],
  ["a value with a character of its own", EXECUTE(["caf\u00e9"])],
  ["a value with an address", EXECUTE(["ann@example.com"])],
  ["a value with a mark of ours", EXECUTE(["[redacted]"])],
  ["a value with a card's digits", EXECUTE(["4111 1111 1111 1111"])],
  ["an Execute of some rows", EXECUTE(["x"], { rows: 5 })],
  ["a Flush in place of the Sync", concat(EXECUTE(["x"]).subarray(0, -5), say.flush())],
  ["a length below itself", Buffer.of(0x51, 0, 0, 0, 3)],
  ["a length beyond any text", Buffer.of(0x51, 0x7f, 0xff, 0xff, 0xff)],
  ["goodbye", message("X")],
  ["an unknown type", message("~")],
];
for (const [name, bytes] of strangers) {
  test(`not covered: ${name}`, async (t) => {
    const { client, atServer, file, why, take } = await stand(t);
    client.write(concat(SELECT("1"), bytes));
    await until(() => why() !== undefined, "the flow");
    const { fromClient, inFlight } = take();
    await until(() => atServer().length > 0, "what was covered");
    assert.equal(why(), "unknown");
    assert.deepEqual(fromClient, bytes);
    assert.deepEqual(atServer(), SELECT("1"));
    assert.equal(inFlight.length, 1);
    assert.deepEqual(
      recordsIn(file).map(({ kind }) => kind),
      ["action", "decision"],
    );
  });
}

test("a beginning that may become a covered group waits for the rest", async (t) => {
  const { client, atServer, why } = await stand(t);
  client.write(EXECUTE(["x"]).subarray(0, -1));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual([atServer().length, why()], [0, undefined]);
  client.write(EXECUTE(["x"]).subarray(-1));
  await until(() => atServer().length > 0, "the group");
});

test("what looks like a finding is vouched for, or goes back", async (t) => {
  const asked: string[] = [];
  const vouch = (text: string) => {
    asked.push(text);
    return text.includes("4000000");
  };
  const { client, atServer, why } = await stand(t, { vouch });
  client.write(SELECT("4000000"));
  await until(() => atServer().length > 0, "the query");
  client.write(SELECT("5000000"));
  await until(() => why() !== undefined, "the flow");
  assert.deepEqual(asked, ["SELECT n FROM t WHERE n = 4000000;", "SELECT n FROM t WHERE n = 5000000;"]);
  assert.deepEqual(atServer(), SELECT("4000000"));
});

test("a number that stands by itself is asked about to nobody", async (t) => {
  const { client, atServer, file, why } = await stand(t);
  const asked = concat(EXECUTE(["12345678901"]), say.query("SELECT m FROM t WHERE n = 123456789;"));
  client.write(asked);
  await until(() => atServer().length === asked.length, "both");
  const texts = recordsIn(file).flatMap((entry) => (entry.kind === "action" ? [[entry.text, entry.parameters]] : []));
  assert.deepEqual(texts, [
    ["UPDATE t SET n = $1", ["12345678901"]],
    ["SELECT m FROM t WHERE n = 123456789;", []],
  ]);
  client.write(EXECUTE(["123456789012"]));
  await until(() => why() !== undefined, "what has twelve digits");
});

test("values are recorded as a person reads them, whatever form they come in", async (t) => {
  const { client, atServer, file, why } = await stand(t);
  const [least, most] = [Buffer.alloc(8, 0xff), Buffer.alloc(8, 0xff)];
  least.writeBigInt64BE(-(2n ** 63n));
  most.writeBigInt64BE(99_999_999_999n);
  const covered = concat(
    EXECUTE([null]),
    BINARY([Buffer.of(0x80, 0), Buffer.of(0xff, 0xff, 0xff, 0xfe), most]),
    BINARY([null, Buffer.of(0x7f, 0xff, 0xff, 0xff), null]),
  );
  client.write(covered);
  await until(() => atServer().length === covered.length, "all three");
  client.write(BINARY([null, null, least]));
  await until(() => why() !== undefined, "what has more digits than a number by itself");
  const values = recordsIn(file).flatMap((entry) => (entry.kind === "action" ? [entry.parameters] : []));
  assert.deepEqual(values, [[null], ["-32768", "-2", "99999999999"], [null, "2147483647", null]]);
});

test("an integer of another width is not covered", async (t) => {
  for (const values of [
    [Buffer.of(0), null, null],
    [null, Buffer.of(0, 7), null],
    [null, null, Buffer.of(0, 0, 0, 7)],
    [Buffer.alloc(0), null, null],
  ]) {
    const { client, why, take } = await stand(t);
    client.write(BINARY(values));
    await until(() => why() !== undefined, "the flow");
    assert.deepEqual([why(), take().fromClient], ["unknown", BINARY(values)]);
  }
});

test("the last answered group that leaves something is told, and no other", async (t) => {
  const { client, server, atServer, atClient, take } = await stand(t);
  const groups = [BINARY([null, null, null]), SELECT("1"), BINARY([null, null, null])];
  client.write(concat(...groups));
  await until(() => atServer().length === concat(...groups).length, "the groups");
  const answers = concat(message("1"), message("2"), answer.complete("UPDATE 1"), READY, ANSWER, message("1"));
  server.write(answers);
  await until(() => atClient().length === answers.length, "the answers");
  const { left, inFlight } = take();
  assert.deepEqual([left, inFlight.map(({ permit, step }) => [permit, step])], [3, [[3, 1]]]);
  const other = await stand(t);
  other.client.write(concat(SELECT("1"), BINARY([null, null, null])));
  await until(() => other.atServer().length > 0, "the groups");
  other.server.write(ANSWER);
  await until(() => other.atClient().length === ANSWER.length, "the first answer");
  assert.equal(other.take().left, undefined);
});

test("a vouching that throws is a no", async (t) => {
  const vouch = () => {
    throw new Error("Cannot tell");
  };
  const { client, why, take } = await stand(t, { vouch });
  client.write(SELECT("4000000"));
  await until(() => why() !== undefined, "the flow");
  assert.deepEqual(take().fromClient, SELECT("4000000"));
});

test("while it asks, nothing can be taken or settled", async (t) => {
  const refused: string[] = [];
  const vouch = (_text: string, flow: number, relay: Relay) => {
    for (const call of [() => relay.take(flow), () => relay.settle(flow)])
      try {
        call();
      } catch (error) {
        refused.push(String(error));
      }
    return true;
  };
  const { client, atServer, file } = await stand(t, { vouch });
  client.write(concat(SELECT("1"), SELECT("4000000")));
  await until(() => atServer().length > 0, "the queries");
  assert.equal(refused.length, 2);
  for (const said of refused) assert.match(said, /Cannot take or settle a flow while the relay asks about one/);
  assert.deepEqual(atServer(), concat(SELECT("1"), SELECT("4000000")));
  assert.equal(recordsIn(file).length, 4);
});

/** What a server might say beside the answer of the form, after which the client has only what was of the form. */
const surprises: readonly (readonly [string, Buffer, Buffer])[] = [
  ["an error", Buffer.alloc(0), answer.error({ S: "ERROR", C: "42501", M: "no" })],
  ["a notice before anything", Buffer.alloc(0), answer.notice({ S: "NOTICE", M: "hm" })],
  ["another description", Buffer.alloc(0), answer.columns({ name: "secret" })],
  ["an error amid rows", concat(DESCRIPTION, ROW, ROW), answer.error({ S: "ERROR", C: "57014", M: "no" })],
  ["a copy", Buffer.alloc(0), message("H", Buffer.of(0, 0, 0))],
  ["a row that nobody described", Buffer.alloc(0), ROW],
  ["a description after rows", concat(DESCRIPTION, ROW), DESCRIPTION],
  ["completion twice", concat(DESCRIPTION, ROW, DONE), DONE],
  ["ready too early", concat(DESCRIPTION, ROW), READY],
  ["a tag with a line break", DESCRIPTION, answer.complete("SELECT 1\n")],
  ["a tag of its own length", DESCRIPTION, answer.complete("x".repeat(200))],
  ["a length below itself", DESCRIPTION, Buffer.of(0x44, 0, 0, 0, 3)],
  ["a parameter", ANSWER, answer.parameter("client_encoding", "LATIN1")],
  ["more than was asked for", ANSWER, READY],
  ["a status that is none", concat(DESCRIPTION, ROW, DONE), message("Z", Buffer.of(0))],
];
for (const [name, fits, surprise] of surprises) {
  test(`given back: ${name}`, async (t) => {
    const { client, server, atServer, atClient, why, take } = await stand(t);
    client.write(SELECT("1"));
    await until(() => atServer().length > 0, "the query");
    server.write(concat(fits, surprise));
    await until(() => why() !== undefined, "the flow");
    const { fromServer, inFlight, answers } = take();
    await until(() => atClient().length >= fits.length, "what was of the form");
    assert.equal(why(), "answer");
    assert.deepEqual(atClient(), fits);
    assert.deepEqual(fromServer, surprise);
    assert.equal(inFlight.length + answers.length, 1);
    const [head] = inFlight;
    if (fits.length === 0) assert.equal(head?.step, 0);
    else if (head !== undefined) assert.equal(head.step, 1);
  });
}

test("rows that are longer than a read pass as they come, and what is left of one is told", async (t) => {
  const { client, server, atServer, atClient, take } = await stand(t);
  client.write(SELECT("1"));
  await until(() => atServer().length > 0, "the query");
  const long = answer.row("x".repeat(1_000_000));
  server.write(concat(DESCRIPTION, long.subarray(0, 600_000)));
  await until(() => atClient().length === DESCRIPTION.length + 600_000, "the part that is there");
  const { passing, inFlight } = take();
  assert.equal(passing, long.length - 600_000);
  assert.deepEqual([inFlight[0]?.rows, inFlight[0]?.rowBytes], [1, long.length]);
});

test("a client that does not read holds the server up, and gets all of it in the end", async (t) => {
  const { client, server, atServer, why } = await stand(t);
  client.write(SELECT("1"));
  await until(() => atServer().length > 0, "the query");
  client.pause();
  const rows = concat(...Array.from({ length: 20_000 }, () => answer.row("y".repeat(1_000))));
  const all = concat(DESCRIPTION, rows, DONE, READY);
  server.write(all);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(server.writableLength > 0, "the server is held up");
  let got = 0;
  client.on("data", (bytes: Buffer) => {
    got += bytes.length;
  });
  client.resume();
  await until(() => got === all.length, "everything");
  assert.equal(why(), undefined);
});

test("what the disk does not take does not go to the server", async (t) => {
  const { client, atServer, why, take } = await stand(t, { file: "/dev/full" });
  client.write(SELECT("1"));
  await until(() => why() !== undefined, "the flow");
  const { fromClient, totals, tail } = take();
  assert.equal(why(), "unrecorded");
  assert.deepEqual([fromClient, totals.asks, atServer().length], [SELECT("1"), 0, 0]);
  assert.deepEqual([tail.size, tail.sequence], [0, 0]);
});

test("behind a torn record nothing is recorded, and nothing goes to the server", async (t) => {
  const pipe = join(folder(t), "pipe"); // what cannot be cut back
  execFileSync("mkfifo", [pipe]);
  const fd = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  const { client, server, atServer, atClient, relay, flow, why, take } = await stand(t, { fd });
  client.write(SELECT("1"));
  await until(() => atServer().length > 0, "the query");
  server.write(ANSWER);
  await until(() => atClient().length === ANSWER.length, "the answer");
  const page = Buffer.alloc(4096);
  assert.throws(() => {
    for (;;) writeSync(fd, page);
  }, /EAGAIN/);
  assert.equal(relay.settle(flow), false);
  assert.equal(relay.tail(flow)?.isBroken, true);
  assert.equal(readSync(fd, Buffer.alloc(1 << 20)) > 0, true);
  client.write(SELECT("2"));
  await until(() => why() !== undefined, "the flow");
  assert.equal(why(), "unrecorded");
  assert.deepEqual([take().fromClient, atServer()], [SELECT("2"), SELECT("1")]);
});

test("answers that do not fit into the segment wait", async (t) => {
  const { client, server, atServer, atClient, file, relay, flow, take } = await stand(t, { sizeMax: 160 });
  client.write(SELECT("1"));
  await until(() => atServer().length > 0, "the query");
  server.write(ANSWER);
  await until(() => atClient().length === ANSWER.length, "the answer");
  assert.equal(relay.settle(flow), false);
  assert.ok(readFileSync(file).length <= 160);
  const { answers, tail } = take();
  assert.deepEqual([answers.length, tail.isBroken], [1, false]);
});

test("a segment that is full, and a loan that is over, carry nothing more", async (t) => {
  for (const how of [{ sizeMax: 64 }, { forMs: 0 }]) {
    const { client, atServer, file, why, take } = await stand(t, how);
    await new Promise((resolve) => setTimeout(resolve, 5));
    client.write(SELECT("1"));
    await until(() => why() !== undefined, "the flow");
    assert.equal(why(), "over");
    assert.deepEqual([take().fromClient, atServer().length, readFileSync(file).length], [SELECT("1"), 0, 0]);
  }
});

test("more groups in flight than may be go back", async (t) => {
  const { client, atServer, why, take } = await stand(t);
  client.write(concat(...Array.from({ length: 70 }, (_, at) => SELECT(String(at)))));
  await until(() => why() !== undefined, "the flow");
  const { inFlight, fromClient } = take();
  assert.deepEqual([why(), inFlight.length], ["full", 64]);
  assert.deepEqual(fromClient, concat(...Array.from({ length: 6 }, (_, at) => SELECT(String(64 + at)))));
  await until(() => atServer().length > 0, "those in flight");
});

for (const side of ["client", "server"] as const) {
  for (const how of ["end", "reset"] as const) {
    test(`the ${side}'s ${how} gives the flow back`, async (t) => {
      const { client, server, why } = await stand(t);
      const socket = side === "client" ? client : server;
      if (how === "end") socket.end();
      else socket.resetAndDestroy();
      await until(() => why() !== undefined, "the flow");
      assert.equal(why(), "ended");
    });
  }
}

test("what is taken back is left alone, and the owner may go on", async (t) => {
  const { client, atServer, relay, flow, take } = await stand(t);
  take();
  assert.equal(relay.take(flow), undefined);
  client.write(SELECT("1"));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(atServer().length, 0);
  assert.equal(relay.tail(flow), undefined);
});

test("in a flow that was given back nothing moves until it is taken", async (t) => {
  const { client, server, atServer, atClient, why, take } = await stand(t, { giveBack: () => {} });
  client.write(concat(SELECT("1"), message("X")));
  await until(() => why() !== undefined && atServer().length > 0, "the flow");
  server.write(ANSWER);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(atClient().length, 0);
  const { inFlight, fromClient, fromServer } = take();
  assert.deepEqual([inFlight.length, fromClient, fromServer.length], [1, message("X"), 0]);
});

test("it may be closed by whoever it gives a flow to", async (t) => {
  const giveBack = (relay: Relay, flow: number) => {
    relay.take(flow);
    relay.close();
  };
  const { client, atServer, why } = await stand(t, { giveBack });
  client.write(concat(SELECT("1"), message("X")));
  await until(() => why() !== undefined && atServer().length > 0, "the flow");
  assert.deepEqual([why(), atServer()], ["unknown", SELECT("1")]);
});

const ASK = (digits: string) => say.query(`SELECT k FROM t WHERE n = ${digits};`);

test("where a permit wants it, each group is asked about: what may go is recorded and goes, the first that may not goes back", async (t) => {
  const asked: [number, string][] = [];
  const decide = (askId: number, group: Buffer) => {
    asked.push([askId, group.toString("latin1")]);
    return !group.includes("= 3;");
  };
  const { client, atServer, file, why, take } = await stand(t, { decide });
  client.write(concat(ASK("1"), SELECT("2"), ASK("3"), ASK("4")));
  await until(() => why() !== undefined && atServer().length > 0, "the flow and the groups");
  assert.equal(why(), "unknown");
  assert.deepEqual(atServer(), concat(ASK("1"), SELECT("2")));
  assert.deepEqual(asked, [
    [11, ASK("1").toString("latin1")],
    [13, ASK("3").toString("latin1")],
  ]);
  const texts = recordsIn(file).flatMap((record) => (record.kind === "action" ? [record.text] : []));
  assert.deepEqual(texts, ["SELECT k FROM t WHERE n = 1;", "SELECT n FROM t WHERE n = 2;"]);
  assert.deepEqual(take().fromClient, concat(ASK("3"), ASK("4")));
});

test("a group whose text nobody vouches for is not asked about: the session does that", async (t) => {
  let asked = 0;
  const { client, atServer, why } = await stand(t, { decide: () => ++asked > 0 });
  client.write(ASK("1234567")); // it may be a phone number, as far as this permit tells
  await until(() => why() !== undefined, "the flow");
  assert.deepEqual([asked, atServer().length], [0, 0]);
});

test("what the segment has no room for is asked about by nobody: a yes that does nothing would be counted twice", async (t) => {
  const asked: number[] = [];
  const decide = (askId: number) => asked.push(askId) > 0;
  const { client, atServer, file, why, take } = await stand(t, { decide, sizeMax: 160 });
  client.write(concat(ASK("1"), ASK("2"), ASK("3")));
  await until(() => why() !== undefined, "the flow");
  const { fromClient, totals } = take();
  assert.deepEqual([why(), asked, totals.asks], ["over", [11], 1]);
  assert.deepEqual(fromClient, concat(ASK("2"), ASK("3")));
  assert.equal(recordsIn(file).length, 2);
  await until(() => atServer().length > 0, "what there was room for");
  assert.deepEqual(atServer(), ASK("1"));
});

test("many long decisions let the rest of the loop run", async (t) => {
  let inTurn = 0;
  const decide = () => {
    inTurn++;
    const end = performance.now() + 1;
    while (performance.now() < end);
    return true;
  };
  const relay = new Relay({ giveBack: () => {}, vouch: () => true, decide });
  const permits = [relay.permit({ ...QUERY, isAsked: true })];
  const flows = await Promise.all(Array.from({ length: 20 }, async () => [await pair(t), await pair(t)] as const));
  const groups = concat(...Array.from({ length: 20 }, () => SELECT("1")));
  let arrived = 0;
  for (const [client, server] of flows) {
    const fd = openSync(join(folder(t), "segment"), "a");
    const tail = { fd, size: 0, sizeMax: 1 << 20, sequence: 0, link: FIRST_LINK };
    const sockets = { client: fdOf(client.inner), server: fdOf(server.inner) };
    const flow = relay.lend({ ...sockets, tail, lastAskId: 0, forMs: 60_000, permits });
    t.after(() => {
      relay.take(flow);
      closeSync(fd);
    });
    server.outer.on("data", (bytes: Buffer) => {
      arrived += bytes.length;
    });
    client.outer.write(groups);
  }
  t.after(() => relay.close());
  while (arrived < flows.length * groups.length) {
    inTurn = 0;
    await new Promise(setImmediate);
    assert.ok(inTurn <= 40, `${inTurn} of 1 ms each in one turn, which is for 20 and the 20 that one read brings`);
  }
});

test("a decision that throws is a no", async (t) => {
  const decide = () => {
    throw new Error("no judge");
  };
  const { client, atServer, why } = await stand(t, { decide });
  client.write(ASK("1"));
  await until(() => why() !== undefined, "the flow");
  assert.equal(atServer().length, 0);
});

test("nothing can be taken or settled amid a decision", async (t) => {
  let refused = 0;
  const decide = (_askId: number, _group: Buffer, flow: number, relay: Relay) => {
    for (const act of [() => relay.take(flow), () => relay.settle(flow)]) {
      try {
        act();
      } catch {
        refused++;
      }
    }
    return true;
  };
  const { client, atServer } = await stand(t, { decide });
  client.write(ASK("1"));
  await until(() => atServer().length > 0, "the query");
  assert.equal(refused, 2);
});

test("answers that wait are told where nobody wrote them", async (t) => {
  const { client, server, atServer, atClient, take } = await stand(t);
  client.write(SELECT("1"));
  await until(() => atServer().length > 0, "the query");
  server.write(ANSWER);
  await until(() => atClient().length === ANSWER.length, "the answer");
  assert.deepEqual(take().answers, [{ askId: 11, rows: 1, bytes: ROW.length, outcome: "SELECT 1" }]);
});

test("arguments of other kinds are refused", (t) => {
  const relay = new Relay({ giveBack: () => {}, vouch: () => false, decide: () => false });
  t.after(() => relay.close());
  const loan = {
    ...{ client: 1_000_000, server: 1_000_001, lastAskId: 0, forMs: 1, permits: [] },
    tail: { fd: 0, size: 0, sizeMax: 1, sequence: 0, link: FIRST_LINK },
  };
  assert.throws(() => relay.lend(loan), /Cannot watch a socket/);
  assert.throws(() => relay.lend({ ...loan, client: -1 }), /descriptor/);
  assert.throws(() => relay.lend({ ...loan, forMs: 2 ** 40 }), /forMs/);
  assert.throws(() => relay.lend({ ...loan, tail: { ...loan.tail, link: "short" } }), /link/);
  assert.throws(() => relay.permit({ ...QUERY, request: [{ type: 300, parts: [] }] }), /type/);
});
