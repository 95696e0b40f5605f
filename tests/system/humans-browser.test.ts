/** Debian's chromium, a real issuer and a real daemon: both flows as a person walks them, by the issuer's own pages. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { Daemon } from "../kit/daemon.ts";
import { CLIENT_ID, HumanIssuer } from "../kit/human-issuer.ts";
import { launchBrowser, login as loginBy, openPage } from "./browser.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
const issuer = new HumanIssuer(folder, { people: { ada: { name: "Ada Lovelace", groups: ["sre"] } } });
let daemon: Daemon;
let browser: Browser;

before(async () => {
  await issuer.start();
  const login = `{ name: corp, issuer: "${issuer.url}", clientId: ${CLIENT_ID}, ca: ${issuer.caFile}, groups: groups }`;
  const settings = `identity: { logins: [${login}] }\nroles: { reviewer: ["corp:sre"] }\n`;
  daemon = await Daemon.start({ settings, policies: { "none.yaml": "rules: []\n" } });
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await daemon?.stop();
  await issuer.stop();
  rmSync(folder, { recursive: true, force: true });
});

const open = () => openPage(browser);
const login = (options: readonly string[], walk: (url: string) => Promise<void>) =>
  loginBy(daemon, folder, options, walk);

async function signIn(page: Page): Promise<void> {
  await page.fill('input[name="login"]', "ada");
  await page.fill('input[name="password"]', "whatever");
  await page.click('button[type="submit"]');
  await page.click('button[type="submit"]'); // "Continue": the consent
}

test("a person signs in by the code flow in a browser, which ends on the page of the command line", async () => {
  const page = await open();
  const { code, stdout, stderr, secret } = await login([], async (url) => {
    await page.goto(url);
    await signIn(page);
    await page.waitForURL(/^http:\/\/127\.0\.0\.1:\d+\/callback/);
    assert.equal(await page.textContent("p"), "You have signed in. This window may be closed.");
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^you are Ada Lovelace \(corp:ada\), by a session until /);
  assert.match(secret(), /^sps_[A-Za-z0-9_-]{43}\n$/);
});

test("a person signs in by the device flow in a browser that is anywhere", async () => {
  const page = await open();
  const { code, stdout, stderr } = await login(["--device"], async (url) => {
    await page.goto(url);
    await page.click('button[type="submit"]'); // the code is theirs
    await signIn(page);
    await page.getByText("Sign-in Success").first().waitFor();
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^you are Ada Lovelace \(corp:ada\)/);
});

test("a person who says no in the browser signs nobody in", async () => {
  const page = await open();
  const { code, stderr, secret } = await login([], async (url) => {
    await page.goto(url);
    await page.getByText("Cancel").click();
    await page.waitForURL(/^http:\/\/127\.0\.0\.1:\d+\/callback/);
    assert.match((await page.textContent("p")) ?? "", /^That did not work/);
  });
  assert.equal(code, 1);
  assert.match(stderr, /LOGIN_REFUSED: .*access_denied/);
  assert.throws(secret, { code: "ENOENT" });
});
