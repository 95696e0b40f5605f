/** The one way from client to server, with the real judge, the real driver and a session that cheats. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Permit } from "../../src/model/permit.ts";
import type { SessionCommand, SessionEvent } from "../../src/model/session.ts";
import { Driver } from "../../src/path/driver.ts";
import { policyOf, subjectOf } from "../kit/policy.ts";
import {
  acceptedWire,
  asked,
  bytes,
  dialledWire,
  portsOf,
  reader,
  relayScript,
  ScriptedSession,
  until,
} from "./kit.ts";

const cheats: readonly { name: string; permit: (real: Permit) => Permit }[] = [
  { name: "an object that was cast", permit: () => ({ kind: "permit" }) as unknown as Permit },
  { name: "a permit that it made", permit: () => new (Permit as unknown as new () => Permit)() },
  { name: "a copy of its permit", permit: (real) => structuredClone(real) },
  { name: "an heir of its permit", permit: (real) => Object.create(real) as Permit },
];
for (const { name, permit } of [{ name: "its permit", permit: (real: Permit) => real }, ...cheats]) {
  const isReal = name === "its permit";
  test(`a session that forwards by ${name} ${isReal ? "sends what was judged" : "is ended and sends nothing"}`, async (t) => {
    const { client, wire } = await acceptedWire(t);
    const { server, wire: upstream } = await dialledWire(t);
    const judge = policyOf("rules: []").judge(subjectOf());
    const script = (event: SessionEvent): readonly SessionCommand[] => {
      if (event.kind === "client") return [{ kind: "ask", id: 1, asked: asked("sync"), bytes: event.bytes }];
      if (event.kind !== "verdict" || event.id !== 1 || event.decision.kind !== "allow") return relayScript(event);
      return [{ kind: "forward", id: 1, permit: permit(event.decision.permit) }];
    };
    const { ports } = portsOf("session-1", {
      decide: (id, what, owned) => judge.decide(id, what, owned),
      logIn: async () => ({ wire: upstream, greeting: "hello", unread: bytes(""), cancel: undefined }),
    });
    const driver = new Driver("session-1", new ScriptedSession(script), wire, ports);
    const [answer, received] = [reader(client), reader(server)];
    const done = driver.run();
    client.write("sync");
    if (isReal) await until(() => received.text() === "sync", "the forwarded bytes");
    else assert.match(await done, /Cannot redeem a permit/);
    driver.stop("over");
    await until(() => answer.ended() && received.ended(), "both ends");
    assert.equal(received.text(), isReal ? "sync" : "");
  });
}

test("a judge of another session cannot let bytes through", async (t) => {
  const { client, wire } = await acceptedWire(t);
  const judge = policyOf("rules: []").judge(subjectOf({ sessionId: "other" }));
  const { ports, faults } = portsOf("session-1", { decide: (id, what, owned) => judge.decide(id, what, owned) });
  const driver = new Driver("session-1", new ScriptedSession(relayScript), wire, ports);
  client.resume();
  assert.match(await driver.run(), /another session/);
  assert.equal(faults.length, 1);
});
