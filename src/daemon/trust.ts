/** The variables that make ordinary clients trust the local CA; `run` sets them, `trust env` prints them. */
export function trustEnvironment(caFile: string, bundleFile: string): Readonly<Record<string, string>> {
  return {
    PGSSLROOTCERT: caFile, // libpq reads no system store by itself
    NODE_EXTRA_CA_CERTS: caFile, // added to Node's own roots
    SSL_CERT_FILE: bundleFile, // these replace the roots, so they get all of them
    REQUESTS_CA_BUNDLE: bundleFile,
    CURL_CA_BUNDLE: bundleFile,
    GIT_SSL_CAINFO: bundleFile,
    AWS_CA_BUNDLE: bundleFile,
  };
}
