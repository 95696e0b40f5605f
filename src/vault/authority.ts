/**
 * The local certificate authority: what agents trust instead of the backend's own certificate. Its key
 * stays in the state folder; leaf keys live in memory only.
 */
// @peculiar/x509 finds its parts by decorators, which need this to be loaded first.
import "reflect-metadata";
import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import type { Clock } from "../base/clock.ts";
import { messageOf, ProtocolError, UserError } from "../base/errors.ts";
import { LEAVES_MAX } from "../base/limits.ts";
import { preparePrivateFolder } from "../store/database.ts";
import { javaStore } from "./java-store.ts";

export interface Leaf {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface Authority {
  readonly caPem: string;
  /** SHA-256 of the certificate, "AB:CD:…". */
  readonly fingerprint: string;
  /** `ca.pem` in the public folder: our certificate alone. */
  readonly caFile: string;
  /** `bundle.pem` in the public folder: the system's certificates and ours, for SSL_CERT_FILE and its like. */
  readonly bundleFile: string;
  /** `trust.jks` in the public folder: the same for JVMs. */
  readonly javaFile: string;
  /**
   * A certificate for these DNS names and IP addresses, kept until a day before its end. Throws
   * ProtocolError SERVER_NAME for what is neither.
   */
  leafFor(names: readonly string[]): Promise<Leaf>;
}

export interface AuthorityOptions {
  /** Private: `<state>/ca`. */
  readonly dir: string;
  /** A folder that agents may read; made with mode 0755. */
  readonly publicDir: string;
  readonly clock: Clock;
  /** The system's bundle; where it is missing the bundle holds our certificate alone. */
  readonly systemBundle?: string;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const CA_DAYS = 3_650;
const LEAF_DAYS = 7;
/** Names of one leaf: a connection's addresses. */
const NAMES_MAX = 100;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DEBIAN_BUNDLE = "/etc/ssl/certs/ca-certificates.crt";

/** Opens the authority in `dir`, or makes it. Throws UserError CA_DAMAGED, CA_EXPIRED, STORE_FOLDER_MODE. */
export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
  const { dir, publicDir, clock, systemBundle = DEBIAN_BUNDLE } = options;
  preparePrivateFolder(dir);
  const ca = (await readCa(dir, clock.nowMs())) ?? (await makeCa(dir, clock.nowMs()));
  const files = publish(publicDir, ca.pem, systemBundle);
  const leafKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const leafKeyPem = x509.PemConverter.encode(
    await webcrypto.subtle.exportKey("pkcs8", leafKeys.privateKey),
    "PRIVATE KEY",
  );

  /** In order of last use: the first is the one to go. */
  const leaves = new Map<string, { readonly leaf: Promise<Leaf>; readonly renewAtMs: number }>();

  async function issue(names: x509.JsonGeneralNames, nowMs: number): Promise<Leaf> {
    const certificate = await x509.X509CertificateGenerator.create({
      issuer: ca.certificate.subject,
      notBefore: new Date(nowMs - HOUR_MS),
      notAfter: new Date(nowMs + LEAF_DAYS * DAY_MS),
      publicKey: leafKeys.publicKey,
      signingKey: ca.key,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        // Critical because there is no subject (RFC 5280, 4.2.1.6).
        new x509.SubjectAlternativeNameExtension(names, true),
        await x509.AuthorityKeyIdentifierExtension.create(ca.certificate.publicKey),
      ],
    });
    return { certPem: `${certificate.toString("pem")}\n`, keyPem: leafKeyPem };
  }

  return {
    caPem: ca.pem,
    fingerprint: new X509Certificate(ca.pem).fingerprint256,
    ...files,
    async leafFor(asked) {
      const names = generalNames(asked);
      const nowMs = clock.nowMs();
      const id = JSON.stringify(names);
      let known = leaves.get(id);
      leaves.delete(id);
      if (known === undefined || nowMs >= known.renewAtMs) {
        known = { leaf: issue(names, nowMs), renewAtMs: nowMs + (LEAF_DAYS - 1) * DAY_MS };
      }
      leaves.set(id, known);
      for (const oldest of leaves.keys()) {
        if (leaves.size <= LEAVES_MAX) break;
        leaves.delete(oldest);
      }
      try {
        return await known.leaf;
      } catch (error) {
        leaves.delete(id);
        throw error;
      }
    },
  };
}

