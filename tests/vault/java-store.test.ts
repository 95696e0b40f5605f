import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { openAuthority } from "../../src/vault/authority.ts";
import { folder, handClock } from "../store/folder.ts";

/** Read by what OpenJDK's JavaKeyStore says of the format. That Java reads it, `npm run transparency` shows. */
function entriesOf(store: Buffer): readonly { readonly alias: string; readonly certificate: Buffer }[] {
  assert.equal(store.subarray(0, 8).toString("hex"), "feedfeed00000002");
  let at = 12;
  const take = (length: number) => {
    at += length;
    return store.subarray(at - length, at);
  };
  const text = () => take(take(2).readUInt16BE()).toString();
  const entries = Array.from({ length: store.readUInt32BE(8) }, () => {
    assert.equal(take(4).readUInt32BE(), 2);
    const alias = text();
    take(8);
    assert.equal(text(), "X.509");
    return { alias, certificate: take(take(4).readUInt32BE()) };
  });
  const password = Buffer.concat([..."changeit"].map((letter) => Buffer.of(0, letter.charCodeAt(0))));
  const sum = createHash("sha1").update(password).update("Mighty Aphrodite").update(store.subarray(0, at)).digest();
  assert.deepEqual(store.subarray(at), sum);
  return entries;
}

test("the store for JVMs holds every readable certificate of the bundle under a name of its own", async (t) => {
  const dir = folder(t);
  const at = (name: string) => ({ dir: `${dir}/${name}`, publicDir: `${dir}/${name}.public`, clock: handClock() });
  const other = await openAuthority(at("other"));
  const unreadable = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  writeFileSync(`${dir}/system.pem`, `# a remark\n${unreadable}${other.caPem}`);
  const authority = await openAuthority({ ...at("own"), systemBundle: `${dir}/system.pem` });
  const entries = entriesOf(readFileSync(authority.javaFile));
  assert.equal(new Set(entries.map(({ alias }) => alias)).size, 2);
  assert.deepEqual(
    entries.map(({ certificate }) => certificate),
    [other.caPem, authority.caPem].map((pem) => new X509Certificate(pem).raw),
  );
});
