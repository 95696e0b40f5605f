/** Who may answer: root and members of the rule's groups, never whoever started the agent, never an agent. */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import type { ApprovalListing } from "../../src/control/approvals.ts";
import { capture, type Outcome, SALLYPORT } from "../kit/daemon.ts";
import { answer, became, list, orders, waiting } from "./held.ts";
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
    hold: { approvers: [sre], expires: 60s, message: "A delete" }
  - name: updates
    on: sql.update
    hold: { approvers: { each: [sre, dba] }, expires: 60s, message: "An update" }
`;
/** Numbers of no user of this host; only the daemon's own view of passwd(5) and group(5) knows them. */
const USERS = { ada: 64_101, ben: 64_102, cyd: 64_103, eve: 64_104 } as const;
const MEMBERS = 64_200;
const GROUPS = `sallyport:x:${MEMBERS}:ada,ben,cyd,eve\nsre:x:64201:ada,ben\ndba:x:64202:cyd\n`;

let world: World;
let files: string;
before(async () => {
  files = mkdtempSync(join(tmpdir(), "sallyport-etc-"));
  const people = Object.entries(USERS).map(([name, uid]) => `${name}:x:${uid}:64300::/:/bin/sh\n`);
  writeFileSync(join(files, "passwd"), readFileSync("/etc/passwd", "utf8") + people.join(""));
  writeFileSync(join(files, "group"), readFileSync("/etc/group", "utf8") + GROUPS);
  const binds = ["passwd", "group"].map((name) => `mount --bind ${files}/${name} /etc/${name}`).join(" && ");
  const wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", `${binds} && exec "$@"`, "sh"];
  world = await startWorld({ policies: { "people.yaml": POLICY }, wrapper });
  chmodSync(world.daemon.folder, 0o755); // the socket inside has a mode of its own
});
after(async () => {
  await world.stop();
  rmSync(files, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const { id, state } of await list(world)) if (state === "waiting") await answer(world, "deny", id);
  await world.postgres.query("DELETE FROM orders WHERE id = 1; INSERT INTO orders VALUES (1, 1, 0, '')");
});

type User = keyof typeof USERS;

/** The command line as that user, in the group that may use the socket. */
function as(user: User, args: readonly string[], input = ""): Promise<Outcome> {
  const who = [`--reuid=${USERS[user]}`, "--regid=64300", `--groups=${MEMBERS}`];
  return capture("setpriv", [...who, "--", SALLYPORT, "--run", world.daemon.runDir, ...args], { input });
}

const DELETE = "DELETE FROM orders WHERE id = 1;\n";
const UPDATE = "UPDATE orders SET amount = 1 WHERE id = 1;\n";

test("a member of the rule's group sees it and lets it go", async () => {
  const psql = world.psql(DELETE);
  const { id } = await waiting(world);
  const seen = await as("ada", ["--json", "approvals"]);
  assert.deepEqual(
    (JSON.parse(seen.stdout) as ApprovalListing[]).map((one) => [one.id, one.barred]),
    [[id, undefined]],
    seen.stderr,
  );
  const { code, stderr } = await as("ada", ["approvals", "approve", id]);
  assert.equal(code, 0, stderr);
  assert.equal((await psql).stdout, "DELETE 1\n");
  assert.deepEqual(
    (await became(world, id)).answers.map(({ name }) => name),
    ["ada (sre)"],
  );
});

test("who is in none of its groups neither sees nor answers it", async () => {
  const psql = world.psql(DELETE);
  const { id } = await waiting(world);
  assert.equal((await as("cyd", ["--json", "approvals"])).stdout, "[]\n");
  assert.match((await as("cyd", ["approvals", "show", id])).stderr, /APPROVAL_UNKNOWN/);
  for (const how of ["approve", "deny"]) {
    const { code, stderr } = await as("cyd", ["approvals", how, id]);
    assert.equal(code, 4);
    assert.match(stderr, /APPROVAL_NOT_PERMITTED.*only root and members of sre may/);
  }
  assert.equal((await waiting(world)).id, id);
  await answer(world, "deny", id);
  await psql;
});

test("who started the agent cannot answer, whatever their groups; another member can", async () => {
  const argv = ["run", "--as", "ci", "--", "psql", "-X", "-A", "-t", world.url];
  const psql = as("ada", argv, DELETE);
  const { id, user } = await waiting(world);
  assert.equal(user, "ada");
  const own = await as("ada", ["approvals", "approve", id]);
  assert.equal(own.code, 4);
  assert.match(own.stderr, /APPROVAL_NOT_PERMITTED.*whoever started the agent never answers for it/);
  assert.equal((await as("ada", ["approvals", "deny", id])).code, 4);
  assert.deepEqual(await orders(world, "id = 1"), [1]);
  const other = await as("ben", ["approvals", "approve", id]);
  assert.equal(other.code, 0, other.stderr);
  assert.match((await psql).stdout, /DELETE 1/);
});

test("a rule that wants one of each group waits for both", async () => {
  const psql = world.psql(UPDATE);
  const { id } = await waiting(world);
  assert.match((await as("ada", ["approvals", "approve", id])).stdout, /still needs 1 more, among them of dba/);
  assert.match((await as("ada", ["approvals", "approve", id])).stderr, /APPROVAL_TWICE/);
  assert.match((await as("ben", ["approvals", "approve", id])).stdout, /still needs 1 more, among them of dba/);
  assert.deepEqual(await orders(world, "amount = 1"), []);
  assert.equal((await as("cyd", ["approvals", "approve", id])).code, 0);
  assert.equal((await psql).stdout, "UPDATE 1\n");
});

test("one who may answer is enough to deny it, also after others approved", async () => {
  const psql = world.psql(UPDATE);
  const { id } = await waiting(world);
  await as("ada", ["approvals", "approve", id]);
  assert.equal((await as("cyd", ["approvals", "deny", id])).code, 0);
  assert.match((await psql).stderr, /42501.*denied by cyd \(dba\)/);
  assert.deepEqual(await orders(world, "amount = 1"), []);
});

test("an agent never answers, not even as root", async () => {
  const psql = world.psql(DELETE);
  const { id } = await waiting(world);
  const inside = ["approvals", "approve", id];
  const { code, stderr } = await world.daemon.run("ci", [SALLYPORT, "--run", world.daemon.runDir, ...inside]);
  assert.equal(code, 4);
  assert.match(stderr, /SOCKET_NOT_PERMITTED|API_PEER_TAGGED/);
  assert.equal((await waiting(world)).id, id);
  await answer(world, "deny", id);
  await psql;
});
