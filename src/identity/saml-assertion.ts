/**
 * What a SAML assertion says, once it is made of the parts that are understood here and of no others. Verifies nothing,
 * knows no clock; shows no value. Source: SAML 2.0 core, section 2; profiles, section 4.1.4.2 (bearer).
 */
import type { Element } from "@xmldom/xmldom";
import { claimsRefused } from "./token-refusals.ts";
import { ANY, attributeOf, MAYBE, malformed, ONCE, partsOf, SOME, textOf } from "./xml.ts";

export interface Assertion {
  readonly id: string;
  readonly issuer: string;
  /** The one in it, good or not. */
  readonly signature: Element | undefined;
  /** Text of its NameID; undefined where that is no text. */
  readonly subject: string | undefined;
  /** Whether that is another one the next time (a transient NameID). */
  readonly isPassing: boolean;
  readonly issuedMs: number;
  /** When its time begins and ends, by all that it says of that. */
  readonly beginsMs: number;
  readonly endsMs: number;
  /** When the identity provider ends what it began. */
  readonly sessionEndsMs: number;
  /** Whether it says that somebody has logged in there. */
  readonly isAuthenticated: boolean;
  /** It is meant for one of each. */
  readonly audiences: readonly (readonly (string | undefined)[])[];
  readonly recipient: string | undefined;
  /** The ID of the request that it answers; undefined: nobody's. */
  readonly inResponseTo: string | undefined;
  /** Values by the attribute's name; null for one that is no text. */
  readonly attributes: ReadonlyMap<string, readonly (string | null)[]>;
}

const TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
const BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
/** UTC, as SAML demands it (core, section 1.3.3). */
const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$/;

/** Throws TOKEN_MALFORMED, TOKEN_CLAIMS. */
export function readAssertion(assertion: Element): Assertion {
  const parts = partsOf(assertion, {
    ...{ "saml:Issuer": ONCE, "ds:Signature": MAYBE, "saml:Subject": ONCE, "saml:Conditions": ONCE },
    ...{ "saml:AuthnStatement": ANY, "saml:AttributeStatement": ANY },
  });
  if (attributeOf(assertion, "Version") !== "2.0") throw malformed("its assertion is not one of SAML 2.0");
  const subject = partsOf(parts.one("saml:Subject"), { "saml:NameID": ONCE, "saml:SubjectConfirmation": ONCE });
  const confirmation = subject.one("saml:SubjectConfirmation");
  if (attributeOf(confirmation, "Method") !== BEARER) {
    throw claimsRefused("it does not count for who bears it (SubjectConfirmation)");
  }
  const data = partsOf(confirmation, { "saml:SubjectConfirmationData": ONCE }).one("saml:SubjectConfirmationData");
  partsOf(data, {});
  const nameId = subject.one("saml:NameID");
  const conditions = parts.one("saml:Conditions");
  const statements = parts.all("saml:AuthnStatement");
  return {
    ...{ id: textIn(assertion, "ID"), issuer: textOf(parts.one("saml:Issuer")) ?? "" },
    ...{ signature: parts.all("ds:Signature")[0], subject: textOf(nameId) },
    isPassing: attributeOf(nameId, "Format") === TRANSIENT,
    issuedMs: timeIn(assertion, "IssueInstant"),
    beginsMs: Math.max(...[conditions, data].map((element) => timeIn(element, "NotBefore", 0))),
    endsMs: Math.min(timeIn(data, "NotOnOrAfter"), timeIn(conditions, "NotOnOrAfter")),
    sessionEndsMs: Math.min(...statements.map((one) => timeIn(one, "SessionNotOnOrAfter", Number.POSITIVE_INFINITY))),
    isAuthenticated: statements.length > 0,
    ...{ audiences: audiencesOf(conditions), recipient: attributeOf(data, "Recipient") },
    inResponseTo: attributeOf(data, "InResponseTo"),
    attributes: attributesOf(parts.all("saml:AttributeStatement")),
  };
}

/** One condition that is not known makes the whole assertion worthless (core, section 2.5.1). */
function audiencesOf(conditions: Element): Assertion["audiences"] {
  const parts = partsOf(conditions, {
    "saml:AudienceRestriction": SOME,
    "saml:OneTimeUse": MAYBE, // every token counts once
    "saml:ProxyRestriction": MAYBE, // nothing is issued by its word
  });
  return parts
    .all("saml:AudienceRestriction")
    .map((restriction) => partsOf(restriction, { "saml:Audience": SOME }).all("saml:Audience").map(textOf));
}

/** One name may stand at several elements: their values count together. */
function attributesOf(statements: readonly Element[]): Assertion["attributes"] {
  const attributes = new Map<string, (string | null)[]>();
  for (const statement of statements) {
    for (const attribute of partsOf(statement, { "saml:Attribute": SOME }).all("saml:Attribute")) {
      const name = textIn(attribute, "Name");
      const values = partsOf(attribute, { "saml:AttributeValue": ANY }).all("saml:AttributeValue");
      const before = attributes.get(name) ?? [];
      attributes.set(name, [...before, ...values.map((value) => textOf(value) ?? null)]);
    }
  }
  return attributes;
}

function textIn(element: Element, name: string): string {
  const value = attributeOf(element, name);
  if (value === undefined || value === "") throw malformed(`its ${element.localName} lacks ${name}`);
  return value;
}

/** Milliseconds. Without `otherwise` it must be there. */
function timeIn(element: Element, name: string, otherwise?: number): number {
  const value = attributeOf(element, name);
  if (value === undefined && otherwise !== undefined) return otherwise;
  const ms = value !== undefined && TIME.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) throw claimsRefused(`its ${element.localName} has no time ${name}, or none in UTC`);
  return ms;
}
