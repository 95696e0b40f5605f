/** Humans at the API's door and on the command line: who shows what, what that lets them do, and where secrets go. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { ROUTES } from "../../src/control/api/routes.ts";
import { forgetSession, keepSession } from "../../src/control/cli/session-file.ts";
import { GIVEN_ROLES, type Role } from "../../src/model/role.ts";
import { type FakeDaemon, fakeDaemon, MEMBER, ROOT, STRANGER } from "./fake-daemon.ts";
import { ACTING } from "./fake-humans.ts";
import { commandLineOf } from "./human-cli.ts";

function ask(daemon: FakeDaemon, method: string, path: string, authorization?: string) {
  const headers = authorization === undefined ? {} : { authorization };
  return new Promise<{ readonly status: number; readonly code: string | undefined; readonly text: string }>(
    (resolve, reject) => {
      const asked = request({ socketPath: daemon.socketPath, method, path, agent: false, headers }, async (answer) => {
        if (answer.headers["content-type"] === "text/event-stream") {
          answer.destroy();
          return resolve({ status: answer.statusCode ?? 0, code: undefined, text: "" });
        }
        let text = "";
        for await (const part of answer.setEncoding("utf8")) text += part;
        const isJson = answer.headers["content-type"] === "application/json";
        resolve({ status: answer.statusCode ?? 0, code: isJson ? JSON.parse(text).error?.code : undefined, text });
      });
      asked.once("error", reject);
      asked.end();
    },
  );
}

const everyRoute = ROUTES.map(({ method, path, roles }) => ({ method, path: path.replaceAll(/:\w+/g, "x"), roles }));

for (const [bearer, acting] of Object.entries(ACTING)) {
  const own: readonly Role[] = [...acting.roles];
  test(`a human with ${own.length === 0 ? "no role" : `the role ${own.join()}`} (${bearer}) is refused exactly where no role of theirs is asked for`, async (t) => {
    // root's process: it is nobody's root who shows a human's secret
    const daemon = await fakeDaemon(t, (ports) => ({ daemon: { ...ports.daemon, leave: () => {} } }));
    for (const { method, path, roles } of everyRoute) {
      const { code, status } = await ask(daemon, method, path, `Bearer ${bearer}`);
      const refused = !roles.some((role) => acting.roles.has(role));
      assert.equal(code === "API_NOT_PERMITTED", refused, `${method} ${path}: ${status} ${code}`);
    }
  });
}

test("every role reaches some route that not every other one does", () => {
  for (const role of GIVEN_ROLES) {
    const own = ROUTES.filter(({ roles }) => roles.includes(role));
    assert.ok(
      own.some(({ roles }) => !GIVEN_ROLES.every((other) => roles.includes(other))),
      role,
    );
  }
});

const refused: readonly (readonly [string, string, string])[] = [
  ["a secret that is nobody's", "Bearer nobody", "API_TOKEN_INVALID"],
  ["another scheme", "Basic YTpi", "API_TOKEN_INVALID"],
  ["nothing behind the scheme", "Bearer", "API_TOKEN_INVALID"],
  ["two secrets", "Bearer admin admin", "API_TOKEN_INVALID"],
  ["a session that is over", "Bearer over", "HUMAN_SESSION_OVER"],
];
for (const [name, authorization, code] of refused) {
  test(`root who shows ${name} is refused, not taken for root`, async (t) => {
    const daemon = await fakeDaemon(t);
    for (const { method, path } of everyRoute) {
      const got = await ask(daemon, method, path, authorization);
      assert.deepEqual([path, got.status, got.code], [path, code === "HUMAN_SESSION_OVER" ? 403 : 401, code]);
    }
    assert.deepEqual(daemon.calls, []);
  });
}

test("a process inside of an agent is refused whatever it shows", async (t) => {
  const daemon = await fakeDaemon(t);
  daemon.peer = { ...ROOT, tagged: true };
  for (const bearer of Object.keys(ACTING)) {
    assert.equal((await ask(daemon, "GET", "/v1/status", `Bearer ${bearer}`)).code, "API_PEER_TAGGED");
  }
});

const lost: readonly (readonly [string, Partial<Pick<FakeDaemon, "goesOn" | "lost">>, string])[] = [
  ["their session", { goesOn: false }, "API_TOKEN_INVALID"],
  ["the role that it needs", { lost: ["admin"] }, "API_NOT_PERMITTED"],
];
for (const [name, change, code] of lost) {
  test(`who loses ${name} while their request is still coming is refused`, async (t) => {
    const daemon = await fakeDaemon(t);
    const headers = { authorization: "Bearer admin", "content-type": "application/json", "content-length": 2 };
    const path = "/v1/settings/reload";
    const asked = request({ socketPath: daemon.socketPath, method: "POST", path, agent: false, headers });
    asked.write("{");
    while (daemon.acted.length === 0) await new Promise(setImmediate);
    Object.assign(daemon, change);
    asked.end("}");
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    const text = (await answer.setEncoding("utf8").toArray()).join("");
    assert.deepEqual([JSON.parse(text).error?.code, daemon.calls], [code, []]);
  });
}

test("whose process a human acts by is told, and not of what is refused to it", async (t) => {
  const daemon = await fakeDaemon(t);
  daemon.peer = MEMBER;
  await ask(daemon, "GET", "/v1/status", "Bearer token");
  await ask(daemon, "GET", "/v1/status", "Bearer admin");
  await ask(daemon, "GET", "/v1/status");
  assert.deepEqual(daemon.acted, [["corp:ada", MEMBER.uid, MEMBER.pid]]);
});

test("a session's secret is no use to another user of the host; an API token is", async (t) => {
  const daemon = await fakeDaemon(t);
  for (const peer of [MEMBER, STRANGER]) {
    daemon.peer = peer;
    assert.equal((await ask(daemon, "GET", "/v1/status", "Bearer admin")).code, "API_TOKEN_INVALID");
    assert.equal((await ask(daemon, "GET", "/v1/status", "Bearer token")).status, 200);
  }
});

const ends: readonly (readonly [string, Partial<Pick<FakeDaemon, "goesOn" | "lost">>])[] = [
  ["their session", { goesOn: false }],
  ["the role that it needs", { lost: ["auditor"] }],
];
for (const [name, change] of ends)
  test(`what a human watches ends with ${name}; what root watches goes on`, async (t) => {
    const daemon = await fakeDaemon(t);
    const watch = (headers: Readonly<Record<string, string>>) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const path = "/v1/events/watch";
        request({ socketPath: daemon.socketPath, path, agent: false, headers }, resolve).once("error", reject).end();
      });
    const [own, roots] = await Promise.all([watch({ authorization: "Bearer auditor" }), watch({})]);
    const ended = new Promise((resolve) =>
      own
        .resume()
        .on("error", () => {})
        .once("close", resolve),
    );
    roots.on("error", () => {});
    const tell = () => {
      for (const watcher of daemon.watchers) watcher({ atMs: 1, kind: "daemon.start", message: "m" });
    };
    tell();
    assert.match(String((await once(roots, "data"))[0]), /daemon\.start/);
    Object.assign(daemon, change);
    const heard = once(roots, "data");
    tell();
    await ended;
    assert.match(String((await heard)[0]), /daemon\.start/);
    roots.destroy();
  });

/** What a browser does at the end of a code flow. */
function bring(
  url: string,
  changes: Readonly<Record<string, string>> = {},
  headers: Readonly<Record<string, string>> = {},
) {
  const { searchParams } = new URL(url);
  const target = new URL(searchParams.get("redirect_uri") ?? "");
  target.search = new URLSearchParams({
    code: "c0de",
    state: searchParams.get("state") ?? "",
    iss: "https://corp.example",
    ...changes,
  }).toString();
  return new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
    const asked = request(target, { agent: false, headers }, async (answer) => {
      let text = "";
      for await (const part of answer.setEncoding("utf8")) text += part;
      resolve({ status: answer.statusCode ?? 0, text });
    });
    asked.once("error", reject);
    asked.end();
  });
}

