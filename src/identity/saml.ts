/**
 * SAML responses: the signature is verified by @node-saml/node-saml with the certificates of the settings, and only what
 * it covers, as the verifier gives it back, is read and judged. Keys and certificates in a response are not looked at.
 * And the requests that humans' sign-ins begin with.
 */
import { SAML } from "@node-saml/node-saml";
import { NAME_ID, type SamlLogin } from "../model/human.ts";
import type { Identity } from "../model/identity.ts";
import type { SamlProvider } from "../model/issuer.ts";
import { type Assertion, readAssertion } from "./saml-assertion.ts";
import type { SamlForm } from "./saml-form.ts";
import { identityOf } from "./token-identity.ts";
import { audienceRefused, expired, issuerRefused, notYet, signatureRefused } from "./token-refusals.ts";
import { nameOf, readXml } from "./xml.ts";

/** What the settings say of a provider, whoever shows its responses. */
type Terms = Pick<SamlProvider, "url" | "certificates" | "audience" | "recipient" | "clockSkewMs">;

/** `form`: that of the response, which is one of this provider's by its own word. Throws TOKEN_… */
export async function identifyBySaml(provider: SamlProvider, form: SamlForm, nowMs: number): Promise<Identity> {
  const assertion = await believed(provider, form, nowMs);
  const { id, subject, endsMs, sessionEndsMs } = assertion;
  const said = {
    ...{ claims: claimsOf(assertion), subject: [NAME_ID, subject] as const },
    ...{ id: ["assertion", id], endsMs, sessionEndsMs },
  };
  return identityOf(provider, Object.entries(provider.claims), said, nowMs);
}

/** The assertion of a response: signed by its provider, meant for us, and for now. Throws TOKEN_… */
export async function believed(terms: Terms, form: SamlForm, nowMs: number): Promise<Assertion> {
  const assertion = await verified(terms, form);
  const { url, audience, recipient, clockSkewMs } = terms;
  if (assertion.issuer !== url) throw issuerRefused();
  if (!assertion.audiences.every((meant) => meant.includes(audience))) throw audienceRefused();
  if (recipient !== undefined) {
    if (assertion.recipient !== recipient || (form.destination ?? recipient) !== recipient) throw audienceRefused();
  }
  if (Math.max(assertion.beginsMs, assertion.issuedMs) > nowMs + clockSkewMs) throw notYet();
  if (assertion.endsMs <= nowMs - clockSkewMs) throw expired();
  return assertion;
}

/** Where a browser has to go with this request (AuthnRequest). Source: SAML 2.0 bindings, section 3.4 (HTTP Redirect). */
export function signOnUrl(login: SamlLogin, requestId: string, relayState: string): Promise<string> {
  const requester = new SAML({
    ...{ issuer: login.audience, callbackUrl: login.recipient, entryPoint: login.signOn },
    ...{ idpCert: [...login.certificates], generateUniqueId: () => requestId },
    // how people log in, and how their provider names them, is the provider's to say
    ...{ identifierFormat: null, disableRequestedAuthnContext: true },
  });
  return requester.getAuthorizeUrlAsync(relayState, undefined, {});
}

/** What is signed, and no more. Throws TOKEN_SIGNATURE. */
async function verified({ certificates, audience, recipient }: Terms, form: SamlForm): Promise<Assertion> {
  const verifier = new SAML({
    idpCert: [...certificates],
    wantAssertionsSigned: true,
    wantAuthnResponseSigned: form.isWholeSigned,
    ...{ issuer: audience, callbackUrl: recipient ?? audience },
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
export function claimsOf({ attributes, subject }: Assertion): Readonly<Record<string, unknown>> {
  const claims: Record<string, unknown> = Object.create(null);
  for (const [name, values] of attributes) claims[name] = values.length === 1 ? values[0] : values;
  claims[NAME_ID] = subject;
  return claims;
}
