/**
 * Answers in another's place, by a real daemon, database and kernel and the command line: until the end, never for one's own,
 * over a restart, and from a chat.
 */
import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { ApprovalListing } from "../../src/control/approvals.ts";
import type { DelegationListing } from "../../src/control/delegation-ports.ts";
import { capture, type Outcome, SALLYPORT } from "../kit/daemon.ts";
import { freePort } from "../kit/free-port.ts";
import { until } from "../path/kit.ts";
import { answer, became, list, orders, waiting } from "./held.ts";
import { OPEN, startWorld, type World } from "./world.ts";

const POLICY = `${OPEN}  - name: deletes
    on: sql.delete
    hold: { approvers: [sre], expires: 120s, message: "A delete" }
  - name: updates
    on: sql.update
    hold: { approvers: [sre, dba], quorum: 2, expires: 120s, message: "An update" }
`;
/** Numbers of no user of this host; only the daemon's own view of passwd(5) and group(5) knows them. */
const USERS = { ada: 64_121, ben: 64_122, cyd: 64_123, eve: 64_124 } as const;
const MEMBERS = 64_220;
const groups = (sre: string) => `sallyport:x:${MEMBERS}:ada,ben,cyd,eve\nsre:x:64221:${sre}\ndba:x:64222:cyd\n`;
const KEY = Buffer.alloc(32, 5);

let world: World;
let files: string;
let port: number;
before(async () => {
  files = mkdtempSync(join(tmpdir(), "sallyport-etc-"));
  const people = Object.entries(USERS).map(([name, uid]) => `${name}:x:${uid}:64320::/:/bin/sh\n`);
  writeFileSync(join(files, "passwd"), readFileSync("/etc/passwd", "utf8") + people.join(""));
  setGroups("ada,ben");
  writeFileSync(join(files, "url"), "https://127.0.0.1:9/hook\n", { mode: 0o600 });
  writeFileSync(join(files, "secret"), `whsec_${KEY.toString("base64")}\n`, { mode: 0o600 });
  port = await freePort();
  const more = `
notify:
  listen: "127.0.0.1:${port}"
  targets:
    - name: hook
      kind: webhook
      url: { file: ${files}/url }
      secret: { file: ${files}/secret }
      answers: { "webhook:hook/eve": eve }
`;
  const binds = ["passwd", "group"].map((name) => `mount --bind ${files}/${name} /etc/${name}`).join(" && ");
  const wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", `${binds} && exec "$@"`, "sh"];
  world = await startWorld({ policies: { "people.yaml": POLICY }, more, wrapper });
  chmodSync(world.daemon.folder, 0o755); // the socket inside has a mode of its own
});
after(async () => {
  await world?.stop();
  rmSync(files, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const { id, state } of await list(world)) if (state === "waiting") await answer(world, "deny", id);
  for (const { id } of await delegations()) await world.daemon.cli(["approvals", "undelegate", id]);
  await world.postgres.query("DELETE FROM orders WHERE id = 1; INSERT INTO orders VALUES (1, 1, 0, '')");
});

/** In place: the daemon has the file mounted. */
function setGroups(sre: string): void {
  writeFileSync(join(files, "group"), readFileSync("/etc/group", "utf8") + groups(sre));
}

type User = keyof typeof USERS;

/** The command line as that user, in the group that may use the socket. */
function as(user: User, args: readonly string[], input = ""): Promise<Outcome> {
  const who = [`--reuid=${USERS[user]}`, "--regid=64320", `--groups=${MEMBERS}`];
  return capture("setpriv", [...who, "--", SALLYPORT, "--run", world.daemon.runDir, ...args], { input });
}

