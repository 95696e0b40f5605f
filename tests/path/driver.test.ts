import assert from "node:assert/strict";
import { test } from "node:test";
import type { Permit } from "../../src/model/permit.ts";
import type { SessionCommand, SessionEvent } from "../../src/model/session.ts";
import type { DriverPorts } from "../../src/path/driver.ts";
import type { Wire } from "../../src/path/wire.ts";
import { asked, bytes, portsOf, relayScript, textOf, turns, until } from "./kit.ts";
import { isLoggedIn, loggedIn, start } from "./running.ts";

test("what a client says is decided, then recorded, then flushed, then forwarded", async (t) => {
  const order: string[] = [];
  const ports: Partial<DriverPorts> = {
    recordAsked: (_id, what) => void order.push(`record ${what[0]?.text}`),
    flush: () => void order.push("flush"),
  };
  const { ports: plain } = portsOf("s1");
  const decide: DriverPorts["decide"] = (...ask) => {
    order.push(`decide ${ask[1][0]?.text}`);
    return plain.decide(...ask);
  };
  const world = await start(t, { ports: { ...ports, decide } });
  await until(() => isLoggedIn(world), "the login");
  order.length = 0;
  world.server.on("data", () => order.push("forwarded"));
  world.client.write("select 1");
  await until(() => order.includes("forwarded"), "the forwarded bytes");
  assert.deepEqual(order.slice(0, 4), ["decide client select 1", "record client select 1", "flush", "forwarded"]);
  assert.equal(world.received.text(), "select 1");
});

test("connect is recorded and flushed before the login begins", async (t) => {
  const steps: string[] = [];
  const world = await start(t, {
    ports: {
      recordAsked: (_id, what) => void steps.push(`record ${what[0]?.text}`),
      flush: () => void steps.push("flush"),
      logIn: () => {
        steps.push("login");
        return Promise.reject(new Error("no"));
      },
    },
  });
  await world.done;
  assert.deepEqual(steps.slice(0, 3), ["record connect", "flush", "login"]);
});

test("a flush that fails forwards nothing, and the client gets the session's farewell", async (t) => {
  let isFull = false;
  const flush = () => {
    if (isFull) throw Object.assign(new Error("disk full"), { code: "RECORDING_FAILED" });
  };
  const world = await start(t, { ports: { flush } });
  await until(() => isLoggedIn(world), "the login");
  isFull = true;
  world.client.write("delete from t");
  assert.equal(await world.done, "disk full");
  await until(() => world.answer.ended() && world.received.ended(), "both ends");
  assert.deepEqual([world.received.text(), world.answer.text()], ["", "bye"]);
  assert.deepEqual(world.faults, [{ code: "RECORDING_FAILED", message: "disk full" }]);
});

test("the farewell of a fault names no cause", async (t) => {
  const world = await start(t, {
    ports: {
      decide: () => {
        throw new Error("the secret cause");
      },
    },
  });
  await world.done;
  assert.match(world.session.events.at(-1) ?? "", /^stop Sallyport ended this session/);
});

test("a session that fails from the side ends with the same farewell, and its cause is reported", async (t) => {
  const world = await start(t);
  await until(() => isLoggedIn(world), "the login");
  world.driver.fail(Object.assign(new Error("the secret cause"), { code: "INTERNAL" }));
  await world.done;
  assert.equal(world.answer.text().includes("secret"), false);
  assert.match(world.session.events.at(-1) ?? "", /^stop Sallyport ended this session/);
  assert.deepEqual(world.faults, [{ code: "INTERNAL", message: "the secret cause" }]);
});

test("a denied ask never reaches the server, and the session goes on", async (t) => {
  const { ports } = portsOf("s1");
  const decide: DriverPorts["decide"] = (id, what, owned) =>
    what[0]?.text.includes("drop")
      ? { kind: "deny", rules: ["no-ddl"], message: "No", policy: "p" }
      : ports.decide(id, what, owned);
  const world = await start(t, { ports: { decide } });
  await until(() => isLoggedIn(world), "the login");
  world.client.write("drop table t");
  await until(() => world.answer.text() === "no", "the refusal");
  world.client.write("select 1");
  await until(() => world.received.text() !== "", "the next statement");
  assert.equal(world.received.text(), "select 1");
  assert.ok(world.steps.includes("record deny client drop table t"));
});

