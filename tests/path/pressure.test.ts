/** How a session is stopped, and what it costs when its peers are slow. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { FAREWELL_WAIT_MS, SERVER_STALL_MS } from "../../src/base/limits.ts";
import type { SessionCommand, SessionEvent } from "../../src/model/session.ts";
import { relayScript, turns, until } from "./kit.ts";
import { isLoggedIn, start, type World } from "./running.ts";

test("after the close a session gets no more events", async (t) => {
  const world = await start(t, { unread: { got: 0 } });
  await until(() => isLoggedIn(world), "the login");
  world.driver.stop("enough");
  await world.done;
  world.client.write("more");
  world.server.write("more");
  world.driver.stop("again");
  await turns(20);
  assert.equal(world.session.events.at(-1), "stop enough");
});

test("stop says the farewell and ends with its reason", async (t) => {
  const world = await start(t);
  await until(() => isLoggedIn(world), "the login");
  world.driver.stop("its grant ended");
  assert.equal(await world.done, "its grant ended");
  await until(() => world.answer.ended() && world.received.ended(), "both ends");
  assert.equal(world.answer.text(), "bye");
});

/** Fills everything between the server and a client that does not read. */
async function stuff(world: World, most: number): Promise<number> {
  const chunk = Buffer.alloc(64 * 1024, "x");
  let sent = 0;
  let still = 0;
  while (sent < most && still < 200) {
    const before = world.server.bytesWritten - world.server.writableLength;
    if (world.server.writableLength === 0) {
      world.server.write(chunk);
      sent += chunk.length;
    }
    await turns(1);
    still = world.server.bytesWritten - world.server.writableLength === before ? still + 1 : 0;
  }
  return sent;
}

/** Fills everything between the client and a server that does not read. */
async function stuffServer({ client }: World): Promise<void> {
  const chunk = Buffer.alloc(256 * 1024, "x");
  const isFull = () => client.writableLength > 4 * chunk.length;
  for (let turn = 0; turn < 2_000 && !isFull(); turn++) {
    client.write(chunk);
    await turns(5);
  }
  assert.ok(isFull(), "control: the client is not read any more");
}

test("a server that takes nothing ends the session in the end, one that goes on does not", async (t) => {
  const world = await start(t, { unread: { got: 0 } });
  await until(() => isLoggedIn(world), "the login");
  let ended = "";
  void world.done.then((reason) => {
    ended = reason;
  });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await stuffServer(world);
  world.server.resume();
  // not only out of the client's hands: the driver's own backlog must have gone, too, for its clock to stop
  await until(() => world.server.bytesRead === world.client.bytesWritten, "all of it at the server", 30_000);
  await turns(20);
  t.mock.timers.tick(SERVER_STALL_MS);
  await turns(20);
  assert.equal(ended, "");
  world.server.pause();
  await stuffServer(world);
  t.mock.timers.tick(SERVER_STALL_MS - 1);
  await turns(20);
  assert.equal(ended, "");
  t.mock.timers.tick(1);
  await turns(20);
  assert.equal(ended, "the server has not taken for too long what waits for it");
});

test("stop closes within its time even when the peers never read", async (t) => {
  const world = await start(t, { unread: { got: 0 } });
  await until(() => isLoggedIn(world), "the login");
  await stuff(world, 200 * 1024 * 1024);
  const at = performance.now();
  world.driver.stop("going down");
  assert.equal(await world.done, "going down");
  assert.ok(performance.now() - at < FAREWELL_WAIT_MS / 2, "the session is over at once");
  // a write to a socket that is only shut would wait for ever
  const write = () => void world.server.write("x", (error) => error ?? setImmediate(write));
  write();
  await until(() => world.server.destroyed, "the end of the server's socket", FAREWELL_WAIT_MS * 2);
});

test("stop ends a session that does not answer it", async (t) => {
  const script = (event: SessionEvent): readonly SessionCommand[] => (event.kind === "stop" ? [] : relayScript(event));
  const world = await start(t, { script });
  await until(() => isLoggedIn(world), "the login");
  const at = performance.now();
  world.driver.stop("going down");
  assert.equal(await world.done, "going down");
  const took = performance.now() - at;
  assert.ok(took >= FAREWELL_WAIT_MS - 5 && took < FAREWELL_WAIT_MS * 2, `it took ${took} ms`);
});

const ANSWER_BYTES = 200 * 1024 * 1024;

test("a client that does not read costs little memory, and gets all of a 200 MB answer when it does", async (t) => {
  const unread = { got: 0 };
  const world = await start(t, { unread });
  await until(() => isLoggedIn(world), "the login");
  const before = process.memoryUsage.rss();
  let most = before;
  const look = () => {
    most = Math.max(most, process.memoryUsage.rss());
  };
  const stuck = await stuff(world, ANSWER_BYTES);
  look();
  assert.ok(stuck < ANSWER_BYTES / 4, `the server must be held back, but sent ${stuck} bytes`);
  world.client.resume();
  const chunk = Buffer.alloc(64 * 1024, "x");
  for (let sent = stuck; sent < ANSWER_BYTES; sent += chunk.length) {
    if (!world.server.write(chunk)) await once(world.server, "drain");
    look();
  }
  await until(() => unread.got >= ANSWER_BYTES, "the whole answer", 20_000);
  const grown = (most - before) / 1024 / 1024;
  assert.ok(grown < 64, `memory grew by ${Math.round(grown)} MB`);
});
