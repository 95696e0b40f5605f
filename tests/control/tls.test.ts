/**
 * The API over TLS: no user of a peer counts, everything is shown but where people sign in; browsers, other names and older
 * TLS are refused; answers to held actions come in where the settings say so.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type RequestOptions, request } from "node:https";
import { connect as dial } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { connect } from "node:tls";
import type { Clock } from "../../src/base/clock.ts";
import {
  API_CONNECTIONS_MAX,
  API_FAILURE_BURST,
  API_RATE_BURST,
  API_REQUEST_WAIT_MS,
  API_SIGN_IN_BURST,
} from "../../src/base/limits.ts";
import { ROUTES } from "../../src/control/api/routes.ts";
import type { AnswersPort, TlsDoor } from "../../src/control/api/tls-listener.ts";
import type { Caller, ControlPorts } from "../../src/control/ports.ts";
import { makeCertificate } from "../kit/certificate.ts";
import { freePort } from "../kit/free-port.ts";
import { type FakeDaemon, fakeDaemon } from "./fake-daemon.ts";
import { callerCalled } from "./fake-humans.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-tls-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const files = makeCertificate(folder, ["127.0.0.1", "sallyport.internal"]);
const ca = readFileSync(files.caFile);
const PAIR = {
  ...{ certificate: readFileSync(files.certificateFile), key: readFileSync(files.keyFile) },
  ...{ signIn: [], takesAnswers: false },
} as const;

const HUMANS: Readonly<Record<string, Caller>> = {
  ann: callerCalled("ann", "admin"),
  bob: callerCalled("bob", "auditor"),
};
const SHOWN = { authorization: "Bearer ann" };

interface Served {
  readonly daemon: FakeDaemon;
  readonly door: TlsDoor;
}

async function served(
  t: TestContext,
  overrides: (ports: ControlPorts) => Partial<ControlPorts> = () => ({}),
  { clock, answers, ...opened }: Partial<TlsDoor> & { clock?: Clock; answers?: AnswersPort } = {},
): Promise<Served> {
  const ownPorts = (ports: ControlPorts): Partial<ControlPorts> => ({
    authenticate: async (bearer, uid) => (uid === undefined ? HUMANS[bearer] : assert.fail("no user counts here")),
    ...overrides(ports),
  });
  const daemon = await fakeDaemon(t, ownPorts, clock, answers);
  const door = { ...PAIR, address: "127.0.0.1", port: await freePort(), names: ["sallyport.internal"], ...opened };
  await daemon.tls.change(door);
  return { daemon, door };
}

function get(
  { door }: Served,
  path: string,
  options: RequestOptions = {},
  body?: string,
): Promise<{ status: number; code?: string }> {
  const { address: host, port } = door;
  return new Promise((resolve, reject) => {
    // What it is called in `host` is none of the client's checks here.
    const own = { host, port, path, ca, agent: false, checkServerIdentity: () => undefined };
    const asked = request({ ...own, ...options }, async (response) => {
      let text = "";
      for await (const chunk of response) text += String(chunk);
      resolve({ status: response.statusCode ?? 0, code: JSON.parse(text).error?.code });
    });
    asked.on("error", reject).end(body);
  });
}

test("until it is told where, the daemon listens on no port", async (t) => {
  const daemon = await fakeDaemon(t);
  await daemon.tls.change(undefined);
  const port = await freePort();
  const door = { ...PAIR, address: "127.0.0.1", port, names: [] };
  await assert.rejects(get({ daemon, door }, "/v1/status"), { code: "ECONNREFUSED" });
});

for (const [what, said] of [
  ["says nothing", ""],
  ["has begun a handshake", "\x16\x03\x01\x02\x00"],
] as const) {
  for (const how of ["closed", "moved to another port"] as const) {
    test(`a client that ${what} keeps nobody waiting when the door is ${how}`, async (t) => {
      const { daemon, door } = await served(t);
      const to = how === "closed" ? undefined : { ...door, port: await freePort() };
      const client = dial(door.port, door.address).on("error", () => {});
      t.after(() => client.destroy());
      await once(client, "connect");
      client.write(said);
      await get({ daemon, door }, "/v1/status", { headers: SHOWN }); // by then it was accepted
      const late = AbortSignal.timeout(API_REQUEST_WAIT_MS / 2);
      await Promise.race([daemon.tls.change(to), once(late, "abort").then(() => assert.fail("it waits"))]);
    });
  }
}

test("a token that is shown is served by its roles", async (t) => {
  const world = await served(t);
  assert.equal((await get(world, "/v1/status", { headers: SHOWN })).status, 200);
  assert.equal((await get(world, "/v1/connections/a", { method: "DELETE", headers: SHOWN })).status, 200);
  const bob = { authorization: "Bearer bob" };
  assert.equal((await get(world, "/v1/retention", { headers: bob })).status, 200);
  assert.equal((await get(world, "/v1/connections/a", { method: "DELETE", headers: bob })).code, "API_NOT_PERMITTED");
});

test("who shows nothing is refused at every route, root of this host too", async (t) => {
  const world = await served(t);
  for (const { method, path } of ROUTES) {
    const got = await get(world, path.replaceAll(/:\w+/g, "x"), { method });
    assert.deepEqual([path, got.status, got.code], [path, 401, "API_TOKEN_INVALID"]);
  }
  assert.deepEqual(world.daemon.calls, []);
});

const refused: readonly (readonly [string, Readonly<Record<string, string>>, number, string])[] = [
  ["a token that is over", { authorization: "Bearer over" }, 401, "API_TOKEN_INVALID"],
  ["a password", { authorization: "Basic YW5uOmFubg==" }, 401, "API_TOKEN_INVALID"],
  ["a name that was rebound to this address", { ...SHOWN, host: "evil.example" }, 403, "API_HOST"],
  ["its own name with another port", { ...SHOWN, host: "127.0.0.1:1" }, 403, "API_HOST"],
  ["a page in a browser", { ...SHOWN, origin: "https://evil.example" }, 403, "API_ORIGIN"],
  ["a page of its own name", { ...SHOWN, origin: "null" }, 403, "API_ORIGIN"],
  ["a navigation of a browser", { ...SHOWN, "sec-fetch-site": "cross-site" }, 403, "API_ORIGIN"],
];
for (const [name, headers, status, code] of refused) {
  test(`${name} is refused with ${status} ${code}, and no port is called`, async (t) => {
    const world = await served(t);
    assert.deepEqual(await get(world, "/v1/sessions/reindex", { method: "POST", headers }), { status, code });
    assert.deepEqual(world.daemon.calls, []);
  });
}

test("a browser that asks whether it may gets no leave", async (t) => {
  const world = await served(t);
  const headers = { origin: "https://evil.example", "access-control-request-method": "POST" };
  assert.equal((await get(world, "/v1/status", { method: "OPTIONS", headers })).code, "API_ORIGIN");
});

for (const host of ["127.0.0.1", "localhost", "sallyport.internal", "SALLYPORT.internal"]) {
  test(`it may be called ${host}`, async (t) => {
    const world = await served(t);
    const headers = { ...SHOWN, host: `${host}:${world.door.port}` };
    assert.equal((await get(world, "/v1/status", { headers })).status, 200);
  });
}

test("TLS 1.2 and what is no TLS are refused", async (t) => {
  const { door } = await served(t);
  const handshake = (maxVersion: "TLSv1.2" | "TLSv1.3") =>
    new Promise((resolve) => {
      const socket = connect({ host: door.address, port: door.port, ca, maxVersion });
      socket.once("secureConnect", () => resolve(socket.destroy() && "open")).once("error", () => resolve("refused"));
    });
  assert.equal(await handshake("TLSv1.3"), "open");
  assert.equal(await handshake("TLSv1.2"), "refused");
  await assert.rejects(fetch(`http://127.0.0.1:${door.port}/v1/status`));
});

test("a port is told the human, and no process and no user of this host", async (t) => {
  const callers: unknown[] = [];
  const world = await served(t, (ports) => ({
    agents: {
      ...ports.agents,
      async release(agent, caller) {
        callers.push(caller);
        return { agent, state: "enforced" };
      },
    },
  }));
  await get(world, "/v1/agents/ci/quarantine", { method: "DELETE", headers: SHOWN });
  assert.deepEqual(callers, [{ ...HUMANS["ann"], source: "127.0.0.1" }]);
});

test("the trail tells of a call with its human and address", async (t) => {
  const world = await served(t);
  await get(world, "/v1/retention/run", { method: "POST", headers: SHOWN });
  const { message, fields } = world.daemon.events[0] ?? {};
  assert.equal(message, "POST /v1/retention/run by ann: served");
  const { source, human, credential, ...rest } = fields ?? {};
  assert.deepEqual([source, human, credential], ["127.0.0.1", "corp:ann", "token ann"]);
  assert.ok(!("uid" in rest) && !("pid" in rest));
});

test("guesses from an address are slowed down, and what is valid from there is served", async (t) => {
  const still = { nowMs: () => 1_700_000_000_000 };
  const daemon = await fakeDaemon(t, () => ({ authenticate: async (bearer) => HUMANS[bearer] }), still);
  const world = { daemon, door: { ...PAIR, address: "127.0.0.1", port: await freePort(), names: [] } };
  await daemon.tls.change(world.door);
  for (let index = 0; index < API_FAILURE_BURST; index++) assert.equal((await get(world, "/v1/status")).status, 401);
  assert.equal((await get(world, "/v1/status")).code, "API_RATE");
  assert.equal((await get(world, "/v1/status", { headers: SHOWN })).status, 200);
});

test("who has shown who they are is limited by that, and takes nothing from others behind the same address", async (t) => {
  const still = { nowMs: () => 1_700_000_000_000 };
  const world = await served(t, () => ({}), { clock: still });
  const ask = async (headers: object) => (await get(world, "/v1/status", { headers: { ...headers } })).status;
  const bob = { authorization: "Bearer bob" };
  for (let index = 0; index < API_RATE_BURST; index++) assert.equal(await ask(SHOWN), 200);
  assert.equal(await ask(SHOWN), 429);
  const limited = world.daemon.events.find(({ kind }) => kind === "api.limited");
  assert.deepEqual([limited?.fields?.["human"], limited?.fields?.["credential"]], ["corp:ann", "token ann"]);
  assert.equal(await ask(bob), 200); // though 200 came from that address
  while ((await ask({})) !== 429); // somebody there guesses until they are slowed down
  assert.equal(await ask(bob), 200);
});

const SIGN_IN = [
  ["code", "/v1/login/code", { redirectUri: "http://127.0.0.1:5/callback" }],
  ["code", "/v1/login/code/end", { code: "c", state: "s", flow: "f" }],
  ["device", "/v1/login/device", {}],
  ["device", "/v1/login/device/end", { flow: "f1" }],
] as const;

function post(world: Served, path: string, body: object, headers: object = {}) {
  const sent = JSON.stringify(body);
  return get(world, path, { method: "POST", headers: { "content-type": "application/json", ...headers } }, sent);
}

for (const [way, path, body] of SIGN_IN) {
  test(`${path} is open to who shows nothing only where the settings let people sign in by ${way}`, async (t) => {
    const callers: unknown[] = [];
    const noting = <Asked, Answer>(port: (asked: Asked, caller: Caller) => Answer) => {
      return (asked: Asked, caller: Caller): Answer => {
        callers.push(caller);
        return port(asked, caller);
      };
    };
    const heard = (ports: ControlPorts): Partial<ControlPorts> => ({
      humans: {
        ...ports.humans,
        beginCode: noting(ports.humans.beginCode),
        endCode: noting(ports.humans.endCode),
        beginDevice: noting(ports.humans.beginDevice),
        endDevice: noting(ports.humans.endDevice),
      },
    });
    const other = way === "code" ? "device" : "code";
    for (const signIn of [[], [other]] as const) {
      const closed = await served(t, heard, { signIn });
      assert.equal((await post(closed, path, body)).code, "API_TOKEN_INVALID");
    }
    assert.deepEqual(callers, []);
    const open = await served(t, heard, { signIn: [way] });
    assert.equal((await post(open, path, body)).status, 200);
    const stranger = { roles: new Set(), pid: undefined, uid: undefined, source: "127.0.0.1", isStranger: true };
    assert.deepEqual(callers, [stranger]);
    assert.equal((await post(open, path, body, { authorization: "Bearer over" })).code, "API_TOKEN_INVALID");
    assert.equal((await post(open, path, body, { origin: "https://evil.example" })).code, "API_ORIGIN");
    assert.equal((await post(open, path, body, { host: "evil.example" })).code, "API_HOST");
    assert.equal(callers.length, 1);
  });
}

test("who shows nothing reaches no other route, however people may sign in", async (t) => {
  const world = await served(t, () => ({}), { signIn: ["code", "device"] });
  const others = ROUTES.filter(({ path }) => !SIGN_IN.some(([, own]) => own === path));
  assert.equal(others.length, ROUTES.length - SIGN_IN.length);
  for (const { method, path } of others) {
    const got = await get(world, path.replaceAll(/:\w+/g, "x"), { method });
    assert.ok(["API_TOKEN_INVALID", "API_RATE"].includes(got.code ?? ""), `${method} ${path}: ${got.code}`);
  }
  assert.deepEqual(world.daemon.calls, []);
});

test("sign-ins of one network are slowed down, and nobody else by them", async (t) => {
  const still = { nowMs: () => 1_700_000_000_000 };
  const world = await served(t, () => ({}), { clock: still, signIn: ["device"] });
  for (let index = 0; index < API_SIGN_IN_BURST; index++)
    assert.equal((await post(world, "/v1/login/device", {})).status, 200);
  assert.equal((await post(world, "/v1/login/device", {})).code, "API_RATE");
  assert.equal((await get(world, "/v1/status", { headers: SHOWN })).status, 200);
  const told = world.daemon.events.filter(({ kind }) => kind === "api.limited");
  assert.deepEqual(
    told.map(({ fields }) => fields),
    [{ source: "127.0.0.1" }],
  );
});

test("answers come in where the settings say so, and nowhere else", async (t) => {
  const got: string[] = [];
  const answers: AnswersPort = {
    isFor: ({ url = "" }) => url === "/v1/notify/ops/answers",
    serve: (request, response) => {
      got.push(`${request.method} ${request.url}`);
      response.end("{}");
    },
  };
  const path = "/v1/notify/ops/answers";
  const closed = await served(t, () => ({}), { answers });
  assert.equal((await post(closed, path, {})).code, "API_TOKEN_INVALID");
  assert.deepEqual(got, []);
  const open = await served(t, () => ({}), { answers, takesAnswers: true });
  assert.equal((await post(open, path, {})).status, 200);
  assert.equal((await post(open, "/v1/status", {})).code, "API_TOKEN_INVALID");
  assert.deepEqual(got, [`POST ${path}`]);
  await open.daemon.tls.change({ ...open.door, takesAnswers: false });
  assert.equal((await post(open, path, {})).code, "API_TOKEN_INVALID");
  await (await served(t, () => ({}), { takesAnswers: true })).daemon.tls.close();
});

test("those who connect and say nothing keep nobody out", async (t) => {
  const world = await served(t);
  const { address: host, port } = world.door;
  const silent = Array.from({ length: API_CONNECTIONS_MAX }, () => dial({ host, port }).on("error", () => {}));
  t.after(() => {
    for (const socket of silent) socket.destroy();
  });
  await Promise.all(silent.map((socket) => once(socket, "connect")));
  assert.equal((await get(world, "/v1/status", { headers: SHOWN })).status, 200);
  assert.equal((await get(world, "/v1/status")).status, 401);
});

test("the address may be moved within its port, and what cannot be served leaves it where it was", async (t) => {
  const world = await served(t);
  const moved = { ...world.door, address: "0.0.0.0" };
  await world.daemon.tls.change(moved);
  const headers = { ...SHOWN, host: `sallyport.internal:${moved.port}` };
  assert.equal((await get(world, "/v1/status", { headers })).status, 200);
  await world.daemon.tls.change(world.door);
  assert.equal((await get(world, "/v1/status", { headers })).status, 200);
});

test("another certificate is shown from the next connection on", async (t) => {
  const world = await served(t);
  const again = mkdtempSync(join(folder, "again-"));
  const { caFile, certificateFile, keyFile } = makeCertificate(again, ["127.0.0.1"]);
  await world.daemon.tls.change({
    ...world.door,
    certificate: readFileSync(certificateFile),
    key: readFileSync(keyFile),
  });
  await assert.rejects(get(world, "/v1/status", { headers: SHOWN }));
  assert.equal((await get(world, "/v1/status", { headers: SHOWN, ca: readFileSync(caFile) })).status, 200);
});

const bad: readonly (readonly [string, (door: TlsDoor) => TlsDoor, string])[] = [
  ["a key that is none", (door) => ({ ...door, key: Buffer.from("secret-4711") }), "API_CERTIFICATE"],
  ["another's key", (door) => ({ ...door, key: readFileSync(join(folder, "ca-key.pem")) }), "API_CERTIFICATE"],
  ["an address of another host", (door) => ({ ...door, address: "192.0.2.1" }), "API_LISTEN"],
];
for (const [name, change, code] of bad) {
  test(`${name} is refused with ${code}, and what was served goes on`, async (t) => {
    const world = await served(t);
    await assert.rejects(world.daemon.tls.change(change(world.door)), (error: Error & { code: string }) => {
      assert.doesNotMatch(error.message, /4711/);
      return error.code === code;
    });
    assert.equal((await get(world, "/v1/status", { headers: SHOWN })).status, 200);
  });
}
