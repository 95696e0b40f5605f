/** An observed agent is stopped by no rule, everything of it is judged and recorded, and what is hidden stays hidden. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { SessionEntry } from "../../src/control/ports.ts";
import { Daemon } from "../kit/daemon.ts";
import { type Postgres, startPostgres } from "../kit/postgres.ts";
import { Flow, makeCgroup, type Streamer, startStreamer } from "./flows.ts";
import { GUARDED, HIDE, PASSWORD, PEOPLE, SSN, SteeredAgent } from "./world.ts";

const HOST = "127.0.0.1";

let postgres: Postgres;
let daemon: Daemon;
let streamer: Streamer;
const cgroup = makeCgroup("observe");

before(async () => {
  postgres = await startPostgres({ version: 15, password: PASSWORD, addresses: [HOST] });
  await postgres.query(PEOPLE);
  streamer = await startStreamer(HOST);
  daemon = await Daemon.start({
    settings: `
agents: [{ name: ci }]
connections:
  - name: orders
    protocol: postgres
    addresses: ["${HOST}:${postgres.port}"]
    credential: { user: postgres, password: { file: FOLDER/secrets/orders } }
    tls: { mode: disable }
    data: { public.customers: { columns: { ssn: [pii] } } }
`,
    policies: { "guarded.yaml": GUARDED, "hide.yaml": HIDE },
    secrets: { orders: PASSWORD },
  });
  const tagged = await daemon.cli(["tag", "--as", "ci", "--cgroup", cgroup.path]);
  assert.equal(tagged.code, 0, tagged.stderr);
});
after(async () => {
  await daemon?.stop();
  streamer?.close();
  await postgres?.stop();
  await cgroup.remove();
});

const url = () => `postgresql://agent:placeholder@${HOST}:${postgres.port}/postgres`;
const psql = (sql: string) => daemon.run("ci", ["psql", "-X", "-A", "-t", url()], { input: sql });
const observe = (...words: readonly string[]) => daemon.cli(["observe", "ci", ...words]);
const eventsOf = (kind: string) => daemon.events().filter((event) => event["kind"] === kind);
const fieldsOf = (event: Record<string, unknown> | undefined) => (event?.["fields"] ?? {}) as Record<string, unknown>;

/** Until `found` gives something; at most ten seconds. */
async function eventually<T>(found: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
  for (const end = Date.now() + 10_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const value = await found();
    if (value !== undefined) return value;
  }
  throw new Error(`Waited in vain for ${what}`);
}

test("an operation that rules deny goes through while the agent is observed, and its recording says who would have denied it", async () => {
  assert.match((await psql("CREATE TABLE before_it (n int)")).stderr, /no-ddl/, "control: not observed, it is denied");
  assert.equal((await observe("--for", "1h")).code, 0);
  const made = await psql("CREATE TABLE during_it (n int)");
  assert.equal(made.code, 0, made.stderr);
  assert.doesNotMatch(made.stderr, /no-ddl/);
  assert.equal((await postgres.query("SELECT to_regclass('during_it') AS t"))[0]?.["t"], "during_it");
  const [session] = await daemon.json<{ id: string; denied: number }[]>(["sessions", "--limit", "1"]);
  const { entries } = await daemon.json<{ entries: SessionEntry[] }>(["sessions", "show", session?.id ?? ""]);
  const [made1] = entries.filter(({ text }) => text.startsWith("CREATE TABLE"));
  assert.deepEqual([made1?.decision, made1?.observed?.rules, session?.denied], ["allow", ["no-ddl"], 0]);
  const replay = await daemon.cli(["sessions", "replay", session?.id ?? ""]);
  assert.match(replay.stdout, /would be denied by no-ddl \(observed\)/);
});

test("every event of the agent is marked while it is observed", async () => {
  const during = await eventually(() => eventsOf("action.observed").at(-1), "the event of what would be denied");
  assert.equal(fieldsOf(during)["observed"], true);
  assert.match(String(during["message"]), /would be denied: Schema changes/);
  for (const kind of ["session.start", "session.end"]) {
    const [first, last] = [eventsOf(kind)[0], eventsOf(kind).at(-1)];
    assert.deepEqual([fieldsOf(first)["observed"], fieldsOf(last)["observed"]], [undefined, true], kind);
  }
});

