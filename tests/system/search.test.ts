/**
 * The auditor's two questions, asked of a real daemon after real agents: who ran this, and did this agent ever read a card
 * number. Rows are replayed as the agent got them, and no masked value stands anywhere that the daemon keeps.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import type { SessionEntry } from "../../src/control/ports.ts";
import type { SearchAnswer } from "../../src/model/search.ts";
import { LABEL_ATTACKS } from "../kit/attacks.ts";
import { SALLYPORT } from "../kit/daemon.ts";
import { finder } from "../leaks/needles.ts";
import { until } from "../path/kit.ts";
import { database, isRefused, rowsOf } from "./forms.ts";
import { CARD, OPEN, PASSWORD, rowsAsAgent, SSN, SteeredAgent, startWorld, type World } from "./world.ts";

/** Cards are hidden; e-mail addresses are looked for and shown to `ci`; nobody asks about bank accounts. */
const POLICY = `
rules:
  - name: hide-pii
    on: reveal
    when: "'pii' in column.labels || detector in ['payment-card', 'us-ssn']"
    mask: { style: redact }
  - name: hide-mail
    on: reveal
    when: "detector == 'email' && agent.name == 'nobody'"
    mask: { style: redact }
  - name: no-ddl
    on: sql.define
    deny: { message: "Schema changes go through migrations" }
`;

let world: World;
before(async () => {
  world = await startWorld({
    policies: { "open.yaml": OPEN, "policy.yaml": POLICY },
    labels: true,
    more: "recording: { output: { rows: 5, bytes: 8 KiB } }",
  });
  await world.postgres.query(`
    CREATE TABLE notes (id int, body text);
    INSERT INTO notes SELECT id, 'paid with ' || card || ', mail ' || email FROM customers;`);
});
after(() => world.stop());

const search = (query: string, ...more: readonly string[]) =>
  world.daemon.json<SearchAnswer>(["search", query, ...more]);

const sums = ({ sessions }: SearchAnswer) => {
  const all = sessions.flatMap(({ findings }) => findings);
  return { masked: all.reduce((sum, one) => sum + one.masked, 0), shown: all.reduce((sum, one) => sum + one.shown, 0) };
};

test("a search is told with who asked for what, card numbers taken out, and no search finds the ones before it", async () => {
  const word = "zebra7732";
  for (const _ of [1, 2]) {
    const { entries } = await search(`${word} ${CARD}`, "--entries");
    assert.deepEqual(entries, []);
  }
  const told = await search("kind:recording.search", "--entries");
  assert.ok(told.entries.some(({ message }) => message === "Recordings and events were searched"));
  const events = () => world.daemon.events().filter(({ kind }) => kind === "recording.search");
  await until(() => events().length >= 3, "the searches are told");
  const [first] = events().map(({ fields }) => fields as Readonly<Record<string, unknown>>);
  assert.match(String(first?.["query"]), new RegExp(`^${word} `));
  assert.equal(String(first?.["query"]).includes(CARD), false);
  assert.equal(first?.["uid"], 0);
  assert.ok(Number(first?.["pid"]) > 0);
});

test("who ran this: the statement is found with its session, agent, program, decision and rule", async () => {
  await world.psql("SELECT 1 AS harmless_7731;\nDROP TABLE notes;\n");
  const answer = await search("drop notes", "--entries");
  const [entry] = answer.entries.filter(({ kind }) => kind === "operation");
  assert.deepEqual(
    [entry?.agent, entry?.connection, entry?.decision, entry?.rules],
    ["ci", "orders", "deny", ["no-ddl"]],
  );
  assert.match(entry?.text ?? "", /DROP TABLE notes/);
  const [session] = (await search(`session:${entry?.session}`)).sessions;
  assert.match(session?.executable ?? "", /psql/);
  assert.equal(session?.user, "root");
  const same = await search(
    `table:notes decision:deny rule:no-ddl exe:${session?.executable} user:root pid:${session?.pid}`,
  );
  assert.deepEqual(
    same.entries.map(({ text }) => text),
    [entry?.text],
  );
  const listed = await world.daemon.cli(["search", "drop notes"]);
  assert.match(listed.stdout, /deny .*no-ddl[\s\S]*DROP TABLE notes[\s\S]*indexed up to/);
});

