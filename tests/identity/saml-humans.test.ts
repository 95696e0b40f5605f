/**
 * Signing in at a SAML identity provider: what is asked of it, what its answer makes, and what signs nobody in. Each attack has
 * its control: the same scene without it lets the person in.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { inflateRawSync } from "node:zlib";
import { SIGN_IN_MS, SIGN_INS_EACH_MAX } from "../../src/base/limits.ts";
import type { HumanConfiguration } from "../../src/identity/humans/humans.ts";
import type { SamlLogin } from "../../src/model/human.ts";
import { attribute, ENTITY, naiveSubjects, RECIPIENT, SAML_AUDIENCE, type Said } from "../kit/saml.ts";
import { ASKING, humansBy } from "./human-world.ts";
import {
  ATTACKER,
  settings as agentsProvider,
  changed,
  clock,
  encoded,
  GROUPS,
  keys,
  part,
  response,
  SIGNATURE,
  SKEW_MS,
  SUBJECT,
  signed,
  signedWhole,
  verifier,
} from "./saml-documents.ts";
import { wrappingOf } from "./saml-wrapping.ts";

const SIGN_ON = "https://idp.acme.example/sso?tenant=acme";
const AUDIENCE = "https://sallyport.example/humans";
const ACS = "http://127.0.0.1:7420/saml";
const MAIL = "urn:oid:0.9.2342.19200300.100.1.3";
const OTHER = { uid: 2002, pid: 8 };

const login = (changes: Partial<SamlLogin> = {}): SamlLogin => ({
  ...{ kind: "saml", name: "legacy", url: ENTITY, signOn: SIGN_ON, certificates: [keys.current.certificate] },
  ...{ audience: AUDIENCE, recipient: ACS, clockSkewMs: SKEW_MS, groups: { claim: GROUPS }, subject: "NameID" },
  ...{ displayName: MAIL, idleMs: 900_000, lastsMs: 43_200_000, ...changes },
});
const ROLES = { reviewer: ["legacy:builders"], auditor: ["legacy:audit"] } as const;

interface Asked {
  readonly relayState: string;
  readonly requestId: string;
}

async function scene(t: TestContext, changes: Partial<HumanConfiguration> = {}) {
  const configuration = { logins: [login()], people: [], roles: ROLES, ...changes };
  const { begin: restart, ...world } = await humansBy(configuration, t, clock);
  const { humans } = world;
  const begin = async (
    asking = ASKING,
    name?: string,
  ): Promise<Asked & { readonly url: string; readonly xml: string }> => {
    const { url, relayState } = await humans.beginSaml(name, asking);
    const { searchParams } = new URL(url);
    const xml = inflateRawSync(Buffer.from(searchParams.get("SAMLRequest") ?? "", "base64")).toString();
    return { url, relayState, xml, requestId: / ID="([^"]+)"/.exec(xml)?.[1] ?? assert.fail("it has no ID") };
  };
  const end = ({ relayState }: Asked, xml: string, asking = ASKING) => humans.endSaml(encoded(xml), relayState, asking);
  return { ...world, restart, begin, end };
}
type Scene = Awaited<ReturnType<typeof scene>>;

/** As the provider answers this request, unsigned. */
const answerTo = ({ requestId }: Asked, more: Partial<Said> = {}) =>
  response({ audience: AUDIENCE, recipient: ACS, inResponseTo: requestId, ...more });
const good = (asked: Asked, more: Partial<Said> = {}) => signed(answerTo(asked, more));
const inConfirmation = (xml: string, attributes: string) =>
  changed(xml, /(<saml:SubjectConfirmationData [^>]*) InResponseTo="[^"]*"/, `$1${attributes}`);
const inStatement = (xml: string, attributes: string) =>
  changed(xml, "<saml:AuthnStatement ", `<saml:AuthnStatement ${attributes} `);
const inName = (xml: string, format: string) =>
  changed(xml, "<saml:NameID>", `<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:${format}">`);
const sessionUntil = (ms: number) => `SessionNotOnOrAfter="${new Date(clock.nowMs() + ms).toISOString()}"`;

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

type Attack = (on: Scene) => Promise<unknown>;
/** To one request, its own user brings what became of its answer. */
const brings =
  (make: (asked: Asked) => string): Attack =>
  async ({ begin, end }) => {
    const asked = await begin();
    return end(asked, make(asked));
  };
/** The good answer comes with another RelayState. */
const relays =
  (relayState: (asked: Asked) => string): Attack =>
  async ({ begin, end }) => {
    const asked = await begin();
    return end({ ...asked, relayState: relayState(asked) }, good(asked));
  };
const IN_RESPONSE = / InResponseTo="[^"]*"/;
const OF_ACS = ` Recipient="${ACS}"`;
const TO_ACS = ` Destination="${ACS}"`;

