/**
 * A SAML identity provider whose keys are ours, and a reader as it must not be: it takes any good signature of a document
 * for the whole, and the subject from where it finds one first.
 */
import { execFileSync } from "node:child_process";
import { createSign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DOMParser, type Element } from "@xmldom/xmldom";
import { ExclusiveCanonicalization, SignedXml } from "xml-crypto";

export const ENTITY = "https://idp.acme.example/metadata";
export const SAML_AUDIENCE = "https://sallyport.example/saml";
export const RECIPIENT = "https://sallyport.example/acs";
const SAML = "urn:oasis:names:tc:SAML:2.0:assertion";
const SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol";
const DS = "http://www.w3.org/2000/09/xmldsig#";
export const EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#";
export const ENVELOPED = `${DS}enveloped-signature`;

export interface SamlKey {
  readonly privateKey: string;
  readonly certificate: string;
  readonly certificateFile: string;
}

/** By openssl, for two days; `kind` as its -newkey wants it. */
export function makeSamlKey(folder: string, name: string, kind = "rsa:2048"): SamlKey {
  const [keyFile, certificateFile] = [join(folder, `${name}-key.pem`), join(folder, `${name}.pem`)];
  const curve = kind === "ec" ? ["-pkeyopt", "ec_paramgen_curve:prime256v1"] : [];
  const args = ["req", "-newkey", kind, ...curve, "-nodes", "-x509", "-days", "2", "-subj", `/CN=${name}`];
  execFileSync("openssl", [...args, "-keyout", keyFile, "-out", certificateFile], { stdio: "ignore" });
  const [privateKey, certificate] = [keyFile, certificateFile].map((file) => readFileSync(file, "utf8"));
  return { privateKey: privateKey ?? "", certificate: certificate ?? "", certificateFile };
}

/** What a response says; times are in milliseconds from now. */
export interface Said {
  readonly id: string;
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
  readonly recipient: string;
  readonly issuedMs: number;
  readonly beginsMs: number;
  readonly endsMs: number;
  readonly confirmedUntilMs: number;
  /** The request that it answers; absent: nobody's. */
  readonly inResponseTo?: string;
  /** XML. */
  readonly attributes: string;
  readonly status: string;
}

/** As providers write one for a browser, in one line, so that tests can change it by its text. */
export function responseXml(said: Said, nowMs: number): string {
  const at = (ms: number) => new Date(nowMs + ms).toISOString();
  const answers = said.inResponseTo === undefined ? "" : ` InResponseTo="${said.inResponseTo}"`;
  const confirmed = `NotOnOrAfter="${at(said.confirmedUntilMs)}" Recipient="${said.recipient}"${answers}`;
  return [
    `<samlp:Response xmlns:samlp="${SAMLP}" xmlns:saml="${SAML}" ID="_r-${said.id}" Version="2.0"`,
    ` IssueInstant="${at(said.issuedMs)}" Destination="${said.recipient}"${answers}><saml:Issuer>${said.issuer}</saml:Issuer>`,
    `<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:${said.status}"/></samlp:Status>`,
    `<saml:Assertion ID="_a-${said.id}" Version="2.0" IssueInstant="${at(said.issuedMs)}">`,
    `<saml:Issuer>${said.issuer}</saml:Issuer>`,
    `<saml:Subject><saml:NameID>${said.subject}</saml:NameID>`,
    `<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">`,
    `<saml:SubjectConfirmationData ${confirmed}/></saml:SubjectConfirmation></saml:Subject>`,
    `<saml:Conditions NotBefore="${at(said.beginsMs)}" NotOnOrAfter="${at(said.endsMs)}"><saml:AudienceRestriction>`,
    `<saml:Audience>${said.audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>`,
    `<saml:AuthnStatement AuthnInstant="${at(said.issuedMs)}"><saml:AuthnContext><saml:AuthnContextClassRef>`,
    "urn:oasis:names:tc:SAML:2.0:ac:classes:X509</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>",
    `<saml:AttributeStatement>${said.attributes}</saml:AttributeStatement></saml:Assertion></samlp:Response>`,
  ].join("");
}

export function attribute(name: string, ...values: readonly string[]): string {
  const all = values.map((value) => `<saml:AttributeValue>${value}</saml:AttributeValue>`).join("");
  return `<saml:Attribute Name="${name}">${all}</saml:Attribute>`;
}

