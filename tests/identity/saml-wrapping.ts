/** Ways to wrap, cut and sign a SAML response by which a reader that is not careful takes ATTACKER for its subject. */
import type { How, Said } from "../kit/saml.ts";
import {
  ASSERTION,
  ATTACKER,
  changed,
  keys,
  part,
  SIGNATURE,
  SUBJECT,
  signed as signedBy,
  signedWhole,
} from "./saml-documents.ts";

/** With the code of its refusal. */
type Row = readonly [name: string, make: () => string, code: string];

/** So that it is the signature of the whole by which a reader is fooled. */
const KEY_INFO_OF_ASSERTION = /(<saml:Assertion .*)<ds:KeyInfo>.*<\/ds:KeyInfo>/s;

/** Of one signed assertion: it, it without its signature, and the attacker's with and without that signature. */
function pieces(xml: string) {
  const assertion = part(xml, ASSERTION);
  const bare = changed(assertion, SIGNATURE, "");
  const forge = (text: string) => changed(changed(text, / ID="[^"]*"/, ' ID="_evil"'), SUBJECT, ATTACKER);
  return { assertion, bare, evil: forge(assertion), bareEvil: forge(bare) };
}
const within = (element: string, tag: string, more: string) => changed(element, `</${tag}>`, `${more}</${tag}>`);

/** `response`: a good one, unsigned, that says what it is given. By each the reader in tests/kit/saml.ts is fooled. */
export function wrappingOf(response: (more?: Partial<Said>) => string): readonly Row[] {
  const signed = (xml = response(), how: How = {}, key = keys.current) => signedBy(xml, how, key);
  /** A signature of a whole response, that without it, and an attacker's response with both of their own, by no known key. */
  const wholePieces = () => {
    const xml = signedWhole(signed());
    const signature = part(xml, SIGNATURE);
    const forged = signed(response({ id: "evil", subject: ATTACKER }), {}, keys.strange);
    const evil = changed(forged, "<samlp:Status>", `${signature}<samlp:Status>`);
    return { signature, bare: changed(xml, signature, ""), evil: changed(evil, KEY_INFO_OF_ASSERTION, "$1") };
  };
  return [
    [
      "XSW1: the signed response inside the signature of another",
      () => {
        const { signature, bare, evil } = wholePieces();
        return changed(evil, signature, within(signature, "ds:Signature", bare));
      },
      "TOKEN_MALFORMED",
    ],
    [
      "XSW2: the signed response beside its signature in another",
      () => {
        const { signature, bare, evil } = wholePieces();
        return changed(evil, signature, bare + signature);
      },
      "TOKEN_MALFORMED",
    ],
    [
      "XSW3: another assertion before the signed one",
      () => changed(signed(), ASSERTION, (all) => pieces(all).bareEvil + all),
      "TOKEN_MALFORMED",
    ],
    [
      "XSW4: the signed assertion inside another",
      () => changed(signed(), ASSERTION, (all) => within(pieces(all).bareEvil, "saml:Assertion", all)),
      "TOKEN_MALFORMED",
    ],
    [
      "XSW5: another assertion with the signature, and the signed one behind it",
      () => changed(signed(), ASSERTION, (all) => pieces(all).evil + pieces(all).bare),
      "TOKEN_MALFORMED",
    ],
    [
      "XSW6: another assertion with the signature, and the signed one inside that",
      () => changed(signed(), ASSERTION, (all) => within(pieces(all).evil, "ds:Signature", pieces(all).bare)),
      "TOKEN_MALFORMED",
    ],
    [
      "XSW7: another assertion among the extensions",
      () => changed(signed(), ASSERTION, (all) => `<samlp:Extensions>${pieces(all).bareEvil}</samlp:Extensions>${all}`),
      "TOKEN_MALFORMED",
    ],
    [
      "XSW8: the signed assertion as an object of the signature in another",
      () =>
        changed(signed(), ASSERTION, (all) =>
          within(pieces(all).evil, "ds:Signature", `<ds:Object>${pieces(all).bare}</ds:Object>`),
        ),
      "TOKEN_MALFORMED",
    ],
    [
      "the signed assertion in the details of the status",
      () => {
        const { bareEvil, assertion } = pieces(signed());
        const detail = `<samlp:StatusDetail>${assertion}</samlp:StatusDetail></samlp:Status>`;
        return changed(changed(signed(), ASSERTION, bareEvil), "</samlp:Status>", detail);
      },
      "TOKEN_SIGNATURE",
    ],
    [
      "the signed assertion in an attribute of another",
      () => {
        const { assertion, bareEvil } = pieces(signed());
        return changed(signed(), ASSERTION, changed(bareEvil, "payments<", `payments${assertion}<`));
      },
      "TOKEN_SIGNATURE",
    ],
    [
      "the signed assertion as advice",
      () => {
        const { assertion, bareEvil } = pieces(signed());
        return changed(
          signed(),
          ASSERTION,
          changed(bareEvil, "</saml:Conditions>", `</saml:Conditions><saml:Advice>${assertion}</saml:Advice>`),
        );
      },
      "TOKEN_MALFORMED",
    ],
    [
      "a comment that cuts the subject off",
      () => changed(signed(response({ subject: `${ATTACKER}.${SUBJECT}` })), `${ATTACKER}.`, `${ATTACKER}<!---->.`),
      "TOKEN_MALFORMED",
    ],
    [
      "an instruction that cuts the subject off, which was signed",
      () => signed(response({ subject: `${ATTACKER}<?x y?>.${SUBJECT}` })),
      "TOKEN_MALFORMED",
    ],
    [
      "an element that cuts the subject off, which was signed",
      () => signed(response({ subject: `${ATTACKER}<saml:x/>.${SUBJECT}` })),
      "TOKEN_CLAIMS",
    ],
    [
      "a key of the attacker, which it brings along",
      () => signed(response({ subject: ATTACKER }), {}, keys.strange),
      "TOKEN_SIGNATURE",
    ],
    [
      "HMAC with the provider's certificate as the secret",
      () => {
        const hmac = "http://www.w3.org/2000/09/xmldsig#hmac-sha1";
        return signed(response({ subject: ATTACKER }), { signature: hmac, secret: keys.current.certificate });
      },
      "TOKEN_ALGORITHM",
    ],
  ];
}