const attacks: readonly (readonly [name: string, attack: Attack, code: string])[] = [
  [
    "that nobody asked for (begun at the provider)",
    brings(() => signed(response({ audience: AUDIENCE, recipient: ACS }))),
    "TOKEN_CLAIMS",
  ],
  ["whose response names no request", brings((asked) => changed(good(asked), IN_RESPONSE, "")), "TOKEN_CLAIMS"],
  [
    "whose confirmation names no request",
    brings((asked) => signed(inConfirmation(answerTo(asked), ""))),
    "TOKEN_CLAIMS",
  ],
  [
    "whose response names this request, and whose confirmation another",
    brings((asked) => signed(inConfirmation(answerTo(asked), ' InResponseTo="_other"'))),
    "TOKEN_CLAIMS",
  ],
  [
    "whose confirmation names this request, and whose response another",
    brings((asked) => changed(good(asked), IN_RESPONSE, ' InResponseTo="_other"')),
    "TOKEN_CLAIMS",
  ],
  [
    "to this request in other letters",
    brings((asked) => good({ ...asked, requestId: asked.requestId.toUpperCase() })),
    "TOKEN_CLAIMS",
  ],
  [
    "to another request of the same user",
    async ({ begin, end }) => {
      const [one, two] = [await begin(), await begin()];
      return end(one, good(two));
    },
    "TOKEN_CLAIMS",
  ],
  [
    "to the attacker's request, as the attacker, brought to the user's sign-in (login CSRF)",
    async ({ begin, end }) => {
      const [users, attackers] = [await begin(), await begin(OTHER)];
      return end(users, good(attackers, { subject: ATTACKER }));
    },
    "TOKEN_CLAIMS",
  ],
  [
    "to the attacker's request, with its RelayState, brought by the user",
    async ({ begin, end }) => {
      const attackers = await begin(OTHER);
      return end(attackers, good(attackers, { subject: ATTACKER }));
    },
    "LOGIN_FLOW",
  ],
  [
    "that was stolen with its RelayState, shown by another user",
    async ({ begin, end }) => {
      const asked = await begin();
      return end(asked, good(asked), OTHER);
    },
    "LOGIN_FLOW",
  ],
  [
    "that was stolen, shown for a request of the thief's",
    async ({ begin, end }) => {
      const [users, thiefs] = [await begin(), await begin(OTHER)];
      return end(thiefs, good(users), OTHER);
    },
    "TOKEN_CLAIMS",
  ],
  ["with a RelayState that is made up", relays(() => "x".repeat(43)), "LOGIN_FLOW"],
  ["with no RelayState", relays(() => ""), "LOGIN_FLOW"],
  ["with the request's ID as RelayState", relays(({ requestId }) => requestId), "LOGIN_FLOW"],
  [
    "behind a bad one to the same request",
    async ({ begin, end }) => {
      const asked = await begin();
      await assert.rejects(end(asked, good(asked, { recipient: RECIPIENT })), { code: "LOGIN_REFUSED" });
      return end(asked, good(asked));
    },
    "LOGIN_FLOW",
  ],
  [
    "that comes too late",
    async ({ begin, end }) => {
      const asked = await begin();
      clock.advance(SIGN_IN_MS);
      return end(asked, good(asked));
    },
    "LOGIN_FLOW",
  ],
  [
    "that comes after the settings of its login were others",
    async ({ begin, end, humans }) => {
      const asked = await begin();
      for (const audience of ["https://other.example", AUDIENCE]) {
        humans.configure({ logins: [login({ audience })], people: [], roles: ROLES });
      }
      return end(asked, good(asked));
    },
    "LOGIN_FLOW",
  ],
  [
    "that comes to the next daemon",
    async ({ begin, restart }) => {
      const asked = await begin();
      return (await restart()).endSaml(encoded(good(asked)), asked.relayState, ASKING);
    },
    "LOGIN_FLOW",
  ],
  [
    "for another recipient",
    brings((asked) => signed(changed(answerTo(asked), OF_ACS, ' Recipient="http://127.0.0.1:7421/saml"'))),
    "TOKEN_AUDIENCE",
  ],
  ["for no recipient", brings((asked) => signed(changed(answerTo(asked), OF_ACS, ""))), "TOKEN_AUDIENCE"],
  [
    "on its way to somebody else",
    brings((asked) => changed(good(asked), TO_ACS, ' Destination="https://other.example"')),
    "TOKEN_AUDIENCE",
  ],
  ["on its way to nobody", brings((asked) => changed(good(asked), TO_ACS, "")), "TOKEN_AUDIENCE"],
  ["for another audience", brings((asked) => good(asked, { audience: "https://other.example" })), "TOKEN_AUDIENCE"],
  ["for the audience of agents", brings((asked) => good(asked, { audience: SAML_AUDIENCE })), "TOKEN_AUDIENCE"],
  ["of another provider", brings((asked) => good(asked, { issuer: "https://evil.example" })), "TOKEN_ISSUER"],
  [
    "that has expired",
    brings((asked) => good(asked, { issuedMs: -400_000, beginsMs: -400_000, endsMs: -SKEW_MS })),
    "TOKEN_EXPIRED",
  ],
  ["whose confirmation has expired", brings((asked) => good(asked, { confirmedUntilMs: -SKEW_MS })), "TOKEN_EXPIRED"],
  ["whose session is over", brings((asked) => signed(inStatement(answerTo(asked), sessionUntil(0)))), "TOKEN_EXPIRED"],
  ["whose time has not come", brings((asked) => good(asked, { beginsMs: SKEW_MS + 1 })), "TOKEN_NOT_YET"],
  ["that says that nobody logged in", brings((asked) => good(asked, { status: "Responder" })), "TOKEN_STATUS"],
  [
    "that does not say that somebody logged in",
    brings((asked) => signed(changed(answerTo(asked), /<saml:AuthnStatement .*<\/saml:AuthnStatement>/, ""))),
    "TOKEN_CLAIMS",
  ],
  [
    "whose bearer must hold a key",
    brings((asked) => signed(changed(answerTo(asked), "cm:bearer", "cm:holder-of-key"))),
    "TOKEN_CLAIMS",
  ],
  [
    "whose name is another one each time",
    brings((asked) => signed(inName(answerTo(asked), "transient"))),
    "TOKEN_CLAIMS",
  ],
  ["that is not signed", brings((asked) => answerTo(asked)), "TOKEN_SIGNATURE"],
  ["that is signed, but its assertion is not", brings((asked) => signedWhole(answerTo(asked))), "TOKEN_SIGNATURE"],
  [
    "whose own signature is a stranger's",
    brings((asked) => signedWhole(good(asked), {}, keys.strange)),
    "TOKEN_SIGNATURE",
  ],
  [
    "by a certificate that the settings do not have",
    brings((asked) => signed(answerTo(asked), {}, keys.next)),
    "TOKEN_SIGNATURE",
  ],
  [
    "to another request, in which this one's ID was put after it was signed",
    async ({ begin, end }) => {
      const [one, two] = [await begin(), await begin()];
      return end(one, good(two).replaceAll(two.requestId, one.requestId));
    },
    "TOKEN_SIGNATURE",
  ],
  [
    "with the signature of another one",
    async ({ begin, end }) => {
      const [one, two] = [await begin(), await begin()];
      return end(one, changed(good(one), SIGNATURE, part(good(two), SIGNATURE)));
    },
    "TOKEN_SIGNATURE",
  ],
  ["that is no XML", brings(() => "x"), "TOKEN_MALFORMED"],
];