const urlIn = (text: string) => /^https:\S+$/m.exec(text)?.[0];

test("login waits for the browser, takes nothing of another sign-in, and keeps the secret in a file of nobody else's", async (t) => {
  const daemon = await fakeDaemon(t);
  const cli = commandLineOf(t, daemon);
  const answers: number[] = [];
  let isBrought = false;
  const { code, out, err } = await cli.run(["login"], {
    heard: async (text) => {
      const url = urlIn(text);
      if (url === undefined || isBrought) return;
      isBrought = true;
      for (const [changes, headers] of [
        [{ state: "other" }, {}],
        [{}, { host: "evil.example" }],
        [{}, {}],
      ] as const) {
        answers.push((await bring(url, changes, headers)).status);
      }
    },
  });
  assert.equal(code, 0, err);
  assert.deepEqual(answers, [400, 404, 200]);
  assert.match(out, /^you are Ada Lovelace \(corp:ada\), by a session until /);
  assert.match(out, /^roles {3}reviewer$/m);
  const secret = readFileSync(cli.file, "utf8");
  assert.equal(secret, `sps_${"a".repeat(43)}\n`);
  assert.deepEqual([statSync(cli.file).mode & 0o777, statSync(join(cli.file, "..")).mode & 0o777], [0o600, 0o700]);
  assert.equal(readdirSync(join(cli.file, "..")).length, 1);
  assert.ok(!out.includes(secret.trim()) && !err.includes(secret.trim()));
  const asked = daemon.calls.filter(([name]) => String(name).startsWith("humans."));
  assert.deepEqual(
    asked.map(([name]) => name),
    ["humans.beginCode", "humans.endCode", "humans.logOut"],
  );
  assert.deepEqual(asked[1]?.[1], { code: "c0de", state: "st", iss: "https://corp.example", flow: "f0" });
});