test("masks stay on, and so does what the analysis itself forbids", async () => {
  const masked = await psql("SELECT ssn FROM customers WHERE id = 1");
  assert.equal(masked.code, 0, masked.stderr);
  assert.ok(masked.stdout.trim() !== "" && !masked.stdout.includes(SSN), masked.stdout);
  const reversed = [...SSN].reverse().join("");
  const derived = await psql("SELECT reverse(ssn) FROM customers WHERE id = 1");
  assert.ok(derived.code === 0 && !derived.stdout.includes(reversed), derived.stdout + derived.stderr);
  const kept = await psql("SELECT ssn INTO kept FROM customers WHERE id = 1");
  assert.match(kept.stderr, /built-in:labelled-column/);
  assert.equal(kept.stdout, "");
});

test("an address that nothing lists is dialled directly, and the kernel's word on it is marked", async (t) => {
  for (const kind of ["tcp", "udp"] as const) {
    const flow = Flow.in(cgroup.path, kind, HOST, streamer.port);
    t.after(() => flow.stop().catch(() => {}));
    await flow.opened();
    assert.equal((await flow.stop()).why, "asked");
  }
  const told = await eventually(
    () =>
      daemon
        .events()
        .find((event) => String(event["kind"]).startsWith("kernel.") && fieldsOf(event)["port"] === streamer.port),
    "the kernel's event",
  );
  assert.deepEqual([fieldsOf(told)["reason"], fieldsOf(told)["observed"]], ["unlisted", true]);
  assert.match(String(told["message"]), /was let through, but would have been refused/);
  const { counters } = await daemon.json<{ counters: Record<string, number> }>(["status"]);
  assert.ok((counters["observed"] ?? 0) > 0);
});

test("status and agents say until when, and a daemon that starts warns of it and goes on", async () => {
  const [agent] = await daemon.json<{ state: string; observedUntilMs: number }[]>(["agents"]);
  assert.equal(agent?.state, "observed");
  assert.match((await daemon.cli(["status"])).stdout, /ci is observed until \d{4}-/);
  await daemon.kill();
  await daemon.up();
  const [again] = await daemon.json<{ state: string; observedUntilMs: number }[]>(["agents"]);
  assert.deepEqual([again?.state, again?.observedUntilMs], ["observed", agent?.observedUntilMs]);
  assert.equal((await psql("CREATE TABLE after_it (n int)")).code, 0);
});

test("a quarantine wins over an observation", async (t) => {
  assert.equal((await daemon.cli(["quarantine", "ci"])).code, 0);
  const flow = Flow.in(cgroup.path, "tcp", HOST, streamer.port);
  t.after(() => flow.stop().catch(() => {}));
  await assert.rejects(flow.opened());
  assert.equal((await daemon.cli(["release", "ci"])).code, 0);
});

test("it ends when it is told to: the next statement is denied, in a session that lives, too", async (t) => {
  const agent = new SteeredAgent(daemon, "ci");
  t.after(() => agent.leave());
  assert.deepEqual(await agent.open("a", url()), {});
  assert.equal((await agent.ask("a", "CREATE TABLE still (n int)")).code, undefined);
  assert.equal((await observe("--off")).code, 0);
  assert.match((await agent.ask("a", "CREATE TABLE no_more (n int)")).message ?? "", /Schema changes/);
  const flow = Flow.in(cgroup.path, "tcp", HOST, streamer.port);
  t.after(() => flow.stop().catch(() => {}));
  await assert.rejects(flow.opened());
  assert.match((await observe("--off")).stderr, /AGENT_NOT_OBSERVED/);
});

test("it ends by itself, with an event", async () => {
  const before = eventsOf("agent.observe.end").length;
  assert.equal((await observe("--for", "1s")).code, 0);
  await eventually(() => eventsOf("agent.observe.end")[before], "the end");
  assert.match((await psql("CREATE TABLE too_late (n int)")).stderr, /no-ddl/);
});

test("a daemon that is dead prolongs no observation: the kernel ends it by its own clock", async (t) => {
  assert.equal((await observe("--for", "2s")).code, 0);
  const during = Flow.in(cgroup.path, "tcp", HOST, streamer.port);
  await during.opened();
  await during.stop();
  await daemon.kill();
  t.after(() => daemon.up());
  await eventually(async () => {
    const later = Flow.in(cgroup.path, "tcp", HOST, streamer.port);
    const isOpen = await later.opened().then(
      () => true,
      () => false,
    );
    await later.stop().catch(() => {});
    return isOpen ? undefined : true;
  }, "the kernel's refusal");
});

test("an end in the past or too far away is refused", async () => {
  for (const words of [
    ["--until", "2020-01-01"],
    ["--for", "31d"],
  ]) {
    const { code, stderr } = await observe(...words);
    assert.notEqual(code, 0, words.join(" "));
    assert.match(stderr, /OBSERVE_TIME: .*\nremedy: .*30 days/);
  }
});
