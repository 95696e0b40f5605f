/** `login` at a SAML identity provider: the page of this host to which any site may post, and what it takes of that. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { type OutgoingHttpHeaders, request } from "node:http";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { SAML_BYTES_MAX, SAML_POST_BYTES_MAX } from "../../src/base/limits.ts";
import { freePort } from "../kit/free-port.ts";
import { fakeDaemon } from "./fake-daemon.ts";
import { commandLineOf } from "./human-cli.ts";

async function world(t: TestContext) {
  const port = await freePort();
  const recipient = `http://127.0.0.1:${port}/saml`;
  const daemon = await fakeDaemon(t, ({ humans }) => ({
    humans: { ...humans, logins: async () => [{ name: "legacy", kind: "saml", recipient }] },
  }));
  return { daemon, cli: commandLineOf(t, daemon), port, recipient };
}

interface Posted {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly fields?: Readonly<Record<string, string>>;
}

/** What a page of another site makes a browser do. Undefined: it was cut off. */
function post(url: string, { method = "POST", headers = {}, fields = {} }: Posted = {}): Promise<number | undefined> {
  const body = new URLSearchParams({ SAMLResponse: "PHg+", RelayState: "re1ay", ...fields }).toString();
  const form = { "content-type": "application/x-www-form-urlencoded", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve) => {
    const sent = { method, agent: false as const, headers: { ...form, origin: "https://idp.example", ...headers } };
    const asked = request(url, sent, (answer) => answer.resume().once("end", () => resolve(answer.statusCode)));
    asked.once("error", () => resolve(undefined));
    asked.end(method === "POST" ? body : "");
  });
}

/** Runs `login`, and posts these once it waits, one after the other. */
async function login(t: TestContext, posted: (recipient: string) => readonly (readonly [string, Posted?])[]) {
  const { cli, recipient, daemon, port } = await world(t);
  const answers: (number | undefined)[] = [];
  let posting: Promise<void> | undefined;
  const ended = await cli.run(["login", "--issuer", "legacy"], {
    heard: (text) => {
      if (!/^https:\S+\n$/m.test(text)) return;
      posting ??= (async () => {
        for (const [url, how] of posted(recipient)) answers.push(await post(url, how));
      })();
    },
  });
  await posting;
  return { ...ended, answers, cli, port, asked: daemon.calls.filter(([name]) => String(name).startsWith("humans.")) };
}

test("login waits at the page that the provider knows, and hands over what was posted there for this sign-in", async (t) => {
  const { code, out, err, cli, answers, asked, port } = await login(t, (url) => [[url]]);
  assert.equal(code, 0, err);
  assert.deepEqual(answers, [200]);
  assert.match(err, new RegExp(`ssh -L ${port}:127\\.0\\.0\\.1:${port} \\S+$`, "m"));
  assert.match(out, /^you are Ada Lovelace \(corp:ada\), by a session until /);
  assert.equal(readFileSync(cli.file, "utf8"), `sps_${"a".repeat(43)}\n`);
  assert.deepEqual(asked.slice(0, 2), [
    ["humans.beginSaml", "legacy"],
    ["humans.endSaml", { response: "PHg+", relayState: "re1ay" }],
  ]);
});

const strangers: readonly (readonly [string, (url: string) => readonly [string, Posted?], number | undefined])[] = [
  ["for another sign-in", (url) => [url, { fields: { RelayState: "other" } }], 400],
  ["for none", (url) => [url, { fields: { RelayState: "" } }], 400],
  ["by GET", (url) => [`${url}?SAMLResponse=PHg%2B&RelayState=re1ay`, { method: "GET" }], 404],
  ["by a name that leads here (DNS rebinding)", (url) => [url, { headers: { host: "evil.example" } }], 404],
  ["to another path", (url) => [`${url}/x`], 404],
  ["as text", (url) => [url, { headers: { "content-type": "text/plain" } }], 404],
  ["as parts of a form", (url) => [url, { headers: { "content-type": "multipart/form-data; boundary=x" } }], 404],
  ["that is too large", (url) => [url, { fields: { SAMLResponse: "A".repeat(SAML_POST_BYTES_MAX) } }], undefined],
];
for (const [name, make, status] of strangers) {
  test(`what is posted ${name} is not looked at, and the person's own is taken after it`, async (t) => {
    const { code, err, answers, asked } = await login(t, (url) => [make(url), [url]]);
    assert.equal(code, 0, err);
    const [first, second] = answers;
    assert.equal(second, 200);
    if (status !== undefined) assert.equal(first, status);
    else assert.ok(first === undefined || first === 404, `${first}`);
    assert.equal(asked.filter(([call]) => call === "humans.endSaml").length, 1);
  });
}

test("a response of the largest size is handed over, written as forms write it", async (t) => {
  const large = `${"+".repeat(SAML_BYTES_MAX - 4)}AAAA`; // three characters in a form for each of these
  const { code, err, asked } = await login(t, (url) => [[url, { fields: { SAMLResponse: large } }]]);
  assert.equal(code, 0, err);
  assert.deepEqual(asked[1]?.[1], { response: large, relayState: "re1ay" });
});

for (const [name, fields] of [
  ["a response that is not taken", { SAMLResponse: "bad" }],
  ["no response", { SAMLResponse: "" }],
] as const) {
  test(`login ends with an error, and keeps nothing, where the browser brings ${name}`, async (t) => {
    const { code, err, answers, cli } = await login(t, (url) => [[url, { fields }]]);
    assert.deepEqual([code, answers], [1, [400]]);
    assert.match(err, /sallyport: LOGIN_REFUSED: .*\nremedy: /);
    assert.throws(() => statSync(cli.file), { code: "ENOENT" });
  });
}

test("where somebody else listens at that page already, nothing is begun", async (t) => {
  const { cli, daemon, port } = await world(t);
  const other = createServer().listen(port, "127.0.0.1");
  await once(other, "listening");
  t.after(() => other.close());
  const { code, err } = await cli.run(["login"]);
  assert.equal(code, 1);
  assert.match(err, new RegExp(`LOGIN_PORT: Cannot listen on 127\\.0\\.0\\.1:${port} .*EADDRINUSE\nremedy: `));
  assert.deepEqual(
    daemon.calls.filter(([name]) => name === "humans.beginSaml"),
    [],
  );
});