/** Refused by that code, or as LOGIN_REFUSED for that reason; nothing of a response is in what is said. */
async function refused(attempt: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(attempt, (error: Error & { readonly code?: string; readonly remedy?: string }) => {
    if (code.startsWith("LOGIN_")) assert.equal(error.code, code);
    else assert.deepEqual([error.code, / \((\w+)\)$/.exec(error.message)?.[1]], ["LOGIN_REFUSED", code], error.message);
    const said = JSON.stringify([error.message, error.remedy, error.stack, error.cause ?? ""]);
    for (const secret of ["canary", "acme.example", "payments"]) assert.ok(!said.includes(secret), `shown: ${said}`);
    return true;
  });
}

async function letsIn({ begin, end }: Scene): Promise<void> {
  const asked = await begin();
  assert.equal((await end(asked, good(asked))).human.account, `legacy:${SUBJECT}`);
}

for (const [name, attack, code] of attacks) {
  test(`an answer ${name} signs nobody in (${code}), and one without that does`, async (t) => {
    const on = await scene(t);
    await refused(attack(on), code);
    assert.deepEqual(on.humans.sessions(), []);
    await letsIn(on);
  });
}

for (const [index, [name]] of wrappingOf(response).entries()) {
  test(`an answer with ${name} signs nobody in, and one without that does`, async (t) => {
    const on = await scene(t);
    const asked = await on.begin();
    const [, make, code] = wrappingOf((more) => answerTo(asked, more))[index] ?? assert.fail();
    const xml = make();
    assert.ok(naiveSubjects(xml, keys.current.certificate).includes(ATTACKER), "the attack is none");
    await refused(on.end(asked, xml), code);
    assert.deepEqual(on.humans.sessions(), []);
    await letsIn(on);
  });
}

test("an answer counts once: not for its request again, not for another one, not for two who are as fast", async (t) => {
  const { begin, end, humans } = await scene(t);
  const [asked, other, raced] = [await begin(), await begin(), await begin()];
  const xml = good(asked);
  await end(asked, xml);
  await refused(end(asked, xml), "LOGIN_FLOW");
  await refused(end(other, xml), "TOKEN_CLAIMS");
  assert.equal(humans.sessions().length, 1);
  const both = await Promise.allSettled([end(raced, good(raced)), end(raced, good(raced))]);
  assert.deepEqual(both.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
  assert.equal(humans.sessions().length, 2);
});

test("an answer to a human is no token of an agent, whatever its recipient, and one for that audience is", async (t) => {
  const { begin } = await scene(t);
  const asked = await begin();
  const tokens = verifier(agentsProvider({ recipient: undefined }));
  await assert.rejects(tokens.identify(encoded(good(asked)), "ci"), { code: "TOKEN_AUDIENCE" });
  const meant = good(asked, { audience: SAML_AUDIENCE });
  assert.equal((await tokens.identify(encoded(meant), "ci")).subject, SUBJECT);
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
