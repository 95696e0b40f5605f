/** What an issuer of humans answers that no answer is: refused by a word, and never a fault of the daemon's. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { ISSUER_ANSWER_BYTES_MAX } from "../../src/base/limits.ts";
import { issuerFetch } from "../../src/identity/humans/issuer-fetch.ts";
import { makeCertificate } from "../kit/certificate.ts";
import { folder } from "../store/folder.ts";

/** Asks a server that answers with these bytes of HTTP and then leaves. */
async function asked(t: TestContext, answer: string) {
  const { certificateFile, keyFile, caFile } = makeCertificate(folder(t), ["127.0.0.1"]);
  const options: ServerOptions = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
  const server = createServer(options, ({ socket }) => void socket.end(answer));
  t.after(() => server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const fetch = issuerFetch("corp", readFileSync(caFile, "utf8"));
  return fetch(`https://127.0.0.1:${port}/`, { method: "GET", headers: {}, body: null, redirect: "manual" });
}

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

test("an answer is handed over whole", async (t) => {
  const answer = await asked(t, `${HEAD}content-length: 2\r\n\r\n{}`);
  assert.deepEqual([answer.status, await answer.text()], [200, "{}"]);
});

const refused = [
  ["a status that no answer has", "HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\n{}"],
  ["an answer that ends early", `${HEAD}content-length: 20\r\n\r\n{}`],
  ["an answer that is too large", `${HEAD}\r\n${"x".repeat(ISSUER_ANSWER_BYTES_MAX + 1)}`],
  ["what is no HTTP", "220 mail ready\r\n"],
] as const;
for (const [name, answer] of refused) {
  test(`${name} is refused`, async (t) => {
    await assert.rejects(asked(t, answer), { code: "LOGIN_UNREACHABLE" });
  });
}
