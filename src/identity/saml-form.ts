/**
 * The form of a SAML response before anything of it is believed: plain XML with one assertion in its place, signed there
 * by a signature that covers exactly its own parent. Verifies no signature; shows nothing of a response.
 * Source: SAML 2.0 core, sections 3.2.2 and 5.4; "On Breaking SAML: Be Whoever You Want to Be" (USENIX Security 2012).
 */
import type { Element } from "@xmldom/xmldom";
import { UserError } from "../base/errors.ts";
import { SAML_BYTES_MAX } from "../base/limits.ts";
import { readAssertion } from "./saml-assertion.ts";
import { signatureRefused } from "./token-refusals.ts";
import { ANY, attributeOf, MAYBE, malformed, nameOf, ONCE, partsOf, readXml, textOf } from "./xml.ts";

export interface SamlForm {
  /** Base64 without line breaks. */
  readonly encoded: string;
  /** What it says of its issuer; a claim until the signature was verified with that issuer's key. */
  readonly issuer: string;
  /** Whether the response has a signature of its own, beside its assertion's. */
  readonly isWholeSigned: boolean;
  /** Where the response says that it goes. It need not be signed: good for a refusal, and for nothing else. */
  readonly destination: string | undefined;
  /** The ID of the request that it says to answer, likewise. */
  readonly inResponseTo: string | undefined;
}

const EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#";
const TRANSFORMS = ["http://www.w3.org/2000/09/xmldsig#enveloped-signature", EXCLUSIVE];
/** Of those that the verifier knows, all but SHA-1 and HMAC. */
const SIGNATURES: ReadonlySet<string> = new Set([
  "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
  "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
  "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
]);
const DIGESTS: ReadonlySet<string> = new Set([
  "http://www.w3.org/2001/04/xmlenc#sha256",
  "http://www.w3.org/2001/04/xmlenc#sha512",
]);
const SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success";
const ENCRYPTED = ["EncryptedAssertion", "EncryptedID", "EncryptedAttribute", "EncryptedData"] as const;
const SIGNATURE_PARTS = [
  "Signature",
  "SignedInfo",
  "CanonicalizationMethod",
  "SignatureMethod",
  "SignatureValue",
] as const;
const ID = /^[A-Za-z_][A-Za-z0-9_.-]{0,255}$/;

/** Throws TOKEN_MALFORMED, TOKEN_ENCRYPTED, TOKEN_STATUS, TOKEN_SIGNATURE, TOKEN_ALGORITHM, TOKEN_CLAIMS. */
export function readSamlForm(token: string): SamlForm {
  if (Buffer.byteLength(token) > SAML_BYTES_MAX) throw malformed(`it is larger than ${SAML_BYTES_MAX} bytes`);
  const encoded = token.replace(/[\r\n]/g, "");
  const response = readXml(decoded(encoded));
  if (nameOf(response) !== "samlp:Response") throw malformed("it is no SAML response");
  if (ENCRYPTED.some((name) => countOf(response, name) > 0)) throw encrypted();
  const parts = partsOf(response, {
    ...{ "saml:Issuer": MAYBE, "ds:Signature": MAYBE, "samlp:Status": ONCE, "saml:Assertion": ANY },
  });
  checkStatus(parts.one("samlp:Status"));
  if (parts.all("saml:Assertion").length > 1) throw malformed("it has several assertions");
  const assertion = parts.one("saml:Assertion");
  const { issuer, signature } = readAssertion(assertion);
  if (parts.all("saml:Issuer").some((own) => textOf(own) !== issuer)) throw malformed("it names two issuers");
  if (signature === undefined) throw signatureRefused("its assertion is not signed");
  const [outer] = parts.all("ds:Signature");
  checkPlaces(response, outer === undefined ? 1 : 2);
  if (outer !== undefined) checkSignature(outer, response);
  checkSignature(signature, assertion);
  return {
    ...{ encoded, issuer, isWholeSigned: outer !== undefined, destination: attributeOf(response, "Destination") },
    inResponseTo: attributeOf(response, "InResponseTo"),
  };
}

