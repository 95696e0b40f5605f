/** SAML responses that were forged, or that can be read in two ways: each refused, and none shown in what is said of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { codeOf } from "../../src/base/errors.ts";
import { SAML_BYTES_MAX, XML_DEPTH_MAX, XML_NODES_MAX } from "../../src/base/limits.ts";
import { attribute, ENVELOPED, EXCLUSIVE, naiveSubjects } from "../kit/saml.ts";
import {
  ASSERTION,
  ATTACKER,
  attributesOf,
  changed,
  encoded,
  keys,
  part,
  refused,
  response,
  SIGNATURE,
  SUBJECT,
  signature,
  signed,
  signedWhole,
  verifier,
} from "./saml-documents.ts";
import { wrappingOf } from "./saml-wrapping.ts";

type Make = () => string;
for (const [name, make, code] of wrappingOf(response)) {
  test(`a SAML response with ${name} fools a reader that is not careful, and is refused with ${code}`, async () => {
    const xml = make();
    assert.ok(naiveSubjects(xml, keys.current.certificate).includes(ATTACKER), "the attack is none");
    await refused(encoded(xml), code);
  });
}

const tagged = (tag: string, more: string) => changed(response(), tag, `${tag}${more}`);
const transforms = (second: string) => signature(`<ds:Transform Algorithm="${EXCLUSIVE}"/>`, second);
const bad: readonly (readonly [string, Make, string])[] = [
  ["that is not signed", () => response(), "TOKEN_SIGNATURE"],
  ["that is signed, but its assertion is not", () => signedWhole(), "TOKEN_SIGNATURE"],
  ["whose assertion was changed", () => changed(signed(), `>${SUBJECT}<`, `>${ATTACKER}<`), "TOKEN_SIGNATURE"],
  [
    "whose end was changed",
    () => changed(signed(), /(<saml:Conditions .*NotOnOrAfter=")[0-9]{4}/, "$12999"),
    "TOKEN_SIGNATURE",
  ],
  ["whose own signature is a stranger's", () => signedWhole(signed(), {}, keys.strange), "TOKEN_SIGNATURE"],
  [
    "that was changed around a good assertion",
    () => changed(signedWhole(signed()), /(<samlp:Response .*IssueInstant=")[0-9]{4}/, "$12999"),
    "TOKEN_SIGNATURE",
  ],
  [
    "whose signature is another's",
    () => changed(signed(), SIGNATURE, part(signed(response({ subject: ATTACKER })), SIGNATURE)),
    "TOKEN_SIGNATURE",
  ],
  [
    "that brings another method among its keys, before the one that is signed",
    () => {
      const method = '<ds:SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"/>';
      return changed(
        signed(),
        /(<ds:SignedInfo>.*)<ds:KeyInfo>.*<\/ds:KeyInfo>/s,
        `<ds:KeyInfo>${method}</ds:KeyInfo>$1`,
      );
    },
    "TOKEN_MALFORMED",
  ],
  ["whose signature value is empty", () => changed(signed(), /(<ds:SignatureValue>)[^<]*/, "$1"), "TOKEN_SIGNATURE"],
  [
    "of an unknown key",
    () => signed(response(), { certificate: keys.current.certificate }, keys.strange),
    "TOKEN_SIGNATURE",
  ],
  ["signed twice", () => signed(signed()), "TOKEN_MALFORMED"],
  ["whose signature names the response", () => signature('URI="#_a-', 'URI="#_r-'), "TOKEN_MALFORMED"],
  ["whose signature names everything", () => signature(/URI="#[^"]*"/, 'URI=""'), "TOKEN_MALFORMED"],
  ["whose signature names a file", () => signature(/URI="#[^"]*"/, 'URI="file:///etc/passwd"'), "TOKEN_MALFORMED"],
  ["whose signature names an XPointer", () => signature(/URI="#[^"]*"/, 'URI="#xpointer(/)"'), "TOKEN_MALFORMED"],
  ["whose ID is an XPath", () => signed(response({ id: "x' or '1'='1" })), "TOKEN_MALFORMED"],
  [
    "whose signature has two infos",
    () => signature(/<ds:SignedInfo>.*<\/ds:SignedInfo>/s, (all) => all + all),
    "TOKEN_MALFORMED",
  ],
  [
    "whose signature has two references",
    () => signature(/<ds:Reference .*<\/ds:Reference>/s, (all) => all + all),
    "TOKEN_MALFORMED",
  ],
  ["with a comment in its digest", () => signature("<ds:DigestValue>", "<ds:DigestValue><!--x-->"), "TOKEN_MALFORMED"],
  ["with an element in its digest", () => signature("<ds:DigestValue>", "<ds:DigestValue><ds:x/>"), "TOKEN_MALFORMED"],
  [
    "with an XPath transform",
    () =>
      transforms(
        '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>not(//x)</ds:XPath></ds:Transform>',
      ),
    "TOKEN_ALGORITHM",
  ],
  [
    "with an XSLT transform",
    () => transforms('<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>'),
    "TOKEN_ALGORITHM",
  ],
  [
    "with a third transform",
    () => transforms(`<ds:Transform Algorithm="${EXCLUSIVE}"/><ds:Transform Algorithm="${EXCLUSIVE}"/>`),
    "TOKEN_ALGORITHM",
  ],
  ["that is not enveloped", () => signed(response(), { transforms: [EXCLUSIVE] }), "TOKEN_ALGORITHM"],
  [
    "with inclusive canonicalization",
    () => signed(response(), { canonicalization: "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" }),
    "TOKEN_ALGORITHM",
  ],
  [
    "with comments in its canonicalization",
    () => signed(response(), { transforms: [ENVELOPED, `${EXCLUSIVE}WithComments`] }),
    "TOKEN_ALGORITHM",
  ],
  [
    "signed with SHA-1",
    () => signed(response(), { signature: "http://www.w3.org/2000/09/xmldsig#rsa-sha1" }),
    "TOKEN_ALGORITHM",
  ],
  [
    "whose digest is SHA-1",
    () => signed(response(), { digest: "http://www.w3.org/2000/09/xmldsig#sha1" }),
    "TOKEN_ALGORITHM",
  ],
  [
    "with a second assertion that is signed too",
    () => changed(signed(), ASSERTION, (all) => all + part(signed(response({ id: "other" })), ASSERTION)),
    "TOKEN_MALFORMED",
  ],
  ["without assertion", () => changed(response(), ASSERTION, ""), "TOKEN_MALFORMED"],
  [
    "with an assertion of no known namespace beside",
    () =>
      changed(
        signed(),
        "</samlp:Status>",
        '<samlp:StatusDetail><x:Assertion xmlns:x="urn:x"/></samlp:StatusDetail></samlp:Status>',
      ),
    "TOKEN_MALFORMED",
  ],
  [
    "whose assertion is in another namespace",
    () => changed(signed(), /xmlns:saml="[^"]*"/, 'xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion"'),
    "TOKEN_MALFORMED",
  ],
  ["whose namespace is relative", () => signed(tagged("<saml:Subject", ' xmlns:x="1"')), "TOKEN_MALFORMED"],
  [
    "with an element of no namespace",
    () => signed(changed(response(), "payments<", "payments<x/><")),
    "TOKEN_MALFORMED",
  ],
  [
    "with a prefix that is not declared",
    () => changed(signed(), "<samlp:Status>", '<samlp:Status y:x="1">'),
    "TOKEN_MALFORMED",
  ],
  [
    "whose ID stands twice",
    () => changed(signed(), "<samlp:Status>", (tag) => tag.replace(">", ' ID="_a-canary7731">')),
    "TOKEN_MALFORMED",
  ],
  [
    "whose ID stands twice, in other letters",
    () => changed(signed(), "<samlp:Status>", (tag) => tag.replace(">", ' Id="_a-canary7731">')),
    "TOKEN_MALFORMED",
  ],
  ["whose assertion has two IDs", () => signed(tagged("<saml:Assertion", ' id="_b"')), "TOKEN_MALFORMED"],
  [
    "whose assertion has a second ID of a namespace",
    () => signed(tagged("<saml:Assertion", ' saml:ID="_b"')),
    "TOKEN_MALFORMED",
  ],
  [
    "with an attribute twice",
    () => changed(signed(), "<samlp:StatusCode ", '<samlp:StatusCode Value="x" '),
    "TOKEN_MALFORMED",
  ],
  [
    "with an attribute twice by two prefixes",
    () => changed(signed(), "<samlp:Status>", '<samlp:Status xmlns:a="urn:x" xmlns:b="urn:x" a:x="1" b:x="2">'),
    "TOKEN_MALFORMED",
  ],
  ["with a comment in an attribute", () => changed(signed(), "payments<", "pay<!-- -->ments<"), "TOKEN_MALFORMED"],
  ["with a comment before it", () => `<!-- -->${signed()}`, "TOKEN_MALFORMED"],
  ["with a comment behind it", () => `${signed()}<!-- -->`, "TOKEN_MALFORMED"],
  [
    "with an instruction",
    () => changed(signed(), "<samlp:Status>", "<?xml-stylesheet href='x'?><samlp:Status>"),
    "TOKEN_MALFORMED",
  ],
  ["with an instruction before it", () => `<?xml-stylesheet href='x'?>${signed()}`, "TOKEN_MALFORMED"],
  ["with a CDATA section", () => changed(signed(), ">payments<", "><![CDATA[payments]]><"), "TOKEN_MALFORMED"],
  ["with a document type", () => `<!DOCTYPE Response>${signed()}`, "TOKEN_MALFORMED"],
  [
    "with an external entity",
    () => `<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>${changed(signed(), ">payments<", ">&x;<")}`,
    "TOKEN_MALFORMED",
  ],
  [
    "with an external document type",
    () => `<!DOCTYPE r SYSTEM "https://evil.example/x.dtd">${signed()}`,
    "TOKEN_MALFORMED",
  ],
  [
    "with entities in entities",
    () =>
      `<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">${Array.from({ length: 9 }, (_, n) => `<!ENTITY ${"bcdefghij"[n]} "${`&${"abcdefghi"[n]};`.repeat(10)}">`).join("")}]>${changed(signed(), ">payments<", ">&j;<")}`,
    "TOKEN_MALFORMED",
  ],
  ["with an entity that is not XML's", () => changed(signed(), ">payments<", ">&nbsp;<"), "TOKEN_MALFORMED"],
  ["that declares another encoding", () => `<?xml version="1.0" encoding="UTF-7"?>${signed()}`, "TOKEN_MALFORMED"],
  ["whose tag is not closed", () => changed(signed(), "</saml:NameID>", ""), "TOKEN_MALFORMED"],
  ["that is a declaration alone", () => '<?xml version="1.0"?>', "TOKEN_MALFORMED"],
  ["with another root behind it", () => signed() + response(), "TOKEN_MALFORMED"],
  ["with text behind it", () => `${signed()}x`, "TOKEN_MALFORMED"],
  ["with text between its elements", () => changed(signed(), "<samlp:Status>", "x<samlp:Status>"), "TOKEN_MALFORMED"],
  ["with a NUL", () => changed(signed(), ">payments<", ">pay\u0000ments<"), "TOKEN_MALFORMED"],
  ["with a byte order mark", () => `\ufeff${signed()}`, "TOKEN_MALFORMED"],
  [
    "with a condition that is not known",
    () =>
      signed(
        changed(
          response(),
          "</saml:Conditions>",
          '<saml:Condition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="x"/></saml:Conditions>',
        ),
      ),
    "TOKEN_MALFORMED",
  ],
  [
    "with an encrypted assertion",
    () =>
      changed(
        response(),
        ASSERTION,
        '<saml:EncryptedAssertion><x:EncryptedData xmlns:x="http://www.w3.org/2001/04/xmlenc#"/></saml:EncryptedAssertion>',
      ),
    "TOKEN_ENCRYPTED",
  ],
  ["with an encrypted attribute", () => attributesOf("<saml:EncryptedAttribute/>"), "TOKEN_ENCRYPTED"],
  [
    "with an encrypted name",
    () => signed(changed(response(), /<saml:NameID>.*<\/saml:NameID>/, "<saml:EncryptedID/>")),
    "TOKEN_ENCRYPTED",
  ],
  ["of SAML 1.1", () => signed(changed(response(), /(<saml:Assertion .*?Version=")2.0/, "$11.1")), "TOKEN_MALFORMED"],
  ["that is a request", () => signed().replaceAll("samlp:Response", "samlp:AuthnRequest"), "TOKEN_MALFORMED"],
  [
    "that is an assertion alone",
    () =>
      changed(
        part(signed(), ASSERTION),
        "<saml:Assertion",
        '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"',
      ),
    "TOKEN_MALFORMED",
  ],
  [
    "that is deep",
    () => attributesOf(attribute("x", "<saml:x>".repeat(XML_DEPTH_MAX) + "</saml:x>".repeat(XML_DEPTH_MAX))),
    "TOKEN_MALFORMED",
  ],
  [
    "of many elements",
    () => attributesOf(`<saml:Attribute Name="x">${"<saml:AttributeValue/>".repeat(XML_NODES_MAX)}</saml:Attribute>`),
    "TOKEN_MALFORMED",
  ],
  ["that is too large", () => attributesOf(attribute("x", "y".repeat(SAML_BYTES_MAX))), "TOKEN_MALFORMED"],
];
for (const [name, make, code] of bad) {
  test(`a SAML response ${name} is refused with ${code}`, async () => refused(encoded(make()), code));
}

const notXml: readonly (readonly [string, Make])[] = [
  ["in XML as it is", () => signed()],
  ["in base64url", () => encoded(signed()).replaceAll("+", "-").replaceAll("/", "_").replace(/=*$/, "")],
  ["in base64 whose end is none", () => `${encoded(`${signed()} `).replace(/=*$/, "")}!`],
  ["packed by gzip", () => encoded(gzipSync(signed()))],
  ["packed for a redirect", () => encoded(deflateRawSync(signed()))],
  ["in UTF-16", () => encoded(Buffer.from(signed(), "utf16le"))],
  ["in bytes that are no UTF-8", () => encoded(Buffer.from(changed(signed(), ">payments<", ">\u00ff<"), "latin1"))],
  ["in base64 twice", () => encoded(encoded(signed()))],
  ["of nothing", () => "===="],
];
for (const [name, make] of notXml) {
  test(`a SAML response ${name} is refused with TOKEN_MALFORMED`, () => refused(make(), "TOKEN_MALFORMED"));
}

for (const piece of ["<!", "<?a", "<a>", "</", "<![CDATA[", "<!--"]) {
  test(`a SAML response of ${piece} over and over is read to its first fault, and not mended for seconds`, async (t) => {
    const broken = encoded(`<a>${piece.repeat(4_000)}`);
    await refused(broken, "TOKEN_MALFORMED");
    const searches = t.mock.method(String.prototype, "indexOf").mock; // by these the parser goes from one mark to the next
    await refused(broken, "TOKEN_MALFORMED");
    assert.ok(searches.callCount() < 100, `${searches.callCount()} searches`);
  });
}

test("whatever part of a signed response takes the place of another, it says the same or is refused by a code", async () => {
  const whole = signed();
  const tokens = verifier();
  const untouched = await tokens.identify(encoded(whole), "ci");
  const place = fc.record({ at: fc.nat(whole.length), length: fc.nat(40) });
  await fc.assert(
    fc.asyncProperty(place, place, async (from, to) => {
      const moved = whole.slice(from.at, from.at + from.length);
      const damaged = whole.slice(0, to.at) + moved + whole.slice(to.at + to.length);
      const outcome = await tokens.identify(encoded(damaged), "ci").catch((error: unknown) => codeOf(error));
      if (typeof outcome === "string") assert.match(outcome, /^TOKEN_/);
      else assert.deepEqual(outcome, untouched);
    }),
    { numRuns: 300 },
  );
});
