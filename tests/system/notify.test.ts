/**
 * Held statements told to a Slack that is not Slack, and let go by presses of its buttons, by users of the host and by humans
 * whom the settings name: a real daemon, database and kernel.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { createServer, request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { Incoming } from "../../src/notify/signed.ts";
import { makeCertificate } from "../kit/certificate.ts";
import { capture, SALLYPORT } from "../kit/daemon.ts";
import { freePort } from "../kit/free-port.ts";
import { SECRETS, slackBody, slackPress, turned } from "../notify/kit.ts";
import { until } from "../path/kit.ts";
import { answer, became, HELD, list, orders, told, waiting } from "./held.ts";
import { startWorld, type World } from "./world.ts";

/** Numbers of no user of this host; only the daemon's own view of passwd(5) and group(5) knows them. */
const ADA = 64_111;
const BEN = 64_112;
const MEMBERS = 64_210;
const CYD = 64_113;
const PEOPLE = `ada:x:${ADA}:64310::/:/bin/sh\nben:x:${BEN}:64310::/:/bin/sh\ncyd:x:${CYD}:64310::/:/bin/sh\n`;
const GROUPS = `sallyport:x:${MEMBERS}:ada,ben,cyd\nsre:x:64211:ada,ben\n`;

interface Message {
  readonly text: string;
  readonly blocks: readonly { readonly elements?: readonly { readonly action_id: string; readonly value: string }[] }[];
}

let world: World;
let files: string;
let port: number;
let tlsPort: number;
let ca: string;
/** What Slack has told those who pressed. */
const replies: string[] = [];
let actions: string;
let slack: ReturnType<typeof createServer>;
const messages: Message[] = [];

before(async () => {
  files = mkdtempSync(join(tmpdir(), "sallyport-notify-"));
  writeFileSync(join(files, "passwd"), readFileSync("/etc/passwd", "utf8") + PEOPLE);
  writeFileSync(join(files, "group"), readFileSync("/etc/group", "utf8") + GROUPS);
  const { caFile, certificateFile, keyFile } = makeCertificate(files, ["127.0.0.1"]);
  slack = createServer(
    { cert: readFileSync(certificateFile), key: readFileSync(keyFile) },
    async (request, response) => {
      let body = "";
      for await (const part of request) body += part;
      if (request.url?.startsWith("/actions/")) replies.push((JSON.parse(body) as { text: string }).text);
      else messages.push(JSON.parse(body) as Message);
      response.writeHead(200).end("ok");
    },
  ).listen(0, "127.0.0.1");
  await once(slack, "listening");
  const place = `127.0.0.1:${(slack.address() as AddressInfo).port}`;
  writeFileSync(join(files, "url"), `https://${place}/services/T0/B0/hunter2\n`, { mode: 0o600 });
  writeFileSync(join(files, "secret"), `${SECRETS["slack"]}\n`, { mode: 0o600 });
  port = await freePort();
  tlsPort = await freePort();
  ca = readFileSync(caFile, "utf8");
  actions = `https://${place}/actions/T0/1/2`;
  const more = `
api: { listen: "127.0.0.1:${tlsPort}", certificate: ${certificateFile}, key: { file: ${keyFile} }, answers: true }
humans:
  - { name: cyd, is: ["slack:T1/UCYD", "unix:cyd"], groups: [sre] }
  - { name: dora, is: ["slack:T1/UDORA"] }
egress: { allow: ["127.0.0.0/8:*", "[::1]:*"] }
notify:
  listen: "127.0.0.1:${port}"
  targets:
    - name: ops
      kind: slack
      url: { file: ${files}/url }
      secret: { file: ${files}/secret }
      ca: ${caFile}
      groups: [sre]
      team: T1
      answers: { "slack:T1/UADA": ada, "slack:T1/UBEN": ben }
`;
  const binds = ["passwd", "group"].map((name) => `mount --bind ${files}/${name} /etc/${name}`).join(" && ");
  const wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", `${binds} && exec "$@"`, "sh"];
  world = await startWorld({ policies: { "held.yaml": HELD }, more, wrapper });
  chmodSync(world.daemon.folder, 0o755); // the socket inside has a mode of its own
});
after(async () => {
  await world?.stop();
  slack.close();
  slack.closeAllConnections();
  rmSync(files, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const { id, state } of await list(world)) if (state === "waiting") await answer(world, "deny", id);
  await world.postgres.query("DELETE FROM orders WHERE id = 1; INSERT INTO orders VALUES (1, 1, 0, '')");
});

