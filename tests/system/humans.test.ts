/**
 * Humans through a real daemon, a real issuer and the command line: both flows, what roles let them do, approvals by
 * people, API tokens, broken glass.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import type { ApprovalListing } from "../../src/control/approvals.ts";
import { ApiClient } from "../../src/control/cli/client.ts";
import { bearerOf } from "../../src/control/cli/session-file.ts";
import type { BrokenGlassListing, HumanSessionListing, Who } from "../../src/control/human-ports.ts";
import type { LegalHoldListing } from "../../src/control/retention-ports.ts";
import { makeCertificate } from "../kit/certificate.ts";
import { SALLYPORT } from "../kit/daemon.ts";
import { freePort } from "../kit/free-port.ts";
import { CLIENT_ID, HumanIssuer } from "../kit/human-issuer.ts";
import { Walker } from "../kit/walker.ts";
import { until } from "../path/kit.ts";
import { answer, became, list, waiting } from "./held.ts";
import { startWorld, type World } from "./world.ts";

const POLICY = `
rules:
  - name: reach-all
    on: connect
    allow: {}
  - name: all-sql
    on: sql
    allow: {}
  - name: deletes
    on: sql.delete
    hold: { approvers: ["corp:sre"], expires: 120s, message: "A delete" }
  - name: updates
    on: sql.update
    hold: { approvers: ["corp:sre", "corp:dba"], quorum: 2, expires: 120s, message: "An update" }
`;

const PEOPLE: Record<string, Readonly<Record<string, unknown>>> = {
  ada: { name: "Ada Lovelace", groups: ["sre"] },
  ben: { name: "Ben", groups: ["sre", "oncall"] },
  cyd: { name: "Cyd", groups: ["dba", "audit"] },
  oma: { name: "Oma", groups: ["ops"] },
};

const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
const issuer = new HumanIssuer(folder, { people: PEOPLE });
let world: World;
/** Where the API is served over TLS. */
let far: ReturnType<typeof makeCertificate> & { readonly port: number };

before(async () => {
  await issuer.start();
  far = { ...makeCertificate(mkdtempSync(join(folder, "far-")), ["127.0.0.1"]), port: await freePort() };
  world = await startWorld({ policies: { "people.yaml": POLICY }, more: SETTINGS() });
  chmodSync(world.daemon.folder, 0o755);
});
after(async () => {
  await world?.stop();
  await issuer.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const { id, state } of await list(world)) if (state === "waiting") await answer(world, "deny", id);
});

const SETTINGS = () => `
api: { listen: "127.0.0.1:${far.port}", certificate: ${far.certificateFile}, key: { file: ${far.keyFile} }, login: [code, device] }
identity:
  logins:
    - { name: corp, issuer: "${issuer.url}", clientId: ${CLIENT_ID}, ca: ${issuer.caFile}, groups: groups }
roles:
  reviewer: ["corp:sre", "corp:dba"]
  auditor: ["corp:audit"]
  admin: ["corp:ops"]
  break-glass: ["corp:oncall"]
humans:
  - { name: ada, is: ["corp:ada", "unix:64101"] }
`;

/** Each has a home of their own, and root's processes: what they show is all that tells them apart. */
function home(who: string): string {
  const path = join(folder, `home-${who}`);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function as(who: string, args: readonly string[], heard?: (stderr: string) => void): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env["PATH"], HOME: home(who) };
    const child = spawn(SALLYPORT, ["--run", world.daemon.runDir, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (part) => (stdout += String(part)));
    child.stderr.on("data", (part) => {
      stderr += String(part);
      heard?.(stderr);
    });
    child.once("error", reject).once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** The browser on the same host: through the issuer's pages and back to the command line. */
async function browse(url: string, sub: string): Promise<void> {
  const back = await new Walker(issuer.ca).signIn(url, sub);
  if (!back.startsWith("http:")) return;
  await new Promise<void>((resolve, reject) => {
    get(back, { agent: false }, (page) => page.resume().once("end", resolve)).once("error", reject);
  });
}

/** By `login`, as the issuer's pages are walked. */
function signIn(sub: string, ...options: readonly string[]): Promise<Ended> {
  return signInAt(sub, sub, ["login", ...options]);
}

async function signInAt(place: string, sub: string, options: readonly string[]): Promise<Ended> {
  let walking: Promise<void> | undefined;
  const ended = await as(place, options, (stderr) => {
    const urls = [...stderr.matchAll(/^https:\S+$/gm)].map(([url]) => url);
    const url = options.includes("--device") ? urls[1] : urls[0];
    if (url !== undefined && stderr.endsWith("\n")) walking ??= browse(url, sub);
  });
  await walking;
  return ended;
}

test("login walks the code flow, and whoami says who one is by then", async () => {
  const { code, stdout, stderr } = await signIn("ada");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^you are Ada Lovelace \(corp:ada\)/);
  const who = JSON.parse((await as("ada", ["--json", "whoami"])).stdout) as Who;
  assert.deepEqual([who.account, who.roles, who.groups, who.uid], ["corp:ada", ["reviewer"], ["corp:sre"], 0]);
});

