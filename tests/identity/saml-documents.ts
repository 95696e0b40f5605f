/** SAML responses for tests of one provider, and who judges them; keys are made before the tests of a file, and gone after. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { IDENTITY_MS_MAX } from "../../src/base/limits.ts";
import { Tokens } from "../../src/identity/tokens.ts";
import type { SamlProvider } from "../../src/model/issuer.ts";
import {
  attribute,
  ENTITY,
  type How,
  makeSamlKey,
  RECIPIENT,
  responseXml,
  SAML_AUDIENCE,
  type Said,
  type SamlKey,
  signedAnew,
  signXml,
} from "../kit/saml.ts";
import { handClock, quietLog } from "../store/folder.ts";

export const SUBJECT = "canary-7731@acme.example";
export const ATTACKER = "admin@acme.example";
export const TEAM = "urn:oid:2.5.4.11";
export const GROUPS = "http://schemas.xmlsoap.org/claims/Group";
export const XS = "http://www.w3.org/2001/XMLSchema";
export const SKEW_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
export const keys: Record<"current" | "next" | "strange", SamlKey> = Object.create(null);
export const clock = handClock(Date.now());

before(() => {
  for (const name of ["current", "next", "strange"] as const) keys[name] = makeSamlKey(folder, name);
});
after(() => rmSync(folder, { recursive: true, force: true }));

export function settings(more: Partial<SamlProvider> = {}): SamlProvider {
  return {
    ...{ name: "corp", url: ENTITY, audience: SAML_AUDIENCE, recipient: RECIPIENT, clockSkewMs: SKEW_MS },
    ...{ certificates: [keys.current.certificate, keys.next.certificate], until: "cgroup", forMs: IDENTITY_MS_MAX },
    ...{ groups: { claim: GROUPS }, claims: { team: TEAM }, match: { [TEAM]: "pay*" }, agents: ["ci"], ...more },
  };
}

export function verifier(...providers: readonly SamlProvider[]): Tokens {
  const tokens = new Tokens({ clock, log: quietLog() });
  tokens.configure([], providers.length === 0 ? [settings()] : providers);
  return tokens;
}

export const ATTRIBUTES = attribute(TEAM, "payments") + attribute(GROUPS, "builders", "testers");
/** Unsigned: five minutes, with the attributes of a person at work. */
export function response(more: Partial<Said> = {}): string {
  const said = {
    ...{ id: "canary7731", issuer: ENTITY, subject: SUBJECT, audience: SAML_AUDIENCE, recipient: RECIPIENT },
    ...{ issuedMs: 0, beginsMs: 0, endsMs: 300_000, confirmedUntilMs: 300_000, attributes: ATTRIBUTES },
    ...{ status: "Success", ...more },
  };
  return responseXml(said, clock.nowMs());
}

export const encoded = (xml: string | Buffer) => Buffer.from(xml).toString("base64");
export const signed = (xml = response(), how: How = {}, key = keys.current) => signXml(xml, "Assertion", key, how);
export const signedWhole = (xml = response(), how: How = {}, key = keys.current) => signXml(xml, "Response", key, how);
/** What stands there once, as something else; after it was signed this is an attacker's work. */
export function changed(xml: string, what: string | RegExp, by: string | ((part: string) => string)): string {
  const other = xml.replace(what, by as string);
  assert.ok(other !== xml, `${what} is not there`);
  return other;
}
export const part = (xml: string, pattern: RegExp) => pattern.exec(xml)?.[0] ?? assert.fail(`${pattern} is not there`);
export const ASSERTION = /<saml:Assertion .*<\/saml:Assertion>/s;
/** The outermost one. */
export const SIGNATURE = /<ds:Signature .*?<\/ds:Signature>/s;

/** What the provider signs of its signature, as something else, but signed by it all the same. */
export const signature = (what: string | RegExp, by: string | ((part: string) => string)) =>
  signedAnew(changed(signed(), what, by), keys.current);

export const attributesOf = (xml: string) => signed(response({ attributes: ATTRIBUTES + xml }));

export async function refused(token: string, code: string, tokens = verifier()): Promise<void> {
  await assert.rejects(tokens.identify(token, "ci"), (error: Error & { code?: string; remedy?: string }) => {
    assert.equal(error.code, code, error.message);
    const said = JSON.stringify([error.message, error.remedy, error.stack, error.cause ?? ""]);
    assert.ok((error.remedy ?? "").length > 10);
    for (const secret of ["canary", "acme.example", "payments"]) assert.ok(!said.includes(secret), `shown: ${said}`);
    return true;
  });
}