/** Of a signature; what is not said is as providers do it. */
export interface How {
  readonly signature?: string;
  readonly digest?: string;
  readonly canonicalization?: string;
  readonly transforms?: readonly string[];
  /** Prefixes that count where they are declared (InclusiveNamespaces). */
  readonly inclusive?: string;
  readonly certificate?: string;
  /** By HMAC-SHA-1 with this text as the secret. */
  readonly secret?: string;
}

/** Signs the response or its assertion, and puts the signature behind the issuer of that. */
export function signXml(xml: string, what: "Response" | "Assertion", key: SamlKey, how: How = {}): string {
  const place = what === "Response" ? "/*" : "/*/*[local-name(.)='Assertion']";
  const signed = new SignedXml({
    privateKey: how.secret ?? key.privateKey,
    publicCert: how.certificate ?? key.certificate,
    signatureAlgorithm: how.signature ?? "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    canonicalizationAlgorithm: (how.canonicalization ?? EXCLUSIVE) as typeof EXCLUSIVE,
  });
  if (how.secret !== undefined) signed.enableHMAC();
  signed.addReference({
    xpath: place,
    transforms: [...(how.transforms ?? [ENVELOPED, EXCLUSIVE])],
    digestAlgorithm: how.digest ?? "http://www.w3.org/2001/04/xmlenc#sha256",
    inclusiveNamespacesPrefixList: how.inclusive === undefined ? [] : [how.inclusive],
  });
  signed.computeSignature(xml, {
    prefix: "ds",
    location: { reference: `${place}/*[local-name(.)='Issuer']`, action: "after" },
  });
  // The library gives the prefixes to each transform, also to the one that takes none.
  const strange = /(enveloped-signature")><InclusiveNamespaces [^>]*\/><\/ds:Transform>/;
  const made = signed.getSignedXml();
  return how.inclusive === undefined ? made : signedAnew(made.replace(strange, "$1/>"), key);
}

/** Signs what the first signature of a document says anew: after it was changed, it is the provider's all the same. */
export function signedAnew(xml: string, { privateKey }: SamlKey): string {
  const [info] = Array.from(rootOf(xml).getElementsByTagNameNS(DS, "SignedInfo"));
  const canonical = new ExclusiveCanonicalization().process(info as never, {}).toString();
  const value = createSign("RSA-SHA256").update(canonical).sign(privateKey, "base64");
  return xml.replace(/(<ds:SignatureValue>)[^<]*/, `$1${value}`);
}

/** Subjects that such a reader takes from a document: of the first assertion, and of the first in the usual place. */
export function naiveSubjects(xml: string, certificate: string): readonly string[] {
  const root = rootOf(xml);
  const signatures = Array.from(root.getElementsByTagNameNS(DS, "Signature"));
  if (!signatures.some((signature) => isGood(signature, xml, certificate))) return [];
  const all = Array.from(root.getElementsByTagNameNS(SAML, "Assertion"));
  const usual = childrenOf(root, "Assertion");
  return [all[0], usual[0]].map((assertion) => {
    const [subject] = childrenOf(assertion, "Subject");
    const [name] = childrenOf(subject, "NameID");
    return name?.childNodes[0]?.nodeValue ?? ""; // the first text, as many do it
  });
}

function childrenOf(element: Element | undefined, name: string): Element[] {
  const children = Array.from(element?.childNodes ?? []) as Element[];
  return children.filter(({ namespaceURI, localName }) => namespaceURI === SAML && localName === name);
}

/** By the certificate, by one that the document brings, or with the certificate as a secret. */
function isGood(signature: Element, xml: string, certificate: string): boolean {
  return ["by certificate", "by its own", "as secret"].some((way) => {
    const verifier = new SignedXml({ publicCert: certificate });
    if (way === "by its own") verifier.getCertFromKeyInfo = SignedXml.getCertFromKeyInfo;
    if (way === "as secret") verifier.enableHMAC();
    try {
      verifier.loadSignature(signature as never); // its types are a browser's
      return verifier.checkSignature(xml);
    } catch {
      return false;
    }
  });
}

function rootOf(xml: string): Element {
  const document = new DOMParser({ locator: {}, errorHandler: () => {} }).parseFromString(xml, "text/xml");
  const root = Array.from(document?.childNodes ?? []).find(({ nodeType }) => nodeType === 1);
  if (root === undefined) throw new Error("no XML");
  return root as Element;
}
