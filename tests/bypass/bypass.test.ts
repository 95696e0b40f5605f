/** The bypass suite in its quick form, and that it can fail: against a command that guards nothing, and one that half does. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { capture, type Outcome } from "../kit/daemon.ts";

const MAIN = join(import.meta.dirname, "main.ts");
const LIMIT_MS = 840_000;
/** Most vectors work on any Linux; what the kernel was built without is not here. */
const PROVEN_MIN = 90;

interface PlainRow {
  readonly vector: string;
  readonly kind: string;
}

/** The rows come in a file, since a table is on stdout. */
async function suite(args: readonly string[]): Promise<Outcome & { readonly rows: readonly PlainRow[] }> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  try {
    const file = join(folder, "rows.json");
    const words = ["--disable-warning=ExperimentalWarning", MAIN, ...args, "--json", file];
    const outcome = await capture(process.execPath, words, { timeoutMs: LIMIT_MS });
    assert.match(outcome.stdout, /^\d+ closed, \d+ stated, \d+ open$/m, outcome.stderr);
    return { ...outcome, rows: JSON.parse(readFileSync(file, "utf8")) as PlainRow[] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("every way round is closed for its reason or stated, each where it would have worked", {
  timeout: LIMIT_MS,
}, async () => {
  const { code, rows, stdout } = await suite(["--quick"]);
  const open = stdout.split("\n").filter((line) => line.startsWith("open: "));
  assert.deepEqual(open, []);
  assert.equal(code, 0);
  const proven = rows.filter(({ kind }) => kind === "closed" || kind === "stated");
  assert.ok(proven.length >= PROVEN_MIN, `${proven.length} rows are proven`);
});

const SOME = ["--place", "root", "--only", "tcp-ipv4", "--only", "unix-docker"];

test("a command that guards nothing leaves every row open", async () => {
  const { code, rows } = await suite(["--against", "env -- {}", ...SOME]);
  assert.deepEqual(
    rows.map(({ vector, kind }) => `${vector} ${kind}`),
    ["tcp-ipv4 open", "unix-docker open"],
  );
  assert.equal(code, 1);
});

test("a network namespace alone closes TCP and leaves Unix sockets open", async () => {
  const { code, rows } = await suite(["--against", "unshare --net --", ...SOME]);
  assert.deepEqual(
    rows.map(({ vector, kind }) => `${vector} ${kind}`),
    ["tcp-ipv4 closed", "unix-docker open"],
  );
  assert.equal(code, 1);
});

test("wrong words end with 2 and name the way out", async () => {
  const { code, stderr } = await capture(process.execPath, [MAIN, "--only", "nothing"]);
  assert.equal(code, 2);
  assert.match(stderr, /--list/);
});
