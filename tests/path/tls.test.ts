import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { TLSSocket, connect as tlsConnect } from "node:tls";
import type { Address } from "../../src/model/address.ts";
import type { Connection, UpstreamTls } from "../../src/model/connection.ts";
import { clientOptions, type Leaf, leafNames, serverOptions } from "../../src/path/tls.ts";
import { makeCertificate } from "../kit/certificate.ts";
import { acceptedWire, dialledWire, until } from "./kit.ts";

const server = { cert: "", key: "", ca: "" };
before(() => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  const files = makeCertificate(folder, ["db.example", "127.0.0.1"]);
  server.cert = readFileSync(files.certificateFile, "utf8");
  server.key = readFileSync(files.keyFile, "utf8");
  server.ca = readFileSync(files.caFile, "utf8");
  rmSync(folder, { recursive: true });
});

const name = (host: string): Address => ({ kind: "name", host, port: 5432 });
const network: Address = { kind: "network", address: "127.0.0.1", family: 4, prefix: 32, port: 5432 };
const connectionOf = (tls: UpstreamTls, addresses: readonly Address[]): Connection => ({
  ...{ name: "orders", protocol: "postgres", labels: {}, data: {} },
  ...{ tls, addresses },
});

const leaves = [
  {
    addresses: [name("a.example"), name("b.example")],
    dialled: "192.0.2.1",
    names: ["a.example", "b.example", "192.0.2.1"],
  },
  { addresses: [network], dialled: "127.0.0.1", names: ["127.0.0.1"] },
  { addresses: [name("a.example"), name("a.example")], dialled: "a.example", names: ["a.example"] },
] as const;
for (const { addresses, dialled, names } of leaves) {
  test(`the leaf for ${dialled} carries ${names.join(", ")}`, () =>
    assert.deepEqual(leafNames(addresses, dialled), names));
}

/** A TLS handshake of ours with the test's server. Resolves with the name that was asked for by SNI. */
async function handshake(t: TestContext, tls: UpstreamTls, addresses: readonly Address[], dialled = "127.0.0.1") {
  const { server: raw, wire } = await dialledWire(t);
  const peer = new TLSSocket(raw, {
    cert: server.cert,
    key: server.key,
    isServer: true,
    SNICallback: (_asked, done) => done(null),
  });
  peer.on("error", () => {});
  t.after(() => peer.destroy());
  await wire.secureAsClient(clientOptions(connectionOf(tls, addresses), dialled));
  return (peer as unknown as { readonly servername?: string | false | null }).servername || "";
}

const accepted: readonly { name: string; tls: () => UpstreamTls; addresses: readonly Address[]; sni: string }[] = [
  {
    name: "the first name among the addresses",
    tls: () => ({ mode: "verify-full", ca: server.ca }),
    addresses: [name("db.example")],
    sni: "db.example",
  },
  {
    name: "the name in the settings",
    tls: () => ({ mode: "verify-full", ca: server.ca, name: "db.example" }),
    addresses: [name("other.example")],
    sni: "db.example",
  },
  {
    name: "the address that was dialled",
    tls: () => ({ mode: "verify-full", ca: server.ca }),
    addresses: [network],
    sni: "",
  },
  {
    name: "no name and no chain with `require`",
    tls: () => ({ mode: "require" }),
    addresses: [name("other.example")],
    sni: "other.example",
  },
];
for (const { name: what, tls, addresses, sni } of accepted) {
  test(`a backend is accepted by ${what}`, async (t) => assert.equal(await handshake(t, tls(), addresses), sni));
}