test("did this agent ever read a card number: masked, shown, and not looked for are three answers", async () => {
  await world.psql("SELECT id, body FROM notes;\nSELECT id, card, ssn, email FROM customers;\nCOPY notes TO STDOUT;\n");
  const cards = await search("agent:ci detector:payment-card");
  assert.equal(cards.by, "sessions");
  assert.deepEqual(sums(cards), { masked: 6, shown: 0 }, "three rows of notes, and three of the copy");
  assert.equal(cards.looked[0]?.notLooked, 0);

  const mails = await search("agent:ci detector:email");
  assert.deepEqual(sums(mails), { masked: 0, shown: 9 }, "three in notes, three in customers, three in the copy");
  const labels = await search("agent:ci label:payment column:card");
  assert.deepEqual(sums(labels), { masked: 3, shown: 0 });

  const accounts = await search("agent:ci detector:iban");
  const [looked] = accounts.looked;
  assert.deepEqual([accounts.sessions, looked?.sessions, looked?.notLooked], [[], looked?.notLooked, looked?.sessions]);
  assert.ok((looked?.sessions ?? 0) > 0);
  const told = await world.daemon.cli(["search", "agent:ci detector:iban"]);
  assert.match(told.stdout, /nothing found[\s\S]*iban was not looked for in \d+ of \d+ sessions/);
  assert.equal(told.code, 0);
});

const COLUMNS = "id, name, card, NULL AS nothing, '' AS empty";

test("rows are replayed as the agent got them: masked, NULL apart from the empty text, cut at the cap and saying so", async () => {
  const { stdout } = await world.psql(
    `SELECT ${COLUMNS} FROM customers ORDER BY id;\nSELECT n FROM generate_series(1, 9) n;\n`,
  );
  const [{ id = "" } = {}] = await world.daemon.json<{ id: string }[]>(["sessions", "--limit", "1"]);
  const { entries } = await world.daemon.json<{ entries: SessionEntry[] }>(["sessions", "show", id]);
  const outputs = entries.flatMap(({ output }) => output ?? []);
  const people = outputs.find(({ columns }) => columns.includes("card"));
  assert.deepEqual(people?.columns, ["id", "name", "card", "nothing", "empty"]);
  assert.deepEqual(
    people?.values.map((row) => row.map((value) => value ?? "").join("|")),
    stdout.split("\n").slice(0, 3),
  );
  assert.deepEqual(people?.values[0]?.slice(3), [null, ""]);
  assert.equal(people?.truncated, false);
  const numbers = outputs.find(({ columns }) => columns.includes("n"));
  assert.deepEqual(numbers?.values, [["1"], ["2"], ["3"], ["4"], ["5"]]);
  assert.equal(numbers?.truncated, true);
  const shown = await world.daemon.cli(["sessions", "show", id]);
  assert.match(shown.stdout, /id \| name +\| card .*\n.*1 +\| Ada Lovelace/);
  assert.match(shown.stdout, /more rows were not kept/);
  const at = await world.daemon.cli(["sessions", "replay", id, "--speed", "0", "--at", String(entries.at(-2)?.number)]);
  assert.equal(at.stdout.includes("Ada Lovelace"), false);
});

test("rows in binary form are kept as bytes, masked all the same", async () => {
  const statements = ["SELECT id, name, card FROM customers ORDER BY id"];
  await rowsAsAgent(world, [{ name: "binary", database, form: "binary", statements }]);
  const found = await search("table:customers statement:select", "--limit", "1");
  const id = found.entries[0]?.session ?? "";
  const { entries } = await world.daemon.json<{ entries: SessionEntry[] }>(["sessions", "show", id]);
  const rows = entries.flatMap(({ output }) => output?.values ?? []);
  assert.ok(
    rows.some(([first]) => typeof first === "object" && first?.hex === "00000001"),
    JSON.stringify(rows),
  );
});

