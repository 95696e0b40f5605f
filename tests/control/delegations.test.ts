/** The commands about delegations: what they send, and how they say what came of it. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { runCommandLine } from "../../src/control/cli/program.ts";
import { DELEGATION, type FakeDaemon, fakeDaemon } from "./fake-daemon.ts";

async function sallyport(daemon: FakeDaemon, ...args: readonly string[]) {
  let [out, err] = ["", ""];
  const code = await runCommandLine({
    argv: ["--run", daemon.runDir, "approvals", ...args],
    env: {},
    stdin: Readable.from([]),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    loadDaemon: () => Promise.reject(new Error("Cannot be loaded here")),
  });
  return { code, out, err };
}

test("delegate sends group, borrower, end and reason, and says how to end it", async (t) => {
  const daemon = await fakeDaemon(t);
  const { code, out } = await sallyport(
    daemon,
    "delegate",
    "corp:sre",
    "--to",
    "ben",
    "--for",
    "8h",
    "--reason",
    "away",
  );
  assert.equal(code, 0);
  assert.match(out, /^Ben \(corp:ben\) may answer for corp:sre in your place until \d{4}-/);
  assert.match(out, /end it with: sallyport approvals undelegate 3f2a91c04d$/m);
  await sallyport(daemon, "delegate", "sre", "--to", "ben", "--until", "2100-01-31T18:30Z");
  assert.deepEqual(daemon.calls, [
    ["delegations.make", { group: "corp:sre", to: "ben", forMs: 28_800_000, reason: "away" }, 0],
    ["delegations.make", { group: "sre", to: "ben", untilMs: Date.UTC(2100, 0, 31, 18, 30) }, 0],
  ]);
});

test("delegations lists whose place is whose until when, and what a person wrote cannot drive the terminal", async (t) => {
  const daemon = await fakeDaemon(t);
  const { out } = await sallyport(daemon, "delegations");
  assert.match(out, /^ID +GROUP +FROM +TO +SINCE +UNTIL +STATE +REASON$/m);
  assert.match(out, /^3f2a91c04d +corp:sre +Ada \(corp:ada\) +Ben \(corp:ben\) .* in force +on leave\\u\{1b\}\[2J$/m);
  assert.match(out, /^a +corp:sre +admin Ada \(corp:ada\) .* over: its time is up/m);
  assert.deepEqual(JSON.parse((await sallyport(daemon, "delegations", "--all", "--json")).out)[0], DELEGATION);
  assert.deepEqual(daemon.calls.at(-1), ["delegations.list", { all: true }, 0]);
});

test("undelegate ends one, and says so of one that there is not", async (t) => {
  const daemon = await fakeDaemon(t);
  const { out } = await sallyport(daemon, "undelegate", DELEGATION.id);
  assert.equal(out, "Ben no longer answers for corp:sre by delegation 3f2a91c04d\n");
  assert.equal(JSON.parse((await sallyport(daemon, "undelegate", DELEGATION.id, "--json")).out).state, "over");
  const { code, err } = await sallyport(daemon, "undelegate", "none");
  assert.equal(code, 1);
  assert.match(err, /DELEGATION_UNKNOWN/);
});

const wrong = [
  { name: "no end", args: ["delegate", "sre", "--to", "ben"], code: "USAGE" },
  { name: "two ends", args: ["delegate", "sre", "--to", "ben", "--for", "1h", "--until", "18:30"], code: "USAGE" },
  { name: "nobody", args: ["delegate", "sre", "--for", "1h"], code: "USAGE" },
  { name: "no group", args: ["delegate", "s r e", "--to", "ben", "--for", "1h"], code: "API_BODY_INVALID" },
  {
    name: "a reason beyond its length",
    args: ["delegate", "sre", "--to", "ben", "--for", "1h", "--reason", "x".repeat(501)],
    code: "API_BODY_INVALID",
  },
] as const;
for (const { name, args, code } of wrong) {
  test(`refused as wrong usage: ${name}`, async (t) => {
    const daemon = await fakeDaemon(t);
    const { code: exitCode, err } = await sallyport(daemon, ...args);
    assert.equal(exitCode, 2, err);
    assert.match(err, new RegExp(code));
    assert.deepEqual(daemon.calls, []);
  });
}
