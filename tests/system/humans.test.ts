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
import type { BrokenGlassListing, HumanSessionListing, Who } from "../../src/control/human-ports.ts";
import { SALLYPORT } from "../kit/daemon.ts";
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

before(async () => {
  await issuer.start();
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
async function signIn(sub: string, ...options: readonly string[]): Promise<Ended> {
  let walking: Promise<void> | undefined;
  const ended = await as(sub, ["login", ...options], (stderr) => {
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

const matrix: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["status", ["status"], ["ada", "ben", "cyd", "oma"]],
  ["a recording's search", ["search", "agent:ci"], ["cyd", "oma"]],
  ["sessions of humans", ["humans"], ["cyd", "oma"]],
  ["a reload", ["reload"], ["oma"]],
];
test("roles let reviewers see, auditors read and admins change; root's process gives none of its own", async () => {
  for (const who of ["ben", "oma"]) assert.equal((await signIn(who)).code, 0);
  for (const [name, args, may] of matrix) {
    for (const who of ["ada", "ben", "cyd", "oma"]) {
      const { code, stderr } = await as(who, args);
      assert.equal(code, may.includes(who) ? 0 : 4, `${name} by ${who}: ${stderr}`);
    }
  }
  assert.equal((await as("nobody", ["reload"])).code, 0, "root without a session is root");
});

test("a human of the rule's group lets it go; another group's, an auditor and an admin do not", async () => {
  const psql = world.psql("DELETE FROM orders WHERE id = 1;\n");
  const { id } = await waiting(world);
  for (const who of ["cyd", "oma"]) {
    assert.match((await as(who, ["approvals", "show", id])).stdout, /DELETE FROM orders/, `${who} sees it`);
    const { code, stderr } = await as(who, ["approvals", "approve", id]);
    assert.deepEqual(
      [code, /APPROVAL_NOT_PERMITTED.*only root and members of corp:sre may/.test(stderr)],
      [4, true],
      stderr,
    );
  }
  const { code, stderr } = await as("ada", ["approvals", "approve", id]);
  assert.equal(code, 0, stderr);
  assert.equal((await psql).stdout, "DELETE 1\n");
  assert.deepEqual(
    (await became(world, id)).answers.map(({ name }) => name),
    ["Ada Lovelace (corp:sre)"],
  );
  const told = () =>
    world.daemon
      .events()
      .find((event) => event["kind"] === "hold.approval" && (event["fields"] as { hold: string }).hold === id);
  await until(() => told() !== undefined, "the trail has the approval");
  assert.equal((told()?.["fields"] as { account: string }).account, "corp:ada");
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
  assert.match((await as("ada", ["approvals", "approve", id])).stdout, /still needs 1 more/);
  const { ApiClient } = await import("../../src/control/cli/client.ts");
  const byToken = new ApiClient(world.daemon.runDir, () => secret);
  await assert.rejects(byToken.post(`/v1/approvals/${id}/approve`, {}), { code: "APPROVAL_TWICE" });
  assert.equal((await as("ada", ["tokens", "revoke", token])).code, 0);
  await assert.rejects(byToken.get("/v1/approvals"), { code: "API_BEARER" });
  assert.equal((await as("cyd", ["approvals", "approve", id])).code, 0);
  assert.equal((await psql).stdout, "UPDATE 1\n");
});

test("who ran it as the user that the settings name cannot approve as the human who has signed in", async () => {
  const run = ["run", "--as", "ci", "--user", "#64101", "--", "psql", "-X", "-A", "-t", world.url];
  const psql = world.daemon.cli(run, { input: "DELETE FROM orders WHERE id = 3;\n" });
  const { id } = await waiting(world);
  const own = await as("ada", ["approvals", "approve", id]);
  assert.deepEqual(
    [own.code, /whoever started the agent never answers for it/.test(own.stderr)],
    [4, true],
    own.stderr,
  );
  assert.equal((await as("ben", ["approvals", "approve", id])).code, 0);
  assert.match((await psql).stdout, /DELETE 1/);
});

test("broken glass makes an admin who approves what others started, is told as an alarm, and waits for somebody else", async () => {
  assert.equal((await as("ada", ["break-glass", "--reason", "x"])).code, 4, "ada has not the role");
  const broken = JSON.parse(
    (await as("ben", ["--json", "break-glass", "--reason", "pager 4711"])).stdout,
  ) as BrokenGlassListing;
  assert.equal((await as("ben", ["reload"])).code, 0);
  await until(() => world.daemon.events().some((event) => event["kind"] === "human.glass.broken"), "the alarm is told");
  assert.equal((await as("ben", ["break-glass", "review", broken.id, "--comment", "mine"])).code, 4);
  assert.match((await as("cyd", ["break-glass", "list"])).stdout, /pager 4711 +waits/);
  assert.equal((await as("cyd", ["break-glass", "review", broken.id, "--comment", "as pager 4711 says"])).code, 0);
  assert.match((await as("cyd", ["break-glass", "list"])).stdout, /nothing waits/);
});

test("what was begun is as it was for the next daemon, a revoked session is over, and logout ends one", async () => {
  await world.daemon.kill();
  await world.daemon.up();
  assert.equal((await as("ada", ["whoami"])).code, 0);
  const listed = JSON.parse((await as("oma", ["--json", "humans"])).stdout) as HumanSessionListing[];
  assert.deepEqual(listed.map(({ account }) => account).toSorted(), ["corp:ada", "corp:ben", "corp:cyd", "corp:oma"]);
  assert.equal((await as("oma", ["humans", "revoke", "corp:ben"])).code, 0);
  assert.match((await as("ben", ["status"])).stderr, /API_BEARER/);
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
