/** Approvals by API and command line over ports that only remember, and the screen of `approvals watch` by its parts. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import picocolors from "picocolors";
import type { ApprovalListing } from "../../src/control/approvals.ts";
import { keysIn, press, screenOf, type View, withChange, withoutOld } from "../../src/control/cli/approvals-screen.ts";
import { ApiClient } from "../../src/control/cli/client.ts";
import { runCommandLine } from "../../src/control/cli/program.ts";
import type { Input } from "../../src/control/cli/world.ts";
import { APPROVAL, type FakeDaemon, fakeDaemon, MEMBER } from "./fake-daemon.ts";

const ESCAPE = "\u001b";

interface Terminal {
  readonly stdin?: Input;
  readonly isTTY?: boolean;
  readonly write?: (text: string) => void;
}

async function sallyport(daemon: FakeDaemon, args: readonly string[], terminal: Terminal = {}) {
  let [out, err] = ["", ""];
  const { isTTY = false, stdin = Readable.from([]), write } = terminal;
  const code = await runCommandLine({
    argv: ["--run", daemon.runDir, ...args],
    env: {},
    stdin,
    stdout: {
      ...{ isTTY, columns: 80, rows: 12 },
      write: (text) => {
        out += String(text);
        write?.(String(text));
      },
    },
    stderr: { write: (text) => (err += text) },
    loadDaemon: () => Promise.reject(new Error("main.ts is not needed here")),
  });
  return { code, out, err };
}

test("the listing names id, agent, rule and estimate, and what the agent wrote cannot drive the terminal", async (t) => {
  const { code, out } = await sallyport(await fakeDaemon(t), ["approvals"]);
  assert.equal(code, 0);
  assert.match(out, /hold1 .*ci .*orders .*deletes .*about 5 rows .*delete from c where id = \$1/);
  assert.ok(!out.includes(ESCAPE));
});

test("one is shown whole: every line of it, labels, processes and who may answer", async (t) => {
  const { out } = await sallyport(await fakeDaemon(t), ["approvals", "show", "hold1"]);
  for (const part of [
    /delete from c\n +where id = \$1/,
    /with +"5"/,
    /writes +public\.c, labelled core, columns labelled pii/,
    /4711 psql \/usr\/bin\/psql/,
    /may answer +1 of sre/,
    /digest +0123456789abcdef/,
  ]) {
    assert.match(out, part);
  }
  assert.ok(!out.includes(ESCAPE));
});

test("an answer carries its scope, comment and digest", async (t) => {
  const daemon = await fakeDaemon(t);
  const options = ["--for", "15m", "--comment", "as discussed", "--digest", APPROVAL.digest];
  assert.equal((await sallyport(daemon, ["approvals", "approve", "hold1", ...options])).code, 0);
  await sallyport(daemon, ["approvals", "deny", "hold1", "--comment", "no"]);
  assert.deepEqual(daemon.calls, [
    ["approvals.approve", "hold1", { forMs: 900_000, comment: "as discussed", digest: APPROVAL.digest }, 0],
    ["approvals.deny", "hold1", { comment: "no" }, 0],
  ]);
});

test("of several ids one that fails leaves the others, and the command fails", async (t) => {
  const daemon = await fakeDaemon(t);
  const { code, out, err } = await sallyport(daemon, ["approvals", "approve", "gone", "hold1"]);
  assert.equal(code, 1);
  assert.match(out, /hold1 approved/);
  assert.match(err, /APPROVAL_ENDED/);
});

const wrong = [
  { name: "one digest for several", args: ["approve", "a", "b", "--digest", "0".repeat(64)], code: "USAGE" },
  { name: "a time that is none", args: ["approve", "a", "--for", "soon"], code: "USAGE" },
  { name: "no id", args: ["deny"], code: "USAGE" },
  { name: "a comment beyond its length", args: ["deny", "a", "--comment", "x".repeat(501)], code: "API_BODY_INVALID" },
] as const;
for (const { name, args, code } of wrong) {
  test(`refused as wrong usage: ${name}`, async (t) => {
    const daemon = await fakeDaemon(t);
    const { code: exitCode, err } = await sallyport(daemon, ["approvals", ...args]);
    assert.equal(exitCode, 2, err);
    assert.match(err, new RegExp(code));
    assert.deepEqual(daemon.calls, []);
  });
}

test("a member asks in their own name", async (t) => {
  const daemon = await fakeDaemon(t);
  daemon.peer = MEMBER;
  const api = new ApiClient(daemon.runDir);
  await api.get("/v1/approvals?all=1&limit=5");
  await api.post("/v1/approvals/hold1/approve", {});
  assert.deepEqual(daemon.calls, [
    ["approvals.list", { all: true, limit: 5 }, MEMBER.uid],
    ["approvals.approve", "hold1", {}, MEMBER.uid],
  ]);
});

test("without a terminal, watch says a line a change", async (t) => {
  const daemon = await fakeDaemon(t);
  const lines: string[] = [];
  const ended = sallyport(daemon, ["approvals", "watch"], {
    write: (text) => {
      lines.push(text);
      void daemon.close();
    },
  });
  await ended;
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /hold1 {2}waiting {2}ci on orders {2}delete from c/);
});

test("on a terminal, watch draws a screen, answers what it shows by its digest, and leaves the terminal as it was", async (t) => {
  const daemon = await fakeDaemon(t);
  const modes: boolean[] = [];
  const stdin = Object.assign(new Readable({ read() {} }), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => void modes.push(isRaw),
  }) as unknown as Input;
  const pressed = new Set<string>();
  const pressOnce = (key: string) => {
    if (!pressed.has(key)) setImmediate(() => stdin.push(key)); // as a terminal does, not amid a write
    pressed.add(key);
  };
  const { code, out } = await sallyport(daemon, ["approvals", "watch"], {
    ...{ isTTY: true, stdin },
    write: (text) => {
      if (text.includes("> hold1")) pressOnce("a");
      if (text.includes("hold1: approved")) pressOnce("q");
    },
  });
  assert.equal(code, 0);
  assert.deepEqual(daemon.calls, [["approvals.approve", "hold1", { digest: APPROVAL.digest }, 0]]);
  assert.deepEqual(modes, [true, false]);
  assert.ok(out.startsWith(`${ESCAPE}[?1049h`));
  assert.match(out, /\[\?25h.{0,2}\[\?1049l$/s);
});

const view = (changes: Partial<View> = {}): View => ({
  approvals: [],
  chosen: "",
  isDetailed: false,
  page: 0,
  said: "",
  ...changes,
});
const other: ApprovalListing = { ...APPROVAL, id: "hold2", openedMs: APPROVAL.openedMs + 1 };

test("keys: arrows and letters choose, letters act, enter shows and hides", () => {
  const both = view({ approvals: [APPROVAL, other], chosen: "hold1" });
  assert.deepEqual(keysIn(`j${ESCAPE}[Aq`), ["j", `${ESCAPE}[A`, "q"]);
  for (const down of ["j", `${ESCAPE}[B`]) assert.equal(press(both, down).view.chosen, "hold2");
  for (const up of ["k", `${ESCAPE}[A`]) assert.equal(press({ ...both, chosen: "hold2" }, up).view.chosen, "hold1");
  const told = ["[a", "[1;5a", "Oa", "Od", "a", "d"].map((rest) => `${ESCAPE}${rest}`);
  assert.deepEqual(keysIn(told.join("")), told, "what a terminal sends for one key, or with Alt, is one key");
  for (const key of told) assert.equal(press(both, key).act, undefined);
  assert.equal(press(both, "k").view.chosen, "hold1", "not above the first");
  assert.equal(press(both, "\r").view.isDetailed, true);
  assert.equal(press({ ...both, isDetailed: true }, ESCAPE).view.isDetailed, false);
  assert.deepEqual(
    ["a", "d", "q", "\u0003", "x"].map((key) => press(both, key).act),
    ["approve", "deny", "quit", "quit", undefined],
  );
});

test("one that goes away while it is chosen is not followed by another that the next key would answer", () => {
  const ended = { ...APPROVAL, state: "expired", endedMs: 1 } as const;
  const after = withoutOld(view({ approvals: [ended, other], chosen: "hold1", isDetailed: true }), 60_000);
  assert.deepEqual([after.approvals, after.chosen, after.isDetailed], [[other], "", false]);
  assert.equal(withChange(after, { ...other, id: "hold3" }).chosen, "", "nor by one that comes");
  assert.equal(withChange(view(), APPROVAL).chosen, "hold1", "the first of an empty screen is chosen");
});

test("the details show every character of a statement, page by page", () => {
  const colours = picocolors.createColors(false);
  const text = `delete from orders where id = 5 and note <> '${"漢".repeat(60)}${"x".repeat(900)}' or paid`;
  const long = { ...APPROVAL, statements: [{ text, parameters: [], actions: [] }] };
  let seen = "";
  let at = view({ approvals: [long], chosen: "hold1", isDetailed: true });
  for (let pages = 0; pages < 20; pages++) {
    const lines = screenOf(at, { columns: 40, rows: 14 }, colours, 0).slice(2, -3);
    for (const line of lines) assert.ok([...line].reduce((sum, one) => sum + (one === "漢" ? 2 : 1), 0) <= 40, line);
    seen += lines.join("");
    at = press(at, " ").view;
  }
  assert.ok(seen.replaceAll(" ", "").includes(text.replaceAll(" ", "")), seen);
});

test("a screen is never higher or wider than the terminal, whatever a statement holds", () => {
  const colours = picocolors.createColors(false);
  const long = {
    ...APPROVAL,
    statements: [{ text: "x\n".repeat(200) + "y".repeat(500), parameters: [], actions: [] }],
  };
  const many = Array.from({ length: 50 }, (_, index) => ({ ...long, id: `h${index}` }));
  for (const isDetailed of [false, true]) {
    const lines = screenOf(view({ approvals: many, chosen: "h40", isDetailed }), { columns: 40, rows: 12 }, colours, 0);
    assert.ok(lines.length <= 12);
    assert.deepEqual(
      lines.filter((line) => line.length > 40),
      [],
    );
    assert.ok(lines.some((line) => line.includes("h40")));
  }
});