const unhappy: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
  ["says no", { error: "access_denied", code: "bad" }, "LOGIN_REFUSED"],
  ["brings a code that is not taken", { code: "bad" }, "LOGIN_REFUSED"],
];
for (const [name, changes, code] of unhappy) {
  test(`login ends with an error, and keeps nothing, where the browser ${name}`, async (t) => {
    const daemon = await fakeDaemon(t);
    const cli = commandLineOf(t, daemon);
    let page: ReturnType<typeof bring> | undefined;
    const ended = await cli.run(["login"], {
      heard: (text) => {
        const url = urlIn(text);
        if (url !== undefined) page ??= bring(url, changes);
      },
    });
    assert.deepEqual([ended.code, (await page)?.status], [1, 400], ended.err);
    assert.match(ended.err, new RegExp(`sallyport: ${code}: .*\nremedy: `));
    assert.throws(() => statSync(cli.file), { code: "ENOENT" });
  });
}

test("login --device prints where to type in which code, and waits", async (t) => {
  const daemon = await fakeDaemon(t);
  const cli = commandLineOf(t, daemon);
  const { code, out, err } = await cli.run(["--json", "login", "--device", "--issuer", "corp"]);
  assert.equal(code, 0, err);
  assert.match(err, /ABCD-EFGH:\nhttps:\/\/corp\.example\/device\n/);
  assert.deepEqual(Object.keys(JSON.parse(out)).includes("secret"), false);
  assert.ok(readFileSync(cli.file, "utf8").startsWith("sps_"));
  assert.ok(daemon.calls.some(([name, flow]) => name === "humans.endDevice" && flow === "f1"));
});

test("what was kept is shown to the daemon, and logout takes it away, also where the daemon knows it no more", async (t) => {
  const daemon = await fakeDaemon(t);
  const cli = commandLineOf(t, daemon);
  keepSession(cli.file, "reviewer");
  assert.match((await cli.run(["whoami"])).out, /Ada Lovelace/);
  const stopped = await cli.run(["down"]);
  assert.deepEqual(
    [stopped.code, /API_NOT_PERMITTED/.test(stopped.err)],
    [4, true],
    "root is a reviewer until they sign out",
  );
  assert.equal((await cli.run(["logout"])).out, "signed out\n");
  assert.match((await cli.run(["whoami"])).out, /^you are root \(uid 0\)/);
  keepSession(cli.file, "over");
  const ended = await cli.run(["whoami"]);
  assert.deepEqual([ended.code, /HUMAN_SESSION_OVER/.test(ended.err)], [4, true]);
  assert.equal((await cli.run(["logout"])).out, "nobody was signed in\n");
  assert.equal((await cli.run(["whoami"])).code, 0);
});

