/** A human at a SAML identity provider: requests of theirs, and its answers to these. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { inflateRawSync } from "node:zlib";
import type { HumanConfiguration } from "../../src/identity/humans/humans.ts";
import type { SamlLogin } from "../../src/model/human.ts";
import { ENTITY, type Said } from "../kit/saml.ts";
import { ASKING, humansBy } from "./human-world.ts";
import { changed, clock, encoded, GROUPS, keys, response, SKEW_MS, signed } from "./saml-documents.ts";

const SIGN_ON = "https://idp.acme.example/sso?tenant=acme";
export const AUDIENCE = "https://sallyport.example/humans";
export const ACS = "http://127.0.0.1:7420/saml";
export const MAIL = "urn:oid:0.9.2342.19200300.100.1.3";
export const OTHER = { uid: 2002, pid: 8 };

export const login = (changes: Partial<SamlLogin> = {}): SamlLogin => ({
  ...{ kind: "saml", name: "legacy", url: ENTITY, signOn: SIGN_ON, certificates: [keys.current.certificate] },
  ...{ audience: AUDIENCE, recipient: ACS, clockSkewMs: SKEW_MS, groups: { claim: GROUPS }, subject: "NameID" },
  ...{ displayName: MAIL, idleMs: 900_000, lastsMs: 43_200_000, ...changes },
});
export const ROLES = { reviewer: ["legacy:builders"], auditor: ["legacy:audit"] } as const;

export interface Asked {
  readonly relayState: string;
  readonly requestId: string;
}

export async function scene(t: TestContext, changes: Partial<HumanConfiguration> = {}) {
  const configuration = { logins: [login()], people: [], roles: ROLES, ...changes };
  const { begin: restart, ...world } = await humansBy(configuration, t, clock);
  const { humans } = world;
  const begin = async (asking = ASKING) => {
    const { url, relayState } = await humans.beginSaml("legacy", asking);
    const { searchParams } = new URL(url);
    const xml = inflateRawSync(Buffer.from(searchParams.get("SAMLRequest") ?? "", "base64")).toString();
    return { url, relayState, xml, requestId: / ID="([^"]+)"/.exec(xml)?.[1] ?? assert.fail("it has no ID") };
  };
  const end = ({ relayState }: Asked, xml: string, asking = ASKING) => humans.endSaml(encoded(xml), relayState, asking);
  return { ...world, restart, begin, end };
}
export type Scene = Awaited<ReturnType<typeof scene>>;

/** As the provider answers this request, unsigned. */
export const answerTo = ({ requestId }: Asked, more: Partial<Said> = {}) =>
  response({ audience: AUDIENCE, recipient: ACS, inResponseTo: requestId, ...more });
export const good = (asked: Asked, more: Partial<Said> = {}) => signed(answerTo(asked, more));
export const inConfirmation = (xml: string, attributes: string) =>
  changed(xml, /(<saml:SubjectConfirmationData [^>]*) InResponseTo="[^"]*"/, `$1${attributes}`);
export const inStatement = (xml: string, attributes: string) =>
  changed(xml, "<saml:AuthnStatement ", `<saml:AuthnStatement ${attributes} `);
export const inName = (xml: string, format: string) =>
  changed(xml, "<saml:NameID>", `<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:${format}">`);
export const sessionUntil = (ms: number) => `SessionNotOnOrAfter="${new Date(clock.nowMs() + ms).toISOString()}"`;

/** Refused by that code, or as LOGIN_REFUSED for that reason; nothing of a response is in what is said. */
export async function refused(attempt: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(attempt, (error: Error & { readonly code?: string; readonly remedy?: string }) => {
    if (code.startsWith("LOGIN_")) assert.equal(error.code, code);
    else assert.deepEqual([error.code, / \((\w+)\)$/.exec(error.message)?.[1]], ["LOGIN_REFUSED", code], error.message);
    const said = JSON.stringify([error.message, error.remedy, error.stack, error.cause ?? ""]);
    for (const secret of ["canary", "acme.example", "payments"]) assert.ok(!said.includes(secret), `shown: ${said}`);
    return true;
  });
}
