/** The audit trail of a real daemon: what it tells of an agent, where it goes, and what happens when nobody takes it. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { EVENT_KINDS, FIELD_GROUPS } from "../../src/audit/kinds.ts";
import type { JournalEvent } from "../../src/audit/lines.ts";
import { verifyJournal } from "../../src/audit/verify.ts";
import { journalEvents, until } from "../audit/kit.ts";
import { ocsfFaults } from "../audit/ocsf-schema.ts";
import { CARD, GUARDED, HIDE, PASSWORD, SSN, startWorld, type World } from "./world.ts";

const HOOK_KEY = "kestrel-hook-key-5521";

let world: World;
let settings: string;
before(async () => {
  world = await startWorld({ policies: { "guarded.yaml": GUARDED, "hide.yaml": HIDE }, labels: true });
  const plain = readFileSync(world.daemon.configFile, "utf8");
  settings = plain.replace("groups: [ci]", "groups: [ci, nightly], claims: { team: payments, run: '4711' }");
  writeFileSync(join(world.daemon.folder, "secrets/hook"), HOOK_KEY, { mode: 0o600 });
});
after(() => world.stop());

const out = (name: string) => join(world.daemon.folder, `${name}.jsonl`);

/** The settings with these under `events`, read again by the running daemon. */
async function withEvents(...lines: readonly string[]): Promise<void> {
  const events = lines.length === 0 ? "" : `events:\n${lines.map((line) => `  ${line}\n`).join("")}`;
  writeFileSync(world.daemon.configFile, settings + events);
  const { code, stderr } = await world.daemon.cli(["reload"]);
  assert.equal(code, 0, stderr);
}

const NATIVE = () => `    - { name: native, kind: file, path: ${out("native")} }`;
const OCSF = () => `    - { name: ocsf, kind: file, path: ${out("ocsf")}, format: ocsf }`;
const DEAD = () =>
  `    - { name: dead, kind: webhook, url: "http://127.0.0.1:9/", key: { file: ${world.daemon.folder}/secrets/hook }, tls: { mode: disable } }`;

function linesOf<T>(file: string): T[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
}

interface Sink {
  readonly name: string;
  readonly state: string;
  readonly behind: { readonly events: number };
}

const sinks = () => world.daemon.json<Sink[]>(["events", "sinks"]);

