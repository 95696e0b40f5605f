/**
 * SAML responses: the signature is verified by @node-saml/node-saml with the certificates of the settings, and only what
 * it covers, as the verifier gives it back, is read and judged. Keys and certificates in a response are not looked at.
 */
import { SAML } from "@node-saml/node-saml";
import type { Identity } from "../model/identity.ts";
import type { SamlProvider } from "../model/issuer.ts";
import { type Assertion, readAssertion } from "./saml-assertion.ts";
import type { SamlForm } from "./saml-form.ts";
import { identityOf } from "./token-identity.ts";
import { audienceRefused, expired, issuerRefused, notYet, signatureRefused } from "./token-refusals.ts";
import { nameOf, readXml } from "./xml.ts";

/** The subject among the attributes; one that calls itself so does not count. */
const SUBJECT = "NameID";

/** `form`: that of the response, which is one of this provider's by its own word. Throws TOKEN_… */
export async function identifyBySaml(provider: SamlProvider, form: SamlForm, nowMs: number): Promise<Identity> {
  const assertion = await verified(provider, form);
  const { url, audience, recipient, clockSkewMs } = provider;
  if (assertion.issuer !== url) throw issuerRefused();
  if (!assertion.audiences.every((meant) => meant.includes(audience))) throw audienceRefused();
  if (recipient !== undefined) {
    if (assertion.recipient !== recipient || (form.destination ?? recipient) !== recipient) throw audienceRefused();
  }
  if (Math.max(assertion.beginsMs, assertion.issuedMs) > nowMs + clockSkewMs) throw notYet();
  if (assertion.endsMs <= nowMs - clockSkewMs) throw expired();
  const { id, subject, endsMs, sessionEndsMs } = assertion;
  const said = {
    ...{ claims: claimsOf(assertion), subject: [SUBJECT, subject] as const },
    ...{ id: ["assertion", id], endsMs, sessionEndsMs },
  };
  return identityOf(provider, Object.entries(provider.claims), said, nowMs);
}

/** What is signed, and no more. Throws TOKEN_SIGNATURE. */
async function verified(provider: SamlProvider, form: SamlForm): Promise<Assertion> {
  const verifier = new SAML({
    idpCert: [...provider.certificates],
    wantAssertionsSigned: true,
    wantAuthnResponseSigned: form.isWholeSigned,
    ...{ issuer: provider.audience, callbackUrl: provider.recipient ?? provider.audience },
    // judged by us: with the daemon's clock, and an error for each
    ...{ audience: false, acceptedClockSkewMs: -1 },
  });
  let xml: string | undefined;
  try {
    const { profile } = await verifier.validatePostResponseAsync({ SAMLResponse: form.encoded });
    xml = profile?.getAssertionXml?.();
  } catch {
    // without a cause: it quotes the response
  }
  if (xml === undefined) throw signatureRefused();
  const root = readXml(xml);
  if (nameOf(root) !== "saml:Assertion") throw signatureRefused();
  return readAssertion(root);
}

/** One value as it is, several as a list. */
function claimsOf({ attributes, subject }: Assertion): Readonly<Record<string, unknown>> {
  const claims: Record<string, unknown> = Object.create(null);
  for (const [name, values] of attributes) claims[name] = values.length === 1 ? values[0] : values;
  claims[SUBJECT] = subject;
  return claims;
}