test("login --device walks the device flow", async () => {
  const { code, stdout, stderr } = await signIn("cyd", "--device");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^you are Cyd \(corp:cyd\)/);
});

/** What they kept, shown by this process: a command line each time would take longer than all the rest. */
function api(who: string): ApiClient {
  return new ApiClient(world.daemon.runDir, { bearer: () => bearerOf({ HOME: home(who) }, world.daemon.runDir) });
}

const matrix: readonly (readonly [string, (api: ApiClient) => Promise<unknown>, readonly string[]])[] = [
  ["status", (by) => by.get("/v1/status"), ["ada", "ben", "cyd", "oma"]],
  ["a search of recordings", (by) => by.get("/v1/search?q=agent:ci"), ["cyd", "oma"]],
  ["sessions of humans", (by) => by.get("/v1/humans"), ["cyd", "oma"]],
  ["a reload", (by) => by.post("/v1/settings/reload", {}), ["oma"]],
];
test("roles let reviewers see, auditors read and admins change; root's process gives none of its own", async () => {
  for (const who of ["ben", "oma"]) assert.equal((await signIn(who)).code, 0);
  for (const [name, asked, may] of matrix) {
    for (const who of ["ada", "ben", "cyd", "oma"]) {
      const outcome = await asked(api(who)).then(
        () => "served",
        (error: { readonly code: string }) => error.code,
      );
      assert.equal(outcome, may.includes(who) ? "served" : "API_NOT_PERMITTED", `${name} by ${who}`);
    }
  }
  await new ApiClient(world.daemon.runDir).post("/v1/settings/reload", {}); // root without a session is root
});

test("a human of the rule's group lets it go; another group's, an auditor and an admin do not", async () => {
  const psql = world.psql("DELETE FROM orders WHERE id = 1;\n");
  const { id } = await waiting(world);
  for (const who of ["cyd", "oma"]) {
    const seen = await api(who).get<ApprovalListing>(`/v1/approvals/${id}`);
    assert.equal(seen.barred, "only root and members of corp:sre may", `${who} sees it`);
    await assert.rejects(api(who).post(`/v1/approvals/${id}/approve`, {}), { code: "APPROVAL_NOT_PERMITTED" });
  }
  const { code, stderr } = await as("ada", ["approvals", "approve", id]);
  assert.equal(code, 0, stderr);
  assert.equal((await psql).stdout, "DELETE 1\n");
  assert.deepEqual(
    (await became(world, id)).answers.map(({ name }) => name),
    ["Ada Lovelace [corp:ada] (corp:sre)"],
  );
  const account = () => {
    const fields = world.daemon.events().map((event) => event["fields"] as Record<string, unknown> | undefined);
    return fields.find((one) => one?.["hold"] === id && one["account"] !== undefined)?.["account"];
  };
  await until(() => account() !== undefined, "the trail has the approval");
  assert.equal(account(), "corp:ada");
});

test("two distinct humans make a quorum, and one with a session and an API token does not", async () => {
  const made = await as("ada", [
    "--json",
    "tokens",
    "create",
    "--name",
    "desk",
    "--roles",
    "reviewer",
    "--expires",
    "1h",
  ]);
  const { secret, id: token } = JSON.parse(made.stdout) as { secret: string; id: string };
  const psql = world.psql("UPDATE orders SET amount = 1 WHERE id = 2;\n");
  const { id } = await waiting(world);
  const first = await api("ada").post<ApprovalListing>(`/v1/approvals/${id}/approve`, {});
  assert.match(first.missing ?? "", /^1 more of corp:sre or corp:dba/);
  const byToken = new ApiClient(world.daemon.runDir, { bearer: () => secret });
  await assert.rejects(byToken.post(`/v1/approvals/${id}/approve`, {}), { code: "APPROVAL_TWICE" });
  await api("ada").delete(`/v1/tokens/${token}`);
  await assert.rejects(byToken.get("/v1/approvals"), { code: "API_TOKEN_INVALID" });
  await api("cyd").post(`/v1/approvals/${id}/approve`, {});
  assert.equal((await psql).stdout, "UPDATE 1\n");
});