const DELETE = "DELETE FROM orders WHERE id = 1;\n";

/** What Slack shows of that hold, once it has it, by its buttons: "HOLD DIGEST". */
async function shown(
  id: string,
): Promise<{ readonly message: Message; readonly hold: string; readonly digest: string }> {
  for (let tries = 0; tries < 400; tries++) {
    for (const message of messages) {
      const [button] = message.blocks.flatMap(({ elements = [] }) =>
        elements.filter(({ action_id }) => action_id === "approve"),
      );
      const [hold = "", digest = ""] = button?.value.split(" ") ?? [];
      if (hold === id) return { message, hold, digest };
    }
    await wait(25);
  }
  throw new Error(`${id} was not told`);
}

/** To the door of the daemon, as the proxy before it would hand it on. */
async function post({ headers, body }: Incoming): Promise<number> {
  const sent = Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, values?.[0] ?? ""]));
  const url = `http://127.0.0.1:${port}/v1/notify/ops/answers`;
  return (await fetch(url, { method: "POST", headers: sent, body: new Uint8Array(body) })).status;
}

const press = (hold: string, digest: string, more: object = {}) => {
  const sending = { atMs: Date.now(), hold, digest, user: "UADA", ...more };
  return slackPress(sending, slackBody({ ...sending, replyUrl: actions }));
};

/** To the API's TLS listener, as Slack itself would send it. */
function postOverTls({ headers, body }: Incoming): Promise<number> {
  const sent = Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, values?.[0] ?? ""]));
  const path = "/v1/notify/ops/answers";
  const options = { host: "127.0.0.1", port: tlsPort, path, ca, agent: false, method: "POST", headers: sent };
  return new Promise((resolve, reject) => {
    const asked = httpsRequest(options, (response) =>
      response.resume().once("end", () => resolve(response.statusCode ?? 0)),
    );
    asked.once("error", reject).end(body);
  });
}

const heldByRoot = async () => {
  const psql = world.psql(DELETE);
  const { id } = await waiting(world);
  return { psql, id, ...(await shown(id)) };
};

test("a human whom the settings name answers by their account, over TLS as well; one of whom no group is known is told why not", async () => {
  const { psql, id, hold, digest } = await heldByRoot();
  assert.equal(await postOverTls(turned(press(hold, digest, { user: "UCYD" }))), 401);
  assert.equal(await postOverTls(press(hold, digest, { user: "UDORA" })), 403);
  assert.equal(await post(press(hold, digest, { user: "UEVE" })), 403);
  await until(() => replies.length >= 2, "those who pressed are told");
  assert.match(replies[0] ?? "", /^Cannot take the answer: no group of dora is known\. Sign in/);
  assert.match(replies[1] ?? "", /^Cannot take the answer: slack:T1\/UEVE is nobody who may answer here/);
  assert.equal((await waiting(world)).id, id);
  const good = press(hold, digest, { user: "UCYD" });
  assert.equal(await postOverTls(good), 200);
  assert.match((await psql).stdout, /DELETE 1/);
  assert.equal(await post(good), 409); // by whichever door
  assert.deepEqual(
    (await became(world, id)).answers.map(({ name }) => name),
    ["cyd (sre)"],
  );
  assert.ok((await told(world, id, "notify.answered")).includes("notify.answered"));
  const fields = world.daemon
    .events()
    .map((event) => event["fields"] as Record<string, unknown> | undefined)
    .find((one) => one?.["hold"] === id && one["target"] === "ops" && one["user"] !== undefined);
  assert.deepEqual([fields?.["user"], fields?.["account"], fields && "uid" in fields], ["cyd", "slack:T1/UCYD", false]);
});

