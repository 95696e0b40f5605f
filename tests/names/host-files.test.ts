/** What this host's own files say of names, and that a change is noticed. */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { HOST_FILE_AGE_MS, HOST_FILE_BYTES_MAX } from "../../src/base/limits.ts";
import { createHostFiles } from "../../src/names/host-files.ts";
import { folder } from "../store/folder.ts";

function open(t: TestContext, texts: { readonly hosts?: string; readonly resolv?: string }) {
  const at = folder(t);
  const paths = { hosts: join(at, "hosts"), resolvConf: join(at, "resolv.conf") };
  if (texts.hosts !== undefined) writeFileSync(paths.hosts, texts.hosts);
  if (texts.resolv !== undefined) writeFileSync(paths.resolvConf, texts.resolv);
  const clock = { ms: 0 };
  return { ...paths, clock, files: createHostFiles({ nowMs: () => clock.ms }, paths, "Box") };
}

test("names are found in any spelling, with all their addresses, each once", (t) => {
  const hosts =
    "# comment\n127.0.0.1 localhost\n192.0.2.1\tDb.Internal. db # tail\n192.0.2.1 db\n2001:DB8::1 db\nnonsense x\n";
  const { files } = open(t, { hosts });
  assert.deepEqual(files.addressesOf("db"), ["192.0.2.1", "2001:db8::1"]);
  assert.deepEqual(files.addressesOf("db.internal"), ["192.0.2.1"]);
  for (const name of ["x", "comment", "tail", "constructor"]) assert.deepEqual(files.addressesOf(name), []);
});

test("the last search list counts, and the host is known behind it", (t) => {
  const { files } = open(t, { resolv: "search a.test\nsearch b.test. C.test\nnameserver 192.0.2.1\n" });
  assert.deepEqual(files.search(), ["b.test", "c.test"]);
  assert.deepEqual(
    ["box", "box.b.test", "box.a.test", "other"].map((name) => files.isOwn(name)),
    [true, true, false, false],
  );
});

test("a file that changes, vanishes or is missing is noticed after a moment", (t) => {
  const { files, hosts, clock } = open(t, { hosts: "192.0.2.1 db\n" });
  assert.deepEqual(files.addressesOf("db"), ["192.0.2.1"]);
  writeFileSync(hosts, "192.0.2.22 db\n");
  assert.deepEqual(files.addressesOf("db"), ["192.0.2.1"]);
  clock.ms += HOST_FILE_AGE_MS;
  assert.deepEqual(files.addressesOf("db"), ["192.0.2.22"]);
  rmSync(hosts);
  clock.ms += HOST_FILE_AGE_MS;
  assert.deepEqual(files.addressesOf("db"), []);
  assert.deepEqual(files.search(), []);
});

test("a file that is too large says nothing", (t) => {
  const { files } = open(t, { hosts: `192.0.2.1 db\n${"#".repeat(HOST_FILE_BYTES_MAX)}` });
  assert.deepEqual(files.addressesOf("db"), []);
});