test("who ran it as the user that the settings name cannot approve as the human who has signed in", async () => {
  const user = ["setpriv", "--reuid=64101", "--clear-groups", "--"];
  const run = ["run", "--as", "ci", "--", ...user, "psql", "-X", "-A", "-t", world.url];
  const psql = world.daemon.cli(run, { input: "DELETE FROM orders WHERE id = 3;\n" });
  const { id } = await waiting(world);
  const refusal = { code: "APPROVAL_NOT_PERMITTED", message: /whoever started the agent never answers for it/ };
  await assert.rejects(api("ada").post(`/v1/approvals/${id}/approve`, {}), refusal);
  await api("ben").post(`/v1/approvals/${id}/approve`, {});
  assert.match((await psql).stdout, /DELETE 1/);
});

test("broken glass makes an admin who approves what others started, is told as an alarm, and waits for somebody else", async () => {
  await assert.rejects(api("ada").post("/v1/break-glass", { reason: "x" }), { code: "API_NOT_PERMITTED" });
  const told = await as("ben", ["--json", "break-glass", "--reason", "pager 4711"]);
  const broken = JSON.parse(told.stdout) as BrokenGlassListing;
  await api("ben").post("/v1/settings/reload", {});
  await until(() => world.daemon.events().some(({ kind }) => kind === "human.glass.broken"), "the alarm is told");
  const review = (who: string) =>
    api(who).post(`/v1/break-glass/${broken.id}/review`, { comment: "as pager 4711 says" });
  await assert.rejects(review("ben"), { code: "BREAK_GLASS_OWN" });
  const waits = () => api("cyd").get<readonly BrokenGlassListing[]>("/v1/break-glass");
  assert.deepEqual(
    (await waits()).map(({ id, reason }) => [id, reason]),
    [[broken.id, "pager 4711"]],
  );
  await review("cyd");
  assert.deepEqual(await waits(), []);
});

/** Flags of a command line on another host; each of those has a home of its own there. */
const FAR = () => ["--url", `https://127.0.0.1:${far.port}`, "--ca", far.caFile];