const pirates: readonly { name: string; commands: (permit: Permit) => readonly SessionCommand[] }[] = [
  { name: "forges a permit", commands: () => [{ kind: "forward", id: 1, permit: {} as Permit }] },
  {
    name: "uses a permit twice",
    commands: (permit) => [
      { kind: "forward", id: 1, permit },
      { kind: "forward", id: 1, permit },
    ],
  },
  { name: "uses a permit for another ask", commands: (permit) => [{ kind: "forward", id: 2, permit }] },
  {
    name: "logs in with a used permit",
    commands: (permit) => [
      { kind: "forward", id: 1, permit },
      { kind: "login", id: 1, permit, request: "" },
    ],
  },
];
for (const { name, commands } of pirates) {
  test(`a session that ${name} is ended and nothing of its turn is sent`, async (t) => {
    const script = (event: SessionEvent) =>
      event.kind === "verdict" && event.id === 1 && event.decision.kind === "allow"
        ? commands(event.decision.permit)
        : relayScript(event);
    const world = await start(t, { script });
    await until(() => isLoggedIn(world), "the login");
    world.client.write("select 1");
    assert.match(await world.done, /Cannot redeem a permit/);
    await until(() => world.received.ended(), "the server's end");
    assert.deepEqual([world.received.text(), world.answer.text(), world.faults.length], ["", "bye", 1]);
  });
}

test("only the bytes that were asked for are sent, whatever else a command says", async (t) => {
  const script = (event: SessionEvent): readonly SessionCommand[] => {
    if (event.kind !== "verdict" || event.id !== 1 || event.decision.kind !== "allow") return relayScript(event);
    const forward = { kind: "forward", id: 1, permit: event.decision.permit, bytes: bytes("drop table t") } as const;
    return [forward];
  };
  const world = await start(t, { script });
  await until(() => isLoggedIn(world), "the login");
  world.client.write("select 1");
  await until(() => world.received.text() !== "", "the forwarded bytes");
  assert.equal(world.received.text(), "select 1");
});

const looks: readonly { name: string; look: () => unknown }[] = [
  { name: "at once", look: () => "oid 7" },
  { name: "later", look: () => turns(3).then(() => "oid 7") },
];
for (const { name, look } of looks) {
  test(`facts that are known ${name} reach the session before any further byte`, async (t) => {
    const script = (event: SessionEvent): readonly SessionCommand[] =>
      event.kind === "client" ? [{ kind: "look", id: 5, question: "q" }] : relayScript(event);
    const world = await start(t, { script, ports: { look } });
    await until(() => isLoggedIn(world), "the login");
    world.client.write("first");
    await until(() => world.session.events.includes("client first"), "the first bytes");
    world.client.write("second");
    await until(() => world.session.events.includes("client second"), "the second bytes");
    const seen = world.session.events.slice(world.session.events.indexOf("client first"));
    assert.deepEqual(seen.slice(0, 3), ["client first", "facts 5 oid 7", "client second"]);
  });
}

test("facts that cannot be had end the session, since what it waited for decides safety", async (t) => {
  const script = (event: SessionEvent): readonly SessionCommand[] =>
    event.kind === "client" ? [{ kind: "look", id: 5, question: "q" }] : relayScript(event);
  const look = () => Promise.reject(Object.assign(new Error("no catalog"), { code: "LOOKUP_FAILED" }));
  const world = await start(t, { script, ports: { look } });
  world.client.write("first");
  assert.equal(await world.done, "no catalog");
  assert.deepEqual([world.received.text(), world.faults.map(({ code }) => code)], ["", ["LOOKUP_FAILED"]]);
});

test("no client byte is read while a login is under way", async (t) => {
  const gate = Promise.withResolvers<void>();
  const world = await start(t, { login: (wire) => gate.promise.then(() => loggedIn(wire)) });
  world.client.write("early");
  await turns(50);
  assert.deepEqual(world.session.events, ["start", "allow 0"]);
  gate.resolve();
  await until(() => world.received.text() === "early", "the bytes after the login");
  assert.deepEqual(world.session.events.slice(2, 4), ["loggedIn hello", "client early"]);
});

test("what the server said behind its login reaches the session after loggedIn and before the rest", async (t) => {
  const world = await start(t, { login: async (wire) => loggedIn(wire, "unread ") });
  world.server.write("rest");
  await until(() => world.answer.text() === "unread rest", "the server's words");
  assert.deepEqual(world.session.events.slice(2, 5), ["loggedIn hello", "server unread ", "server rest"]);
});