test("a session file that others may read, or that is another user's, is not used", async (t) => {
  const daemon = await fakeDaemon(t);
  const cli = commandLineOf(t, daemon);
  keepSession(cli.file, "admin");
  chmodSync(cli.file, 0o644);
  assert.match((await cli.run(["whoami"])).err, /SESSION_FILE: .*others may read it/);
  forgetSession(cli.file);
  keepSession(cli.file, "admin");
  chownSync(cli.file, 64_000, 64_000);
  assert.match((await cli.run(["whoami"])).err, /SESSION_FILE: .*another user's/);
});

test("a script shows an API token from a file instead", async (t) => {
  const daemon = await fakeDaemon(t);
  const cli = commandLineOf(t, daemon);
  const file = join(cli.home, "token");
  writeFileSync(file, "token\n", { mode: 0o600 });
  const env = { SALLYPORT_TOKEN_FILE: file };
  assert.equal((await cli.run(["sessions"], { env })).code, 0);
  assert.equal((await cli.run(["reload"], { env })).code, 4);
});

test("nobody signs in or out while an API token would be shown: the session would stay, and go on", async (t) => {
  const daemon = await fakeDaemon(t);
  const cli = commandLineOf(t, daemon);
  keepSession(cli.file, "admin");
  const token = join(cli.home, "token");
  writeFileSync(token, "token\n", { mode: 0o600 });
  for (const args of [["logout"], ["login"], ["login", "--device"]]) {
    const { code, out, err } = await cli.run(args, { env: { SALLYPORT_TOKEN_FILE: token } });
    assert.deepEqual([code, out], [2, ""], err);
    assert.match(err, /USAGE: .*SALLYPORT_TOKEN_FILE.*\nremedy: /);
  }
  assert.deepEqual([existsSync(cli.file), daemon.calls], [true, []]);
  assert.equal((await cli.run(["logout"], { env: { SALLYPORT_TOKEN_FILE: "" } })).out, "signed out\n"); // control
});

const told: readonly (readonly [readonly string[], RegExp])[] = [
  [["humans"], /SESSION +NAME[\s\S]*5e55 +Ada Lovelace +corp:ada/],
  [["humans", "revoke", "corp:ada"], /^1 session, 2 API tokens and 0 delegations ended, and 3 approvals withdrawn$/m],
  [["tokens"], /70cc +nightly +corp:ada +auditor/],
  [["tokens", "revoke", "70cc"], /^70cc is revoked$/m],
  [["break-glass", "list"], /b1 +Ada Lovelace \(corp:ada\).*the pager\\u\{1b\}\[2J +waits/],
  [["break-glass", "review", "b1", "--comment", "fine"], /^b1 is reviewed$/m],
];
for (const [args, words] of told) {
  test(`${args.join(" ")} says it for people, and with --json for programs`, async (t) => {
    const cli = commandLineOf(t, await fakeDaemon(t));
    const { code, out, err } = await cli.run(args);
    assert.equal(code, 0, err);
    assert.match(out, words);
    JSON.parse((await cli.run(["--json", ...args])).out);
  });
}

test("tokens create prints the secret alone on stdout", async (t) => {
  const daemon = await fakeDaemon(t);
  const cli = commandLineOf(t, daemon);
  keepSession(cli.file, "auditor");
  const args = ["tokens", "create", "--name", "ci", "--roles", "auditor", "--expires", "30d"];
  const { code, out, err } = await cli.run(args);
  assert.deepEqual([code, out], [0, `spt_${"b".repeat(43)}\n`], err);
  assert.deepEqual(daemon.calls.at(-1), ["humans.makeToken", { name: "ci", roles: ["auditor"], forMs: 2_592_000_000 }]);
  assert.equal((await cli.run(["tokens", "create", "--name", "ci", "--roles", "boss", "--expires", "1d"])).code, 2);
});

test("break-glass needs its role and a reason", async (t) => {
  const daemon = await fakeDaemon(t);
  const cli = commandLineOf(t, daemon);
  assert.equal((await cli.run(["break-glass", "--reason", "x"])).code, 4, "root needs none, and has not the role");
  keepSession(cli.file, "glass");
  assert.match((await cli.run(["break-glass"])).err, /API_BODY_INVALID/);
  assert.match((await cli.run(["break-glass", "--reason", "pager 4711"])).out, /^you are admin until .*; b1 waits/);
});
