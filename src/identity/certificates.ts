/** The certificate of one who signs, from a file of the settings: its key, strong enough to be believed. */
import { X509Certificate } from "node:crypto";
import { UserError } from "../base/errors.ts";

/** Below it, and other than RSA, a signature is none that the verifier of SAML responses takes. */
const RSA_BITS_MIN = 2_048;
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * In PEM, without what stands around it in the file. What else it says (dates, names) does not count: it is taken because the
 * settings name it. Throws CERTIFICATE_INVALID.
 */
export function readCertificate(text: string, file: string): string {
  const [pem, ...more] = text.match(PEM) ?? [];
  if (pem === undefined || more.length > 0) throw invalid(file, "it has not exactly one certificate in PEM");
  const certificate = certificateOf(pem, file);
  const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
  const isStrong = asymmetricKeyType === "rsa" && (asymmetricKeyDetails?.modulusLength ?? 0) >= RSA_BITS_MIN;
  if (!isStrong) throw invalid(file, `its key is not RSA of ${RSA_BITS_MIN} bits or more`);
  return certificate.toString();
}

function certificateOf(pem: string, file: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw invalid(file, "it is broken");
  }
}

function invalid(file: string, why: string): UserError {
  const remedy =
    "Take the signing certificate from the metadata of the identity provider, as PEM, each in a file of its own";
  return new UserError("CERTIFICATE_INVALID", `Cannot use the certificate in ${file}: ${why}`, remedy);
}
