/** The command line and a daemon on another host: signing in over TLS, who is trusted, and what is shown to whom. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, type TestContext, test } from "node:test";
import { runCommandLine } from "../../src/control/cli/program.ts";
import { sessionFile } from "../../src/control/cli/session-file.ts";
import type { Caller } from "../../src/control/ports.ts";
import { makeCertificate } from "../kit/certificate.ts";
import { freePort } from "../kit/free-port.ts";
import { fakeDaemon } from "./fake-daemon.ts";
import { ACTING } from "./fake-humans.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-remote-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const files = makeCertificate(folder, ["127.0.0.1"]);
const PAIR = { certificate: readFileSync(files.certificateFile), key: readFileSync(files.keyFile) };
/** As the fake daemon gives it to whoever signs in. */
const SECRET = `sps_${"a".repeat(43)}`;

async function given(t: TestContext, signIn: readonly ("code" | "device")[] = ["code", "device"]) {
  const shown: string[] = [];
  const daemon = await fakeDaemon(t, () => ({
    authenticate: async (bearer, uid): Promise<Caller | undefined> => {
      shown.push(bearer);
      const acting = ACTING["admin"];
      if (bearer !== SECRET || uid !== undefined || acting === undefined) return undefined;
      return { roles: acting.roles, pid: undefined, uid, acting };
    },
  }));
  const port = await freePort();
  await daemon.tls.change({ ...PAIR, address: "127.0.0.1", port, names: [], signIn, takesAnswers: false });
  const home = mkdtempSync(join(folder, "home-"));
  const url = `https://127.0.0.1:${port}`;
  const run = async (args: readonly string[], env: object = {}, heard: (err: string) => void = () => {}) => {
    let [out, err] = ["", ""];
    const code = await runCommandLine({
      argv: args,
      env: { HOME: home, ...env },
      stdin: Readable.from([]),
      stdout: { write: (text) => (out += String(text)) },
      stderr: {
        write: (text) => {
          err += String(text);
          heard(err);
        },
      },
      loadDaemon: () => assert.fail("the daemon is on another host"),
    });
    return { code, out, err };
  };
  return {
    daemon,
    shown,
    url,
    home,
    run,
    file: sessionFile({ HOME: home }, url),
    far: ["--url", url, "--ca", files.caFile],
  };
}

/** What the person's browser does, on the host of the command line. */
function browser() {
  let isBrought = false;
  return (text: string): void => {
    const [url] = /^https:\S+$/m.exec(text) ?? [];
    if (url === undefined || isBrought) return;
    isBrought = true;
    const { searchParams } = new URL(url);
    const back = new URL(searchParams.get("redirect_uri") ?? "");
    back.search = new URLSearchParams({ code: "c0de", state: searchParams.get("state") ?? "" }).toString();
    get(back, { agent: false }, (page) => page.resume());
  };
}

test("login walks the code flow with a daemon on another host, and its session is shown from then on", async (t) => {
  const { run, far, daemon, shown, file } = await given(t, ["code"]);
  const { code, err } = await run([...far, "login"], {}, browser());
  assert.equal(code, 0, err);
  assert.equal(readFileSync(file, "utf8"), `${SECRET}\n`);
  const ended = daemon.calls.find(([name]) => name === "humans.endCode");
  assert.deepEqual(ended?.[1], { code: "c0de", state: "st", flow: "f0" });
  assert.deepEqual(shown, []); // nothing while signing in
  const who = await run([...far, "--json", "whoami"]);
  assert.equal(JSON.parse(who.out).account, "corp:ada", who.err);
  assert.deepEqual(shown, [SECRET]);
  assert.equal((await run([...far, "logout"])).out, "signed out\n");
  assert.ok(!existsSync(file));
});

test("login --device does, where the settings there let people sign in so, and not elsewhere", async (t) => {
  const open = await given(t, ["device"]);
  assert.equal((await open.run([...open.far, "login", "--device"])).code, 0);
  const closed = await given(t, ["code"]);
  const { code, err } = await closed.run([...closed.far, "login", "--device"]);
  assert.equal(code, 4);
  assert.match(err, /API_TOKEN_INVALID/);
  assert.ok(!existsSync(closed.file));
});

