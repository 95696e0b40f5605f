/** search, and what replay shows of rows, of a running session and of a terminal; against a daemon that answers from samples. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { commandLine } from "../kit/command-line.ts";
import { type FakeDaemon, fakeDaemon } from "./fake-daemon.ts";

async function asked({ runDir }: FakeDaemon, argv: readonly string[]) {
  const { code, out: stdout, err: stderr } = await commandLine(["--run", runDir, ...argv], {});
  return { code, stdout, stderr };
}

test("search by session tells who, what was masked, what was shown, where nobody looked, and how far the index is", async (t) => {
  const daemon = await fakeDaemon(t);
  const { code, stdout } = await asked(daemon, ["search", "agent:ci", "detector:payment-card", "--since", "7d"]);
  assert.equal(code, 0);
  assert.deepEqual(daemon.calls.at(-1), [
    "search.search",
    { query: "agent:ci detector:payment-card since:7d", limit: 50 },
  ]);
  assert.match(stdout, /SESSION +STARTED +AGENT +CONNECTION +WHO +FOUND +MASKED +SHOWN +COLUMNS/);
  assert.match(
    stdout,
    /s1 .* ci .* orders .* root \/usr\/bin\/psql \(42\) +2 +5 +2 +customers.card, notes.body\\u\{1b\}/,
  );
  assert.match(stdout, /1 session, 5 values masked, 2 shown/);
  assert.match(
    stdout,
    /payment-card was not looked for in 3 of 9 sessions \(2026-.* to 2026-.*\), e\.g\. s7; in 1 a part of the time/,
  );
  assert.match(stdout, /email was looked for in all of 9 sessions, in texts and JSON of answers; not in numbers/);
  assert.match(stdout, /1 session that fit ended in a crash/);
  assert.match(stdout, /2 sessions that fit could not be read in full/);
  assert.match(stdout, /more: --cursor 17/);
  assert.match(stdout, /indexed up to 2026-.*; 2 sessions, 3 segments and 0 events wait, the oldest for 1 min 30 s/);
  assert.equal(stdout.includes("\u001b[2J"), false);
});

test("search one by one tells the statement, how often, and what became of it", async (t) => {
  const daemon = await fakeDaemon(t);
  const { code, stdout } = await asked(daemon, ["search", "drop", "--entries"]);
  assert.equal(code, 0);
  assert.match(stdout, /deny +ci · orders · s1 · entry 4 3 times until .*, rules: no-ddl/);
  assert.match(stdout, /drop table c -- \\u\{1b\}\[2J \(and others of the same facts, whose text is not kept\)/);
  assert.match(stdout, /No DDL/);
});

test("nothing found is said, and is no failure", async (t) => {
  const daemon = await fakeDaemon(t);
  const { code, stdout } = await asked(daemon, ["search", "nothing"]);
  assert.deepEqual([code, /^nothing found\n/.test(stdout)], [0, true]);
  const json = await asked(daemon, ["--json", "search", "nothing"]);
  assert.deepEqual(JSON.parse(json.stdout).sessions, []);
});

test("--reindex begins the index anew", async (t) => {
  const daemon = await fakeDaemon(t);
  assert.equal((await asked(daemon, ["search", "--reindex"])).code, 0);
  assert.deepEqual(daemon.calls.at(-1), ["search.reindex"]);
});

const places = [
  ["1m30s", { kind: "ms", ms: 90_000 }],
  ["1h", { kind: "ms", ms: 3_600_000 }],
  ["2.5s", { kind: "ms", ms: 2_500 }],
  ["12", { kind: "entry", number: 12 }],
] as const;
for (const [text, from] of places) {
  test(`--at ${text} begins there`, async (t) => {
    const daemon = await fakeDaemon(t);
    assert.equal((await asked(daemon, ["sessions", "replay", "s1", "--at", text])).code, 0);
    assert.deepEqual(daemon.calls.at(-1), ["sessions.entries", "s1", from, false]);
  });
}
test("a place past the end is said to be that, on stderr, with --json too; a place before it is not", async (t) => {
  const daemon = await fakeDaemon(t);
  for (const more of [[], ["--json"]]) {
    const past = await asked(daemon, [...more, "sessions", "replay", "s1", "--at", "9h"]);
    assert.equal(past.code, 0);
    assert.match(
      past.stderr,
      /^nothing is recorded from there on: the session (took|goes on).*sessions show s1 numbers/,
    );
    assert.equal((await asked(daemon, [...more, "sessions", "replay", "s1", "--at", "1s"])).stderr, "");
  }
});
for (const text of ["", "x", "1x", "m", "1s1m", "-1"]) {
  test(`--at ${JSON.stringify(text)} is refused`, async (t) => {
    const daemon = await fakeDaemon(t);
    assert.equal((await asked(daemon, ["sessions", "replay", "s1", `--at=${text}`])).code, 2);
  });
}

test("--follow asks for what is still to come", async (t) => {
  const daemon = await fakeDaemon(t);
  const { stdout } = await asked(daemon, ["sessions", "replay", "s1", "--follow"]);
  assert.deepEqual(daemon.calls.at(-1), ["sessions.entries", "s1", undefined, true]);
  assert.match(stdout, /mail shown 2 times by detector:email/);
});

test("rows are a table of printable values, with NULL, bytes, and what was not kept", async (t) => {
  const output = {
    columns: ["id", "na\u001bme"],
    values: [
      ["1", "Ann\u001b[2J\nLee"],
      ["22", null],
      ["3", { hex: "00ff" }],
      ["4", ""],
    ],
    truncated: true,
  } as const;
  const daemon = await fakeDaemon(t, ({ sessions }) => ({
    sessions: {
      ...sessions,
      entries: async () =>
        (async function* () {
          yield { number: 1, offsetMs: 1, kind: "rows", text: "", output } as const;
        })(),
    },
  }));
  const { stdout } = await asked(daemon, ["sessions", "show", "s1"]);
  const lines = stdout.split("\n").map((line) => line.trim());
  assert.deepEqual(lines.slice(2, 8), [
    "id | na\\u{1b}me",
    "1  | Ann\\u{1b}[2J\\u{a}Lee",
    "22 | NULL",
    "3  | \\x00ff",
    "4  |",
    "(more rows were not kept)",
  ]);
});

test("a terminal becomes an asciicast, with characters that were cut in two", async (t) => {
  const daemon = await fakeDaemon(t);
  const dir = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "one.cast");
  const { code } = await asked(daemon, ["sessions", "replay", "t1", "--asciicast", file]);
  assert.equal(code, 0);
  const [head, ...events] = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual([head.version, head.width, head.height, head.title], [2, 120, 40, "t1"]);
  assert.deepEqual(events, [
    [0.5, "o", "$ "],
    [0.75, "o", "€"],
    [0.9, "i", "q"],
    [0.95, "r", "80x24"],
  ]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("a session without a terminal has no cast", async (t) => {
  const daemon = await fakeDaemon(t);
  const args = ["sessions", "replay", "s1", "--asciicast", "/dev/null"];
  const { code, stderr } = await asked(daemon, args);
  assert.deepEqual([code, /NO_TERMINAL|had no terminal/.test(stderr)], [1, true]);
});
