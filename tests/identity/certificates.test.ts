/** Certificates of identity providers, as files have them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readCertificate } from "../../src/identity/certificates.ts";
import { makeSamlKey } from "../kit/saml.ts";
import { folder } from "../store/folder.ts";

const FILE = "/etc/sallyport/corp.pem";

test("a certificate may have words around it", (t) => {
  const { certificate } = makeSamlKey(folder(t), "corp");
  assert.equal(readCertificate(`Subject: CN=corp\n${certificate}\nThat is all.\n`, FILE), certificate);
});

const bad = [
  ["nothing", () => "", /not exactly one/],
  ["a key", (base: string) => makeSamlKey(base, "x").privateKey, /not exactly one/],
  ["a certificate in DER", (base: string) => derOf(makeSamlKey(base, "x").certificate), /not exactly one/],
  ["a certificate that is cut off", (base: string) => cut(makeSamlKey(base, "x").certificate), /broken/],
  ["two certificates", (base: string) => makeSamlKey(base, "x").certificate.repeat(2), /not exactly one/],
  ["a key of 1024 bits", (base: string) => makeSamlKey(base, "x", "rsa:1024").certificate, /not RSA of 2048/],
  ["a key on a curve", (base: string) => makeSamlKey(base, "x", "ec").certificate, /not RSA of 2048/],
] as const;
for (const [name, make, why] of bad) {
  test(`a file with ${name} is refused by its name`, (t) => {
    assert.throws(
      () => readCertificate(make(folder(t)), FILE),
      (error: Error & { code?: string }) => {
        assert.deepEqual([error.code, error.message.includes(FILE)], ["CERTIFICATE_INVALID", true]);
        assert.match(error.message, why);
        return true;
      },
    );
  });
}

const derOf = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64").toString("latin1");
const cut = (pem: string) => pem.replace(/\n[^-]{400}/, "\n");
