/** Signing in at a real issuer: what is taken of it, and what is not. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { SIGN_IN_MS, SIGN_INS_EACH_MAX, SIGN_INS_STRANGERS_MAX } from "../../src/base/limits.ts";
import type { HumanConfiguration } from "../../src/identity/humans/humans.ts";
import type { OidcLogin } from "../../src/model/human.ts";
import { CLIENT_ID, HumanIssuer } from "../kit/human-issuer.ts";
import { makeKey, sign } from "../kit/issuer.ts";
import { Walker } from "../kit/walker.ts";
import { ASKING, humansAt, loginAt, REDIRECT } from "./human-world.ts";

const dir = mkdtempSync(join(tmpdir(), "sallyport-test-"));
const people: Record<string, Readonly<Record<string, unknown>>> = {
  ada: { name: "Ada Lovelace", groups: ["sre", "oncall"] },
  ben: { name: "Ben", groups: ["audit"] },
  eve: { name: "Eve", groups: ["sales"] },
};
const issuer = new HumanIssuer(dir, { people });
const told = new HumanIssuer(mkdtempSync(join(dir, "told-")), { people, claimsIn: "userinfo" });
before(() => Promise.all([issuer.start(), told.start()]));
after(async () => {
  await Promise.all([issuer.stop(), told.stop()]);
  rmSync(dir, { recursive: true, force: true });
});
const login = (changes: Partial<OidcLogin> = {}) => loginAt(issuer, changes);
const world = (t: TestContext, changes: Partial<HumanConfiguration> = {}) => humansAt(issuer, t, changes);

test("by a code with PKCE somebody becomes a human with the roles of their groups, for a secret that nobody keeps", async (t) => {
  const { humans, signIn, events, store } = await world(t);
  const { secret, human, roles } = await signIn("ada");
  const { account, name, sub, groups } = human;
  assert.deepEqual([account, name, sub, groups], ["corp:ada", "Ada Lovelace", "ada", ["corp:sre", "corp:oncall"]]);
  assert.deepEqual([...roles], ["reviewer", "break-glass"]);
  const acting = await humans.authenticate(secret, ASKING.uid);
  assert.deepEqual([acting?.human.account, acting?.by.kind], ["corp:ada", "session"]);
  assert.equal(events.at(-1)?.kind, "human.login");
  assert.equal(events.at(-1)?.fields?.["human"], "corp:ada");
  const kept = JSON.stringify([events, await store.humans.all("session"), await store.humans.all("human")]);
  assert.ok(kept.includes("corp:ada"), "the search finds nothing that is there");
  assert.ok(!kept.includes(secret) && !kept.includes(secret.slice(4)));
});

test("by a device code somebody becomes the same human, once they have answered elsewhere", async (t) => {
  const { humans } = await world(t);
  const { flow, completeUrl = "", code } = await humans.beginDevice("corp", ASKING);
  assert.match(code, /^[A-Z]{4}-[A-Z]{4}$/);
  const answered = humans.endDevice(flow, ASKING);
  assert.match(await new Walker(issuer.ca).signIn(completeUrl, "ada"), /Sign-in Success/);
  const { human } = (await answered) ?? assert.fail("it has ended without an answer");
  assert.equal(human.account, "corp:ada");
  await assert.rejects(humans.endDevice(flow, ASKING), { code: "LOGIN_FLOW" });
});

test("a client with a secret and an issuer that tells claims at its userinfo endpoint work as well", async (t) => {
  const changes = { url: told.url, ca: told.ca, clientId: `${CLIENT_ID}-secret`, clientSecret: { env: "S" } };
  const { signIn, humans } = await world(t, { logins: [login(changes)] });
  const { human } = await signIn("ben", humans, told);
  assert.deepEqual([human.name, human.groups], ["Ben", ["corp:audit"]]);
});

test("groups count under a plain name only where the settings give it", async (t) => {
  const groups = { claim: "groups", names: { sre: ["site"] } };
  const { signIn } = await world(t, { logins: [login({ groups })], roles: { reviewer: ["site"] } });
  const { human, roles } = await signIn("ada");
  assert.deepEqual(human.groups, ["corp:sre", "corp:oncall", "site"]);
  assert.deepEqual([...roles], ["reviewer"]);
});

test("whoever's groups give no role does not get in, and the trail says so", async (t) => {
  const { signIn, events } = await world(t);
  await assert.rejects(signIn("eve"), { code: "LOGIN_NO_ROLE", exitCode: 4 });
  assert.deepEqual([events.at(-1)?.kind, events.at(-1)?.fields?.["code"]], ["human.refused", "LOGIN_NO_ROLE"]);
});

test("a flow is ended once, by the user who began it, and in time", async (t) => {
  const { humans, clock } = await world(t);
  const begun = async () => {
    const { url } = await humans.beginCode("corp", REDIRECT, ASKING);
    return new URL(await new Walker(issuer.ca).signIn(url, "ada")).searchParams;
  };
  const brought = await begun();
  await assert.rejects(humans.endCode(brought, { uid: 2002, pid: 8 }), { code: "LOGIN_FLOW" });
  await humans.endCode(brought, ASKING);
  await assert.rejects(humans.endCode(brought, ASKING), { code: "LOGIN_FLOW" });
  const late = await begun();
  clock.advance(SIGN_IN_MS);
  await assert.rejects(humans.endCode(late, ASKING), { code: "LOGIN_FLOW" });
});

test("over the network a sign-in is of the human who began it, and one human's keep nobody else from theirs", async (t) => {
  const { humans, signIn } = await world(t);
  const over = async (sub: string) => {
    const acting = (await humans.authenticate((await signIn(sub)).secret, ASKING.uid)) ?? assert.fail();
    return { uid: undefined, pid: undefined, acting };
  };
  const [ada, ben] = [await over("ada"), await over("ben")];
  const { url } = await humans.beginCode("corp", REDIRECT, ada);
  const brought = new URL(await new Walker(issuer.ca).signIn(url, "ada")).searchParams;
  await assert.rejects(humans.endCode(brought, ben), { code: "LOGIN_FLOW" });
  await humans.endCode(brought, ada);
  for (let index = 0; index < SIGN_INS_EACH_MAX; index += 1) await humans.beginCode("corp", REDIRECT, ada);
  await assert.rejects(humans.beginCode("corp", REDIRECT, ada), { code: "SIGN_INS_FULL" });
  await humans.beginCode("corp", REDIRECT, ben);
});

const STRANGER = { uid: undefined, pid: undefined, source: "192.0.2.9" };

test("a stranger over the network ends what they began by a secret that no browser sees, and by nothing else", async (t) => {
  const { humans, events } = await world(t);
  const { url, flow } = await humans.beginCode("corp", REDIRECT, STRANGER);
  assert.ok(!url.includes(flow));
  const brought = new URL(await new Walker(issuer.ca).signIn(url, "ada")).searchParams;
  // whoever sees the redirect, and whoever is somebody, has begun none of this
  await assert.rejects(humans.endCode(brought, STRANGER), { code: "LOGIN_FLOW" });
  await assert.rejects(humans.endCode(brought, STRANGER, brought.get("state") ?? ""), { code: "LOGIN_FLOW" });
  await assert.rejects(humans.endCode(brought, ASKING, flow), { code: "LOGIN_FLOW" });
  const { secret, session } = await humans.endCode(brought, { ...STRANGER, source: "198.51.100.1" }, flow);
  await assert.rejects(humans.endCode(brought, STRANGER, flow), { code: "LOGIN_FLOW" });
  assert.equal(session.uid, undefined);
  assert.equal((await humans.authenticate(secret, undefined))?.human.account, "corp:ada");
  for (const uid of [0, ASKING.uid]) assert.equal(await humans.authenticate(secret, uid), undefined);
  const { fields = {} } = events.at(-1) ?? {};
  assert.deepEqual([fields["human"], fields["source"], "uid" in fields], ["corp:ada", "198.51.100.1", false]);
});

test("a stranger ends no sign-in of a user, and a session of a user counts for nobody over the network", async (t) => {
  const { humans, signIn } = await world(t);
  const { url, flow } = await humans.beginCode("corp", REDIRECT, ASKING);
  const brought = new URL(await new Walker(issuer.ca).signIn(url, "ada")).searchParams;
  await assert.rejects(humans.endCode(brought, STRANGER, flow), { code: "LOGIN_FLOW" });
  await humans.endCode(brought, ASKING);
  const { secret } = await signIn("ben");
  assert.equal(await humans.authenticate(secret, undefined), undefined);
});

test("by a device code a stranger becomes a human for the network, by the flow that they were given", async (t) => {
  const { humans } = await world(t);
  const { flow, completeUrl = "" } = await humans.beginDevice("corp", STRANGER);
  await assert.rejects(humans.endDevice(flow, ASKING), { code: "LOGIN_FLOW" });
  const answered = humans.endDevice(flow, STRANGER);
  await new Walker(issuer.ca).signIn(completeUrl, "ada");
  const { secret } = (await answered) ?? assert.fail("it has ended without an answer");
  assert.equal((await humans.authenticate(secret, undefined))?.human.account, "corp:ada");
});

test("who has a network of IPv6 is one stranger there, by whichever of its addresses", async (t) => {
  const { humans } = await world(t);
  const from = (source: string) => humans.beginCode("corp", REDIRECT, { ...STRANGER, source });
  for (let index = 0; index < SIGN_INS_EACH_MAX; index += 1) await from(`2001:db8:0:1::${index}`);
  await assert.rejects(from("2001:db8:0:1:ffff::1"), { code: "SIGN_INS_FULL" });
  await from("2001:db8:0:2::1");
});

test("strangers of many addresses leave room for the users of the host", async (t) => {
  const { humans } = await world(t);
  const from = (source: string) => humans.beginCode("corp", REDIRECT, { ...STRANGER, source });
  for (let index = 0; index < SIGN_INS_EACH_MAX; index += 1) await from("192.0.2.1");
  await assert.rejects(from("192.0.2.1"), { code: "SIGN_INS_FULL" });
  for (let index = SIGN_INS_EACH_MAX; index < SIGN_INS_STRANGERS_MAX; index += 1) await from(`192.0.2.${index + 2}`);
  await assert.rejects(from("198.51.100.1"), { code: "SIGN_INS_FULL" });
  await humans.beginCode("corp", REDIRECT, ASKING);
});

const forged: readonly (readonly [string, (query: URLSearchParams) => void, string])[] = [
  ["of another state", (query) => query.set("state", "x"), "LOGIN_FLOW"],
  ["with another code", (query) => query.set("code", "x"), "LOGIN_REFUSED"],
  ["of another issuer (RFC 9207)", (query) => query.set("iss", "https://evil.example"), "LOGIN_REFUSED"],
  ["without its issuer", (query) => query.delete("iss"), "LOGIN_REFUSED"],
  ["that says it went wrong", (query) => query.set("error", "access_denied"), "LOGIN_REFUSED"],
];
for (const [name, change, code] of forged) {
  test(`what a browser brings back ${name} signs nobody in`, async (t) => {
    const { humans } = await world(t);
    const { url } = await humans.beginCode("corp", REDIRECT, ASKING);
    const query = new URL(await new Walker(issuer.ca).signIn(url, "ada")).searchParams;
    change(query);
    await assert.rejects(humans.endCode(query, ASKING), { code });
    assert.deepEqual(humans.sessions(), []);
  });
}

const NOW_S = () => Math.floor(Date.now() / 1_000);
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
type Claims = Record<string, unknown>;
const ownKey = (changes: Claims) => (claims: Claims) => sign(issuer.key, { ...claims, ...changes });
const tokens: readonly (readonly [string, (claims: Claims) => Promise<string> | string])[] = [
  ["signed by a key that is not the issuer's", async (claims) => sign(await makeKey("ES256", "humans"), claims)],
  ["signed by nobody", (claims) => `${encoded({ alg: "none" })}.${encoded(claims)}.`],
  ["signed with an HMAC", (claims) => `${encoded({ alg: "HS256" })}.${encoded(claims)}.AAAA`],
  ["that is no token", () => "x"],
  ["for another client", ownKey({ aud: "other" })],
  ["for several, and first for another (azp)", ownKey({ aud: [CLIENT_ID, "other"], azp: "other" })],
  ["of another issuer", ownKey({ iss: "https://evil.example" })],
  ["that has expired", ownKey({ exp: NOW_S() - 3_600 })],
  ["for another nonce", ownKey({ nonce: "other" })],
  ["without a nonce", ownKey({ nonce: undefined })],
  ["without a subject", ownKey({ sub: undefined })],
  ["for another access token (at_hash)", ownKey({ at_hash: "AAAAAAAAAAAAAAAAAAAAAA" })],
];
for (const [name, forge] of tokens) {
  test(`an ID token ${name} signs nobody in`, async (t) => {
    const { signIn, humans } = await world(t);
    const { url } = await humans.beginCode("corp", REDIRECT, ASKING);
    const query = new URL(await new Walker(issuer.ca).signIn(url, "ada")).searchParams;
    const nonce = new URL(url).searchParams.get("nonce");
    const claims = { iss: issuer.url, aud: CLIENT_ID, sub: "ada", nonce, iat: NOW_S(), exp: NOW_S() + 60 };
    const made = await forge(claims);
    issuer.forge = (answer) => ({ ...answer, id_token: made });
    try {
      await assert.rejects(humans.endCode(query, ASKING), { code: "LOGIN_REFUSED" });
    } finally {
      issuer.forge = undefined;
    }
    assert.equal((await signIn("ada")).human.account, "corp:ada", "the same without the forgery does");
  });
}

const swapped: readonly (readonly [
  string,
  (answer: Record<string, unknown>, other: Record<string, unknown>) => Record<string, unknown>,
])[] = [
  ["of another sign-in (nonce)", (answer, other) => ({ ...answer, id_token: other["id_token"] })],
  ["without an ID token", ({ id_token: _gone, ...answer }) => answer],
];
for (const [name, swap] of swapped) {
  test(`an answer ${name} signs nobody in`, async (t) => {
    const { signIn } = await world(t);
    let other: Record<string, unknown> = {};
    t.after(() => {
      issuer.forge = undefined;
    });
    issuer.forge = (answer) => {
      other = answer;
      return answer;
    };
    await signIn("ben");
    assert.equal(claimsOf(String(other["id_token"])).sub, "ben");
    issuer.forge = (answer) => swap(answer, other);
    await assert.rejects(signIn("ada"), { code: "LOGIN_REFUSED" });
  });
}

test("an ID token whose at_hash is its access token's is taken", async (t) => {
  const { humans } = await world(t);
  const { url } = await humans.beginCode("corp", REDIRECT, ASKING);
  const query = new URL(await new Walker(issuer.ca).signIn(url, "ada")).searchParams;
  const nonce = new URL(url).searchParams.get("nonce");
  const access = "an access token";
  const half = createHash("sha256").update(access).digest().subarray(0, 16).toString("base64url");
  const who = { name: "Ada", groups: ["sre"], at_hash: half };
  const claims = { iss: issuer.url, aud: CLIENT_ID, sub: "ada", nonce, iat: NOW_S(), exp: NOW_S() + 60, ...who };
  const made = await sign(issuer.key, claims);
  t.after(() => {
    issuer.forge = undefined;
  });
  issuer.forge = (answer) => ({ ...answer, access_token: access, id_token: made });
  assert.equal((await humans.endCode(query, ASKING)).human.account, "corp:ada");
});

test("a signature that the settings do not take signs nobody in", async (t) => {
  const { signIn } = await world(t, { logins: [login({ algorithms: ["RS256"] })] });
  await assert.rejects(signIn("ada"), { code: "TOKEN_ALGORITHM" });
});

test("an email that the issuer has not verified is nobody's account", async (t) => {
  const { signIn } = await world(t, { logins: [login({ subject: "email", scopes: ["openid", "profile", "email"] })] });
  people["ada"] = { ...people["ada"], email: "ada@corp.example", email_verified: false };
  await assert.rejects(signIn("ada"), { code: "LOGIN_CLAIMS" });
  people["ada"] = { ...people["ada"], email_verified: true };
  assert.equal((await signIn("ada")).human.account, "corp:ada@corp.example");
});

test("sign-ins that have begun have a maximum, each user's for itself", async (t) => {
  const { humans } = await world(t);
  for (let index = 0; index < SIGN_INS_EACH_MAX; index += 1) await humans.beginCode("corp", REDIRECT, ASKING);
  await assert.rejects(humans.beginCode("corp", REDIRECT, ASKING), { code: "SIGN_INS_FULL" });
  await humans.beginCode("corp", REDIRECT, { uid: 2002, pid: 8 });
});

test("an issuer that does not answer is said so, and opens nothing", async (t) => {
  const gone = login({ url: "https://localhost:1" });
  const { humans } = await world(t, { logins: [gone, login({ name: "hub" })] });
  await assert.rejects(humans.beginCode("corp", REDIRECT, ASKING), { code: "LOGIN_UNREACHABLE" });
  await assert.rejects(humans.beginDevice("corp", ASKING), { code: "LOGIN_UNREACHABLE" });
  await assert.rejects(humans.beginCode(undefined, REDIRECT, ASKING), { code: "LOGIN_UNKNOWN" });
  await assert.rejects(humans.beginCode("none", REDIRECT, ASKING), { code: "LOGIN_UNKNOWN" });
});

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
