/** Debian's chromium, a SAML identity provider and a real daemon: how a person signs in there, and what other sites can do about it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { ApiClient } from "../../src/control/cli/client.ts";
import { bearerOf } from "../../src/control/cli/session-file.ts";
import type { HumanSessionListing, Who } from "../../src/control/human-ports.ts";
import { Daemon } from "../kit/daemon.ts";
import { freePort } from "../kit/free-port.ts";
import { CLIENT_ID, HumanIssuer } from "../kit/human-issuer.ts";
import { GROUPS_ATTRIBUTE, NAME_ATTRIBUTE, posts, SamlIdentityProvider } from "../kit/saml-provider.ts";
import { launchBrowser, login as loginBy, openPage } from "./browser.ts";

const AUDIENCE = "https://sallyport.example/humans";
const SESSION_MS = 1_800_000;
const PEOPLE = {
  ada: { name: "Ada Lovelace", groups: ["sre"], sessionMs: SESSION_MS },
  eve: { name: "Eve", groups: ["sre"] },
};

const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
const issuer = new HumanIssuer(mkdtempSync(join(folder, "oidc-")), {
  people: { "8f3c": { name: "Ada L.", groups: ["sre"] } },
});
let recipient: string;
let provider: SamlIdentityProvider;
let daemon: Daemon;
let browser: Browser;

before(async () => {
  recipient = `http://127.0.0.1:${await freePort()}/saml`;
  provider = new SamlIdentityProvider(folder, PEOPLE, { audience: AUDIENCE, recipient });
  await Promise.all([provider.start(), issuer.start()]);
  const settings = `
identity:
  logins:
    - { name: corp, issuer: "${issuer.url}", clientId: ${CLIENT_ID}, ca: ${issuer.caFile}, groups: groups }
    - name: legacy
      entityId: ${provider.entityId}
      signOn: ${provider.url}/sso
      certificates: [${provider.key.certificateFile}]
      audience: ${AUDIENCE}
      recipient: ${recipient}
      groups: "${GROUPS_ATTRIBUTE}"
      displayName: "${NAME_ATTRIBUTE}"
roles: { reviewer: ["legacy:sre", "corp:sre"] }
humans: [{ name: ada, is: ["legacy:ada", "corp:8f3c"] }]
`;
  daemon = await Daemon.start({ settings, policies: { "none.yaml": "rules: []\n" } });
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
  await Promise.all([provider?.stop(), issuer.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const login = (name: string, walk: (url: string) => Promise<void>) => loginBy(daemon, folder, ["--issuer", name], walk);
const api = (home: string) => new ApiClient(daemon.runDir, { bearer: () => bearerOf({ HOME: home }, daemon.runDir) });
const root = () => new ApiClient(daemon.runDir);
const sessions = async () =>
  (await root().get<readonly HumanSessionListing[]>("/v1/humans")).map(({ account }) => account);

/** Through the provider's page, back to that of the command line. Returns what stands there. */
async function answer(page: Page, url: string, sub: string, button = "Log in"): Promise<string | null> {
  await page.goto(url);
  await page.fill('input[name="login"]', sub);
  await page.getByText(button).click();
  await page.waitForURL(recipient);
  return page.textContent("p");
}

