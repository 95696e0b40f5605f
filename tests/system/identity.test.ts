/** Jobs that say by a token who they are, from a real issuer through a real daemon to PostgreSQL, and the end of what they may. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { AgentListing } from "../../src/control/ports.ts";
import { capture, SALLYPORT } from "../kit/daemon.ts";
import { Issuer, makeKey, type SigningKey, sign } from "../kit/issuer.ts";
import {
  attribute,
  ENTITY,
  makeSamlKey,
  RECIPIENT,
  responseXml,
  SAML_AUDIENCE,
  type Said,
  type SamlKey,
  signXml,
} from "../kit/saml.ts";
import { until } from "../path/kit.ts";
import { makeCgroup } from "./flows.ts";
import { SteeredAgent, startWorld, type World } from "./world.ts";

const POLICY = `
rules:
  - name: shop
    on: [connect, sql.read]
    when: '"repository" in agent.claims && agent.claims["repository"] == "acme/shop" && "builders" in agent.groups'
    allow: {}
`;
/** Ten times what the daemon needs: a loaded machine is no reason to fail, a session that goes on is. */
const CUT_MS = 2_500;

const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
const issuer = new Issuer(folder);
let key: SigningKey;
let provider: SamlKey;
let world: World;
const shown: string[] = [];

before(async () => {
  key = await makeKey("ES256", "one");
  provider = makeSamlKey(folder, "corp");
  await issuer.start([key]);
  world = await startWorld({ policies: { "policy.yaml": POLICY }, more: settings() });
});
after(async () => {
  await world?.stop();
  await issuer.stop();
  rmSync(folder, { recursive: true, force: true });
});

function settings(name = "forge"): string {
  const common = `issuer: "${issuer.url}", ca: ${issuer.caFile}, claims: [repository], groups: groups, agents: [ci]`;
  return `
identity:
  issuers:
    - { name: ${name}, ${common}, audience: sallyport, match: { repository: "acme/*" } }
    - { name: brief, ${common}, audience: brief, until: token }
  saml:
    - { name: corp, entityId: "${ENTITY}", audience: "${SAML_AUDIENCE}", certificates: [${provider.certificateFile}],
        claims: { repository: "urn:repository" }, groups: "urn:groups", agents: [ci] }
`;
}

/** A file with a token of a job; each with a jti of its own. */
async function tokenFile(more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const at = Math.floor(Date.now() / 1_000);
  const job = { sub: "repo:acme/shop:main", repository: "acme/shop", groups: ["builders"], jti: `jti-${shown.length}` };
  const token = await sign(key, { iss: issuer.url, aud: "sallyport", iat: at, exp: at + 300, ...job, ...more });
  shown.push(token);
  const file = join(folder, `token-${shown.length}`);
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  return file;
}

/** A file with a SAML response for a job, in lines as base64(1) writes them. */
function samlFile(more: Partial<Said> = {}): string {
  const attributes = attribute("urn:repository", "acme/shop") + attribute("urn:groups", "builders");
  const times = { issuedMs: 0, beginsMs: 0, endsMs: 300_000, confirmedUntilMs: 300_000 };
  const job = { id: `job-${shown.length}`, subject: "repo:acme/shop:main", attributes, status: "Success", ...times };
  const said = { issuer: ENTITY, audience: SAML_AUDIENCE, recipient: RECIPIENT, ...job, ...more };
  const response = Buffer.from(signXml(responseXml(said, Date.now()), "Assertion", provider)).toString("base64");
  shown.push(response);
  const file = join(folder, `response-${shown.length}`);
  writeFileSync(file, response.replace(/.{76}/g, "$&\n"), { mode: 0o600 });
  return file;
}

