/** Issuers that are down, slow, rotated or not who they say: said clearly, asked seldom, and nothing taken unverified. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import {
  ISSUER_ANSWER_BYTES_MAX,
  ISSUER_ASK_EVERY_MS,
  ISSUER_KEYS_FRESH_MS,
  ISSUER_KEYS_KEPT_MS,
  ISSUER_KEYS_MAX,
} from "../../src/base/limits.ts";
import { Tokens } from "../../src/identity/tokens.ts";
import type { Issuer as IssuerSettings } from "../../src/model/issuer.ts";
import { AUDIENCE, Issuer, makeKey, type SigningKey, sign } from "../kit/issuer.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

const MINUTE_MS = 60_000;
const old = await makeKey("ES256", "old");
const fresh = await makeKey("ES256", "fresh");

async function world(t: TestContext, keys: readonly SigningKey[] = [old]) {
  const issuer = new Issuer(folder(t));
  await issuer.start(keys);
  t.after(() => issuer.stop());
  const clock = handClock();
  const log = quietLog();
  const tokens = new Tokens({ clock, log });
  const settings: IssuerSettings = {
    ...{ name: "forge", url: issuer.url, audience: AUDIENCE, algorithms: ["ES256"], clockSkewMs: 0, until: "cgroup" },
    ...{ forMs: MINUTE_MS, groups: undefined, claims: [], match: {}, agents: undefined, ca: issuer.ca },
  };
  tokens.configure([settings]);
  const token = (key: SigningKey = old) => {
    const exp = Math.floor(clock.nowMs() / 1_000) + 60;
    return sign(key, { iss: settings.url, aud: AUDIENCE, sub: "job", exp });
  };
  const judge = async (key: SigningKey = old) =>
    tokens.identify(await token(key), "ci").then(
      () => "taken",
      (error: { code?: string }) => error.code,
    );
  return { issuer, clock, log, tokens, settings, token, judge };
}

test("while an issuer is down at the start its tokens are refused, and taken soon after it has come", async (t) => {
  const { issuer, clock, judge, tokens, token } = await world(t);
  await issuer.stop();
  assert.equal(await judge(), "ISSUER_UNREACHABLE");
  await assert.rejects(tokens.identify(await token(), "ci"), /forge cannot be asked: .*ECONNREFUSED/);
  await issuer.start([old]);
  assert.equal(await judge(), "ISSUER_UNREACHABLE"); // it was asked a moment ago
  clock.advance(ISSUER_ASK_EVERY_MS);
  assert.equal(await judge(), "taken");
});

test("a rotated key is fetched when the first token names it", async (t) => {
  const { issuer, clock, judge } = await world(t);
  assert.equal(await judge(), "taken");
  await issuer.stop();
  await issuer.start([fresh, old]);
  clock.advance(ISSUER_ASK_EVERY_MS);
  assert.deepEqual([await judge(fresh), await judge(old)], ["taken", "taken"]);
});

test("while an issuer is down at a rotation, tokens of the new key are refused as not to be verified", async (t) => {
  const { issuer, clock, judge } = await world(t);
  assert.equal(await judge(), "taken");
  await issuer.stop();
  clock.advance(ISSUER_ASK_EVERY_MS);
  assert.deepEqual([await judge(fresh), await judge(fresh)], ["ISSUER_UNREACHABLE", "ISSUER_UNREACHABLE"]);
  assert.equal(await judge(old), "taken");
});

test("while an issuer is down its keys of before count for an hour, with a warning, and then no more", async (t) => {
  const { issuer, clock, log, judge } = await world(t);
  assert.equal(await judge(), "taken");
  await issuer.stop();
  clock.advance(ISSUER_KEYS_KEPT_MS - 1);
  assert.equal(await judge(), "taken");
  assert.match(log.lines.join("\n"), /^warn Tokens are verified with the keys of before/);
  clock.advance(1);
  assert.equal(await judge(), "ISSUER_UNREACHABLE");
});

test("a clock that is set back makes no key young", async (t) => {
  const { issuer, clock, judge } = await world(t);
  assert.equal(await judge(), "taken");
  await issuer.stop();
  clock.advance(-ISSUER_KEYS_KEPT_MS);
  assert.equal(await judge(), "ISSUER_UNREACHABLE");
});

test("a key that the issuer has withdrawn is refused after ten minutes", async (t) => {
  const { issuer, clock, judge } = await world(t, [fresh, old]);
  assert.equal(await judge(old), "taken");
  await issuer.stop();
  await issuer.start([fresh]);
  clock.advance(ISSUER_KEYS_FRESH_MS);
  assert.deepEqual([await judge(old), await judge(fresh)], ["TOKEN_KEY", "taken"]);
});

test("any number of tokens with invented keys become one question in ten seconds", async (t) => {
  const { issuer, clock, judge } = await world(t);
  const invented = (n: number) => judge({ ...fresh, kid: `invented-${n}` });
  const round = () => Promise.all(Array.from({ length: 50 }, (_, n) => invented(n)));
  assert.deepEqual(new Set(await round()), new Set(["TOKEN_KEY"]));
  assert.deepEqual(issuer.asked, ["/.well-known/openid-configuration", "/jwks"]);
  clock.advance(ISSUER_ASK_EVERY_MS - 1);
  await round();
  assert.equal(issuer.asked.length, 2);
  clock.advance(1);
  await round();
  assert.equal(issuer.asked.length, 4);
});

test("the keys of an issuer outlive a reload of the settings, and go with it", async (t) => {
  const { issuer, tokens, settings, judge } = await world(t);
  assert.equal(await judge(), "taken");
  tokens.configure([{ ...settings, claims: ["sub"] }]);
  assert.equal(await judge(), "taken");
  assert.equal(issuer.asked.length, 2);
  tokens.configure([]);
  assert.equal(await judge(), "TOKEN_ISSUER");
  tokens.configure([settings]);
  assert.equal(await judge(), "taken");
  assert.equal(issuer.asked.length, 4);
});

const document = (issuer: Issuer, more: object) =>
  JSON.stringify({ issuer: issuer.url, jwks_uri: `${issuer.url}/jwks`, ...more });
type Instead = (issuer: Issuer, path: string) => { status: number; body: string; location?: string };
const keySet =
  (body: string): Instead =>
  (issuer, path) => ({ status: 200, body: path === "/jwks" ? body : document(issuer, {}) });
const strange: readonly (readonly [string, string, Instead])[] = [
  [
    "calls itself otherwise",
    "ISSUER_INVALID",
    (issuer) => ({ status: 200, body: document(issuer, { issuer: "https://evil.example" }) }),
  ],
  [
    "has its keys where nobody is verified",
    "ISSUER_INVALID",
    (issuer) => ({ status: 200, body: document(issuer, { jwks_uri: "http://localhost/jwks" }) }),
  ],
  [
    "has its keys in a file",
    "ISSUER_INVALID",
    (issuer) => ({ status: 200, body: document(issuer, { jwks_uri: "file:///etc/passwd" }) }),
  ],
  [
    "says nothing of keys",
    "ISSUER_INVALID",
    (issuer) => ({ status: 200, body: document(issuer, { jwks_uri: undefined }) }),
  ],
  ["speaks no JSON", "ISSUER_INVALID", () => ({ status: 200, body: "<html>" })],
  ["says null", "ISSUER_INVALID", () => ({ status: 200, body: "null" })],
  ["sends elsewhere", "ISSUER_UNREACHABLE", (issuer) => ({ status: 302, body: "", location: `${issuer.url}/jwks` })],
  ["has a fault", "ISSUER_UNREACHABLE", () => ({ status: 503, body: "" })],
  ["answers without end", "ISSUER_UNREACHABLE", () => ({ status: 200, body: " ".repeat(ISSUER_ANSWER_BYTES_MAX + 1) })],
  ["has keys that are no list", "ISSUER_INVALID", keySet('{"keys":{}}')],
  ["has keys that are no keys", "ISSUER_INVALID", keySet('{"keys":[1]}')],
  [
    "has more keys than anybody",
    "ISSUER_INVALID",
    keySet(JSON.stringify({ keys: Array(ISSUER_KEYS_MAX + 1).fill({}) })),
  ],
  ["has a secret key among its keys", "TOKEN_KEY", keySet('{"keys":[{"kty":"oct","kid":"old","k":"AAAA"}]}')],
  [
    "has a key that is broken",
    "ISSUER_INVALID",
    keySet('{"keys":[{"kty":"EC","kid":"old","crv":"P-256","x":"AA","y":"AA"}]}'),
  ],
];
for (const [name, code, instead] of strange) {
  test(`an issuer that ${name} is refused with ${code}`, async (t) => {
    const { issuer, judge } = await world(t);
    issuer.instead = (path) => instead(issuer, path);
    assert.equal(await judge(), code);
  });
}

test("an issuer whose certificate is by nobody that is trusted is not asked", async (t) => {
  const { issuer, tokens, settings, judge } = await world(t);
  const { ca: _ca, ...untrusting } = settings;
  tokens.configure([untrusting]);
  assert.equal(await judge(), "ISSUER_UNREACHABLE");
  assert.deepEqual(issuer.asked, []);
});

test("an issuer whose certificate is another's is not asked", async (t) => {
  const { issuer, tokens, settings, clock } = await world(t);
  const url = issuer.url.replace("localhost", "127.0.0.1");
  tokens.configure([{ ...settings, url }]);
  const token = await sign(old, { iss: url, aud: AUDIENCE, sub: "job", exp: clock.nowMs() / 1_000 + 60 });
  await assert.rejects(tokens.identify(token, "ci"), { code: "ISSUER_UNREACHABLE" });
  assert.deepEqual(issuer.asked, []);
});

test("an issuer that takes the question and never answers is given up", async (t) => {
  const { tokens, settings, clock } = await world(t);
  const silent = createServer(() => {}).listen(0, "localhost");
  await once(silent, "listening");
  t.after(() => silent.close());
  const { port } = silent.address() as { port: number };
  const url = `https://localhost:${port}`;
  tokens.configure([{ ...settings, url }]);
  const token = await sign(old, { iss: url, aud: AUDIENCE, sub: "job", exp: clock.nowMs() / 1_000 + 60 });
  const taken = [tokens.identify(token, "ci"), tokens.identify(token, "ci")]; // both wait for one answer
  for (const one of taken) await assert.rejects(one, { code: "ISSUER_UNREACHABLE" });
});