test("a person signs in at a SAML identity provider in a browser, for as long as that says", async () => {
  const page = await openPage(browser);
  const beganMs = Date.now();
  const { code, stdout, stderr, secret, home } = await login("legacy", async (url) => {
    assert.equal(await answer(page, url, "ada"), "You have signed in. This window may be closed.");
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^you are Ada Lovelace \(legacy:ada\), by a session until /);
  assert.match(secret(), /^sps_[A-Za-z0-9_-]{43}\n$/);
  const { account, roles, groups, endsMs = 0 } = await api(home).get<Who>("/v1/whoami");
  assert.deepEqual([account, roles, groups], ["legacy:ada", ["reviewer"], ["legacy:sre"]]);
  assert.ok(endsMs >= beganMs + SESSION_MS && endsMs <= Date.now() + SESSION_MS, `${endsMs - beganMs}`);
});

test("an account at a SAML provider and one at an OpenID Connect issuer are one human by the settings: both are revoked", async () => {
  const page = await openPage(browser);
  const { code, stderr, home } = await login("corp", async (url) => {
    await page.goto(url);
    await page.fill('input[name="login"]', "8f3c");
    await page.fill('input[name="password"]', "whatever");
    await page.click('button[type="submit"]');
    await page.click('button[type="submit"]');
    await page.waitForURL(/^http:\/\/127\.0\.0\.1:\d+\/callback/);
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual((await sessions()).toSorted(), ["corp:8f3c", "legacy:ada"]);
  await root().post("/v1/humans/revoke", { who: "legacy:ada" });
  assert.deepEqual(await sessions(), []);
  await assert.rejects(api(home).get("/v1/whoami"), { code: "API_TOKEN_INVALID" });
});

test("a person who says no at the provider signs nobody in", async () => {
  const page = await openPage(browser);
  const { code, stderr, secret } = await login("legacy", async (url) => {
    assert.match((await answer(page, url, "ada", "Cancel")) ?? "", /^That did not work/);
  });
  assert.equal(code, 1);
  assert.match(stderr, /LOGIN_REFUSED: .*nobody logged in \(TOKEN_STATUS\)/);
  assert.throws(secret, { code: "ENOENT" });
});

/** Another site, to which the person's browser goes while the command line waits: it posts this, and says what came of it. */
async function visits(page: Page, fields: Readonly<Record<string, string>>): Promise<string | null> {
  const site = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(posts(recipient, fields));
  });
  await once(site.listen(0, "127.0.0.1"), "listening");
  try {
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
    await page.waitForURL(recipient);
    return await page.textContent("p");
  } finally {
    site.close();
  }
}

test("another site that makes the person's browser post an attacker's answer signs nobody in as the attacker", async () => {
  const page = await openPage(browser);
  const { code, stdout, stderr } = await login("legacy", async (url) => {
    for (const RelayState of ["", "x".repeat(43)]) {
      const told = await visits(page, { SAMLResponse: provider.respond("eve", undefined), RelayState });
      assert.equal(told, "This is not the sign-in that was begun here.");
    }
    assert.equal(await answer(page, url, "ada"), "You have signed in. This window may be closed.");
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^you are Ada Lovelace \(legacy:ada\)/);
});

test("whoever has got hold of the RelayState as well signs nobody in with an answer to another request", async () => {
  const page = await openPage(browser);
  const { code, stderr, secret } = await login("legacy", async (url) => {
    const RelayState = new URL(url).searchParams.get("RelayState") ?? "";
    const told = await visits(page, { SAMLResponse: provider.respond("eve", `_${"0".repeat(64)}`), RelayState });
    assert.match(told ?? "", /^That did not work/);
  });
  assert.equal(code, 1);
  assert.match(stderr, /LOGIN_REFUSED: .*InResponseTo\) \(TOKEN_CLAIMS\)/);
  assert.throws(secret, { code: "ENOENT" });
  assert.ok(!(await sessions()).includes("legacy:eve"));
});

test("no answer and no RelayState is in the trail or in the daemon's output", async () => {
  const page = await openPage(browser);
  let relayState = "";
  const { code, secret } = await login("legacy", async (url) => {
    relayState = new URL(url).searchParams.get("RelayState") ?? "";
    await answer(page, url, "ada");
  });
  assert.equal(code, 0);
  const told = `${JSON.stringify(daemon.events())}${daemon.output}`;
  assert.ok(told.includes("legacy:ada"), "the search finds nothing that is there");
  for (const never of [relayState, secret().trim().slice(4), "SAMLResponse", "PHNhbWxw"]) {
    assert.ok(never.length > 7 && !told.includes(never));
  }
});