/** Sorted and without repeats, so that the same set finds the same leaf. */
function generalNames(names: readonly string[]): x509.JsonGeneralNames {
  const unique = [...new Set(names.map((name) => name.toLowerCase().replace(/\.$/, "")))].sort();
  if (unique.length === 0 || unique.length > NAMES_MAX) {
    throw new ProtocolError("SERVER_NAME", `Cannot issue a certificate: ${unique.length} names`);
  }
  return unique.map((value) => {
    if (isIP(value) !== 0) return { type: "ip", value };
    if (
      value.length <= 253 &&
      value.split(".").every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))
    ) {
      return { type: "dns", value };
    }
    throw new ProtocolError(
      "SERVER_NAME",
      "Cannot issue a certificate: the name is neither a host name nor an address",
    );
  });
}

interface Ca {
  readonly pem: string;
  readonly certificate: x509.X509Certificate;
  readonly key: webcrypto.CryptoKey;
}

async function readCa(dir: string, nowMs: number): Promise<Ca | undefined> {
  const certFile = join(dir, "ca.pem");
  const keyFile = join(dir, "ca.key");
  // A key alone is what a crash between the two files leaves: nobody trusts it yet.
  if (!existsSync(certFile)) return undefined;
  const remedy = `Restore both from a backup, or remove ${dir}: a new authority is made, and agents must trust it anew`;
  try {
    if ((statSync(keyFile).mode & 0o077) !== 0) throw new Error(`${keyFile} may be used by others`);
    const pem = readFileSync(certFile, "utf8");
    const keyPem = readFileSync(keyFile, "utf8");
    const parsed = new X509Certificate(pem);
    if (!parsed.checkPrivateKey(createPrivateKey(keyPem)))
      throw new Error("key and certificate do not belong together");
    if (nowMs > Date.parse(parsed.validTo)) {
      throw new UserError(
        "CA_EXPIRED",
        `Cannot use the local authority in ${dir}: it ended on ${parsed.validTo}`,
        remedy,
      );
    }
    return { pem, certificate: new x509.X509Certificate(pem), key: await importKey(keyPem) };
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError("CA_DAMAGED", `Cannot use the local authority in ${dir}: ${messageOf(cause)}`, remedy, {
      cause,
    });
  }
}

async function makeCa(dir: string, nowMs: number): Promise<Ca> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const id = Buffer.from(webcrypto.getRandomValues(new Uint8Array(4))).toString("hex");
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // A name of its own per installation: two authorities of one name confuse clients that trust both.
    name: [{ O: ["Sallyport"] }, { CN: [`Sallyport local authority ${id}`] }],
    notBefore: new Date(nowMs - HOUR_MS),
    notAfter: new Date(nowMs + CA_DAYS * DAY_MS),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const pem = `${certificate.toString("pem")}\n`;
  const keyPem = x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  // The key first: a crash in between leaves a key without a certificate, which is made anew.
  replaceFile(join(dir, "ca.key"), keyPem, 0o600);
  replaceFile(join(dir, "ca.pem"), pem, 0o644);
  return { pem, certificate, key: await importKey(keyPem) };
}

/** Not extractable: the running daemon can sign with it, not hand it out. */
function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ format: "der", type: "pkcs8" });
  return webcrypto.subtle.importKey("pkcs8", der, ALGORITHM, false, ["sign"]);
}

function publish(
  folder: string,
  caPem: string,
  systemBundle: string,
): Pick<Authority, "caFile" | "bundleFile" | "javaFile"> {
  // mkdir obeys the umask; agents of any user must be able to read what lies here.
  if (mkdirSync(folder, { recursive: true, mode: 0o755 }) !== undefined) chmodSync(folder, 0o755);
  const caFile = join(folder, "ca.pem");
  const bundleFile = join(folder, "bundle.pem");
  const system = existsSync(systemBundle) ? readFileSync(systemBundle, "utf8").trimEnd() : "";
  replaceFile(caFile, caPem, 0o644);
  const bundle = system === "" ? caPem : `${system}\n${caPem}`;
  replaceFile(bundleFile, bundle, 0o644);
  const javaFile = join(folder, "trust.jks");
  replaceFile(javaFile, javaStore(bundle), 0o644);
  return { caFile, bundleFile, javaFile };
}

/** Readers see the old file or the new one, never a part. */
function replaceFile(file: string, content: string | Uint8Array, mode: number): void {
  const fresh = `${file}.new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, content, { mode, flag: "wx", flush: true });
  chmodSync(fresh, mode);
  renameSync(fresh, file);
}