test("the environment names the daemon as the flags do, and a token file is shown there", async (t) => {
  const { run, url, shown, home } = await given(t);
  const token = join(home, "token");
  writeFileSync(token, SECRET, { mode: 0o600 });
  const env = { SALLYPORT_URL: url, SALLYPORT_CA: files.caFile, SALLYPORT_TOKEN_FILE: token };
  const { code, err } = await run(["status"], env);
  assert.equal(code, 0, err);
  assert.deepEqual(shown, [SECRET]);
});

test("a session of one daemon is not shown to another, nor to that of this host", async (t) => {
  const [one, other] = [await given(t), await given(t)];
  assert.equal((await one.run([...one.far, "login"], {}, browser())).code, 0);
  const { code, err } = await one.run([...other.far, "status"]);
  assert.equal(code, 4);
  assert.match(err, /API_TOKEN_INVALID.*nothing was shown/);
  assert.equal((await one.run(["--run", one.daemon.runDir, "status"])).code, 0); // root of this host
  assert.deepEqual([one.shown, other.shown], [[], []]);
});

test("a server that cannot be verified is shown nothing, whatever the environment says", async (t) => {
  const { run, url, shown, far } = await given(t);
  assert.equal((await run([...far, "login"], {}, browser())).code, 0);
  process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
  t.after(() => delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]);
  const { code, err } = await run(["--url", url, "status"]);
  assert.equal(code, 1);
  assert.match(err, /SERVER_UNTRUSTED: Cannot trust https:.*\nremedy: .*--ca FILE/);
  assert.deepEqual(shown, []);
  assert.equal((await run([...far, "status"])).code, 0); // control: the one that is verified
  assert.deepEqual(shown, [SECRET]);
});

test("a server of another name, and one that speaks older TLS, are not trusted", async (t) => {
  const { run } = await given(t);
  const names = mkdtempSync(join(folder, "named-"));
  const other = makeCertificate(names, ["elsewhere.example"]);
  let asked = 0;
  const pair = (of: typeof other) => ({ cert: readFileSync(of.certificateFile), key: readFileSync(of.keyFile) });
  for (const [options, ca, says] of [
    [pair(other), other.caFile, /SERVER_UNTRUSTED: .*ERR_TLS_CERT_ALTNAME_INVALID/],
    [{ ...pair(files), maxVersion: "TLSv1.2" as const }, files.caFile, /DAEMON_UNREACHABLE: .*EPROTO/],
  ] as const) {
    const server = createServer(options, (_request, response) => response.end(String(asked++))).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => void server.close());
    const { port } = server.address() as AddressInfo;
    assert.match((await run(["--url", `https://127.0.0.1:${port}`, "--ca", ca, "status"])).err, says);
  }
  assert.equal(asked, 0);
});

test("where nobody listens, that is told with the address", async (t) => {
  const { run } = await given(t);
  const { code, err } = await run(["--url", `https://127.0.0.1:${await freePort()}`, "status"]);
  assert.equal(code, 3);
  assert.match(err, /DAEMON_UNREACHABLE: Cannot reach the daemon at https:.*ECONNREFUSED/);
});

for (const url of [
  "http://127.0.0.1:1",
  "https://ada:pw@127.0.0.1",
  "https://127.0.0.1/v1",
  "https://h?x=1",
  "guard",
  "",
]) {
  test(`${url || "nothing"} is no daemon's URL`, async (t) => {
    const { run } = await given(t);
    const { code, err } = await run(["--url", url, "status"]);
    assert.equal(code, 2);
    assert.match(err, /USAGE: Cannot use that URL/);
    assert.ok(!err.includes("pw"));
  });
}

for (const args of [
  ["down", "--remove"],
  ["up"],
  ["run", "--as", "ci", "--", "true"],
  ["doctor"],
  ["hooks", "status"],
  ["service", "status"],
]) {
  test(`sallyport ${args.join(" ")} is about this host, and does nothing with --url`, async (t) => {
    const { run, far, daemon } = await given(t);
    const { code, err } = await run([...far, ...args]);
    assert.equal(code, 2, err);
    assert.match(err, /USAGE: Cannot \w+ on another host/);
    assert.deepEqual(daemon.calls, []);
  });
}