test("attacks that want a value in another form leave none in what is kept of their rows either", async () => {
  for (const form of ["simple", "text", "binary"] as const) {
    const reports = await rowsAsAgent(world, await rowsOf(LABEL_ATTACKS, form));
    assert.ok(
      reports.some((report) => !isRefused(report)),
      "control: some of them bring rows",
    );
  }
  const found = await search("table:customers", "--limit", "1000");
  assert.ok(found.entries.length > 20, `${found.entries.length}`);
});

test("a session that runs is followed to its end", async () => {
  const agent = new SteeredAgent(world.daemon);
  await agent.open("a", world.url);
  await agent.ask("a", "SELECT 'before_7731' AS x");
  const [{ id = "" } = {}] = await world.daemon.json<{ id: string }[]>(["sessions", "--limit", "1"]);
  const child = spawn(SALLYPORT, ["--run", world.daemon.runDir, "--json", "sessions", "replay", id, "--follow"]);
  const seen: SessionEntry[] = [];
  const lines = createInterface({ input: child.stdout });
  const until = (text: string) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (JSON.stringify(seen).includes(text)) resolve();
      };
      lines.on("line", look);
      look();
    });
  lines.on("line", (line) => seen.push(JSON.parse(line) as SessionEntry));
  const ended = once(child, "exit");
  await until("before_7731");
  await agent.ask("a", "SELECT 'after_7731' AS x");
  await until("after_7731");
  await agent.close("a");
  await agent.leave();
  assert.equal((await ended)[0], 0);
  assert.equal(seen.at(-1)?.kind, "end");
  assert.deepEqual([...new Set(seen.map(({ number }) => number))].length, seen.length, "nothing comes twice");
});

/** What is closed may be compressed: what it holds counts. */
function keptFiles(folder: string): { readonly name: string; readonly bytes: Buffer }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const name = join(entry.parentPath, entry.name);
      const bytes = readFileSync(name);
      return { name, bytes: name.endsWith(".zst") ? zstdDecompressSync(bytes) : bytes };
    });
}

test("no masked value and no credential is in anything that the daemon keeps, in no form", async () => {
  await search("card");
  const canaries = [CARD, SSN, "5555555555554444", "457-55-5462", PASSWORD].map((text) => ({ text, piece: 9 }));
  const look = finder(canaries as never);
  const files = keptFiles(world.daemon.stateDir).filter(({ name }) => !/\/(key|ca)(\/|$)/.test(name));
  for (const { name, bytes } of files) assert.deepEqual(look.inBytes(bytes), [], name);
  assert.deepEqual(look.inBytes(Buffer.from(world.daemon.output)), []);
  const control = finder([{ text: "harmless_7731", piece: 9 }] as never);
  const holding = files.filter(({ bytes }) => control.inBytes(bytes).length > 0).map(({ name }) => name);
  assert.ok(
    holding.some((name) => name.includes("/recordings/")),
    "control: the recording holds the text",
  );
  assert.ok(
    holding.some((name) => /search\.db(-wal)?$/.test(name)),
    "control: the index holds the text",
  );
});

test("an index that is damaged while the daemon is away is built anew, and says the same", async () => {
  const before = sums(await search("agent:ci detector:payment-card"));
  await world.daemon.kill();
  for (const side of ["", "-wal"])
    writeFileSync(join(world.daemon.stateDir, `search.db${side}`), Buffer.alloc(20_000, 0x5a));
  await world.daemon.up();
  let answer = await search("agent:ci detector:payment-card");
  for (let tries = 0; answer.lag.oldestMs > 0 && tries < 20; tries++)
    answer = await search("agent:ci detector:payment-card");
  assert.deepEqual(sums(answer), before);
  const head = readFileSync(join(world.daemon.stateDir, "search.db")).subarray(0, 15).toString();
  assert.equal(head, "SQLite format 3");
});