const refused: readonly {
  name: string;
  tls: () => UpstreamTls;
  addresses: readonly Address[];
  dialled?: string;
  code: string;
}[] = [
  {
    name: "has another name",
    tls: () => ({ mode: "verify-full", ca: server.ca }),
    addresses: [name("other.example")],
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
  },
  {
    name: "has another name than the settings want",
    tls: () => ({ mode: "verify-full", ca: server.ca, name: "x.example" }),
    addresses: [name("db.example")],
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
  },
  {
    name: "has another address",
    tls: () => ({ mode: "verify-full", ca: server.ca }),
    addresses: [network],
    dialled: "127.0.0.2",
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
  },
  {
    name: "is signed by nobody whom we trust",
    tls: () => ({ mode: "verify-full" }),
    addresses: [name("db.example")],
    code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  },
];
for (const { name: what, tls, addresses, dialled, code } of refused) {
  test(`a backend that ${what} is refused`, async (t) => {
    await assert.rejects(handshake(t, tls(), addresses, dialled), { code });
  });
}

/** A client's handshake with a leaf of ours; all leaves are the one certificate of the test. */
async function guarded(t: TestContext, servername: string, leafFor?: (names: readonly string[]) => Promise<Leaf>) {
  const asked: (readonly string[])[] = [];
  const leaf = async (names: readonly string[]) => {
    asked.push(names);
    return { certPem: server.cert, keyPem: server.key };
  };
  const { client: raw, wire } = await acceptedWire(t);
  const client = tlsConnect({
    socket: raw,
    ca: server.ca,
    servername,
    ALPNProtocols: ["postgresql"],
    checkServerIdentity: () => undefined,
  });
  t.after(() => client.destroy());
  const heard = once(client, "secureConnect");
  const options = await serverOptions(leafFor ?? leaf, ["db.example", "127.0.0.1"], "postgresql");
  await Promise.all([wire.secureAsServer(options, new Uint8Array()), heard]);
  return { asked, alpn: client.alpnProtocol };
}

test("an agent that asks for a name of the connection gets its leaf, made once", async (t) => {
  assert.deepEqual(await guarded(t, "db.example"), { asked: [["db.example", "127.0.0.1"]], alpn: "postgresql" });
});

test("an agent that asks for another name gets a leaf with that one on top", async (t) => {
  const { asked } = await guarded(t, "alias.example");
  assert.deepEqual(asked[1], ["db.example", "127.0.0.1", "alias.example"]);
});

test("a name for which there can be no leaf ends the handshake, nothing else", async (t) => {
  const leafFor = async (names: readonly string[]): Promise<Leaf> => {
    if (names.includes("bad.example")) throw new Error("SERVER_NAME");
    return { certPem: server.cert, keyPem: server.key };
  };
  await assert.rejects(guarded(t, "bad.example", leafFor));
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`an agent cannot take up a session of ${version} again: each connection proves the leaf anew`, async (t) => {
    const leaf = { certPem: server.cert, keyPem: server.key };
    const connect = async (session?: Buffer) => {
      const { client: raw, wire } = await acceptedWire(t);
      const sessions: Buffer[] = [];
      const client = tlsConnect({ socket: raw, ca: server.ca, servername: "db.example", maxVersion: version, session });
      client.on("session", (one: Buffer) => sessions.push(one));
      t.after(() => client.destroy());
      const heard = once(client, "secureConnect");
      const options = await serverOptions(async () => leaf, ["db.example"], undefined);
      await Promise.all([wire.secureAsServer(options, new Uint8Array()), heard]);
      wire.start({ bytes: () => {}, ended: () => {}, drained: () => {} });
      wire.write(Buffer.from("what comes behind the handshake"));
      await once(client, "data");
      // By TLS 1.3 what could be taken up comes behind the handshake.
      if (version === "TLSv1.3") await until(() => sessions.length > 0, "what the client could show again");
      assert.equal(client.getProtocol(), version, "control");
      return { isReused: client.isSessionReused(), session: sessions.at(-1) ?? client.getSession() };
    };
    const { session } = await connect();
    assert.ok(session !== undefined, "control: the client has something to show");
    assert.equal((await connect(session)).isReused, false);
  });
}