test("the human who started the agent does not answer by their account in the chat either; another one does", async () => {
  const who = [`--reuid=${CYD}`, "--regid=64310", `--groups=${MEMBERS}`];
  const argv = ["run", "--as", "ci", "--", "psql", "-X", "-A", "-t", world.url];
  const psql = capture("setpriv", [...who, "--", SALLYPORT, "--run", world.daemon.runDir, ...argv], { input: DELETE });
  const { id } = await waiting(world);
  const { hold, digest } = await shown(id);
  assert.equal(await post(press(hold, digest, { user: "UCYD" })), 403); // whose press was good in the test before
  assert.equal((await waiting(world)).id, id);
  assert.equal(await post(press(hold, digest, { user: "UBEN" })), 200);
  assert.match((await psql).stdout, /DELETE 1/);
});

test("over TLS nothing but answers comes in without a token", async () => {
  const asked = httpsRequest({ host: "127.0.0.1", port: tlsPort, path: "/v1/status", ca, agent: false });
  const [response] = (await once(asked.end(), "response")) as [IncomingMessage];
  response.resume();
  assert.equal(response.statusCode, 401);
});

test("what waits is told, and a signed press lets it go: the statement is executed", async () => {
  const psql = world.psql(DELETE);
  const { id } = await waiting(world);
  const { message, hold, digest } = await shown(id);
  assert.match(message.text, /^Held: an action of ci on orders\. Changes need a reviewer$/);
  assert.ok(!JSON.stringify(message).includes("DELETE FROM")); // ids, unless told
  assert.deepEqual(await orders(world, "id = 1"), [1]);
  assert.equal(await post(press(hold, digest)), 200);
  assert.equal((await psql).stdout, "DELETE 1\n");
  const ended = await became(world, id);
  assert.deepEqual([ended.state, ended.answers.map(({ name }) => name)], ["executed", ["ada (sre)"]]);
  assert.ok((await told(world, id, "notify.answered")).includes("notify.answered"));
  const answered = world.daemon.events().filter(({ kind }) => kind === "notify.answered");
  const all = answered.map((event) => (event["fields"] ?? {}) as Record<string, unknown>);
  const { target, account, user } = all.find((fields) => fields["hold"] === id) ?? {};
  assert.deepEqual([target, account, user], ["ops", "slack:T1/UADA", "ada"]);
});

test("a forged, a changed, a late, a stranger's and a repeated press are refused, and it waits until a good one comes", async () => {
  const psql = world.psql(DELETE);
  const { id } = await waiting(world);
  const { hold, digest } = await shown(id);
  const wrong: readonly (readonly [Incoming, number])[] = [
    [press(hold, digest, { secret: SECRETS["other-slack"] }), 401],
    [turned(press(hold, digest)), 401],
    [press(hold, digest, { atMs: Date.now() - 600_000 }), 401],
    [press(hold, digest, { user: "UEVE" }), 403],
    [press(hold, "ffffffffffff"), 422],
  ];
  for (const [incoming, status] of wrong) assert.equal(await post(incoming), status);
  assert.equal((await waiting(world)).id, id);
  assert.deepEqual(await orders(world, "id = 1"), [1]);
  const denial = press(hold, digest, { answer: "deny" });
  assert.equal(await post(denial), 200);
  assert.match((await psql).stderr, /42501.*denied by ada \(sre\)/);
  assert.equal(await post(denial), 409);
  assert.deepEqual(await orders(world, "id = 1"), [1]);
});

test("who started the agent does not answer by the chat either; another member does", async () => {
  const who = [`--reuid=${ADA}`, "--regid=64310", `--groups=${MEMBERS}`];
  const argv = ["run", "--as", "ci", "--", "psql", "-X", "-A", "-t", world.url];
  const psql = capture("setpriv", [...who, "--", SALLYPORT, "--run", world.daemon.runDir, ...argv], { input: DELETE });
  const { id } = await waiting(world);
  const { hold, digest } = await shown(id);
  assert.equal(await post(press(hold, digest)), 403);
  assert.equal((await waiting(world)).id, id);
  assert.equal(await post(press(hold, digest, { user: "UBEN" })), 200);
  assert.match((await psql).stdout, /DELETE 1/);
});