test("a login that fails is told to the session with its code", async (t) => {
  const login = () => Promise.reject(Object.assign(new Error("no way"), { code: "UPSTREAM_AUTH" }));
  const world = await start(t, { login });
  assert.equal(await world.done, "no way");
  assert.ok(world.session.events.includes("loginFailed UPSTREAM_AUTH"));
});

test("a wire that comes from a login after the session's end is closed", async (t) => {
  const gate = Promise.withResolvers<void>();
  const world = await start(t, { login: (wire) => gate.promise.then(() => loggedIn(wire)) });
  world.driver.stop("enough");
  await world.done;
  gate.resolve();
  await until(() => world.received.ended(), "the server's end");
});

test("facts that fail after the session's end are no fault of it", async (t) => {
  const gate = Promise.withResolvers<void>();
  const script = (event: SessionEvent): readonly SessionCommand[] =>
    event.kind === "client" ? [{ kind: "look", id: 5, question: "q" }] : relayScript(event);
  const look = () => gate.promise.then(() => Promise.reject(new Error("late")));
  const world = await start(t, { script, ports: { look } });
  world.client.write("first");
  await until(() => world.session.events.includes("client first"), "the question");
  world.driver.stop("enough");
  await world.done;
  gate.resolve();
  await turns(5);
  assert.deepEqual(world.faults, []);
});

test("a client that encrypts is heard again once it did", async (t) => {
  const secured: unknown[] = [];
  const script = (event: SessionEvent): readonly SessionCommand[] => {
    if (event.kind !== "client" || textOf(event.bytes) !== "tls?") return relayScript(event);
    return [
      { kind: "toClient", bytes: bytes("S") },
      { kind: "secure", side: "client", unread: bytes("rest"), alpn: "postgresql" },
    ];
  };
  const secure: DriverPorts["secure"] = async (_wire, unread, alpn) => void secured.push(textOf(unread), alpn);
  const world = await start(t, { script, ports: { secure } });
  await until(() => isLoggedIn(world), "the login");
  world.client.write("tls?");
  await until(() => world.session.events.includes("secured") && world.answer.text() !== "", "secured");
  assert.deepEqual([world.answer.text(), secured], ["S", ["rest", "postgresql"]]);
  world.client.write("more");
  await until(() => world.received.text() === "more", "bytes after the handshake");
});

test("a handshake that fails ends the session", async (t) => {
  const script = (event: SessionEvent): readonly SessionCommand[] =>
    event.kind === "client" ? [{ kind: "secure", side: "client", unread: bytes("") }] : relayScript(event);
  const world = await start(t, { script, ports: { secure: () => Promise.reject(new Error("bad hello")) } });
  world.client.write("tls?");
  assert.equal(await world.done, "bad hello");
});

test("a side that is shut hears no more but may still speak", async (t) => {
  const script = (event: SessionEvent): readonly SessionCommand[] =>
    event.kind === "ended" && event.side === "client" ? [{ kind: "shut", side: "server" }] : relayScript(event);
  const world = await start(t, { script });
  await until(() => isLoggedIn(world), "the login");
  world.client.end("last");
  await until(() => world.received.ended(), "the server's end");
  world.server.write("answer");
  await until(() => world.answer.text() === "answer", "the answer after the half-close");
  assert.equal(world.received.text(), "last");
  world.server.end();
  assert.equal(await world.done, "the server left");
});

for (const side of ["client", "server"] as const) {
  test(`when the ${side} leaves, the session says what that means`, async (t) => {
    const world = await start(t);
    await until(() => isLoggedIn(world), "the login");
    world[side].end();
    assert.equal(await world.done, `the ${side} left`);
    await until(() => world.answer.ended() && world.received.ended(), "both ends");
  });
}

test("notes and cancels go to their ports before the answer is sent; what only answers costs no write of its own", async (t) => {
  const order: string[] = [];
  const script = (event: SessionEvent): readonly SessionCommand[] => {
    if (event.kind !== "server") return relayScript(event);
    const entry = { askId: 1, rows: 1, bytes: 5, masks: [], outcome: "SELECT 1" };
    return [
      { kind: "toClient", bytes: event.bytes },
      { kind: "note", entry },
      { kind: "cancel", key: bytes("key") },
    ];
  };
  const world = await start(t, {
    script,
    ports: {
      recordOutput: () => {},
      recordAnswered: ({ outcome }) => void order.push(outcome),
      flush: () => void order.push("flush"),
      cancel: async (key) => void order.push(textOf(key)),
    },
  });
  await until(() => isLoggedIn(world), "the login");
  order.length = 0;
  world.client.on("data", () => order.push("shown"));
  world.server.write("row");
  await until(() => order.includes("shown"), "the answer");
  assert.deepEqual(order, ["SELECT 1", "key", "shown"]);
});