test("from another host people sign in over TLS, by either flow, and answer as themselves; no user of this host is told", async () => {
  assert.match((await as("far-ben", [...FAR(), "approvals"])).stderr, /API_TOKEN_INVALID.*nothing was shown/);
  for (const [sub, ...options] of [["ben"], ["cyd", "--device"]] as const) {
    const { code, stdout, stderr } = await signInAt(`far-${sub}`, sub, [...FAR(), "login", ...options]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^you are (Ben|Cyd) \(corp:/);
  }
  const psql = world.psql("DELETE FROM orders WHERE id = 4;\n");
  const { id } = await waiting(world);
  assert.match(
    (await as("far-cyd", [...FAR(), "approvals", "approve", id])).stderr,
    /only root and members of corp:sre/,
  );
  const { code, stderr } = await as("far-ben", [...FAR(), "approvals", "approve", id]);
  assert.equal(code, 0, stderr);
  assert.match((await psql).stdout, /DELETE 1/);
  const told = () => {
    const fieldsOf = (event: Record<string, unknown>) => event["fields"] as Record<string, unknown>;
    const events = world.daemon.events();
    const login = events.filter(({ kind }) => kind === "human.login").map(fieldsOf);
    const calls = events.filter(({ kind }) => kind === "api.call").map(fieldsOf);
    return {
      login: login.find(({ human, source }) => human === "corp:ben" && source !== undefined),
      call: calls.find(
        ({ route, source, human }) =>
          route === "/v1/approvals/:id/approve" && source !== undefined && human === "corp:ben",
      ),
    };
  };
  await until(() => told().call !== undefined, "the trail has the call");
  const { login = {}, call = {} } = told();
  assert.deepEqual([login["source"], "uid" in login, "pid" in login], ["127.0.0.1", false, false]);
  assert.deepEqual([call["human"], "uid" in call, "pid" in call], ["corp:ben", false, false]);
  assert.match(String(call["credential"]), /^session [0-9a-f]{12}$/);
});

test("a session of the network counts for no process of the host, and one of the host not over the network", async () => {
  const secretOf = (who: string) => {
    const path = join(home(who), ".local", "state", "sallyport");
    return readFileSync(join(path, readdirSync(path)[0] ?? ""), "utf8").trim();
  };
  const local = new ApiClient(world.daemon.runDir, { bearer: () => secretOf("far-ben") });
  await assert.rejects(local.get("/v1/whoami"), { code: "API_TOKEN_INVALID" });
  const { host, port, ca } = { host: "127.0.0.1", port: far.port, ca: readFileSync(far.caFile) };
  const overTls = (who: string) =>
    new ApiClient("", { bearer: () => secretOf(who) }, { origin: `https://${host}:${port}`, host, port, ca });
  await assert.rejects(overTls("ada").get("/v1/whoami"), { code: "API_TOKEN_INVALID" });
  const who = await overTls("far-ben").get<Who>("/v1/whoami");
  assert.deepEqual([who.account, who.uid], ["corp:ben", undefined]);
  assert.match((await as("far-ben", [...FAR(), "logout"])).stdout, /^signed out/);
  assert.match((await as("far-cyd", [...FAR(), "logout"])).stdout, /^signed out/);
});

test("what was begun is as it was for the next daemon, a revoked session is over, and logout ends one", async () => {
  await world.daemon.kill();
  await world.daemon.up();
  assert.equal((await as("ada", ["whoami"])).code, 0);
  const listed = await api("oma").get<readonly HumanSessionListing[]>("/v1/humans");
  assert.deepEqual(listed.map(({ account }) => account).toSorted(), ["corp:ada", "corp:ben", "corp:cyd", "corp:oma"]);
  await api("oma").post("/v1/humans/revoke", { who: "corp:ben" });
  await assert.rejects(api("ben").get("/v1/status"), { code: "API_TOKEN_INVALID" });
  assert.equal((await as("cyd", ["logout"])).stdout, "signed out\n");
  assert.match((await as("cyd", ["whoami"])).stdout, /^you are root/);
});

test("no secret that a human was given is in the daemon's state, its output or its trail", () => {
  const secrets = ["ada", "oma"].map((who) => {
    const path = join(home(who), ".local", "state", "sallyport");
    return readFileSync(join(path, readdirSync(path)[0] ?? ""), "utf8").trim();
  });
  const files = readdirSync(world.daemon.stateDir, { recursive: true, encoding: "utf8", withFileTypes: true });
  const texts = files
    .filter((file) => file.isFile())
    .map((file) => readFileSync(join(file.parentPath, file.name), "latin1"));
  assert.ok(
    texts.some((text) => text.includes("corp:ada")),
    "the search finds nothing that is there",
  );
  for (const secret of secrets) {
    assert.match(secret, /^sps_/);
    for (const text of [...texts, world.daemon.output]) assert.ok(!text.includes(secret.slice(4)));
  }
});

test("who is revoked while their approval waits for a second one's is not counted", async () => {
  for (const who of ["ada", "ben", "cyd"]) assert.equal((await signIn(who)).code, 0);
  const psql = world.psql("UPDATE orders SET amount = 1 WHERE id = 2;\n");
  const { id } = await waiting(world);
  await api("ada").post(`/v1/approvals/${id}/approve`, {});
  await world.daemon.cli(["humans", "revoke", "corp:ada"]);
  const second = await api("cyd").post<ApprovalListing>(`/v1/approvals/${id}/approve`, {});
  assert.deepEqual([second.state, second.answers.map(({ name }) => name)], ["waiting", ["Cyd [corp:cyd] (corp:dba)"]]);
  await api("ben").post(`/v1/approvals/${id}/approve`, {});
  assert.equal((await psql).stdout, "UPDATE 1\n");
});

test("a legal hold by a human is theirs in the list, as it is in the trail; root's is root's", async () => {
  const [mine, other] = await api("oma").get<readonly { readonly id: string }[]>("/v1/sessions?limit=2");
  await api("oma").post(`/v1/sessions/${mine?.id}/hold`, { reason: "case 4711" });
  await new ApiClient(world.daemon.runDir).post(`/v1/sessions/${other?.id}/hold`, { reason: "case 4712" });
  const held = await api("cyd").get<readonly LegalHoldListing[]>("/v1/legal-holds");
  assert.deepEqual(
    held.map(({ sessionId, human, humanName }) => [sessionId, human, humanName]),
    [
      [mine?.id, "corp:oma", "Oma"],
      [other?.id, undefined, undefined],
    ],
  );
});

test("a search by a human is theirs in the trail; whoever may not search is told as refused, without what they wanted", async () => {
  await api("cyd").get("/v1/search?q=agent:ci%20kind:hold.approval");
  await assert.rejects(api("ben").get("/v1/search?q=secretly7733"), { code: "API_NOT_PERMITTED" });
  const told = () => {
    const searches = world.daemon.events().filter(({ kind }) => kind === "recording.search");
    return searches.map(({ fields }) => fields as { readonly human?: string; readonly query: string });
  };
  await until(() => told().some(({ human }) => human === "corp:cyd"), "the search is told");
  assert.equal(told().findLast(({ human }) => human === "corp:cyd")?.query, "agent:ci kind:hold.approval");
  assert.equal(JSON.stringify(world.daemon.events()).includes("secretly7733"), false);
});