function decoded(encoded: string): string {
  const bytes = Buffer.from(encoded, "base64");
  if (encoded === "" || bytes.toString("base64") !== encoded) {
    throw malformed("it is neither a signed JWT nor a SAML response in base64");
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed("it is not XML in UTF-8"); // without a cause: that could quote it
  }
}

function checkStatus(status: Element): void {
  const parts = partsOf(status, {
    ...{ "samlp:StatusCode": ONCE, "samlp:StatusMessage": MAYBE, "samlp:StatusDetail": MAYBE },
  });
  if (attributeOf(parts.one("samlp:StatusCode"), "Value") === SUCCESS) return;
  const message = "Cannot use the token: its identity provider says in it that nobody logged in";
  throw new UserError("TOKEN_STATUS", message, "Log in at the identity provider once more, or look into its log");
}

/** What somebody could look for by its name alone, the verifier too, is nowhere but in its place, in no namespace. */
function checkPlaces(response: Element, signatures: number): void {
  if (countOf(response, "Response") !== 0 || countOf(response, "Assertion") !== 1) throw misplaced();
  if (SIGNATURE_PARTS.some((name) => countOf(response, name) !== signatures)) throw misplaced();
}

/** It covers its parent as a whole, and nothing else. Source: SAML 2.0 core, section 5.4. */
function checkSignature(signature: Element, parent: Element): void {
  const id = attributeOf(parent, "ID") ?? "";
  if (!ID.test(id)) throw malformed("what is signed has no ID, or a strange one");
  const parts = partsOf(signature, {
    ...{ "ds:SignedInfo": ONCE, "ds:SignatureValue": ONCE, "ds:KeyInfo": MAYBE }, // the last is never read
  });
  const info = partsOf(parts.one("ds:SignedInfo"), {
    ...{ "ds:CanonicalizationMethod": ONCE, "ds:SignatureMethod": ONCE, "ds:Reference": ONCE },
  });
  const [canonicalization, method] = [info.one("ds:CanonicalizationMethod"), info.one("ds:SignatureMethod")];
  for (const element of [canonicalization, method]) partsOf(element, {});
  if (algorithmOf(canonicalization) !== EXCLUSIVE || !SIGNATURES.has(algorithmOf(method))) throw algorithmRefused();
  const reference = info.one("ds:Reference");
  if (attributeOf(reference, "URI") !== `#${id}`) throw malformed("its signature covers something else");
  checkReference(reference);
}

function checkReference(reference: Element): void {
  const parts = partsOf(reference, { "ds:Transforms": ONCE, "ds:DigestMethod": ONCE, "ds:DigestValue": ONCE });
  if (!DIGESTS.has(algorithmOf(parts.one("ds:DigestMethod")))) throw algorithmRefused();
  if (textOf(parts.one("ds:DigestValue")) === undefined) throw malformed("its digest is no text");
  const transforms = partsOf(parts.one("ds:Transforms"), { "ds:Transform": ANY }).all("ds:Transform");
  if (transforms.map(algorithmOf).join(" ") !== TRANSFORMS.join(" ")) throw algorithmRefused();
  for (const transform of transforms) partsOf(transform, { "ec:InclusiveNamespaces": MAYBE });
}

function algorithmOf(element: Element): string {
  return attributeOf(element, "Algorithm") ?? "";
}

function countOf(root: Element, localName: string): number {
  return root.getElementsByTagNameNS("*", localName).length;
}

function algorithmRefused(): UserError {
  const message = "Cannot use the token: an algorithm, a transform or a canonicalization of its signature is not taken";
  const remedy = "Let the identity provider sign with RSA and SHA-256 or SHA-512, over exclusive canonical XML";
  return new UserError("TOKEN_ALGORITHM", message, remedy);
}

function misplaced(): UserError {
  return malformed("it has an assertion, or parts of a signature, in a strange place");
}

function encrypted(): UserError {
  const remedy = "Let the identity provider sign and not encrypt: the daemon keeps no key to open tokens with";
  return new UserError("TOKEN_ENCRYPTED", "Cannot use the token: something in it is encrypted", remedy);
}