test("an agent reaches the door by no address, though egress opens all of loopback to it, and reads no secret, though it is root", async (t) => {
  const neighbour = createHttpServer((_request, response) => response.writeHead(204).end()).listen(0, "127.0.0.1");
  t.after(() => void neighbour.close());
  await once(neighbour, "listening");
  const client = (url: string) => [
    process.execPath,
    "-e",
    `fetch(${JSON.stringify(url)}, { method: "POST" }).then((r) => console.log("got", r.status), (e) => console.log("refused", e.cause?.code))`,
  ];
  const door = (address: string) => client(`http://${address}:${port}/v1/notify/ops/answers`);
  const [program = "", ...args] = door("127.0.0.1");
  assert.equal((await capture(program, args)).stdout, "got 401\n"); // outside of any agent: without a signature
  assert.equal((await world.daemon.run("ci", door("127.0.0.1"))).stdout, "refused EPERM\n");
  assert.equal((await world.daemon.run("ci", door("[::ffff:127.0.0.1]"))).stdout, "refused EPERM\n");
  const other = `http://127.0.0.1:${(neighbour.address() as AddressInfo).port}/`;
  assert.equal((await world.daemon.run("ci", client(other))).stdout, "got 204\n"); // loopback is open to it
  const overTls = (address: string) => [
    process.execPath,
    "-e",
    `require("tls").connect({ host: ${JSON.stringify(address)}, port: ${tlsPort}, rejectUnauthorized: false })
      .on("secureConnect", () => { console.log("reached"); process.exit() }).on("error", (e) => console.log(e.code))`,
  ];
  const [node = "", ...script] = overTls("127.0.0.1");
  assert.equal((await capture(node, script)).stdout, "reached\n");
  for (const address of ["127.0.0.1", "::ffff:127.0.0.1"])
    assert.equal((await world.daemon.run("ci", overTls(address))).stdout, "EPERM\n");
  const cat = async (name: string) => (await world.daemon.run("ci", ["cat", join(files, name)])).stdout;
  assert.match(await cat("passwd"), /^ada:/m); // what lies beside them
  assert.deepEqual([await cat("secret"), await cat("url")], ["", ""]);
});

test("the command line shows the target and tries it, and nothing anywhere shows its URL or secret", async () => {
  const [shownTarget] = await world.daemon.json<{ name: string; state: string; sent: number }[]>(["notify"]);
  assert.deepEqual([shownTarget?.name, shownTarget?.state], ["ops", "current"]);
  assert.ok((shownTarget?.sent ?? 0) > 0);
  const tried = await world.daemon.cli(["notify", "test", "ops"]);
  assert.deepEqual([tried.code, tried.stdout], [0, "ops has taken a test message\n"]);
  assert.match(messages.at(-1)?.text ?? "", /^A test/);
  const everything = world.daemon.output + JSON.stringify(world.daemon.events());
  for (const secret of ["hunter2", SECRETS["slack"] ?? ""]) assert.ok(!everything.includes(secret));
});

test("where the new address cannot be served, a reload changes nothing", async () => {
  const { configFile } = world.daemon;
  const good = readFileSync(configFile, "utf8");
  writeFileSync(configFile, good.replace(`"127.0.0.1:${port}"`, `"127.0.0.1:${world.postgres.port}"`));
  const { code, stderr } = await world.daemon.cli(["reload"]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /NOTIFY_LISTEN: Cannot take answers at 127\.0\.0\.1 port \d+: EADDRINUSE\nremedy: Name a free port/,
  );
  assert.equal(await post(press("zzzzzzzzzz", "ffffffffffff")), 422);
  writeFileSync(configFile, good);
  assert.equal((await world.daemon.cli(["reload"])).code, 0);
});
