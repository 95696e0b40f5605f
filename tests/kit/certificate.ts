/** Certificates for test servers, made by openssl at run time. Keys never outlive their folder. */
import { execFileSync } from "node:child_process";
import { isIP } from "node:net";
import { join } from "node:path";

export interface AuthorityFiles {
  /** PEM files: the authority, and a server's certificate and key (mode 0600). */
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** A fresh authority and one server certificate by it for these names and addresses, valid for two days. */
export function makeCertificate(folder: string, names: readonly string[]): AuthorityFiles {
  const file = (name: string) => join(folder, name);
  const [caFile, caKeyFile, certificateFile, keyFile] = [
    file("ca.pem"),
    file("ca-key.pem"),
    file("server.pem"),
    file("server-key.pem"),
  ];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-x509", "-days", "2"];
  openssl(["req", ...key, "-subj", "/CN=Test authority", "-keyout", caKeyFile, "-out", caFile]);
  const alternatives = names.map((name) => `${isIP(name) === 0 ? "DNS" : "IP"}:${name}`).join(",");
  const signed = ["-CA", caFile, "-CAkey", caKeyFile, "-addext", `subjectAltName=${alternatives}`];
  const leaf = ["-addext", "basicConstraints=critical,CA:FALSE", "-subj", "/CN=Test server"];
  openssl(["req", ...key, ...signed, ...leaf, "-keyout", keyFile, "-out", certificateFile]);
  return { caFile, certificateFile, keyFile };
}

function openssl(args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}