/** The journal rests and this sink has all of it. */
async function delivered(name: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const found = (await sinks()).find((sink) => sink.name === name);
    const last = linesOf<JournalEvent>(out(name)).at(-1)?.seq;
    if (found?.behind.events === 0 && last === journalEvents(world.daemon.stateDir).at(-1)?.seq) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${name} does not get everything: ${JSON.stringify(await sinks())}`);
}

test("sinks are added by a reload, and get what a session does, with who did it and from where", async () => {
  await withEvents("sinks:", NATIVE(), OCSF());
  const { stdout, stderr } = await world.psql("SELECT card, ssn FROM customers;\nDROP TABLE orders;\nSELECT 1;\n");
  assert.match(stdout, /\*/);
  assert.match(stderr, /42501/);
  await delivered("native");
  const events = linesOf<JournalEvent>(out("native"));
  const denied = events.findLast(({ kind }) => kind === "action.deny");
  const { fields = {}, agent, connection } = denied ?? {};
  assert.deepEqual([agent, connection, fields["rules"]], ["ci", "orders", "no-ddl"]);
  assert.deepEqual(
    [
      fields["groups"],
      fields["claim.team"],
      fields["claim.run"],
      fields["user"],
      fields["actions"],
      fields["protocol"],
    ],
    ["ci nightly", "payments", "4711", "root", "sql.define", "postgres"],
  );
  assert.match(String(fields["executable"]), /psql|postgresql/);
  assert.match(String(fields["cgroup"]), /run-/);
  assert.match(String(fields["policy"]), /^[0-9a-f]{12,}$/);
  assert.ok(Number(fields["pid"]) > 1 && Number(fields["netns"]) > 0 && Number(fields["cgroupId"]) > 0);
  for (const kind of ["agent.tag", "session.start", "session.end"]) {
    const found = events.findLast((event) => event.kind === kind);
    assert.equal(found?.fields?.["claim.team"], "payments", kind);
  }
});

test("what is allowed is told only where the settings ask for it", async () => {
  await delivered("native");
  const before = linesOf<JournalEvent>(out("native"));
  assert.deepEqual(
    before.filter(({ kind }) => kind === "action.allow"),
    [],
  );
  await withEvents("decisions: all", "sinks:", NATIVE(), OCSF());
  await world.psql("SELECT 2;\n");
  await delivered("native");
  const allowed = linesOf<JournalEvent>(out("native")).filter(({ kind }) => kind === "action.allow");
  assert.ok(allowed.some(({ fields }) => fields?.["actions"] === "sql.read" && fields["rules"] === "rows"));
});

test("every event so far is of a known kind with known fields, and is valid OCSF", async () => {
  await world.daemon.run("ci", [
    "sh",
    "-c",
    "exec 3<>/dev/tcp/192.0.2.1/9 || true; getent hosts nowhere.example || true",
  ]);
  await delivered("native");
  const events = journalEvents(world.daemon.stateDir);
  for (const { kind, fields = {} } of events) {
    const known = EVENT_KINDS[kind];
    assert.ok(known !== undefined, `${kind} is not in the list`);
    const groups = (known.groups ?? []).flatMap((group) => [...FIELD_GROUPS[group]] as string[]);
    const names = new Set([...known.fields, ...groups, "observed", "cut"]);
    const unknown = Object.keys(fields).filter(
      (name) => !names.has(name) && !names.has("*") && !(names.has("claim.*") && /^claim\./.test(name)),
    );
    assert.deepEqual(unknown, [], `fields of ${kind}`);
  }
  await until("OCSF has all", () => linesOf(out("ocsf")).length >= events.length);
  const mapped = linesOf<Record<string, unknown>>(out("ocsf"));
  assert.deepEqual(
    mapped.flatMap((event) => ocsfFaults(event)),
    [],
  );
  assert.ok(new Set(mapped.map((event) => event["class_uid"])).size >= 4);
});

test("a daemon that is killed goes on with the same chain and numbers, and its sinks where they were", async () => {
  await world.daemon.kill();
  await world.daemon.up();
  await world.psql("SELECT 3;\n");
  await delivered("native");
  const findings = [];
  for await (const finding of verifyJournal(join(world.daemon.stateDir, "events"))) findings.push(finding);
  assert.deepEqual(findings, []);
  const wanted = journalEvents(world.daemon.stateDir).map(({ seq }) => seq);
  const seen = new Set(linesOf<JournalEvent>(out("native")).map(({ seq }) => seq));
  assert.deepEqual(
    wanted.filter((seq) => !seen.has(seq)),
    [],
  );
});

test("an outbox that nobody empties refuses operations in the agent's protocol, if so it is set, and a reload mends it", async () => {
  await withEvents("outbox: { size: 2KiB, full: stop }", "sinks:", DEAD());
  await world.psql("SELECT 4;\n"); // at the latest now it is full
  const { stdout, stderr } = await world.psql("SELECT 'let through';\n");
  assert.equal(stdout, "");
  assert.match(stderr, /too many audit events wait for their receivers/);
  assert.match(stderr, /built-in:audit/);
  const [dead] = await sinks();
  assert.equal(dead?.state, "failing");
  const table = await world.daemon.cli(["events", "sinks"]);
  assert.match(table.stdout, /dead.*webhook \(native\).*failing/);
  assert.match(table.stdout, /ECONNREFUSED/);
  await withEvents("sinks:", DEAD());
  assert.equal((await world.psql("SELECT 'let through';\n")).stdout, "let through\n");
});

test("a sink that the settings do not name any more is gone, and so is its cursor", async () => {
  const cursor = join(world.daemon.stateDir, "sinks/dead.cursor.json");
  assert.ok(existsSync(cursor));
  await withEvents();
  assert.deepEqual(await sinks(), []);
  assert.ok(!existsSync(cursor));
});

test("settings with a sink that cannot be made are refused, and what runs goes on", async () => {
  writeFileSync(
    world.daemon.configFile,
    `${settings}events:\n  sinks:\n    - { name: x, kind: file, path: /x, group: no-such-group }\n`,
  );
  const { code, stderr } = await world.daemon.cli(["reload"]);
  assert.equal(code, 1);
  assert.match(stderr, /SINK_GROUP/);
  assert.equal((await world.psql("SELECT 5;\n")).stdout, "5\n");
  await withEvents();
});

test("no credential, no key and no masked value is in any event, cursor, dead letter or file of a sink", () => {
  const { stateDir, folder } = world.daemon;
  const files = [...globSync(`${stateDir}/{events,sinks}/**`), ...globSync(`${folder}/*.jsonl`)].filter(
    (file) => !/\/(events|sinks)$/.test(file),
  );
  assert.ok(files.length >= 3, `only ${files.length} files`);
  const text = files.map((file) => readFileSync(file, "latin1")).join("");
  assert.ok(text.includes("no-ddl"), "control: what is there is found");
  for (const canary of [PASSWORD, HOOK_KEY, CARD, SSN]) {
    const bytes = Buffer.from(canary);
    for (const form of [
      canary,
      bytes.toString("base64").replace(/=+$/, ""),
      bytes.toString("hex"),
      encodeURIComponent(canary),
    ]) {
      assert.ok(!text.includes(form), `${form} is in an event`);
    }
  }
});
