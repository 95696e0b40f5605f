import assert from "node:assert/strict";
import { test } from "node:test";
import { trustEnvironment } from "../../src/daemon/trust.ts";

test("variables that add to a client's roots name our certificate, those that replace them name the bundle", () => {
  const environment = trustEnvironment({ caFile: "/ca.pem", bundleFile: "/bundle.pem", javaFile: "/trust.jks" });
  assert.deepEqual(environment, {
    PGSSLROOTCERT: "/ca.pem",
    NODE_EXTRA_CA_CERTS: "/ca.pem",
    SSL_CERT_FILE: "/bundle.pem",
    REQUESTS_CA_BUNDLE: "/bundle.pem",
    CURL_CA_BUNDLE: "/bundle.pem",
    GIT_SSL_CAINFO: "/bundle.pem",
    AWS_CA_BUNDLE: "/bundle.pem",
    JAVA_TOOL_OPTIONS: "-Djavax.net.ssl.trustStore=/trust.jks -Djavax.net.ssl.trustStoreType=jks",
  });
});
