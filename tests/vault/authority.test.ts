import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { duplexPair } from "node:stream";
import { type TestContext, test } from "node:test";
import { connect, createSecureContext, TLSSocket } from "node:tls";
import { LEAVES_MAX } from "../../src/base/limits.ts";
import { type Authority, type AuthorityOptions, openAuthority } from "../../src/vault/authority.ts";
import { folder, handClock } from "../store/folder.ts";

// Real time: the clients below look at it, too.
const clock = () => handClock(Date.now());

function options(t: TestContext, more: Partial<AuthorityOptions> = {}): AuthorityOptions {
  const dir = folder(t);
  return { dir: join(dir, "state/ca"), publicDir: join(dir, "run/trust"), clock: clock(), ...more };
}

/** A handshake in memory; resolves with the name that the client verified. */
async function handshake(authority: Authority, names: readonly string[], host: string, ca: string): Promise<string> {
  const { certPem, keyPem } = await authority.leafFor(names);
  const [near, far] = duplexPair();
  const server = new TLSSocket(far, {
    isServer: true,
    secureContext: createSecureContext({ cert: certPem, key: keyPem }),
  });
  server.on("error", () => undefined);
  const client = connect({ socket: near, host, ca });
  try {
    await once(client, "secureConnect");
    return host;
  } finally {
    client.destroy();
    server.destroy();
  }
}

const names = ["orders.db.internal", "192.0.2.7", "2001:db8::7", "under_score.internal"] as const;
for (const name of names) {
  test(`a client that trusts the authority accepts a leaf for ${name}`, async (t) => {
    const authority = await openAuthority(options(t));
    assert.equal(await handshake(authority, names, name, authority.caPem), name);
  });
}