async function lend(by: User, to: string, ...more: readonly string[]): Promise<DelegationListing> {
  const how = more.length > 0 ? more : ["--for", "1h"];
  const { code, stdout, stderr } = await as(by, ["--json", "approvals", "delegate", "sre", "--to", to, ...how]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as DelegationListing;
}

async function delegations(): Promise<readonly DelegationListing[]> {
  return JSON.parse((await world.daemon.cli(["--json", "approvals", "delegations"])).stdout) as DelegationListing[];
}

const DELETE = "DELETE FROM orders WHERE id = 1;\n";
const UPDATE = "UPDATE orders SET amount = 1 WHERE id = 1;\n";

test("who was lent a place lets it go, says by which delegation, and may no more once it was ended", async () => {
  const first = world.psql(DELETE);
  const { id } = await waiting(world);
  assert.equal((await as("eve", ["approvals", "approve", id])).code, 4);
  const lent = await lend("ada", "eve", "--for", "1h", "--reason", "on leave");
  assert.match(
    (await as("eve", ["approvals", "delegations"])).stdout,
    /sre .*ada \(unix:64121\).*eve .*in force.*on leave/,
  );
  const { code, stderr } = await as("eve", ["approvals", "approve", id]);
  assert.equal(code, 0, stderr);
  assert.equal((await first).stdout, "DELETE 1\n");
  const [vote] = (await became(world, id)).answers;
  assert.deepEqual([vote?.name, vote?.delegations], [`eve (sre for ada, delegation ${lent.id})`, [lent.id]]);
  const told = (kind: string) =>
    world.daemon.events().find((event) => event["kind"] === kind)?.["fields"] as Record<string, unknown> | undefined;
  await until(() => told("hold.approval") !== undefined, "the trail has the approval");
  assert.deepEqual([told("hold.approval")?.["delegation"], told("delegation.made")?.["reason"]], [lent.id, "on leave"]);
  assert.match((await as("ada", ["approvals", "undelegate", lent.id])).stdout, /eve no longer answers for sre/);
  const second = world.psql(UPDATE);
  const next = await waiting(world);
  assert.match((await as("eve", ["approvals", "approve", next.id])).stderr, /APPROVAL_NOT_PERMITTED/);
  await answer(world, "deny", next.id);
  await second;
});

for (const starter of ["ada", "eve"] as const) {
  test(`it does not count for an agent that ${starter === "ada" ? "its lender" : "its borrower"} has started; it does for another's`, async () => {
    await lend("ada", "eve");
    const run = ["run", "--as", "ci", "--", "psql", "-X", "-A", "-t", world.url];
    const own = as(starter, run, DELETE);
    const { id } = await waiting(world);
    for (const how of ["approve", "deny"]) {
      assert.match((await as("eve", ["approvals", how, id])).stderr, /APPROVAL_NOT_PERMITTED.*started the agent/);
    }
    assert.deepEqual(await orders(world, "id = 1"), [1]);
    await answer(world, "deny", id);
    await own;
    const other = as("cyd", run, DELETE);
    const { id: next } = await waiting(world);
    assert.equal((await as("eve", ["approvals", "approve", next])).code, 0);
    assert.match((await other).stdout, /DELETE 1/);
  });
}

test("lender and borrower are one of two, and what was lent cannot be lent on", async () => {
  await lend("ada", "eve");
  const chain = await as("eve", ["approvals", "delegate", "sre", "--to", "cyd", "--for", "1h"]);
  assert.equal(chain.code, 4);
  assert.match(chain.stderr, /DELEGATION_NOT_PERMITTED/);
  const psql = world.psql(UPDATE);
  const { id } = await waiting(world);
  for (const who of ["eve", "ada"] as const) {
    assert.match((await as(who, ["approvals", "approve", id])).stdout, /still needs 1 more/);
  }
  assert.deepEqual(await orders(world, "amount = 1"), []);
  assert.equal((await as("cyd", ["approvals", "approve", id])).code, 0);
  assert.equal((await psql).stdout, "UPDATE 1\n");
});

test("an answer that waits for a second one counts no more once its delegation has come to its end", async () => {
  await lend("ada", "eve", "--for", "12s");
  const psql = world.psql(UPDATE);
  const { id } = await waiting(world);
  assert.equal((await as("eve", ["approvals", "approve", id])).code, 0);
  for (let tries = 0; tries < 400 && (await delegations()).length > 0; tries++) await wait(25);
  assert.deepEqual(await delegations(), []);
  assert.match((await as("cyd", ["approvals", "approve", id])).stdout, /still needs 1 more/);
  assert.deepEqual(await orders(world, "amount = 1"), []);
  assert.match((await as("ben", ["approvals", "approve", id])).stdout, /approved/);
  assert.equal((await psql).stdout, "UPDATE 1\n");
});

test("an answer that waits for a second one counts no more once the lender has left the group", async () => {
  await lend("ada", "eve");
  const psql = world.psql(UPDATE);
  const { id } = await waiting(world);
  assert.equal((await as("eve", ["approvals", "approve", id])).code, 0);
  setGroups("ben");
  await wait(1_100); // GROUPS_KEPT_MS
  assert.match((await as("cyd", ["approvals", "approve", id])).stdout, /still needs 1 more/);
  setGroups("ada,ben");
  await wait(1_100);
  assert.deepEqual(await delegations(), [], "nothing comes back by itself");
  await answer(world, "deny", id);
  await psql;
});

test("the next daemon knows what stands, and what was ended", async () => {
  const ended = await lend("ben", "eve");
  await as("ben", ["approvals", "undelegate", ended.id]);
  await world.daemon.kill();
  await world.daemon.up();
  chmodSync(world.daemon.folder, 0o755);
  const first = world.psql(DELETE);
  const { id } = await waiting(world);
  assert.equal((await as("eve", ["approvals", "approve", id])).code, 4);
  await lend("ben", "eve");
  await world.daemon.kill();
  await first;
  await world.daemon.up();
  const second = world.psql(DELETE);
  const next = await waiting(world);
  assert.equal((await as("eve", ["approvals", "approve", next.id])).code, 0);
  assert.equal((await second).stdout, "DELETE 1\n");
});

/** As the sender of a webhook signs it. */
async function byHook({ id, digest }: ApprovalListing): Promise<number> {
  const body = JSON.stringify({
    type: "answer",
    hold: id,
    digest: digest.slice(0, 12),
    answer: "approve",
    user: "eve",
  });
  const [message, time] = [`msg_${randomUUID()}`, String(Math.floor(Date.now() / 1_000))];
  const signature = createHmac("sha256", KEY).update(`${message}.${time}.${body}`).digest("base64");
  const headers = { "webhook-id": message, "webhook-timestamp": time, "webhook-signature": `v1,${signature}` };
  const url = `http://127.0.0.1:${port}/v1/notify/hook/answers`;
  return (await fetch(url, { method: "POST", headers, body })).status;
}

test("an answer by a webhook counts in another's place as long as that is lent, and not before or after", async () => {
  const psql = world.psql(UPDATE);
  const held = await waiting(world);
  assert.equal(await byHook(held), 403);
  const { id } = await lend("ada", "eve");
  assert.equal(await byHook(held), 200);
  await as("ada", ["approvals", "undelegate", id]);
  assert.equal(await byHook(held), 403);
  assert.match((await as("cyd", ["approvals", "approve", held.id])).stdout, /still needs 1 more/);
  assert.deepEqual(await orders(world, "amount = 1"), []);
  assert.match((await as("ben", ["approvals", "approve", held.id])).stdout, /approved/);
  assert.equal((await psql).stdout, "UPDATE 1\n");
});

test("an agent neither lends, nor ends, nor answers by what its user was lent", async () => {
  const { id: lent } = await lend("ada", "eve");
  const psql = world.psql(DELETE);
  const { id } = await waiting(world);
  for (const args of [
    ["approvals", "delegate", "sre", "--to", "cyd", "--for", "1h"],
    ["approvals", "undelegate", lent],
    ["approvals", "approve", id],
  ]) {
    const run = ["run", "--as", "ci", "--", SALLYPORT, "--run", world.daemon.runDir, ...args];
    const { code, stderr } = await as("eve", run);
    assert.equal(code, 4, stderr);
    assert.match(stderr, /SOCKET_NOT_PERMITTED|API_PEER_TAGGED/);
  }
  assert.equal((await delegations()).length, 1);
  await answer(world, "deny", id);
  await psql;
});
