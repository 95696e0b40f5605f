/**
 * Certificates as a store that Java reads (JKS): for JVMs, which know neither PEM nor the system's folder. Holds no key.
 * Shape: magic | version 2 | count | entries | SHA-1. Source: OpenJDK, sun.security.provider.JavaKeyStore.
 */
import { createHash, X509Certificate } from "node:crypto";

const MAGIC = 0xfeed_feed;
const VERSION = 2;
const TRUSTED = 2;
/** What Java's own store is made with. It proves nothing, and without it Java reads the store all the same. */
const PASSWORD = "changeit";
const WHITENER = "Mighty Aphrodite";

/** Of every certificate in `pem`; those that cannot be read are left out, because Java would refuse the whole store. */
export function javaStore(pem: string): Buffer {
  const certificates = (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).flatMap(
    readable,
  );
  const body = Buffer.concat([
    int32(MAGIC),
    int32(VERSION),
    int32(certificates.length),
    ...certificates.flatMap((certificate, place) => [
      int32(TRUSTED),
      text(`certificate-${place}`),
      int64(Date.parse(certificate.validFrom)),
      text("X.509"),
      int32(certificate.raw.length),
      certificate.raw,
    ]),
  ]);
  const password = Buffer.from(PASSWORD, "utf16le").swap16();
  return Buffer.concat([body, createHash("sha1").update(password).update(WHITENER).update(body).digest()]);
}

function readable(pem: string): readonly X509Certificate[] {
  try {
    return [new X509Certificate(pem)];
  } catch {
    return [];
  }
}

/** Length in two bytes, then the text, which is ASCII here. */
function text(value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(value.length);
  return Buffer.concat([length, Buffer.from(value, "latin1")]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}
