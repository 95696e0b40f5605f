/** Signing in at a SAML identity provider: what is asked of it, what its answer makes, and how long that lasts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SIGN_INS_EACH_MAX } from "../../src/base/limits.ts";
import { attribute, ENTITY } from "../kit/saml.ts";
import { ASKING } from "./human-world.ts";
import { clock, GROUPS, SUBJECT, signed, signedWhole } from "./saml-documents.ts";
import { answerTo, good, inName, inStatement, login, MAIL, OTHER, refused, scene, sessionUntil } from "./saml-scene.ts";

test("the provider is asked by a redirect, with a request of 256 random bits and nothing that says who asks", async (t) => {
  const { begin } = await scene(t);
  const [one, two] = [await begin(), await begin()];
  const url = new URL(one.url);
  assert.equal(`${url.origin}${url.pathname}`, "https://idp.acme.example/sso");
  assert.equal(url.searchParams.get("tenant"), "acme");
  assert.equal(url.searchParams.get("RelayState"), one.relayState);
  assert.match(one.requestId, /^_[0-9a-f]{64}$/);
  assert.match(one.relayState, /^[A-Za-z0-9_-]{43}$/);
  assert.notEqual(one.requestId, two.requestId);
  assert.notEqual(one.relayState, two.relayState);
  assert.ok(!one.xml.includes(one.relayState));
  for (const said of [
    /^<\?xml [^>]*><samlp:AuthnRequest /,
    / ProtocolBinding="urn:oasis:names:tc:SAML:2\.0:bindings:HTTP-POST"/,
    / AssertionConsumerServiceURL="http:\/\/127\.0\.0\.1:7420\/saml"/,
    / Destination="https:\/\/idp\.acme\.example\/sso\?tenant=acme"/,
    /<saml:Issuer [^>]*>https:\/\/sallyport\.example\/humans<\/saml:Issuer>/,
  ]) {
    assert.match(one.xml, said);
  }
});

test("who comes back with the answer is a human with the roles of their groups", async (t) => {
  const { begin, end, humans, events } = await scene(t);
  const asked = await begin();
  const mail = attribute(MAIL, "Ada Lovelace") + attribute(GROUPS, "builders", "testers");
  const { secret, human, roles } = await end(asked, good(asked, { attributes: mail }));
  assert.deepEqual(human, {
    ...{ account: `legacy:${SUBJECT}`, login: "legacy", issuer: ENTITY, sub: SUBJECT, name: "Ada Lovelace" },
    groups: ["legacy:builders", "legacy:testers"],
  });
  assert.deepEqual([...roles], ["reviewer"]);
  assert.equal((await humans.authenticate(secret, ASKING.uid))?.human.account, human.account);
  assert.equal(await humans.authenticate(secret, OTHER.uid), undefined);
  assert.deepEqual([events.at(-1)?.kind, events.at(-1)?.fields?.["human"]], ["human.login", human.account]);
});

test("an answer that is signed as a whole, too, is taken", async (t) => {
  const { begin, end } = await scene(t);
  const asked = await begin();
  await end(asked, signedWhole(good(asked)));
});

test("a refusal is in the trail, and one of a sign-in that nobody has begun is not", async (t) => {
  const { begin, end, events } = await scene(t);
  const asked = await begin();
  await refused(end({ ...asked, relayState: "x" }, good(asked)), "LOGIN_FLOW");
  assert.equal(events.length, 0);
  await refused(end(asked, answerTo(asked)), "TOKEN_SIGNATURE");
  assert.deepEqual([events.at(-1)?.kind, events.at(-1)?.fields?.["code"]], ["human.refused", "LOGIN_REFUSED"]);
});

test("a session lasts as the settings say, at most until the provider ends its own", async (t) => {
  const { begin, end, humans } = await scene(t, { logins: [login({ lastsMs: 3_600_000 })] });
  const lasts = async (change: (xml: string) => string) => {
    const asked = await begin();
    const { session, secret } = await end(asked, signed(change(answerTo(asked))));
    return { ms: session.endsMs - clock.nowMs(), secret };
  };
  assert.equal((await lasts((xml) => xml)).ms, 3_600_000);
  assert.equal((await lasts((xml) => inStatement(xml, sessionUntil(7_200_000)))).ms, 3_600_000);
  const { ms, secret } = await lasts((xml) => inStatement(xml, sessionUntil(600_000)));
  assert.equal(ms, 600_000);
  clock.advance(599_999);
  assert.notEqual(await humans.authenticate(secret, ASKING.uid), undefined);
  clock.advance(1);
  await assert.rejects(humans.authenticate(secret, ASKING.uid), { code: "HUMAN_SESSION_OVER" });
});

test("where a name is another one each time, an attribute says who it is, and both sessions are theirs", async (t) => {
  const { begin, end, humans } = await scene(t, { logins: [login({ subject: MAIL })] });
  const secrets: string[] = [];
  for (const subject of ["_1", "_2"]) {
    const asked = await begin();
    const attributes = attribute(MAIL, "ada@acme.example") + attribute(GROUPS, "builders");
    const { human, secret } = await end(asked, signed(inName(answerTo(asked, { subject, attributes }), "transient")));
    assert.deepEqual([human.account, human.sub], ["legacy:ada@acme.example", "ada@acme.example"]);
    secrets.push(secret);
  }
  for (const secret of secrets) assert.notEqual(await humans.authenticate(secret, ASKING.uid), undefined);
});

test("two accounts at two providers are one human by the settings, and two logins of one provider by its name for them", async (t) => {
  const hub = login({ name: "hub", url: "https://hub.example/saml" });
  const desk = login({ name: "desk", audience: "https://sallyport.example/desk" });
  const people = [{ name: "ada", accounts: [`legacy:${SUBJECT}`, "hub:ada"] }];
  const { humans } = await scene(t, { logins: [login(), hub, desk], people });
  const { humansOf } = humans.people;
  assert.deepEqual([...humansOf(["hub:ada"])], ["ada"]);
  assert.deepEqual([...humansOf([`legacy:${SUBJECT}`])], ["ada"]);
  assert.deepEqual([...humansOf([`desk:${SUBJECT}`])], ["ada"]);
  assert.deepEqual([...humansOf(["desk:ada"])], [`${ENTITY} ada`]);
});

test("a login that speaks SAML gives no codes, and what it began is ended by a response alone", async (t) => {
  const { begin, humans } = await scene(t);
  await assert.rejects(humans.beginCode("legacy", "http://127.0.0.1:1/callback", ASKING), { code: "LOGIN_KIND" });
  await assert.rejects(humans.beginDevice("legacy", ASKING), { code: "LOGIN_KIND" });
  await assert.rejects(humans.beginSaml("other", ASKING), { code: "LOGIN_UNKNOWN" });
  const { relayState } = await begin();
  const query = new URLSearchParams({ code: "x", state: relayState });
  await assert.rejects(humans.endCode(query, ASKING), { code: "LOGIN_FLOW" });
  await assert.rejects(humans.endDevice(relayState, ASKING), { code: "LOGIN_FLOW" });
});

test("requests that wait for an answer have a maximum, each user's for itself", async (t) => {
  const { begin } = await scene(t);
  for (let index = 0; index < SIGN_INS_EACH_MAX; index += 1) await begin();
  await assert.rejects(begin(), { code: "SIGN_INS_FULL" });
  await begin(OTHER);
});

test("whoever's groups give no role does not get in", async (t) => {
  const { begin, end } = await scene(t, { roles: { admin: ["legacy:platform"] } });
  const asked = await begin();
  await assert.rejects(end(asked, good(asked)), { code: "LOGIN_NO_ROLE", exitCode: 4 });
});
