/** Where the authority's certificates lie for clients of each kind. */
export interface TrustFiles {
  readonly caFile: string;
  readonly bundleFile: string;
  readonly javaFile: string;
}

/** The variables that make ordinary clients trust the local CA; `run` sets them, `trust env` prints them. */
export function trustEnvironment({ caFile, bundleFile, javaFile }: TrustFiles): Readonly<Record<string, string>> {
  return {
    PGSSLROOTCERT: caFile, // libpq reads no system store by itself
    NODE_EXTRA_CA_CERTS: caFile, // added to Node's own roots
    SSL_CERT_FILE: bundleFile, // these replace the roots, so they get all of them
    REQUESTS_CA_BUNDLE: bundleFile,
    CURL_CA_BUNDLE: bundleFile,
    GIT_SSL_CAINFO: bundleFile,
    AWS_CA_BUNDLE: bundleFile,
    JAVA_TOOL_OPTIONS: `${quoted(`-Djavax.net.ssl.trustStore=${javaFile}`)} -Djavax.net.ssl.trustStoreType=jks`,
  };
}

/** Java takes the variable apart at blanks. */
function quoted(option: string): string {
  return /\s/.test(option) ? `"${option}"` : option;
}
