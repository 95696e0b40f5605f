/** What it takes for the command to run, and what it is like when it does. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { wordOf } from "../../src/control/cli/launcher.ts";
import { LAUNCH, launch, openFolder, plain } from "./launcher.ts";

const BOUNDS = { unixSockets: "judged", hidden: [], fixed: [] } as const;
const WORD = wordOf(BOUNDS, { A: "1", B: "2" });

test("every word that was cut short starts nothing, and the whole one does", async (t) => {
  const mark = join(openFolder(t), "ran");
  for (let length = 0; length < WORD.length; length++) {
    const { code } = await launch(["/usr/bin/touch", mark], { word: WORD.subarray(0, length) });
    assert.equal(code, 125, `${length} bytes`);
    assert.equal(existsSync(mark), false, `${length} bytes`);
  }
  assert.equal((await launch(["/usr/bin/touch", mark], { word: WORD })).code, 0);
  assert.ok(existsSync(mark));
});

const broken = [
  ["an order that nobody knows", "unix=allow\0open=all\0\0A=1\0\0", /does not know/],
  ["nothing about Unix sockets", "\0A=1\0\0", /nothing of Unix/],
  ["a path that is not whole", "unix=allow\0hide=etc\0\0A=1\0\0", /not whole/],
  ["too many paths", `unix=allow\0${"hide=/a\0".repeat(65)}\0A=1\0\0`, /too many/],
  ["a variable without a value", "unix=allow\0\0A\0\0", /without a value/],
  ["more than any environment", `unix=allow\0\0A=${"x".repeat(5 << 20)}\0\0`, /too long/],
  ["more behind its end", "unix=allow\0\0A=1\0\0B=1\0\0", /^$/],
] as const;
for (const [name, word, says] of broken) {
  test(`a word with ${name} starts nothing`, async (t) => {
    const mark = join(openFolder(t), "ran");
    const { code, err } = await launch(["/usr/bin/touch", mark], { word: Buffer.from(word) });
    assert.equal(code, 125);
    assert.match(err, says);
    assert.equal(existsSync(mark), false);
  });
}

test("an environment of a mebibyte arrives whole", async () => {
  const environment = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`V${index}`, "x".repeat(65_000)]));
  const { out } = await launch(["/usr/bin/env"], { environment });
  assert.equal(
    out.length,
    Object.entries(environment)
      .map(([name, value]) => `${name}=${value}`)
      .join("\n").length,
  );
});

test("the command has the caller's folder, mask, priority, limits and session", async (t) => {
  const script = "pwd; umask; nice; ulimit -S -n; ulimit -H -n; ulimit -u; ps -o sid= -p $$";
  const caller = "umask 027; ulimit -S -n 123; ulimit -u 1000; exec setsid nice -n 5";
  const launcher = join(openFolder(t), "caller");
  writeFileSync(launcher, `#!/bin/sh\n${caller} ${LAUNCH} "$@"\n`, { mode: 0o755 });
  const control = await plain(["sh", "-c", `${caller} sh -c '${script}'`], { cwd: "/usr/share" });
  const { out, err } = await launch(["sh", "-c", script], { launcher, cwd: "/usr/share" });
  const told = control.out.split("\n").slice(0, -1);
  assert.deepEqual(told.slice(0, 4), ["/usr/share", "0027", "5", "123"]);
  assert.deepEqual(out.split("\n").slice(0, -1), told, err);
});

test("the command gets the lower limit of open files that it is told, never a higher one", async () => {
  assert.equal((await launch(["sh", "-c", "ulimit -S -n"], { files: "123" })).out, "123");
  const own = (await plain(["sh", "-c", "ulimit -S -n"])).out;
  for (const files of ["99999999999", "unlimited", "-1"]) {
    assert.equal((await launch(["sh", "-c", "ulimit -S -n"], { files })).out, own);
  }
});

test("the command ignores the signals that its caller ignores, and no others", async () => {
  const { out } = await launch(["grep", "SigIgn", "/proc/self/status"], { ignored: "0000000000000003" });
  assert.match(out, /\s0*3$/);
});

const endings = [
  ["true", 0, /^$/],
  ["sallyport-has-no-such-command", 127, /^sallyport: sallyport-has-no-such-command: not found$/],
  ["/no/such/command", 127, /^sallyport: \/no\/such\/command: No such file or directory$/],
  ["/etc/passwd", 126, /^sallyport: \/etc\/passwd: Permission denied$/],
] as const;
for (const [word, code, says] of endings) {
  test(`${word} ends with ${code}, in the words of a shell`, async () => {
    const told = await launch([word]);
    assert.equal(told.code, code);
    assert.match(told.err, says);
  });
}

test("a file without a format of its own is given to sh", async (t) => {
  const script = join(openFolder(t), "script");
  writeFileSync(script, "echo $1\n", { mode: 0o755 });
  assert.equal((await launch([script, "hello"])).out, "hello");
});
