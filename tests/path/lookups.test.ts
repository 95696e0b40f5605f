import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { CATALOG_AGE_MS } from "../../src/base/limits.ts";
import { Lookups } from "../../src/path/lookups.ts";
import { handClock } from "../store/folder.ts";
import { backendOf, until } from "./kit.ts";
import { backendAt, protocolOf, vaultOf } from "./world.ts";

/** A backend that counts questions and answers "N" for the Nth; each answer waits for `gate`. */
async function world(t: TestContext) {
  const state = { asked: [] as string[], gate: Promise.resolve(), fail: false };
  const port = await backendOf(t, (socket) => {
    socket.once("data", () => {
      socket.write("ok there\n");
      socket.once("data", (question: Buffer) => {
        const answer = `${state.asked.push(question.toString().trim())}\n`;
        const { fail } = state;
        void state.gate.then(() => (fail ? socket.end() : socket.write(answer)));
      });
    });
    socket.on("end", () => socket.end());
  });
  const clock = handClock();
  return { state, clock, backend: backendAt(port), lookups: new Lookups(clock, vaultOf().credentialOf) };
}

const question = { ask: "tables" };

test("a known answer is given at once while it is young", async (t) => {
  const { state, clock, backend, lookups } = await world(t);
  assert.equal(await lookups.of(backend, "db").look(question), "1");
  clock.advance(CATALOG_AGE_MS - 1);
  assert.equal(lookups.of(backend, "db").look(question), "1");
  assert.equal(state.asked.length, 1);
});

test("what is known can be had without asking, while it is young", async (t) => {
  const { state, clock, backend, lookups } = await world(t);
  const { known, look } = lookups.of(backend, "db");
  assert.equal(known(question), undefined);
  await look(question);
  assert.equal(known(question), "1");
  assert.equal(known({ ...question, fresh: true }), undefined, "not where it has to be fresh");
  clock.advance(CATALOG_AGE_MS);
  assert.equal(known(question), undefined);
  assert.equal(state.asked.length, 1);
});

test("an answer that is too old is asked for again", async (t) => {
  const { clock, backend, lookups } = await world(t);
  await lookups.of(backend, "db").look(question);
  clock.advance(CATALOG_AGE_MS);
  assert.equal(await lookups.of(backend, "db").look(question), "2");
});

test("an answer's age counts from its question", async (t) => {
  const { state, clock, backend, lookups } = await world(t);
  const gate = Promise.withResolvers<void>();
  state.gate = gate.promise;
  const asked = lookups.of(backend, "db").look(question);
  await until(() => state.asked.length === 1, "the question");
  clock.advance(CATALOG_AGE_MS);
  gate.resolve();
  await asked;
  assert.equal(await lookups.of(backend, "db").look(question), "2");
});

test("the same question is asked once at a time", async (t) => {
  const { state, backend, lookups } = await world(t);
  const answers = await Promise.all([
    lookups.of(backend, "db").look(question),
    lookups.of(backend, "db").look({ ask: "tables" }),
  ]);
  assert.deepEqual([answers, state.asked.length], [["1", "1"], 1]);
});

const others: readonly { name: string; session?: string; ask?: string; labels?: Record<string, string> }[] = [
  { name: "of another login", session: "db2" },
  { name: "with another text", ask: "views" },
  { name: "of a connection whose settings changed", labels: { environment: "prod" } },
];
for (const { name, session = "db", ask = "tables", labels = {} } of others) {
  test(`a question ${name} has an answer of its own`, async (t) => {
    const { state, backend, lookups } = await world(t);
    await lookups.of(backend, "db").look(question);
    const changed = { ...backend, connection: { ...backend.connection, labels } };
    await lookups.of(changed, session).look({ ask });
    assert.equal(state.asked.length, 2);
  });
}

test("a fresh question is asked even if the answer is known, and its answer is kept for all", async (t) => {
  const { backend, lookups } = await world(t);
  await lookups.of(backend, "db").look(question);
  assert.equal(await lookups.of(backend, "db").look({ ...question, fresh: true }), "2");
  assert.equal(lookups.of(backend, "db").look(question), "2");
});

test("a fresh question does not take the answer of one that was asked before it", async (t) => {
  const { state, backend, lookups } = await world(t);
  const gate = Promise.withResolvers<void>();
  state.gate = gate.promise;
  const early = lookups.of(backend, "db").look(question);
  await until(() => state.asked.length === 1, "the first question");
  const fresh = lookups.of(backend, "db").look({ ...question, fresh: true });
  await until(() => state.asked.length === 2, "the fresh question");
  gate.resolve();
  assert.deepEqual(await Promise.all([early, fresh]), ["1", "2"]);
});

test("an answer to an earlier question does not replace one to a later", async (t) => {
  const { state, clock, backend, lookups } = await world(t);
  const gate = Promise.withResolvers<void>();
  state.gate = gate.promise;
  const early = lookups.of(backend, "db").look(question);
  await until(() => state.asked.length === 1, "the first question");
  clock.advance(1);
  state.gate = Promise.resolve();
  assert.equal(await lookups.of(backend, "db").look({ ...question, fresh: true }), "2");
  gate.resolve();
  await early;
  assert.equal(lookups.of(backend, "db").look(question), "2");
});

test("a failure is not kept", async (t) => {
  const { state, backend, lookups } = await world(t);
  state.fail = true;
  await assert.rejects(async () => lookups.of(backend, "db").look(question), { code: "LOOKUP_FAILED" });
  state.fail = false;
  assert.equal(await lookups.of(backend, "db").look(question), "2");
});

test("a protocol without lookups cannot be asked", async (t) => {
  const { backend, lookups } = await world(t);
  const { lookup: _none, ...mute } = protocolOf(() => assert.fail());
  assert.throws(() => lookups.of({ ...backend, protocol: mute }, "db"), { code: "LOOKUP_NONE" });
});

test("whoever believes a young answer is told when somebody has asked anew, and of nothing else", async (t) => {
  const { clock, backend } = await world(t);
  let told = 0;
  const lookups = new Lookups(clock, vaultOf().credentialOf, () => told++);
  const { look } = lookups.of(backend, "db");
  await look(question);
  await lookups.of(backend, "other").look({ ...question, fresh: true });
  assert.equal(told, 0, "of another login");
  await lookups.of(backend, "db").look({ ...question, fresh: true });
  assert.equal(told, 1);
  clock.advance(CATALOG_AGE_MS);
  await look(question);
  assert.equal(told, 1, "nobody believed it any more");
});
