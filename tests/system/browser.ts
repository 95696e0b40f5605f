/** Debian's chromium, as a person in front of the command line's `login` has it. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { sessionFile } from "../../src/control/cli/session-file.ts";
import { type Daemon, SALLYPORT } from "../kit/daemon.ts";

/** Debian's package. */
const CHROMIUM = "/usr/bin/chromium";
/** Root, as whom tests run, has no sandbox of chromium's; fonts that pages ask for elsewhere stay there. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-background-networking",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
];
/** A loaded machine takes its time to draw a page. */
const PATIENCE_MS = 60_000;

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: [...ARGUMENTS], timeout: PATIENCE_MS });
}

/** A profile of its own. The issuer's certificate is the test's; the daemon, which matters, verifies it. */
export async function openPage(browser: Browser): Promise<Page> {
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  return page;
}

/**
 * The command line with a home of its own below `folder`; `walk` gets the address that it prints, the one with the code in
 * it where there are two.
 */
export async function login(
  { runDir }: Daemon,
  folder: string,
  options: readonly string[],
  walk: (url: string) => Promise<void>,
) {
  const home = mkdtempSync(join(folder, "home-"));
  const env = { PATH: process.env["PATH"], HOME: home };
  const child = spawn(SALLYPORT, ["--run", runDir, "login", ...options], { env, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  let walking: Promise<void> | undefined;
  child.stdout.on("data", (part) => (stdout += String(part)));
  child.stderr.on("data", (part) => {
    stderr += String(part);
    const urls = stderr.match(/^https:\S+$/gm) ?? [];
    const url = urls[options.includes("--device") ? 1 : 0];
    if (url === undefined || !stderr.endsWith("\n")) return;
    walking ??= walk(url);
    walking.catch(() => child.kill()); // nobody comes back any more; told below
  });
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  await walking;
  return { code, stdout, stderr, home, secret: () => readFileSync(sessionFile({ HOME: home }, runDir), "utf8") };
}
