/** What a command keeps of compiled code, which root reads too: nobody may write there who cannot change the program itself. */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { capture } from "../kit/daemon.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A package of its own, so that what is found in it is this test's. */
function packageOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-package-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const part of ["src", "bin", "package.json"]) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  for (const part of ["node_modules", "native"]) symlinkSync(join(ROOT, part), join(folder, part));
  return folder;
}

async function runWith(mask: string, folder: string): Promise<void> {
  const { code, stderr } = await capture("sh", [
    "-c",
    `umask ${mask}; exec "$0" --version`,
    join(folder, "bin/sallyport"),
  ]);
  assert.equal(code, 0, stderr);
}

test("compiled code is kept in the package, and only its owner may write there", async (t) => {
  const folder = packageOf(t);
  await runWith("022", folder);
  const cache = join(folder, "build/compile-cache");
  const made = [cache, ...readdirSync(cache, { recursive: true }).map((name) => join(cache, String(name)))];
  assert.ok(made.length > 20, `${made.length} files were kept`);
  for (const path of made) assert.equal(statSync(path).mode & 0o022, 0, path);
});

test("control and defence: where others could write to what is made, nothing is kept", async (t) => {
  const folder = packageOf(t);
  for (const mask of ["000", "002", "020"]) await runWith(mask, folder);
  assert.equal(existsSync(join(folder, "build/compile-cache")), false);
});