const ask = (file: string | undefined, ...options: readonly string[]) => {
  const token = file === undefined ? [] : ["--token-file", file];
  return world.daemon.cli([
    "run",
    "--as",
    "ci",
    ...token,
    ...options,
    "--",
    "psql",
    "-XAt",
    "-c",
    "SELECT 40 + 2",
    world.url,
  ]);
};
const eventsOf = (kind: string) => world.daemon.events().filter((event) => event["kind"] === kind);
/** The journal is written behind the answer. */
async function told(
  kind: string,
  holds: (fields: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown>> {
  const found = () => eventsOf(kind).findLast((event) => holds(fieldsOf(event)));
  await until(() => found() !== undefined, `${kind} is told`);
  return found() ?? {};
}
const fieldsOf = (event: Record<string, unknown> | undefined) => (event?.["fields"] ?? {}) as Record<string, unknown>;

test("a rule that asks for a claim lets in the job whose token has it, and no other", async () => {
  const job = await ask(await tokenFile());
  assert.deepEqual([job.code, job.stdout], [0, "42\n"], job.stderr);
  const started = await told("session.start", () => true);
  const { issuer: by, subject, groups, "claim.repository": repository } = fieldsOf(started);
  assert.deepEqual([by, subject, groups, repository], ["forge", "repo:acme/shop:main", "ci builders", "acme/shop"]);

  for (const other of [undefined, await tokenFile({ repository: "acme/other" }), await tokenFile({ groups: [] })]) {
    const { code, stdout, stderr } = await ask(other);
    assert.deepEqual([code, stdout], [2, ""]); // psql could not connect
    assert.match(stderr, /shop|denied|not allowed|No rule/i);
  }
});

test("the recording of a job begins with what its token says", async () => {
  const [session] = await world.daemon
    .json<{ id: string }[]>(["sessions", "--agent", "ci", "--limit", "100"])
    .then((all) => all.toReversed());
  const { stdout } = await world.daemon.cli(["sessions", "show", session?.id ?? ""]);
  assert.match(stdout, /ci \(repo:acme\/shop:main, says forge\) to orders/);
  const verified = await world.daemon.cli(["sessions", "verify", session?.id ?? ""]);
  assert.equal(verified.code, 0, verified.stderr);
});

const refused: readonly (readonly [string, Readonly<Record<string, unknown>>, string])[] = [
  ["of another repository", { repository: "evil/shop" }, "TOKEN_MATCH"],
  ["that has expired", { exp: 1_000_000_000 }, "TOKEN_EXPIRED"],
  ["for somebody else", { aud: "other" }, "TOKEN_AUDIENCE"],
];
for (const [name, more, code] of refused) {
  test(`with a token ${name} the command does not run, and the trail says why`, async () => {
    const outcome = await world.daemon.cli([
      "run",
      "--as",
      "ci",
      "--token-file",
      await tokenFile(more),
      "--",
      "echo",
      "ran",
    ]);
    assert.deepEqual([outcome.code, outcome.stdout], [125, ""]);
    assert.match(outcome.stderr, new RegExp(`^sallyport: ${code}: .*\nremedy: `));
    const event = await told("agent.identity.refused", (fields) => fields["code"] === code);
    assert.equal(event["agent"], "ci");
  });
}

test("a token that was shown is refused for a second command, also by the next daemon", async () => {
  const file = await tokenFile();
  assert.equal((await ask(file)).code, 0);
  for (const round of ["the same daemon", "the next daemon"]) {
    const { code, stderr } = await ask(file);
    assert.deepEqual([code, /TOKEN_REPLAYED/.test(stderr)], [125, true], round);
    await world.daemon.kill();
    await world.daemon.up();
  }
});

test("a token may come by a descriptor, which the command does not get", async () => {
  const script = `exec "$0" --run "$1" run --quiet --as ci --token-file /dev/fd/3 -- sh -c 'ls /proc/self/fd' 3< "$2"`;
  const outcome = await capture("bash", ["-c", script, SALLYPORT, world.daemon.runDir, await tokenFile()]);
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.deepEqual(outcome.stdout.trim().split("\n"), ["0", "1", "2", "3"]); // 3 is the folder that ls reads
});

test("an identity outlives the daemon, and its job goes on", async (t) => {
  const agent = new SteeredAgent(world.daemon, "ci", ["--token-file", await tokenFile()]);
  t.after(() => agent.leave());
  assert.equal((await agent.open("before", world.url)).code, undefined);
  await world.daemon.kill();
  await world.daemon.up();
  assert.deepEqual((await agent.open("after", world.url)).code, undefined);
  assert.deepEqual((await agent.ask("after", "SELECT 1 AS one")).rows, [[1]]);
  // those of commands that have ended may be listed for a moment longer
  const lasting = (await world.daemon.json<AgentListing[]>(["agents"])).filter(
    ({ identity, processes }) => identity?.state === "valid" && processes > 0,
  );
  assert.equal(lasting.length, 1);
  const [listed] = lasting;
  const { endsMs = 0, ...identity } = listed?.identity ?? {};
  const says = { groups: ["builders"], claims: { repository: "acme/shop" } };
  assert.deepEqual(identity, { state: "valid", issuer: "forge", subject: "repo:acme/shop:main", ...says });
  assert.ok(endsMs > Date.now() + 11 * 3_600_000 && endsMs <= Date.now() + 12 * 3_600_000);
});

test("with `until: token` the token's expiry cuts an idle connection with its farewell, and refuses the next", async (t) => {
  const exp = Math.ceil(Date.now() / 1_000) + 3;
  const agent = new SteeredAgent(world.daemon, "ci", ["--token-file", await tokenFile({ aud: "brief", exp })]);
  t.after(() => agent.leave());
  assert.equal((await agent.open("idle", world.url)).code, undefined);
  assert.deepEqual((await agent.ask("idle", "SELECT 1 AS one")).rows, [[1]]);
  const { code, message } = await agent.gone("idle");
  const lateMs = Date.now() - exp * 1_000;
  assert.deepEqual([code, /its identity has expired/.test(message ?? "")], ["57P01", true], message);
  assert.ok(lateMs >= 0 && lateMs < CUT_MS, `it was cut ${lateMs} ms after the expiry`);
  t.diagnostic(`cut ${lateMs} ms after the token's expiry`);

  assert.notEqual((await agent.open("next", world.url)).code, undefined);
  const refusal = await told("connection.refused", (fields) => fields["issuer"] === "brief");
  assert.equal(fieldsOf(refusal)["subject"], "repo:acme/shop:main");
  assert.match(String(refusal["message"]), /identity has ended/);
  const expired = await told("agent.identity.expired", (fields) => fields["issuer"] === "brief");
  assert.equal(fieldsOf(expired)["claim.repository"], "acme/shop");
  const { stdout } = await world.daemon.cli(["agents"]);
  assert.match(stdout, /over: its identity has expired/);
});

test("a tag shows a token for what already runs, and takes no other before it has ended", async (t) => {
  const cgroup = makeCgroup("identity-tag");
  t.after(() => cgroup.remove());
  const tag = (...options: readonly string[]) =>
    world.daemon.cli(["tag", "--as", "ci", "--cgroup", cgroup.path, ...options]);
  const first = await tag("--token-file", await tokenFile());
  assert.equal(first.code, 0, first.stderr);
  for (const later of [["--token-file", await tokenFile()], []]) {
    const { code, stderr } = await tag(...later);
    assert.deepEqual([code, /AGENT_IDENTITY/.test(stderr)], [1, true], stderr);
  }
  assert.equal((await world.daemon.cli(["untag", "--cgroup", cgroup.path])).code, 0);
  const next = await tag("--token-file", await tokenFile());
  assert.equal(next.code, 0, next.stderr);
  await world.daemon.cli(["untag", "--cgroup", cgroup.path]);
});

test("a SAML response says as well who a job is, to a run and to a tag, and does so once", async (t) => {
  const file = samlFile();
  const job = await ask(file);
  assert.deepEqual([job.code, job.stdout], [0, "42\n"], job.stderr);
  const started = await told("session.start", ({ issuer: by }) => by === "corp");
  const { subject, groups, "claim.repository": repository } = fieldsOf(started);
  assert.deepEqual([subject, groups, repository], ["repo:acme/shop:main", "ci builders", "acme/shop"]);

  const cgroup = makeCgroup("identity-saml");
  t.after(() => cgroup.remove());
  const tag = (from: string) => world.daemon.cli(["tag", "--as", "ci", "--cgroup", cgroup.path, "--token-file", from]);
  const forged = samlFile();
  const xml = Buffer.from(readFileSync(forged, "utf8"), "base64").toString().replace("acme/shop<", "acme/other<");
  writeFileSync(forged, Buffer.from(xml).toString("base64"));
  for (const [from, code] of [
    [file, "TOKEN_REPLAYED"],
    [forged, "TOKEN_SIGNATURE"],
    [samlFile({ audience: "urn:other" }), "TOKEN_AUDIENCE"],
  ] as const) {
    const refused = await tag(from);
    assert.deepEqual([refused.code, refused.stderr.startsWith(`sallyport: ${code}: `)], [1, true], refused.stderr);
    await told("agent.identity.refused", (fields) => fields["code"] === code);
  }
  const tagged = await tag(samlFile());
  assert.equal(tagged.code, 0, tagged.stderr);
  const [listed] = (await world.daemon.json<AgentListing[]>(["agents"])).filter((one) => one.cgroup === cgroup.path);
  assert.deepEqual([listed?.identity?.issuer, listed?.identity?.claims], ["corp", { repository: "acme/shop" }]);
  await world.daemon.cli(["untag", "--cgroup", cgroup.path]);
});

test("an issuer that is taken out of the settings takes its identities along", async (t) => {
  const agent = new SteeredAgent(world.daemon, "ci", ["--token-file", await tokenFile()]);
  t.after(() => agent.leave());
  assert.equal((await agent.open("idle", world.url)).code, undefined);
  const before = readFileSync(world.daemon.configFile, "utf8");
  writeFileSync(world.daemon.configFile, before.replace(settings(), settings("another")));
  t.after(async () => {
    writeFileSync(world.daemon.configFile, before);
    await world.daemon.cli(["reload"]);
  });
  assert.equal((await world.daemon.cli(["reload"])).code, 0);
  assert.match((await agent.gone("idle")).message ?? "", /its issuer is not in the settings any more/);
});

test("with the issuer down the daemon starts, refuses its tokens and says what to do", async () => {
  await issuer.stop();
  await world.daemon.kill();
  await world.daemon.up();
  const { code, stderr } = await ask(await tokenFile());
  assert.deepEqual([code, /ISSUER_UNREACHABLE.*\nremedy: /.test(stderr)], [125, true], stderr);
  await issuer.start([key]);
});

test("no token that was shown is in the daemon's state, its output or its trail", () => {
  const files = readdirSync(world.daemon.stateDir, { recursive: true, encoding: "utf8", withFileTypes: true });
  const texts = files
    .filter((file) => file.isFile())
    .map((file) => readFileSync(join(file.parentPath, file.name), "latin1"));
  const all = [...texts, world.daemon.output];
  assert.ok(
    texts.some((text) => text.includes("repo:acme/shop:main")),
    "the search finds nothing that is there",
  );
  for (const token of shown) {
    const [, ...parts] = token.includes(".") ? token.split(".") : ["", ...signatureOf(token)];
    for (const part of parts) assert.ok(!all.some((text) => text.includes(part)));
  }
});

/** Of a SAML response: itself, and the signature inside. */
function signatureOf(response: string): string[] {
  const [, value = ""] = /<ds:SignatureValue>([^<]+)/.exec(Buffer.from(response, "base64").toString()) ?? [];
  return [response, value];
}