test("the connection of a cancel ends when the backend knows of it, not before", async (t) => {
  const { promise: told, resolve: tell } = Promise.withResolvers<void>();
  const script = (event: SessionEvent): readonly SessionCommand[] =>
    event.kind === "client"
      ? [
          { kind: "cancel", key: bytes("key") },
          { kind: "close", reason: "a cancel request" },
        ]
      : [];
  const world = await start(t, { script, ports: { cancel: () => told } });
  world.client.write("cancel");
  await turns(50); // in which it would have ended
  assert.equal(world.answer.ended(), false);
  tell();
  assert.equal(await world.done, "a cancel request");
  await until(() => world.answer.ended(), "the end");
});

test("one read makes one record write and one write to each side", async (t) => {
  let flushes = 0;
  const script = (event: SessionEvent): readonly SessionCommand[] => {
    if (event.kind !== "client") return relayScript(event);
    return [1, 2, 3].map((id) => ({ kind: "ask", id, asked: asked(`part ${id}`), bytes: bytes(`${id}`) }) as const);
  };
  const world = await start(t, { script, ports: { flush: () => void flushes++ } });
  await until(() => isLoggedIn(world), "the login");
  const pieces: string[] = [];
  world.server.on("data", (chunk: Buffer) => pieces.push(chunk.toString()));
  flushes = 0;
  world.client.write("batch");
  await until(() => pieces.length > 0, "the batch");
  assert.deepEqual([pieces, flushes], [["123"], 1]);
});

test("a fault of a peer is reported with its code and ends the session", async (t) => {
  const script = (event: SessionEvent): readonly SessionCommand[] =>
    event.kind === "client" ? [{ kind: "close", reason: "too long", fault: "FRAME_LENGTH" }] : relayScript(event);
  const world = await start(t, { script });
  world.client.write("x");
  assert.equal(await world.done, "too long");
  assert.deepEqual(world.faults, [{ code: "FRAME_LENGTH", message: "too long" }]);
});

test("bytes are counted as they come from either side", async (t) => {
  const world = await start(t);
  await until(() => isLoggedIn(world), "the login");
  world.client.write("12345");
  world.server.write("1234567");
  await until(() => world.answer.text().length === 7 && world.received.text().length === 5, "both");
  assert.deepEqual([world.driver.bytesIn, world.driver.bytesOut], [5, 7]);
});

test("a session that is cut says its farewell and resets both sides at once", async (t) => {
  const world = await start(t);
  await until(() => isLoggedIn(world), "the login");
  const { client, server, driver, done } = world;
  const resets: string[] = [];
  client.on("error", (error: NodeJS.ErrnoException) => resets.push(`client ${error.code}`));
  server.on("error", (error: NodeJS.ErrnoException) => resets.push(`server ${error.code}`));
  driver.cut("the agent is quarantined");
  assert.equal(await done, "the agent is quarantined");
  await until(() => resets.length === 2, "both resets");
  assert.deepEqual(resets.sort(), ["client ECONNRESET", "server ECONNRESET"]);
  assert.equal(world.answer.text(), "bye");
});

test("a client that keeps a session open after its farewell is reset by a cut, too", async (t) => {
  const world = await start(t);
  await until(() => isLoggedIn(world), "the login");
  const resets: string[] = [];
  world.client.on("error", (error: NodeJS.ErrnoException) => resets.push(error.code ?? ""));
  world.driver.stop("goodbye");
  await until(() => world.answer.ended(), "the farewell");
  world.driver.cut("the agent is quarantined");
  await until(() => {
    world.client.write("still here"); // a peer that was told of the end notices a reset when it speaks
    return resets.length > 0;
  }, "the reset");
});

test("a session that is cut while it logs in never speaks to its backend", async (t) => {
  const dialled = Promise.withResolvers<Wire>();
  const login = Promise.withResolvers<void>();
  const world = await start(t, {
    login: async (wire) => {
      dialled.resolve(wire);
      await login.promise;
      return loggedIn(wire);
    },
  });
  await dialled.promise;
  world.driver.cut("the agent is quarantined");
  await world.done;
  login.resolve();
  await until(() => world.server.destroyed || world.received.ended(), "the end of the backend's side");
  assert.equal(world.received.text(), "");
});
