/** What holds of the resolver as a whole: quarantine, denied names, and room for others. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { addresses } from "../kit/names-server.ts";
import { ORIGIN, startWorld, type World } from "./kit.ts";

let world: World | undefined;
afterEach(() => {
  world?.stop();
  world = undefined;
});

async function start(...args: Parameters<typeof startWorld>): Promise<World> {
  world = await startWorld(...args);
  world.server.asked.length = 0; // what the settings' own names took
  return world;
}

const OPEN = 'egress: { allow: ["*.pool.example:443"], deny: ["10.0.0.0/8:*"] }';

test("a quarantined agent learns nothing over sockets that it has open, and nobody is asked for it", async () => {
  const { server, ask, events, quarantined } = await start(OPEN, { hosts: { "here.pool.example": ["192.0.2.9"] } });
  server.zones["A x.pool.example"] = addresses("x.pool.example", "A", "192.0.2.1");
  quarantined.add(1);
  for (const name of ["x.pool.example", "here.pool.example", "localhost"])
    assert.equal((await ask(name)).rcode, 3, name);
  assert.deepEqual([server.questions, events[0]?.kind], [[], "names.refused"]);
  assert.equal((await ask("x.pool.example", "A", 2)).rcode, 0);
  quarantined.clear();
  assert.equal((await ask("x.pool.example")).rcode, 0);
});

test("a denied name closes its addresses for the denied ports, also where an allowed name shares them", async () => {
  const text = `egress: { allow: ["*.pool.example:443", "*.pool.example:80"], deny: ["bad.pool.example:443"] }
connections: [{ name: db, protocol: opaque, addresses: ["198.51.100.0/24:443"] }]`;
  const { server, ask } = await start(text, { found: { "bad.pool.example": ["192.0.2.66", "198.51.100.7"] } });
  server.zones["A alias.pool.example"] = addresses("alias.pool.example", "A", "192.0.2.66");
  assert.deepEqual(
    (await ask("alias.pool.example")).table.filter((row) => / 192\.0\.2\.66 | 198\.51\./.test(row)).sort(),
    [
      "allow 192.0.2.66 80/tcp",
      "allow 198.51.100.7 80/tcp",
      "deny 192.0.2.66 443/tcp",
      "deny 192.0.2.66 443/udp",
      "deny 198.51.100.7 443/udp",
      "intercept 198.51.100.0 443/tcp",
    ],
  );
});

test("what has no answer is said so at once: it takes no place of others", async () => {
  const { names } = await start(OPEN);
  for (const bytes of [Buffer.alloc(1), Buffer.alloc(1_233), Buffer.from("000080000001000000000000", "hex")]) {
    const told = await new Promise((resolve) => names.onQuery(bytes, ORIGIN, resolve));
    assert.equal(told, undefined);
  }
});