test("a client refuses a leaf for a name or an address that it did not dial", async (t) => {
  const authority = await openAuthority(options(t));
  for (const other of ["other.internal", "192.0.2.8", "2001:db8::8"]) {
    await assert.rejects(handshake(authority, names, other, authority.caPem), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  }
});

test("a client that trusts another authority refuses the leaf", async (t) => {
  const [authority, other] = [await openAuthority(options(t)), await openAuthority(options(t))];
  await assert.rejects(handshake(authority, names, names[0], other.caPem));
});

test("openssl verifies chain, purpose, name and address", async (t) => {
  const given = options(t);
  const authority = await openAuthority(given);
  const leaf = join(given.publicDir, "leaf.pem");
  writeFileSync(leaf, (await authority.leafFor(names)).certPem);
  const verify = (...more: string[]) =>
    execFileSync(
      "openssl",
      ["verify", "-x509_strict", "-purpose", "sslserver", ...more, "-CAfile", authority.caFile, leaf],
      {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
  assert.match(verify("-verify_hostname", names[0]), /OK/);
  assert.match(verify("-verify_ip", names[1]), /OK/);
  assert.match(verify("-verify_ip", names[2]), /OK/);
  assert.throws(() => verify("-verify_hostname", "other.internal"));
  assert.throws(() => verify("-verify_ip", "2001:db8::8"));
});

test("a leaf is valid from an hour ago for seven days, names its hosts only as alternative names, and is no authority", async (t) => {
  const given = options(t);
  const authority = await openAuthority(given);
  const leaf = new X509Certificate((await authority.leafFor(["a.internal", "2001:db8::7"])).certPem);
  const nowS = Math.floor(given.clock.nowMs() / 1000);
  assert.equal(Date.parse(leaf.validFrom) / 1000, nowS - 3_600);
  assert.equal(Date.parse(leaf.validTo) / 1000, nowS + 7 * 86_400);
  assert.equal(leaf.subject ?? "", "");
  assert.match(leaf.subjectAltName ?? "", /DNS:a\.internal/);
  assert.match(leaf.subjectAltName ?? "", /IP Address:2001:DB8:0:0:0:0:0:7/);
  assert.equal(leaf.ca, false);
  assert.equal(leaf.checkIssued(new X509Certificate(authority.caPem)), true);
});

test("the authority is made once and keeps its key to the owner", async (t) => {
  const given = options(t);
  const first = await openAuthority(given);
  const again = await openAuthority(given);
  assert.equal(again.caPem, first.caPem);
  assert.equal(again.fingerprint, first.fingerprint);
  assert.match(first.fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  assert.equal(statSync(join(given.dir, "ca.key")).mode & 0o777, 0o600);
  assert.equal(statSync(given.dir).mode & 0o777, 0o700);
  assert.equal(await handshake(again, names, names[0], first.caPem), names[0]);
});

test("what agents may read is readable for all and holds no key", async (t) => {
  const umask = process.umask(0o077);
  t.after(() => process.umask(umask));
  const systemBundle = join(folder(t), "system.pem");
  const other = await openAuthority(options(t));
  writeFileSync(systemBundle, other.caPem);
  const given = options(t, { systemBundle });
  const authority = await openAuthority(given);
  assert.equal(statSync(given.publicDir).mode & 0o777, 0o755);
  for (const file of [authority.caFile, authority.bundleFile, authority.javaFile]) {
    assert.equal(statSync(file).mode & 0o777, 0o644);
    assert.doesNotMatch(readFileSync(file, "utf8"), /PRIVATE/);
  }
  assert.equal(readFileSync(authority.caFile, "utf8"), authority.caPem);
  assert.equal(readFileSync(authority.bundleFile, "utf8"), `${other.caPem}${authority.caPem}`);
});

test("without a system bundle ours stands alone", async (t) => {
  const authority = await openAuthority(options(t, { systemBundle: "/nonexistent/bundle.pem" }));
  assert.equal(readFileSync(authority.bundleFile, "utf8"), authority.caPem);
});

test("the same names in any order and spelling share a leaf until a day before its end", async (t) => {
  const hand = clock();
  const authority = await openAuthority(options(t, { clock: hand }));
  const first = await authority.leafFor(["a.internal", "b.internal"]);
  assert.equal(await authority.leafFor(["B.internal.", "a.internal", "a.internal"]), first);
  hand.advance(6 * 86_400_000 - 1);
  assert.equal(await authority.leafFor(["a.internal", "b.internal"]), first);
  hand.advance(1);
  const renewed = await authority.leafFor(["a.internal", "b.internal"]);
  assert.notEqual(renewed.certPem, first.certPem);
  assert.equal(renewed.keyPem, first.keyPem);
});

test("only so many leaves are kept, and the one used longest ago goes first", async (t) => {
  const authority = await openAuthority(options(t));
  const first = await authority.leafFor(["first.internal"]);
  const second = await authority.leafFor(["second.internal"]);
  for (let at = 0; at < LEAVES_MAX - 2; at += 1) await authority.leafFor([`n${at}.internal`]);
  assert.equal(await authority.leafFor(["first.internal"]), first);
  await authority.leafFor(["one-more.internal"]);
  assert.equal(await authority.leafFor(["first.internal"]), first);
  assert.notEqual((await authority.leafFor(["second.internal"])).certPem, second.certPem);
});

const badNames = [
  "",
  "*.internal",
  "a b",
  "a..b",
  "-a.internal",
  "x".repeat(64),
  "a\0b",
  "a,DNS:b",
  "1.2.3.4.5/8",
  "é.internal",
] as const;
for (const name of badNames) {
  test(`no leaf is issued for ${JSON.stringify(name.slice(0, 12))}`, async (t) => {
    const authority = await openAuthority(options(t));
    await assert.rejects(authority.leafFor([name]), { name: "ProtocolError", code: "SERVER_NAME" });
  });
}

test("no leaf is issued for no name at all", async (t) => {
  const authority = await openAuthority(options(t));
  await assert.rejects(authority.leafFor([]), { code: "SERVER_NAME" });
});

const damages: readonly { name: string; code: string; spoil: (given: AuthorityOptions) => Promise<void> | void }[] = [
  { name: "whose key others may read", code: "CA_DAMAGED", spoil: ({ dir }) => chmodSync(join(dir, "ca.key"), 0o644) },
  { name: "whose key is missing", code: "CA_DAMAGED", spoil: ({ dir }) => rmSync(join(dir, "ca.key")) },
  {
    name: "whose certificate is rubbish",
    code: "CA_DAMAGED",
    spoil: ({ dir }) => writeFileSync(join(dir, "ca.pem"), "x"),
  },
  {
    name: "whose key belongs to another",
    code: "CA_DAMAGED",
    async spoil({ dir, publicDir, clock }) {
      await openAuthority({ dir: `${dir}-other`, publicDir, clock });
      writeFileSync(join(dir, "ca.key"), readFileSync(join(`${dir}-other`, "ca.key")));
    },
  },
];
for (const { name, code, spoil } of damages) {
  test(`an authority ${name} is refused, not replaced`, async (t) => {
    const given = options(t);
    await openAuthority(given);
    await spoil(given);
    await assert.rejects(openAuthority(given), { name: "UserError", code });
  });
}

test("an authority that has ended is refused", async (t) => {
  const given = options(t);
  await openAuthority(given);
  await assert.rejects(openAuthority({ ...given, clock: handClock(Date.now() + 3_651 * 86_400_000) }), {
    code: "CA_EXPIRED",
  });
});

test("a key without a certificate is what a crash leaves: the authority is made anew", async (t) => {
  const given = options(t);
  mkdirSync(given.dir, { recursive: true, mode: 0o700 });
  writeFileSync(join(given.dir, "ca.key"), "", { mode: 0o600 });
  const authority = await openAuthority(given);
  assert.equal(await handshake(authority, names, names[0], authority.caPem), names[0]);
});
