/** Certificate and key of the API's listener: read where the settings say, refused by a word, hidden from agents. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { PEM_BYTES_MAX } from "../../src/base/limits.ts";
import { readSettings } from "../../src/config.ts";
import { readDoor } from "../../src/daemon/api-door.ts";
import { ownSecrets } from "../../src/daemon/own-secrets.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-door-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const settings = (text: string) => readSettings(text, join(folder, "sallyport.yaml"));
const API = "api: { certificate: api.pem, key: { file: key.pem }, names: [a.internal] }\n";
const readSecret = async () => Buffer.from("the key");

test("without `api` there is no door", async () => {
  assert.equal(await readDoor(settings("").api, readSecret), undefined);
});

test("a door has the certificate and the key as they are now", async () => {
  writeFileSync(join(folder, "api.pem"), "the certificate");
  const certificate = Buffer.from("the certificate");
  const at = { address: "127.0.0.1", port: 8443, names: ["a.internal"], signIn: [], takesAnswers: false };
  assert.deepEqual(await readDoor(settings(API).api, readSecret), { ...at, certificate, key: Buffer.from("the key") });
});

test("a certificate that is not there, or is too large to be one, is refused with API_CERTIFICATE", async () => {
  rmSync(join(folder, "api.pem"), { force: true });
  await assert.rejects(readDoor(settings(API).api, readSecret), { code: "API_CERTIFICATE", message: /ENOENT/ });
  writeFileSync(join(folder, "api.pem"), "x".repeat(PEM_BYTES_MAX + 1));
  await assert.rejects(readDoor(settings(API).api, readSecret), { code: "API_CERTIFICATE", message: /larger/ });
});

test("the file of the key is hidden from what runs as root inside of an agent", () => {
  assert.deepEqual(ownSecrets(settings(API)), [join(folder, "key.pem")]);
  assert.deepEqual(ownSecrets(settings("api: { certificate: c, key: { systemd: k } }\n")), []);
});
