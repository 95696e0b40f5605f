/** SAML responses of an honest provider: what is taken, what it makes, and what is meant for others or for another time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CLOCK_SKEW_MS_MAX, TOKEN_GROUPS_MAX } from "../../src/base/limits.ts";
import type { SamlProvider } from "../../src/model/issuer.ts";
import { attribute, ENTITY, RECIPIENT, SAML_AUDIENCE } from "../kit/saml.ts";
import {
  ATTACKER,
  ATTRIBUTES,
  attributesOf,
  changed,
  clock,
  encoded,
  GROUPS,
  keys,
  refused,
  response,
  SKEW_MS,
  SUBJECT,
  settings,
  signature,
  signed,
  signedWhole,
  TEAM,
  verifier,
  XS,
} from "./saml-documents.ts";

type Make = () => string;
const good: readonly (readonly [string, Make])[] = [
  ["whose assertion is signed", () => signed()],
  ["that is signed as well as its assertion", () => signedWhole(signed())],
  ["by the next of two certificates", () => signed(response(), {}, keys.next)],
  [
    "signed with RSA and SHA-512",
    () => signed(response(), { signature: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" }),
  ],
  [
    "signed with RSA-PSS",
    () => signed(response(), { signature: "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1" }),
  ],
  ["whose digest is SHA-512", () => signed(response(), { digest: "http://www.w3.org/2001/04/xmlenc#sha512" })],
  [
    "whose values have types, with inclusive namespaces",
    () => {
      const typed = `<saml:AttributeValue xmlns:xs="${XS}" xmlns:xsi="${XS}-instance" xsi:type="xs:string">payments`;
      return signed(changed(response(), "<saml:AttributeValue>payments", typed), { inclusive: "xs" });
    },
  ],
  ["whose signature is laid out in lines", () => signature("><ds:Reference", ">\n  <ds:Reference")],
  ["without a certificate inside", () => changed(signed(), /<ds:KeyInfo>.*<\/ds:KeyInfo>/s, "")],
  ["with an XML declaration", () => `<?xml version="1.0" encoding="UTF-8"?>\n${signed()}`],
  [
    "whose attributes stand in another order",
    () => changed(signed(), /(<saml:Assertion) (ID="[^"]*") (Version="2.0")/, "$1 $3 $2"),
  ],
  [
    "with white space in its tags",
    () => changed(signed(), `<saml:NameID>${SUBJECT}</saml:NameID>`, `<saml:NameID\n >${SUBJECT}</saml:NameID\t>`),
  ],
  ["with other quotes", () => changed(signed(), 'Version="2.0" IssueInstant', "Version='2.0' IssueInstant")],
  [
    "with written-out end tags",
    () => changed(signed(), /(<saml:SubjectConfirmationData [^>]*)\/>/, "$1></saml:SubjectConfirmationData>"),
  ],
  [
    "whose texts are split by references",
    () => changed(signed(), `>${SUBJECT}<`, `>${SUBJECT.replace("-", "&#45;").replace("7", "&#x37;")}<`),
  ],
  [
    "whose namespaces stand deeper",
    () =>
      signed(changed(response(), /( xmlns:saml="[^"]*")(.*?)(<saml:Issuer)(.*?)(<saml:Assertion)/s, "$2$3$1$4$5$1")),
  ],
  [
    "with a default namespace",
    () =>
      signed(
        changed(
          changed(
            response(),
            "<saml:AttributeStatement>",
            '<AttributeStatement xmlns="urn:oasis:names:tc:SAML:2.0:assertion">',
          ),
          "</saml:AttributeStatement>",
          "</AttributeStatement>",
        ),
      ),
  ],
  ["with line breaks between its elements", () => signed(response().replaceAll("><", ">\r\n<"))],
  [
    "whose attribute stands at two elements",
    () =>
      signed(
        response({
          attributes: attribute(TEAM, "payments") + attribute(GROUPS, "builders") + attribute(GROUPS, "testers"),
        }),
      ),
  ],
  [
    "for several audiences",
    () => signed(response({ audience: `https://other.example</saml:Audience><saml:Audience>${SAML_AUDIENCE}` })),
  ],
  [
    "that is to be used once",
    () => signed(changed(response(), "</saml:Conditions>", "<saml:OneTimeUse/></saml:Conditions>")),
  ],
  [
    "that has expired within the skew",
    () =>
      signed(response({ issuedMs: -300_000, beginsMs: -300_000, endsMs: 1 - SKEW_MS, confirmedUntilMs: 1 - SKEW_MS })),
  ],
  ["whose time comes within the skew", () => signed(response({ issuedMs: SKEW_MS, beginsMs: SKEW_MS }))],
];
for (const [name, make] of good) {
  test(`a SAML response ${name} is taken`, async () => {
    const { issuer, subject, groups, claims } = await verifier().identify(encoded(make()), "ci");
    assert.deepEqual([issuer, subject, groups], ["corp", SUBJECT, ["builders", "testers"]]);
    assert.deepEqual({ ...claims }, { team: "payments" });
  });
}

const timed = (attribute: string, value: string) =>
  signed(changed(response(), new RegExp(` ${attribute}="[^"]*"`), ` ${attribute}="${value}"`));
const bad: readonly (readonly [string, Make, string])[] = [
  ["for somebody else", () => signed(response({ audience: "https://other.example" })), "TOKEN_AUDIENCE"],
  ["for a part of our name", () => signed(response({ audience: `${SAML_AUDIENCE}/x` })), "TOKEN_AUDIENCE"],
  [
    "for us and, in another restriction, for others",
    () =>
      signed(
        changed(
          response(),
          "</saml:Conditions>",
          "<saml:AudienceRestriction><saml:Audience>x</saml:Audience></saml:AudienceRestriction></saml:Conditions>",
        ),
      ),
    "TOKEN_AUDIENCE",
  ],
  [
    "for nobody",
    () => signed(changed(response(), /<saml:AudienceRestriction>.*<\/saml:AudienceRestriction>/, "")),
    "TOKEN_MALFORMED",
  ],
  [
    "for another recipient",
    () => signed(changed(response(), ` Recipient="${RECIPIENT}"`, ' Recipient="https://other.example/acs"')),
    "TOKEN_AUDIENCE",
  ],
  ["for no recipient", () => signed(changed(response(), ` Recipient="${RECIPIENT}"`, "")), "TOKEN_AUDIENCE"],
  [
    "on its way to somebody else",
    () => signed(changed(response(), ` Destination="${RECIPIENT}"`, ' Destination="https://other.example/acs"')),
    "TOKEN_AUDIENCE",
  ],
  ["of an unknown issuer", () => signed(response({ issuer: "https://evil.example" })), "TOKEN_ISSUER"],
  ["of an issuer in other letters", () => signed(response({ issuer: ENTITY.toUpperCase() })), "TOKEN_ISSUER"],
  [
    "of two issuers",
    () => signed(changed(response(), `<saml:Issuer>${ENTITY}`, "<saml:Issuer>https://evil.example")),
    "TOKEN_MALFORMED",
  ],
  [
    "that has expired",
    () => signed(response({ issuedMs: -400_000, beginsMs: -400_000, endsMs: -SKEW_MS })),
    "TOKEN_EXPIRED",
  ],
  ["whose confirmation has expired", () => signed(response({ confirmedUntilMs: -SKEW_MS })), "TOKEN_EXPIRED"],
  [
    "whose session has ended",
    () =>
      signed(
        changed(
          response(),
          "<saml:AuthnStatement ",
          '<saml:AuthnStatement SessionNotOnOrAfter="2020-01-01T00:00:00Z" ',
        ),
      ),
    "TOKEN_EXPIRED",
  ],
  ["whose time has not come", () => signed(response({ beginsMs: SKEW_MS + 1 })), "TOKEN_NOT_YET"],
  ["that was issued in the future", () => signed(response({ issuedMs: SKEW_MS + 1 })), "TOKEN_NOT_YET"],
  [
    "without an end",
    () => signed(changed(response(), /(<saml:SubjectConfirmationData) NotOnOrAfter="[^"]*"/, "$1")),
    "TOKEN_CLAIMS",
  ],
  [
    "without an end of its conditions",
    () => signed(changed(response(), /(<saml:Conditions [^>]*) NotOnOrAfter="[^"]*"/, "$1")),
    "TOKEN_CLAIMS",
  ],
  ["whose time is none", () => timed("NotBefore", "yesterday"), "TOKEN_CLAIMS"],
  ["whose time is of another zone", () => timed("NotBefore", "2026-01-01T00:00:00+14:00"), "TOKEN_CLAIMS"],
  ["whose time is in no calendar", () => timed("NotBefore", "2026-13-01T00:00:00Z"), "TOKEN_CLAIMS"],
  ["that says that nobody logged in", () => signed(response({ status: "Responder" })), "TOKEN_STATUS"],
  [
    "whose status is not SAML's",
    () => signed(changed(response(), 'status:Success"', 'status:SuccessX"')),
    "TOKEN_STATUS",
  ],
  ["whose bearer must hold a key", () => signed(changed(response(), "cm:bearer", "cm:holder-of-key")), "TOKEN_CLAIMS"],
  [
    "with a second subject",
    () =>
      signed(changed(response(), /<saml:Subject>.*<\/saml:Subject>/, (all) => all + all.replace(SUBJECT, ATTACKER))),
    "TOKEN_MALFORMED",
  ],
  [
    "with a second name",
    () => signed(changed(response(), "</saml:NameID>", `</saml:NameID><saml:NameID>${ATTACKER}</saml:NameID>`)),
    "TOKEN_MALFORMED",
  ],
  ["without a name", () => signed(changed(response(), /<saml:NameID>.*<\/saml:NameID>/, "")), "TOKEN_MALFORMED"],
  [
    "whose attribute has no name",
    () => attributesOf("<saml:Attribute><saml:AttributeValue>x</saml:AttributeValue></saml:Attribute>"),
    "TOKEN_MALFORMED",
  ],
  ["with an empty name", () => signed(response({ subject: "" })), "TOKEN_CLAIMS"],
  ["whose name steers a terminal", () => signed(response({ subject: "x&#x9b;2J" })), "TOKEN_CLAIMS"],
  [
    "of too many groups",
    () => attributesOf(attribute(GROUPS, ...Array.from({ length: TOKEN_GROUPS_MAX + 1 }, (_, n) => `g${n}`))),
    "TOKEN_CLAIMS",
  ],
  ["of another team", () => signed(response({ attributes: attribute(TEAM, "sales") })), "TOKEN_MATCH"],
  ["of two teams, one of which fits", () => attributesOf(attribute(TEAM, "sales")), "TOKEN_MATCH"],
  [
    "whose team has more than text in it",
    () => signed(response({ attributes: attribute(TEAM, "pay<saml:x/>ments") })),
    "TOKEN_MATCH",
  ],
  ["without a team", () => signed(response({ attributes: attribute("team", "payments") })), "TOKEN_MATCH"],
];
for (const [name, make, code] of bad) {
  test(`a SAML response ${name} is refused with ${code}`, async () => refused(encoded(make()), code));
}

test("a SAML response may be broken into lines", async () => {
  const lines = encoded(signed()).replace(/.{76}/g, "$&\r\n");
  assert.equal((await verifier().identify(lines, "ci")).subject, SUBJECT);
});

test("a SAML response is refused for an agent that its provider may not make", async () => {
  await assert.rejects(verifier().identify(encoded(signed()), "admin"), { code: "TOKEN_AGENT" });
});

test("a SAML response counts as the same by its assertion, however it is wrapped or signed", async () => {
  const idOf = async (xml: string) => (await verifier().identify(encoded(xml), "ci")).token;
  const first = await idOf(signed());
  assert.equal(await idOf(signedWhole(signed(response(), {}, keys.next))), first);
  assert.equal(await idOf(changed(signed(), 'ID="_r-canary7731"', 'ID="_r-other"')), first);
  assert.notEqual(await idOf(signed(response({ id: "other" }))), first);
});

test("without `recipient` a SAML response for any is taken, and without attributes it has no facts", async () => {
  const tokens = verifier(settings({ recipient: undefined, match: {} }));
  const elsewhere = response({ recipient: "https://other.example", attributes: attribute("x", "y") });
  const { claims, groups } = await tokens.identify(encoded(signed(elsewhere)), "ci");
  assert.deepEqual([{ ...claims }, groups], [{}, []]);
});

test("the subject of a SAML response has to fit as `NameID`, whatever attribute calls itself so", async () => {
  const posing = response({ attributes: ATTRIBUTES + attribute("NameID", "x") });
  const taken = verifier(settings({ match: { NameID: "*@acme.example" } }));
  assert.equal((await taken.identify(encoded(signed(posing)), "ci")).subject, SUBJECT);
  await refused(encoded(signed(posing)), "TOKEN_MATCH", verifier(settings({ match: { NameID: "x" } })));
});

test("an attribute with the name of every object is an attribute like others", async () => {
  const tokens = verifier(settings({ claims: { team: "__proto__", other: "toString" }, match: {} }));
  const { claims } = await tokens.identify(
    encoded(signed(response({ attributes: attribute("__proto__", "x") }))),
    "ci",
  );
  assert.deepEqual({ ...claims }, { team: "x" });
});

test("groups of a SAML response count by a mapping under their names there, and others not at all", async () => {
  const names = { builders: ["ci", "dev"] };
  const { groups } = await verifier(settings({ groups: { claim: GROUPS, names } })).identify(encoded(signed()), "ci");
  assert.deepEqual(groups, ["ci", "dev"]);
});

test("an identity by SAML lasts as the settings say, at most until its session ends", async () => {
  const ends = async (more: Partial<SamlProvider>, xml = response()) => {
    const { endsMs, tokenEndsMs } = await verifier(settings(more)).identify(encoded(signed(xml)), "ci");
    return [endsMs - clock.nowMs(), tokenEndsMs - clock.nowMs()];
  };
  assert.deepEqual(await ends({ forMs: 1_800_000 }), [1_800_000, 300_000 + CLOCK_SKEW_MS_MAX]);
  assert.deepEqual(await ends({ until: "token" }, response({ endsMs: 240_000 })), [
    240_000,
    240_000 + CLOCK_SKEW_MS_MAX,
  ]);
  const session = new Date(clock.nowMs() + 900_000).toISOString();
  const brief = changed(response(), "<saml:AuthnStatement ", `<saml:AuthnStatement SessionNotOnOrAfter="${session}" `);
  assert.deepEqual(await ends({}, brief), [900_000, 300_000 + CLOCK_SKEW_MS_MAX]);
});

test("a certificate that is taken out of the settings makes its signatures worthless", async () => {
  await refused(encoded(signed()), "TOKEN_SIGNATURE", verifier(settings({ certificates: [keys.next.certificate] })));
});
